-- Reads the title, the summary, an empty text without one, and all turns for the owner, and renews the time to live, so that a
-- conversation cannot expire while it is read. Empty where there is none.
-- KEYS: the turns, what is known of the conversation, the summary. ARGV: the owner, time to live in seconds.
local turns = redis.call('LRANGE', KEYS[1], 0, -1)
if #turns == 0 then return turns end
-- Releases that knew no owners wrote the turns alone.
if (redis.call('HGET', KEYS[2], 'owner') or 'anonymous') ~= ARGV[1] then
  return redis.error_reply('NOTOWNED the conversation is of somebody else')
end
redis.call('EXPIRE', KEYS[1], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[2])
redis.call('EXPIRE', KEYS[3], ARGV[2])
table.insert(turns, 1, redis.call('GET', KEYS[3]) or '')
table.insert(turns, 1, redis.call('HGET', KEYS[2], 'title') or '')
return turns
