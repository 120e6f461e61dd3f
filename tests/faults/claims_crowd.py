"""Thousands of connections of one address that hold what honest requests need, and hundreds of large bodies at once that
nobody signed: the honest are served, within little memory, and it is said that connections run short."""

import contextlib
import time

import checker
import crowd
import servers
import traffic
import wire
from stack import memory_mib
from suite import ANSWER_SECONDS, Claim, unless_taken_away, wait_for_answers

MEBIBYTE = 1 << 20
CONNECTIONS, BODIES = 5000, 900
CROWDED_MAX_MIB = 200
BODIES_MAX_MIB, BODIES_AFTER_MIB, BODIES_AFTER_SECONDS = 250, 120, 6
HONEST = 0.999  # of their requests at the least
LEFT_OVER = 100  # connections of a bridge that the crowd has left, at the most
SAID = "connections run short"
CLOSED_FOR_WANT = 'dropbridge_connections_closed_total{reason="threads_short"}'

GET = b"GET /health HTTP/1.1\r\nHost: bridge\r\n\r\n"
GET_WEBHOOK = wire.head("GET", wire.WEBHOOK, [])
BODY_HEAD = wire.head("POST", wire.WEBHOOK, [("X-DropCowboy-Signature", "0" * 64), ("Content-Length", "400")])
KINDS = {
    "silent": {"opening": b""},
    "idle": {"opening": GET},
    "half-a-head": {"opening": GET[:-2] + b"X-"},
    "half-a-body": {"opening": BODY_HEAD + b"{" * 200},
    # The longest answer without a signature; about a hundred to each fit into the kernel's buffers.
    "never-reading": {"opening": GET_WEBHOOK, "again": GET_WEBHOOK * 100, "reads": False, "a_second": 1000},
}


@contextlib.contextmanager
def honest_load(stack):
    """Half of them on connections that they keep, half on new ones."""
    events = traffic.Traffic(stack.rng.getrandbits(32))
    senders = [crowd.Honest(stack.port, events, rate=50, threads=8, keeps=True),
               crowd.Honest(stack.port, events, rate=50, threads=16, keeps=False)]
    try:
        yield senders
    finally:
        for one in senders:
            one.stop()
            stack.connects_failed += one.connects_failed


def each_answered(senders, count):
    for one in senders:
        wait_for_answers(one, count)


def log_of(senders):
    return [sent for one in senders for sent in one.log]


def judge_honest(findings, log):
    served = sum(1 for sent in log if sent.acknowledged and sent.seconds <= ANSWER_SECONDS)
    share = served / max(1, len(log) + findings.connects_failed)
    findings.notes["honest_share"] = round(share, 5)
    findings.claim_in_time(share >= HONEST, f"{100 * share:.2f} % of the honest requests were answered in time")


def runs_short(stack):
    return stack.bridge.readyz()[1]["connections"]["short"]


def is_over(stack):
    return not runs_short(stack) and connections_at(stack.port) < LEFT_OVER


def connections_at(port):
    """Those that the bridge holds, by the kernel's word: only root may look at the descriptors of a program that hides its memory."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table]
    return sum(1 for row in rows if row[1].endswith(f":{port:04X}") and row[9] != "0")


def holds(condition, seconds):
    """Whether it comes true in that time."""
    with contextlib.suppress(AssertionError):
        return servers.wait_until(condition, within=seconds)
    return False


def crowded(kind):
    """A claim: that many connections of one kind, kept up, while honest requests come."""
    def run(stack, size):
        crowd.allow_descriptors(CONNECTIONS)
        stack.bridge_settings["HTTP_THREADS"] = None  # as shipped
        stack.start_bridge()
        stack.start_workers()
        with honest_load(stack) as senders:
            each_answered(senders, 20)
            with crowd.Crowd(stack.port, CONNECTIONS, **KINDS[kind]) as members:
                said = holds(lambda: runs_short(stack) and SAID in stack.bridge.stderr,
                             size.fault_seconds + CONNECTIONS / members.a_second)
                servers.wait_until(members.complete, "the crowd is there")
                time.sleep(size.fault_seconds)
            over = holds(lambda: is_over(stack), unless_taken_away(stack, size.fault_seconds))
            closed = stack.bridge.metrics()[CLOSED_FOR_WANT]
        findings = checker.check_all(stack, log_of(senders))
        judge_honest(findings, log_of(senders))
        peak = memory_mib(stack.bridge)
        findings.claim(said or not closed, "log and /readyz did not say that connections run short")
        findings.claim(over, f"they are gone, and the bridge has {connections_at(stack.port)} connections")
        findings.claim(peak < CROWDED_MAX_MIB, f"the bridge took {peak:.0f} MiB")
        findings.notes.update(opened=members.opened, ended_by_bridge=members.ended, closed_for_want=closed, bridge_mib=round(peak))
        return findings

    return run


def unverified_bodies(stack, size):
    """All at once, each a mebibyte with a signature that is not its own."""
    head = wire.head("POST", wire.WEBHOOK, [("X-DropCowboy-Signature", "0" * 64), ("Content-Length", str(MEBIBYTE)),
                                            ("Connection", "close")])
    crowd.allow_descriptors(BODIES)
    stack.bridge_settings["HTTP_THREADS"] = None
    stack.start_bridge()
    stack.start_workers()
    with honest_load(stack) as senders:
        each_answered(senders, 20)
        with crowd.Crowd(stack.port, BODIES, head + b"x" * MEBIBYTE, stays=False) as members:
            servers.wait_until(lambda: members.ended == BODIES, lambda: f"{members.ended} of the bodies are judged")
        ended = time.monotonic()
        each_answered(senders, 20)
    time.sleep(max(0.0, ended + BODIES_AFTER_SECONDS - time.monotonic()))
    after, peak = memory_mib(stack.bridge, "VmRSS"), memory_mib(stack.bridge)
    findings = checker.check_all(stack, log_of(senders))
    judge_honest(findings, log_of(senders))
    accepted = sum(1 for answer in members.answers if answer.startswith(b"HTTP/1.1 200"))
    findings.claim(not accepted, f"{accepted} unverified bodies were accepted")
    findings.claim(peak < BODIES_MAX_MIB, f"the bridge took {peak:.0f} MiB")
    findings.claim(after < BODIES_AFTER_MIB, f"the bridge kept {after:.0f} MiB")
    findings.notes.update(bridge_mib=round(peak), bridge_mib_after=round(after))
    return findings


CLAIMS = [Claim(f"crowd-{kind}", crowded(kind), 30) for kind in KINDS] + [Claim("unverified-bodies", unverified_bodies, 20)]
