-- Gives a conversation back, or the place in its line. KEYS: lock, the line, who in it was heard from; ARGV: the turn.
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[3], ARGV[1])
return 1
