-- Two copies of one drop become one (rule 3 of docs/classification.md).

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

-- Costs, and flags below: the winner's if it has them, else those of the latest copy that has.
local function merge_costs(d, costs, time, order)
  if order > 0 then d.costs = nil end
  if not costs then return end
  if order >= 0 and (not d.costs or costs_less(d.costs, costs)) then d.costs = costs end
  local latest = d.latest_costs
  if not latest or time > latest.time or (time == latest.time and costs_less(latest, costs)) then
    d.latest_costs = {costs[1], costs[2], costs[3], time = time}
  end
end

-- Costs that would bring a sum past its bound are none: first the copy's; then those kept of an earlier copy, which come
-- to count only because the winner changed. Left are those that count already, the winner's until `time_before`.
local function merge_costs_that_fit(d, event, order, time_before)
  local own, latest = d.costs, d.latest_costs
  local before = own or latest or NO_COSTS
  merge_costs(d, event.costs, event.time, order)
  if costs_fit(before, d.costs or d.latest_costs or NO_COSTS) then return end
  costs_ignored = costs_ignored + 1
  d.costs, d.latest_costs = own, latest
  merge_costs(d, nil, event.time, order)
  if costs_fit(before, d.costs or d.latest_costs or NO_COSTS) then return end
  d.latest_costs = {before[1], before[2], before[3], time = time_before}
end

local function merge_flags(d, event, order)
  if order > 0 then d.flags = nil end
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
