-- Texts as UTF-8. Fluent Bit leaves out bytes of JSON that are none, or writes other characters for them.

local encoding = {}

do
  local byte, find, sub = string.byte, string.find, string.sub

  -- What stands for a byte that belongs to no character.
  local REPLACEMENT = "\239\191\189"
  local NOT_ASCII = "[\128-\255]"

  -- How many bytes follow the first one of a character, and the lowest and highest second one: neither longer than needed, nor a half
  -- of a character of UTF-16, nor beyond the last character.
  local function shape(first)
    if first < 0xC2 or first > 0xF4 then return nil end
    if first < 0xE0 then return 1, 0x80, 0xBF end
    if first < 0xF0 then return 2, first == 0xE0 and 0xA0 or 0x80, first == 0xED and 0x9F or 0xBF end
    return 3, first == 0xF0 and 0x90 or 0x80, first == 0xF4 and 0x8F or 0xBF
  end

  -- The last byte of the character of several bytes that begins at a position; nil when none does.
  local function last_of(text, at)
    local more, lowest, highest = shape(byte(text, at))
    if not more then return nil end
    for place = at + 1, at + more do
      local code = byte(text, place)
      if not code or code < lowest or code > highest then return nil end
      lowest, highest = 0x80, 0xBF
    end
    return at + more
  end

  function encoding.utf8(text)
    local parts, from, at = nil, 1, find(text, NOT_ASCII)
    while at do
      local last = last_of(text, at)
      if not last then
        parts = parts or {}
        parts[#parts + 1] = sub(text, from, at - 1)
        parts[#parts + 1] = REPLACEMENT
        from = at + 1
      end
      at = (last or at) + 1
      if (byte(text, at) or 0) < 0x80 then at = find(text, NOT_ASCII, at) end
    end
    if not parts then return text end
    parts[#parts + 1] = sub(text, from)
    return table.concat(parts)
  end

  -- The pieces of a text that have at most so many bytes, each of which ends where a character does. An empty text is one.
  function encoding.pieces(text, most)
    local pieces, from = {}, 1
    while #text - from >= most do
      local to = from + most - 1
      while find(text, "^[\128-\191]", to + 1) do to = to - 1 end
      pieces[#pieces + 1] = sub(text, from, to)
      from = to + 1
    end
    pieces[#pieces + 1] = sub(text, from)
    return pieces
  end
end
