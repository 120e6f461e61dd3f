"""Requests that no honest client sends, over raw sockets: framing that two readers could read differently, bodies that
do not end, clients that drip."""

import contextlib
import select
import time

import pytest
import servers
import wire

BODY = b'{"type":"message.delivered"}'
SIGNED = list(wire.guide(BODY).items())
LENGTH = ("Content-Length", len(BODY))
START = f"POST {wire.WEBHOOK} HTTP/1.1\r\nHost: bridge\r\n".encode()
SIGNATURE_LINE = b"X-DropCowboy-Signature: " + SIGNED[0][1].encode() + b"\r\n"
LENGTH_LINE = b"Content-Length: %d\r\n" % len(BODY)


def with_headers(*more):
    return wire.head("POST", wire.WEBHOOK, [*SIGNED, *more])


AMBIGUOUS = [
    ("a length and a transfer encoding", with_headers(LENGTH, ("Transfer-Encoding", "chunked")) + wire.chunked(BODY, 100)),
    ("two lengths that differ", with_headers(LENGTH, ("Content-Length", len(BODY) + 1)) + BODY),
    ("two lengths that agree", with_headers(LENGTH, LENGTH) + BODY),
    ("a length with letters behind it", with_headers(("Content-Length", f"{len(BODY)}x")) + BODY),
    ("a length with a plus sign", with_headers(("Content-Length", f"+{len(BODY)}")) + BODY),
    ("a negative length", with_headers(("Content-Length", "-1")) + BODY),
    ("a length in hexadecimal", with_headers(("Content-Length", hex(len(BODY)))) + BODY),
    ("a length of two values", with_headers(("Content-Length", f"{len(BODY)}, {len(BODY)}")) + BODY),
    ("a length that overflows", with_headers(("Content-Length", "18446744073709551616")) + BODY),
    ("an empty length", with_headers(("Content-Length", "")) + BODY),
    ("a transfer encoding other than chunked", with_headers(("Transfer-Encoding", "gzip")) + BODY),
    ("two codings in one transfer encoding", with_headers(("Transfer-Encoding", "gzip, chunked")) + wire.chunked(BODY, 100)),
    ("two transfer encodings", with_headers(("Transfer-Encoding", "chunked"), ("Transfer-Encoding", "chunked")) + wire.chunked(BODY, 100)),
    ("the identity transfer encoding with a length", with_headers(LENGTH, ("Transfer-Encoding", "identity")) + BODY),
    ("a space before the colon of the length", START + SIGNATURE_LINE + b"Content-Length : %d\r\n\r\n" % len(BODY) + BODY),
    ("a space before the colon of the transfer encoding", START + SIGNATURE_LINE + LENGTH_LINE + b"Transfer-Encoding : chunked\r\n\r\n" + BODY),
    ("a bare line feed between headers", START + SIGNATURE_LINE[:-2] + b"\n" + LENGTH_LINE + b"\r\n" + BODY),
    ("a folded header", START + SIGNATURE_LINE + LENGTH_LINE + b"X-Long: a\r\n b\r\n\r\n" + BODY),
    ("a header without a colon", START + SIGNATURE_LINE + LENGTH_LINE + b"nonsense\r\n\r\n" + BODY),
    ("two guide signatures", with_headers(LENGTH, SIGNED[0]) + BODY),
    ("two timestamps", wire.head("POST", wire.WEBHOOK, [*wire.v1(BODY).items(), ("X-Timestamp", "1"), LENGTH]) + BODY),
    ("two v1 signatures", wire.head("POST", wire.WEBHOOK, [*wire.v1(BODY).items(), ("X-Signature", "x"), LENGTH]) + BODY),
    ("two Hosts", with_headers(("Host", "bridge"), LENGTH) + BODY),
    ("no Host", START.split(b"Host")[0] + SIGNATURE_LINE + LENGTH_LINE + b"\r\n" + BODY),
    ("two empty lines before it", b"\r\n\r\n" + with_headers(LENGTH) + BODY),
    ("a length of what two empty lines leave of it", b"\r\n\r\n" + with_headers(("Content-Length", 181)) + with_headers(LENGTH) + BODY),
    ("sixteen empty lines before it", b"\r\n" * 16 + with_headers(LENGTH) + BODY),
    ("no request at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n"),
    ("a request line without a version", f"POST {wire.WEBHOOK}\r\n\r\n".encode()),
    ("a version from the future", f"POST {wire.WEBHOOK} HTTP/9.9\r\nHost: bridge\r\n\r\n".encode()),
]


TOO_LARGE = [
    ("a hundred headers", with_headers(*[(f"X-{n}", n) for n in range(100)], LENGTH) + BODY),
    ("64 headers", with_headers(*[(f"X-{n}", n) for n in range(61)], LENGTH) + BODY),
    ("headers of 64 KiB", with_headers(("X-Long", "x" * 65536), LENGTH) + BODY),
]


@pytest.mark.parametrize("request_bytes", [one[1] for one in TOO_LARGE], ids=[one[0] for one in TOO_LARGE])
def test_tells_the_limits_of_headers_to_who_sends(station, request_bytes):
    with wire.Raw(station.port) as raw:
        answer = raw.send(request_bytes).answer()
        assert (answer.status, answer.code) == (431, "headers_too_large"), answer
        assert "63" in answer.json["error"]["message"] and "16 KiB" in answer.json["error"]["message"]
        assert answer.closes and raw.closed_by_peer()


def test_63_headers_of_15_kib_are_taken(station):
    with wire.Raw(station.port) as raw:
        padding = [(f"X-{n}", "x" * 230) for n in range(60)]
        assert raw.send(with_headers(*padding, LENGTH) + BODY).answer().status == 200
    station.queues.take("AMQP_QUEUE", 1)


@pytest.mark.parametrize("request_bytes", [one[1] for one in AMBIGUOUS], ids=[one[0] for one in AMBIGUOUS])
def test_refuses_and_closes(station, request_bytes):
    with wire.Raw(station.port) as raw:
        raw.send(request_bytes)
        answer = raw.answer()
        assert (answer.status, answer.code) == (400, "bad_request"), answer
        assert answer.closes
        assert raw.closed_by_peer()


UNFINISHED = [
    ("a body shorter than its length", with_headers(("Content-Length", len(BODY) + 5)) + BODY),
    ("headers and no body", with_headers(LENGTH)),
    ("chunks without their end", with_headers(("Transfer-Encoding", "chunked")) + wire.chunked(BODY, 10)[:-5]),
    ("a last chunk without its empty line", with_headers(("Transfer-Encoding", "chunked")) + wire.chunked(BODY, 10)[:-2]),
    ("a chunk cut short", with_headers(("Transfer-Encoding", "chunked")) + b"1c\r\n" + BODY[:10]),
]


@pytest.mark.parametrize("request_bytes", [one[1] for one in UNFINISHED], ids=[one[0] for one in UNFINISHED])
def test_a_client_that_ends_early_is_told_so_and_nothing_is_queued(station, request_bytes):
    with wire.Raw(station.port) as raw:
        answer = raw.send(request_bytes).finish_sending().answer()
        assert answer.status == 400 and answer.code in ("bad_request", "empty_body"), answer
        assert raw.closed_by_peer()


BROKEN_CHUNKS = [
    ("a size that is no number", b"zz\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("a negative size", b"-1c\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("a size that overflows", b"ffffffffffffffffff\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("no line end behind a chunk", b"1c\r\n" + BODY + b"xx0\r\n\r\n"),
    ("an extension", b"1c;a=b\r\n" + BODY + b"\r\n0\r\n\r\n"),
    ("a trailer", b"1c\r\n" + BODY + b"\r\n0\r\nX-Trailer: a\r\n\r\n"),
    ("two thousand sizes of a byte each", wire.chunked(BODY + b" " * 2000, 1)),
]


@pytest.mark.parametrize("chunks", [one[1] for one in BROKEN_CHUNKS], ids=[one[0] for one in BROKEN_CHUNKS])
def test_refuses_chunks_with(station, chunks):
    with wire.Raw(station.port) as raw:
        answer = raw.send(with_headers(("Transfer-Encoding", "chunked")) + chunks).finish_sending().answer()
        assert 400 <= answer.status < 500, answer
        assert raw.closed_by_peer()


def test_nothing_of_all_this_is_in_a_queue(station):
    assert station.queues.depth("AMQP_QUEUE") == 0
    assert station.queues.depth("AMQP_REJECTED_QUEUE") == 0


def test_a_body_without_length_and_chunks_is_empty(station):
    with wire.Raw(station.port) as raw:
        answer = raw.send(with_headers()).answer()
    assert (answer.status, answer.code) == (400, "empty_body")


def test_an_announced_body_past_the_limit_is_refused_before_it_is_sent(station):
    with wire.Raw(station.port) as raw:
        answer = raw.send(with_headers(("Content-Length", 1048577))).answer()
        assert (answer.status, answer.code) == (413, "payload_too_large")
        assert answer.closes


def test_an_announced_body_past_the_limit_is_refused_in_place_of_a_continue(station):
    with wire.Raw(station.port) as raw:
        answer = raw.send(with_headers(("Content-Length", 1048577), ("Expect", "100-continue"))).answer()
        assert (answer.status, answer.code) == (413, "payload_too_large")


def test_chunks_past_the_limit_are_refused_as_soon_as_they_pass_it(station):
    with wire.Raw(station.port) as raw:
        raw.send(with_headers(("Transfer-Encoding", "chunked")))
        for _ in range(17):
            raw.send(b"10000\r\n" + b"x" * 65536 + b"\r\n")
        answer = raw.answer()
        assert (answer.status, answer.code) == (413, "payload_too_large")
        assert answer.closes


@pytest.mark.parametrize("encoding", ["length", pytest.param("chunks", marks=pytest.mark.threads)])
def test_a_dripping_client_is_answered_408_in_the_midst_of_its_body(station, encoding):
    """BODY_TIMEOUT_MS is 1500 here; a byte every 100 ms would take 30 s."""
    header = ("Content-Length", 300) if encoding == "length" else ("Transfer-Encoding", "chunked")
    piece = b"x" if encoding == "length" else b"1\r\nx\r\n"
    with wire.Raw(station.port) as raw:
        raw.send(with_headers(header))
        for _ in range(299):
            raw.send(piece)
            if select.select([raw.socket], [], [], 0.1)[0]:
                break
        else:
            pytest.fail("each byte gave it more time")
        answer = raw.answer()
        assert (answer.status, answer.code) == (408, "body_timeout"), answer
        assert answer.closes


@pytest.mark.timing
def test_a_silent_client_is_answered_408_at_the_deadline_of_the_body(station):
    with wire.Raw(station.port) as raw:
        start = time.monotonic()
        answer = raw.send(with_headers(LENGTH)).answer()
        took = time.monotonic() - start
        assert (answer.status, answer.code) == (408, "body_timeout")
        assert 1.4 <= took <= 2


def test_slow_clients_do_not_keep_others_waiting(start_bridge, queues):
    bridge = start_bridge(BODY_TIMEOUT_MS=9000, HTTP_THREADS=64)
    accepted = 0

    def another_is_answered_before_them():
        """Begun afresh on a machine so busy that they had to wait for longer than they may."""
        nonlocal accepted
        with contextlib.ExitStack() as stack:
            slow = [stack.enter_context(wire.Raw(bridge.port)).send(with_headers(LENGTH)) for _ in range(48)]

            def told_off():
                return select.select([one.socket for one in slow], [], [], 0)[0]

            servers.wait_until(lambda: bridge.in_flight() == 48 or told_off(), bridge.metrics)
            assert wire.post(bridge.port, wire.WEBHOOK, BODY, dict(SIGNED)).status == 200
            accepted += 1
            if told_off():
                return False
            for one in slow:
                one.send(BODY)
            statuses = [one.answer().status for one in slow]
            accepted += statuses.count(200)
            return statuses == [200] * 48

    servers.wait_until(another_is_answered_before_them, bridge.metrics)
    queues.take("AMQP_QUEUE", accepted)


def test_the_bridge_still_takes_events_after_all_this(station):
    assert wire.post(station.port, wire.WEBHOOK, BODY, dict(SIGNED)).status == 200
    station.queues.take("AMQP_QUEUE", 1)


def test_logs_nothing_of_a_request_that_the_parser_refuses(start_bridge, queues):
    bridge = start_bridge(LOG_LEVEL="debug")
    secret = wire.token("spring")
    path = f"{wire.CALLBACK}/spring sale?token={secret}&to=+13125550142"
    for padding, status in (("", 400), ("x" * 400, 400), ("x" * 20000, 431)):
        with wire.Raw(bridge.port) as raw:
            raw.send(f"POST {path}{padding} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{{}}".encode())
            assert raw.answer().status == status
    with wire.Raw(bridge.port) as raw:
        raw.send(f"POST {path} HTTP/1.1\r\nHost : +13125550142\r\nX: {secret}\r\n\r\n".encode())
        assert raw.answer().status == 400
    assert secret[:16] not in bridge.stderr and "3125550142" not in bridge.stderr, bridge.stderr


def test_an_absolute_request_target_is_taken_by_its_path(station):
    target = f"http://127.0.0.1:{station.port}{wire.WEBHOOK}"
    with wire.Raw(station.port) as raw:
        assert raw.send(wire.head("POST", target, [*SIGNED, LENGTH]) + BODY).answer().status == 200
        assert raw.send(wire.head("POST", target + "/x?token=1", [*SIGNED, LENGTH]) + BODY).answer().code == "not_found"
    station.queues.take("AMQP_QUEUE", 1)


@pytest.mark.parametrize("blank", [" ", "    "], ids=["a space", "four spaces"])
@pytest.mark.parametrize("sign", [wire.guide, wire.v1], ids=["guide", "v1"])
def test_white_space_behind_a_header_is_not_part_of_it(station, sign, blank):
    body = BODY + blank.encode()  # another event each time: what repeats is not queued
    headers = [(name, value + blank) for name, value in {**sign(body), "X-Event-Id": "e-1", "X-Attempt": "2"}.items()]
    with wire.Raw(station.port) as raw:
        assert raw.send(wire.head("POST", wire.WEBHOOK, [*headers, ("Content-Length", len(body))]) + body).answer().status == 200
    ((properties, _),) = station.queues.take("AMQP_QUEUE", 1)
    assert (properties.headers["x-event-id"], properties.headers["x-attempt"]) == ("e-1", "2")


def test_pipelined_requests_are_answered_one_by_one(station):
    one = with_headers(LENGTH) + BODY
    with wire.Raw(station.port) as raw:
        raw.send(one * 3)
        assert [raw.answer().status for _ in range(3)] == [200, 200, 200]
    station.queues.take("AMQP_QUEUE", 3)
