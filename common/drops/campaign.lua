-- One campaign, asked for by a name or by a number: its number, and its name. Gives a number to what has none.
-- KEYS: 1 dc:drops:campaign_numbers, 2 dc:drops:campaign_names, 3 dc:campaign_aliases, 4 dc:schema, 5 dc:drops:epoch
-- ARGV: 1 name (empty: by number), 2 number, 3 schema, 4 epoch
-- Answers {number, name}, with 'new' behind them if it was given the number now; {} for a number whose name is lost. One that
-- only the names lost is known by the numbers.
-- Names of several numbers, which aliases leave behind, and numbers that were given anew after a loss lead to one number:
-- the one that the name has.

if redis.call('GET', KEYS[4]) ~= ARGV[3] or redis.call('GET', KEYS[5]) ~= ARGV[4] then
  return redis.error_reply('EPOCH is another')
end
for i = 1, 3 do
  local kind = redis.call('TYPE', KEYS[i]).ok
  if kind ~= 'hash' and kind ~= 'none' then
    return redis.error_reply('KEY ' .. KEYS[i] .. ': WRONGTYPE it holds a ' .. kind .. ', not a hash')
  end
end
local name = ARGV[1] ~= '' and ARGV[1] or redis.call('HGET', KEYS[2], ARGV[2])
if not name then
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    if all[i] ~= '#' and all[i + 1] == ARGV[2] then name = all[i] end
  end
end
if not name then return {} end
name = redis.call('HGET', KEYS[3], name) or name
local number = redis.call('HGET', KEYS[1], name)
if not number then
  -- '#' is no name: the last number that was given. Neither hash alone can be lost so that a number is given twice.
  repeat number = redis.call('HINCRBY', KEYS[1], '#', 1) until redis.call('HSETNX', KEYS[2], number, name) == 1
  redis.call('HSET', KEYS[1], name, number)
  return {tostring(number), name, 'new'}
end
redis.call('HSETNX', KEYS[2], number, name)
return {tostring(number), name}
