/**
 * What runs inside Redis for what nodes leave behind: each under a key of its own, which goes by itself.
 *
 * @module
 */
export const KEEPSAKES = String.raw`
-- KEYS: one for each. ARGV: of each its value, and how long it is kept, in milliseconds.
register('keepsake', function(keys, args)
  for at, key in ipairs(keys) do redis.call('SET', key, args[at * 2 - 1], 'PX', args[at * 2]) end
  return #keys
end)

-- KEYS: one. Answers its value; it has none any more.
register('heir', function(keys)
  local value = redis.call('GET', keys[1])
  if value then redis.call('DEL', keys[1]) end
  return value
end)
`;
