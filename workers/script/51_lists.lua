-- Campaigns, opt-outs and the stream.

-- The state that a campaign shows: the latest event's, or inferred from results.
local function plan_campaign(info)
  write({'ZADD', prefix .. 'campaigns', 'GT', integer(info.score), info.name})
  local before = info.before
  if before[1] == info.first and before[2] == info.last and before[3] == info.event_state and before[4] == info.event_at
    and before[5] == info.last_result then
    return
  end
  local set = {'HSET', info.key, 'first_event_at', iso(info.first), 'last_event_at', iso(info.last)}
  local function put(field, value)
    set[#set + 1] = field
    set[#set + 1] = value
  end
  if info.event_state then
    put('event_state', info.event_state)
    put('event_at', iso(info.event_at))
  end
  if info.last_result then put('last_result_at', iso(info.last_result)) end
  local inferred = info.last_result
    and (not info.event_state or (info.event_state == 'scheduled' and info.last_result > info.event_at))
  if inferred or info.event_state then
    put('state', inferred and 'running' or info.event_state)
    put('state_at', iso(inferred and info.last_result or info.event_at))
    put('state_source', inferred and 'inferred' or 'event')
  end
  write(set)
end

-- A stream whose ids come to their end would take some entries and refuse the others. (One entry is the first write: there
-- is nothing before it.)
local function plan_stream()
  if #entries == 0 then return end
  if check_type(results_key, 'stream') and #entries > 1 then
    local info = read(results_key, 'XINFO', 'STREAM', results_key)
    for i = 1, #info, 2 do
      local ms, sequence = string.match(info[i] == 'last-generated-id' and info[i + 1] or '', '^(%d+)-(%d+)$')
      if ms == '18446744073709551615' and tonumber(sequence) > 2 ^ 64 - 2 ^ 32 then
        fail(results_key, 'ERR its last id leaves no room for further ones')
      end
    end
  end
  for _, entry in ipairs(entries) do write(entry) end
end

local function plan_optouts()
  for key, phones in pairs(optouts) do
    for phone, known in pairs(phones) do
      if known.changed then write({'ZADD', key, integer(known.score), phone}) end
    end
  end
end
