-- Keeps a summary for the owner, for as long as its conversation still has to live; 0 where that is gone.
-- KEYS: the turns, what is known of the conversation, the summary. ARGV: the owner, the summary.
local left_ms = redis.call('PTTL', KEYS[1])
if left_ms <= 0 then return 0 end
if (redis.call('HGET', KEYS[2], 'owner') or 'anonymous') ~= ARGV[1] then
  return redis.error_reply('NOTOWNED the conversation is of somebody else')
end
redis.call('SET', KEYS[3], ARGV[2], 'PX', left_ms)
return 1
