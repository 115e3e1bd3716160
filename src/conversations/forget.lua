-- Forgets a conversation for its owner; 0 where there is none.
-- KEYS: the turns, what is known of the conversation, the summary. ARGV: the owner.
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
if (redis.call('HGET', KEYS[2], 'owner') or 'anonymous') ~= ARGV[1] then
  return redis.error_reply('NOTOWNED the conversation is of somebody else')
end
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
return 1
