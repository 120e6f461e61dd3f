-- The writes, each the whole command, with every key's type and every number checked.

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
    if after < 0 then fail(key, 'ERR ' .. shown .. ' is ' .. integer(before) .. ' and would become ' .. integer(after)) end
    if after >= TOO_LARGE then fail(key, 'ERR ' .. shown .. ' is ' .. integer(before) .. ' and would reach 2^53') end
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
