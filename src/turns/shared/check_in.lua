-- Whether Redis still knows an instance; from now on it does. KEYS[1] the instance's mark; ARGV[1] the mark's life in ms.
local was_there = redis.call('EXISTS', KEYS[1])
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
return was_there
