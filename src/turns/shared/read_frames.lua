-- Reads frames after a number, and says that somebody follows.
-- KEYS: the stream, the followers' mark, the owner's lease; ARGV: the number, how many at most, the mark's life in ms.
-- Returns the lease (or false) and, flat, number, name, text and whether it is lost, of each frame; of an ended turn the
-- final frame at least.
redis.call('SET', KEYS[2], '1', 'PX', ARGV[3])
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
