-- One-cell edits for wrk: a line of KEYS is a path and a token; each connection's requests go round all maps.
local paths, tokens, symbols, turn = {}, {}, { "#", "~", "." }, 0

for line in io.lines(os.getenv("KEYS")) do
  local path, token = line:match("^(%S+) (%S+)$")
  paths[#paths + 1], tokens[#tokens + 1] = path, token
end

function request()
  turn = turn + 1
  local one, cell = turn % #paths + 1, math.floor(turn / #paths)
  -- Another symbol at each round over the cells, so that every edit changes something.
  local symbol = symbols[math.floor(cell / 4096) % 3 + 1]
  local body = string.format(
    '{"edits":[{"op":"set","layer":"ground","cells":[{"x":%d,"y":%d,"symbol":"%s"}]}]}',
    cell % 64, math.floor(cell / 64) % 64, symbol
  )
  local headers = { ["Authorization"] = "Bearer " .. tokens[one], ["Content-Type"] = "application/json" }
  return wrk.format("POST", paths[one], headers, body)
end

function done(summary)
  print(string.format("RESULT %d %d %d", summary.requests, summary.duration, summary.errors.status))
end
