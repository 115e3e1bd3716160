-- Reads all turns and renews the time to live, so that a conversation cannot expire while it is read.
-- KEYS[1] the list; ARGV[1] time to live in seconds.
local turns = redis.call('LRANGE', KEYS[1], 0, -1)
if #turns > 0 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end
return turns
