"""Bodies in the vendor's shapes, and messages as the bridge puts them into the queue."""

import json
import time
import uuid

import pika


def drop_id():
    return uuid.uuid4().hex[:24]


def callback(status="success", reason="", **more):
    """Dialect B."""
    body = {
        "drop_id": drop_id(),
        "phone_number": "+12065550150",
        "attempt_date": "2025-06-15T18:00:00.000Z",
        "status": status,
        "reason": reason,
        "dnc": False,
        "spam": False,
        "product_cost": 0,
        "compliance_fee": 0,
        "tts_fee": 0,
        "network": {"name": "Example Mobile", "type": "wireless"},
        "foreign_id": uuid.uuid4().hex,
    }
    body.update(more)
    return body


def failure(reason, **more):
    return callback("failure", reason, **more)


def guide(kind, **data):
    """Dialect A."""
    return {"type": kind, "data": data}


def developer(event, at="2025-06-15T18:00:00.000Z", **data):
    """Dialect C."""
    return {"event_id": str(uuid.uuid4()), "event": event, "event_at": at, "data": data}


def message(body, campaign=None, kind="callback", received_ms=None, **headers):
    """(bytes, properties) for Queues.publish."""
    received = received_ms or int(time.time() * 1000)
    all_headers = {"x-received-at": received, "x-scheme": "token", **headers}
    if campaign is not None:
        all_headers["x-campaign"] = campaign
    properties = pika.BasicProperties(
        delivery_mode=2,
        message_id=uuid.uuid4().hex,
        timestamp=received // 1000,
        type=kind,
        app_id="dropbridge",
        headers=all_headers,
    )
    return body if isinstance(body, bytes) else json.dumps(body).encode(), properties


def text_of(mapping):
    return {key.decode(): value.decode() for key, value in mapping.items()}


def counters(client, campaign=None, prefix="dc:"):
    """The hash of counters as {field: int}."""
    key = f"{prefix}campaign:{campaign}:counters" if campaign else f"{prefix}totals"
    return {field: int(value) for field, value in text_of(client.hgetall(key)).items()}


def reasons(client, campaign=None, prefix="dc:"):
    key = f"{prefix}campaign:{campaign}:reasons" if campaign else f"{prefix}totals:reasons"
    return {field: int(value) for field, value in text_of(client.hgetall(key)).items()}


def optouts(client, campaign=None, prefix="dc:"):
    key = f"{prefix}campaign:{campaign}:optouts" if campaign else f"{prefix}optouts"
    return {phone.decode(): int(score) for phone, score in client.zrange(key, 0, -1, withscores=True)}


def state(client, campaign, prefix="dc:"):
    return text_of(client.hgetall(f"{prefix}campaign:{campaign}"))
