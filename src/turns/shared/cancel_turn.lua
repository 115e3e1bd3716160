-- Asks the owner of a turn to stop it; 0 if nobody runs it. The mark is what counts: the owner finds it when it renews its lease.
-- KEYS: the owner's lease, the cancel mark; ARGV: the mark's life in ms, the channels, the turn.
local owner = redis.call('GET', KEYS[1])
if not owner then return 0 end
redis.call('SET', KEYS[2], '1', 'PX', ARGV[1])
wake(ARGV[2], owner, ARGV[3])
return 1
