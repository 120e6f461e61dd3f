-- Makes repairs, if they were computed under the present epoch, and no worker has met damage since: what it took from a count
-- that was lost is in none. Raises the epoch, so that workers forget what was damaged.
-- ARGV: 1 REDIS_PREFIX, 2 epoch (empty: none), 3 when a worker last met damage (empty: never), then for each repair: how, name
--   of the key, field or member, value:
--   add    adds to a field of counts (what it holds is taken for 0 if it is no number), and deletes it at 0
--   time   sets a field that is missing, is no such time, or has an earlier one
--   name   sets a field that is missing
--   phone  gives a phone an earlier time
--   list   lists a phone; refused if it is listed by now, for then a worker has counted it
--   score  lists a campaign, or gives it a later time
-- Answers the epoch after it.

local prefix, epoch_key = ARGV[1], ARGV[1] .. 'drops:epoch'
local TYPES = {add = 'hash', time = 'hash', name = 'hash', phone = 'zset', list = 'zset', score = 'zset'}
local repair = {}

function repair.add(key, field, by)
  local sum = redis.pcall('HINCRBY', key, field, by)
  if type(sum) == 'table' then
    sum = tonumber(by)
    redis.call('HSET', key, field, by)
  end
  if sum <= 0 then redis.call('HDEL', key, field) end
end

function repair.time(key, field, time)
  local held = redis.call('HGET', key, field)
  if not held or #held ~= #time or held < time then redis.call('HSET', key, field, time) end
end

function repair.name(key, field, name) redis.call('HSETNX', key, field, name) end
function repair.phone(key, phone, ms) redis.call('ZADD', key, 'LT', ms, phone) end
repair.list = repair.phone
function repair.score(key, name, ms) redis.call('ZADD', key, 'GT', ms, name) end

if (redis.call('GET', epoch_key) or '') ~= ARGV[2] then return redis.error_reply('EPOCH is another') end
if (redis.call('GET', epoch_key .. ':damaged') or '') ~= ARGV[3] then return redis.error_reply('EPOCH has more damage') end
for i = 4, #ARGV, 4 do
  local kind = redis.call('TYPE', prefix .. ARGV[i + 1]).ok
  if kind ~= 'none' and kind ~= TYPES[ARGV[i]] then
    return redis.error_reply('KEY ' .. prefix .. ARGV[i + 1] .. ': WRONGTYPE it holds a ' .. kind)
  end
  if ARGV[i] == 'list' and redis.call('ZSCORE', prefix .. ARGV[i + 1], ARGV[i + 2]) then
    return redis.error_reply('EPOCH: a phone was listed meanwhile')
  end
end
for i = 4, #ARGV, 4 do repair[ARGV[i]](prefix .. ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]) end
local incarnation, revision = string.match(ARGV[2], '^(.*):(%d+)$')
if incarnation then redis.call('SET', epoch_key, string.format('%s:%d', incarnation, revision + 1)) end
return redis.call('GET', epoch_key) or ''
