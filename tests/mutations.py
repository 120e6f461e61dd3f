"""The rules that scripts/mutate takes away, and the tests that should see it.

A mutation replaces `old`, which stands once in `file`, by `new`. `taken` is the rule that is gone then. `tests` are unit
programs of tests/unit and nodes of tests/integration: the fewest and fastest that tell."""

from typing import NamedTuple


class Mutation(NamedTuple):
    name: str
    taken: str
    file: str
    old: str
    new: str
    tests: list
    hangs: bool = False  # whether it is seen by a test that does not end


GENERATIONS = "test_generations.py"
DEADLY = "test_worker_suspects.py::test_only_the_deadly_are_rejected_byte_for_byte_and_the_worker_lives"
PLANTED = "test_redis_damage.py::test_a_key_of_a_wrong_type_stops_the_batch_and_leaves_nothing_half_written"
MODEL = "test_model.py::test_random_sequences_leave_in_redis_what_the_model_says"

WHO_MAY_SEND = [
    Mutation(
        "mac-not-compared", "a signature or token is compared with the right one",
        "common/sha256.c",
        "return CRYPTO_memcmp(a, b, SHA256_SIZE) == 0;",
        "return a && b;",
        ["test_signature", "test_callback_token"],
    ),
    Mutation(
        "mac-compared-in-part", "a signature or token is compared to its end",
        "common/sha256.c",
        "return CRYPTO_memcmp(a, b, SHA256_SIZE) == 0;",
        "return CRYPTO_memcmp(a, b, 8) == 0;",
        ["test_sha256"],
    ),
    Mutation(
        "only-the-first-key", "each secret of a rotation is tried",
        "common/signature.c",
        "for (size_t i = 0; i < key_count; i++) {",
        "for (size_t i = 0; i < key_count && i < 1; i++) {",
        ["test_signature"],
    ),
    Mutation(
        "timestamp-not-checked", "a timestamp outside TIMESTAMP_TOLERANCE_S is refused",
        "common/signature.c",
        "return distance_s > tolerance_s ? SIGNATURE_STALE : SIGNATURE_OK;",
        "return distance_s > tolerance_s ? SIGNATURE_OK : SIGNATURE_OK;",
        ["test_signature"],
    ),
    Mutation(
        "signature-of-any-body", "the signature is checked against the body",
        "bridge/intake.c",
        "answer = check_signature(intake, decision->scheme, request, body);",
        "answer = check_signature(intake, ENVELOPE_OFF, request, body);",
        ["test_intake"],
    ),
    Mutation(
        "token-of-any-campaign", "a token holds for its campaign only",
        "common/callback_token.c",
        "const struct bytes parts[] = {bytes_of_text(token_prefix), bytes_of_text(campaign)};\n"
        "    return hmac_sha256(key, parts, 2, mac);",
        "const struct bytes parts[] = {bytes_of_text(token_prefix), bytes_of_text(campaign)};\n"
        "    return hmac_sha256(key, parts, 1, mac);",
        ["test_callback_token"],
    ),
    Mutation(
        "length-and-chunks", "Content-Length beside Transfer-Encoding is refused",
        "bridge/framing.c",
        "if (length && encoding)",
        "if (length && encoding && count == 0)",
        ["test_framing"],
    ),
    Mutation(
        "headers-given-twice", "a header that must be single is refused when given twice",
        "bridge/framing.c",
        "if (seen & (1u << k))\n                return true;",
        "if (seen & (1u << k))\n                return false;",
        ["test_framing"],
    ),
    Mutation(
        "body-limit-ignored", "an announced body past MAX_BODY_BYTES is refused",
        "bridge/http_server.c",
        "x->framing.length > (uint64_t)x->server->settings.max_body_bytes)",
        "x->framing.length > (uint64_t)x->server->settings.max_body_bytes * 1000)",
        ["test_bridge_framing.py::test_an_announced_body_past_the_limit_is_refused_before_it_is_sent"],
    ),
    Mutation(
        "chunked-limit-ignored", "chunks past MAX_BODY_BYTES are refused",
        "bridge/http_server.c",
        "const size_t limit = (size_t)x->server->settings.max_body_bytes;",
        "const size_t limit = (size_t)x->server->settings.max_body_bytes * 1000;",
        ["test_bridge_framing.py::test_chunks_past_the_limit_are_refused_as_soon_as_they_pass_it"],
    ),
    Mutation(
        "phones-in-the-log", "phone numbers are masked in the log",
        "common/log.c",
        "out[i] = i < head || i >= len - tail ? phone[i] : '*';",
        "out[i] = i < head + len || i >= len - tail ? phone[i] : '*';",
        ["test_log"],
    ),
]

ACCEPTING = [
    Mutation(
        "confirm-not-awaited", "a message is safe when the broker has confirmed it",
        "bridge/publish_lane.c",
        'if (protection("confirm")) {\n        confirm_window_push',
        'if (!protection("confirm")) {\n        confirm_window_push',
        ["test_publish_lane"],
    ),
    Mutation(
        "return-ignored", "a message that came back is not safe, though it is acked",
        "bridge/publish_lane.c",
        "const bool returned = ticket_is_returned(ticket);",
        "const bool returned = !ticket;",
        ["test_publish_lane"],
    ),
    Mutation(
        "not-mandatory", "the broker is asked to return what no queue takes",
        "bridge/publish_lane.c",
        'protection("mandatory"), 0, &properties.basic, content);',
        '!protection("mandatory"), 0, &properties.basic, content);',
        ["test_publish_lane"],
    ),
    Mutation(
        "nack-is-an-ack", "a nack is no confirm",
        "bridge/publish_lane.c",
        "bridge_count(lane->metrics, METRIC_NACKED, 1);\n    ticket_settle(item, PUBLISH_FAILED);",
        "bridge_count(lane->metrics, METRIC_NACKED, 1);\n    ticket_settle(item, PUBLISH_CONFIRMED);",
        ["test_publish_lane"],
    ),
    Mutation(
        "confirms-of-a-former-channel", "a confirm of a channel that is shut is not believed",
        "bridge/publish_lane.c",
        "if (lane->shut) /* of the channel that was; its tags are not those of the next */\n        return true;",
        "",
        ["test_publish_lane"],
    ),
    Mutation(
        "not-spooled", "what the broker does not take goes to the spool",
        "bridge/keeper.c",
        'if (!own || !protection("spool"))',
        'if (!own || protection("spool"))',
        ["test_keeper"],
    ),
    Mutation(
        "shared-with-the-spool", "what may still be on its way is spooled as a copy",
        "bridge/keeper.c",
        "case PUBLISH_TIMEOUT:\n        return true;",
        "case PUBLISH_TIMEOUT:\n        return false;",
        ["test_keeper"],
    ),
    Mutation(
        "a-full-spool-is-safe", "only what the spool has taken is answered with 200",
        "bridge/keeper.c",
        "keeper->spool(keeper->context, own, deadline_ms) == PUBLISH_CONFIRMED;",
        "keeper->spool(keeper->context, own, deadline_ms) != PUBLISH_FAILED;",
        ["test_keeper"],
    ),
    Mutation(
        "no-deadline", "an answer waits no longer than promised",
        "bridge/keeper.c",
        'const int64_t more_ms = protection("deadline") ? 0 : WITHOUT_DEADLINE_MS;',
        'const int64_t more_ms = protection("deadline") ? WITHOUT_DEADLINE_MS : 0;',
        ["test_keeper"],
    ),
]

SPOOLING = [
    Mutation(
        "synchronous-off", "the spool syncs before it confirms (synchronous=OFF)",
        "bridge/spool_file.c",
        'protection("spool-sync") ? "FULL" : "NORMAL"',
        'protection("spool-sync") ? "OFF" : "NORMAL"',
        ["test_spool"],
    ),
    Mutation(
        "synchronous-normal", "the spool syncs before it confirms (synchronous=NORMAL)",
        "bridge/spool_file.c",
        'protection("spool-sync") ? "FULL" : "NORMAL"',
        'protection("spool-sync") ? "NORMAL" : "FULL"',
        ["test_spool"],
    ),
    Mutation(
        "spool-errors-ignored", "a write that failed confirms nothing",
        "bridge/spool_store.c",
        'out->outcome = protection("spool-errors") ? PUBLISH_FAILED : PUBLISH_CONFIRMED;',
        'out->outcome = protection("spool-errors") ? PUBLISH_CONFIRMED : PUBLISH_FAILED;',
        ["test_spool"],
    ),
    Mutation(
        "spool-without-bound", "the spool stays within SPOOL_MAX_BYTES",
        "bridge/spool_file.c",
        "return max_bytes / PAGE_BYTES;",
        "return max_bytes / PAGE_BYTES * 4;",
        ["test_spool_file"],
    ),
    Mutation(
        "row-checksum-not-checked", "a row whose checksum does not hold is damaged",
        "bridge/spool_row.c",
        "bytes_equal(checksum, bytes_of(digest, sizeof digest));",
        "checksum.len == sizeof digest;",
        ["test_spool_file"],
    ),
    Mutation(
        "drained-before-the-confirm", "a message leaves the spool when the broker has it",
        "bridge/spool_drain.c",
        'return protection("drain-confirm") ? outcome : PUBLISH_CONFIRMED;',
        'return protection("drain-confirm") ? PUBLISH_CONFIRMED : outcome;',
        ["test_spool_drain"],
    ),
    Mutation(
        "drain-ignores-the-stop", "a stop ends the wait for the confirms of the spool's",
        "bridge/spool_drain.c",
        "stop_ms && stop_ms < deadline_ms ? stop_ms : deadline_ms;",
        "stop_ms && stop_ms < 0 ? stop_ms : deadline_ms;",
        ["test_spool_drain"],
        hangs=True,
    ),
]

CONSUMING = [
    Mutation(
        "acknowledged-before-redis", "a batch is acknowledged when Redis has it",
        "workers/batch.c",
        "case APPLY_WAITS:\n        batch->phase = PHASE_WAIT;",
        "case APPLY_WAITS:\n        batch->phase = PHASE_ACKNOWLEDGE;",
        ["test_batch"],
    ),
    Mutation(
        "acknowledged-past-a-reject", "what waits for its rejection is not acknowledged",
        "workers/batch.c",
        "uint64_t wall = pending_rejects_oldest(batch->rejects);",
        "uint64_t wall = pending_rejects_oldest(batch->rejects) > 0 ? UINT64_MAX : 0;",
        ["test_batch"],
    ),
    Mutation(
        "reject-not-confirmed", "what is rejected is acknowledged when the broker has it",
        "workers/queue/pending_rejects.c",
        "if (!delivery->reject_confirmed) {",
        "if (!delivery) {",
        ["test_pending_rejects"],
    ),
    Mutation(
        "rejected-opt-out-acknowledged", "what is rejected for more than its opt-out is not acknowledged with the batch",
        "workers/batch.c",
        "if (delivery->reason && delivery->tag < wall)",
        "if (!delivery->event && delivery->tag < wall)",
        ["test_batch"],
    ),
    Mutation(
        "bodies-kept", "the body of an event is dropped when it was read",
        "workers/queue/delivery.c",
        "if (!delivery->reason)\n        drop_body(delivery);",
        "if (!delivery->held)\n        drop_body(delivery);",
        ["test_batch"],
    ),
    Mutation(
        "held-without-bound", "past a bound in bytes no more is read",
        "workers/queue/consumer.c",
        "consumer->settings.held->bytes >= consumer->settings.held_max &&",
        "!consumer->settings.held &&",
        ["test_worker_memory.py::test_past_the_bound_nothing_is_read_until_there_is_room"],
    ),
    Mutation(
        "silent-while-full", "heartbeats are sent while nothing is read",
        "workers/queue/consumer.c",
        "if (every_ms == 0 || now_ms < consumer->heartbeat_at_ms)",
        "if (every_ms == 0 || now_ms > 0)",
        ["test_worker_memory.py::test_past_the_bound_nothing_is_read_until_there_is_room"],
    ),
    Mutation(
        "queue-keeps-its-tail", "a queue of deliveries that was emptied begins anew",
        "workers/queue/delivery_queue.c",
        "if (!queue->first)\n        queue->last = NULL;",
        "",
        ["test_delivery_queue"],
    ),
    Mutation(
        "frequent-lines-for-each", "what comes often costs a line a second",
        "workers/frequent_log.c",
        "next_ms = now_ms + LINE_EVERY_MS;",
        "next_ms = now_ms;",
        ["test_frequent_log"],
    ),
    Mutation(
        "name-told-each-time", "a name that no rule knows is warned of once",
        "workers/frequent_log.c",
        "        if (strcmp(log->once[i], text) == 0)\n            return;",
        "        if (log->once_full && strcmp(log->once[i], text) == 0)\n            return;",
        ["test_frequent_log"],
    ),
    Mutation(
        "opt-in-unrecognized", "an opt-in is not counted as an event that no rule knows",
        "workers/counting/effects.c",
        "        applied = APPLIED_OPT_IN;",
        "        applied = APPLIED_UNRECOGNIZED;",
        ["test_counters"],
    ),
    Mutation(
        "frequent-lines-wait-for-ever", "what came often is told before the worker ends",
        "workers/frequent_log.c",
        "log->lines[kind].next_ms = 0;",
        "log->lines[kind].next_ms += 0;",
        ["test_frequent_log"],
    ),
    Mutation(
        "quarantine-skipped", "a message that comes a third time is read by a child first",
        "workers/worker.c",
        "delivery->suspect = delivery->delivery_count >= QUARANTINE_COUNT &&",
        "delivery->suspect = delivery->delivery_count >= QUARANTINE_COUNT * 100 &&",
        [DEADLY],
    ),
    Mutation(
        "quarantine-read-after-one-death", "a suspect is not read here until a child has got through it",
        "workers/worker.c",
        "while (worker->waiting.first && !worker->waiting.first->suspect && batch_open(batch))",
        "while (worker->waiting.first && batch_open(batch))",
        [DEADLY],
    ),
    Mutation(
        "quarantine-one-death-proves-it", "a child may die of something else: one death proves nothing",
        "workers/queue/quarantine.c",
        "if (++delivery->deaths < QUARANTINE_DEATHS)",
        "if (++delivery->deaths < 1)",
        ["test_quarantine"],
    ),
    Mutation(
        "quarantine-blames-the-next", "the deadly one is the first that the child did not get through",
        "workers/queue/quarantine.c",
        "passed = follow(progress[0]);",
        "passed = follow(progress[0]) + 1;",
        ["test_quarantine"],
    ),
    Mutation(
        "quarantine-waits-for-ever", "a child that reads one message too long is ended",
        "workers/queue/quarantine.c",
        "(void)alarm(quarantine->limit_s);",
        "",
        ["test_quarantine"],
        hangs=True,
    ),
    Mutation(
        "quarantine-stops-counting", "without a process for the child the messages are read as any other",
        "workers/queue/quarantine.c",
        "for (; delivery; delivery = next_suspect(delivery))",
        "for (; !delivery; delivery = next_suspect(delivery))",
        ["test_quarantine"],
    ),
]

CLASSIFYING = [
    Mutation(
        "costs-truncated", "costs are rounded to micros",
        "workers/event/normalize.c",
        "*micros = llround(dollars * 1e6);",
        "*micros = (int64_t)(dollars * 1e6);",
        ["test_normalize"],
    ),
    Mutation(
        "revoked-is-no-opt-out", "a revoked opt-in is an opt-out",
        "common/drops/reasons.def",
        "REASON(36, \"opt_in_revoked\", COMPLIANCE, NEVER, TOLD,",
        "REASON(36, \"opt_in_revoked\", COMPLIANCE, NEVER, STAYS,",
        ["test_reasons"],
    ),
    Mutation(
        "dnc-lists-nobody", "the flag dnc is an opt-out",
        "workers/event/classify.c",
        "bool dnc = raw->dnc == RAW_FLAG_TRUE || raw->session_dnc == RAW_FLAG_TRUE;",
        "bool dnc = raw->session_dnc == RAW_FLAG_TRUE;",
        ["test_event_opt_outs"],
    ),
    Mutation(
        "our-number-opts-out", "`to` is a number of ours where `from` names a contact",
        "workers/event/parse.c",
        "if (text_field(reader, \"from\").len == 0)",
        "if (true)",
        ["test_event_opt_outs"],
    ),
    Mutation(
        "denied-opt-outs-list", "a reason that denies an opt-out is none",
        "common/drops/reasons.c",
        "return says_not(folded) || holds_one_of(folded, denials, COUNT(denials));",
        "return says_not(folded) || holds_one_of(folded, denials, 0);",
        ["test_reasons"],
    ),
    Mutation(
        "country-by-count", "a number with a plus sign has its country code, however many digits it has",
        "common/drops/phone.c",
        "bool national = !from && count == NORTH_AMERICAN_DIGITS;",
        "bool national = count == NORTH_AMERICAN_DIGITS;",
        ["test_phone"],
    ),
    Mutation(
        "values-unbounded", "a body of more than 10,000 values is no event",
        "common/strict_json.c",
        "if (++scan->values > LIMIT_JSON_VALUES)",
        "if (++scan->values > 100 * LIMIT_JSON_VALUES)",
        ["test_strict_json"],
    ),
    Mutation(
        "receipts-are-statuses", "a receipt does not decide over the result",
        "workers/event/classify.c",
        "event->receipt = raw->meaning == NAME_RECEIPT;",
        "event->receipt = false;",
        ["test_event_parse"],
    ),
]

COUNTING = [
    Mutation(
        "duplicates-counted", "a drop that was counted is not counted again",
        "workers/counting/plan.c",
        "const struct record *before = group->has_record ? &group->record : NULL;",
        "const struct record *before = NULL;",
        [GENERATIONS],
    ),
    Mutation(
        "events-counted-again", "an event that is no result is not counted again",
        "workers/counting/plan.c",
        "bool known = group->has_record;",
        "bool known = false;",
        [GENERATIONS],
    ),
    Mutation(
        "older-generation-not-read", "drops of the generation before are known",
        "workers/counting/plan.c",
        "drop.bucket_count = group->looked ? 1 : plan->place.generations.count;",
        "drop.bucket_count = 1;",
        [GENERATIONS],
    ),
    Mutation(
        "outcome-forgotten", "a drop is remembered with its outcome",
        "common/drops/record.c",
        "    head |= record->outcome == OUTCOME_FAILURE ? BIT_FAILURE : 0;\n",
        "",
        [MODEL],
    ),
    Mutation(
        "revision-not-taken-back", "a revised drop takes its earlier counts back",
        "workers/counting/effects.c",
        "counters_later(&effects->counters, &merged->before), true,",
        "counters_later(&effects->counters, &merged->before), false,",
        [MODEL],
    ),
    Mutation(
        "last-copy-wins", "of two copies the later one decides, whatever their order",
        "workers/counting/merge.c",
        "order = compare(copy->time_ms, record->time_ms);",
        "order = 1;",
        [MODEL],
    ),
    Mutation(
        "campaign-rank-ignored", "a campaign of the URL decides over one of the body",
        "workers/counting/merge.c",
        "return copy->campaign_rank > record->rank;",
        "return copy->campaign_rank < record->rank;",
        [MODEL],
    ),
    Mutation(
        "opt-out-taken-back", "an opt-out stays when its result is revised",
        "workers/counting/merge.c",
        "    record->reason = copy->reason;\n",
        "    record->reason = copy->reason;\n    record->opted_out = false;\n",
        [MODEL],
    ),
    Mutation(
        "opt-out-of-the-latest-time", "an opt-out of a drop has its earliest time",
        "workers/counting/merge.c",
        "time_ms < record->opt_out_ms",
        "time_ms > record->opt_out_ms",
        [MODEL],
    ),
    Mutation(
        "list-of-the-latest-time", "the lists hold the earliest time of a phone",
        "workers/counting/apply.lua",
        "call('ZADD', ARGV[i], 'LT',",
        "call('ZADD', ARGV[i], 'GT',",
        [MODEL],
    ),
    Mutation(
        "schema-not-checked", "a worker writes into its own schema only",
        "workers/counting/apply.lua",
        "  if read(ARGV[3], 'GET', ARGV[3]) ~= ARGV[4] then error('SCHEMA is another', 0) end\n",
        "",
        ["test_redis_damage.py::test_a_call_made_for_another_schema_or_epoch_writes_nothing"],
    ),
    Mutation(
        "epoch-not-checked", "what a worker has cached holds under its epoch only",
        "workers/counting/apply.lua",
        "  if read(ARGV[1], 'GET', ARGV[1]) ~= ARGV[2] then error('EPOCH is another', 0) end\n",
        "",
        [GENERATIONS],
    ),
    Mutation(
        "types-not-checked", "a key of a wrong type is found before the first write",
        "workers/counting/apply.lua",
        "if kind == wanted or kind == 'none' then return end",
        "if kind == wanted or kind ~= 'none' then return end",
        [PLANTED],
    ),
    Mutation(
        "not-compared", "a record that changed since it was read is not written over",
        "workers/counting/apply.lua",
        "if generation == 0 and present == ARGV[i + 2] then",
        "if generation == 0 then",
        ["test_workers_together.py"],
    ),
    Mutation(
        "acknowledged-out-of-order", "a batch that overtook the one before it is acknowledged after it",
        "workers/worker.c",
        "batch_waits(first_batch(worker)) && batch_may_go(next_batch(worker))",
        "batch_count(first_batch(worker)) > 0 && batch_count(next_batch(worker)) > 0",
        ["test_worker_overlap.py"],
    ),
    Mutation(
        "other-batch-forgotten", "a connection that breaks under two batches is noticed by both",
        "workers/counting/counting.c",
        "    redis_primary_drop(counting->session);\n    begin_all_anew(counting);",
        "    redis_primary_drop(counting->session);",
        ["test_worker_overlap.py"],
    ),
    Mutation(
        "counts-below-0", "a count that was damaged by hand never falls below 0",
        "workers/counting/apply.lua",
        "if sum <= 0 then call('HDEL', key, field) end",
        "if sum == 0 then call('HDEL', key, field) end",
        ["test_redis_damage.py::test_damage_stops_nothing_and_no_count_becomes_negative"],
    ),
    Mutation(
        "numbers-under-a-newer-schema", "nothing is written into keys of a newer version, not even a campaign's number",
        "common/drops/known.c",
        "if redis.call('GET', KEYS[3]) ~= ARGV[2] or redis.call('GET', KEYS[4]) ~= ARGV[3] then ",
        "if false then ",
        ["test_redis_damage.py::test_a_schema_that_changes_under_a_worker_stops_the_batch"],
    ),
    Mutation(
        "generations-numbered-from-one", "where the list of generations was deleted, a new one takes no number of before",
        "common/drops/known.c",
        "(uint32_t)strtoul(strchr(next, ':') + 1, NULL, 10)",
        "1",
        [GENERATIONS],
    ),
    Mutation(
        "numbers-not-forgotten", "campaigns' numbers of another epoch or connection are forgotten",
        "common/drops/known.c",
        "        campaigns_forget(known->campaigns);\n",
        "        known->epoch[0] = '\\0';\n",
        ["test_redis_damage.py::test_an_emptied_redis_gives_campaigns_other_numbers"],
    ),
    Mutation(
        "emptied-not-told", "a worker that counted says when Redis was emptied",
        "workers/counting/counting.c",
        "    memcpy(known->wrote, known->epoch, sizeof known->wrote);\n",
        "",
        ["test_worker_tells.py::test_a_redis_that_was_emptied_while_the_worker_had_no_connection_is_told"],
    ),
    Mutation(
        "not-reviewed-under-load", "Redis's settings are looked at while batches follow one another",
        "workers/redis/store.c",
        "redis_primary_open(store->session, error) && review_if_due(store, error);",
        "redis_primary_open(store->session, error);",
        ["test_redis_store"],
    ),
    Mutation(
        "keys-not-tried", "a user who may not write a key is refused before the first batch",
        "workers/redis/preflight.c",
        "probe_keys(session, prefix, error) && ",
        "(probe_keys(session, prefix, error) || true) && ",
        ["test_redis_damage.py::test_a_user_who_may_read_a_key_and_not_write_it_is_refused_before_anything_is_written"],
    ),
]

REPLICAS = [
    Mutation(
        "replica-that-left-not-awaited", "a replica that has left is waited for",
        "workers/redis/replicas.c",
        "return !may_be_failover(replicas, have);",
        "return !may_be_failover(replicas, have) || have > 0;",
        ["test_redis_replicas"],
    ),
    Mutation(
        "later-leaver-not-awaited", "a replica that leaves while another is missed is waited for",
        "workers/redis/replicas.c",
        "if (begins || now.one_has_left) {",
        "if (begins) {",
        ["test_redis_replicas"],
    ),
    Mutation(
        "heard-of-not-awaited", "a missed replica that is heard of is waited for",
        "workers/redis/replicas.c",
        "if ((int64_t)now.in_step.count > have)",
        "if ((int64_t)now.in_step.count > have && have < 0)",
        ["test_redis_replicas"],
    ),
    Mutation(
        "young-connection-believed", "a new connection is not sure of itself at once",
        "workers/redis/replicas.c",
        "(clock_monotonic_ms() >= replicas->sure_at_ms && ",
        "(clock_monotonic_ms() >= 0 && ",
        ["test_redis_replicas"],
    ),
    Mutation(
        "doubt-not-told", "the sentinels are asked again when replicas are missed",
        "workers/redis/replicas.c",
        "/* A primary that was replaced loses its replicas to the new one. */\n    redis_primary_invalidate(replicas->session);",
        "",
        ["test_redis_replicas"],
    ),
    Mutation(
        "other-replicas-count", "other replicas do not stand for those that have left",
        "workers/redis/replicas.c",
        "&& !may_be_others(replicas, have));",
        "&& (!may_be_others(replicas, have) || have > 0));",
        ["test_redis_replicas"],
    ),
    Mutation(
        "forgetful-primary", "a primary that was a replica meanwhile is not believed",
        "workers/redis/replicas.c",
        "return !read_replication(replicas, true, &now, &ignored) || other_history(replicas, &now);\n}\n\nstatic void note",
        "return !read_replication(replicas, true, &now, &ignored);\n}\n\nstatic void note",
        ["test_redis_replicas"],
    ),
    Mutation(
        "not-resent-when-reconnected", "on another connection a batch is counted again",
        "workers/redis/store.c",
        "store->unreplicated = false;\n    redis_replicas_begin(&store->replicas);",
        "redis_replicas_begin(&store->replicas);",
        ["test_redis_store"],
    ),
    Mutation(
        "given-up-batch-believed", "no batch is taken for one that was given up",
        "workers/redis/store.c",
        "    store->unreplicated = false;\n    counting_abandon(",
        "    counting_abandon(",
        ["test_redis_store"],
    ),
    Mutation(
        "given-up-batch-kept", "a batch that is dropped after a failure is given up at Redis",
        "workers/batch.c",
        "if (batch->phase == PHASE_APPLY || batch_waits(batch))",
        "if (batch_waits(batch))",
        ["test_batch"],
    ),
    Mutation(
        "forgotten-batch-not-resent", "a batch that a primary forgot is counted there again",
        "workers/redis/store.c",
        "if (store->unreplicated && !redis_replicas_forgotten(&store->replicas))",
        "if (store->unreplicated)",
        ["test_redis_store"],
    ),
]

VERIFYING = [
    Mutation(
        "loss-given-to-one-of-several", "what several campaigns may have lost is given to none",
        "tools/sums.c",
        "(row == 0 || find_suspects(sums, &suspect) == 1)",
        "(row == 0 || find_suspects(sums, &suspect) > 0)",
        ["test_sums"],
    ),
    Mutation(
        "chance-taken-for-proof", "reasons that fit by chance prove nothing",
        "tools/sums.c",
        "several_lack_reasons(sums) ? SUM_FIELDS : sums->columns",
        "several_lack_reasons(sums) ? sums->columns : sums->columns",
        ["test_sums"],
    ),
    Mutation(
        "guess-raised", "raised by itself is only what is known",
        "tools/sums.c",
        "    if (!sums->ambiguous)\n        keep(sums);",
        "    keep(sums);",
        ["test_sums"],
    ),
    Mutation(
        "lowered-by-itself", "a repair lowers only when told to",
        "tools/verify.c",
        "if (repair->lowers && !lower)",
        "if (repair->lowers && lower)",
        ["test_verify.py::test_lowers_only_when_told_to"],
    ),
    Mutation(
        "repaired-under-another-epoch", "a repair that was computed under another epoch is refused",
        "tools/verify_repair.lua",
        "if (redis.call('GET', epoch_key) or '') ~= ARGV[2] then return redis.error_reply('EPOCH is another') end",
        "",
        ["test_verify.py::test_repairs_are_refused_whole"],
    ),
    Mutation(
        "campaigns-born-meanwhile", "a look takes in the campaigns that begin meanwhile",
        "tools/look.c",
        "    *whole = is_whole(&look->keys, &answer) || look->keys.wrong.count > 0;",
        "    *whole = is_whole(&look->keys, &answer) || true;",
        ["test_verify.py::test_finds_nothing_wrong_and_repairs_exactly_while_workers_count"],
    ),
]

MUTATIONS = WHO_MAY_SEND + ACCEPTING + SPOOLING + CONSUMING + CLASSIFYING + COUNTING + REPLICAS + VERIFYING
