"""Each protection taken away once: the suite must see the damage, or it would not see a real one."""

import functools

import claims_broker
import claims_counting
import claims_kill
import claims_spool
import claims_stop
import claims_topology
import claims_worker
import servers
from suite import ANSWER_SECONDS, Control

DEAD_LETTER_SECONDS = 60


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


def unanswered(findings):
    count = findings.notes.get("in_flight_unanswered", 0)
    return f"{count} in flight unanswered" if count else ""


def crasher(stack, size):
    """The broker's dead letters take their time to arrive."""
    findings = claims_worker.crasher_among_innocents(stack, size)
    if not innocents(findings):
        servers.wait_until(lambda: (stack.depth("AMQP_REJECTED_QUEUE") or 0) > 1, DEAD_LETTER_SECONDS)
        findings.notes["innocents_rejected"] = stack.depth("AMQP_REJECTED_QUEUE") - 1
    return findings


CONTROLS = [
    Control("no-confirm", claims_kill.kill_broker_stalled, lost, "confirm", 3, 40),
    Control("no-mandatory", claims_topology.unbound, lost, "mandatory", 1, 60),
    Control("no-spool", claims_broker.cut_off_briefly, refused, "spool", 1, 10),
    Control("no-spool-sync", functools.partial(claims_kill.kill_bridge_spooling, kills=3), lost, "spool-sync", 3, 45),
    Control("no-spool-errors", claims_spool.disk_full, lost, "spool-errors", 1, 50),
    Control("no-deadline", claims_broker.stopped_briefly, late, "deadline", 1, 20),
    Control("no-ack-after-redis", functools.partial(claims_kill.kill_worker, kills=4), lost, "ack-after-redis", 3, 45),
    Control("redis-without-a-file", functools.partial(claims_kill.kill_redis, kills=1), lost, "nothing", 1, 45,
            ("--appendonly", "no")),
    Control("drops-forgotten", functools.partial(claims_counting.each_request_thrice,
                                                 between=claims_counting.forget_drops), doubled, "nothing", 1, 15),
    Control("not-alone", crasher, innocents, "alone", 2, 60),
    Control("not-graceful", functools.partial(claims_stop.stop_bridge, stops=2), unanswered, "graceful", 3, 15),
]
