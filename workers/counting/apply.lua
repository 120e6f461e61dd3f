-- Writes what a worker has computed, if Redis still holds what it was computed from. apply_call.c lays out what comes here.
-- ARGV: 1 epoch key, 2 epoch, 3 schema key, 4 schema, 5 campaigns key, 6 stream key (empty: off), 7 RESULTS_STREAM_MAX,
-- 8 RESULT_TTL_S, 9 end of the current generation (ms), 10 how many of each of what follows ('<I2I2I2I2I2I2'):
--   hashes     key, '<BI4' (1: at most 255 fields, named from outside; its TTL in seconds, 0 none)
--   cells      number of the hash, field
--   classes    '<I2I2I2' the first of three cost cells of the campaign and of the totals, the cell of their sum (0 none),
--              then '<I2' a cell
--   campaigns  key, name, first time, last time, state (empty: none), its time, last result (empty: none), score, JSON
--   opt-outs   key, phone, ms, '<BI2I2' (1: a campaign's list, 2: opt-ins; cells to add 1 to, 0 none), JSON
--   drops      bucket, field, bytes read (empty: absent), bytes to write (empty: none), '<hI5I5I5' a class (negative: taken
--              back) and its costs, '<I2BB' (entries, lookups to set, lookups to take back), an entry's kind and JSON, a
--              lookup's key, mark and JSON, another's key and mark
-- Answers '<I2' how many drops conflict; for each '<I2I2' its number and the length of what is there now, and that; then
-- the keys that were damaged by hand, a line each.
-- A drop applies whole or conflicts alone. Redis does not roll back: what may refuse is looked at before the first write.

local call, try, read_struct = redis.call, redis.pcall, struct.unpack
local stream_key, stream_max, result_ttl, generation_end = ARGV[6], ARGV[7], ARGV[8], ARGV[9]
local hashes, cells, classes, campaigns, optouts, drops = read_struct('<I2I2I2I2I2I2', ARGV[10])
local STATE_ORDER = {scheduled = 0, running = 1, paused = 2, completed = 3}
local TIMES = {'first_event_at', 'last_event_at', 'event_state', 'event_at', 'last_result_at'}

local function read(key, ...)
  local reply = try(...)
  if type(reply) == 'table' and reply.err then error('KEY ' .. key .. ': ' .. reply.err, 0) end
  return reply
end

local function check(key, wanted)
  local kind = call('TYPE', key).ok
  if kind ~= wanted and kind ~= 'none' then
    error('KEY ' .. key .. ': WRONGTYPE it holds a ' .. kind .. ', not a ' .. wanted, 0)
  end
end

-- Counting: what applies adds to classes, these to cells.

local hash_key, hash_named, hash_ttl, cell_hash, cell_field, cell_sum, class_row = {}, {}, {}, {}, {}, {}, {}
local drops_of, costs_of, damaged = {}, {{}, {}, {}}, {} -- the former two by class

local function load_tally(at)
  for i = 1, hashes do
    hash_key[i] = ARGV[at + 2 * i - 2]
    hash_named[i], hash_ttl[i] = read_struct('<BI4', ARGV[at + 2 * i - 1])
    check(hash_key[i], 'hash')
  end
  at = at + 2 * hashes
  for i = 1, cells do
    cell_hash[i], cell_field[i], cell_sum[i] = tonumber(ARGV[at + 2 * i - 2]), ARGV[at + 2 * i - 1], 0
  end
  at = at + 2 * cells
  for i = 1, classes do
    class_row[i], drops_of[i], costs_of[1][i], costs_of[2][i], costs_of[3][i] = ARGV[at + i - 1], 0, 0, 0, 0
  end
  return at + classes
end

local function add(cell, n)
  if cell > 0 then cell_sum[cell] = cell_sum[cell] + n end
end

local function count(terms)
  for position = 1, #terms, 17 do
    local class, product, compliance, tts = read_struct('<hI5I5I5', terms, position)
    local sign = class < 0 and -1 or 1
    class = class * sign
    drops_of[class] = drops_of[class] + sign
    costs_of[1][class] = costs_of[1][class] + sign * product
    costs_of[2][class] = costs_of[2][class] + sign * compliance
    costs_of[3][class] = costs_of[3][class] + sign * tts
  end
end

local function sum_classes()
  for class, row in ipairs(class_row) do
    local campaign, totals, sum = read_struct('<I2I2I2', row)
    for position = 7, #row, 2 do add(read_struct('<I2', row, position), drops_of[class]) end
    for i = 1, campaign > 0 and 3 or 0 do
      add(campaign + i - 1, costs_of[i][class])
      add(totals + i - 1, costs_of[i][class])
      add(sum, costs_of[i][class])
    end
  end
end

-- A field that falls back to 0 is deleted; one that would fall below, or holds no number, was damaged by hand.
local function write_cell(hash, field, by)
  local key = hash_key[hash]
  if hash_named[hash] == 1 and call('HEXISTS', key, field) == 0
    and call('HLEN', key) - call('HEXISTS', key, '(more)') >= 255 then
    field = '(more)'
  end
  local sum = try('HINCRBY', key, field, by)
  if type(sum) == 'table' then
    damaged[key], sum = true, by
    call('HSET', key, field, by)
  end
  if sum <= 0 then call('HDEL', key, field) end
  if sum < 0 then damaged[key] = true end
  if sum > 0 and hash_ttl[hash] > 0 and sum == by and call('TTL', key) < 0 then call('EXPIRE', key, hash_ttl[hash]) end
end

local function add_entry(kind, json)
  if stream_key ~= '' and type(try('XADD', stream_key, '*', kind, json)) == 'table' then damaged[stream_key] = true end
end

-- Times are least and greatest: it does not matter how often a copy comes, or whether its drop conflicts.
local function pick(known, given, later)
  if not known or #known ~= #given or (known < given) == later then return given end
  return known
end

local function touch(key, name, first, last, state, state_at, result, score, json)
  call('ZADD', ARGV[5], 'GT', score, name)
  local was = call('HMGET', key, unpack(TIMES))
  local stated = STATE_ORDER[was[3]] and was[4] -- a state without its time is none
  local now = {pick(was[1], first, false), pick(was[2], last, true), stated and was[3] or false, stated or false,
    result ~= '' and pick(was[5], result, true) or was[5]}
  if state ~= '' and (not stated or state_at > was[4]
    or (state_at == was[4] and STATE_ORDER[state] > STATE_ORDER[was[3]])) then
    if was[3] ~= state then add_entry('campaign', json) end
    now[3], now[4] = state, state_at
  end
  local set, changed = {'HSET', key}, false
  for i, field in ipairs(TIMES) do
    changed = changed or now[i] ~= was[i]
    if now[i] then set[#set + 1], set[#set + 2] = field, now[i] end
  end
  if not changed then return end
  local inferred = now[5] and (not now[3] or (now[3] == 'scheduled' and now[5] > now[4]))
  local state_now = inferred and {'running', now[5], 'inferred'} or {now[3], now[4], 'event'}
  call(unpack(set))
  if state_now[1] then call('HSET', key, 'state', state_now[1], 'state_at', state_now[2], 'state_source', state_now[3]) end
end

-- The entries of one phone follow one another, dc:optouts last; that has an entry in the stream for want of others.
local function list_optouts(first, last)
  local listed = false
  for i = first, last, 5 do
    local kind, cell, other_cell = read_struct('<BI2I2', ARGV[i + 3])
    local new = kind == 2 and call('ZADD', ARGV[i], 'GT', 'CH', ARGV[i + 2], ARGV[i + 1])
      or call('ZADD', ARGV[i], 'LT', ARGV[i + 2], ARGV[i + 1])
    add(cell, new)
    add(other_cell, new)
    if new == 1 and (kind > 0 or not listed) then add_entry(kind == 2 and 'opt_in' or 'opt_out', ARGV[i + 4]) end
    listed = kind == 1 and (listed or new == 1)
  end
end

-- Of the drops that share a foreign_id the one with the latest time is shown.
local function show(key, mark, json)
  local shown = try('GET', key)
  local ours = type(shown) == 'string' and string.sub(shown, 1, 12) == '{"outcome":"'
  if ours and not string.find(shown, mark, 1, true) and string.sub(shown, -26) > string.sub(json, -26) then return end
  call('SET', key, json, 'EX', result_ttl)
end

local function unshow(key, mark)
  local shown = try('GET', key)
  if type(shown) == 'string' and string.find(shown, mark, 1, true) then call('DEL', key) end
end

local function apply_drop(i)
  local bucket, field, new, terms = ARGV[i], ARGV[i + 1], ARGV[i + 3], ARGV[i + 4]
  local entries, set, taken_back = read_struct('<I2BB', ARGV[i + 5])
  if new ~= '' and call('HSET', bucket, field, new) == 1 and call('HLEN', bucket) == 1 then
    call('PEXPIREAT', bucket, generation_end)
  end
  count(terms)
  i = i + 6
  for k = i, i + 2 * entries - 1, 2 do add_entry(ARGV[k], ARGV[k + 1]) end
  i = i + 2 * entries
  if set == 1 then show(ARGV[i], ARGV[i + 1], ARGV[i + 2]) end
  if taken_back == 1 then unshow(ARGV[i + 3 * set], ARGV[i + 3 * set + 1]) end
end

-- Where the arguments of the drops that apply begin; the others as the answer tells them.
local function compare(i)
  local applying, conflicts = {}, {}
  for number = 1, drops do
    local present = read(ARGV[i], 'HGET', ARGV[i], ARGV[i + 1]) or ''
    if present == ARGV[i + 2] then
      applying[#applying + 1] = i
    else
      conflicts[#conflicts + 1] = struct.pack('<I2I2', number, #present) .. present
    end
    local entries, set, taken_back = read_struct('<I2BB', ARGV[i + 5])
    i = i + 6 + 2 * entries + 3 * set + 2 * taken_back
  end
  return applying, conflicts
end

local function main()
  if read(ARGV[3], 'GET', ARGV[3]) ~= ARGV[4] then error('SCHEMA is another', 0) end
  if read(ARGV[1], 'GET', ARGV[1]) ~= ARGV[2] then error('EPOCH is another', 0) end
  local first_campaign = load_tally(11)
  local first_optout = first_campaign + 9 * campaigns
  local first_drop = first_optout + 5 * optouts
  for i = first_campaign, first_optout - 1, 9 do check(ARGV[i], 'hash') end
  for i = first_optout, first_drop - 1, 5 do check(ARGV[i], 'zset') end
  check(ARGV[5], 'zset')
  if stream_key ~= '' then check(stream_key, 'stream') end
  local applying, conflicts = compare(first_drop)
  -- From here on it writes.
  for i = first_campaign, first_optout - 1, 9 do touch(unpack(ARGV, i, i + 8)) end
  list_optouts(first_optout, first_drop - 1)
  for _, i in ipairs(applying) do apply_drop(i) end
  sum_classes()
  for cell = 1, cells do
    if cell_sum[cell] ~= 0 then write_cell(cell_hash[cell], cell_field[cell], cell_sum[cell]) end
  end
  if stream_key ~= '' then call('XTRIM', stream_key, 'MAXLEN', '~', stream_max) end
  local names = {}
  for key in pairs(damaged) do names[#names + 1] = key end
  return struct.pack('<I2', #conflicts) .. table.concat(conflicts) .. table.concat(names, '\n')
end

local ok, reply = pcall(main)
if ok then return reply end
return redis.error_reply(type(reply) == 'table' and reply.err or reply)
