"""What the claims share: how big a run is, load, and the end of every claim."""

import contextlib
import dataclasses

import checker
import sender
import servers
import traffic

ANSWER_SECONDS = 4.0  # from the last byte of the body to the answer
POISON = 0.01  # of all load: it must be in the rejected queue, whatever fails


@dataclasses.dataclass(frozen=True)
class Size:
    kills: int  # of the bridge, of a worker, of Redis
    broker_kills: int
    fault_seconds: float  # how long a broker is stopped, silent, ...
    outage_seconds: float  # how long it is gone for a while
    stall_seconds: float  # how long Redis stands still; less than REDIS_AWAY_S
    heartbeat_seconds: int  # that the broker asks for meanwhile: the workers want 10
    stops: int
    events: int  # of the claims that send a fixed number
    forged: int  # requests that nobody signed
    ambiguous: int  # requests that two readers read differently
    claim_seconds: int  # the end of a claim, whatever happens: far beyond what a busy machine needs


SMOKE = Size(kills=3, broker_kills=2, fault_seconds=2, outage_seconds=2, stall_seconds=2, heartbeat_seconds=4, stops=1,
             events=60, forged=20_000, ambiguous=200, claim_seconds=240)
QUICK = Size(kills=8, broker_kills=2, fault_seconds=5, outage_seconds=15, stall_seconds=25, heartbeat_seconds=4,
             stops=2, events=150, forged=100_000, ambiguous=1000, claim_seconds=480)
FULL = Size(kills=100, broker_kills=100, fault_seconds=15, outage_seconds=180, stall_seconds=50, heartbeat_seconds=60,
            stops=10, events=600, forged=1_000_000, ambiguous=10_000, claim_seconds=2400)


@dataclasses.dataclass(frozen=True)
class Claim:
    name: str
    run: object  # (stack, size) -> Findings
    seconds: int = 10  # about, in a quick run: the long ones begin first
    redis_options: tuple = ()
    quick: bool = True  # whether a quick run has it
    smoke: bool = False  # whether the shortest run has it
    needs_namespace: bool = False  # a network namespace of its own


@dataclasses.dataclass(frozen=True)
class Control:
    """The same with a protection off, or with damage done by hand: `catches` says what the checker saw, or ""."""

    name: str
    run: object
    catches: object  # Findings -> str
    without: str = "nothing"
    tries: int = 1
    seconds: int = 10
    redis_options: tuple = ()
    quick: bool = True
    smoke: bool = False
    needs_namespace: bool = False


def unless_taken_away(stack, seconds):
    """How long to wait for what a protection brings about. A claim judges nothing by the clock; a control, which took the
    protection away, has its answer when the time is over."""
    return seconds if stack.without else servers.HANG_GUARD_S


@contextlib.contextmanager
def load(stack, rate=250.0, threads=24, poison=POISON, events=None):
    """Traffic while the block runs. The log is complete behind it."""
    source = events if events is not None else traffic.Traffic(stack.rng.getrandbits(32), poison)
    sending = sender.Sender(stack.port, source, rate, threads)
    try:
        yield sending
    finally:
        sending.stop()
        stack.connects_failed += sending.connects_failed


def wait_for_answers(sending, count, status=200):
    """Until `count` more requests than now were answered so."""
    goal = sending.answered(status) + count
    servers.wait_until(lambda: sending.answered(status) >= goal, lambda: f"{count} answers {status} more")


def spooled(stack):
    return stack.bridge.metrics()["dropbridge_spool_spooled_total"]


def wait_for_drain(stack, within=servers.HANG_GUARD_S):
    """The spool empties by itself, live traffic or not."""

    def waiting():
        return stack.bridge.metrics()["dropbridge_spool_waiting"]

    why = lambda: f"the spool drains; {waiting():g} wait in {stack.spool}"  # noqa: E731
    servers.wait_until(lambda: waiting() == 0, why, within=within)


def every_answer_good(findings):
    """The claim that no request saw the fault: all 200, all in time."""
    findings.claim(findings.refused == 0, f"{findings.refused} requests were refused")
    every_request_answered(findings)
    every_answer_in_time(findings)


def every_request_answered(findings):
    """The claim of a bridge that was up all the time."""
    findings.claim(findings.unanswered == 0, f"{findings.unanswered} requests were not answered")
    findings.claim(findings.connects_failed == 0, f"{findings.connects_failed} connections were not taken")


def every_answer_in_time(findings):
    """Also where a bridge was killed or stopped: what it had not answered by then was not late yet."""
    late = findings.slowest > ANSWER_SECONDS
    findings.claim_in_time(not late, f"an answer took {findings.slowest:.2f} s")
