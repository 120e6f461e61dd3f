"""Each protection taken away once: the suite must see the damage, or it would not see a real one."""

import functools

import claims_broker
import claims_counting
import claims_crowd
import claims_forged
import claims_kill
import claims_memory
import claims_spool
import claims_stop
import claims_topology
import claims_worker
import servers
from suite import ANSWER_SECONDS, Control

DEAD_LETTER_SECONDS = 60
SHOWN = 70  # characters of a problem


def lost(findings):
    return f"{findings.lost} lost" if findings.lost else ""


def doubled(findings):
    return f"{findings.doubled} doubled" if findings.doubled else ""


def refused(findings):
    return f"{findings.refused} refused" if findings.refused else ""


def late(findings):
    return f"{findings.slowest:.1f} s" if findings.slowest > ANSWER_SECONDS else ""


def innocents(findings):
    count = findings.notes.get("innocents_rejected", 0)
    return f"{count} innocents rejected" if count else ""


def false(findings):
    count = findings.notes.get("false_answers", 0)
    return f"{count} false answers" if count else ""


def accepted(findings):
    count = findings.notes.get("accepted", 0)
    return f"{count} accepted" if count else ""


def unserved(findings):
    share = findings.notes.get("honest_share", 1)
    return f"{100 * share:.2f} % of the honest served" if share < claims_crowd.HONEST else ""


def bridge_too_large(findings):
    peak = findings.notes.get("bridge_mib", 0)
    return f"a bridge of {peak} MiB" if peak > claims_crowd.BODIES_MAX_MIB else ""


def poison_lost(findings):
    count = findings.notes.get("poison_absent", 0)
    return f"{count} rejected messages lost" if count else ""


def outgrown(findings):
    size = findings.notes.get("file_bytes", 0)
    return f"a file of {size} bytes" if size > claims_spool.BOUND else ""


def too_large(findings):
    peak = findings.notes.get("worker_mib", 0)
    return f"a worker of {peak:.0f} MiB" if peak > claims_worker.WORKER_MAX_MIB else ""


def still_held(findings):
    return "" if findings.notes.get("let_go", True) else "messages still held"


def still_unbound(findings):
    return "" if findings.notes.get("bound_again", True) else "the queue stayed unbound"


def thrown_out(findings):
    return "the broker threw a worker out" if findings.notes.get("thrown_out") else ""


def all_seen(findings):
    return findings.notes.get("all_seen", "")


def stuck(findings):
    return "a call that did not end" if findings.notes.get("stuck") else ""


def slow_idle_stop(findings):
    seconds = findings.notes.get("slowest_stop_seconds", 0)
    return f"{seconds} s to stop" if seconds > claims_stop.IDLE_STOP_SECONDS else ""


def not_taken(findings):
    return f"{findings.connects_failed} connections refused" if findings.connects_failed else ""


def slow_stop(findings):
    seconds = findings.notes.get("slowest_stop_seconds", 0)
    return f"{seconds} s to stop" if seconds > claims_stop.AT_ONCE_SECONDS else ""


def found(word):
    """Whether a problem says so."""

    def catches(findings):
        return next((problem[:SHOWN] for problem in findings.problems if word in problem), "")

    return catches


miscounted = found("what is there makes")


def unanswered(findings):
    count = findings.notes.get("in_flight_unanswered", 0)
    return f"{count} in flight unanswered" if count else ""


def crasher(stack, size):
    """The broker's dead letters take their time to arrive."""
    findings = claims_worker.crasher_among_innocents(stack, size)
    if not innocents(findings):
        servers.wait_until(lambda: (stack.depth("AMQP_REJECTED_QUEUE") or 0) > 1, within=DEAD_LETTER_SECONDS)
        findings.notes["innocents_rejected"] = stack.depth("AMQP_REJECTED_QUEUE") - 1
    return findings


def by_hand(tamper):
    return functools.partial(claims_counting.tampered, tamper=tamper)


CONTROLS = [
    Control("no-confirm", claims_kill.kill_broker_stalled, lost, "confirm", 3, 40),
    Control("no-mandatory", claims_topology.unbound, lost, "mandatory", 1, 60),
    Control("no-spool", claims_broker.cut_off_briefly, refused, "spool", 1, 10, smoke=True),
    Control("answer-before-the-commit", functools.partial(claims_kill.kill_bridge_spooling, kills=3), lost,
            "spool-commit", 3, 45),
    Control("no-spool-sync", claims_spool.sync_fails, false, "spool-sync", 1, 20, smoke=True),
    Control("no-spool-errors", claims_spool.disk_full, lost, "spool-errors", 2, 50),
    Control("no-spool-bound", claims_spool.bounded, outgrown, "spool-bound", 1, 30),
    Control("no-drain-confirm", claims_topology.queue_full, lost, "drain-confirm", 1, 30),
    Control("no-deadline", claims_broker.stopped_briefly, late, "deadline", 1, 20),
    Control("no-watchdog", claims_broker.crawling, stuck, "watchdog", 3, 60),
    Control("not-declared-again", claims_topology.unbound_while_idle, still_unbound, "topology", 1, 35),
    Control("no-reject-confirm", claims_worker.rejected_queue_full, poison_lost, "reject-confirm", 1, 20),
    Control("no-ack-after-redis", functools.partial(claims_kill.kill_worker, kills=4), lost, "ack-after-redis", 3, 45),
    Control("no-held-bound", claims_worker.large_bodies, too_large, "held-bound", 1, 60),
    Control("no-pause", claims_worker.redis_away(2), still_held, "pause", 1, 35),
    Control("no-serving", claims_worker.redis_stands_still, thrown_out, "serve", 1, 45),
    Control("redis-without-a-file", functools.partial(claims_kill.kill_redis, kills=1), lost, "nothing", 1, 15,
            ("--appendonly", "no"), smoke=True),
    Control("drops-forgotten", functools.partial(claims_counting.each_request_thrice,
                                                 between=claims_counting.forget_drops), doubled, "nothing", 1, 15, smoke=True),
    Control("half-an-event", by_hand(claims_counting.half_an_event), miscounted, "nothing", 1, 10),
    Control("totals-without-a-campaign", by_hand(claims_counting.counts_without_campaign),
            found("not the sum of the campaigns"), "nothing", 1, 10),
    Control("optout-swapped", by_hand(claims_counting.swap_a_phone), lost, "nothing", 1, 10),
    Control("contents-altered", claims_counting.altered_contents, all_seen, "nothing", 1, 15),
    Control("figures-altered", claims_counting.altered_figures, all_seen, "nothing", 1, 10),
    Control("nothing-forgotten-when-flushed", claims_memory.redis_flushed, miscounted, "forget", 2, 25),
    Control("nothing-forgotten-when-restored", claims_memory.redis_restored, miscounted, "forget", 2, 30),
    Control("nothing-forgotten-when-aliased", claims_memory.campaign_aliased, miscounted, "forget", 2, 25),
    Control("no-quarantine", crasher, innocents, "quarantine", 2, 60),
    Control("not-graceful", functools.partial(claims_stop.stop_bridge, stops=2), unanswered, "graceful", 3, 15,
            smoke=True),
    Control("nobody-let-go", claims_crowd.crowded("idle"), unserved, "connections", 1, 45),
    Control("no-body-memory", claims_crowd.unverified_bodies, bridge_too_large, "body-memory", 1, 25),
    Control("no-signatures", functools.partial(claims_forged.forged, count=20_000), accepted, "signatures", 1, 10, smoke=True),
    Control("no-framing", claims_forged.ambiguous, accepted, "framing", 1, 10),
    Control("no-wake", functools.partial(claims_stop.stop_idle, stops=2), slow_idle_stop, "wake", 1, 15),
    Control("socket-not-kept", functools.partial(claims_stop.replaced, keeps=False), not_taken, "nothing", 1, 15),
    Control("no-second-signal", functools.partial(claims_stop.stop_twice, stops=1), slow_stop, "second-signal", 1, 30),
]
