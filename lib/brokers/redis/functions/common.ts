/**
 * What the other functions inside Redis have in common.
 *
 * @module
 */

/** Numbers as texts, the time in milliseconds, and which line of history this server is of. */
export const COMMON = String.raw`
local function whole(number)
  return string.format('%.0f', number)
end

local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

local function replication()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%w+)')
end
`;
