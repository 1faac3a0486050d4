-- The standard record, and the tests that outputs and selectors make. This file is the same for every policy: what a policy
-- says, and what a pod is, is data in predicates.tsv beside it.
--
-- A line of predicates.tsv is: set, test, path, values. Cells are separated by tabs and percent-encoded; the elements of a path
-- are separated by slashes. A record belongs to a set when it passes every line of it. For a sidecar there are two more kinds of
-- lines: "label", key, value; and "file", number of the input, container, path (of a directory, when it ends in a slash).

local host = os.getenv("K8S_NODE_NAME")

local function decode(text)
  return (text:gsub("%%(%x%x)", function(code) return string.char(tonumber(code, 16)) end))
end

local function split(text, separator)
  local parts = {}
  for part in (text .. separator):gmatch("(.-)" .. separator) do
    parts[#parts + 1] = part
  end
  return parts
end

-- The predicates of every set, by the set's name.
local sets = {}
-- The labels of the sidecar's pod, and its files by the numbers of their inputs.
local labels = {}
local files = {}

local function predicate_of(cells)
  local predicate = {test = cells[2], path = {}, values = {}}
  for index, element in ipairs(split(cells[3], "/")) do
    predicate.path[index] = decode(element)
  end
  for index = 4, #cells do
    predicate.values[decode(cells[index])] = true
  end
  return predicate
end

for line in io.lines("/etc/tributary/config/predicates.tsv") do
  local cells = split(line, "\t")
  local name = decode(cells[1])
  if name == "label" then
    labels[decode(cells[2])] = decode(cells[3])
  elseif name == "file" then
    files[cells[2]] = {container = decode(cells[3]), path = decode(cells[4])}
  else
    sets[name] = sets[name] or {}
    table.insert(sets[name], predicate_of(cells))
  end
end

local function at(record, path)
  local value = record
  for _, key in ipairs(path) do
    if type(value) ~= "table" then return nil end
    value = value[key]
  end
  return value
end

local function passes(record, set)
  for _, predicate in ipairs(sets[set] or {}) do
    local value = at(record, predicate.path)
    local found = value ~= nil and predicate.values[value] == true
    local passed
    if predicate.test == "in" then passed = found
    elseif predicate.test == "not-in" then passed = not found
    elseif predicate.test == "exists" then passed = value ~= nil
    elseif predicate.test == "absent" then passed = value == nil
    else error("predicates.tsv: unknown test " .. tostring(predicate.test)) end
    if not passed then return false end
  end
  return true
end

-- One function for each output that has a set: keep_NAME.
for name in pairs(sets) do
  local output = name:match("^output/(.*)$")
  if output then
    _G["keep_" .. output] = function(_, timestamp, record)
      return passes(record, name) and 0 or -1, timestamp, record
    end
  end
end

local function time_of(timestamp)
  return string.format("%s.%09dZ", os.date("!%Y-%m-%dT%H:%M:%S", timestamp.sec), timestamp.nsec)
end

-- Makes the standard record of what the tail input and the kubernetes filter found, and drops what is not selected. Only the
-- labels come from the filter (and a static pod's uid): all else is in the tag, which is the path of the log.
function standard(tag, timestamp, record)
  local namespace, pod, uid, container = tag:match("^kube%.var%.log%.pods%.([^_]+)_([^_]+)_([^_%.]+)%.([^%.]+)%.")
  if uid and not uid:find("-", 1, true) then
    -- The log directory of a static pod carries a hash, not the uid of its mirror in the API server.
    uid = at(record, {"kubernetes", "pod_id"}) or uid
  end
  local standard = {
    time = time_of(timestamp),
    stream = record.stream,
    message = record.log and record.log:gsub("\n$", "") or nil,
    kubernetes = {
      namespace_name = namespace,
      pod_name = pod,
      pod_id = uid,
      container_name = container,
      host = host,
      labels = at(record, {"kubernetes", "labels"}) or {},
    },
  }
  standard.namespace_labels = at(record, {"kubernetes_namespace", "labels"})
  if not passes(standard, "selection") then return -1, timestamp, record end
  standard.namespace_labels = nil
  return 2, timestamp, standard
end

-- Makes the standard record of a line of one of the pod's files. Who the pod is, Kubernetes has put into the environment.
function shipped(tag, timestamp, record)
  local file = files[tag:match("^kube%.file%.(%d+)$")]
  local path = file.path
  if path:sub(-1) == "/" then path = path .. record.file:match("[^/]*$") end
  return 2, timestamp, {
    time = time_of(timestamp),
    file = path,
    message = record.log,
    kubernetes = {
      namespace_name = os.getenv("POD_NAMESPACE"),
      pod_name = os.getenv("POD_NAME"),
      pod_id = os.getenv("POD_UID"),
      container_name = file.container,
      host = host,
      labels = labels,
    },
  }
end

local attributes = {
  namespace_name = "k8s.namespace.name",
  pod_name = "k8s.pod.name",
  pod_id = "k8s.pod.uid",
  container_name = "k8s.container.name",
  host = "k8s.node.name",
}

-- The record with the names of the OpenTelemetry semantic conventions, flat.
function otlp(_, timestamp, record)
  local flat = {message = record.message, ["log.iostream"] = record.stream, ["log.file.path"] = record.file}
  for key, name in pairs(attributes) do
    flat[name] = record.kubernetes[key]
  end
  for key, value in pairs(record.kubernetes.labels) do
    flat["k8s.pod.label." .. key] = value
  end
  return 2, timestamp, flat
end

local escapes = {['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t"}

-- A text, or a table of such with texts for keys, as JSON; the same table always gives the same text.
local function json(value)
  if type(value) ~= "table" then
    return '"' .. tostring(value):gsub('[%c"\\]', function(c) return escapes[c] or string.format("\\u%04x", c:byte()) end) .. '"'
  end
  local keys, parts = {}, {}
  for key in pairs(value) do keys[#keys + 1] = key end
  table.sort(keys)
  for index, key in ipairs(keys) do parts[index] = json(key) .. ":" .. json(value[key]) end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- The record as one text, so that nothing in a message ends it or begins another, and the parts of the header of syslog.
function syslog(_, timestamp, record)
  local kubernetes = record.kubernetes
  return 2, timestamp, {message = json(record), hostname = kubernetes.host, appname = kubernetes.container_name}
end

-- The message, the few values that become Loki's labels, and the rest as structured metadata.
function loki(_, timestamp, record)
  local _, _, flat = otlp(nil, timestamp, record)
  local shaped = {message = flat.message, metadata = {}}
  flat.message = nil
  for name, value in pairs(flat) do
    local plain = name:gsub("[^%w_]", "_")
    if name == "k8s.namespace.name" or name == "k8s.pod.name" or name == "k8s.container.name" then
      shaped[plain] = value
    else
      shaped.metadata[plain] = value
    end
  end
  return 2, timestamp, shaped
end
