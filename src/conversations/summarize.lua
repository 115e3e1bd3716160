-- Title, times (ms) and count of turns of a conversation of this owner; empty where there is none.
-- KEYS: the turns, what is known of the conversation, the summary. ARGV: the owner.
local about = redis.call('HMGET', KEYS[2], 'owner', 'title', 'created_at', 'updated_at')
local count = redis.call('LLEN', KEYS[1])
if about[1] ~= ARGV[1] or count == 0 then return {} end
return { about[2], about[3], about[4], tostring(count) }
