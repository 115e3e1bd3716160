-- Appends one turn, drops the oldest past the limits, and renews the time to live: all in one step.
-- KEYS[1] the list, KEYS[2] the summary; ARGV: the turn, position of the oldest turn kept (from the end, negative),
-- bytes kept at most, time to live in seconds.
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
redis.call('EXPIRE', KEYS[2], ARGV[4])
return kept
