-- Renews what the owner of a running turn holds.
-- KEYS: lease, stream, where it is followed, cancel mark, conversation's lock, its last holder, the claim of the turn's name;
-- ARGV: instance, lease in ms, the stream's life in ms, the turn, whether it holds the conversation (1 or 0), the holder's life in s,
-- the turn and its instance.
-- Returns whether the lease was still there, whether somebody follows elsewhere, whether it is to be stopped, whether somebody
-- elsewhere has left it for good since the last time.
local was_there = redis.call('EXISTS', KEYS[1])
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('PEXPIRE', KEYS[2], ARGV[3])
local claim = redis.call('GET', KEYS[7])
if not claim or claim == ARGV[7] then redis.call('SET', KEYS[7], ARGV[7], 'PX', ARGV[2]) end
if ARGV[5] == '1' then
  local holder = redis.call('GET', KEYS[6])
  if not holder or holder == ARGV[4] then
    redis.call('SET', KEYS[5], ARGV[4], 'PX', ARGV[2])
    redis.call('SET', KEYS[6], ARGV[4], 'EX', ARGV[6])
  end
end
local mark = redis.call('GET', KEYS[4])
if mark == 'left' then redis.call('DEL', KEYS[4]) end
return {was_there, redis.call('EXISTS', KEYS[3]), mark == '1' and 1 or 0, mark == 'left' and 1 or 0}
