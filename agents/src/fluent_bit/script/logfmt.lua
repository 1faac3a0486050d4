-- Logfmt: words KEY=VALUE with white space between them.

local logfmt = {}

do
  -- The value at a position and the position after it; nothing when a quote is not closed.
  local function value(text, at)
    if text:sub(at, at) ~= '"' then
      local plain = text:match("^[^%s\"]*", at)
      return plain, at + #plain
    end
    local parts, from = {}, at + 1
    while true do
      local stop = text:find('["\\]', from)
      if not stop then return nil end
      parts[#parts + 1] = text:sub(from, stop - 1)
      if text:sub(stop, stop) == '"' then return table.concat(parts), stop + 1 end
      local next = text:sub(stop + 1, stop + 1)
      local escape = next == '"' or next == "\\"
      parts[#parts + 1] = escape and next or "\\"
      from = stop + (escape and 2 or 1)
    end
  end

  -- The keys and values that a text consists of; nil for any other text.
  function logfmt.object(text)
    local object, at = nil, text:match("^%s*()")
    while at <= #text do
      local key, after = text:match('^([^%s="]+)=()', at)
      if not key then return nil end
      local found
      found, at = value(text, after)
      if not found then return nil end
      local next = text:match("^%s+()", at)
      if not next and at <= #text then return nil end
      object, at = object or {}, next or at
      object[key] = found
    end
    return object
  end
end
