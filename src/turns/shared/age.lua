-- For how long Redis has had what it has, in ms: since this mark was first missed. KEYS[1] the mark; ARGV[1] its life in ms.
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local since = redis.call('GET', KEYS[1])
redis.call('SET', KEYS[1], since or now, 'PX', ARGV[1])
return since and now - tonumber(since) or 0
