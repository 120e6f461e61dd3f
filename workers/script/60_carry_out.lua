-- Carrying the writes out. No key is of a wrong type now, and once the first write has passed Redis asks neither for
-- memory nor whether it is a replica. What may be refused all the same (permissions that let a user read a key and not write
-- it) stops the list: what is left of it, absolute values all, is kept, and the next batch of any worker begins with it.

local unfinished_key = prefix .. 'drops:unfinished'

-- Whether all were carried out; else the number of the first that was not, and why.
local function carry_out(commands)
  for i = 1, #commands do
    local reply = redis.pcall(unpack(commands[i]))
    if type(reply) == 'table' and reply.err then return false, i, reply.err end
  end
  return true
end

local function keep_from(commands, first)
  local rest = {}
  for i = first, #commands do rest[#rest + 1] = commands[i] end
  redis.call('SET', unfinished_key, cmsgpack.pack(rest))
end

local function finish_earlier()
  local kept = read(unfinished_key, 'GET', unfinished_key)
  if not kept then return end
  local readable, commands = pcall(cmsgpack.unpack, kept)
  if not readable or type(commands) ~= 'table' then fail(unfinished_key, 'ERR it is none that a worker wrote') end
  local done, at, why = carry_out(commands)
  if not done then
    if at > 1 then keep_from(commands, at) end
    fail(commands[at][2], why .. '; the rest of an earlier batch waits in ' .. unfinished_key)
  end
  redis.call('DEL', unfinished_key)
end

local function finish()
  local done, at, why = carry_out(writes)
  if done then return end
  if at == 1 then error(why, 0) end -- nothing was written
  keep_from(writes, at)
  fail(writes[at][2], why .. '; the rest of the batch waits in ' .. unfinished_key)
end
