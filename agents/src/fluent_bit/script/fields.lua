-- Fields of a record, by the keys that lead to them.

local fields = {}

do
  -- A value; nil where there is none, or null.
  function fields.at(record, path)
    local value = record
    for _, key in ipairs(path) do
      if type(value) ~= "table" then return nil end
      value = value[key]
    end
    if value == flb_null then return nil end
    return value
  end

  -- Writes a value in the place of another. Only the last key may lead to nothing, or be one of `data`.
  function fields.set(record, path, value)
    local object = record
    for index = 1, #path - 1 do
      object[path[index]] = object[path[index]] or {}
      object = object[path[index]]
    end
    object[path[#path]] = value
  end

  function fields.remove(record, path)
    local object = record
    for index = 1, #path - 1 do
      object = object[path[index]]
      if not json.is_object(object) then return end
    end
    object[path[#path]] = nil
  end
end
