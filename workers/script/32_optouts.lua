-- The lists of phones that opted out. None is ever taken off.

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
