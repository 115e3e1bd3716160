-- Reads frames after a number, and says where somebody follows: frames that are appended from now on are told there.
-- KEYS: the stream, where it is followed, the owner's lease; ARGV: the number, how many at most, for how many ms it counts as
-- followed, the instance.
-- Returns the lease (or false) and, flat, number, name, text and whether it is lost, of each frame; of an ended turn the
-- final frame at least.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
redis.call('ZADD', KEYS[2], now + tonumber(ARGV[3]), ARGV[4])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
local entries = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1] .. '-0', '+', 'COUNT', ARGV[2])
if #entries == 0 then
  local newest = redis.call('XREVRANGE', KEYS[1], '+', '-', 'COUNT', 1)[1]
  if newest and (newest[2][1] == 'error' or newest[2][1] == 'chat_response') then entries = {newest} end
end
local found = {redis.call('GET', KEYS[3]) or ''}
for _, entry in ipairs(entries) do
  found[#found + 1] = string.match(entry[1], '^%d+')
  found[#found + 1] = entry[2][1]
  found[#found + 1] = entry[2][2]
  found[#found + 1] = entry[2][3] and '1' or '0'
end
return found
