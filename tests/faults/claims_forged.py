"""What nobody signed is not accepted, whatever was changed; nor is a request whose end two readers see at different places."""

import concurrent.futures

import checker
import forger
from suite import Claim

AT_ONCE = 16
REFUSED = {400, 401, 403, 404, 408, 413, 431, 501, 505}


def accepted_by(stack):
    """By the bridge's own word, and in the queue."""
    metrics = stack.bridge.metrics()
    answered, kept = (sum(metrics[name] for name in names)
                      for names in ((checker.RECEIVED, checker.KEPT_INVALID), (checker.BY_BROKER, checker.BY_SPOOL)))
    return int(max(answered, kept, stack.depth()))


def judge(stack, tried, accepted):
    findings = checker.Findings(tried=tried, acknowledged=accepted)
    inside = accepted_by(stack)
    findings.notes["accepted"] = max(accepted, inside)
    findings.claim(not accepted, f"{accepted} requests were answered 200")
    findings.claim(not inside, f"the bridge has accepted {inside} of them")
    return findings


def forged(stack, size, count=None):
    """Signatures, bodies, timestamps and tokens, each spoiled in one place."""
    count = count or size.forged
    stack.start_bridge()
    counts = forger.send_all(stack.port, forger.forged(stack.rng.getrandbits(32), count))
    findings = judge(stack, sum(counts.values()), counts.get(200, 0))
    findings.refused = findings.tried - findings.acknowledged
    findings.claim(findings.tried == count, f"{count} requests had {findings.tried} answers")
    findings.claim(set(counts) <= {200, 401}, f"answers that nobody expects: {counts}")
    findings.notes["answers"] = counts
    return findings


def ambiguous(stack, size):
    stack.start_bridge()
    requests = list(forger.ambiguous(stack.rng.getrandbits(32), size.ambiguous))
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda request: forger.answers_to(stack.port, request), requests))
    findings = judge(stack, len(requests), sum(200 in statuses for statuses in answers))
    findings.refused = sum(bool(set(statuses) & REFUSED) for statuses in answers)
    findings.unanswered = sum(not statuses for statuses in answers)
    twice = [request for request, statuses in zip(requests, answers) if len(statuses) > 1]
    findings.notes["answered_twice"] = len(twice)
    findings.claim(not twice, f"{len(twice)} requests had two answers, such as {twice[:1]}")
    wrong = [request for request, statuses in zip(requests, answers) if statuses and not set(statuses) <= REFUSED]
    findings.claim(not wrong, f"{len(wrong)} requests were not refused, such as {wrong[:1]}")
    return findings


CLAIMS = [
    Claim("forged", forged, 20, smoke=True),
    Claim("ambiguous-framing", ambiguous, 10, smoke=True),
]
