"""What the Redis of the worked examples has counted: two campaigns of one weekend in November 2026, copy by copy. The outputs
in docs/redis-keys.md follow from it by hand."""

import json

from generate import Sequence
from model import DEFAULTS

DAY_MS = 86400000
SATURDAY_MS = 1795219200000  # 2026-11-21T00:00:00Z


def clock(day, text):
    """(the time in ms, the same in ISO 8601): day 0 is Saturday, text is 06:15:02."""
    hours, minutes, seconds = map(int, text.split(":"))
    iso = f"2026-11-{21 + day}T{text}.000Z"
    return SATURDAY_MS + day * DAY_MS + (3600 * hours + 60 * minutes + seconds) * 1000, iso


def callback(day, time, campaign, number, reason="", **more):
    """A result by the URL of its campaign, received as it happens. The send's own number tells drop and phone."""
    received_ms, iso = clock(day, time)
    body = {
        "drop_id": f"65f0a1b2c3d4e5f60000{number}", "phone_number": f"+1206555{number}", "attempt_date": iso,
        "status": "failure" if reason else "success", "reason": reason, "foreign_id": str(number),
        "product_cost": 0 if reason else 0.0075, **more,
    }
    return json.dumps(body).encode(), envelope("callback", "token", received_ms, campaign)


def webhook(day, time, event, **data):
    received_ms, iso = clock(day, time)
    body = {"event_id": f"{event} of {iso}", "event": event, "event_at": iso, "data": data}
    return json.dumps(body).encode(), envelope("webhook", "v1", received_ms)


def envelope(kind, scheme, received_ms, campaign=None):
    named = {} if campaign is None else {"campaign": campaign}
    return {"type": kind, "scheme": scheme, "received_at": received_ms, **named}


COPIES = [
    callback(0, "17:00:00", "winter", 7001),
    callback(0, "17:00:05", "winter", 7002),
    webhook(0, "18:00:00", "campaign.completed", campaign_id="winter"),
    callback(1, "06:14:10", "spring", 8810),
    callback(1, "06:14:40", "spring", 8811),
    callback(1, "06:15:02", "spring", 8812, "Temporarily unreachable"),
    callback(1, "06:15:10", "spring", 8813, "Temporarily unreachable"),
    callback(1, "06:15:20", "spring", 8814, "Handset on fire"),
    callback(1, "06:15:30", "spring", 8815, "Internal DNC"),
    # The same drop again, by webhook; then a later attempt that came through.
    webhook(1, "06:15:21", "contact.sms.status", drop_id="65f0a1b2c3d4e5f600008810", status="success", campaign_id="spring"),
    callback(1, "06:16:30", "spring", 8813),
    webhook(1, "06:17:00", "contact.msg.opt_out", **{"from": "+12065558810", "to": "+12125550100"}, campaign_id="spring"),
    webhook(1, "06:17:30", "contact.tag.added", campaign_id="spring"),
    webhook(1, "06:18:00", "contact.consent.granted", **{"from": "+12065558810"}, campaign_id="spring"),
]
# What comes while somebody follows the stream, or when he has stopped.
LATER = [callback(1, f"06:20:0{second}", "spring", 8820 + second) for second in range(3)]


def sequence(copies):
    """One batch a copy, so that the stream has an order."""
    return Sequence("worked examples", DEFAULTS, 1, copies)
