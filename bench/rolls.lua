-- Rolls: the lines of a file are paths and tokens, taken in turn; prints one line of figures at the end.
local requests, at = {}, 0

function init(arguments)
  for line in io.lines(arguments[1]) do
    local path, token = line:match("^(%S+) (%S+)$")
    local headers = { ["Authorization"] = "Bearer " .. token, ["Content-Type"] = "application/json" }
    requests[#requests + 1] = wrk.format("POST", path, headers, '{"expression":"8d6"}')
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format("figures %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
