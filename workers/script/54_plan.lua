-- In the order of writing. The records come last: they make a copy that comes again a duplicate. Should a write fail half
-- way and the rest not be kept either (part 6), then the retry counts too much, where all can see it, and loses nothing.
local function plan()
  local schema_key = prefix .. 'schema'
  local schema = read(schema_key, 'GET', schema_key)
  if schema and schema ~= SCHEMA then
    error('SCHEMA ' .. schema_key .. ' is ' .. sub(schema, 1, 40) .. ', this worker writes ' .. SCHEMA, 0)
  end
  check_type(prefix .. 'campaigns', 'zset')
  plan_stream()
  if not schema then write({'SET', schema_key, SCHEMA}) end
  plan_generations()
  plan_optouts()
  for _, info in pairs(campaigns) do plan_campaign(info) end
  plan_counters()
  encode_drops()
  plan_lookups()
  plan_records()
end
