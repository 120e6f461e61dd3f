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
