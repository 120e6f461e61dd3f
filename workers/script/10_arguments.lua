-- Applies a batch of events to the live counters: all of them or, on any error, none. The build joins the files of this
-- folder, in the order of their names, into one script: 1 what it is given, 2 what is remembered, 3 what changes, 4 the
-- events one by one, 5 the writes that make it so, 6 carrying them out.
--
-- ARGV: 1 prefix, 2 RETENTION_S, 3 RESULT_TTL_S, 4 RESULTS_STREAM_MAX, 5 the slugs of the reasons by number from 1,
-- comma-separated, 6… the events as event_pack.c packs them. Answers one digit an event, enum applied; behind them, if
-- there are any, a space and how many events' costs were ignored because a sum would have become too large.
--
-- Redis does not roll a script back. So everything is read, decoded, computed and checked first (parts 1 to 5: reads only,
-- and an error leaves nothing behind). What comes out is a list of commands, which part 6 carries out without a thought.
-- Whatever is written was read before as what it is written as. The rules are those of docs/classification.md.

local prefix = ARGV[1]
local retention_ms = tonumber(ARGV[2]) * 1000
local result_ttl = tonumber(ARGV[3])
local stream_max = tonumber(ARGV[4])
local FIRST_EVENT = 6

local EVENT_FORMAT = '<BBBBBI4I6I6I5I5I5Bc0Bc0Bc0Bc0Bc0Bc0I2c0Bc0'
local SCHEMA = '1'
local DROPS_A_BUCKET = 30
local FIRST_BUCKETS, MIN_BUCKETS, MAX_BUCKETS = 32768, 4096, 1048576
local RECEIVED_EPOCH_MS = 1577836800000 -- 2020: five bytes of ms reach to 2054
local MAX_ALTERNATIVES = 7              -- further phones and campaigns kept for a drop
local MAX_SHARED = 64                   -- drops remembered for one foreign_id
local MAX_NAMED_FIELDS = 255
local MINUTE_TTL_S = 86400
local MAX_CAMPAIGNS = 16777215          -- three bytes in a record
local TOO_LARGE = 9007199254740992      -- 2^53: from here on numbers are not exact
local RESULT, OPT_OUT, CAMPAIGN, OTHER = 0, 1, 2, 3
local COUNTED, REVISED, DUPLICATE, APPLIED_OPT_OUT, APPLIED_CAMPAIGN, UNRECOGNIZED = '0', '1', '2', '3', '4', '5'
local STATES = {[0] = 'scheduled', 'running', 'paused', 'completed'}
local STATE_ORDER = {scheduled = 0, running = 1, paused = 2, completed = 3}

local band, floor, byte, char, sub = bit.band, math.floor, string.byte, string.char, string.sub
local pack, unpack_struct = struct.pack, struct.unpack
