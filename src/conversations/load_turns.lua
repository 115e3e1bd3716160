-- Reads the summary, an empty text without one, and all turns, and renews the time to live, so that a
-- conversation cannot expire while it is read.
-- KEYS[1] the list, KEYS[2] the summary; ARGV[1] time to live in seconds.
local turns = redis.call('LRANGE', KEYS[1], 0, -1)
if #turns == 0 then return turns end
redis.call('EXPIRE', KEYS[1], ARGV[1])
redis.call('EXPIRE', KEYS[2], ARGV[1])
table.insert(turns, 1, redis.call('GET', KEYS[2]) or '')
return turns
