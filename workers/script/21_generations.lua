-- Generations, the current one first. A generation takes drops for its length and keeps them for `keep` after that;
-- all of it is stored at its birth.
local generations_key, sizes_key = prefix .. 'drops:generations', prefix .. 'drops:sizes'
local generations, dead_generations, born = {}, {}, nil

local greatest_number = 0 -- of all generations ever noted here: numbers are not used again, buckets of the old might be left

local function birth(last)
  local buckets = FIRST_BUCKETS
  if last then
    local size = count_in(sizes_key, 'its field ' .. last.number, read(sizes_key, 'HGET', sizes_key, last.number))
    -- what the last one took, made up to a whole length
    local share = math.min(1, math.max(0.01, (now - last.birth) / last.length))
    buckets = math.max(MIN_BUCKETS, math.min(MAX_BUCKETS, floor(size / share / DROPS_A_BUCKET)))
  end
  born = {number = greatest_number + 1, birth = now, length = retention_ms, keep = retention_ms, buckets = buckets}
  return born
end

local function load_generations()
  local fields = read(generations_key, 'HGETALL', generations_key)
  for i = 1, #fields, 2 do
    local start, length, keep, buckets = string.match(fields[i + 1], '^(%d+):(%d+):(%d+):(%d+)$')
    if not start or tonumber(buckets) < 1 or tonumber(start) + tonumber(length) + tonumber(keep) >= TOO_LARGE
      or not string.find(fields[i], '^%d+$') or #fields[i] > 9 then
      fail(generations_key, 'ERR its field ' .. fields[i] .. ' is none that a worker wrote')
    end
    local generation = {number = tonumber(fields[i]), birth = tonumber(start), length = tonumber(length),
      keep = tonumber(keep), buckets = tonumber(buckets)}
    greatest_number = math.max(greatest_number, generation.number)
    if now > generation.birth + generation.length + generation.keep then
      dead_generations[#dead_generations + 1] = generation.number
    else
      generations[#generations + 1] = generation
    end
  end
  table.sort(generations, function(a, b) return a.number > b.number end)
  local current = generations[1]
  if not current or now >= current.birth + current.length or current.keep < retention_ms then
    table.insert(generations, 1, birth(current))
  end
end

local function bucket_key(generation, hash, kind)
  local stem = generation[kind]
  if not stem then
    stem = prefix .. 'drops:' .. generation.number .. kind
    generation[kind] = stem
  end
  return stem .. hash % generation.buckets
end
