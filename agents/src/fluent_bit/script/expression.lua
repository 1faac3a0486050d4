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
  local END_OF_TEXT = 256

  local function numbers(part)
    local list = {}
    for number in part:gmatch("%d+") do list[#list + 1] = tonumber(number) end
    return list
  end

  local function program(kind, cells)
    local machine = {kind = kind, start = tonumber(cells[2]), names = {}, states = {}, sets = {}, count = 0}
    for name, group in cells[3]:gmatch("([%w_]+)%.(%d+)") do machine.names[name] = tonumber(group) end
    for index, state in ipairs(data.split(cells[4], "-")) do
      machine.states[index - 1] = {kind = state:sub(1, 1), args = numbers(state)}
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

  -- Adds what a state leads to without a byte to a list of threads, the preferred first. `marks` is the last of a chain of places
  -- where groups begin or end.
  local function follow(states, threads, number, before, after, at, marks)
    if threads.seen[number] then return end
    threads.seen[number] = true
    local kind, args = states[number].kind, states[number].args
    if kind == "u" then
      for index = 1, #args do follow(states, threads, args[index], before, after, at, marks) end
    elseif kind == "c" then
      follow(states, threads, args[2], before, after, at, at and {slot = args[1], at = at, earlier = marks})
    elseif kind == "l" then
      if assertions[args[1]](before, after) then follow(states, threads, args[2], before, after, at, marks) end
    elseif kind ~= "f" then
      threads[#threads + 1] = {kind = kind, args = args, marks = marks}
    end
  end

  -- Where a state that reads a byte leads to with this one.
  local function step(args, code)
    for index = 1, #args, 3 do
      if code >= args[index] and code <= args[index + 1] then return args[index + 2] end
    end
  end

  -- All that assertions ask of the byte before.
  local function context(machine, before)
    if before == nil or before == 10 or not machine.asserts then return machine.asserts and before end
    return is_word(before) and 97 or 32
  end

  -- The one table for a set of states, in the order of preference. It also remembers which set each byte leads to.
  local function set_of(machine, states, before, matched)
    local key = table.concat(states, ".") .. "/" .. tostring(before) .. (matched and "+" or "")
    local set = machine.sets[key]
    if set then return set end
    if machine.count == MOST_SETS then machine.sets, machine.count = {}, 0 end
    set = {states = states, before = before or nil, matched = matched, dead = #states == 0}
    machine.sets[key], machine.count = set, machine.count + 1
    return set
  end

  -- The set that a byte, or the end of the text, leads to. That something has matched shows one byte later, when it is known what
  -- comes after it.
  local function advance(machine, set, code)
    local threads, after, known = {seen = {}}, {}, {}
    local anywhere, matched = false, false
    for _, number in ipairs(set.states) do
      if number == ANYWHERE then anywhere, number = true, machine.start end
      follow(machine.states, threads, number, set.before, code)
    end
    for _, thread in ipairs(threads) do
      if thread.kind == "m" then
        matched = true
        if machine.kind == "forward" then
          -- What is less preferred does not count any more, nor what begins later.
          anywhere = false
          break
        end
      else
        local next = code and step(thread.args, code)
        if next and not known[next] then
          known[next] = true
          after[#after + 1] = next
        end
      end
    end
    if anywhere then after[#after + 1] = ANYWHERE end
    local next = set_of(machine, after, context(machine, code), matched)
    set[code or END_OF_TEXT] = next
    return next
  end

  -- The last byte of the first match that begins at a position or after it; with `any`, of what is enough to know that there is one.
  local function last(machine, text, from, any)
    local before = from > 1 and byte(text, from - 1) or nil
    local set, found = set_of(machine, {ANYWHERE}, context(machine, before), false), nil
    for at = from, #text do
      local code = byte(text, at)
      set = set[code] or advance(machine, set, code)
      if set.matched then
        found = at - 1
        if any then return found end
      elseif set.dead then
        return found
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
      set = set[code] or advance(machine, set, code)
      if set.matched then
        found = at + 1
      elseif set.dead then
        return found
      end
    end
    local code = from > 1 and byte(text, from - 1) or nil
    set = set[code or END_OF_TEXT] or advance(machine, set, code)
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

  -- The chain of places of groups in the first match.
  local function marks_of(machine, text)
    local threads, marks, matched = {seen = {}}, nil, false
    for at = 1, #text + 1 do
      local before, code = at > 1 and byte(text, at - 1) or nil, byte(text, at)
      local later = {seen = {}}
      if not matched then follow(machine.states, threads, machine.start, before, code, at) end
      for _, thread in ipairs(threads) do
        if thread.kind == "m" then
          marks, matched = thread.marks, true
          break
        end
        local next = code and step(thread.args, code)
        if next then follow(machine.states, later, next, code, byte(text, at + 1), at + 1, thread.marks) end
      end
      threads = later
      if matched and #threads == 0 then break end
    end
    return marks
  end

  -- What the named groups of the first match hold, without those that found nothing; nil when there is no match.
  function expression.groups(number, text)
    if not expression.matches(number, text) then return nil end
    local machine, slots, object = forward[number], {}, {}
    local mark = marks_of(machine, text)
    while mark do
      slots[mark.slot] = slots[mark.slot] or mark.at
      mark = mark.earlier
    end
    for name, group in pairs(machine.names) do
      local begin, finish = slots[2 * group], slots[2 * group + 1]
      if begin and finish then object[name] = sub(text, begin, finish - 1) end
    end
    return object
  end
end
