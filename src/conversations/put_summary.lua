-- Keeps a summary for as long as its conversation still has to live; nothing where that is gone.
-- KEYS[1] the list, KEYS[2] the summary; ARGV[1] the summary.
local left_ms = redis.call('PTTL', KEYS[1])
if left_ms <= 0 then return 0 end
redis.call('SET', KEYS[2], ARGV[1], 'PX', left_ms)
return 1
