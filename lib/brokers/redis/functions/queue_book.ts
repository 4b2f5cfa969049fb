/**
 * What runs inside Redis for queues: what they hold, and who is given what. It is what the functions for queues and
 * `publish` are made of.
 *
 * @module
 */

/**
 * All keys begin with that of the book: a hash of how many queues have messages (`n`), these (`m`), their bytes (`b`), how
 * many are claimed (`c`), when they were looked at last (`t`), and of each of these queues how many wait (`qNAME`). With it go sorted sets of what will be
 * over (`:x`, members `OFFSET NAME`) and of owners by the end of their leases (`:o`), and a hash of owners and the
 * first claim that still counts (`:g`); of each owner a hash of what it has claimed (`:c:OWNER`, fields `OFFSET NAME`).
 *
 * Of a queue there is a hash (`:q:NAME:m`: `e` epoch, `o` offset of its last message, `f` the first that nobody was given
 * yet, `n` messages, `b` bytes, `c` how many are claimed, `r` the replication id under which that was written), a hash
 * of its messages (`:q:NAME:p`, by offset: `TIME SIZE EXPIRY PAYLOAD`) and a sorted set of those that came back (`:q:NAME:r`).
 * No offset is used twice for a day after it was empty: what is settled late is never another message. Where
 * something may be missing, by the replication id, it goes on in a new epoch, further up, and all that waits may have been given to somebody.
 */
export const QUEUE_BOOK = String.raw`
local NUMBERS_KEPT = 86400 * 1000
local FOR_EVER = 100 * 365 * 86400 * 1000
local JUMP = 1000000

local function openBook(base, announced, owner, candidate)
  local fields = redis.call('HMGET', base, 'n', 'm', 'b', 'c')
  return {
    base = base, announced = announced, owner = owner, candidate = candidate, time = now(), replication = replication(), queues = {}, known = 0, notes = {},
    n = tonumber(fields[1] or '0'), m = tonumber(fields[2] or '0'), b = tonumber(fields[3] or '0'), c = tonumber(fields[4] or '0'),
  }
end

local function messageOf(queue, offset)
  local raw = redis.call('HGET', queue.messages, whole(offset))
  if not raw then return nil end
  local time, size, expiry, at = string.match(raw, '^(%d+) (%d+) (%d*) ()')
  return { t = tonumber(time), b = tonumber(size), x = tonumber(expiry), raw = raw, at = at }
end

local function memberOf(queue, offset)
  return whole(offset) .. ' ' .. queue.name
end

local function queueOf(book, name)
  local queue = book.queues[name]
  if queue then return queue end
  local key = book.base .. ':q:' .. name
  queue = { name = name, numbers = key .. ':m', messages = key .. ':p', returned = key .. ':r', added = 0, addedBytes = 0 }
  local fields = redis.call('HMGET', queue.numbers, 'e', 'o', 'f', 'n', 'b', 'c', 'r')
  -- No two have the same.
  book.known = book.known + 1
  local candidate = book.candidate .. whole(book.known)
  queue.epoch = fields[1] or candidate
  queue.isKnown = fields[1] and true or false
  queue.offset = tonumber(fields[2] or '0')
  queue.fresh = tonumber(fields[3] or '1')
  queue.n = tonumber(fields[4] or '0')
  queue.b = tonumber(fields[5] or '0')
  queue.c = tonumber(fields[6] or '0')
  queue.before = queue.n
  if queue.isKnown and fields[7] ~= book.replication then
    for offset = queue.fresh, queue.offset do
      if messageOf(queue, offset) then redis.call('ZADD', queue.returned, whole(offset), whole(offset)) end
    end
    queue.epoch = candidate
    queue.offset = queue.offset + JUMP
    queue.fresh = queue.offset + 1
    queue.isChanged = true
  end
  book.queues[name] = queue
  return queue
end

local function drop(book, queue, offset, size)
  redis.call('HDEL', queue.messages, whole(offset))
  queue.n = queue.n - 1
  queue.b = queue.b - size
  book.m = book.m - 1
  book.b = book.b - size
  queue.isChanged = true
end

local function awaitExpiry(book, queue, offset, expiry)
  if expiry then redis.call('ZADD', book.base .. ':x', whole(expiry), memberOf(queue, offset)) end
end

-- It is at its place again; nobody has it.
local function giveBack(book, queue, offset, message)
  redis.call('ZADD', queue.returned, whole(offset), whole(offset))
  awaitExpiry(book, queue, offset, message.x)
  book.notes[queue.name] = true
end

-- What the owner has not claimed is passed over.
local function settleOne(book, owner, queue, offset, isDone)
  if redis.call('HDEL', book.base .. ':c:' .. owner, memberOf(queue, offset)) == 0 then return end
  local message = messageOf(queue, offset)
  queue.isChanged = true
  if not message then return end
  queue.c = queue.c - 1
  book.c = book.c - 1
  if isDone then drop(book, queue, offset, message.b) else giveBack(book, queue, offset, message) end
end

-- What is over goes, of at most so many. Returns whether there was any.
local function sweepQueues(book, most)
  local members = redis.call('ZRANGEBYSCORE', book.base .. ':x', '-inf', whole(book.time), 'LIMIT', 0, most)
  for _, member in ipairs(members) do
    redis.call('ZREM', book.base .. ':x', member)
    local offset, name = string.match(member, '^(%d+) (.*)$')
    local queue = queueOf(book, name)
    local message = messageOf(queue, tonumber(offset))
    local wasReturned = redis.call('ZREM', queue.returned, offset) == 1
    if message and (wasReturned or tonumber(offset) >= queue.fresh) then drop(book, queue, tonumber(offset), message.b) end
  end
  return #members > 0
end

local function enqueue(book, queue, draft)
  queue.offset = queue.offset + 1
  local expiry = draft.ttl ~= '' and book.time + tonumber(draft.ttl) or nil
  redis.call('HSET', queue.messages, whole(queue.offset),
    whole(book.time) .. ' ' .. whole(draft.size) .. ' ' .. (expiry and whole(expiry) or '') .. ' ' .. draft.payload)
  awaitExpiry(book, queue, queue.offset, expiry)
  queue.n = queue.n + 1
  queue.b = queue.b + draft.size
  book.m = book.m + 1
  book.b = book.b + draft.size
  queue.isChanged = true
  book.notes[queue.name] = true
  return queue.offset
end

-- Takes from the front. Answers of each message its offset, time, 1 if somebody may have had it, and payload.
local function claimFrom(book, queue, most, bytes)
  local answer = {}
  local size = 0
  local claims = book.base .. ':c:' .. book.owner
  while #answer < most do
    local offset = tonumber(redis.call('ZRANGE', queue.returned, 0, 0)[1])
    local wasReturned = offset ~= nil
    if not wasReturned then
      if queue.fresh > queue.offset then break end
      offset = queue.fresh
    end
    local message = messageOf(queue, offset)
    local isOver = message and message.x and message.x <= book.time
    if message and not isOver then
      size = size + message.b
      if size > bytes and #answer > 0 then break end
    end
    if wasReturned then redis.call('ZREM', queue.returned, whole(offset)) else queue.fresh = offset + 1 end
    queue.isChanged = true
    if message and message.x then redis.call('ZREM', book.base .. ':x', memberOf(queue, offset)) end
    if isOver then
      drop(book, queue, offset, message.b)
    elseif message then
      redis.call('HSET', claims, memberOf(queue, offset), '1')
      queue.c = queue.c + 1
      book.c = book.c + 1
      answer[#answer + 1] = { offset, message.t, wasReturned and 1 or 0, string.sub(message.raw, message.at) }
    end
  end
  return answer
end

-- Everything that the owner has claimed goes back; it is no more.
local function releaseOwner(book, owner)
  local claims = redis.call('HGETALL', book.base .. ':c:' .. owner)
  for at = 1, #claims, 2 do
    local offset, name = string.match(claims[at], '^(%d+) (.*)$')
    settleOne(book, owner, queueOf(book, name), tonumber(offset), false)
  end
  redis.call('DEL', book.base .. ':c:' .. owner)
  redis.call('HDEL', book.base .. ':g', owner)
  redis.call('ZREM', book.base .. ':o', owner)
end

-- Writes what has changed, and tells the nodes where there is something now. Answers what all queues hold.
local function saveBook(book)
  for name, queue in pairs(book.queues) do
    if queue.isChanged then
      if queue.n == 0 then queue.fresh = queue.offset + 1 end
      redis.call('HSET', queue.numbers, 'e', queue.epoch, 'o', whole(queue.offset), 'f', whole(queue.fresh),
        'n', whole(queue.n), 'b', whole(queue.b), 'c', whole(queue.c), 'r', book.replication)
      if queue.n > 0 then
        if queue.before == 0 then
          book.n = book.n + 1
          redis.call('PEXPIRE', queue.numbers, FOR_EVER)
        end
        redis.call('HSET', book.base, 'q' .. name, whole(queue.n - queue.c))
      else
        if queue.before > 0 then book.n = book.n - 1 end
        redis.call('HDEL', book.base, 'q' .. name)
        redis.call('DEL', queue.messages, queue.returned)
        redis.call('PEXPIRE', queue.numbers, NUMBERS_KEPT)
      end
      queue.before = queue.n
    end
  end
  redis.call('HSET', book.base, 'n', whole(book.n), 'm', whole(book.m), 'b', whole(book.b), 'c', whole(book.c))
  local names = {}
  for name in pairs(book.notes) do
    if book.queues[name].n > 0 then names[#names + 1] = name end
  end
  if #names > 0 then redis.call('SPUBLISH', book.announced, book.owner .. '\n' .. table.concat(names, '\n')) end
  return { book.n, book.m, book.b, book.c }
end
`;
