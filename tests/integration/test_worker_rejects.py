"""What the worker cannot count goes to the rejected queue, byte for byte, with its reason, and stops nothing."""

import pytest
import servers
from events import callback, counters, guide, message
from waits import publish, wait_counted, wait_settled

REJECTED = [
    ("text", b"not json", "invalid_json"),
    ("nothing", b"", "invalid_json"),
    ("an array", b"[1]", "invalid_json"),
    ("an object cut short", b'{"status":"success"', "invalid_json"),
    ("invalid UTF-8", b'{"status":"\xff"}', "invalid_json"),
    ("every byte there is", bytes(range(256)) * 4, "invalid_json"),
    ("1 MiB of noise", b"\x00\xff" * 524288, "invalid_json"),
    ("deep nesting", b'{"a":' + b"[" * 40 + b"]" * 40 + b"}", "invalid_json"),
    ("an object of nothing known", b'{ "anything": "goes" }', "unrecognized_shape"),
    ("an empty object", b"{}", "unrecognized_shape"),
    ("a result with an unknown status", b'{"status":"maybe","drop_id":"1"}', "unusable_status"),
    ("a result whose status is a number", b'{"event":"contact.sms.status","data":{"status":7}}', "unusable_status"),
    ("a campaign event without a campaign", b'{"type":"campaign.paused","data":{"name":"Spring"}}', "campaign_unnamed"),
    ("more than 10,000 values", b'{"status":"success","a":[' + b"{}," * 9999 + b"{}]}", "invalid_json"),
    ("an opt-out without a phone", b'{"type":"contact.opted_out","data":{"phone":""}}', "optout_without_phone"),
]


@pytest.mark.parametrize(("body", "reason"), [one[1:] for one in REJECTED], ids=[one[0] for one in REJECTED])
def test_rejects(counting, body, reason):
    counting.redis.flushdb()
    _, properties = message(b"", None if reason == "campaign_unnamed" else "spring", kind="webhook", **{"x-event-id": "event-1", "x-attempt": "2"})
    counting.publish(body, properties)
    ((kept, kept_body),) = counting.take("AMQP_REJECTED_QUEUE", 1)
    assert kept_body == body
    headers = dict(kept.headers)
    assert headers.pop("x-reject-reason") == reason
    assert headers.pop("x-reject-detail")
    assert headers == properties.headers
    for name in ("delivery_mode", "message_id", "timestamp", "type", "app_id"):
        assert getattr(kept, name) == getattr(properties, name), name
    assert counting.redis.hgetall("dc:totals") == {}


def test_good_ones_between_rejected_ones_are_counted(counting):
    counting.redis.flushdb()
    for number in range(60):
        counting.publish(*message(b"broken %d" % number if number % 3 == 0 else callback(), "spring"))
    kept = counting.take("AMQP_REJECTED_QUEUE", 20)
    assert sorted(body for _, body in kept) == sorted(b"broken %d" % number for number in range(0, 60, 3))
    servers.wait_until(lambda: counters(counting.redis).get("messages") == 40, lambda: counters(counting.redis))


# An opt-out of what is no event, and the slug it is rejected under.
REJECTED_OPT_OUTS = [
    ("a status unheard of", {"status": "perhaps", "dnc": True}, "unusable_status"),
    ("no status", {"status": "", "reason": "Opt-in revoked", "event": "contact.sms.status"}, "unusable_status"),
]


@pytest.mark.parametrize(("fields", "reason"), [one[1:] for one in REJECTED_OPT_OUTS], ids=[one[0] for one in REJECTED_OPT_OUTS])
def test_what_is_no_event_but_opts_out_is_listed_and_rejected(start_worker, queues, redis_server, fields, reason):
    worker = start_worker()
    publish(queues, 1)
    body, properties = message(callback(phone_number="+13125550147", **fields), "spring")
    queues.publish(body, properties)
    publish(queues, 1)
    ((kept, kept_body),) = queues.take("AMQP_REJECTED_QUEUE", 1)
    assert (kept_body, kept.headers["x-reject-reason"]) == (body, reason)
    assert kept.headers["x-reject-detail"]
    wait_counted(redis_server, worker, 2)
    for key in ("dc:optouts", "dc:campaign:spring:optouts"):
        assert redis_server.client.zcard(key) == 1 and redis_server.client.zscore(key, "+13125550147")
    wait_settled(worker, queues)
    told = worker.metrics()
    assert told["dropworker_consumed_total"] == 3
    assert told[f'dropworker_rejected_total{{reason="{reason}"}}'] == 1
    assert told["dropworker_opt_out_events_total"] == 0


def test_the_log_tells_of_rejects_without_phone_or_body(counting):
    def told():
        return counting.worker.stderr.count("the last: unrecognized_shape")

    before = told()
    counting.publish(*message(b'{"unknown":"+12065550142 marker-word"}'))
    counting.take("AMQP_REJECTED_QUEUE", 1)
    servers.wait_until(lambda: told() > before, lambda: counting.worker.stderr[-2000:])
    assert "2065550142" not in counting.worker.stderr and "marker-word" not in counting.worker.stderr


def test_the_log_tells_of_values_that_were_ignored(counting):
    counting.publish(*message(callback(tts_fee=-1), "spring"))
    servers.wait_until(lambda: "messages with values that were ignored: 1; the last: " in counting.worker.stderr,
                       lambda: counting.worker.stderr[-2000:])


def test_a_deleted_rejected_queue_is_declared_again_and_holds_up_no_good_one(start_worker, queues, names, redis_server):
    worker = start_worker()
    queues.channel.queue_delete(names["AMQP_REJECTED_QUEUE"])
    queues.publish(*message(b"broken"))
    queues.publish(*message(callback()))
    servers.wait_until(lambda: counters(redis_server.client).get("messages") == 1, lambda: worker.stderr[-2000:])
    rejections = 'dropworker_rejected_total{reason="invalid_json"}'
    servers.wait_until(lambda: worker.metrics()[rejections] == 1, lambda: worker.stderr[-2000:])
    kept = queues.take("AMQP_REJECTED_QUEUE", 1)
    assert kept[0][1] == b"broken"
    servers.wait_until(lambda: worker.readyz()[0] == 200, lambda: worker.stderr[-2000:])


def test_an_opt_out_in_the_guides_shape_names_no_phone_in_the_log(counting):
    counting.publish(*message(guide("contact.opted_out", phone="+12065550143"), kind="webhook"))
    servers.wait_until(lambda: counting.redis.zscore("dc:optouts", "+12065550143"), "counted")
    assert "2065550143" not in counting.worker.stderr
