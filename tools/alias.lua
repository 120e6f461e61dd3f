-- One campaign under two names becomes one, or an alias a campaign of its own again: one step, and the next epoch, so that no
-- worker counts on by what it knew.
-- ARGV: 1 REDIS_PREFIX, 2 schema, 3 the epoch to begin with where there is none, 4 id, 5 name (empty: id is an alias no
--   longer), 6… days that may have been counted ('20261130')
-- Answers what became of it and, as texts, what that is about:
--   merged NAME MESSAGES UNKNOWN | same NAME | removed NAME      id is an alias now, was it already, is none any more
--   cycle NAME | taken NAME | none                       nothing changed: NAME is an alias of id, id one of NAME, id none
--   wrong KEY WHY                                        nothing changed: a key is damaged
-- Redis does not roll back: what may refuse is looked at before the first write.

local call = redis.call
local prefix, schema, first_epoch, id, name = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local aliases, links = prefix .. 'campaign_aliases', prefix .. 'campaign_links'
local numbers, names = prefix .. 'drops:campaign_numbers', prefix .. 'drops:campaign_names'
local STATE_ORDER = {scheduled = 0, running = 1, paused = 2, completed = 3}
local TIMES = {'first_event_at', 'last_event_at', 'event_state', 'event_at', 'last_result_at'}

local function key_of(campaign, part) return prefix .. 'campaign:' .. campaign .. part end

local function check(key, wanted)
  local kind = call('TYPE', key).ok
  if kind ~= wanted and kind ~= 'none' then error({'wrong', key, 'it holds a ' .. kind .. ', not a ' .. wanted}, 0) end
end

local function check_counts(key)
  check(key, 'hash')
  for _, count in ipairs(call('HVALS', key)) do
    if not string.find(count, '^%d+$') or #count > 18 then error({'wrong', key, 'one of its fields is no count'}, 0) end
  end
end

-- What the user may not do is found out before the first write, too.
local function try_commands()
  local key = prefix .. 'drops:probe'
  call('HINCRBY', key, 'field', 1)
  call('HSET', key, 'field', 1)
  call('HDEL', key, 'field')
  call('ZADD', key, 'GT', 1, 'member')
  call('ZUNIONSTORE', key, 1, key, 'AGGREGATE', 'MIN')
  call('PEXPIRE', key, 60000)
  call('ZREM', key, 'member')
  call('DEL', key)
end

-- The parts of a campaign that hold counts.
local function parts()
  local list = {':counters', ':reasons'}
  for i = 6, #ARGV do list[#list + 1] = ':day:' .. ARGV[i] end
  return list
end

local function check_all(final)
  for _, key in ipairs({aliases, links, numbers, names}) do check(key, 'hash') end
  check(prefix .. 'campaigns', 'zset')
  check(prefix .. 'drops:epoch', 'string')
  for _, campaign in ipairs({id, final}) do
    check(key_of(campaign, ''), 'hash')
    check(key_of(campaign, ':optouts'), 'zset')
    for _, part in ipairs(parts()) do check_counts(key_of(campaign, part)) end
  end
end

-- Of two TTLs the later stays.
local function merge_counts(final, part)
  local from, to = key_of(id, part), key_of(final, part)
  local counts = call('HGETALL', from)
  local ttl = math.max(call('PTTL', from), call('PTTL', to))
  for i = 1, #counts, 2 do call('HINCRBY', to, counts[i], counts[i + 1]) end
  if #counts > 0 and ttl > 0 then call('PEXPIRE', to, ttl) end
  call('DEL', from)
end

local function merge_opt_outs(final)
  local from, to, counters = key_of(id, ':optouts'), key_of(final, ':optouts'), key_of(final, ':counters')
  if call('EXISTS', from) == 1 then call('ZUNIONSTORE', to, 2, to, from, 'AGGREGATE', 'MIN') end
  call('DEL', from)
  local phones = call('ZCARD', to)
  if phones > 0 then call('HSET', counters, 'opt_out', phones) else call('HDEL', counters, 'opt_out') end
end

local function pick(one, other, later)
  if one and other then return (one > other) == later and one or other end
  return one or other
end

-- Of two events the later gives the state, of two at one time the one that goes further; as counting/apply.lua has it.
local function merge_times(final)
  local from, to = key_of(id, ''), key_of(final, '')
  if call('EXISTS', from) == 0 then return end
  local a, b = call('HMGET', from, unpack(TIMES)), call('HMGET', to, unpack(TIMES))
  local state_a, state_b = a[4] and STATE_ORDER[a[3]], b[4] and STATE_ORDER[b[3]]
  if not state_b or (state_a and (a[4] > b[4] or (a[4] == b[4] and state_a > state_b))) then b[3], b[4] = a[3], a[4] end
  local now = {pick(a[1], b[1], false), pick(a[2], b[2], true), b[3], b[4], pick(a[5], b[5], true)}
  local state = {b[3], b[4], 'event'}
  if now[5] and (not (state_a or state_b) or (b[3] == 'scheduled' and now[5] > b[4])) then
    state = {'running', now[5], 'inferred'}
  end
  for i, field in ipairs(TIMES) do
    if now[i] then call('HSET', to, field, now[i]) end
  end
  if state[1] then call('HSET', to, 'state', state[1], 'state_at', state[2], 'state_source', state[3]) end
  call('DEL', from)
end

local function merge_scores(final)
  local score = call('ZSCORE', prefix .. 'campaigns', id)
  if score then call('ZADD', prefix .. 'campaigns', 'GT', score, final) end
  call('ZREM', prefix .. 'campaigns', id)
end

-- Every number that led to id leads to the campaign; every alias of id is one of the campaign.
local function rename(final)
  local number = call('HGET', numbers, id)
  if number then call('HSET', names, number, final) end
  call('HDEL', numbers, id)
  for _, hash in ipairs({names, aliases}) do
    local all = call('HGETALL', hash)
    for i = 1, #all, 2 do
      if all[i + 1] == id then call('HSET', hash, all[i], final) end
    end
  end
  call('HSET', aliases, id, final)
end

-- A pair of names that are one suggests nothing any more.
local function drop_links()
  for _, pair in ipairs(call('HKEYS', links)) do
    local one, other = string.match(pair, '^([^|]+)|([^|]+)$')
    if one and (call('HGET', aliases, one) or one) == (call('HGET', aliases, other) or other) then
      call('HDEL', links, pair)
    end
  end
end

local function raise_epoch()
  local incarnation, revision = string.match(call('GET', prefix .. 'drops:epoch') or '', '^(.+):(%d+)$')
  call('SET', prefix .. 'drops:epoch', incarnation and string.format('%s:%.0f', incarnation, revision + 1) or first_epoch)
  call('SET', prefix .. 'schema', schema)
end

local function main()
  check(aliases, 'hash')
  if (call('GET', prefix .. 'schema') or schema) ~= schema then return {'wrong', prefix .. 'schema', 'it is another now'} end
  local was = call('HGET', aliases, id)
  if name == '' then
    if not was then return {'none'} end
    call('HDEL', aliases, id)
    raise_epoch()
    return {'removed', was}
  end
  local final = call('HGET', aliases, name) or name
  if final == id then return {'cycle', name} end
  if was then return {was == final and 'same' or 'taken', was} end
  check_all(final)
  local messages = call('HGET', key_of(id, ':counters'), 'messages') or '0'
  local unknown = {} -- names under which nothing has come: misspelled, perhaps
  for _, campaign in ipairs({id, final}) do
    if not call('ZSCORE', prefix .. 'campaigns', campaign) then unknown[#unknown + 1] = campaign end
  end
  try_commands()
  -- From here on it writes.
  for _, part in ipairs(parts()) do merge_counts(final, part) end
  merge_opt_outs(final)
  merge_times(final)
  merge_scores(final)
  rename(final)
  drop_links()
  raise_epoch()
  return {'merged', final, messages, table.concat(unknown, ' and ')}
end

local ok, reply = pcall(main)
if not ok and type(reply) == 'table' and reply.err then return reply end
if not ok and type(reply) == 'string' then return redis.error_reply(reply) end
return reply
