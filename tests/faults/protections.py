"""The protections that the controls of the fault suite take away. Each row puts a switch into a copy of the product:

    tests/faults/protections.py TREE     makes that copy, with all of them

The programs built there do as the product does, unless the environment variable DROPBRIDGE_WITHOUT lists what is off."""

import pathlib
import sys
from typing import NamedTuple

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import tree  # noqa: E402

# Compiled into the library that all programs link.
BUILD_FILE, BUILD_SWITCH = "common/CMakeLists.txt", "\ntarget_sources(common PRIVATE ${PROJECT_SOURCE_DIR}/tests/faults/protection.c)\n"
INCLUDE = '#include "tests/faults/protection.h"\n'


class Protection(NamedTuple):
    name: str  # several rows may share one
    file: str
    old: str  # as it stands in the product, once in the file
    new: str


PROTECTIONS = [
    # -- bridge --
    Protection(
        "confirm", "bridge/broker/channel.c",
        "if (!amqp_ask_for_confirms(",
        'if (protection("confirm") && !amqp_ask_for_confirms(',
    ),
    Protection(
        "confirm", "bridge/broker/channel.c",
        "    unconfirmed_push(channel->unconfirmed, message, now_ms);\n",
        """\
    if (!protection("confirm")) {
        const int status = publish(channel, message);

        message_settle(message, status == AMQP_STATUS_OK ? PUBLISH_CONFIRMED : PUBLISH_LOST);
        return status;
    }
    unconfirmed_push(channel->unconfirmed, message, now_ms);
""",
    ),
    Protection(
        "mandatory", "bridge/broker/channel.c",
        ".mandatory = true,",
        '.mandatory = protection("mandatory"),',
    ),
    Protection(
        "deadline", "bridge/broker/channel.c",
        "channel->stalled != (waited >= timeout_ms)",
        'channel->stalled != (waited >= timeout_ms && protection("deadline"))',
    ),
    Protection(
        "deadline", "bridge/ingest.c",
        "times->arrived_ms + ingest->confirm_timeout_ms",
        'times->arrived_ms + ingest->confirm_timeout_ms + (protection("deadline") ? 0 : WITHOUT_DEADLINE_MS)',
    ),
    Protection(
        "deadline", "bridge/ingest.c",
        "times->arrived_ms + INGEST_ANSWER_MS",
        'times->arrived_ms + INGEST_ANSWER_MS + (protection("deadline") ? 0 : WITHOUT_DEADLINE_MS)',
    ),
    Protection(
        "topology", "bridge/broker/connection.c",
        "        handoff_state(connection->queue) != BROKER_OPEN)",
        '        handoff_state(connection->queue) != BROKER_OPEN || !protection("topology"))',
    ),
    Protection(
        "spool", "bridge/ingest.c",
        "bool safe = own &&",
        'bool safe = own && protection("spool") &&',
    ),
    Protection(
        "spool-sync", "bridge/spool/db.c",
        "    sqlite3_wal_hook(db->sqlite, on_log, db);",
        """\
    if (!protection("spool-sync") && !run(db, "PRAGMA synchronous = NORMAL"))
        return failed(db, "opening", error);
    sqlite3_wal_hook(db->sqlite, on_log, db);""",
    ),
    Protection(
        "spool-bound", "bridge/spool/db.c",
        "bool bounded = max_bytes / PAGE_BYTES < PAGES_MAX;",
        'bool bounded = protection("spool-bound") && max_bytes / PAGE_BYTES < PAGES_MAX;',
    ),
    Protection(
        "spool-commit", "bridge/spool/spool.c",
        "        while (done < count)\n            done += write_commit(",
        """\
        if (count > 0 && !protection("spool-commit"))
            (void)usleep(BEFORE_COMMIT_MS * 1000);
        while (done < count)
            done += write_commit(""",
    ),
    Protection(
        "spool-commit", "bridge/spool/spool.c",
        "    return handoff_submit(spool->queue, message, deadline_ms);",
        """\
    if (!protection("spool-commit")) {
        enum publish_outcome outcome;

        return handoff_offer(spool->queue, message, &outcome) ? PUBLISH_CONFIRMED : outcome;
    }
    return handoff_submit(spool->queue, message, deadline_ms);""",
    ),
    Protection(
        "spool-errors", "bridge/spool/store.c",
        "return PUBLISH_FAILED;",
        'return protection("spool-errors") ? PUBLISH_FAILED : PUBLISH_CONFIRMED;',
    ),
    Protection(
        "drain-confirm", "bridge/spool/drain.c",
        "return message_await(message, last_ms);",
        'return protection("drain-confirm") ? message_await(message, last_ms) : (message_await(message, last_ms), PUBLISH_CONFIRMED);',
    ),
    Protection(
        "connections", "bridge/http/connections.c",
        "        connections->closed += cut(",
        '        connections->closed += protection("connections") && cut(',
    ),
    Protection(
        "connections", "bridge/http/connections.c",
        "return atomic_load_explicit(&connections->threads_short, memory_order_relaxed);",
        'return atomic_load_explicit(&connections->threads_short, memory_order_relaxed) && protection("connections");',
    ),
    Protection(
        "body-memory", "bridge/http/body_memory.c",
        "    if (!take(&memory->used, bytes, memory->limit))",
        '    if (!protection("body-memory"))\n        return true;\n    if (!take(&memory->used, bytes, memory->limit))',
    ),
    Protection(
        "framing", "bridge/http/framing.c",
        "if (length && encoding)",
        'if (protection("framing") && length && encoding)',
    ),
    Protection(
        "wake", "bridge/http/server.c",
        "        await_last_answers(server);\n",  # the call that wakes the poll is in the next line
        '        await_last_answers(server);\n        if (protection("wake"))\n    ',
    ),
    # -- worker --
    Protection(
        "ack-after-redis", "workers/queue/consumer.c",
        "amqp_cstring_bytes(consumer->tag), 0, 0, 0, amqp_empty_table)",
        'amqp_cstring_bytes(consumer->tag), 0, !protection("ack-after-redis"), 0, amqp_empty_table)',
    ),
    Protection(
        "ack-after-redis", "workers/queue/consumer.c",
        "    begin_call(consumer, CONSUMER_STUCK_MS);\n    int status = amqp_basic_ack(",
        """\
    if (!protection("ack-after-redis")) /* the broker took the delivery for it */
        return true;
    begin_call(consumer, CONSUMER_STUCK_MS);
    int status = amqp_basic_ack(""",
    ),
    Protection(
        "held-bound", "workers/queue/consumer.c",
        "consumer->settings.held->bytes >= LIMIT_HELD_BYTES &&",
        'consumer->settings.held->bytes >= LIMIT_HELD_BYTES && protection("held-bound") &&',
    ),
    Protection(
        "reject-confirm", "workers/queue/reject.c",
        "delivery->reject_confirmed = false;\n    return true;",
        'delivery->reject_confirmed = !protection("reject-confirm");\n    return true;',
    ),
    Protection(
        "quarantine", "workers/worker.c",
        "delivery->suspect = delivery->delivery_count >= QUARANTINE_COUNT;",
        'delivery->suspect = delivery->delivery_count >= QUARANTINE_COUNT && protection("quarantine");',
    ),
    Protection(
        "pause", "workers/worker.c",
        "if (!worker->paused && redis_health_given_up(",
        'if (!worker->paused && protection("pause") && redis_health_given_up(',
    ),
    Protection(
        "serve", "workers/worker.c",
        "for (int taken = 1; came; taken++)",
        'for (int taken = 1; came && protection("serve"); taken++)',
    ),
    Protection(
        "serve", "workers/worker.c",
        "if (!asked_redis)",
        'if (!asked_redis || !protection("serve"))',
    ),
    # -- both --
    Protection(
        "signatures", "common/sha256.c",
        "return CRYPTO_memcmp(a, b, SHA256_SIZE) == 0;",
        'return CRYPTO_memcmp(a, b, SHA256_SIZE) == 0 || !protection("signatures");',
    ),
    Protection(
        "watchdog", "common/watchdog.c",
        "    (void)shutdown(watch->fd, SHUT_RDWR);",
        '    if (!protection("watchdog"))\n        return;\n    (void)shutdown(watch->fd, SHUT_RDWR);',
    ),
    Protection(
        "graceful", "common/stop_signal.c",
        "if (number > 0)",
        'if (number > 0 && !protection("graceful"))\n            _exit(0);\n        if (number > 0)',
    ),
    Protection(
        "second-signal", "common/stop_signal.c",
        "    const bool came = stop_signal_wait(stop.limit_ms);",
        """\
    if (!protection("second-signal"))
        clock_sleep_ms(stop.limit_ms);
    const bool came = stop_signal_wait(stop.limit_ms);""",
    ),
    Protection(
        "forget", "common/drops/known.c",
        "    campaigns_forget(known->campaigns);",
        '    if (protection("forget"))\n        campaigns_forget(known->campaigns);',
    ),
]


def with_switches(rows=None):
    """The files of the product that they change: path → text. tree.Unfit if one has no place any more."""
    texts = {}
    for row in PROTECTIONS if rows is None else rows:
        text = texts.get(row.file) or INCLUDE + (tree.ROOT / row.file).read_text()
        texts[row.file] = tree.replaced(row, text)
    texts[BUILD_FILE] = (tree.ROOT / BUILD_FILE).read_text() + BUILD_SWITCH
    return texts


def main():
    try:
        tree.copy(pathlib.Path(sys.argv[1]), {path: text.encode() for path, text in with_switches().items()})
    except tree.Unfit as problem:
        sys.exit(f"scripts/faults: {problem}")


if __name__ == "__main__":
    main()
