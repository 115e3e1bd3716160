-- Tells the owner of a turn that whoever followed it on an instance will not come back. Unlike the wish to stop it, this is forgotten
-- once the owner has looked who else is there.
-- KEYS: the owner's lease, where it is followed, the cancel mark; ARGV: the mark's life in ms, the channels, the turn, the instance.
local owner = redis.call('GET', KEYS[1])
if not owner then return 0 end
redis.call('ZREM', KEYS[2], ARGV[4])
redis.call('SET', KEYS[3], 'left', 'PX', ARGV[1], 'NX')
wake(ARGV[2], owner, ARGV[3])
return 1
