-- A drop as the bytes that are remembered of it.

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
