/**
 * The functions that run inside Redis for queues.
 *
 * @module
 */

/** KEYS are always that of the book, and where it is announced. ARGV begin with the owner, the length of its lease in milliseconds (0: none), and an epoch for queues that need one. */
export const QUEUES = String.raw`
local FEW = 100
local MANY = 1000

local function openFor(keys, args)
  local book = openBook(keys[1], keys[2], args[1], args[3])
  if args[2] ~= '0' then redis.call('ZADD', keys[1] .. ':o', whole(book.time + tonumber(args[2])), args[1]) end
  return book
end

-- Why the queue cannot take a message of that size, if it cannot.
local function refusalOf(book, queue, size, limits)
  local opened, growth = 0, 0
  for _, other in pairs(book.queues) do
    if other.n == 0 and other.added > 0 then opened = opened + 1 end
    growth = growth + other.addedBytes
  end
  if queue.n == 0 and queue.added == 0 and book.n + opened >= limits.queues then return 'many' end
  if queue.n + queue.added >= limits.count or queue.b + queue.addedBytes + size > limits.bytes then return 'full' end
  if book.b + growth + size > limits.budget then return 'room' end
end

-- Notes by how much the queues will have shrunk when that is settled.
local function foresee(book, settlings)
  local seen = {}
  for _, one in ipairs(settlings) do
    local queue = queueOf(book, one.name)
    local member = memberOf(queue, one.offset)
    if not seen[member] and redis.call('HGET', book.base .. ':c:' .. book.owner, member) then
      local message = messageOf(queue, one.offset)
      if one.isDone and message then
        queue.added = queue.added - 1
        queue.addedBytes = queue.addedBytes - message.b
      end
      seen[member] = true
    end
  end
end

-- Whether there is room for the drafts; of each that there is none for, its refusal is noted.
local function admit(book, drafts, limits)
  local isWhole = true
  if #drafts > 0 then sweepQueues(book, FEW) end
  for _, draft in ipairs(drafts) do
    local queue = queueOf(book, draft.name)
    repeat draft.refusal = refusalOf(book, queue, draft.size, limits)
    until not draft.refusal or not sweepQueues(book, MANY)
    if draft.refusal then
      isWhole = false
    else
      queue.added = queue.added + 1
      queue.addedBytes = queue.addedBytes + draft.size
    end
  end
  return isWhole
end

local function settleAll(book, settlings)
  for _, one in ipairs(settlings) do
    settleOne(book, book.owner, queueOf(book, one.name), one.offset, one.isDone)
  end
end

-- As publish and settle take them: name, 1 if it is done, offset.
local function settlingsOf(args, from, count)
  local settlings = {}
  for index = 1, count do
    local at = from + index * 3 - 3
    settlings[index] = { name = args[at], isDone = args[at + 1] == '1', offset = tonumber(args[at + 2]) }
  end
  return settlings
end

-- ARGV: further the number of the claim, name, how many at most and how many bytes.
-- Answers what all queues hold, the epoch, and the messages.
registerAlways('claim', function(keys, args)
  local book = openFor(keys, args)
  local queue = queueOf(book, args[5])
  local first = redis.call('HGET', keys[1] .. ':g', args[1])
  local messages = {}
  if not first or tonumber(first) <= tonumber(args[4]) then
    messages = claimFrom(book, queue, tonumber(args[6]), tonumber(args[7]))
  end
  return { saveBook(book), queue.epoch, messages }
end)

-- ARGV: further what is settled. Answers what all queues hold.
registerAlways('settle', function(keys, args)
  local book = openFor(keys, args)
  settleAll(book, settlingsOf(args, 4, (#args - 3) / 3))
  return saveBook(book)
end)

-- Nobody knows what came of some claims. ARGV: further the first claim that counts from now on, name, and the offsets of the
-- queue that the owner knows it has: all others that it has claimed go back. Answers what all queues hold.
registerAlways('keep', function(keys, args)
  local book = openFor(keys, args)
  local queue = queueOf(book, args[5])
  local kept = {}
  redis.call('HSET', keys[1] .. ':g', args[1], args[4])
  for at = 6, #args do kept[args[at]] = true end
  local claims = redis.call('HGETALL', keys[1] .. ':c:' .. args[1])
  for at = 1, #claims, 2 do
    local offset, name = string.match(claims[at], '^(%d+) (.*)$')
    if name == queue.name and not kept[offset] then settleOne(book, args[1], queue, tonumber(offset), false) end
  end
  return saveBook(book)
end)

-- What the owners have that are no more goes back. Where nobody has asked for this as long as a lease is, it was Redis that was
-- away, and all get another one. ARGV: further the length of a lease. Answers what all queues hold, and the names of those
-- that somebody can be given something of.
registerAlways('queues', function(keys, args)
  local book = openFor(keys, args)
  local last = redis.call('HGET', keys[1], 't')
  redis.call('HSET', keys[1], 't', whole(book.time))
  if last and book.time - tonumber(last) > tonumber(args[4]) then
    for _, owner in ipairs(redis.call('ZRANGE', keys[1] .. ':o', 0, -1)) do
      redis.call('ZADD', keys[1] .. ':o', whole(book.time + tonumber(args[4])), owner)
    end
  end
  for _, owner in ipairs(redis.call('ZRANGEBYSCORE', keys[1] .. ':o', '-inf', '(' .. whole(book.time))) do
    releaseOwner(book, owner)
  end
  sweepQueues(book, MANY)
  local totals = saveBook(book)
  local names = {}
  if args[2] ~= '0' then
    local fields = redis.call('HGETALL', keys[1])
    for at = 1, #fields, 2 do
      if string.len(fields[at]) > 1 and fields[at + 1] ~= '0' then names[#names + 1] = string.sub(fields[at], 2) end
    end
  end
  return { totals, names }
end)

-- The owner is no more. Answers what all queues hold.
registerAlways('release', function(keys, args)
  local book = openFor(keys, args)
  releaseOwner(book, args[1])
  return saveBook(book)
end)
`;
