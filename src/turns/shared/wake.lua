-- Stands in front of the scripts that use it. Has an instance look at a turn. What there is to see is in the keys, so a message
-- that cannot be sent, as where the user of Redis may not publish, only means that it is seen later.
-- The channels of all instances begin alike; the instance follows.
local function wake(channels, instance, turn)
  redis.pcall('PUBLISH', channels .. instance, turn)
end
local function wake_all(channels, instances, turn)
  for _, instance in ipairs(redis.call('ZRANGE', instances, 0, -1)) do wake(channels, instance, turn) end
end
