-- Claims a client's name in a conversation for a turn that begins, and takes the turn's lease; 0 if a turn of another instance that
-- has not ended is called so. Turns of one instance know of each other without this.
-- KEYS: the claim, the lease; ARGV: the turn and its instance, the instance, both lives in ms.
local claim = redis.call('GET', KEYS[1])
if claim and claim ~= ARGV[1] and string.match(claim, ' (%S+)$') ~= ARGV[2] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return 1
