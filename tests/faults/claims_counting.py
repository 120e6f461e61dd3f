"""Counted once: requests sent again, messages delivered again, one drop told by three sources in any order."""

import hashlib
import itertools
import json
import threading
import time

import checker
import model_harness
import pika
import sender
import servers
import traffic
import wire
from model import Model, Settings
from suite import Claim, every_answer_good

WORKERS = 8
PUBLISHERS = 8
SETTINGS = Settings(604800, 86400, 100000, "")


def send_all(stack, events):
    """Sends them, each once; the log."""
    sending = sender.Sender(stack.port, SharedIterator(events), rate=1000, threads=min(16, len(events)))
    sending.join()
    stack.connects_failed += sending.connects_failed
    return sending.stop()


class SharedIterator:
    """An iterator that threads may share (list iterators may be, but do not say so)."""

    def __init__(self, items):
        self.items = list(items)
        self.numbers = itertools.count()

    def __iter__(self):
        return self

    def __next__(self):
        number = next(self.numbers)
        if number >= len(self.items):
            raise StopIteration
        return self.items[number]


def each_request_thrice(stack, size, between=lambda stack: None):
    """`between` is what happens before the last of the three, when the others are counted."""
    stack.start_bridge()
    stack.start_workers()
    events = list(itertools.islice(traffic.Traffic(stack.rng.getrandbits(32)), size.events * 4))
    twice = events * 2
    stack.rng.shuffle(twice)
    log = send_all(stack, twice)
    stack.wait_for_rest()
    between(stack)
    stack.rng.shuffle(events)
    log += send_all(stack, events)
    findings = checker.check_all(stack, log)
    every_answer_good(findings)
    return findings


def forget_drops(stack):
    """For the control: what has been counted is not remembered any more."""
    for key in stack.redis.client.scan_iter("dc:drops:*", 1000):
        stack.redis.client.delete(key)


def published(event):
    """The message that the bridge would make of it."""
    campaign = traffic.campaign_in_url(event)
    now = traffic.now_ms()
    headers = {"x-received-at": now, "x-scheme": "token" if event.scheme == "callback" else event.scheme}
    if campaign:
        headers["x-campaign"] = campaign
    kind = "callback" if event.scheme == "callback" else "webhook"
    return pika.BasicProperties(
        message_id=f"m-{hashlib.sha256(event.body).hexdigest()[:32]}",
        timestamp=now // 1000,
        type=kind,
        app_id="dropbridge",
        delivery_mode=2,
        headers=headers,
    )


def publish_all(stack, messages):
    """Publishes (body, properties), each confirmed, over several connections at once."""
    exchange, queue = stack.names["AMQP_EXCHANGE"], stack.names["AMQP_QUEUE"]
    problems = []

    def publish_some(mine):
        try:
            with stack.channel() as channel:
                channel.confirm_delivery()
                for body, properties in mine:
                    channel.basic_publish(exchange, queue, body, properties, mandatory=True)
        except Exception as problem:  # noqa: BLE001 - said by the thread that waits
            problems.append(problem)

    threads = [threading.Thread(target=publish_some, args=(messages[n::PUBLISHERS],)) for n in range(PUBLISHERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, problems


def delivered_1_to_50_times(stack, size):
    """The same bytes under the same message_id are published 1 to 50 times, as late confirms and lost acknowledgements
    make it come to. Redelivery by the broker itself is in the claims that kill."""
    events = list(itertools.islice(traffic.Traffic(stack.rng.getrandbits(32)), size.events))
    deliveries = [event for event in events for _ in range(stack.rng.randint(1, 50))]
    stack.rng.shuffle(deliveries)
    stack.worker_settings.update(PREFETCH=64, BATCH_MAX=16, BATCH_WAIT_MS=5)
    stack.start_workers(WORKERS)
    properties = {event.body: published(event) for event in events}
    publish_all(stack, [(event.body, properties[event.body]) for event in deliveries])
    log = [sender.Sent(event, 0.0, status=200) for event in deliveries]
    return checker.check_all(stack, log)


def three_sources(number, success, clock):
    """(path, scheme, body) of the callback, the status webhook and the receipt of one drop, each with what it knows."""
    drop = f"{number:08x}-1111-4222-8333-444455556666"
    status = "success" if success else "failure"
    code = 0 if success else 4002
    times = [clock + 1000 * ((number + step) % 3) for step in range(3)]
    callback = {
        "drop_id": drop, "status": status, "phone_number": f"+1{4_000_000_000 + number}", "attempt_date": times[0],
        "foreign_id": f"three-{number}", "product_cost": 0.0421, "compliance_fee": 0.0029, "dnc": False, "spam": False,
        "reason": "" if success else "Voicemail full",
    }
    phone = f"{4_000_000_000 + number}"
    data = {"drop_id": drop, "status": status, "reason_code": code, "to": phone, "campaign_id": "body"}
    events = [
        {"event_id": f"{kind}-{number}", "event": f"contact.rvm.{kind}", "event_at": at, "data": data}
        for kind, at in (("status", times[1]), ("receipt", times[2]))
    ]
    return [(wire.callback_path("url"), "callback", callback)] + [(wire.WEBHOOK, "v1", event) for event in events]


def wait_until_consumed(stack, count):
    def consumed():
        return sum(worker.metrics()["dropworker_consumed_total"] for worker in stack.workers)

    servers.wait_until(lambda: consumed() >= count, lambda: f"{count} messages are consumed, not {consumed():g}")


def six_orders(stack, size):
    """Callback, status and receipt of a drop in each order; each is counted before the next one is sent."""
    stack.start_bridge()
    stack.start_workers()
    clock = int(time.time() * 1000) - 60_000
    model = Model(SETTINGS, clock, model_harness.REASONS)
    log = []
    for number, order in enumerate(itertools.permutations(range(3))):
        for success in (True, False):
            sources = three_sources(2 * number + success, success, clock)
            events = [traffic.Event("copy", path, scheme, json.dumps(body).encode()) for path, scheme, body in sources]
            for position in order:
                log += send_all(stack, [events[position]])
                wait_until_consumed(stack, len(log))
                campaign = "url" if position == 0 else ""
                kind = "callback" if position == 0 else "webhook"
                envelope = {"type": kind, "scheme": "v1", "received_at": clock, "campaign": campaign}
                model.apply(events[position].body, envelope)
    findings = checker.Findings()
    checker.count_answers(findings, log)
    every_answer_good(findings)
    compare_with_model(findings, stack, model)
    checker.check_identities(findings, stack)
    return findings


def compare_with_model(findings, stack, model):
    def found():
        return model_harness.keys_of(stack.redis.client.eval(model_harness.DUMP, 0, checker.PREFIX))[0]

    def differences():
        return model_harness.final_differences(model, found())

    stack.wait_for_rest()
    try:
        servers.wait_until(lambda: not differences())
    except AssertionError:
        findings.problems += differences()
    findings.problems += model_harness.broken_invariants(found())
    messages = int(found().get("totals", ("hash", {}))[1].get("messages", 0))
    findings.lost = max(0, len(model.drops) - messages)
    findings.doubled = max(0, messages - len(model.drops))


def tampered(stack, size, tamper):
    """For the controls: a good run, and then somebody's hand in Redis."""
    stack.start_bridge()
    stack.start_workers()
    log = send_all(stack, list(itertools.islice(traffic.Traffic(stack.rng.getrandbits(32)), size.events)))
    stack.wait_for_rest()
    tamper(stack.redis.client, [sent.event for sent in log])
    return checker.check_all(stack, log)


def half_an_event(client, events):
    """An event's counts are taken back from its campaign and the totals; that it was there is still known."""
    event = next(event for event in events if event.kind == "result" and event.success)
    for key in ("dc:totals", f"dc:campaign:{event.campaign}:counters"):
        for name in ("messages", "success"):
            client.hincrby(key, name, -1)


def counts_without_campaign(client, events):
    """The first part of an event only: the totals."""
    client.hincrby("dc:totals", "messages", 1)
    client.hincrby("dc:totals", "success", 1)


def swap_a_phone(client, events):
    """The lists stay as long as they were."""
    phone = next(event.phone for event in events if event.kind == "result" and event.opts_out)
    for key in client.scan_iter("dc:*optouts"):
        if client.zrem(key, phone):
            client.zadd(key, {"+15550000000": 1})


def altered_contents(stack, size):
    """For the control: a good run, and then one thing after the other altered in Redis; each must be said."""
    stack.start_bridge()
    stack.start_workers()
    log = send_all(stack, list(itertools.islice(traffic.Traffic(stack.rng.getrandbits(32)), size.events * 2)))
    findings = checker.check_all(stack, log)
    client, missed = stack.redis.client, []
    for said, alter in ALTERATIONS.items():
        before = {key: client.dump(key) for key in client.scan_iter("dc:*", 1000)}
        alter(client, [sent.event for sent in log])
        probe = checker.Findings()
        checker.check_events(probe, client, log)
        if not any(problem.startswith(said) for problem in probe.problems):
            missed.append(said)
        restore(client, before)
    findings.claim(not missed, f"nobody saw: {missed}")
    findings.notes["all_seen"] = "" if findings.problems else f"{len(ALTERATIONS)} alterations"
    return findings


def restore(client, before):
    changed = [key for key, value in before.items() if client.dump(key) != value]
    for key in changed:
        ttl = max(0, client.pttl(key))
        client.restore(key, ttl, before[key], replace=True)


def stream_entry(client, kind):
    return next((id_, fields) for id_, fields in client.xrange("dc:results") if kind in fields)


def of_kind(events, kind):
    return next(event for event in events if event.kind == kind)


def opt_out_later(client, events):
    client.zincrby("dc:optouts", 1000, of_kind(events, "opt_out").phone)


def campaign_state(client, events):
    client.hset(f"dc:campaign:{of_kind(events, 'campaign').campaign}", "state", "unheard of")


def campaign_time(client, events):
    client.hset("dc:campaign:spring", "last_event_at", "2020-01-01T00:00:00.000Z")


def campaign_score(client, events):
    client.zincrby("dc:campaigns", 1, "spring")


def event_name(client, events):
    client.hincrby("dc:events", json.loads(of_kind(events, "other").body)["event"], -1)


def unknown_reason(client, events):
    client.hincrby("dc:unknown_reasons", traffic.REASONS[-1][0], 1)


def minute_sum(client, events):
    client.hincrby(next(client.scan_iter("dc:minute:*", 1000)), "success", -1)


def result_time(client, events):
    key = f"dc:result:{of_kind(events, 'result').foreign_id}"
    client.set(key, json.dumps({**json.loads(client.get(key)), "at": "2020-01-01T00:00:00.000Z"}), keepttl=True)


def entry_gone(client, events):
    client.xdel("dc:results", stream_entry(client, b"result")[0])


def entry_twice(client, events):
    client.xadd("dc:results", stream_entry(client, b"result")[1])


def opt_out_unsaid(client, events):
    client.xdel("dc:results", stream_entry(client, b"opt_out")[0])


# The beginning of what must be said → what is done.
ALTERATIONS = {
    "dc:optouts ": opt_out_later,
    "dc:campaign:tour-": campaign_state,
    "dc:campaign:spring last_event_at": campaign_time,
    "dc:campaigns spring": campaign_score,
    "dc:events ": event_name,
    "dc:unknown_reasons: ": unknown_reason,
    "dc:minute:*: ": minute_sum,
    "dc:result:": result_time,
    "dc:results: 1 drops that are counted have no entry": entry_gone,
    "dc:results: 1 drops are there more than once": entry_twice,
    "dc:results: 1 phones that opted out have no entry": opt_out_unsaid,
}


def altered_figures(stack, size):
    """For the control: each of the metrics that must add up, one off or not there, must be noticed."""
    stack.start_bridge()
    stack.start_workers(1)
    log = send_all(stack, list(itertools.islice(traffic.Traffic(stack.rng.getrandbits(32), 0.1), size.events)))
    findings = checker.check_all(stack, log)
    missed = []
    for check, names, metrics in (
        (checker.check_bridge_identities, checker.BRIDGE_FIGURES, stack.bridge.metrics()),
        (checker.check_worker_identity, checker.WORKER_FIGURES, stack.workers[0].metrics()),
    ):
        for name in names:
            without = {other: value for other, value in metrics.items() if other != name}
            if not noticed(check, {**metrics, name: metrics[name] + 1}) or not noticed(check, without):
                missed.append(name)
    findings.claim(not missed, f"nobody saw: {missed}")
    count = len(checker.BRIDGE_FIGURES) + len(checker.WORKER_FIGURES)
    findings.notes["all_seen"] = "" if findings.problems else f"{count} figures, altered and missing"
    return findings


def noticed(check, metrics):
    probe = checker.Findings()
    try:
        check(probe, metrics)
    except KeyError:
        return True
    return bool(probe.problems)


CLAIMS = [
    Claim("each-request-three-times", each_request_thrice, 15),
    Claim("each-message-1-to-50-times", delivered_1_to_50_times, 20, smoke=True),
    Claim("three-sources-in-six-orders", six_orders, 10),
]
