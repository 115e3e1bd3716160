-- Puts a conversation on top of its owner's list, which keeps the newest.
-- KEYS: the list. ARGV: the id, when it was used (ms), position of the oldest that goes (from the end, negative), time to live.
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, ARGV[3])
redis.call('EXPIRE', KEYS[1], ARGV[4])
return 1
