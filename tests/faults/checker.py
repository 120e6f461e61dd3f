"""Compares the sender's log with Redis. What the programs say of themselves is checked only for adding up."""

import collections
import dataclasses
import json

import contents
import model_harness
import outcomes
import servers
import traffic

PREFIX = "dc:"
CHUNK = 500
COUNTED = ("messages", "success", "failure", "opt_out", "dnc", "spam", "product_cost_micros", "compliance_fee_micros",
           "tts_fee_micros")
APPEAR_SECONDS = 5.0  # the check begins at rest: what is not there soon will never be


@dataclasses.dataclass
class Findings:
    """`problems` are sentences; a claim holds when there are none."""

    tried: int = 0
    acknowledged: int = 0
    refused: int = 0  # answered, but not with 200 (nor with a 400 for poison)
    unanswered: int = 0
    connects_failed: int = 0  # refused, or never taken
    lost: int = 0
    doubled: int = 0
    slowest: float = 0.0  # seconds; no answer before the sender gave up counts as one that late
    problems: list = dataclasses.field(default_factory=list)
    late: list = dataclasses.field(default_factory=list)  # those of the problems that the clock of a busy machine makes too
    notes: dict = dataclasses.field(default_factory=dict)
    taken: list = dataclasses.field(default_factory=list, repr=False)  # (properties, body) of the rejected queue

    def claim(self, holds, sentence):
        if not holds:
            self.problems.append(sentence)

    def claim_in_time(self, holds, sentence):
        """A promise in wall-clock time."""
        self.claim(holds, sentence)
        if not holds:
            self.late.append(sentence)

    def only_late(self):
        return bool(self.problems) and all(problem in self.late for problem in self.problems)

    def take_over(self, other):
        self.problems += other.problems
        self.late += other.late


def count_answers(findings, log):
    findings.tried = len(log)
    findings.acknowledged = sum(1 for sent in log if sent.acknowledged)
    findings.unanswered = sum(1 for sent in log if sent.status is None)
    kept = sum(1 for sent in log if sent.status == 400 and sent.event.kind == "poison")
    findings.refused = findings.tried - findings.acknowledged - findings.unanswered - kept
    findings.slowest = max((sent.seconds for sent in log if sent.status is not None or sent.timed_out), default=0.0)
    strange = collections.Counter(sent.status for sent in log if sent.status not in (None, 200, 503))
    if kept:
        strange[400] -= kept
    findings.claim(not +strange, f"answers that nobody expects: {dict(strange)}")


def was_acknowledged(sent):
    return sent.acknowledged


def distinct_events(log, must_be_there=was_acknowledged):
    """event → whether it must be there by any of the requests that carried it."""
    events = {}
    for sent in log:
        if sent.event.kind != "poison":
            known = events.get(sent.event.body)
            events[sent.event.body] = (sent.event, bool(known and known[1]) or must_be_there(sent))
    return list(events.values())


class Held:
    """What Redis holds of the events sent. A lookup keeps the name that its campaign had: `aliases` has that of now."""

    def __init__(self, client, events, aliases=None):
        self.optouts = phones_of(client, "optouts")
        self.campaigns = {name.decode() for name in client.zrange(f"{PREFIX}campaigns", 0, -1)}
        about = {event.campaign for event, _ in events if event.kind == "campaign"}
        self.campaign_times = {name: campaign_times(client, name) for name in about}
        self.results = {}
        names = [event.foreign_id for event, _ in events if event.kind == "result"]
        for first in range(0, len(names), CHUNK):
            pipeline = client.pipeline(transaction=False)
            chunk = names[first : first + CHUNK]
            for name in chunk:
                pipeline.get(f"{PREFIX}result:{name}")
            for name, text in zip(chunk, pipeline.execute()):
                if text:
                    self.results[name] = fields = json.loads(text)
                    fields["campaign"] = (aliases or {}).get(fields["campaign"], fields["campaign"])

    def has(self, event):
        if event.kind == "opt_out":
            return event.phone in self.optouts
        if event.kind == "campaign":
            return traffic.iso_ms(event.at) in self.campaign_times[event.campaign]
        if event.kind == "other":
            return event.campaign in self.campaigns
        return event.foreign_id in self.results


def campaign_times(client, name):
    """Of a campaign with two events these are the times of both."""
    times = client.hmget(f"{PREFIX}campaign:{name}", "first_event_at", "last_event_at")
    return {text.decode() for text in times if text}


def wrong_result(event, fields):
    """Why the lookup does not say what was sent; None if it does."""
    expected = {
        "outcome": "success" if event.success else "failure",
        "reason": event.reason,
        "drop_id": event.drop_id,
        "phone": event.phone,
        "campaign": event.campaign,
    }
    wrong = {name: (fields.get(name), value) for name, value in expected.items() if fields.get(name) != value}
    return f"dc:result:{event.foreign_id}: {wrong}" if wrong else None


def expected_counts(events):
    """campaign → Counter, and campaign → Counter of reasons, of the events that are there."""
    counts, reasons = collections.defaultdict(collections.Counter), collections.defaultdict(collections.Counter)
    for event in events:
        counter = counts[event.campaign]
        if event.told and event.campaign != "unassigned":
            counter["opt_out"] += 1
        if event.kind != "result":
            continue
        counter["messages"] += 1
        counter["success" if event.success else "failure"] += 1
        counter["dnc"] += event.dnc
        counter["spam"] += event.spam
        for name, micros in zip(("product_cost_micros", "compliance_fee_micros", "tts_fee_micros"), event.costs):
            counter[name] += micros
        if not event.success:
            reasons[event.campaign][event.reason] += 1
    return counts, reasons


def counters_of(client, key):
    return {name.decode(): int(value) for name, value in client.hgetall(PREFIX + key).items()}


def phones_of(client, key):
    return {phone.decode() for phone in client.zrange(PREFIX + key, 0, -1)}


def count_keys(client, planted=()):
    """The keys that count, as model_harness reads them; those of `planted` that are no more than a text count as
    absent."""
    absent = {key for key in planted if client.type(key) == b"string"}

    def read(key, how, nothing):
        return nothing() if PREFIX + key in absent else how(client, key)

    campaigns = [name.decode() for name in client.zrange(f"{PREFIX}campaigns", 0, -1)]
    keys = {"campaigns": ("zset", dict.fromkeys(campaigns, 0))}
    scopes = [("totals", "", "optouts")]
    scopes += [(f"campaign:{name}", ":counters", f"campaign:{name}:optouts") for name in campaigns]
    for scope, suffix, phones in scopes:
        keys[scope + suffix] = ("hash", read(scope + suffix, counters_of, dict))
        keys[f"{scope}:reasons"] = ("hash", read(f"{scope}:reasons", counters_of, dict))
        keys[phones] = ("zset", dict.fromkeys(read(phones, phones_of, set), 0))
    return keys


def broken_invariants(client, planted=()):
    """INTERFACE.md, "Always true"; from one moment only if nothing is being counted."""
    return model_harness.broken_invariants(count_keys(client, planted))


def compare_optouts(findings, keys, there):
    """Each list to suppress holds the phones of the events there that opt out, and no other. Counts a phone that is not
    on its list as lost: the next campaign would call it."""
    lists = {"optouts": {event.phone for event in there if event.opts_out}}
    for campaign in keys["campaigns"][1]:
        lists[f"campaign:{campaign}:optouts"] = {
            event.phone for event in there
            if event.told and event.campaign == campaign and campaign != "unassigned"
        }
    for key, expected in lists.items():
        held = set(keys[key][1])
        findings.lost += len(expected - held) if key == "optouts" else 0
        findings.claim(expected <= held, f"{PREFIX}{key}: {len(expected - held)} phones that opted out are not there")
        findings.claim(held <= expected, f"{PREFIX}{key}: {len(held - expected)} phones that nobody opted out")


def compare_counts(findings, keys, there):
    findings.problems += model_harness.broken_invariants(keys)
    counts, reasons = expected_counts(there)
    for campaign in sorted(set(counts) | set(keys["campaigns"][1])):
        held = keys.get(f"campaign:{campaign}:counters", ("hash", {}))[1]
        for name in COUNTED:
            found, expected = held.get(name, 0), counts[campaign][name]
            findings.claim(found == expected, f"campaign {campaign}: {name} is {found}, what is there makes {expected}")
        found = keys.get(f"campaign:{campaign}:reasons", ("hash", {}))[1]
        expected = dict(reasons[campaign])
        findings.claim(found == expected, f"campaign {campaign}: reasons {found}, what is there makes {expected}")
    totals = keys["totals"][1]
    phones = sum(1 for event in there if event.opts_out)
    findings.claim(totals.get("opt_out", 0) == phones, f"totals: opt_out {totals.get('opt_out', 0)}, sent {phones}")
    findings.doubled = max(0, totals.get("messages", 0) - sum(1 for event in there if event.kind == "result"))


def missing(client, events):
    held = Held(client, events)
    return [event for event, must in events if must and not held.has(event)]


def check_events(findings, client, log, must_be_there=was_acknowledged, aliases=None):
    """Sets lost and doubled, and says what else is wrong."""
    events = distinct_events(log, must_be_there)
    lost = [(event, True) for event in missing(client, events)]
    try:
        servers.wait_until(lambda: not missing(client, lost), within=APPEAR_SECONDS)
    except AssertionError:
        findings.lost = len(missing(client, lost))
    held, keys = Held(client, events, aliases), count_keys(client)
    there = [event for event, _ in events if held.has(event)]
    findings.claim(findings.lost == 0, f"{findings.lost} acknowledged events are not in Redis")
    for event in there:
        if event.kind == "result" and (wrong := wrong_result(event, held.results[event.foreign_id])):
            findings.problems.append(wrong)
    compare_counts(findings, keys, there)
    compare_optouts(findings, keys, there)
    contents.compare(findings, client, there, held.results)
    findings.claim(findings.doubled == 0, f"{findings.doubled} messages are counted more than once")


BRIDGE_FIGURES = RECEIVED, KEPT_INVALID, BY_BROKER, BY_SPOOL, FOUND, SPOOLED, DRAINED, WAITING, SET_ASIDE = (
    'dropbridge_requests_total{code="received"}',
    "dropbridge_kept_invalid_total",
    'dropbridge_accepted_total{by="broker"}',
    'dropbridge_accepted_total{by="spool"}',
    "dropbridge_spool_found_at_start",
    "dropbridge_spool_spooled_total",
    "dropbridge_spool_drained_total",
    "dropbridge_spool_waiting",
    "dropbridge_spool_set_aside_total",
)
CONSUMED = "dropworker_consumed_total"
WORKER_FIGURES = (CONSUMED, *outcomes.BECAME)


def check_bridge_identities(findings, metrics):
    """A metric that is not there, renamed say, is a KeyError: nothing must hold because all is 0."""
    answered = metrics[RECEIVED] + metrics[KEPT_INVALID]
    accepted = metrics[BY_BROKER] + metrics[BY_SPOOL]
    findings.claim(answered == accepted, f"bridge: received and kept {answered:g}, accepted {accepted:g}")
    came = metrics[FOUND] + metrics[SPOOLED]
    went = metrics[DRAINED] + metrics[WAITING] + metrics[SET_ASIDE]
    findings.claim(came == went, f"spool: found and spooled {came:g}, drained, waiting and set aside {went:g}")


def check_worker_identity(findings, metrics):
    """As check_bridge_identities; a kind of rejection that we do not know counts too."""
    rejected = [name for name in metrics if name.startswith("dropworker_rejected_total") and name not in outcomes.BECAME]
    summed = sum(metrics[name] for name in (*outcomes.BECAME, *rejected))
    consumed = metrics[CONSUMED]
    findings.claim(consumed == summed, f"worker: consumed {consumed:g}, the sum of what became of them {summed:g}")


def check_identities(findings, stack):
    if stack.bridge and stack.bridge.running():
        check_bridge_identities(findings, stack.bridge.metrics())
    for worker in stack.workers:
        if worker.running():
            check_worker_identity(findings, worker.metrics())


def check_rejected(findings, stack, log):
    """The rejected queue holds the poison that was kept, byte for byte, and nothing else."""
    taken = findings.taken = stack.rejected()
    found = collections.Counter(body for _, body in taken)
    poison = {sent.event.body for sent in log if sent.event.kind == "poison"}
    kept = {sent.event.body for sent in log if sent.event.kind == "poison" and sent.status in (200, 400)}
    absent = findings.notes["poison_absent"] = len(kept - set(found))
    findings.claim(not absent, f"{absent} of {len(kept)} poisoned bodies are not in the rejected queue")
    innocents = [(properties, body) for properties, body in taken if body not in poison]
    reasons = collections.Counter(reason_of(properties) for properties, _ in innocents)
    findings.claim(not innocents, f"innocents in the rejected queue: {dict(reasons)}")
    findings.notes["innocents_rejected"] = len(innocents)
    findings.notes["rejected"] = len(taken)
    findings.notes["poison_kept"] = len(kept)


def reason_of(properties):
    headers = properties.headers or {}
    return headers.get("x-reject-reason") or f"by the broker: {headers.get('x-first-death-reason')}"


def check_all(stack, log, aliases=None):
    """Waits for rest, then everything."""
    findings = Findings(connects_failed=stack.connects_failed)
    count_answers(findings, log)
    try:
        stack.wait_for_all()
    except AssertionError as problem:
        findings.problems.append(f"not at rest: {problem}")
    check_events(findings, stack.redis.client, log, aliases=aliases)
    check_identities(findings, stack)
    check_rejected(findings, stack, log)
    return findings
