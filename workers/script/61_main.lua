local function main()
  finish_earlier()
  load_generations()
  local applied = {}
  for i = FIRST_EVENT, #ARGV do
    local event = unpack_event(ARGV[i])
    applied[#applied + 1] = APPLY[event.kind](event)
  end
  plan()
  finish()
  return table.concat(applied) .. (costs_ignored > 0 and ' ' .. costs_ignored or '')
end

local ok, reply = pcall(main)
if ok then return reply end
if type(reply) == 'table' then reply = reply.err end
return redis.error_reply(reply)
