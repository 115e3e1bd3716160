-- Appends one turn, drops the oldest past the limits, and renews the time to live: all in one step, and only for the owner.
-- KEYS: the turns, what is known of the conversation, the summary, its last holder. ARGV: the owner, the turn, position of the
-- oldest turn kept (from the end, negative), bytes kept at most, time to live in seconds, the title of a new conversation, when the
-- turn was asked (ms), who holds the conversation (empty: nobody has to).
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[2], KEYS[3])
elseif (redis.call('HGET', KEYS[2], 'owner') or 'anonymous') ~= ARGV[1] then
  return redis.error_reply('NOTOWNED the conversation is of somebody else')
end
if ARGV[8] ~= '' then
  local holder = redis.call('GET', KEYS[4])
  if holder and holder ~= ARGV[8] then
    return redis.error_reply('SUPERSEDED the conversation was given to another turn')
  end
end
-- In a cluster a call can come twice; no two turns are alike to the byte.
if redis.call('LINDEX', KEYS[1], -1) == ARGV[2] then return redis.call('LLEN', KEYS[1]) end
redis.call('RPUSH', KEYS[1], ARGV[2])
redis.call('LTRIM', KEYS[1], ARGV[3], -1)
local turns = redis.call('LRANGE', KEYS[1], 0, -1)
local bytes, kept = #turns[#turns], 1
while kept < #turns do
  bytes = bytes + #turns[#turns - kept]
  if bytes > tonumber(ARGV[4]) then break end
  kept = kept + 1
end
redis.call('LTRIM', KEYS[1], -kept, -1)
redis.call('HSETNX', KEYS[2], 'owner', ARGV[1])
redis.call('HSETNX', KEYS[2], 'title', ARGV[6])
redis.call('HSETNX', KEYS[2], 'created_at', ARGV[7])
redis.call('HSET', KEYS[2], 'updated_at', ARGV[7])
redis.call('EXPIRE', KEYS[1], ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[5])
redis.call('EXPIRE', KEYS[3], ARGV[5])
return kept
