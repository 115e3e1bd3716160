-- Ends a turn whose owner is gone, unless it is not gone or has ended it: everybody then reads the same end.
-- KEYS: the stream, the owner's lease, where it is followed; ARGV: the last number that the caller has seen, the frame's text, time
-- to live in ms, the channels, the turn.
if redis.call('EXISTS', KEYS[2]) == 1 then return 0 end
local last = 0
local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
if newest then
  last = tonumber(string.match(newest[1], '^%d+'))
  local name = newest[2][1]
  if name == 'error' or name == 'chat_response' then return 0 end
end
-- Somebody was sent frames live which never came here: the end comes after those, too.
if tonumber(ARGV[1]) < last then return 0 end
redis.call('XADD', KEYS[1], string.format('%.0f-0', tonumber(ARGV[1]) + 1), 'error', ARGV[2], 'lost', '1')
redis.call('PEXPIRE', KEYS[1], ARGV[3])
wake_all(ARGV[4], KEYS[3], ARGV[5])
return 1
