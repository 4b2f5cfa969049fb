/**
 * What runs inside Redis for records: one hash of them, changed all or none.
 *
 * @module
 */

/** The changes come as three arguments each: `=` (set), `+` (set where there is none) or `-` (delete), key, value. */
export const RECORDS = String.raw`
local function mayRecord(hash, args, from, count)
  for at = from, from + count * 3 - 1, 3 do
    if args[at] == '+' and redis.call('HEXISTS', hash, args[at + 1]) == 1 then return false end
  end
  return true
end

local function record(hash, args, from, count)
  for at = from, from + count * 3 - 1, 3 do
    if args[at] == '-' then redis.call('HDEL', hash, args[at + 1])
    else redis.call('HSET', hash, args[at + 1], args[at + 2]) end
  end
end

-- KEYS: the hash. ARGV: the changes. Answers 1, or 0 where one of them must not be.
register('record', function(keys, args)
  if not mayRecord(keys[1], args, 1, #args / 3) then return 0 end
  record(keys[1], args, 1, #args / 3)
  return 1
end)

-- KEYS: the hash. ARGV: what the keys begin with. Answers keys and values.
register('records', function(keys, args)
  local all = redis.call('HGETALL', keys[1])
  local found = {}
  for at = 1, #all, 2 do
    if string.sub(all[at], 1, #args[1]) == args[1] then
      found[#found + 1] = all[at]
      found[#found + 1] = all[at + 1]
    end
  end
  return found
end)
`;
