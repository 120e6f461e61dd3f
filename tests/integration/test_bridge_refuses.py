"""What the bridge refuses: every status and code, in the order in which they are checked, and that nothing is queued."""

import pytest
import servers
import wire

BODY = b'{"type":"message.delivered","data":{"message_id":"m-1"}}'
BIG = b'{"a":"' + b"x" * (1048577 - 8) + b'"}'
assert len(BIG) == 1048577
LONG = "c" * 65


def case(name, method, path, headers, body, status, code):
    return pytest.param(method, path, headers, body, status, code, id=name)


def signed(name, sign, status, code, body=BODY):
    return case(name, "POST", wire.WEBHOOK, sign, body, status, code)


REFUSED = [
    case("an unknown path", "POST", "/nothing", wire.guide, BODY, 404, "not_found"),
    case("an encoded slash at the end", "POST", wire.WEBHOOK + "%2F", wire.guide, BODY, 404, "not_found"),
    case("the root", "GET", "/", None, None, 404, "not_found"),
    case("a path below a webhook route", "POST", "/webhook/x", wire.guide, BODY, 404, "not_found"),
    case("a callback path with too many parts", "POST", f"{wire.CALLBACK}/a/b/c/d", None, BODY, 404, "not_found"),
    case("a file of the server", "GET", "/../../../etc/passwd", None, None, 404, "not_found"),
    case("an unknown path before its method", "DELETE", "/nothing", None, None, 404, "not_found"),
    case("GET on a webhook route", "GET", wire.WEBHOOK, None, None, 405, "method_not_allowed"),
    case("PUT on a webhook route", "PUT", "/webhook", wire.guide, BODY, 405, "method_not_allowed"),
    case("GET on a callback route", "GET", wire.callback_path(), None, None, 405, "method_not_allowed"),
    case("POST on /health", "POST", "/health", None, b"{}", 405, "method_not_allowed"),
    case("a method before its campaign", "GET", f"{wire.CALLBACK}/a%20b", None, None, 405, "method_not_allowed"),
    case("a campaign with a space", "POST", f"{wire.CALLBACK}/a%20b?token={wire.token('a b')}", None, BODY, 400, "invalid_campaign"),
    case("a campaign with an encoded slash", "POST", f"{wire.CALLBACK}/a%2Fb", None, BODY, 400, "invalid_campaign"),
    case("a campaign of one dot", "POST", f"{wire.CALLBACK}/%2E", None, BODY, 400, "invalid_campaign"),
    case("a campaign of two dots", "POST", f"{wire.CALLBACK}/%2e%2e", None, BODY, 400, "invalid_campaign"),
    case("a campaign of 65 characters", "POST", wire.callback_path(LONG), None, BODY, 400, "invalid_campaign"),
    case("a campaign with a broken escape", "POST", f"{wire.CALLBACK}/a%2", None, BODY, 400, "invalid_campaign"),
    case("a campaign with a NUL", "POST", f"{wire.CALLBACK}/a%00b", None, BODY, 400, "invalid_campaign"),
    case("a campaign not in ASCII", "POST", f"{wire.CALLBACK}/%C3%A9", None, BODY, 400, "invalid_campaign"),
    case("a campaign before its token", "POST", f"{wire.CALLBACK}/{LONG}?token=0", None, BODY, 400, "invalid_campaign"),
    signed("no signature at all", None, 401, "missing_signature"),
    signed("a timestamp without a signature", lambda b: {"X-Timestamp": "1"}, 401, "missing_signature"),
    signed("a v1 signature without a timestamp", lambda b: {"X-Signature": wire.v1(b)["X-Signature"]}, 401, "missing_signature"),
    signed("half of v1 beside a good guide signature", lambda b: {**wire.guide(b), "X-Timestamp": "1"}, 401, "missing_signature"),
    signed("a missing signature before the size", None, 401, "missing_signature", BIG),
    signed("a timestamp more than five minutes old", lambda b: wire.v1(b, age=310), 401, "stale_timestamp"),
    signed("a timestamp more than five minutes ahead", lambda b: wire.v1(b, age=-310), 401, "stale_timestamp"),
    signed("a timestamp in ms", lambda b: wire.v1(b, timestamp="1774041960000"), 401, "stale_timestamp"),
    signed("a timestamp of letters", lambda b: wire.v1(b, timestamp="yesterday"), 401, "stale_timestamp"),
    signed("a timestamp with a sign", lambda b: wire.v1(b, timestamp="-5"), 401, "stale_timestamp"),
    signed("a timestamp that overflows", lambda b: wire.v1(b, timestamp="9" * 40), 401, "stale_timestamp"),
    signed("a stale timestamp before the size", lambda b: wire.v1(b, age=310), 401, "stale_timestamp", BIG),
    signed("a stale timestamp before a wrong signature", lambda b: wire.v1(b, "wrong", age=310), 401, "stale_timestamp"),
    signed("a body of 1 MiB and a byte", wire.guide, 413, "payload_too_large", BIG),
    signed("the size before the signature", lambda b: wire.guide(b, "wrong"), 413, "payload_too_large", BIG),
    signed("an empty body", wire.guide, 400, "empty_body", b""),
    signed("an empty body before its signature", lambda b: wire.guide(b, "wrong"), 400, "empty_body", b""),
    signed("a guide signature by an unknown secret", lambda b: wire.guide(b, "wrong"), 401, "invalid_signature"),
    signed("a guide signature of another body", lambda b: wire.guide(b + b" "), 401, "invalid_signature"),
    signed("a guide signature cut short", lambda b: {"X-DropCowboy-Signature": wire.guide(b)["X-DropCowboy-Signature"][:-1]},
           401, "invalid_signature"),
    signed("a guide signature with a prefix", lambda b: {"X-DropCowboy-Signature": "sha256=" + wire.hex_hmac(servers.WEBHOOK_SECRET, b)},
           401, "invalid_signature"),
    signed("an empty guide signature", lambda b: {"X-DropCowboy-Signature": ""}, 401, "missing_signature"),
    signed("a blank guide signature", lambda b: {"X-DropCowboy-Signature": "  "}, 401, "missing_signature"),
    signed("an empty v1 signature", lambda b: {**wire.v1(b), "X-Signature": ""}, 401, "missing_signature"),
    signed("a v1 signature by an unknown secret", lambda b: wire.v1(b, "wrong"), 401, "invalid_signature"),
    signed("a v1 signature of another body", lambda b: wire.v1(b + b" "), 401, "invalid_signature"),
    signed("a v1 signature without its prefix", lambda b: wire.v1(b, prefix=""), 401, "invalid_signature"),
    signed("a v1 signature with another prefix", lambda b: wire.v1(b, prefix="SHA256="), 401, "invalid_signature"),
    signed("a v1 signature of an unknown version", lambda b: wire.v1(b, version="v2"), 401, "invalid_signature"),
    signed("a v1 signature over the body alone", lambda b: {**wire.v1(b), "X-Signature": "sha256=" + wire.hex_hmac(servers.WEBHOOK_SECRET, b)},
           401, "invalid_signature"),
    signed("a wrong v1 signature beside a good guide one", lambda b: {**wire.guide(b), **wire.v1(b, "wrong")}, 401, "invalid_signature"),
    signed("a wrong signature before the JSON", lambda b: wire.guide(b, "wrong"), 401, "invalid_signature", b"not json"),
    case("a callback without a token", "POST", wire.CALLBACK, None, BODY, 401, "missing_token"),
    case("a campaign's callback without a token", "POST", f"{wire.CALLBACK}/spring", None, BODY, 401, "missing_token"),
    case("a callback with a wrong token", "POST", f"{wire.CALLBACK}?token={'0' * 64}", None, BODY, 401, "invalid_token"),
    case("a token cut short", "POST", f"{wire.CALLBACK}?token={wire.token()[:-1]}", None, BODY, 401, "invalid_token"),
    case("a token too long", "POST", f"{wire.CALLBACK}?token={wire.token()}0", None, BODY, 401, "invalid_token"),
    case("a token of another campaign", "POST", f"{wire.CALLBACK}/spring?token={wire.token('summer')}", None, BODY, 401, "invalid_token"),
    case("the token without a campaign on a campaign", "POST", f"{wire.CALLBACK}/spring?token={wire.token()}", None, BODY, 401, "invalid_token"),
    case("a wrong token in the path", "POST", f"{wire.CALLBACK}/spring/t/{wire.token('summer')}", None, BODY, 401, "invalid_token"),
    case("two tokens", "POST", f"{wire.CALLBACK}?token={wire.token()}&token={wire.token()}", None, BODY, 401, "invalid_token"),
    case("a signature in place of a token", "POST", wire.CALLBACK, wire.guide, BODY, 401, "missing_token"),
    case("a token before the size", "POST", f"{wire.CALLBACK}?token=0", None, BIG, 401, "invalid_token"),
    case("a callback too large", "POST", wire.callback_path(), None, BIG, 413, "payload_too_large"),
    case("an empty callback", "POST", wire.callback_path(), None, b"", 400, "empty_body"),
]


@pytest.mark.parametrize(("method", "path", "sign", "body", "status", "code"), REFUSED)
def test_refuses(station, method, path, sign, body, status, code):
    headers = sign(body) if sign else {}
    answer = wire.request(station.port, method, path, body, headers)
    assert answer.status == status, answer
    assert answer.code == code
    assert set(answer.json) == {"error"} and set(answer.json["error"]) == {"code", "message"}
    assert answer.json["error"]["message"]
    assert answer.headers["content-type"].startswith("application/json")
    if status == 405:
        allowed = {one.strip() for one in answer.headers["allow"].split(",")}
        assert allowed == ({"GET", "HEAD"} if path == "/health" else {"POST"})


def test_none_of_the_refused_is_in_a_queue(station):
    assert station.queues.depth("AMQP_QUEUE") == 0
    assert station.queues.depth("AMQP_REJECTED_QUEUE") == 0


NOT_AN_OBJECT = [
    ("text", b"not json"),
    ("an array", b'[{"type":"message.delivered"}]'),
    ("a string", b'"message.delivered"'),
    ("a number", b"17"),
    ("null", b"null"),
    ("white space alone", b" \r\n\t "),
    ("an object cut short", BODY[:-1]),
    ("an object cut inside a string", BODY[:20]),
    ("something behind the object", BODY + b"x"),
    ("a second object", BODY + BODY),
    ("a NUL behind the object", BODY + b"\x00"),
    ("NaN", b'{"a":NaN}'),
    ("Infinity", b'{"a":-Infinity}'),
    ("a comment", b'{"a":1/* one */}'),
    ("single quotes", b"{'a':1}"),
    ("a comma too many", b'{"a":1,}'),
    ("a key without quotes", b"{a:1}"),
    ("a leading zero", b'{"a":01}'),
    ("a control character in a string", b'{"a":"\x01"}'),
    ("a byte that is not UTF-8", b'{"a":"\xff"}'),
    ("an overlong encoding", b'{"a":"\xc0\xaf"}'),
    ("a surrogate in UTF-8", b'{"a":"\xed\xa0\x80"}'),
    ("a character cut in half", b'{"a":"\xc3"}'),
    ("two byte order marks", b"\xef\xbb\xbf\xef\xbb\xbf{}"),
    ("a byte order mark alone", b"\xef\xbb\xbf"),
    ("more than 10,000 values", b'{"a":[' + b"{}," * 9998 + b"{}]}"),
    ("nesting deeper than 32", b'{"a":' + b"[" * 32 + b"]" * 32 + b"}"),
    ("nesting of 100,000", b"[" * 100000),
]


@pytest.mark.parametrize("body", [one[1] for one in NOT_AN_OBJECT], ids=[one[0] for one in NOT_AN_OBJECT])
@pytest.mark.parametrize("dialect", ["guide", "v1", "callback"])
def test_keeps_verified_bytes_that_are_not_a_json_object(station, dialect, body):
    path = wire.callback_path("spring") if dialect == "callback" else wire.WEBHOOK
    headers = {"guide": wire.guide, "v1": wire.v1, "callback": lambda b: {}}[dialect](body)
    answer = wire.post(station.port, path, body, headers)
    assert (answer.status, answer.code) == (400, "invalid_json")
    ((properties, kept),) = station.queues.take("AMQP_REJECTED_QUEUE", 1)
    assert kept == body
    assert properties.headers["x-reject-reason"] == "invalid_json"
    assert properties.headers["x-reject-detail"]
    assert properties.headers["x-scheme"] == {"callback": "token"}.get(dialect, dialect)
    assert properties.headers.get("x-campaign") == ("spring" if dialect == "callback" else None)
    assert properties.type == ("callback" if dialect == "callback" else "webhook")
    assert properties.delivery_mode == 2 and properties.app_id == "dropbridge" and properties.message_id
    assert station.queues.depth("AMQP_QUEUE") == 0


UNCONFIGURED = [
    ("webhooks without a secret", {"WEBHOOK_SECRET": None}, wire.WEBHOOK, {}, "webhook_not_configured", "WEBHOOK_SECRET"),
    ("callbacks without a secret", {"CALLBACK_SECRET": None}, wire.CALLBACK, {}, "callback_not_configured", "CALLBACK_SECRET"),
]


@pytest.mark.parametrize(("settings", "path", "headers", "code", "name"), [one[1:] for one in UNCONFIGURED],
                         ids=[one[0] for one in UNCONFIGURED])
def test_says_that_it_is_not_configured_for(start_bridge, settings, path, headers, code, name):
    bridge = start_bridge(**settings)
    answer = wire.post(bridge.port, path, BODY, headers)
    assert (answer.status, answer.code) == (503, code)
    assert name in bridge.stderr, "a warning at the start names the setting"
    status, text = bridge.admin("/readyz")
    assert status == 200 and code.split("_")[0] in text, text


def refuse(bridge, count, path, sign=None, body=BODY):
    """So many requests with one answer, as (code, the only line of the log, what /readyz says)."""
    before = len(told(bridge))
    codes = {wire.post(bridge.port, path, body, sign(body) if sign else {}).code for _ in range(count)}
    lines = told(bridge)[before:]
    status, ready = bridge.readyz()
    assert status == 200, "an event that is sent right would be taken"
    (code,), (line,) = codes, lines
    assert f"({code})" in line
    kind = ready["refused"][0]
    assert (kind["code"], kind["count"]) == (code, count) and kind["last"].endswith("Z") and line.endswith(kind["remedy"])
    return code, line, kind


def told(bridge):
    return [line for line in bridge.stderr.splitlines() if ": refused " in line]


WRONG_TOKEN = "f" * 64
TOLD = [
    # name, path, headers(body), code, what the line says, the campaign on /readyz, what the log must not say
    ("webhooks by another secret", wire.WEBHOOK, lambda b: wire.guide(b, "wrong"), "invalid_signature",
     ["from 127.0.0.1", "WEBHOOK_SECRET", "result lost"], "", "wrong"),
    ("a clock that is behind", wire.WEBHOOK, lambda b: wire.v1(b, age=1000), "stale_timestamp",
     ["clock skew -100", "NTP", "TIMESTAMP_TOLERANCE_S"], "", "milliseconds"),
    ("timestamps in milliseconds", wire.WEBHOOK, lambda b: wire.v1(b, timestamp="1774041960000"), "stale_timestamp",
     ["clock skew -", "looks like milliseconds"], "", None),
    ("a mistyped path with a token", f"/callbacks/dropcowby/spring/t/{WRONG_TOKEN}", None, "not_found",
     ["path /callbacks/dropcowby/spring/t/*", "dropctl callback-url"], "", WRONG_TOKEN),
    ("callbacks with another token", f"{wire.CALLBACK}/spring?token={WRONG_TOKEN}", None, "invalid_token",
     ["for campaign spring", "dropctl callback-url", "CALLBACK_SECRET"], "spring", WRONG_TOKEN),
    ("a campaign that may be a phone number", f"{wire.CALLBACK}/13125550142", None, "missing_token",
     ["for campaign *********42", "--path-token"], "*********42", "3125550142"),
    ("a campaign with a space", f"{wire.CALLBACK}/a%20b?token={WRONG_TOKEN}", None, "invalid_campaign", ["--campaign NAME"], "", None),
]


@pytest.mark.parametrize(("path", "sign", "code", "says", "campaign", "hides"), [case[1:] for case in TOLD], ids=[case[0] for case in TOLD])
def test_a_refusal_is_told_once_with_its_remedy_and_listed_with_its_count(start_bridge, path, sign, code, says, campaign, hides):
    bridge = start_bridge()
    assert bridge.readyz()[1]["refused"] == []
    found, line, kind = refuse(bridge, 20, path, sign)
    assert (found, kind["campaign"]) == (code, campaign)
    assert all(words in line for words in says), line
    status, text = bridge.admin("/readyz")
    assert not hides or (hides not in bridge.stderr and hides not in text)
    assert bridge.metrics()["dropbridge_refused_callbacks_total"] == (20 if path.startswith(wire.CALLBACK) else 0)
    bridge.finish()
    assert len(told(bridge)) == 2 and "refused 19 more" in told(bridge)[1], "the rest is told before the end"


def test_kept_bodies_and_scanners_are_not_told_as_lost(start_bridge, queues):
    bridge = start_bridge()
    assert wire.post(bridge.port, wire.WEBHOOK, b"[]", wire.guide(b"[]")).code == "invalid_json"
    queues.take("AMQP_REJECTED_QUEUE", 1)
    for method, path in (("GET", "/favicon.ico"), ("GET", "/webhooks"), ("DELETE", "/health")):
        assert wire.request(bridge.port, method, path).status in (404, 405)
    assert told(bridge) == [] and bridge.readyz()[1]["refused"] == []
    code, line, kind = refuse(bridge, 1, "/wp-login.php")
    assert (code, kind["campaign"]) == ("not_found", "") and " info " in line and "scanner" in line and "lost" not in line


def test_counts_callbacks_refused_for_want_of_a_key(start_bridge):
    bridge = start_bridge(CALLBACK_SECRET=None)
    code, line, _ = refuse(bridge, 2, wire.CALLBACK)
    assert code == "callback_not_configured" and "Set CALLBACK_SECRET" in line
    assert bridge.metrics()["dropbridge_refused_callbacks_total"] == 2


def test_logs_no_secret_no_token_and_no_whole_phone_number(start_bridge, queues):
    bridge = start_bridge(LOG_LEVEL="debug")
    body = b'{"type":"contact.opted_out","data":{"phone":"+12065550142"}}'
    for path, headers in ((wire.WEBHOOK, wire.guide(body)), (wire.callback_path("spring"), {}), (wire.WEBHOOK, wire.guide(body, "x"))):
        wire.post(bridge.port, path, body, headers)
    wire.post(bridge.port, wire.WEBHOOK, b"+12065550142", wire.guide(b"+12065550142"))
    for secret in (servers.WEBHOOK_SECRET, servers.OTHER_WEBHOOK_SECRET, servers.CALLBACK_SECRET, servers.OTHER_CALLBACK_SECRET,
                   wire.token("spring"), "2065550142", "guest:guest"):
        assert secret not in bridge.stderr, secret
