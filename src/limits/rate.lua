-- Counts one thing against a rate: the generic cell rate algorithm, in one step and by the clock of Redis, so that all
-- instances agree. The key holds when the allowance will be whole again (ms). Answers 0, or after how many ms to come back.
-- KEYS: whose. ARGV: ms in which one more is allowed again, how many may come at once.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local whole_at = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now) + interval
local wait = whole_at - now - interval * burst
if wait > 0 then return math.ceil(wait) end
redis.call('SET', KEYS[1], string.format('%.0f', whole_at), 'PX', string.format('%.0f', whole_at - now))
return 0
