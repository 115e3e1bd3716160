-- Gives back what a turn that has ended held: its name, the conversation or its place in the line; has the turn that comes next look.
-- KEYS: the claim, the lock, the line, who in it was heard from; ARGV: the turn, the turn and its instance, the channels.
if redis.call('GET', KEYS[1]) == ARGV[2] then redis.call('DEL', KEYS[1]) end
if redis.call('GET', KEYS[2]) == ARGV[1] then redis.call('DEL', KEYS[2]) end
redis.call('ZREM', KEYS[3], ARGV[2])
redis.call('ZREM', KEYS[4], ARGV[2])
local next = redis.call('ZRANGE', KEYS[3], 0, 0)[1]
local turn, instance = string.match(next or '', '^(%S+) (%S+)$')
if turn then wake(ARGV[3], instance, turn) end
return 1
