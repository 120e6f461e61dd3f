-- The events, in order, by their kind.

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
  if event.costs and not costs_fit(NO_COSTS, event.costs) then
    event.costs, costs_ignored = nil, costs_ignored + 1
  end
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
  local before, phone_before, foreign_before, time_before = counted_as(d), d.phone, d.foreign_id, d.time
  local order = compare_winner(event, d)
  if order > 0 then d.class, d.time, d.failure, d.slug = event.class, event.time, event.failure, event.slug end
  merge_costs_that_fit(d, event, order, time_before)
  merge_flags(d, event, order)
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
