-- Appends one turn, drops the oldest past the limits, and renews the time to live: all in one step.
-- KEYS: the list, the conversation's last holder; ARGV: the turn, position of the oldest turn kept (from the end, negative),
-- bytes kept at most, time to live in seconds, who holds the conversation (empty: nobody has to).
-- Returns how many are kept, or -1 where another holder has come since: nothing is written then.
if ARGV[5] ~= '' then
  local holder = redis.call('GET', KEYS[2])
  if holder and holder ~= ARGV[5] then return -1 end
end
redis.call('RPUSH', KEYS[1], ARGV[1])
redis.call('LTRIM', KEYS[1], ARGV[2], -1)
local turns = redis.call('LRANGE', KEYS[1], 0, -1)
local bytes, kept = #turns[#turns], 1
while kept < #turns do
  bytes = bytes + #turns[#turns - kept]
  if bytes > tonumber(ARGV[3]) then break end
  kept = kept + 1
end
redis.call('LTRIM', KEYS[1], -kept, -1)
redis.call('EXPIRE', KEYS[1], ARGV[4])
return kept
