-- JSON: read strictly, written with its keys in order.

local json = {}

do
  local byte, char, find, format, sub = string.byte, string.char, string.find, string.format, string.sub

  -- Fluent Bit writes a table with this metatable as a list, even when it is empty; 1 is its number for lists.
  local LIST = {type = 1}
  -- What Fluent Bit writes as null.
  local null = flb_null
  -- Fluent Bit cannot read records back that are nested deeper than 32, with what it puts around them.
  local DEEPEST = 20
  -- Numbers are doubles here, which tell integers apart up to this one.
  local LARGEST = 2 ^ 53 - 1
  -- Fluent Bit writes 16 digits of a number; above this one, that would be none that anybody can read.
  local LARGEST_WRITTEN = 1.797693134862315e308

  local escapes = {['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t"}

  function json.is_list(value)
    local meta = type(value) == "table" and getmetatable(value)
    return meta and meta.type == LIST.type or false
  end

  function json.is_object(value)
    return type(value) == "table" and not json.is_list(value)
  end

  local function utf8(code)
    if code < 0x80 then return char(code) end
    if code < 0x800 then return char(0xC0 + math.floor(code / 0x40), 0x80 + code % 0x40) end
    if code < 0x10000 then
      return char(0xE0 + math.floor(code / 0x1000), 0x80 + math.floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
    end
    return char(0xF0 + math.floor(code / 0x40000), 0x80 + math.floor(code / 0x1000) % 0x40,
      0x80 + math.floor(code / 0x40) % 0x40, 0x80 + code % 0x40)
  end

  -- The character of the \uXXXX at a position, or of two that are a pair, and the position after it. Half a pair is U+FFFD.
  local function escaped(text, at)
    local digits = text:match("^\\u(%x%x%x%x)", at)
    if not digits then return nil end
    local code = tonumber(digits, 16)
    if code < 0xD800 or code > 0xDFFF then return utf8(code), at + 6 end
    local low = code < 0xDC00 and text:match("^\\u([dD][c-fC-F]%x%x)", at + 6)
    if not low then return utf8(0xFFFD), at + 6 end
    return utf8(0x10000 + (code - 0xD800) * 0x400 + tonumber(low, 16) - 0xDC00), at + 12
  end

  -- Every reader returns a value and the position after it, or nothing where there is none.

  -- The text that begins after the quote before the position.
  local function read_text(text, at)
    local stop = find(text, '["\\%c]', at)
    if stop and byte(text, stop) == 34 then return sub(text, at, stop - 1), stop + 1 end
    local parts = {}
    while stop do
      parts[#parts + 1] = sub(text, at, stop - 1)
      local code = byte(text, stop)
      if code == 34 then return table.concat(parts), stop + 1 end
      if code == 127 then
        parts[#parts + 1], at = "\127", stop + 1
      elseif code ~= 92 then
        return nil
      else
        local plain = escapes[sub(text, stop + 1, stop + 1)]
        if plain then
          parts[#parts + 1], at = plain, stop + 2
        else
          parts[#parts + 1], at = escaped(text, stop)
          if not at then return nil end
        end
      end
      stop = find(text, '["\\%c]', at)
    end
  end

  local function read_number(text, at)
    local _, last = find(text, "^-?%d+", at)
    if not last or find(text, "^-?0%d", at) then return nil end
    local _, fraction = find(text, "^%.%d+", last + 1)
    local _, exponent = find(text, "^[eE][+-]?%d+", (fraction or last) + 1)
    local written = sub(text, at, exponent or fraction or last)
    local number = tonumber(written)
    local whole = not fraction and not exponent
    local size = math.abs(number)
    if size == 1 / 0 then return nil end
    -- As its text, because as a double it would be another number.
    if whole and size > LARGEST or size > LARGEST_WRITTEN then number = written end
    return number, at + #written
  end

  local read_value

  local function skip(text, at)
    local _, last = find(text, "^[ \t\r\n]*", at)
    return last + 1
  end

  local function read_list(text, at, depth)
    local list, size = setmetatable({}, LIST), 0
    at = skip(text, at)
    if byte(text, at) == 93 then return list, at + 1 end
    while true do
      local value, after = read_value(text, at, depth)
      if not after then return nil end
      size = size + 1
      list[size] = value
      at = skip(text, after)
      local code = byte(text, at)
      if code == 93 then return list, at + 1 end
      if code ~= 44 then return nil end
      at = skip(text, at + 1)
    end
  end

  local function read_object(text, at, depth)
    local object = {}
    at = skip(text, at)
    if byte(text, at) == 125 then return object, at + 1 end
    while true do
      if byte(text, at) ~= 34 then return nil end
      local key, after = read_text(text, at + 1)
      if not after then return nil end
      at = skip(text, after)
      if byte(text, at) ~= 58 then return nil end
      local value
      value, after = read_value(text, skip(text, at + 1), depth)
      if not after then return nil end
      object[key] = value
      at = skip(text, after)
      local code = byte(text, at)
      if code == 125 then return object, at + 1 end
      if code ~= 44 then return nil end
      at = skip(text, at + 1)
    end
  end

  local words = {t = {"true", true}, f = {"false", false}, n = {"null", null}}

  function read_value(text, at, depth)
    local code = byte(text, at)
    if code == 34 then return read_text(text, at + 1) end
    if code == 123 or code == 91 then
      if depth == DEEPEST then return nil end
      local read = code == 123 and read_object or read_list
      return read(text, at + 1, depth + 1)
    end
    local word = words[sub(text, at, at)]
    if not word then return read_number(text, at) end
    if sub(text, at, at + #word[1] - 1) == word[1] then return word[2], at + #word[1] end
  end

  -- The object that a text is, with nothing but white space around it; nil for any other text.
  function json.object(text)
    local at = skip(text, 1)
    if byte(text, at) ~= 123 then return nil end
    local object, after = read_object(text, at + 1, 1)
    if after and skip(text, after) > #text then return object end
  end

  local function number_text(number)
    if number == math.floor(number) and math.abs(number) <= LARGEST then return format("%d", number) end
    -- The smallest numbers have fewer digits than others.
    for digits = math.abs(number) < 2.3e-308 and 1 or 15, 16 do
      local written = format("%." .. digits .. "g", number)
      if tonumber(written) == number then return written end
    end
    return format("%.17g", number)
  end

  -- The text that a text, number or boolean is compared by; nil for everything else.
  function json.text(value)
    local kind = type(value)
    if kind == "string" then return value end
    if kind == "number" then return number_text(value) end
    if kind == "boolean" then return tostring(value) end
  end

  local written = {['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t"}

  local function quote(text)
    return '"' .. text:gsub('[%c"\\]', function(c) return written[c] or format("\\u%04x", byte(c)) end) .. '"'
  end

  -- The same value always gives the same text, which holds no line break.
  function json.write(value)
    if type(value) == "string" then return quote(value) end
    if type(value) ~= "table" then return json.text(value) or "null" end
    local parts = {}
    if json.is_list(value) then
      for index, element in ipairs(value) do parts[index] = json.write(element) end
      return "[" .. table.concat(parts, ",") .. "]"
    end
    local keys = {}
    for key in pairs(value) do keys[#keys + 1] = tostring(key) end
    table.sort(keys)
    for index, key in ipairs(keys) do parts[index] = quote(key) .. ":" .. json.write(value[key]) end
    return "{" .. table.concat(parts, ",") .. "}"
  end
end
