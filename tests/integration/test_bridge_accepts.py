"""What the bridge takes: every dialect, and what then lies in the queue, byte for byte."""

import concurrent.futures
import itertools
import json
import time

import pytest
import servers
import wire

BODY = b'{ "type" : "message.delivered",\n  "data": {"message_id": "m-1", "phone": "+12065550101", "note": "\xc3\xa9\\u0000" } }\n'


NUMBERS = itertools.count()


def only_event(station):
    ((properties, body),) = station.queues.take("AMQP_QUEUE", 1)
    return properties, body


REPEATED = [
    # name, path, headers(body), answer to the repeat, what lies in the queue
    ("a v1 webhook, signed anew", wire.WEBHOOK, wire.v1, {"received": True, "duplicate": True}, 1),
    ("a guide webhook", wire.WEBHOOK, wire.guide, {"received": True}, 2),
    ("a callback", wire.callback_path("spring"), lambda b: {}, {"received": True}, 2),
]


@pytest.mark.parametrize("path, headers, answer, kept", [row[1:] for row in REPEATED], ids=[row[0] for row in REPEATED])
@pytest.mark.parametrize("broker", ["connected", "away"])
def test_the_very_bytes_again(start_bridge, queues, broker, path, headers, answer, kept):
    bridge = start_bridge(broker, **({"AMQP_URL": f"amqp://guest:guest@127.0.0.1:{servers.free_port()}/"} if broker == "away" else {}))
    assert wire.post(bridge.port, path, BODY, headers(BODY)).json == {"received": True}
    again = wire.post(bridge.port, path, BODY, headers(BODY))
    assert (again.status, again.json) == (200, answer)
    if broker == "connected":
        queues.take("AMQP_QUEUE", kept)
    else:
        assert bridge.spooled() == kept
    bridge.assert_identities()


ACCEPTED = [
    # name, path, headers(body), type, scheme, campaign, further headers in the queue
    ("a guide webhook on the long route", wire.WEBHOOK, wire.guide, "webhook", "guide", None, {}),
    ("a guide webhook on the short route", "/webhook", wire.guide, "webhook", "guide", None, {}),
    ("a guide webhook by the second secret", wire.WEBHOOK, lambda b: wire.guide(b, servers.OTHER_WEBHOOK_SECRET),
     "webhook", "guide", None, {}),
    ("a webhook with a query that means nothing", wire.WEBHOOK + "?from=dashboard", wire.guide, "webhook", "guide", None, {}),
    ("a v1 webhook", wire.WEBHOOK, wire.v1, "webhook", "v1", None, {}),
    ("a v1 webhook on the short route", "/webhook", wire.v1, "webhook", "v1", None, {}),
    ("a v1 webhook by the second secret", wire.WEBHOOK, lambda b: wire.v1(b, servers.OTHER_WEBHOOK_SECRET),
     "webhook", "v1", None, {}),
    ("a v1 webhook without a version", wire.WEBHOOK, lambda b: wire.v1(b, version=None), "webhook", "v1", None, {}),
    ("a v1 webhook nearly five minutes old", wire.WEBHOOK, lambda b: wire.v1(b, age=290), "webhook", "v1", None, {}),
    ("a v1 webhook nearly five minutes ahead", wire.WEBHOOK, lambda b: wire.v1(b, age=-290), "webhook", "v1", None, {}),
    ("a v1 webhook with its id and attempt", wire.WEBHOOK,
     lambda b: wire.v1(b, X_Event_Id="0d0b5f3e-51c7-4f0a-9b1e-000000000001", X_Attempt="2"), "webhook", "v1", None,
     {"x-event-id": "0d0b5f3e-51c7-4f0a-9b1e-000000000001", "x-attempt": "2"}),
    ("a v1 webhook with both kinds of signature, judged as v1", wire.WEBHOOK,
     lambda b: {**wire.v1(b), "X-DropCowboy-Signature": "0" * 64}, "webhook", "v1", None, {}),
    ("a v1 webhook of any content type", wire.WEBHOOK, lambda b: {**wire.v1(b), "Content-Type": "text/plain"},
     "webhook", "v1", None, {}),
    ("header names in lower case", wire.WEBHOOK, lambda b: {k.lower(): v for k, v in wire.v1(b).items()},
     "webhook", "v1", None, {}),
    ("a callback without a campaign", wire.callback_path(), lambda b: {}, "callback", "token", None, {}),
    ("a callback of a campaign", wire.callback_path("summer-sale"), lambda b: {}, "callback", "token", "summer-sale", {}),
    ("a callback by the second secret", wire.callback_path("summer-sale", servers.OTHER_CALLBACK_SECRET), lambda b: {},
     "callback", "token", "summer-sale", {}),
    ("a callback with its token in the path", f"{wire.CALLBACK}/summer-sale/t/{wire.token('summer-sale')}", lambda b: {},
     "callback", "token", "summer-sale", {}),
    ("a campaign in percent-encoding", f"{wire.CALLBACK}/summer%2Dsale?token={wire.token('summer-sale')}", lambda b: {},
     "callback", "token", "summer-sale", {}),
    ("a campaign of 64 characters", wire.callback_path("c" * 64), lambda b: {}, "callback", "token", "c" * 64, {}),
    ("a campaign with every kind of character", wire.callback_path("Az09._-"), lambda b: {}, "callback", "token", "Az09._-", {}),
    ("a token behind other parameters", f"{wire.CALLBACK}?a=1&token={wire.token()}&b=2", lambda b: {}, "callback", "token",
     None, {}),
    ("a webhook with a slash at the end", wire.WEBHOOK + "/", wire.guide, "webhook", "guide", None, {}),
    ("a webhook with a doubled slash in front", "/" + wire.WEBHOOK, wire.guide, "webhook", "guide", None, {}),
    ("a callback with slashes too many", f"/callbacks//dropcowboy/spring/?token={wire.token('spring')}", lambda b: {}, "callback", "token",
     "spring", {}),
    ("a token in the path with slashes too many", f"{wire.CALLBACK}//spring/t//{wire.token('spring')}/", lambda b: {}, "callback", "token",
     "spring", {}),
    ("a token in capitals", f"{wire.CALLBACK}?token={wire.token().upper()}", lambda b: {}, "callback", "token", None, {}),
]


@pytest.mark.parametrize(("path", "sign", "kind", "scheme", "campaign", "more"), [case[1:] for case in ACCEPTED],
                         ids=[case[0] for case in ACCEPTED])
def test_accepts(station, path, sign, kind, scheme, campaign, more):
    sent = BODY.replace(b"m-1", f"m-{next(NUMBERS)}".encode())  # v1's very bytes again would be told as a duplicate
    before = int(time.time() * 1000)
    answer = wire.post(station.port, path, sent, sign(sent))
    after = int(time.time() * 1000)
    assert (answer.status, answer.body) == (200, b'{"received":true}')
    assert answer.headers["content-type"].startswith("application/json")
    properties, body = only_event(station)
    assert body == sent
    assert properties.delivery_mode == 2
    assert properties.app_id == "dropbridge"
    assert properties.type == kind
    assert properties.message_id
    received = properties.headers.pop("x-received-at")
    assert before - 1 <= received <= after + 1
    assert properties.timestamp == received // 1000
    expected = {"x-scheme": scheme, **more}
    if campaign is not None:
        expected["x-campaign"] = campaign
    assert properties.headers == expected


BODIES = [
    ("the smallest object", b"{}"),
    ("white space around the object", b" \r\n\t{} \n"),
    ("white space inside kept as it is", b'{  "a" :\t1 ,\r\n"b":[ ]}'),
    ("a NUL in a string, escaped", b'{"a":"\\u0000"}'),
    ("a lone surrogate, escaped", b'{"a":"\\ud800"}'),
    ("duplicate keys", b'{"a":1,"a":2}'),
    ("a number beyond every range", b'{"a":1e999,"b":123456789012345678901234567890}'),
    ("the deepest nesting allowed", b'{"a":' + b"[" * 31 + b"]" * 31 + b"}"),
    ("a body of nothing known", b'{"anything":"goes"}'),
    ("characters of four bytes", '{"a":"\U0001f920"}'.encode()),
    ("a reason of 10 kB", b'{"reason":"' + b"r" * 10000 + b'"}'),
    ("a body of exactly 1 MiB", b'{"a":"' + b"x" * (1048576 - 8) + b'"}'),
]


@pytest.mark.parametrize("body", [case[1] for case in BODIES], ids=[case[0] for case in BODIES])
@pytest.mark.parametrize("sign", [wire.guide, wire.v1], ids=["guide", "v1"])
def test_keeps_the_bytes_of(station, sign, body):
    assert wire.post(station.port, wire.WEBHOOK, body, sign(body)).status == 200
    assert only_event(station)[1] == body


@pytest.mark.parametrize("size", [1, 7, 64, 100000], ids=["bytes", "sevens", "lines", "one piece"])
def test_a_chunked_body_arrives_whole_in_chunks_of(station, size):
    body = b'{"a":"' + b"y" * 300 + b'"}'
    headers = [*wire.guide(body).items(), ("Transfer-Encoding", "chunked")]
    with wire.Raw(station.port) as raw:
        answer = raw.send(wire.head("POST", wire.WEBHOOK, headers) + wire.chunked(body, size)).answer()
    assert answer.status == 200, answer
    assert only_event(station)[1] == body


@pytest.mark.parametrize("expectation", ["100-continue", "100-Continue"])
def test_expect_continue_is_answered_before_the_body_is_sent(station, expectation):
    body = b'{"a":1}'
    headers = [*wire.guide(body).items(), ("Content-Length", len(body)), ("Expect", expectation)]
    with wire.Raw(station.port) as raw:
        raw.send(wire.head("POST", wire.WEBHOOK, headers))
        first = b""
        while not first.endswith(b"\r\n\r\n"):
            piece = raw.socket.recv(1)
            assert piece, first
            first += piece
        assert first.startswith(b"HTTP/1.1 100 ")
        answer = raw.send(body).answer()
    assert answer.status == 200
    assert only_event(station)[1] == body


def test_a_connection_serves_again_after_200(station):
    connection = wire.connect(station.port)
    connection.connect()
    local = connection.sock.getsockname()
    for number in range(5):
        body = b'{"n":%d}' % number
        assert wire.post(station.port, wire.WEBHOOK, body, wire.guide(body), connection).status == 200
        assert connection.sock is not None and connection.sock.getsockname() == local
    connection.close()
    assert sorted(body for _, body in station.queues.take("AMQP_QUEUE", 5)) == [b'{"n":%d}' % n for n in range(5)]


@pytest.mark.threads
def test_many_clients_at_once_lose_nothing_and_get_ids_of_their_own(station):
    bodies = [b'{"n":%d}' % number for number in range(400)]

    def send(share):
        connection = wire.connect(station.port)
        statuses = [wire.post(station.port, wire.WEBHOOK, body, wire.guide(body), connection).status for body in share]
        connection.close()
        return statuses

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        statuses = sum(pool.map(send, [bodies[i::16] for i in range(16)]), [])
    assert statuses == [200] * len(bodies)
    taken = station.queues.take("AMQP_QUEUE", len(bodies))
    assert sorted(body for _, body in taken) == sorted(bodies)
    assert len({properties.message_id for properties, _ in taken}) == len(bodies)


def test_health_answers_get_and_head(station):
    answer = wire.request(station.port, "GET", "/health")
    assert (answer.status, answer.json) == (200, {"ok": True})
    assert wire.request(station.port, "HEAD", "/health").status == 200


def test_a_byte_order_mark_is_passed_over_and_kept(station):
    body = b"\xef\xbb\xbf" + BODY
    assert wire.post(station.port, wire.WEBHOOK, body, wire.guide(body)).status == 200
    assert only_event(station)[1] == body


def test_the_private_listener_tells_health_readiness_and_metrics(station):
    status, text = station.bridge.admin("/healthz")
    assert (status, json.loads(text)) == (200, {"ok": True})
    status, ready = station.bridge.readyz()
    assert status == 200 and ready["ready"] is True
    before = sum(value for name, value in station.bridge.metrics().items() if "200" in name or "received" in name or "accepted" in name)
    body = b'{"a":1}'
    assert wire.post(station.port, wire.WEBHOOK, body, wire.guide(body)).status == 200
    after = sum(value for name, value in station.bridge.metrics().items() if "200" in name or "received" in name or "accepted" in name)
    assert after > before
    assert station.bridge.admin("/nothing")[0] == 404
    only_event(station)


def test_callbacks_pass_without_a_token_when_their_check_is_off(start_bridge, queues):
    bridge = start_bridge(CALLBACK_AUTH="off", CALLBACK_SECRET=None)
    assert wire.post(bridge.port, f"{wire.CALLBACK}/spring", b'{"status":"success"}').status == 200
    ((properties, body),) = queues.take("AMQP_QUEUE", 1)
    assert body == b'{"status":"success"}'
    assert (properties.headers["x-scheme"], properties.headers["x-campaign"]) == ("off", "spring")
    answer = wire.post(bridge.port, wire.CALLBACK, b"not json")
    assert (answer.status, answer.code) == (400, "invalid_json")
    assert queues.depth("AMQP_REJECTED_QUEUE") == 0


def test_secrets_come_from_files_one_a_line_taken_literally(start_bridge, queues, tmp_path):
    (tmp_path / "webhook").write_bytes(b"with, comma and space \nsecond\n")
    (tmp_path / "callback").write_bytes(b"from-file\n")
    bridge = start_bridge(WEBHOOK_SECRET=None, CALLBACK_SECRET=None, WEBHOOK_SECRET_FILE=tmp_path / "webhook",
                          CALLBACK_SECRET_FILE=tmp_path / "callback")
    body = b'{"a":1}'
    for secret in ("with, comma and space ", "second"):
        assert wire.post(bridge.port, wire.WEBHOOK, body, wire.guide(body, secret)).status == 200
    assert wire.post(bridge.port, wire.callback_path("x", "from-file"), body).status == 200
    queues.take("AMQP_QUEUE", 3)


def test_settings_come_from_a_file_and_the_environment_wins(start_bridge, queues, tmp_path):
    (tmp_path / "settings").write_text("# a comment\n\nMAX_BODY_BYTES=10\nTIMESTAMP_TOLERANCE_S=10\n")
    bridge = start_bridge(MAX_BODY_BYTES="20", options={"arguments": ["--config", tmp_path / "settings"]})
    body = b'{"a":"%s"}' % (b"x" * 12)
    assert len(body) == 20
    assert wire.post(bridge.port, wire.WEBHOOK, body, wire.guide(body)).status == 200
    assert wire.post(bridge.port, wire.WEBHOOK, body + b" ", wire.guide(body + b" ")).status == 413
    assert wire.post(bridge.port, wire.WEBHOOK, body, wire.v1(body, age=30)).code == "stale_timestamp"
    queues.take("AMQP_QUEUE", 1)
