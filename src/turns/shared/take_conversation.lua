-- Takes a conversation for a turn if it is free and nobody has waited for longer; otherwise waits in line.
-- KEYS: lock, last holder, the line, who in it was heard from until when; ARGV: the turn, lease in ms, holder's life in s, the
-- turn's place in the line: the turn and its instance.
-- In a cluster a call can come twice: it has the conversation already then.
local lock = redis.call('GET', KEYS[1])
if lock == ARGV[1] then return 1 end
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
for _, gone in ipairs(redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now)) do
  redis.call('ZREM', KEYS[3], gone)
  redis.call('ZREM', KEYS[4], gone)
end
if not redis.call('ZSCORE', KEYS[3], ARGV[4]) then
  redis.call('ZADD', KEYS[3], tonumber(time[1]) * 1000000 + tonumber(time[2]), ARGV[4])
end
if not lock and redis.call('ZRANGE', KEYS[3], 0, 0)[1] == ARGV[4] then
  redis.call('ZREM', KEYS[3], ARGV[4])
  redis.call('ZREM', KEYS[4], ARGV[4])
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
  redis.call('SET', KEYS[2], ARGV[1], 'EX', ARGV[3])
  return 1
end
redis.call('ZADD', KEYS[4], now + tonumber(ARGV[2]), ARGV[4])
redis.call('PEXPIRE', KEYS[3], ARGV[2])
redis.call('PEXPIRE', KEYS[4], ARGV[2])
return 0
