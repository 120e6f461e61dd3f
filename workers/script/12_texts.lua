-- Times, slugs and phones, as numbers or bytes here, as texts in the public keys.

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
