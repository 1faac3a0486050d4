-- What Fluent Bit calls by name: a tag, a time and what an input found, or a standard record. The answer -1 drops the record, 0
-- leaves it, 1 replaces it and its time, and 2 replaces it alone.

local function changed(tag, timestamp, found)
  local made, selected = record.make(tag, timestamp, found)
  return selected and steps.run(made) and made or nil
end

-- Makes the standard record and changes it by every step. Fluent Bit would pass on what a function that fails was given, with
-- everything that a step was to take away; so that what was found is left out then.
function standard(tag, timestamp, found)
  local done, result = pcall(changed, tag, timestamp, found)
  if not done then
    print("tributary: a record could not be processed: " .. tostring(result))
    local made = record.make(tag, timestamp, found)
    made.message = "[this line could not be processed; the agent's log says why]"
    result = made
  end
  if not result then return -1, timestamp, found end
  return 1, timestamp, result
end

-- One function for each output that has conditions: keep_NAME.
for _, name in ipairs(conditions.names("output/")) do
  _G["keep_" .. name] = function(_, timestamp, standard)
    return conditions.pass(standard, "output/" .. name) and 0 or -1, timestamp, standard
  end
end

function loki(_, timestamp, standard)
  return 2, timestamp, outputs.loki(standard)
end

function syslog(_, timestamp, standard)
  return 2, timestamp, outputs.syslog(standard)
end

-- Fluent Bit gives, and takes, what it calls metadata to functions of five parameters alone.
function otlp(_, timestamp, _group, _metadata, standard)
  local flat, metadata = outputs.otlp(standard)
  return 2, timestamp, metadata, flat
end
