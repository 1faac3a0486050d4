-- The standard record of what an input found. Who wrote it is never taken from what it says.
--
-- A line "label" is key and value of a label of a sidecar's pod; "file" is the number of an input of a sidecar, the container that
-- writes it, and the path that is shown (of a directory, when it ends in a slash). "priorities" are the levels of the journal's
-- priorities from 0 on.

local record = {}

do
  local host = os.getenv("K8S_NODE_NAME")
  local labels = {}
  local files = {}
  local priorities = {}
  for _, cells in ipairs(data.lines("label")) do labels[data.decode(cells[1])] = data.decode(cells[2]) end
  for _, cells in ipairs(data.lines("file")) do
    files[cells[1]] = {container = data.decode(cells[2]), path = data.decode(cells[3])}
  end
  for _, cells in ipairs(data.lines("priorities")) do
    for index, level in ipairs(cells) do priorities[tostring(index - 1)] = level end
  end

  -- So many pods, and so many namespaces, are remembered at least, and twice as many at most.
  local REMEMBERED = 500

  -- Remembers what is found under a key, and finds it again when there is nothing: the kubernetes filter finds nothing while the API
  -- server is away.
  local function memory()
    local recent, older, count = {}, {}, 0
    return function(key, found)
      if found == nil then return recent[key] or older[key] end
      if recent[key] == nil then count = count + 1 end
      if count > REMEMBERED then recent, older, count = {}, recent, 1 end
      recent[key] = found
      return found
    end
  end

  local pods, namespaces = memory(), memory()

  -- The nanoseconds of a time that a runtime has written. Fluent Bit reads them as a part of a double, and then there may be one less.
  local function nanoseconds(written)
    local digits = type(written) == "string" and written:match("%.(%d+)")
    return digits and tonumber((digits .. "00000000"):sub(1, 9))
  end

  local function time_of(timestamp)
    return string.format("%s.%09dZ", os.date("!%Y-%m-%dT%H:%M:%S", timestamp.sec), timestamp.nsec)
  end

  -- Of a container. Only the labels come from the kubernetes filter (and a static pod's uid): all else is in the tag, which is
  -- the path of the log.
  local function of_container(tag, found)
    local namespace, pod, uid, container = tag:match("^kube%.var%.log%.pods%.([^_]+)_([^_]+)_([^_%.]+)%.([^%.]+)%.")
    local known = pods(namespace .. "/" .. pod .. "/" .. uid, found.kubernetes) or {}
    if not uid:find("-", 1, true) then
      -- The log directory of a static pod carries a hash, not the uid of its mirror in the API server.
      uid = known.pod_id or uid
    end
    return {
      stream = found.stream,
      message = found.log and found.log:gsub("\n$", "") or nil,
      kubernetes = {
        namespace_name = namespace,
        pod_name = pod,
        pod_id = uid,
        container_name = container,
        host = host,
        labels = known.labels or {},
      },
    }
  end

  -- Of a file of a sidecar's pod. Who the pod is, Kubernetes has put into the environment.
  local function of_pod_file(tag, found)
    local file = files[tag:match("^pod%.file%.(%d+)$")]
    local path = file.path
    if path:sub(-1) == "/" then path = path .. found.file:match("[^/]*$") end
    return {
      file = path,
      message = found.log,
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

  local function of_host_file(_, found)
    return {file = found.file, message = found.log, kubernetes = {host = host}}
  end

  -- A field that is there several times is a list; the first one is taken.
  local function of_journal(_, found)
    local function field(name)
      local value = found[name]
      if type(value) == "table" then value = value[1] end
      return value
    end
    return {
      message = field("MESSAGE"),
      level = priorities[field("PRIORITY")],
      systemd = {unit = field("_SYSTEMD_UNIT")},
      kubernetes = {host = host},
    }
  end

  local makers = {["kube"] = of_container, ["pod"] = of_pod_file, ["files"] = of_host_file, ["journal"] = of_journal}

  -- The standard record, and whether it is one that a policy selects. Makes the time exact.
  function record.make(tag, timestamp, found)
    local kind = tag:match("^[^.]*")
    local made = makers[kind](tag, found)
    if made.message then made.message = encoding.utf8(made.message) end
    if kind == "kube" then timestamp.nsec = nanoseconds(found.time) or timestamp.nsec end
    made.time = time_of(timestamp)
    if kind ~= "kube" then return made, true end
    local known = namespaces(made.kubernetes.namespace_name, found.kubernetes_namespace)
    made.namespace_labels = known and known.labels
    local selected = conditions.pass(made, "selection")
    made.namespace_labels = nil
    return made, selected
  end
end
