-- Campaign names are numbers in the records.

local names, numbers, next_number, new_names = {[0] = 'unassigned'}, {unassigned = 0}, nil, {}
local ids_key, names_key = prefix .. 'drops:campaign_numbers', prefix .. 'drops:campaign_names'

local function campaign_number(name)
  local number = numbers[name]
  if number then return number end
  local known = read(ids_key, 'HGET', ids_key, name)
  if known then
    number = string.find(known, '^%d+$') and tonumber(known)
    if not number or number < 1 or number > MAX_CAMPAIGNS then fail(ids_key, 'ERR one of its fields is no campaign number') end
  else
    if not next_number then
      next_number = read(ids_key, 'HLEN', ids_key)
      if next_number ~= read(names_key, 'HLEN', names_key) then
        fail(ids_key, 'ERR it and ' .. names_key .. ' differ in length: one of them was changed by hand')
      end
    end
    next_number = next_number + 1
    if next_number > MAX_CAMPAIGNS then fail(ids_key, 'ERR it is full') end
    if read(names_key, 'HEXISTS', names_key, next_number) == 1 then
      fail(names_key, 'ERR campaign ' .. next_number .. ' is there, but one before it is not: it was changed by hand')
    end
    number = next_number
    new_names[#new_names + 1] = number
  end
  numbers[name], names[number] = number, name
  return number
end

local function campaign_name(number)
  local name = names[number]
  if not name then
    name = read(names_key, 'HGET', names_key, number)
    if not name then
      fail(names_key, 'ERR it lost the name of campaign ' .. number)
    end
    names[number], numbers[name] = name, number
  end
  return name
end
