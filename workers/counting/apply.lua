-- Writes what a worker has computed, if Redis still holds what it was computed from. apply_call.c lays out what comes here.
-- ARGV: 1 epoch key, 2 epoch, 3 schema key, 4 schema, 5 campaigns key, 6 stream key (empty: off), 7 RESULTS_STREAM_MAX,
-- 8 RESULT_TTL_S, 9 until when the generation takes drops (ms), 10 its end (ms), 11 dc:drops:sizes, 12 the generation's number,
-- 13 how many drops fill it, 14 how many of each ('<I2I2I2I2I2I2') of
--   hashes     key, '<BI4' (1: at most 255 fields, named from outside; its TTL in seconds, 0 none)
--   cells      number of the hash, field
--   classes    '<I2I2I2' the first of three cost cells of the campaign, of the totals, the cell of their sum; then '<I2' a cell
--   campaigns  key, name, first time, last time, state (empty: none), its time, last result (empty: none), score, JSON
--   opt-outs   key, phone, ms, '<BI2I2I2' (1: a campaign's list, 2: opt-ins; cells to add 1 to, 0 none; the drop), JSON
--   drops      bucket, field, bytes expected (empty: absent), bytes to write (empty: none), '<BBI2BB' (1: the bucket may be
--              new; older generations, entries, lookups to set, to take back) with '<hI5I5I5' a class (negative: taken back)
--              and its costs; the bucket in an older generation, newest first; an entry's kind and JSON; a lookup's key and
--              JSON; its key and mark
-- Answers '<I2' how many drops conflict; for each '<I2I2B' its number, the length of what is there, in which generation (0:
-- this one, 1: the one before), and that; then the keys that were damaged by hand, a line each.
-- A drop applies whole or conflicts alone. Redis does not roll back: what may refuse is looked at before the first write.

local call, try, read_struct = redis.call, redis.pcall, struct.unpack
local stream_key, stream_max, result_ttl, generation_end = ARGV[6], ARGV[7], ARGV[8], ARGV[10]
local hashes, cells, classes, campaigns, optouts, drops = read_struct('<I2I2I2I2I2I2', ARGV[14])
local RECORD_VERSION, HEAD = 1, 6 -- the low bits of a record's first byte; where the classes of a drop begin
local STATE_ORDER = {scheduled = 0, running = 1, paused = 2, completed = 3}
local TIMES = {'first_event_at', 'last_event_at', 'event_state', 'event_at', 'last_result_at'}

local function read(key, ...)
  local reply = try(...)
  if type(reply) == 'table' and reply.err then error('KEY ' .. key .. ': ' .. reply.err, 0) end
  return reply
end

local function check(key, wanted)
  local kind = call('TYPE', key).ok
  return kind == wanted or kind == 'none' or error('KEY ' .. key .. ': WRONGTYPE it holds a ' .. kind .. ', not a ' .. wanted, 0)
end

local hash_key, hash_named, hash_ttl, cell_hash, cell_field, cell_sum, cell_list, harmed = {}, {}, {}, {}, {}, {}, {}, false
local class_row, sums, damaged = {}, {}, {} -- what applies adds to the sums of a class (how many, three costs), they to cells

local function load_tally(at)
  for i = 1, hashes do
    hash_key[i] = ARGV[at]
    hash_named[i], hash_ttl[i] = read_struct('<BI4', ARGV[at + 1])
    check(hash_key[i], 'hash')
    at = at + 2
  end
  for i = 1, cells do
    cell_hash[i], cell_field[i], cell_sum[i] = tonumber(ARGV[at]), ARGV[at + 1], 0
    at = at + 2
  end
  for i = 1, classes do class_row[i], sums[i] = ARGV[at + i - 1], {0, 0, 0, 0} end
  return at + classes
end

local function add(cell, n) if cell > 0 then cell_sum[cell] = cell_sum[cell] + n end end

local function count(head)
  for position = HEAD + 1, #head, 17 do
    local class, product, compliance, tts = read_struct('<hI5I5I5', head, position)
    local sign = class < 0 and -1 or 1
    local sum = sums[class * sign]
    sum[1], sum[2] = sum[1] + sign, sum[2] + sign * product
    sum[3], sum[4] = sum[3] + sign * compliance, sum[4] + sign * tts
  end
end

local function sum_classes()
  for class, row in ipairs(class_row) do
    local campaign, totals, cost = read_struct('<I2I2I2', row)
    for position = 7, #row, 2 do add(read_struct('<I2', row, position), sums[class][1]) end
    for i = 0, campaign > 0 and 2 or -1 do
      add(campaign + i, sums[class][2 + i])
      add(totals + i, sums[class][2 + i])
      add(cost, sums[class][2 + i])
    end
  end
end

-- A field that falls back to 0 is deleted; one that falls below, or is no number, or not its list's length, was damaged by hand.
local function write_cell(hash, field, by, list)
  local key = hash_key[hash]
  local full = hash_named[hash] == 1 and call('HLEN', key) - call('HEXISTS', key, '(more)') >= 255
  if full and call('HEXISTS', key, field) == 0 then field = '(more)' end
  local sum = try('HINCRBY', key, field, by)
  if type(sum) == 'table' or sum < 0 then damaged[#damaged + 1], harmed = key, true end
  if list and sum ~= call('ZCARD', list) then damaged[#damaged + 1] = list end
  if type(sum) == 'table' then sum = call('HSET', key, field, by) and by end
  if sum <= 0 then call('HDEL', key, field) end
  if sum > 0 and hash_ttl[hash] > 0 and sum == by and call('TTL', key) < 0 then call('EXPIRE', key, hash_ttl[hash]) end
end

local function add_entry(kind, json)
  local refused = stream_key ~= '' and type(try('XADD', stream_key, '*', kind, json)) == 'table'
  if refused then damaged[#damaged + 1], stream_key = stream_key, '' end
end

-- Times are least and greatest: it does not matter how often a copy comes, or whether its drop conflicts.
local function pick(known, given, later)
  if not known or #known ~= #given or (known < given) == later then return given end
  return known
end

local function touch(key, name, first, last, state, state_at, result, score, json)
  call('ZADD', ARGV[5], 'GT', score, name)
  local was = call('HMGET', key, unpack(TIMES))
  local stated = STATE_ORDER[was[3]] and was[4] and #was[4] == #first and was[4] -- a state without its time is none
  local last_result = result ~= '' and pick(was[5], result, true) or was[5]
  local now = {pick(was[1], first, false), pick(was[2], last, true), stated and was[3] or false, stated or false, last_result}
  local later = stated and (state_at > was[4] or (state_at == was[4] and STATE_ORDER[state] > STATE_ORDER[was[3]]))
  if state ~= '' and (later or not stated) then
    if was[3] ~= state then add_entry('campaign', json) end
    now[3], now[4] = state, state_at
  end
  local set = {'HSET', key}
  for i, field in ipairs(TIMES) do
    if now[i] and now[i] ~= was[i] then set[#set + 1], set[#set + 2] = field, now[i] end
  end
  if #set == 2 then return end
  local inferred = now[5] and (not now[3] or (now[3] == 'scheduled' and now[5] > now[4]))
  local state_now = inferred and {'running', now[5], 'inferred'} or {now[3], now[4], 'event'}
  call(unpack(set))
  if state_now[1] then call('HSET', key, 'state', state_now[1], 'state_at', state_now[2], 'state_source', state_now[3]) end
end

-- The entries of one phone follow one another, dc:optouts last; that has an entry in the stream for want of others.
local listed = false
local function list_optout(i)
  local kind, cell, other_cell = read_struct('<BI2I2', ARGV[i + 3])
  local new = kind == 2 and call('ZADD', ARGV[i], 'GT', 'CH', ARGV[i + 2], ARGV[i + 1])
    or call('ZADD', ARGV[i], 'LT', ARGV[i + 2], ARGV[i + 1])
  add(cell, new)
  add(other_cell, new)
  cell_list[cell] = ARGV[i]
  if new == 1 and (kind > 0 or not listed) then add_entry(kind == 2 and 'opt_in' or 'opt_out', ARGV[i + 4]) end
  listed = kind == 1 and (listed or new == 1)
end

-- Of the drops that share a foreign_id the one with the latest time is shown.
local function show(key, json, new)
  if new and call('SET', key, json, 'EX', result_ttl, 'NX') then return end
  local shown = try('GET', key)
  local other = type(shown) == 'string' and string.sub(shown, 1, 12) == '{"outcome":"'
    and not string.find(shown, string.match(json, '"drop_id":".-","phone":'), 1, true)
  if other and string.sub(shown, -26) > string.sub(json, -26) then return end
  call('SET', key, json, 'EX', result_ttl)
end

local function unshow(key, mark)
  local shown = try('GET', key)
  if type(shown) == 'string' and string.find(shown, mark, 1, true) then call('DEL', key) end
end

local function apply_drop(i)
  local bucket, new, head = ARGV[i], ARGV[i + 3], ARGV[i + 4]
  local fresh, olders, entries, set, taken_back = read_struct('<BBI2BB', head)
  if new ~= '' then call('HSET', bucket, ARGV[i + 1], new) end
  if new ~= '' and fresh == 1 and call('PTTL', bucket) < 0 then call('PEXPIREAT', bucket, generation_end) end
  count(head)
  local at = i + 5 + olders + 2 * entries
  for k = i + 5 + olders, at - 1, 2 do add_entry(ARGV[k], ARGV[k + 1]) end
  if set == 1 then show(ARGV[at], ARGV[at + 1], ARGV[i + 2] == '') end
  if taken_back == 1 then unshow(ARGV[at + 2 * set], ARGV[at + 2 * set + 1]) end
end

-- What is there of a drop, in which generation, in which bucket.
local function find(i, olders)
  for k = 0, olders do
    local bucket = ARGV[k == 0 and i or i + 4 + k]
    local present = read(bucket, 'HGET', bucket, ARGV[i + 1])
    if present then return present, k, bucket end
  end
  return '', 0
end

-- Where the arguments of the drops that apply begin, by number; the others as the answer tells them.
local function compare(i)
  local applying, conflicts = {}, {}
  for number = 1, drops do
    local _, olders, entries, set, taken_back = read_struct('<BBI2BB', ARGV[i + 4])
    local present, generation, bucket = find(i, olders)
    if generation == 0 and present == ARGV[i + 2] then
      applying[number] = i
    else
      local version = present == '' and RECORD_VERSION or #present < 65536 and string.byte(present) % 16 or 0
      local words = version > RECORD_VERSION and 'one that only a newer worker knows' or 'none that a worker wrote'
      if version ~= RECORD_VERSION then error('KEY ' .. bucket .. ': ERR a record in it is ' .. words, 0) end
      conflicts[#conflicts + 1] = struct.pack('<I2I2B', number, #present, generation) .. present
    end
    i = i + 5 + olders + 2 * (entries + set + taken_back)
  end
  return applying, conflicts
end

local function main()
  if read(ARGV[3], 'GET', ARGV[3]) ~= ARGV[4] then error('SCHEMA is another', 0) end
  if read(ARGV[1], 'GET', ARGV[1]) ~= ARGV[2] then error('EPOCH is another', 0) end
  local time, size = call('TIME'), read(ARGV[11], 'HGET', ARGV[11], ARGV[12]) or ''
  local taken = tonumber(#size <= 15 and string.match(size, '^%d+$') or 0)
  local ended = 1000 * time[1] + time[2] / 1000 >= tonumber(ARGV[9])
  if ended or taken >= tonumber(ARGV[13]) then error('EPOCH is over: its generation has ended', 0) end
  local first_campaign = load_tally(15)
  local first_optout = first_campaign + 9 * campaigns
  local first_drop = first_optout + 5 * optouts
  for i = first_campaign, first_optout - 1, 9 do check(ARGV[i], 'hash') end
  for i = first_optout, first_drop - 1, 5 do check(ARGV[i], 'zset') end
  check(ARGV[5], 'zset')
  if stream_key ~= '' then check(stream_key, 'stream') end
  local applying, conflicts = compare(first_drop)
  -- From here on it writes.
  for i = first_campaign, first_optout - 1, 9 do touch(unpack(ARGV, i, i + 8)) end
  for i = first_optout, first_drop - 1, 5 do if applying[read_struct('<I2', ARGV[i + 3], 6)] then list_optout(i) end end
  for number = 1, drops do if applying[number] then apply_drop(applying[number]) end end
  sum_classes()
  for cell = 1, cells do if cell_sum[cell] ~= 0 then write_cell(cell_hash[cell], cell_field[cell], cell_sum[cell], cell_list[cell]) end end
  if stream_key ~= '' then call('XTRIM', stream_key, 'MAXLEN', '~', stream_max) end
  if harmed then try('SET', ARGV[1] .. ':damaged', time[1] .. '.' .. time[2]) end -- verify repairs by no look from before
  return struct.pack('<I2', #conflicts) .. table.concat(conflicts) .. table.concat(damaged, '\n')
end

local ok, reply = pcall(main)
return ok and reply or redis.error_reply(type(reply) == 'table' and reply.err or reply)
