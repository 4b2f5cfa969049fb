/**
 * What runs inside Redis for records: one hash of them, changed all or none.
 *
 * @module
 */

/**
 * The changes come as four arguments each: `=` (set) or `-` (delete), key, value, and what it has to be before: nothing, if
 * anything will do; `+` if there must be none; `=` and the value.
 */
export const RECORDS = String.raw`
local function mayRecord(hash, args, from, count)
  for at = from, from + count * 4 - 1, 4 do
    local was = args[at + 3]
    if was ~= '' then
      local is = redis.call('HGET', hash, args[at + 1])
      if was ~= (is and '=' .. is or '+') then return false end
    end
  end
  return true
end

local function record(hash, args, from, count)
  for at = from, from + count * 4 - 1, 4 do
    if args[at] == '-' then redis.call('HDEL', hash, args[at + 1])
    else redis.call('HSET', hash, args[at + 1], args[at + 2]) end
  end
end

-- KEYS: the hash. ARGV: the changes. Answers 1, or 0 where one of them must not be.
register('record', function(keys, args)
  if not mayRecord(keys[1], args, 1, #args / 4) then return 0 end
  record(keys[1], args, 1, #args / 4)
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
