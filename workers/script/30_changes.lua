-- What changes: sums of differences, and the few values that are not sums.

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
