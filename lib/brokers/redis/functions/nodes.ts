/**
 * What runs inside Redis for nodes: their numbers and their leases, by the time of Redis.
 *
 * @module
 */

/** KEYS are always the same: a sorted set of nodes by the end of their lease, a hash of what they say, the last number. */
export const NODES = String.raw`
-- ARGV: what it says, length of the lease in milliseconds, a number by chance. Answers its number.
register('join', function(keys, args)
  -- Where none is known, those of before may be taken by nodes that have not renewed since Redis has lost them.
  redis.call('SET', keys[3], args[3], 'NX')
  local node = redis.call('INCR', keys[3])
  while redis.call('ZSCORE', keys[1], node) do node = redis.call('INCR', keys[3]) end
  redis.call('ZADD', keys[1], whole(now() + tonumber(args[2])), node)
  redis.call('HSET', keys[2], node, args[1])
  return node
end)

-- ARGV: its number, what it says, length of the lease in milliseconds.
-- Answers 1 if it had no lease any more, else 0; then of all that have one their numbers and what they say.
register('renew', function(keys, args)
  local time = now()
  local ends = redis.call('ZSCORE', keys[1], args[1])
  local wasOver = not ends or tonumber(ends) < time
  redis.call('ZADD', keys[1], whole(time + tonumber(args[3])), args[1])
  redis.call('HSET', keys[2], args[1], args[2])
  if tonumber(redis.call('GET', keys[3]) or '0') < tonumber(args[1]) then redis.call('SET', keys[3], args[1]) end
  local answer = { wasOver and 1 or 0 }
  for _, node in ipairs(redis.call('ZRANGEBYSCORE', keys[1], '-inf', '(' .. whole(time))) do
    redis.call('ZREM', keys[1], node)
    redis.call('HDEL', keys[2], node)
  end
  for _, node in ipairs(redis.call('ZRANGE', keys[1], 0, -1)) do
    answer[#answer + 1] = node
    answer[#answer + 1] = redis.call('HGET', keys[2], node)
  end
  return answer
end)

-- ARGV: its number.
register('leave', function(keys, args)
  redis.call('ZREM', keys[1], args[1])
  redis.call('HDEL', keys[2], args[1])
  return 1
end)
`;
