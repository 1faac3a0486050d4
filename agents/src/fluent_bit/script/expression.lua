-- Regular expressions, which come as programs: states that read a byte or lead on without one. Nothing ever goes back in a text.
--
-- A line "forward" or "reverse" is: number of the expression, first state, names and groups, states. In a cell, parts are separated
-- by dashes and their numbers by dots. A state is a letter and numbers: "b" reads a byte (lowest, highest, next state, and so on),
-- "u" leads to several states of which the first ones are preferred, "l" to one where an assertion holds, "c" to one with a mark for a
-- group, "m" accepts, and "f" leads nowhere.

local expression = {}

do
  local byte, sub = string.byte, string.sub

  -- In the place of a state: the first state, here and at every later byte.
  local ANYWHERE = -1
  -- So many sets of states are remembered of a program, then they are forgotten.
  local MOST_SETS = 2000
  -- A set has the set that a byte leads to at the byte's number and 1, and after all bytes the one that the end of the text leads to.
  local END_OF_TEXT = 257
  local UNKNOWN = {}
  for index = 1, END_OF_TEXT do UNKNOWN[index] = false end

  local function numbers(part)
    local list = {}
    for number in part:gmatch("%d+") do list[#list + 1] = tonumber(number) end
    return list
  end

  local function program(kind, cells)
    local machine = {kind = kind, start = tonumber(cells[2]), slots = {}, states = {}, sets = {}, count = 0, leaves = {}}
    for name, group in cells[3]:gmatch("([%w_]+)%.(%d+)") do
      machine.slots[2 * group] = {name = name, side = "begin"}
      machine.slots[2 * group + 1] = {name = name, side = "finish"}
    end
    for index, state in ipairs(data.split(cells[4], "-")) do
      machine.states[index - 1] = {number = index, kind = state:sub(1, 1), args = numbers(state), next = {}}
      machine.asserts = machine.asserts or state:sub(1, 1) == "l"
    end
    return machine
  end

  -- The programs of a kind, each read when it is first needed: most instances of this script need none.
  local function programs(kind)
    local lines = {}
    for _, cells in ipairs(data.lines(kind)) do lines[cells[1]] = cells end
    return setmetatable({}, {__index = function(known, number)
      known[number] = program(kind, lines[number])
      return known[number]
    end})
  end

  local forward, reverse = programs("forward"), programs("reverse")

  local function is_word(code)
    return code ~= nil and (code >= 48 and code <= 57 or code >= 65 and code <= 90 or code == 95 or code >= 97 and code <= 122)
  end

  -- Assertions by their number, of the byte before and the byte after a place, which are nil at the ends of the text: the beginning
  -- and end of the text, the beginning and end of a line, a boundary of a word.
  local assertions = {
    function(before) return before == nil end,
    function(_, after) return after == nil end,
    function(before) return before == nil or before == 10 end,
    function(_, after) return after == nil or after == 10 end,
    function(before, after) return is_word(before) ~= is_word(after) end,
  }

  -- Adds the states that read a byte, or accept, to which a state leads without one, the preferred first, each with the slots of groups
  -- on the way to it.
  local function follow(machine, found, number, before, after, slots)
    if found.seen[number] then return end
    found.seen[number] = true
    local state = machine.states[number]
    local kind, args = state.kind, state.args
    if kind == "u" then
      for index = 1, #args do follow(machine, found, args[index], before, after, slots) end
    elseif kind == "c" then
      local slot = machine.slots[args[1]]
      follow(machine, found, args[2], before, after, slot and {slot = slot, earlier = slots} or slots)
    elseif kind == "l" then
      if assertions[args[1]](before, after) then follow(machine, found, args[2], before, after, slots) end
    elseif kind ~= "f" then
      found[#found + 1] = {state = state, slots = slots}
    end
  end

  -- The number of the state that one that reads a byte leads to with this one; false when there is none.
  local function step(state, code)
    local next, args = state.next[code], state.args
    if next ~= nil then return next end
    next = false
    for index = 1, #args, 3 do
      if code >= args[index] and code <= args[index + 1] then next = args[index + 2] end
    end
    state.next[code] = next
    return next
  end

  -- All that assertions ask of a byte: 1 for a line feed, 2 for a part of a word, 3 for any other; 0 stands for none.
  local CONTEXTS = {}
  for code = 0, 255 do CONTEXTS[code] = code == 10 and 1 or is_word(code) and 2 or 3 end
  -- A byte for each.
  local EXAMPLES = {10, 97, 32}

  local function context(machine, before)
    return machine.asserts and before and CONTEXTS[before] or 0
  end

  -- The one table for a set of states, in the order of preference, after a byte of a context. It also remembers which set each byte leads to.
  local function set_of(machine, states, before, matched)
    local key = table.concat(states, ".") .. "/" .. before .. (matched and "+" or "")
    local set = machine.sets[key]
    if set then return set end
    if machine.count == MOST_SETS then machine.sets, machine.count = {}, 0 end
    set = {unpack(UNKNOWN)}
    set.states, set.before, set.matched = states, EXAMPLES[before], matched
    -- Where a search has to look up.
    set.special = matched or #states == 0
    machine.sets[key], machine.count = set, machine.count + 1
    return set
  end

  -- The set that a byte, or the end of the text, leads to. That something has matched shows one byte later, when it is known what
  -- comes after it.
  local function advance(machine, set, code)
    local found, after, known = {seen = {}}, {}, {}
    local anywhere, matched = false, false
    for _, number in ipairs(set.states) do
      if number == ANYWHERE then anywhere, number = true, machine.start end
      follow(machine, found, number, set.before, code)
    end
    for _, leaf in ipairs(found) do
      if leaf.state.kind == "m" then
        matched = true
        if machine.kind == "forward" then
          -- What is less preferred does not count any more, nor what begins later.
          anywhere = false
          break
        end
      else
        local next = code and step(leaf.state, code)
        if next and not known[next] then
          known[next] = true
          after[#after + 1] = next
        end
      end
    end
    if anywhere then after[#after + 1] = ANYWHERE end
    local next = set_of(machine, after, context(machine, code), matched)
    set[code and code + 1 or END_OF_TEXT] = next
    return next
  end

  -- The last byte of the first match that begins at a position or after it; with `any`, of what is enough to know that there is one.
  local function last(machine, text, from, any)
    local before = from > 1 and byte(text, from - 1) or nil
    local set, found = set_of(machine, {ANYWHERE}, context(machine, before), false), nil
    for at = from, #text do
      local code = byte(text, at)
      set = set[code + 1] or advance(machine, set, code)
      if set.special then
        if not set.matched then return found end
        found = at - 1
        if any then return found end
      end
    end
    set = set[END_OF_TEXT] or advance(machine, set, nil)
    return set.matched and #text or found
  end

  -- The first byte of the match that ends at a position, and begins at `from` or after it.
  local function first(machine, text, from, to)
    local set, found = set_of(machine, {machine.start}, context(machine, byte(text, to + 1)), false), nil
    for at = to, from, -1 do
      local code = byte(text, at)
      set = set[code + 1] or advance(machine, set, code)
      if set.special then
        if not set.matched then return found end
        found = at + 1
      end
    end
    local code = from > 1 and byte(text, from - 1) or nil
    set = set[code and code + 1 or END_OF_TEXT] or advance(machine, set, code)
    return set.matched and from or found
  end

  -- Whether a text contains a match.
  function expression.matches(number, text)
    return last(forward[number], text, 1, true) ~= nil
  end

  -- A text with every match replaced, from left to right.
  function expression.replace(number, text, replacement)
    local machine, parts, from = forward[number], nil, 1
    local to = last(machine, text, from)
    while to do
      parts = parts or {}
      parts[#parts + 1] = sub(text, from, first(reverse[number], text, from, to) - 1)
      parts[#parts + 1] = replacement
      from = to + 1
      to = last(machine, text, from)
    end
    if not parts then return text end
    parts[#parts + 1] = sub(text, from)
    return table.concat(parts)
  end

  -- As follow, remembered.
  local function leaves_of(machine, number, before, after)
    local key = number
    if machine.asserts then key = number * 16 + (before and CONTEXTS[before] or 0) * 4 + (after and CONTEXTS[after] or 0) end
    local leaves = machine.leaves[key]
    if not leaves then
      leaves = {seen = {}}
      follow(machine, leaves, number, before, after)
      machine.leaves[key] = leaves
    end
    return leaves
  end

  -- Adds threads for all that a state leads to, but for states that a preferred thread is at. A thread is a state, and the last one of
  -- a chain of places where groups begin or end. Returns the number of threads.
  local function enter(threads, count, leaves, at, marks, seen)
    for index = 1, #leaves do
      local leaf = leaves[index]
      if seen[leaf.state.number] ~= at then
        seen[leaf.state.number] = at
        local chain, slots = marks, leaf.slots
        while slots do
          chain, slots = {slot = slots.slot, at = at, earlier = chain}, slots.earlier
        end
        count = count + 1
        threads.states[count], threads.marks[count] = leaf.state, chain
      end
    end
    return count
  end

  -- The chain of places of groups in the first match.
  local function marks_of(machine, text)
    local threads, later, count, seen = {states = {}, marks = {}}, {states = {}, marks = {}}, 0, {}
    local best, matched = nil, false
    for at = 1, #text + 1 do
      local code, next_code = byte(text, at), byte(text, at + 1)
      if not matched then
        local before = at > 1 and byte(text, at - 1) or nil
        count = enter(threads, count, leaves_of(machine, machine.start, before, code), at, nil, seen)
      end
      local later_count = 0
      for index = 1, count do
        local state, marks = threads.states[index], threads.marks[index]
        if state.kind == "m" then
          best, matched = marks, true
          break
        end
        local next = code and step(state, code)
        if next then
          later_count = enter(later, later_count, leaves_of(machine, next, code, next_code), at + 1, marks, seen)
        end
      end
      threads, later, count = later, threads, later_count
      if matched and count == 0 then break end
    end
    return best
  end

  -- What the named groups of the first match hold, without those that found nothing; nil when there is no match.
  function expression.groups(number, text)
    if not expression.matches(number, text) then return nil end
    local groups, object = {}, {}
    local mark = marks_of(forward[number], text)
    while mark do
      local group = groups[mark.slot.name] or {}
      groups[mark.slot.name] = group
      group[mark.slot.side] = group[mark.slot.side] or mark.at
      mark = mark.earlier
    end
    for name, group in pairs(groups) do
      if group.begin and group.finish then object[name] = sub(text, group.begin, group.finish - 1) end
    end
    return object
  end
end
