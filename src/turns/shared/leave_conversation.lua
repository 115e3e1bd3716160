-- Gives a conversation back, or the place in its line, and has the turn that comes next look.
-- KEYS: lock, the line, who in it was heard from; ARGV: the turn, its place in the line, the channels.
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
redis.call('ZREM', KEYS[2], ARGV[2])
redis.call('ZREM', KEYS[3], ARGV[2])
local next = redis.call('ZRANGE', KEYS[2], 0, 0)[1]
local turn, instance = string.match(next or '', '^(%S+) (%S+)$')
if turn then wake(ARGV[3], instance, turn) end
return 1
