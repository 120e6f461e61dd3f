-- What is remembered from now on.

local function plan_generations()
  if born then
    write({'HSET', generations_key, born.number,
      integer(born.birth) .. ':' .. integer(born.length) .. ':' .. integer(born.keep) .. ':' .. born.buckets})
  end
  if #dead_generations > 0 then check_type(sizes_key, 'hash') end
  for _, number in ipairs(dead_generations) do
    -- the greatest stays until a greater one is noted
    if number < generations[1].number then write({'HDEL', generations_key, number}) end
    write({'HDEL', sizes_key, number})
  end
  for _, number in ipairs(new_names) do
    write({'HSET', ids_key, names[number], number})
    write({'HSET', names_key, number, names[number]})
  end
end

-- Encodes the drops that changed, and sums up how many the current generation gets.
local function encode_drops()
  local added = 0
  for _, entry in ipairs(drop_order) do
    entry.new_raw = encode(entry.drop)
    if entry.new_raw ~= entry.raw then
      entry.new_key = bucket_key(generations[1], entry.hash, ':')
      if entry.new_key ~= entry.key then added = added + 1 end
    end
  end
  plan_sums(sizes_key, {[generations[1].number] = added})
end

-- A field in the current generation; a new bucket gets the generation's end. Its type is known: it was read.
local function plan_record(key, field, value)
  local current = generations[1]
  write({'HSET', key, field, value})
  if redis.call('HLEN', key) == 0 then
    write({'PEXPIREAT', key, integer(current.birth + current.length + current.keep)})
  end
end

local function plan_records()
  for _, entry in ipairs(drop_order) do
    if entry.new_key then
      plan_record(entry.new_key, entry.id, entry.new_raw)
      if entry.key and entry.key ~= entry.new_key then write({'HDEL', entry.key, entry.id}) end
    end
  end
  for id, event in pairs(seen_events) do
    if not event.known then plan_record(bucket_key(generations[1], event.hash, ':e'), id, '') end
  end
end
