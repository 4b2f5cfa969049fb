/**
 * What runs inside Redis for channels: numbering, history and announcing as one step.
 *
 * @module
 */

/**
 * Of a channel there is a hash (`e` epoch, `o` offset of its last publication, `f` first offset of this epoch, `r` the
 * replication id under which that was written, `b` bytes of history) and a stream, whose ids are `OFFSET-0` and whose
 * entries have `t` time, `b` size, `p` payload and, if they expire, `x` when.
 *
 * Each promotion and each start of a server has another replication id. So one that is as it was stands for one line of
 * history, and under any other what was acknowledged may be missing: the channel goes on in a new epoch.
 *
 * What has been done stays done when a function fails, and many publish in one call: so whatever others have put there, it
 * does not fail by that. What cannot be understood counts as not there.
 */
export const CHANNELS = String.raw`
local NUMBER_KEPT = 7 * 86400 * 1000
-- A channel that is asked for and never published to has nothing but its epoch, and anybody may ask for any.
local UNUSED_KEPT = 900 * 1000
local ID_KEPT = 300 * 1000
local ANNOUNCED = 1024 * 1024

-- The whole number that is written there, if it is one.
local function numberOf(text)
  return text and #text <= 15 and string.match(text, '^%d+$') and tonumber(text) or nil
end

-- History that is kept for longer than numbers are is of no use without them.
local function lifeOf(channel)
  if channel.offset == 0 then return UNUSED_KEPT end
  return math.max(NUMBER_KEPT, 2 * (channel.age or 0))
end

local function save(channel)
  redis.call('HSET', channel.hash, 'e', channel.epoch, 'o', whole(channel.offset), 'f', whole(channel.first),
    'r', channel.replication, 'b', whole(channel.bytes))
  redis.call('PEXPIRE', channel.hash, lifeOf(channel))
end

-- What a command answers, or nothing when the key holds what it is not for.
local function ask(...)
  local answer = redis.pcall(...)
  if type(answer) ~= 'table' or not answer.err then return answer end
  if not string.find(answer.err, 'WRONGTYPE', 1, true) then error(answer) end
  return nil
end

local function forgetHistory(channel)
  redis.call('DEL', channel.stream)
  channel.bytes = 0
end

local function lengthOf(channel)
  local length = ask('XLEN', channel.stream)
  if not length then forgetHistory(channel) end
  return length or 0
end

-- The channel as it is, or as it begins, or as it goes on where something may be missing.
-- candidate is the epoch it gets then; known is the position that whoever calls knows of; age is that of its history, if
-- that is known.
local function open(hash, stream, id, candidate, knownEpoch, knownOffset, age)
  local fields = ask('HMGET', hash, 'e', 'o', 'f', 'r', 'b')
  if not fields then
    redis.call('DEL', hash)
    fields = {}
  end
  local channel = { hash = hash, stream = stream, replication = id, age = tonumber(age) }
  channel.epoch = fields[1]
  channel.offset = numberOf(fields[2])
  channel.first = numberOf(fields[3])
  channel.bytes = numberOf(fields[5])
  if not (channel.epoch and channel.offset and channel.first and channel.bytes) then
    channel.epoch = candidate
    channel.offset = 0
    channel.first = 1
    forgetHistory(channel)
    save(channel)
  elseif fields[4] ~= id or (channel.epoch == knownEpoch and channel.offset < tonumber(knownOffset)) then
    channel.epoch = candidate
    channel.first = channel.offset + 1
    save(channel)
  elseif redis.call('PTTL', hash) < lifeOf(channel) / 2 then
    redis.call('PEXPIRE', hash, lifeOf(channel))
  end
  return channel
end

local function entryOf(raw)
  local entry = { offset = tonumber(string.match(raw[1], '^%d+')) }
  for index = 1, #raw[2], 2 do entry[raw[2][index]] = raw[2][index + 1] end
  -- One without its time is too old.
  entry.t = numberOf(entry.t) or 0
  entry.b = numberOf(entry.b) or 0
  entry.x = numberOf(entry.x)
  return entry
end

-- The oldest go for as long as tooMuch says so of the next one and how many there are.
local function trim(channel, tooMuch)
  local count = lengthOf(channel)
  local last
  while count > 0 do
    local raws = redis.call('XRANGE', channel.stream, last and ('(' .. last) or '-', '+', 'COUNT', count > 10 and 10 or count)
    if #raws == 0 then break end
    for _, raw in ipairs(raws) do
      local entry = entryOf(raw)
      if not tooMuch(entry, count) then
        if last then redis.call('XTRIM', channel.stream, 'MINID', raw[1]) end
        return count
      end
      channel.bytes = math.max(0, channel.bytes - entry.b)
      count = count - 1
      last = raw[1]
    end
  end
  if last then redis.call('DEL', channel.stream) end
  channel.bytes = 0
  return 0
end

local function dropAged(channel, time)
  local oldest = time - channel.age
  local bytes = channel.bytes
  local count = trim(channel, function(entry) return entry.t < oldest end)
  -- Whatever becomes of the call, they are gone.
  if channel.bytes ~= bytes then redis.call('HSET', channel.hash, 'b', whole(channel.bytes)) end
  return count
end

local function add(channel, fields)
  local id = whole(channel.offset) .. '-0'
  local answer = redis.pcall('XADD', channel.stream, id, unpack(fields))
  if type(answer) ~= 'table' or not answer.err then return end
  if not string.find(answer.err, 'equal or smaller', 1, true) then error(answer) end
  -- Somebody has put there what has no number yet: nothing could ever be added again.
  forgetHistory(channel)
  redis.call('XADD', channel.stream, id, unpack(fields))
end

-- ARGV: atomic (1 or 0), number of channels, number of changes of records, number of what is settled in queues, and 1 if
-- there is anything for queues; those changes; if there is, the owner, an epoch for queues that need one, the bounds of
-- queues (messages and bytes of one, bytes of all, how many), and what is settled; of each channel: candidate, epoch and
-- offset that are known, count, bytes and age (milliseconds) of its history; of each draft: number of its channel, number of
-- its id's key (or 0), digest, size, ttl (milliseconds, or empty), payload. For a queue the number is 0, and its name is in
-- place of the digest.
-- KEYS: of each channel its hash, its stream and where it is announced; with changes of records their hash; with anything for
-- queues that of their book, and where that is announced; then those of the ids. The records change, and what is settled is,
-- only if all drafts are taken, which atomic has to see to.
-- Answers the time; epochs of the channels; of each draft its offset, negative when it is a repeat, 0 when it is a conflict,
-- which with atomic is all that there is, or the refusal of a queue and its name; what all queues hold, and the epochs of those
-- that there are drafts for, by their names.
register('publish', function(keys, args)
  local atomic = args[1] == '1'
  local channels = {}
  local time = now()
  local id = replication()
  local recordCount = tonumber(args[3])
  local at = 6 + recordCount * 4
  local book, settlings, limits
  if args[5] == '1' then
    local key = tonumber(args[2]) * 3 + (recordCount > 0 and 1 or 0) + 1
    book = openBook(keys[key], keys[key + 1], args[at], args[at + 1])
    limits = { count = tonumber(args[at + 2]), bytes = tonumber(args[at + 3]), budget = tonumber(args[at + 4]), queues = tonumber(args[at + 5]) }
    settlings = settlingsOf(args, at + 6, tonumber(args[4]))
    at = at + 6 + #settlings * 3
  end
  for index = 1, tonumber(args[2]) do
    local key = index * 3 - 2
    local channel = open(keys[key], keys[key + 1], id, args[at], args[at + 1], args[at + 2], args[at + 5])
    channel.announced = keys[key + 2]
    channel.limits = { count = tonumber(args[at + 3]), bytes = tonumber(args[at + 4]) }
    channel.fresh = {}
    channels[index] = channel
    dropAged(channel, time)
    at = at + 6
  end
  local idKeys = #channels * 3 + (recordCount > 0 and 1 or 0) + (book and 2 or 0)
  local results = {}
  local known = {}
  local function find(key, channel)
    if known[key] then return known[key] end
    local value = ask('GET', keys[idKeys + key])
    local offset, digest = string.match(value or '', '^(%d+) (.*)$')
    offset = numberOf(offset)
    -- Of what the channel does not know of, nothing is left.
    if not offset or offset == 0 or offset > channel.offset then return nil end
    known[key] = { offset = offset, digest = digest }
    return known[key]
  end
  if recordCount > 0 and not mayRecord(keys[#channels * 3 + 1], args, 6, recordCount) then return { time, {}, { 0 } } end
  if atomic then
    local own = {}
    for draft = at, #args, 6 do
      local key = tonumber(args[draft + 1])
      if key > 0 then
        local one = own[key] or find(key, channels[tonumber(args[draft])])
        if one and one.digest ~= args[draft + 2] then return { time, {}, { 0 } } end
        own[key] = { digest = args[draft + 2] }
      end
    end
  end
  local queued = {}
  if book then
    for draft = at, #args, 6 do
      if args[draft] == '0' then
        queued[#queued + 1] = { name = args[draft + 2], size = tonumber(args[draft + 3]), ttl = args[draft + 4], payload = args[draft + 5] }
      end
    end
    foresee(book, settlings)
    if not admit(book, queued, limits) and atomic then
      local refused
      for _, draft in ipairs(queued) do refused = refused or (draft.refusal and draft.refusal .. ' ' .. draft.name) end
      return { time, {}, { refused }, saveBook(book), {} }
    end
    settleAll(book, settlings)
  end
  local nextQueued = 0
  for draft = at, #args, 6 do
    local channel = channels[tonumber(args[draft])]
    local key = tonumber(args[draft + 1])
    local one = key > 0 and find(key, channel)
    if not channel then
      nextQueued = nextQueued + 1
      local own = queued[nextQueued]
      results[#results + 1] = own.refusal and own.refusal .. ' ' .. own.name or enqueue(book, queueOf(book, own.name), own)
    elseif one then
      results[#results + 1] = one.digest == args[draft + 2] and -one.offset or 0
    else
      channel.offset = channel.offset + 1
      results[#results + 1] = channel.offset
      local entry = { size = tonumber(args[draft + 3]), ttl = args[draft + 4], payload = args[draft + 5] }
      channel.fresh[#channel.fresh + 1] = entry
      if channel.limits.count > 0 then
        local fields = { 't', whole(time), 'b', whole(entry.size), 'p', entry.payload }
        if entry.ttl ~= '' then
          fields[7] = 'x'
          fields[8] = whole(time + tonumber(entry.ttl))
        end
        add(channel, fields)
        channel.bytes = channel.bytes + entry.size
      end
      if key > 0 then
        redis.call('SET', keys[idKeys + key], whole(channel.offset) .. ' ' .. args[draft + 2], 'PX', ID_KEPT)
        known[key] = { offset = channel.offset, digest = args[draft + 2] }
      end
    end
  end
  if recordCount > 0 then record(keys[#channels * 3 + 1], args, 6, recordCount) end
  local epochs = {}
  for index, channel in ipairs(channels) do
    epochs[index] = channel.epoch
    if #channel.fresh > 0 then
      trim(channel, function(_, count) return count > channel.limits.count or channel.bytes > channel.limits.bytes end)
      if redis.call('XLEN', channel.stream) > 0 then redis.call('PEXPIRE', channel.stream, channel.age) end
      save(channel)
      local offset = channel.offset - #channel.fresh + 1
      local lengths, payloads, size = {}, {}, 0
      for place, entry in ipairs(channel.fresh) do
        lengths[#lengths + 1] = #entry.payload
        payloads[#payloads + 1] = entry.payload
        size = size + #entry.payload
        if size >= ANNOUNCED or place == #channel.fresh then
          local head = table.concat({ '1', channel.epoch, whole(offset), whole(time), table.concat(lengths, ',') }, ' ')
          redis.call('SPUBLISH', channel.announced, head .. '\n' .. table.concat(payloads))
          offset = offset + #lengths
          lengths, payloads, size = {}, {}, 0
        end
      end
    end
  end
  if not book then return { time, epochs, results } end
  local names = {}
  for name, queue in pairs(book.queues) do
    names[#names + 1] = name
    names[#names + 1] = queue.epoch
  end
  return { time, epochs, results, saveBook(book), names }
end)

-- KEYS: of each channel its hash and its stream. ARGV: of each its candidate and the epoch and offset that are known.
-- Answers of each its epoch and its offset.
register('positions', function(keys, args)
  local id = replication()
  local positions = {}
  for index = 1, #keys / 2 do
    local at = index * 3 - 2
    local channel = open(keys[index * 2 - 1], keys[index * 2], id, args[at], args[at + 1], args[at + 2])
    positions[index * 2 - 1] = channel.epoch
    positions[index * 2] = channel.offset
  end
  return positions
end)

-- KEYS: hash and stream. ARGV: candidate, epoch and offset that are known, age of its history in milliseconds; where to
-- begin ('top', 'last' or 'after'), for that an epoch and a number; how many at most and how many bytes; 1: what has
-- expired too, and what is too old, as they are.
-- Answers epoch, offset and first offset of the epoch; whether all is there after the start; after which offset what is
-- read begins; and of each publication its offset, time, and payload, or nothing for one that has expired.
register('read', function(keys, args)
  local time = now()
  local channel = open(keys[1], keys[2], replication(), args[1], args[2], args[3], args[4])
  local isRaw = args[9] == '1'
  local answer = { channel.epoch, channel.offset, channel.first, 1, channel.offset, {} }
  if args[5] == 'top' then return answer end
  local count = isRaw and lengthOf(channel) or dropAged(channel, time)
  local after = tonumber(args[7])
  if args[5] == 'last' then
    after = math.max(channel.offset - count, channel.offset - after)
  elseif args[6] ~= channel.epoch or after > channel.offset or (after < channel.offset - count and not isRaw) then
    answer[4] = 0
    return answer
  end
  answer[5] = after
  local left = tonumber(args[8])
  local room = tonumber(args[10])
  local last = whole(after + 1) .. '-0'
  while left > 0 do
    local raws = redis.call('XRANGE', channel.stream, last, whole(channel.offset) .. '-0', 'COUNT', math.min(left, 100))
    for _, raw in ipairs(raws) do
      last = '(' .. raw[1]
      -- One between two numbers is somebody else's.
      if string.find(raw[1], '-0', 1, true) then
        local entry = entryOf(raw)
        local isOver = not isRaw and entry.x and entry.x <= time
        room = room - (isOver and 256 or entry.b)
        if room < 0 and #answer[6] > 0 then return answer end
        if isOver then entry.p = false end
        answer[6][#answer[6] + 1] = { entry.offset, entry.t, entry.p }
      end
    end
    left = left - #raws
    if #raws < 100 then break end
  end
  return answer
end)
`;
