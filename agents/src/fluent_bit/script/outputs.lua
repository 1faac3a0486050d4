-- The shapes that outputs ask for.
--
-- A line "severity" is a level and its number in OpenTelemetry's model.

local outputs = {}

do
  local severities = {}
  for _, cells in ipairs(data.lines("severity")) do severities[cells[1]] = tonumber(cells[2]) end

  local attributes = {
    namespace_name = "k8s.namespace.name",
    pod_name = "k8s.pod.name",
    pod_id = "k8s.pod.uid",
    container_name = "k8s.container.name",
    host = "k8s.node.name",
  }

  -- Adds what is not an object under its keys with dots between them.
  local function flatten(flat, name, value)
    if not json.is_object(value) then
      flat[name] = value
      return
    end
    for key, inner in pairs(value) do flatten(flat, name .. "." .. key, inner) end
  end

  -- The record with the names of the OpenTelemetry semantic conventions, without its message and level.
  local function flat_of(standard)
    local flat = {
      ["log.iostream"] = standard.stream,
      ["log.file.path"] = standard.file,
      ["systemd.unit"] = standard.systemd and standard.systemd.unit,
    }
    for key, name in pairs(attributes) do flat[name] = standard.kubernetes[key] end
    for key, value in pairs(standard.kubernetes.labels or {}) do flat["k8s.pod.label." .. key] = value end
    if standard.data then flatten(flat, "data", standard.data) end
    return flat
  end

  -- The flat record, and what of it is no attribute.
  function outputs.otlp(standard)
    local flat = flat_of(standard)
    flat.message = standard.message or ""
    local severity = {severity_text = standard.level, severity_number = standard.level and severities[standard.level]}
    return flat, {otlp = severity}
  end

  -- Loki refuses longer lines, in bytes, unless it is told otherwise.
  local LONGEST_LINE = 256 * 1024

  -- Adds, as texts, what is neither an object nor a list, under its keys and its places in lists.
  local function add_texts(metadata, name, value)
    if type(value) ~= "table" then
      -- A null has no text.
      metadata[name] = json.text(value)
    elseif json.is_list(value) then
      for index, element in ipairs(value) do add_texts(metadata, name .. "_" .. index - 1, element) end
    else
      for key, inner in pairs(value) do add_texts(metadata, name .. "_" .. tostring(key):gsub("[^%w_]", "_"), inner) end
    end
  end

  -- The message, the few values that become Loki's labels, and the rest as structured metadata, which are texts. One for each line
  -- that Loki takes.
  function outputs.loki(standard)
    local number = standard.level and severities[standard.level]
    local metadata = {severity_text = standard.level, severity_number = number and json.text(number)}
    local labels = {}
    for name, value in pairs(flat_of(standard)) do
      local plain = name:gsub("[^%w_]", "_")
      if name == "k8s.namespace.name" or name == "k8s.pod.name" or name == "k8s.container.name" then
        labels[plain] = value
      else
        add_texts(metadata, plain, value)
      end
    end
    local shaped = {}
    for index, line in ipairs(encoding.pieces(standard.message or "", LONGEST_LINE)) do
      shaped[index] = {message = line, metadata = metadata}
      for name, value in pairs(labels) do shaped[index][name] = value end
    end
    return #shaped == 1 and shaped[1] or shaped
  end

  -- The record as one text, so that nothing in a message ends it or begins another, and the parts of the header of syslog.
  function outputs.syslog(standard)
    local identity = standard.kubernetes
    return {message = json.write(standard), hostname = identity.host, appname = identity.container_name}
  end
end
