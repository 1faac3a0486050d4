-- CloudWatch takes no event that is older than 14 days. In the record itself the time stays.
local OLDEST = 10 * 24 * 60 * 60

function recent(tag, timestamp, record)
  local oldest = os.time() - OLDEST
  if timestamp < oldest then
    return 1, oldest, record
  end
  return 0, timestamp, record
end
