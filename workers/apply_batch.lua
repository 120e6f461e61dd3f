-- Applies a batch of events to the live counters: all of them or, on any error, none.
--
-- ARGV: 1 prefix, 2 RETENTION_S, 3 RESULT_TTL_S, 4 RESULTS_STREAM_MAX, 5 the slugs of the reasons by number from 1,
-- comma-separated, 6… the events as event_pack.c packs them. Answers one digit an event: enum applied.
--
-- Redis does not roll a script back. So everything is read, decoded, computed and checked first (part 1 to 4: reads only,
-- and an error leaves nothing behind). What comes out is a list of commands, which part 5 carries out without a thought.
-- Whatever is written was read before as what it is written as. The rules are those of docs/classification.md.

local prefix = ARGV[1]
local retention_ms = tonumber(ARGV[2]) * 1000
local result_ttl = tonumber(ARGV[3])
local stream_max = tonumber(ARGV[4])
local FIRST_EVENT = 6

local EVENT_FORMAT = '<BBBBBI4I6I6I5I5I5Bc0Bc0Bc0Bc0Bc0Bc0I2c0Bc0'
local SCHEMA = '1'
local DROPS_A_BUCKET = 30
local FIRST_BUCKETS, MIN_BUCKETS, MAX_BUCKETS = 32768, 4096, 1048576
local RECEIVED_EPOCH_MS = 1577836800000 -- 2020: five bytes of ms reach to 2054
local MAX_ALTERNATIVES = 7              -- further phones and campaigns kept for a drop
local MAX_SHARED = 64                   -- drops remembered for one foreign_id
local MAX_NAMED_FIELDS = 255
local MINUTE_TTL_S = 86400
local MAX_CAMPAIGNS = 16777215          -- three bytes in a record
local TOO_LARGE = 9007199254740992      -- 2^53: from here on numbers are not exact
local RESULT, OPT_OUT, CAMPAIGN, OTHER = 0, 1, 2, 3
local COUNTED, REVISED, DUPLICATE, APPLIED_OPT_OUT, APPLIED_CAMPAIGN, UNRECOGNIZED = '0', '1', '2', '3', '4', '5'
local STATES = {[0] = 'scheduled', 'running', 'paused', 'completed'}
local STATE_ORDER = {scheduled = 0, running = 1, paused = 2, completed = 3}

local band, floor, byte, char, sub = bit.band, math.floor, string.byte, string.char, string.sub
local pack, unpack_struct = struct.pack, struct.unpack

-- Ends the batch, naming the key. A text, not a table: the pcall of Redis 7 turns tables into texts. What names a lookup
-- may be a phone number, in any spelling: it is not told.
local function fail(key, why)
  for _, stem in ipairs({prefix .. 'result:', prefix .. 'drops:shared:'}) do
    if sub(key, 1, #stem) == stem then key = stem .. '***' end
  end
  error('KEY ' .. key .. ': ' .. why, 0)
end

-- A call for reading: a wrong type is reported with the key's name.
local function read(key, ...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    if not string.find(reply.err, 'WRONGTYPE', 1, true) then fail(key, reply.err) end
    fail(key, 'WRONGTYPE it holds a ' .. redis.call('TYPE', key).ok)
  end
  return reply
end

local function check_type(key, wanted)
  local kind = redis.call('TYPE', key).ok
  if kind ~= wanted and kind ~= 'none' then
    fail(key, 'WRONGTYPE it holds a ' .. kind .. ', not a ' .. wanted)
  end
  return kind ~= 'none'
end

-- Byte order. Lua's own < follows the locale of the server.
local function less(a, b)
  if a == b then return false end
  local shorter = math.min(#a, #b)
  for i = 1, shorter do
    local x, y = byte(a, i), byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

local function integer(n)
  return string.format('%.0f', n)
end

-- The count that a field holds; none is 0. `shown` names the field to people.
local function count_in(key, shown, value)
  if not value then return 0 end
  local count = string.find(value, '^%d+$') and tonumber(value)
  if not count or count >= TOO_LARGE then fail(key, 'ERR ' .. shown .. ' is not a whole number from 0 to 2^53') end
  return count
end

local now
do
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000 + floor(tonumber(time[2]) / 1000)
end

local iso_of = {} -- ms → text; filled from the events, which bring theirs

-- ISO 8601 UTC with ms; the calendar arithmetic counts days from March, so that leap days come last.
local function iso(ms)
  local known = iso_of[ms]
  if known then return known end
  local seconds = floor(ms / 1000)
  local days = floor(seconds / 86400)
  local second = seconds - days * 86400
  local z = days + 719468
  local era = floor(z / 146097)
  local day_of_era = z - era * 146097
  local year_of_era = floor((day_of_era - floor(day_of_era / 1460) + floor(day_of_era / 36524) - floor(day_of_era / 146096)) / 365)
  local day_of_year = day_of_era - (365 * year_of_era + floor(year_of_era / 4) - floor(year_of_era / 100))
  local shifted = floor((5 * day_of_year + 2) / 153)
  local day = day_of_year - floor((153 * shifted + 2) / 5) + 1
  local month = shifted < 10 and shifted + 3 or shifted - 9
  local year = year_of_era + era * 400 + (month <= 2 and 1 or 0)
  known = string.format('%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', year, month, day, floor(second / 3600),
    floor(second / 60) % 60, second % 60, ms - seconds * 1000)
  iso_of[ms] = known
  return known
end

-- The inverse, for what this script wrote itself; nil for anything else.
local function ms_of(text)
  if not text then return nil end
  local year, month, day, hour, minute, second, ms = string.match(text, '^(%d%d%d%d)-(%d%d)-(%d%d)T(%d%d):(%d%d):(%d%d)%.(%d%d%d)Z$')
  if not year then return nil end
  year, month = tonumber(year), tonumber(month)
  if month <= 2 then year = year - 1 end
  local era = floor(year / 400)
  local year_of_era = year - era * 400
  local day_of_year = floor((153 * (month > 2 and month - 3 or month + 9) + 2) / 5) + tonumber(day) - 1
  local days = era * 146097 + year_of_era * 365 + floor(year_of_era / 4) - floor(year_of_era / 100) + day_of_year - 719468
  return ((days * 24 + tonumber(hour)) * 60 + tonumber(minute)) * 60000 + tonumber(second) * 1000 + tonumber(ms)
end

local slugs
local function slug_name(number)
  if not slugs then
    slugs = {}
    for slug in string.gmatch(ARGV[5], '[^,]+') do slugs[#slugs + 1] = slug end
  end
  return slugs[number]
end

-- Packed phone numbers: two digits a byte, each as digit + 1.
local function phone_text(packed)
  local digits = {'+'}
  for i = 1, #packed do
    local b = byte(packed, i)
    digits[#digits + 1] = char(47 + floor(b / 16))
    if b % 16 > 0 then digits[#digits + 1] = char(47 + b % 16) end
  end
  return table.concat(digits)
end

--------------------------------------------------------------------------------------------------------------------
-- Part 1: what is remembered. Campaign names are numbers in the records; records live in generations of buckets.

local names, numbers, next_number, new_names = {[0] = 'unassigned'}, {unassigned = 0}, nil, {}
local ids_key, names_key = prefix .. 'drops:campaign_numbers', prefix .. 'drops:campaign_names'

local function campaign_number(name)
  local number = numbers[name]
  if number then return number end
  local known = read(ids_key, 'HGET', ids_key, name)
  if known then
    number = string.find(known, '^%d+$') and tonumber(known)
    if not number or number < 1 or number > MAX_CAMPAIGNS then fail(ids_key, 'ERR one of its fields is no campaign number') end
  else
    if not next_number then
      next_number = read(ids_key, 'HLEN', ids_key)
      if next_number ~= read(names_key, 'HLEN', names_key) then
        fail(ids_key, 'ERR it and ' .. names_key .. ' differ in length: one of them was changed by hand')
      end
    end
    next_number = next_number + 1
    if next_number > MAX_CAMPAIGNS then fail(ids_key, 'ERR it is full') end
    if read(names_key, 'HEXISTS', names_key, next_number) == 1 then
      fail(names_key, 'ERR campaign ' .. next_number .. ' is there, but one before it is not: it was changed by hand')
    end
    number = next_number
    new_names[#new_names + 1] = number
  end
  numbers[name], names[number] = number, name
  return number
end

local function campaign_name(number)
  local name = names[number]
  if not name then
    name = read(names_key, 'HGET', names_key, number)
    if not name then
      fail(names_key, 'ERR it lost the name of campaign ' .. number)
    end
    names[number], numbers[name] = name, number
  end
  return name
end

-- Generations, the current one first. A generation takes drops for its length and keeps them for `keep` after that;
-- all of it is stored at its birth.
local generations_key, sizes_key = prefix .. 'drops:generations', prefix .. 'drops:sizes'
local generations, dead_generations, born = {}, {}, nil

local greatest_number = 0 -- of all generations ever noted here: numbers are not used again, buckets of the old might be left

local function birth(last)
  local buckets = FIRST_BUCKETS
  if last then
    local size = count_in(sizes_key, 'its field ' .. last.number, read(sizes_key, 'HGET', sizes_key, last.number))
    -- what the last one took, made up to a whole length
    local share = math.min(1, math.max(0.01, (now - last.birth) / last.length))
    buckets = math.max(MIN_BUCKETS, math.min(MAX_BUCKETS, floor(size / share / DROPS_A_BUCKET)))
  end
  born = {number = greatest_number + 1, birth = now, length = retention_ms, keep = retention_ms, buckets = buckets}
  return born
end

local function load_generations()
  local fields = read(generations_key, 'HGETALL', generations_key)
  for i = 1, #fields, 2 do
    local start, length, keep, buckets = string.match(fields[i + 1], '^(%d+):(%d+):(%d+):(%d+)$')
    if not start or tonumber(buckets) < 1 or tonumber(start) + tonumber(length) + tonumber(keep) >= TOO_LARGE
      or not string.find(fields[i], '^%d+$') or #fields[i] > 9 then
      fail(generations_key, 'ERR its field ' .. fields[i] .. ' is none that a worker wrote')
    end
    local generation = {number = tonumber(fields[i]), birth = tonumber(start), length = tonumber(length),
      keep = tonumber(keep), buckets = tonumber(buckets)}
    greatest_number = math.max(greatest_number, generation.number)
    if now > generation.birth + generation.length + generation.keep then
      dead_generations[#dead_generations + 1] = generation.number
    else
      generations[#generations + 1] = generation
    end
  end
  table.sort(generations, function(a, b) return a.number > b.number end)
  local current = generations[1]
  if not current or now >= current.birth + current.length or current.keep < retention_ms then
    table.insert(generations, 1, birth(current))
  end
end

local function bucket_key(generation, hash, kind)
  local stem = generation[kind]
  if not stem then
    stem = prefix .. 'drops:' .. generation.number .. kind
    generation[kind] = stem
  end
  return stem .. hash % generation.buckets
end

local function varint(n)
  local out = ''
  while n >= 128 do
    out = out .. char(n % 128 + 128)
    n = floor(n / 128)
  end
  return out .. char(n)
end

local function read_varint(raw, at)
  local n, scale = 0, 1
  while true do
    local b = byte(raw, at)
    at = at + 1
    if b < 128 then return n + b * scale, at end
    n = n + (b - 128) * scale
    scale = scale * 128
  end
end

local function put_costs(costs)
  return varint(costs[1]) .. varint(costs[2]) .. varint(costs[3])
end

local function read_costs(raw, at)
  local costs = {}
  for i = 1, 3 do costs[i], at = read_varint(raw, at) end
  return costs, at
end

local function costs_less(a, b)
  for i = 1, 3 do
    if a[i] ~= b[i] then return a[i] < b[i] end
  end
  return false
end

-- A record: a byte (failure, class, rank, which costs, which flags), a byte (what else is there), the winner's slug and
-- time, the campaign's number and x-received-at; then what is there. "Which": 1 the winner's and no later, 2 only those of
-- another copy, 3 both.
local function which(own, latest, time, equal)
  if not latest then return 0 end
  if not own then return 2 end
  return (latest.time == time and equal) and 1 or 3
end

local function encode(d)
  local costs_equal = d.costs and not costs_less(d.costs, d.latest_costs) and not costs_less(d.latest_costs, d.costs)
  local costs = which(d.costs, d.latest_costs, d.time, costs_equal)
  local flags = which(d.flags, d.latest_flags, d.time, d.flags and d.latest_flags.bits == d.flags)
  local keep_foreign = d.foreign_id and (result_ttl > 0 or stream_max > 0)
  local more = d.phones or d.campaigns
  local out = pack('<BBBI6I3I5', d.failure + d.class * 2 + d.rank * 4 + costs * 16 + flags * 64,
    (d.phone and 1 or 0) + (d.opt_out and 2 or 0) + (keep_foreign and 4 or 0) + (more and 8 or 0) + (d.flags or 0) * 16
    + (d.foreign_id and 64 or 0),
    d.slug, d.time, d.campaign, d.received)
  if d.costs then out = out .. put_costs(d.costs) end
  if costs >= 2 then out = out .. pack('<I6', d.latest_costs.time) .. put_costs(d.latest_costs) end
  if flags >= 2 then out = out .. pack('<I6B', d.latest_flags.time, d.latest_flags.bits) end
  if d.phone then out = out .. char(#d.phone) .. d.phone end
  if d.opt_out then out = out .. pack('<I6', d.opt_out) end
  if keep_foreign then out = out .. pack('<I2', #d.foreign_id) .. d.foreign_id end
  if more then
    local phones, campaigns = d.phones or {}, d.campaigns or {}
    out = out .. char(#phones)
    for _, phone in ipairs(phones) do out = out .. char(#phone) .. phone end
    out = out .. char(#campaigns)
    for _, campaign in ipairs(campaigns) do out = out .. pack('<I3', campaign) end
  end
  return out
end

local function read_text(raw, at, len)
  return sub(raw, at, at + len - 1), at + len
end

local function decode_alternatives(d, raw, at)
  local count
  count, at = byte(raw, at), at + 1
  for i = 1, count do
    d.phones = d.phones or {}
    d.phones[i], at = read_text(raw, at + 1, byte(raw, at))
  end
  count, at = byte(raw, at), at + 1
  for i = 1, count do
    d.campaigns = d.campaigns or {}
    d.campaigns[i], at = unpack_struct('<I3', raw, at)
  end
end

local function decode(raw)
  local first, second, slug, time, campaign, received, at = unpack_struct('<BBBI6I3I5', raw)
  local d = {failure = first % 2, class = floor(first / 2) % 2, rank = floor(first / 4) % 4, slug = slug, time = time,
    campaign = campaign, received = received}
  local costs, flags = floor(first / 16) % 4, floor(first / 64)
  if costs % 2 == 1 then
    d.costs, at = read_costs(raw, at)
    d.latest_costs = {d.costs[1], d.costs[2], d.costs[3], time = time}
  end
  if costs >= 2 then
    local latest
    latest, at = unpack_struct('<I6', raw, at)
    d.latest_costs, at = read_costs(raw, at)
    d.latest_costs.time = latest
  end
  if flags % 2 == 1 then
    d.flags = floor(second / 16) % 4
    d.latest_flags = {time = time, bits = d.flags}
  end
  if flags >= 2 then
    local latest, bits
    latest, bits, at = unpack_struct('<I6B', raw, at)
    d.latest_flags = {time = latest, bits = bits}
  end
  if second % 2 == 1 then d.phone, at = read_text(raw, at + 1, byte(raw, at)) end
  if band(second, 2) > 0 then d.opt_out, at = unpack_struct('<I6', raw, at) end
  if band(second, 4) > 0 then
    local len
    len, at = unpack_struct('<I2', raw, at)
    d.foreign_id, at = read_text(raw, at, len)
  elseif band(second, 64) > 0 then
    d.foreign_id = '' -- there is one, but nothing that would show it
  end
  if band(second, 8) > 0 then decode_alternatives(d, raw, at) end
  return d
end

-- A record of the bucket `key`.
local function decode_record(key, raw)
  local readable, d = pcall(decode, raw)
  if not readable then fail(key, 'ERR a record in it is none that a worker wrote') end
  if d.failure == 1 and not slug_name(d.slug) then
    fail(key, 'ERR a record in it has the reason number ' .. d.slug .. ', which only a newer worker knows')
  end
  return d
end

local drops, drop_order = {}, {}
local seen_events = {}

-- What is remembered of a drop; `entry.drop` is nil for a new one. Reading the current bucket checks the key that is written.
local function load_drop(event)
  local entry = drops[event.id]
  if entry then return entry end
  entry = {id = event.id, hash = event.hash, text = event.text}
  for _, generation in ipairs(generations) do
    local key = bucket_key(generation, event.hash, ':')
    local raw = read(key, 'HGET', key, event.id)
    if raw then
      entry.raw, entry.key, entry.drop = raw, key, decode_record(key, raw)
      entry.old_foreign_id = entry.drop.foreign_id
      break
    end
  end
  drops[event.id] = entry
  drop_order[#drop_order + 1] = entry
  return entry
end

-- Whether this event (not a result) was seen before; remembers it. Events of different kinds are different events.
local function seen_before(event)
  local id = event.kind .. event.id
  if seen_events[id] then return true end
  local known = false
  for _, generation in ipairs(generations) do
    local key = bucket_key(generation, event.hash, ':e')
    known = known or read(key, 'HEXISTS', key, id) == 1
  end
  seen_events[id] = {hash = event.hash, known = known}
  return known
end

--------------------------------------------------------------------------------------------------------------------
-- Part 2: what changes. Sums of differences, and the few values that are not sums.

local counters, reasons = {}, {} -- campaign number → field → difference
local totals_apart = {}          -- of totals, what is not the sum over campaigns
local minutes, named = {}, {}    -- key → field → difference
local optouts = {}               -- key → phone → {score, changed}
local campaigns = {}             -- campaign number → what dc:campaign:{id} says
local entries = {}               -- of the stream, in order, each the command that adds it
local results_key = prefix .. 'results'

local function add(sums, key, field, n)
  local fields = sums[key]
  if not fields then
    fields = {}
    sums[key] = fields
  end
  fields[field] = (fields[field] or 0) + n
end

-- Counts under a field with a name from outside: at most MAX_NAMED_FIELDS of them, the rest together.
local function add_named(key, field)
  local known = named[key]
  if not known then
    known = {size = read(key, 'HLEN', key) - read(key, 'HEXISTS', key, '(more)'), fields = {}, sums = {}}
    named[key] = known
  end
  if field ~= '(more)' and not known.fields[field] then
    if read(key, 'HEXISTS', key, field) == 1 then
      known.fields[field] = true
    elseif known.size < MAX_NAMED_FIELDS then
      known.fields[field] = true
      known.size = known.size + 1
    else
      field = '(more)'
    end
  end
  known.sums[field] = (known.sums[field] or 0) + 1
end

local function stream(kind, drop_id, foreign_id, phone, campaign, outcome, reason, at)
  if stream_max > 0 then
    entries[#entries + 1] = {'XADD', results_key, 'MAXLEN', '~', stream_max, '*', 'kind', kind, 'drop_id', drop_id,
      'foreign_id', foreign_id, 'phone', phone, 'campaign', campaign, 'outcome', outcome, 'reason', reason, 'at', at}
  end
end

local function stream_drop(kind, entry)
  if stream_max == 0 then return end
  local d = entry.drop
  stream(kind, entry.text, d.foreign_id or '', d.phone and phone_text(d.phone) or '',
    d.rank > 0 and campaign_name(d.campaign) or 'unassigned', d.failure == 1 and 'failure' or 'success',
    d.failure == 1 and slug_name(d.slug) or '', iso(d.time))
end

-- What a drop counts as: equal texts, equal counts.
local NO_COSTS = {0, 0, 0}
local function counted_as(d)
  return {campaign = d.campaign, failure = d.failure, slug = d.slug, costs = d.costs or d.latest_costs or NO_COSTS,
    flags = d.flags or (d.latest_flags and d.latest_flags.bits) or 0}
end

local function count(c, n)
  local sums = counters[c.campaign]
  if not sums then
    sums = {}
    counters[c.campaign] = sums
  end
  sums.messages = (sums.messages or 0) + n
  if c.failure == 1 then
    sums.failure = (sums.failure or 0) + n
    add(reasons, c.campaign, slug_name(c.slug), n)
  else
    sums.success = (sums.success or 0) + n
  end
  local costs = c.costs
  if costs ~= NO_COSTS then
    sums.product_cost_micros = (sums.product_cost_micros or 0) + n * costs[1]
    sums.compliance_fee_micros = (sums.compliance_fee_micros or 0) + n * costs[2]
    sums.tts_fee_micros = (sums.tts_fee_micros or 0) + n * costs[3]
  end
  if c.flags >= 2 then sums.dnc = (sums.dnc or 0) + n end
  if c.flags % 2 == 1 then sums.spam = (sums.spam or 0) + n end
end

local function campaign_info(number)
  local info = campaigns[number]
  if not info then
    local name = campaign_name(number)
    local key = prefix .. 'campaign:' .. name
    local values = read(key, 'HMGET', key, 'first_event_at', 'last_event_at', 'event_state', 'event_at', 'last_result_at')
    info = {key = key, name = name, event_state = STATE_ORDER[values[3]] and values[3], first = ms_of(values[1]), last = ms_of(values[2]),
      event_at = ms_of(values[4]), last_result = ms_of(values[5]), score = 0}
    info.before = {info.first, info.last, info.event_state, info.event_at, info.last_result}
    campaigns[number] = info
  end
  return info
end

-- Every copy counts for the first and last times of the campaign that it names itself.
local function touch(event)
  local info = campaign_info(event.campaign)
  local time = event.time
  if not info.first or time < info.first then info.first = time end
  if not info.last or time > info.last then info.last = time end
  if time > info.score then info.score = time end
  return info
end

local function optout_score(key, phone)
  local list = optouts[key]
  if not list then
    list = {}
    optouts[key] = list
  end
  local known = list[phone]
  if not known then
    known = {score = tonumber(read(key, 'ZSCORE', key, phone) or nil)}
    list[phone] = known
  end
  return known
end

-- Adds a phone to one list with its earliest time; whether it was new there.
local function list_optout(key, phone, time)
  local known = optout_score(key, phone)
  local new = known.score == nil
  if new or time < known.score then
    known.score, known.changed = time, true
  end
  return new
end

-- A phone that opted out goes to the list of all and to those of the campaigns (numbers).
local function suppress(phone, time, in_campaigns, event, drop_id, foreign_id)
  local new = list_optout(prefix .. 'optouts', phone, time)
  if new then
    totals_apart.opt_out = (totals_apart.opt_out or 0) + 1
    add(minutes, event.minute, 'opt_out', 1)
  end
  local listed = false
  for _, number in ipairs(in_campaigns) do
    if number ~= 0 then
      local name = campaign_name(number)
      if list_optout(prefix .. 'campaign:' .. name .. ':optouts', phone, time) then
        add(counters, number, 'opt_out', 1)
        stream('opt_out', drop_id, foreign_id, phone, name, '', '', iso(time))
        listed = true
      end
    end
  end
  if new and not listed then
    stream('opt_out', drop_id, foreign_id, phone, '', '', '', iso(time))
  end
end

--------------------------------------------------------------------------------------------------------------------
-- Part 3: the events, in order.

-- Which of two copies is the better one: > 0 the event, 0 neither, < 0 the drop's winner.
local function compare_winner(event, d)
  if event.class ~= d.class then return event.class - d.class end
  if event.time ~= d.time then return event.time - d.time end
  if event.failure ~= d.failure then return event.failure - d.failure end
  return d.slug - event.slug
end

local function append_alternative(list, value)
  list = list or {}
  for _, known in ipairs(list) do
    if known == value then return list, false end
  end
  if #list >= MAX_ALTERNATIVES then return list, false end
  list[#list + 1] = value
  return list, true
end

local function drop_alternative(list, value)
  if not list then return nil end
  local kept = {}
  for _, known in ipairs(list) do
    if known ~= value then kept[#kept + 1] = known end
  end
  return #kept > 0 and kept or nil
end

-- The smallest phone is the drop's; the others are kept, for an opt-out concerns them too. Whether anything was new.
local function merge_phone(d, phone)
  if not phone or phone == d.phone then return false end
  if not d.phone then
    d.phone = phone
    return true
  end
  local other, new = phone, nil
  if less(phone, d.phone) then
    other = d.phone
    d.phone = phone
    d.phones = drop_alternative(d.phones, phone)
  end
  d.phones, new = append_alternative(d.phones, other)
  return new
end

-- Whether the copy names a campaign that none named before.
local function merge_campaign(d, event)
  if event.rank == 0 then return false end
  if event.campaign == d.campaign then
    if event.rank > d.rank then
      d.rank, d.received = event.rank, event.received
    elseif event.rank == d.rank and event.received < d.received then
      d.received = event.received
    end
    return false
  end
  local better = event.rank > d.rank
  if event.rank == d.rank then
    better = event.received < d.received
      or (event.received == d.received and less(campaign_name(event.campaign), campaign_name(d.campaign)))
  end
  local new
  if not better then
    d.campaigns, new = append_alternative(d.campaigns, event.campaign)
    return new
  end
  d.campaigns = drop_alternative(d.campaigns, event.campaign)
  if d.campaign ~= 0 then d.campaigns = append_alternative(d.campaigns, d.campaign) end
  d.campaign, d.rank, d.received = event.campaign, event.rank, event.received
  return true
end

-- Costs and flags: the winner's if it has them, else those of the latest copy that has.
local function merge_blocks(d, event, order)
  if order > 0 then d.costs, d.flags = nil, nil end
  if event.costs then
    if order >= 0 and (not d.costs or costs_less(d.costs, event.costs)) then d.costs = event.costs end
    local latest = d.latest_costs
    if not latest or event.time > latest.time or (event.time == latest.time and costs_less(latest, event.costs)) then
      d.latest_costs = {event.costs[1], event.costs[2], event.costs[3], time = event.time}
    end
  end
  if event.flags then
    if order >= 0 and (not d.flags or event.flags > d.flags) then d.flags = event.flags end
    local latest = d.latest_flags
    if not latest or event.time > latest.time or (event.time == latest.time and event.flags > latest.bits) then
      d.latest_flags = {time = event.time, bits = event.flags}
    end
  end
end

local function drop_of(event)
  local d = {failure = event.failure, class = event.class, rank = event.rank, slug = event.slug, time = event.time,
    campaign = event.campaign, received = event.received, phone = event.phone, foreign_id = event.foreign_id,
    costs = event.costs, flags = event.flags}
  if event.costs then
    d.latest_costs = {event.costs[1], event.costs[2], event.costs[3], time = event.time}
  end
  if event.flags then d.latest_flags = {time = event.time, bits = event.flags} end
  return d
end

-- An opting-out copy's own phone and campaign count even where the drop's lists are full.
local function suppress_drop(entry, event)
  local d = entry.drop
  local in_campaigns, phones = {d.campaign}, {d.phone}
  for _, number in ipairs(d.campaigns or {}) do in_campaigns[#in_campaigns + 1] = number end
  for _, phone in ipairs(d.phones or {}) do phones[#phones + 1] = phone end
  if event.opts_out then
    in_campaigns[#in_campaigns + 1] = event.campaign
    phones[#phones + 1] = event.phone
  end
  for _, phone in ipairs(phones) do
    suppress(phone_text(phone), d.opt_out, in_campaigns, event, entry.text, d.foreign_id or '')
  end
end

local function first_copy(entry, event)
  local d = drop_of(event)
  entry.drop = d
  count(counted_as(d), 1)
  add(minutes, event.minute, d.failure == 1 and 'failure' or 'success', 1)
  if event.name ~= '' then add_named(prefix .. 'unknown_reasons', event.name) end
  stream_drop('result', entry)
  return COUNTED
end

local function same_counts(a, b)
  return a.campaign == b.campaign and a.failure == b.failure and a.slug == b.slug and a.flags == b.flags
    and a.costs[1] == b.costs[1] and a.costs[2] == b.costs[2] and a.costs[3] == b.costs[3]
end

-- A further copy: the counts change to what all copies together say. Returns what became of it, and whether an
-- opt-out may concern more than before.
local function further_copy(entry, event)
  local d = entry.drop
  local before, phone_before, foreign_before = counted_as(d), d.phone, d.foreign_id
  local order = compare_winner(event, d)
  if order > 0 then d.class, d.time, d.failure, d.slug = event.class, event.time, event.failure, event.slug end
  merge_blocks(d, event, order)
  local phone_new = merge_phone(d, event.phone)
  local campaign_new = merge_campaign(d, event)
  if event.foreign_id and (not d.foreign_id or d.foreign_id == '' or less(event.foreign_id, d.foreign_id)) then
    d.foreign_id = event.foreign_id
  end
  local after = counted_as(d)
  if not same_counts(before, after) then
    count(before, -1)
    count(after, 1)
  end
  local revised = before.failure ~= after.failure or before.slug ~= after.slug
  add(counters, d.campaign, revised and 'revised' or 'duplicate', 1)
  if revised then
    stream_drop('revised', entry)
  elseif d.phone ~= phone_before or d.foreign_id ~= foreign_before or before.campaign ~= after.campaign then
    stream_drop('filled', entry)
  end
  return revised and REVISED or DUPLICATE, phone_new or campaign_new
end

local function apply_result(event)
  local entry = load_drop(event)
  local applied, concerns_more
  if entry.drop then
    applied, concerns_more = further_copy(entry, event)
  else
    applied, concerns_more = first_copy(entry, event), true
  end
  local d = entry.drop
  if event.opts_out then
    d.opt_out, concerns_more = math.min(event.time, d.opt_out or event.time), true
  end
  if concerns_more and d.opt_out and d.phone then suppress_drop(entry, event) end
  local info = touch(event)
  if not info.last_result or event.time > info.last_result then info.last_result = event.time end
  return applied
end

local function apply_optout(event)
  touch(event)
  suppress(phone_text(event.phone), event.time, {event.campaign}, event, '', event.foreign_id or '')
  if seen_before(event) then
    add(counters, event.campaign, 'duplicate', 1)
    return DUPLICATE
  end
  return APPLIED_OPT_OUT
end

local function apply_campaign(event)
  local info = touch(event)
  local state = STATES[event.state]
  local later = not info.event_at or not info.event_state or event.time > info.event_at
    or (event.time == info.event_at and STATE_ORDER[info.event_state] < event.state)
  if later then
    if info.event_state ~= state then
      stream('campaign', '', '', '', info.name, state, '', iso(event.time))
    end
    info.event_state, info.event_at = state, event.time
  end
  if seen_before(event) then
    add(counters, event.campaign, 'duplicate', 1)
    return DUPLICATE
  end
  return APPLIED_CAMPAIGN
end

local function apply_other(event)
  touch(event)
  if seen_before(event) then
    add(counters, event.campaign, 'duplicate', 1)
    return DUPLICATE
  end
  add(counters, event.campaign, 'unrecognized', 1)
  add_named(prefix .. 'events', event.name)
  return UNRECOGNIZED
end

local APPLY = {[RESULT] = apply_result, [OPT_OUT] = apply_optout, [CAMPAIGN] = apply_campaign, [OTHER] = apply_other}

local function unpack_event(raw)
  local kind, bits, slug, rank, state, hash, time, received, product, compliance, tts, id, text, campaign, phone, at,
    minute, foreign_id, name = unpack_struct(EVENT_FORMAT, raw)
  iso_of[time] = at
  return {
    kind = kind, id = id, hash = hash, text = text, time = time, rank = rank, state = state, slug = slug,
    received = math.max(0, math.min(received - RECEIVED_EPOCH_MS, 1099511627775)),
    minute = prefix .. 'minute:' .. minute, campaign = campaign_number(campaign),
    failure = bits % 2, class = floor(bits / 2) % 2,
    costs = band(bits, 4) > 0 and {product, compliance, tts} or nil,
    flags = band(bits, 8) > 0 and floor(bits / 16) % 4 or nil,
    opts_out = band(bits, 64) > 0,
    phone = phone ~= '' and phone or nil,
    foreign_id = foreign_id ~= '' and foreign_id or nil,
    name = name,
  }
end

--------------------------------------------------------------------------------------------------------------------
-- Part 4: the writes, each the whole command, with every key's type and every number checked.

local writes, write_count = {}, 0

local function write(command)
  write_count = write_count + 1
  writes[write_count] = command
end

-- `nameless`: the fields are texts from outside, which are not told.
local function plan_sums(key, sums, ttl, nameless)
  local fields, differences = {}, {}
  for field, difference in pairs(sums) do
    if difference ~= 0 then
      fields[#fields + 1] = field
      differences[#differences + 1] = difference
    end
  end
  if #fields == 0 then return end
  local values = read(key, 'HMGET', key, unpack(fields))
  local set, delete, new = {'HSET', key}, {'HDEL', key}, true
  for i, field in ipairs(fields) do
    local shown = nameless and 'one of its fields' or 'its field ' .. field
    local before = count_in(key, shown, values[i])
    local after = before + differences[i]
    if after < 0 or after >= TOO_LARGE then
      fail(key, 'ERR ' .. shown .. ' is ' .. integer(before) .. ' and would become ' .. integer(after))
    end
    if after == 0 then
      delete[#delete + 1] = field
    else
      set[#set + 1] = field
      set[#set + 1] = integer(after)
    end
    if values[i] then new = false end
  end
  if #set > 2 then write(set) end
  if #delete > 2 then write(delete) end
  if ttl and new and redis.call('EXISTS', key) == 0 then write({'EXPIRE', key, ttl}) end
end

local function plan_counters()
  local totals, totals_reasons = {}, {}
  for number, sums in pairs(counters) do
    for field, n in pairs(sums) do
      if field ~= 'opt_out' then totals[field] = (totals[field] or 0) + n end
    end
    plan_sums(prefix .. 'campaign:' .. campaign_name(number) .. ':counters', sums)
  end
  for number, sums in pairs(reasons) do
    for slug, n in pairs(sums) do totals_reasons[slug] = (totals_reasons[slug] or 0) + n end
    plan_sums(prefix .. 'campaign:' .. campaign_name(number) .. ':reasons', sums)
  end
  for field, n in pairs(totals_apart) do totals[field] = (totals[field] or 0) + n end
  plan_sums(prefix .. 'totals', totals)
  plan_sums(prefix .. 'totals:reasons', totals_reasons)
  for key, sums in pairs(minutes) do plan_sums(key, sums, MINUTE_TTL_S) end
  for key, known in pairs(named) do plan_sums(key, known.sums, nil, true) end
end

-- The state that a campaign shows: the latest event's, or inferred from results.
local function plan_campaign(info)
  write({'ZADD', prefix .. 'campaigns', 'GT', integer(info.score), info.name})
  local before = info.before
  if before[1] == info.first and before[2] == info.last and before[3] == info.event_state and before[4] == info.event_at
    and before[5] == info.last_result then
    return
  end
  local set = {'HSET', info.key, 'first_event_at', iso(info.first), 'last_event_at', iso(info.last)}
  local function put(field, value)
    set[#set + 1] = field
    set[#set + 1] = value
  end
  if info.event_state then
    put('event_state', info.event_state)
    put('event_at', iso(info.event_at))
  end
  if info.last_result then put('last_result_at', iso(info.last_result)) end
  local inferred = info.last_result
    and (not info.event_state or (info.event_state == 'scheduled' and info.last_result > info.event_at))
  if inferred or info.event_state then
    put('state', inferred and 'running' or info.event_state)
    put('state_at', iso(inferred and info.last_result or info.event_at))
    put('state_source', inferred and 'inferred' or 'event')
  end
  write(set)
end

-- A stream whose ids come to their end would take some entries and refuse the others. (One entry is the first write: there
-- is nothing before it.)
local function plan_stream()
  if #entries == 0 then return end
  if check_type(results_key, 'stream') and #entries > 1 then
    local info = read(results_key, 'XINFO', 'STREAM', results_key)
    for i = 1, #info, 2 do
      local ms, sequence = string.match(info[i] == 'last-generated-id' and info[i + 1] or '', '^(%d+)-(%d+)$')
      if ms == '18446744073709551615' and tonumber(sequence) > 2 ^ 64 - 2 ^ 32 then
        fail(results_key, 'ERR its last id leaves no room for further ones')
      end
    end
  end
  for _, entry in ipairs(entries) do write(entry) end
end

local function plan_generations()
  if born then
    write({'HSET', generations_key, born.number,
      integer(born.birth) .. ':' .. integer(born.length) .. ':' .. integer(born.keep) .. ':' .. born.buckets})
  end
  if #dead_generations > 0 then check_type(sizes_key, 'hash') end
  for _, number in ipairs(dead_generations) do
    -- the greatest stays until a greater one is noted
    if number < generations[1].number then write({'HDEL', generations_key, number}) end
    write({'HDEL', sizes_key, number})
  end
  for _, number in ipairs(new_names) do
    write({'HSET', ids_key, names[number], number})
    write({'HSET', names_key, number, names[number]})
  end
end

local function plan_optouts()
  for key, phones in pairs(optouts) do
    for phone, known in pairs(phones) do
      if known.changed then write({'ZADD', key, integer(known.score), phone}) end
    end
  end
end

-- Encodes the drops that changed, and sums up how many the current generation gets.
local function encode_drops()
  local added = 0
  for _, entry in ipairs(drop_order) do
    entry.new_raw = encode(entry.drop)
    if entry.new_raw ~= entry.raw then
      entry.new_key = bucket_key(generations[1], entry.hash, ':')
      if entry.new_key ~= entry.key then added = added + 1 end
    end
  end
  plan_sums(sizes_key, {[generations[1].number] = added})
end

-- The lookups: foreign_id → what its keys hold after the events so far. `id`, `text` and `time` are of the drop that
-- dc:result shows (id nil: it shows none), `drop` is what is to be written there. `added` and `removed` are what changes in
-- the set of the drops that share the foreign_id; `top` is the best of the others in it, `rank` its place in Redis.
local lookups = {}

-- The packed id of the drop that a lookup shows.
local function packed_id(text, id_sha256)
  if id_sha256 then
    if #id_sha256 ~= 64 or string.find(id_sha256, '%X') then return '' end -- not ours: no drop has that id
    return 'h' .. string.gsub(id_sha256, '..', function(pair) return char(tonumber(pair, 16)) end)
  end
  local plain = string.gsub(text, '-', '')
  local uuid = #text == 36 and string.match(text, '^%x+%-%x+%-%x+%-%x+%-%x+$') and #plain == 32
  if uuid or (#text == 24 and string.match(text, '^%x+$')) then
    return (string.gsub(plain, '..', function(pair) return char(tonumber(pair, 16)) end))
  end
  if #text == 11 or #text == 15 then return 'T' .. text .. '.' end
  return 't' .. text
end

local function load_lookup(foreign_id)
  local lookup = lookups[foreign_id]
  if lookup then return lookup end
  local key = prefix .. 'result:' .. foreign_id
  local shown = read(key, 'HMGET', key, 'drop_id', 'id_sha256', 'at')
  lookup = {key = key, foreign_id = foreign_id, id = nil, text = nil, time = nil, drop = nil, had_sha256 = shown[2]}
  if shown[1] then
    lookup.id, lookup.text, lookup.time = packed_id(shown[1], shown[2]), shown[1], ms_of(shown[3]) or 0
  end
  lookups[foreign_id] = lookup
  return lookup
end

local function load_set(lookup)
  if lookup.set_key then return end
  lookup.set_key, lookup.added, lookup.removed, lookup.rank = prefix .. 'drops:shared:' .. lookup.foreign_id, {}, {}, -1
end

-- Members sort as in Redis: by time, equal times by their bytes. One is drop_id, NUL, packed id, its length.
local function shared_member(text, id)
  return text .. '\0' .. id .. char(#id)
end

-- The best member of the set in Redis that is neither added anew nor removed, and its time.
local function stored_top(lookup)
  load_set(lookup)
  while lookup.top ~= false and (not lookup.top or lookup.removed[lookup.top] or lookup.added[lookup.top]) do
    lookup.rank = lookup.rank + 1
    local found = lookup.rank < MAX_SHARED
      and read(lookup.set_key, 'ZREVRANGE', lookup.set_key, lookup.rank, lookup.rank, 'WITHSCORES') or {}
    lookup.top, lookup.top_time = found[1] or false, tonumber(found[2])
  end
  return lookup.top, lookup.top_time
end

local function best_member(lookup)
  local best, best_time = stored_top(lookup)
  for member, time in pairs(lookup.added) do
    if not best or time > best_time or (time == best_time and less(best, member)) then best, best_time = member, time end
  end
  return best
end

local function unshare(lookup, member)
  load_set(lookup)
  lookup.added[member] = nil
  if read(lookup.set_key, 'ZSCORE', lookup.set_key, member) then lookup.removed[member] = true end
end

local function share(lookup, text, id, time)
  local member = shared_member(text, id)
  load_set(lookup)
  lookup.added[member], lookup.removed[member] = time, nil
end

-- The order of event_pack.c's event_id_hash.
local function id_hash(id)
  local hash = 7
  for i = 1, #id do hash = (hash * 257 + byte(id, i)) % 4294967291 end
  return hash
end

local others = {} -- drops that are only looked at, by id; false: forgotten

local function find_drop(id)
  if drops[id] then return drops[id].drop end
  if others[id] == nil then
    local hash = id_hash(id)
    others[id] = false
    for _, generation in ipairs(generations) do
      local key = bucket_key(generation, hash, ':')
      local raw = read(key, 'HGET', key, id)
      if raw then
        others[id] = decode_record(key, raw)
        break
      end
    end
  end
  return others[id]
end

local function show(lookup, text, id, d)
  lookup.id, lookup.text, lookup.time, lookup.drop = id, text, d.time, d
end

local function show_best(lookup)
  local member = best_member(lookup)
  while member do
    local len = byte(member, #member) or 0
    local id, text = sub(member, #member - len, #member - 1), sub(member, 1, #member - len - 2)
    local d = find_drop(id)
    if d then return show(lookup, text, id, d) end
    unshare(lookup, member) -- forgotten since
    member = best_member(lookup)
  end
  lookup.id, lookup.drop, lookup.gone = nil, nil, true
end

local function withdraw_result(foreign_id, entry)
  local lookup = load_lookup(foreign_id)
  unshare(lookup, shared_member(entry.text, entry.id))
  if lookup.id == entry.id then show_best(lookup) end
end

-- The lookup shows the drop with the latest time of all that share the foreign_id. Only where several do is a set kept.
local function publish_result(entry)
  local d, lookup = entry.drop, load_lookup(entry.drop.foreign_id)
  if not lookup.id then return show(lookup, entry.text, entry.id, d) end
  if lookup.id == entry.id then
    if not best_member(lookup) then return show(lookup, entry.text, entry.id, d) end
  else
    local other = find_drop(lookup.id)
    if other then
      share(lookup, lookup.text, lookup.id, other.time)
    elseif lookup.time > d.time then
      return -- that drop is forgotten by now, but what is shown of it is later
    end
  end
  share(lookup, entry.text, entry.id, d.time)
  show_best(lookup)
end

local function hex(raw)
  return (string.gsub(raw, '.', function(c) return string.format('%02x', byte(c)) end))
end

local function plan_result(lookup)
  local d, key = lookup.drop, lookup.key
  local set = {'HSET', key, 'outcome', d.failure == 1 and 'failure' or 'success',
    'reason', d.failure == 1 and slug_name(d.slug) or '', 'drop_id', lookup.text, 'phone', d.phone and phone_text(d.phone) or '',
    'campaign', campaign_name(d.campaign), 'at', iso(d.time)}
  -- tells apart the drops whose id is a hash; hex of it
  if byte(lookup.id, 1) == 104 and #lookup.id == 33 then
    set[#set + 1] = 'id_sha256'
    set[#set + 1] = hex(sub(lookup.id, 2))
  elseif lookup.had_sha256 then
    write({'HDEL', key, 'id_sha256'})
  end
  write(set)
  write({'EXPIRE', key, result_ttl})
end

local function plan_lookup(lookup)
  if lookup.drop then
    plan_result(lookup)
  elseif lookup.gone then
    write({'DEL', lookup.key})
  end
  if not lookup.set_key then return end
  for member in pairs(lookup.removed) do write({'ZREM', lookup.set_key, member}) end
  if next(lookup.added) then
    for member, time in pairs(lookup.added) do write({'ZADD', lookup.set_key, integer(time), member}) end
    write({'ZREMRANGEBYRANK', lookup.set_key, 0, -MAX_SHARED - 1})
    write({'EXPIRE', lookup.set_key, result_ttl})
  end
end

local function plan_lookups()
  if result_ttl == 0 then return end
  for _, entry in ipairs(drop_order) do
    if entry.new_key then
      local old, new = entry.old_foreign_id or '', entry.drop.foreign_id or ''
      if old ~= '' and old ~= new then withdraw_result(old, entry) end
      if new ~= '' then publish_result(entry) end
    end
  end
  for _, lookup in pairs(lookups) do plan_lookup(lookup) end
end

-- A field in the current generation; a new bucket gets the generation's end. Its type is known: it was read.
local function plan_record(key, field, value)
  local current = generations[1]
  write({'HSET', key, field, value})
  if redis.call('HLEN', key) == 0 then
    write({'PEXPIREAT', key, integer(current.birth + current.length + current.keep)})
  end
end

local function plan_records()
  for _, entry in ipairs(drop_order) do
    if entry.new_key then
      plan_record(entry.new_key, entry.id, entry.new_raw)
      if entry.key and entry.key ~= entry.new_key then write({'HDEL', entry.key, entry.id}) end
    end
  end
  for id, event in pairs(seen_events) do
    if not event.known then plan_record(bucket_key(generations[1], event.hash, ':e'), id, '') end
  end
end

-- In the order of writing. The records come last: they make a copy that comes again a duplicate. Should a write fail half
-- way and the rest not be kept either (part 5), then the retry counts too much, where all can see it, and loses nothing.
local function plan()
  local schema_key = prefix .. 'schema'
  local schema = read(schema_key, 'GET', schema_key)
  if schema and schema ~= SCHEMA then
    error('SCHEMA ' .. schema_key .. ' is ' .. sub(schema, 1, 40) .. ', this worker writes ' .. SCHEMA, 0)
  end
  check_type(prefix .. 'campaigns', 'zset')
  plan_stream()
  if not schema then write({'SET', schema_key, SCHEMA}) end
  plan_generations()
  plan_optouts()
  for _, info in pairs(campaigns) do plan_campaign(info) end
  plan_counters()
  encode_drops()
  plan_lookups()
  plan_records()
end

--------------------------------------------------------------------------------------------------------------------
-- Part 5: carrying them out. No key is of a wrong type now, and once the first write has passed Redis asks neither for
-- memory nor whether it is a replica. What may be refused all the same (permissions that let a user read a key and not write
-- it) stops the list: what is left of it, absolute values all, is kept, and the next batch of any worker begins with it.

local unfinished_key = prefix .. 'drops:unfinished'

-- Whether all were carried out; else the number of the first that was not, and why.
local function carry_out(commands)
  for i = 1, #commands do
    local reply = redis.pcall(unpack(commands[i]))
    if type(reply) == 'table' and reply.err then return false, i, reply.err end
  end
  return true
end

local function keep_from(commands, first)
  local rest = {}
  for i = first, #commands do rest[#rest + 1] = commands[i] end
  redis.call('SET', unfinished_key, cmsgpack.pack(rest))
end

local function finish_earlier()
  local kept = read(unfinished_key, 'GET', unfinished_key)
  if not kept then return end
  local readable, commands = pcall(cmsgpack.unpack, kept)
  if not readable or type(commands) ~= 'table' then fail(unfinished_key, 'ERR it is none that a worker wrote') end
  local done, at, why = carry_out(commands)
  if not done then
    if at > 1 then keep_from(commands, at) end
    fail(commands[at][2], why .. '; the rest of an earlier batch waits in ' .. unfinished_key)
  end
  redis.call('DEL', unfinished_key)
end

local function finish()
  local done, at, why = carry_out(writes)
  if done then return end
  if at == 1 then error(why, 0) end -- nothing was written
  keep_from(writes, at)
  fail(writes[at][2], why .. '; the rest of the batch waits in ' .. unfinished_key)
end

local function main()
  finish_earlier()
  load_generations()
  local applied = {}
  for i = FIRST_EVENT, #ARGV do
    local event = unpack_event(ARGV[i])
    applied[#applied + 1] = APPLY[event.kind](event)
  end
  plan()
  finish()
  return table.concat(applied)
end

local ok, reply = pcall(main)
if ok then return reply end
if type(reply) == 'table' then reply = reply.err end
return redis.error_reply(reply)
