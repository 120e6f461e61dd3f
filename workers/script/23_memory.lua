-- What was seen before: drops, and events that are no results.

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
