-- One-cell edits: the lines of a file are paths and tokens, taken in turn; prints one line of figures at the end.
--
-- A run goes on where the last one with the same file ended, and paints each cell of all maps before it comes back to
-- one with another symbol: every edit changes something.
local paths, tokens, symbols, threads = {}, {}, { "#", "~", "." }, {}
turn, state = 0, ""

function setup(thread)
  threads[#threads + 1] = thread
end

function init(arguments)
  for line in io.lines(arguments[1]) do
    local path, token = line:match("^(%S+) (%S+)$")
    paths[#paths + 1], tokens[#tokens + 1] = path, token
  end
  state = arguments[1] .. ".turn"
  local file = io.open(state)
  if file then
    turn = file:read("*n")
    file:close()
  end
end

function request()
  local one, cell = turn % #paths + 1, math.floor(turn / #paths)
  turn = turn + 1
  local symbol = symbols[math.floor(cell / 4096) % 3 + 1]
  local body = string.format(
    '{"edits":[{"op":"set","layer":"ground","cells":[{"x":%d,"y":%d,"symbol":"%s"}]}]}',
    cell % 64, math.floor(cell / 64) % 64, symbol
  )
  local headers = { ["Authorization"] = "Bearer " .. tokens[one], ["Content-Type"] = "application/json" }
  return wrk.format("POST", paths[one], headers, body)
end

function done(summary, latency)
  local file = io.open(threads[1]:get("state"), "w")
  file:write(string.format("%d", threads[1]:get("turn")))
  file:close()
  local errors = summary.errors
  io.write(string.format("figures %d %d %d %d %d\n", summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
