-- Reading, and what is refused. An error here ends the batch before anything was written.

-- Ends the batch, naming the key. A text, not a table: the pcall of Redis 7 turns tables into texts. What names a lookup
-- may be a phone number, in any spelling: it is not told.
local function fail(key, why)
  for _, stem in ipairs({prefix .. 'result:', prefix .. 'drops:shared:'}) do
    if sub(key, 1, #stem) == stem then key = stem .. '***' end
  end
  error('KEY ' .. key .. ': ' .. why, 0)
end

-- A call for reading: a wrong type is reported with the key's name.
local function read(key, ...)
  local reply = redis.pcall(...)
  if type(reply) == 'table' and reply.err then
    if not string.find(reply.err, 'WRONGTYPE', 1, true) then fail(key, reply.err) end
    fail(key, 'WRONGTYPE it holds a ' .. redis.call('TYPE', key).ok)
  end
  return reply
end

local function check_type(key, wanted)
  local kind = redis.call('TYPE', key).ok
  if kind ~= wanted and kind ~= 'none' then
    fail(key, 'WRONGTYPE it holds a ' .. kind .. ', not a ' .. wanted)
  end
  return kind ~= 'none'
end

-- Byte order. Lua's own < follows the locale of the server.
local function less(a, b)
  if a == b then return false end
  local shorter = math.min(#a, #b)
  for i = 1, shorter do
    local x, y = byte(a, i), byte(b, i)
    if x ~= y then return x < y end
  end
  return #a < #b
end

local function integer(n)
  return string.format('%.0f', n)
end

-- The count that a field holds; none is 0. `shown` names the field to people.
local function count_in(key, shown, value)
  if not value then return 0 end
  local count = string.find(value, '^%d+$') and tonumber(value)
  if not count or count >= TOO_LARGE then fail(key, 'ERR ' .. shown .. ' is not a whole number from 0 to 2^53') end
  return count
end
