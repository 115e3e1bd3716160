-- Takes what other instances ask of this one. KEYS: its mark, its inbox; ARGV[1] the mark's life in ms.
-- Returns whether the mark was still there, and the turns to be stopped.
local was_there = redis.call('EXISTS', KEYS[1])
redis.call('SET', KEYS[1], '1', 'PX', ARGV[1])
local turns = redis.call('LRANGE', KEYS[2], 0, -1)
redis.call('DEL', KEYS[2])
return {tostring(was_there), unpack(turns)}
