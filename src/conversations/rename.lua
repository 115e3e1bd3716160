-- Gives a conversation another title for its owner, and renews the time to live; 0 where there is none.
-- KEYS: the turns, what is known of the conversation, the summary. ARGV: the owner, the title, time to live in seconds.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if (redis.call('HGET', KEYS[2], 'owner') or 'anonymous') ~= ARGV[1] then
  return redis.error_reply('NOTOWNED the conversation is of somebody else')
end
redis.call('HSET', KEYS[2], 'title', ARGV[2])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('EXPIRE', KEYS[2], ARGV[3])
redis.call('EXPIRE', KEYS[3], ARGV[3])
return 1
