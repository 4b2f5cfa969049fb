/**
 * What runs inside Redis when a node starts: every command that the other functions use, so that one which is not allowed
 * is known before it is needed.
 *
 * @module
 */

/** KEYS: one, of which nothing is left. */
export const SETUP = String.raw`
local TRIED = {
  { 'TIME' }, { 'INFO', 'replication' },
  { 'SET', '', '1', 'PX', 1000 }, { 'GET', '' }, { 'INCR', '' }, { 'DEL', '' },
  { 'HSET', '', 'a', '1' }, { 'HGET', '', 'a' }, { 'HMGET', '', 'a' }, { 'HGETALL', '' }, { 'HDEL', '', 'a' },
  { 'XADD', '', '1-0', 'a', '1' }, { 'XLEN', '' }, { 'XRANGE', '', '-', '+' }, { 'XTRIM', '', 'MAXLEN', 0 },
  { 'PEXPIRE', '', 1000 }, { 'PTTL', '' }, { 'DEL', '' },
  { 'ZADD', '', 1, 'a' }, { 'ZSCORE', '', 'a' }, { 'ZRANGE', '', 0, -1 }, { 'ZRANGEBYSCORE', '', '-inf', '+inf' },
  { 'ZREM', '', 'a' }, { 'SPUBLISH', '', '' },
}

register('setup', function(keys)
  redis.call('DEL', keys[1])
  for _, command in ipairs(TRIED) do
    local args = { unpack(command) }
    if args[2] == '' then args[2] = keys[1] end
    redis.call(unpack(args))
  end
  return 1
end)
`;
