-- Which records a selector, a step or an output means.
--
-- A line "test" is: set, number of a clause, what is asked, path of the field, values. A record belongs to a set when it passes at
-- least one test of every clause. The values of "matches" and "not-matches" are one number of an expression.

local conditions = {}

do
  local sets = {}

  local tests = {
    ["in"] = function(test, value) return value ~= nil and test.values[json.text(value)] == true end,
    ["matches"] = function(test, value)
      local text = json.text(value)
      return text ~= nil and expression.matches(test.expression, text)
    end,
    ["exists"] = function(_, value) return value ~= nil end,
  }
  tests["not-in"] = function(test, value) return not tests["in"](test, value) end
  tests["not-matches"] = function(test, value) return not tests["matches"](test, value) end
  tests["absent"] = function(test, value) return not tests["exists"](test, value) end

  for _, cells in ipairs(data.lines("test")) do
    local set, clause = data.decode(cells[1]), tonumber(cells[2])
    local test = {passes = tests[cells[3]], path = data.path(cells[4]), expression = cells[5], values = {}}
    for index = 5, #cells do test.values[data.decode(cells[index])] = true end
    sets[set] = sets[set] or {}
    sets[set][clause] = sets[set][clause] or {}
    table.insert(sets[set][clause], test)
  end

  local function passes_one(record, clause)
    for _, test in ipairs(clause) do
      if test:passes(fields.at(record, test.path)) then return true end
    end
    return false
  end

  -- Whether a record belongs to a set; every record belongs to one that has no tests.
  function conditions.pass(record, set)
    for _, clause in ipairs(sets[set] or {}) do
      if not passes_one(record, clause) then return false end
    end
    return true
  end

  -- The names of the sets that begin with a prefix, without it.
  function conditions.names(prefix)
    local names = {}
    for name in pairs(sets) do
      if name:sub(1, #prefix) == prefix then names[#names + 1] = name:sub(#prefix + 1) end
    end
    return names
  end
end
