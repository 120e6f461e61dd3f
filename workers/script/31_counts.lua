-- What a drop counts as, and the times of its campaign.

-- What a drop counts as: equal texts, equal counts.
local NO_COSTS = {0, 0, 0}
local function counted_as(d)
  return {campaign = d.campaign, failure = d.failure, slug = d.slug, costs = d.costs or d.latest_costs or NO_COSTS,
    flags = d.flags or (d.latest_flags and d.latest_flags.bits) or 0}
end

-- Sums of money, which absurd costs could bring to where numbers are no longer exact. What would do so is refused before it
-- is part of the record, so that what is taken back later is what was counted. dc:totals decides: no campaign's sum is greater.
local COST_FIELDS = {'product_cost_micros', 'compliance_fee_micros', 'tts_fee_micros'}
local cost_totals, cost_differences = {}, {0, 0, 0} -- what dc:totals holds, where it was asked for; what this batch adds
local costs_ignored = 0                             -- events

local function costs_fit(before, after)
  for i = 1, 3 do
    local more = after[i] - before[i]
    if more > 0 then
      if not cost_totals[i] then
        local key, field = prefix .. 'totals', COST_FIELDS[i]
        cost_totals[i] = count_in(key, 'its field ' .. field, read(key, 'HGET', key, field))
      end
      if cost_totals[i] + cost_differences[i] + more >= TOO_LARGE then return false end
    end
  end
  return true
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
    for i = 1, 3 do
      local field = COST_FIELDS[i]
      sums[field] = (sums[field] or 0) + n * costs[i]
      cost_differences[i] = cost_differences[i] + n * costs[i]
    end
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
