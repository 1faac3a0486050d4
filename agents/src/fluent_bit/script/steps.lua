-- What happens to every record between its source and the outputs.
--
-- A line "step" is: what is done, then what it is done with. The conditions of the first step are the set "step/1".
-- "level-keys" are the keys of `data` that may hold a level; "level-alias" is another name of a level, and the level.

local steps = {}

do
  local keys = {}
  local aliases = {}
  for _, cells in ipairs(data.lines("level-keys")) do
    for index, cell in ipairs(cells) do keys[index] = data.decode(cell) end
  end
  for _, cells in ipairs(data.lines("level-alias")) do aliases[cells[1]] = cells[2] end

  -- Sets the level to the first one in `data` that is a text.
  local function take_level(record)
    for _, key in ipairs(keys) do
      local found = record.data[key]
      if type(found) == "string" and found ~= "" then
        local level = found:lower()
        record.level = aliases[level] or level
        return
      end
    end
  end

  local function take_apart(path, read)
    return function(record)
      local text = fields.at(record, path)
      local object = type(text) == "string" and read(text)
      if not object then return true end
      record.data = record.data or {}
      for key, value in pairs(object) do record.data[key] = value end
      take_level(record)
      return true
    end
  end

  -- What makes a step of the cells of its line: a function that changes a record, and returns whether the record is kept. `when`
  -- tells whether a record meets the step's conditions.
  local makers = {}

  function makers.json(cells)
    return take_apart(data.path(cells[2]), json.object)
  end

  function makers.logfmt(cells)
    return take_apart(data.path(cells[2]), logfmt.object)
  end

  function makers.regex(cells)
    return take_apart(data.path(cells[2]), function(text) return expression.groups(cells[3], text) end)
  end

  -- Drops whatever meets the conditions; `keep` is turned around where steps are run.
  function makers.drop()
    return function() return false end
  end

  makers.keep = makers.drop

  function makers.redact(cells)
    local path, replacement = data.path(cells[2]), data.decode(cells[3])
    return function(record)
      local text = fields.at(record, path)
      if type(text) ~= "string" then return true end
      for index = 4, #cells do text = expression.replace(cells[index], text, replacement) end
      fields.set(record, path, text)
      return true
    end
  end

  function makers.set(cells)
    local path, value = data.path(cells[2]), data.decode(cells[3])
    return function(record)
      fields.set(record, path, value)
      return true
    end
  end

  function makers.rename(cells)
    local from, to = data.path(cells[2]), data.path(cells[3])
    return function(record)
      local value = fields.at(record, from)
      if to[1] ~= "data" then value = json.text(value) end
      if value == nil then return true end
      fields.remove(record, from)
      fields.set(record, to, value)
      return true
    end
  end

  function makers.remove(cells)
    local paths = {}
    for index = 2, #cells do paths[#paths + 1] = data.path(cells[index]) end
    return function(record)
      for _, path in ipairs(paths) do fields.remove(record, path) end
      return true
    end
  end

  function makers.sample(cells)
    local kept = tonumber(cells[2])
    return function() return math.random(1000000) <= kept end
  end

  function makers.throttle(cells)
    local limit, paths = tonumber(cells[2]), {}
    for index = 3, #cells do paths[#paths + 1] = data.path(cells[index]) end
    local second, passed = nil, {}
    return function(record)
      local now = os.time()
      if now ~= second then second, passed = now, {} end
      local key = {}
      for index, path in ipairs(paths) do
        local text = json.text(fields.at(record, path))
        key[index] = text and #text .. ":" .. text or "-"
      end
      key = table.concat(key)
      passed[key] = (passed[key] or 0) + 1
      return passed[key] <= limit
    end
  end

  local list = {}
  for index, cells in ipairs(data.lines("step")) do
    list[index] = {
      run = makers[cells[1]](cells),
      set = "step/" .. index,
      meets = cells[1] ~= "keep",
    }
  end

  -- Changes a record by every step in turn, until one drops it; whether it is kept.
  function steps.run(record)
    for _, step in ipairs(list) do
      if conditions.pass(record, step.set) == step.meets and not step.run(record) then return false end
    end
    return true
  end
end
