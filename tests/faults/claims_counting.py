"""Counted once: requests sent again, messages delivered again, one drop told by three sources in any order."""

import itertools
import json
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
SETTINGS = Settings(604800, 86400, 100000, "")


def send_all(stack, events):
    """Sends them, each once; the log."""
    sending = sender.Sender(stack.port, SharedIterator(events), rate=1000, threads=16)
    sending.join(120)
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
    campaign = event.campaign if event.scheme == "callback" and event.campaign != "unassigned" else ""
    now = int(time.time() * 1000)
    headers = {"x-received-at": now, "x-scheme": "token" if event.scheme == "callback" else event.scheme}
    if campaign:
        headers["x-campaign"] = campaign
    kind = "callback" if event.scheme == "callback" else "webhook"
    return pika.BasicProperties(
        message_id=f"m-{event.drop_id or event.phone}",
        timestamp=now // 1000,
        type=kind,
        app_id="dropbridge",
        delivery_mode=2,
        headers=headers,
    )


def delivered_1_to_50_times(stack, size):
    events = list(itertools.islice(traffic.Traffic(stack.rng.getrandbits(32)), size.events))
    deliveries = [event for event in events for _ in range(stack.rng.randint(1, 50))]
    stack.rng.shuffle(deliveries)
    stack.worker_settings.update(PREFETCH=64, BATCH_MAX=16, BATCH_WAIT_MS=5)
    stack.start_workers(WORKERS)
    properties = {event.body: published(event) for event in events}
    exchange, queue = stack.names["AMQP_EXCHANGE"], stack.names["AMQP_QUEUE"]
    with stack.channel() as channel:
        for event in deliveries:
            channel.basic_publish(exchange, queue, event.body, properties[event.body])
    log = [sender.Sent(event, 0.0, 200) for event in deliveries]
    return checker.check_all(stack, log, 120)


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


def six_orders(stack, size):
    """Callback, status and receipt of a drop in each order, told one after the other."""
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
    expected = model_harness.final(model.state())

    def found():
        return model_harness.keys_of(stack.redis.client.eval(model_harness.DUMP, 0, checker.PREFIX))[0]

    def differences():
        return model_harness.differences(expected, model_harness.final(found()))

    stack.wait_for_rest()
    try:
        servers.wait_until(lambda: not differences(), 20)
    except AssertionError:
        findings.problems += differences()
    findings.problems += model_harness.broken_invariants(found())
    messages = int(found().get("totals", ("hash", {}))[1].get("messages", 0))
    findings.lost = max(0, len(model.drops) - messages)
    findings.doubled = max(0, messages - len(model.drops))


CLAIMS = [
    Claim("each-request-three-times", each_request_thrice, 15),
    Claim("each-message-1-to-50-times", delivered_1_to_50_times, 20),
    Claim("three-sources-in-six-orders", six_orders, 10),
]
