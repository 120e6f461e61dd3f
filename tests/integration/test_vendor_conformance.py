"""The 20 rules for webhooks of the vendor's own conformance suite (its public repository, examples/sample-crm/server/conformance), in
its order, each as a row in our words. The answers are the vendor's to the letter; the queue must hold what was taken, and nothing else."""

import json
import time
import uuid

import pytest
import servers
import wire

RECEIVED, DUPLICATE = {"received": True}, {"received": True, "duplicate": True}
NOBODYS_SECRET = "a-secret-of-nobody"


def event(event_id):
    data = {"contact_id": "0b8f6a52-3c1d-4e7b-8f90-6a1b2c3d4e5f", "from": "+12065550147", "body": "Yes, please call"}
    return json.dumps({"event_id": event_id, "event": "contact.msg.received", "event_at": int(time.time() * 1000), "data": data}).encode()


def spaced(event_id):
    return b'{\n\t"data" : {"z":1, "a" :2 } ,\r\n "event": "contact.msg.received"\n , "event_id":"%s"}\n' % event_id.encode()


def with_id(sign):
    """The header X-Event-Id beside it."""
    return lambda body: {**sign(body), "X-Event-Id": json.loads(body)["event_id"]}


def signed_at(stamp):
    return lambda body: wire.v1(body, timestamp=stamp())


def without(name):
    return lambda body: {header: value for header, value in wire.v1(body).items() if header != name}


def seconds(later):
    return lambda: str(int(time.time()) + later)


RULES = [
    # name, body(event id), headers(body) of each delivery in turn, (status, body or code) of each, messages in the queue, and in
    # the rejected one
    ("takes a delivery that is signed right, without X-Event-Id", event, [wire.v1], [(200, RECEIVED)], 1, 0),
    ("takes a delivery signed with any secret that is set", event, [with_id(lambda b: wire.v1(b, servers.OTHER_WEBHOOK_SECRET))],
     [(200, RECEIVED)], 1, 0),
    ("verifies the bytes that came, so that spaces and order of keys are free", spaced, [with_id(wire.v1)], [(200, RECEIVED)], 1, 0),
    ("takes any Content-Type", event, [lambda b: {**with_id(wire.v1)(b), "Content-Type": "text/plain"}], [(200, RECEIVED)], 1, 0),
    ("says duplicate to the second attempt with the same X-Event-Id", event,
     [with_id(wire.v1), lambda b: {**with_id(wire.v1)(b), "X-Attempt": "2"}], [(200, RECEIVED), (200, DUPLICATE)], 1, 0),
    ("says duplicate by the body's event_id where X-Event-Id is missing", event, [wire.v1, wire.v1], [(200, RECEIVED), (200, DUPLICATE)], 1, 0),
    ("refuses a secret that is not set", event, [lambda b: wire.v1(b, NOBODYS_SECRET)], [(401, "invalid_signature")], 0, 0),
    ("refuses a body that was changed after it was signed", event, [lambda b: wire.v1(b.replace(b"Yes", b"No!"))],
     [(401, "invalid_signature")], 0, 0),
    ("refuses an X-Signature-Version that it does not know", event, [lambda b: wire.v1(b, version="v2")], [(401, "invalid_signature")], 0, 0),
    ("refuses a signature without sha256= in front", event, [lambda b: wire.v1(b, prefix="")], [(401, "invalid_signature")], 0, 0),
    ("says that X-Signature is missing", event, [without("X-Signature")], [(401, "missing_signature")], 0, 0),
    ("says that X-Timestamp is missing", event, [without("X-Timestamp")], [(401, "missing_signature")], 0, 0),
    ("refuses a timestamp of more than 300 seconds ago", event, [signed_at(seconds(-301))], [(401, "stale_timestamp")], 0, 0),
    # Not 301: the clock goes on while the request is on its way.
    ("refuses a timestamp of more than 300 seconds ahead", event, [signed_at(seconds(330))], [(401, "stale_timestamp")], 0, 0),
    ("refuses a timestamp in milliseconds", event, [signed_at(lambda: seconds(0)() + "000")], [(401, "stale_timestamp")], 0, 0),
    ("refuses a timestamp that is no number", event, [signed_at(lambda: "yesterday")], [(401, "stale_timestamp")], 0, 0),
    ("refuses a timestamp with a fraction", event, [signed_at(lambda: seconds(0)() + ".5")], [(401, "stale_timestamp")], 0, 0),
    ("says that a signed body is not JSON, and keeps it for the operator", lambda event_id: b"event_id=" + event_id.encode(),
     [wire.v1], [(400, "invalid_json")], 0, 1),
]
ELSEWHERE = [
    # name, settings, (status, body or code), messages queued
    ("takes webhooks whatever else is set: here without CALLBACK_SECRET", {"CALLBACK_SECRET": None}, (200, RECEIVED), 1),
    ("says that no secret is set", {"WEBHOOK_SECRET": None}, (503, "webhook_not_configured"), 0),
]


def deliver(port, body, headers):
    by_the_vendor = {"Content-Type": "application/json", "User-Agent": "DropCowboy-Webhook/1.0", "X-Attempt": "1"}
    return wire.post(port, wire.WEBHOOK, body, {**by_the_vendor, **headers})


def assert_said(answer, status, said):
    assert answer.status == status, answer
    assert answer.headers["content-type"].startswith("application/json")
    if isinstance(said, dict):
        assert answer.json == said
    else:
        assert set(answer.json) == {"error"} and set(answer.json["error"]) == {"code", "message"} and answer.json["error"]["message"]
        assert answer.code == said


def assert_kept(queues, body, queued, rejected):
    for queue, count in (("AMQP_QUEUE", queued), ("AMQP_REJECTED_QUEUE", rejected)):
        assert [one for _, one in queues.take(queue, count)] == [body] * count
        assert queues.depth(queue) == 0


@pytest.mark.parametrize(("make", "signs", "answers", "queued", "rejected"), [rule[1:] for rule in RULES], ids=[rule[0] for rule in RULES])
def test_rule(station, make, signs, answers, queued, rejected):
    body = make(str(uuid.uuid4()))
    for sign, (status, said) in zip(signs, answers, strict=True):
        assert_said(deliver(station.port, body, sign(body)), status, said)
    assert_kept(station.queues, body, queued, rejected)


@pytest.mark.parametrize(("settings", "said", "queued"), [rule[1:] for rule in ELSEWHERE], ids=[rule[0] for rule in ELSEWHERE])
def test_rule_under_other_settings(start_bridge, queues, settings, said, queued):
    bridge = start_bridge(**settings)
    body = event(str(uuid.uuid4()))
    assert_said(deliver(bridge.port, body, with_id(wire.v1)(body)), *said)
    assert_kept(queues, body, queued, 0)
