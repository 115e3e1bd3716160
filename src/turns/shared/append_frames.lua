-- Appends frames of a turn if they follow on what is there and it has no final frame yet, and has its followers look.
-- KEYS: the stream, where it is followed; ARGV: number of the first frame, time to live in ms, the channels, the turn, then name
-- and text of each frame.
-- Returns what became of it (1 appended, 0 they do not follow, -1 ended by its owner, -2 ended as lost) and the last number.
local last, ended = 0, 0
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if newest then
  last = tonumber(string.match(newest[1], '^%d+'))
  local name = newest[2][1]
  if name == 'error' or name == 'chat_response' then ended = -1 end
  if newest[2][3] == 'lost' then ended = -2 end
end
if ended ~= 0 then return {ended, last} end
if tonumber(ARGV[1]) ~= last + 1 then return {0, last} end
for i = 5, #ARGV, 2 do
  last = last + 1
  redis.call('XADD', KEYS[1], last .. '-0', ARGV[i], ARGV[i + 1])
end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
wake_all(ARGV[3], KEYS[2], ARGV[4])
return {1, last}
