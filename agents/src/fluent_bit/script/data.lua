-- What a policy says, and what a pod is: the lines of pipeline.tsv beside this script, which is the same for every policy.
--
-- Cells are separated by tabs, and what a policy or a pod says in them is percent-encoded. The first cell is the kind of the line;
-- the file of this script that uses a kind says what its other cells are.

local data = {}

do
  local lines = {}

  function data.decode(cell)
    return (cell:gsub("%%(%x%x)", function(code) return string.char(tonumber(code, 16)) end))
  end

  -- The parts between separators, each of one plain character.
  function data.split(text, separator)
    local parts = {}
    for part in (text .. separator):gmatch("([^" .. separator .. "]*)" .. "%" .. separator) do
      parts[#parts + 1] = part
    end
    return parts
  end

  -- The keys that lead to a field of the record, from a cell.
  function data.path(cell)
    local path = data.split(cell, "/")
    for index, element in ipairs(path) do path[index] = data.decode(element) end
    return path
  end

  -- The lines of a kind, each a list of its cells.
  function data.lines(kind)
    return lines[kind] or {}
  end

  for line in io.lines("/etc/tributary/config/pipeline.tsv") do
    local cells = data.split(line, "\t")
    local kind = table.remove(cells, 1)
    lines[kind] = lines[kind] or {}
    table.insert(lines[kind], cells)
  end
end
