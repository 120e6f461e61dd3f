"""Requests that nobody signed: good ones of which one thing was changed. And requests whose end two readers see at different
places."""

import collections
import contextlib
import itertools
import json
import random
import re
import socket
import time

import servers
import wire

STATUS = re.compile(rb"HTTP/1\.1 (\d{3}) ")
HEX = "0123456789abcdef"
TOLERANCE_SECONDS = 300


def other_digit(rng, text):
    """One of its hex digits is another one."""
    at = rng.randrange(len(text))
    return text[:at] + rng.choice(HEX.replace(text[at], "")) + text[at + 1 :]


def spoiled(rng, text):
    """A signature or token that is not the one. There is one: without any the bridge refuses before the body, and ends the
    connection, on which others may wait."""
    return rng.choice((
        lambda: other_digit(rng, text),
        lambda: text[:-1],
        lambda: text + rng.choice(HEX),
        lambda: text[1:],
        lambda: text.replace(text[-1], "") or "0",
        lambda: "0" * 64,
        lambda: "g" + text[1:],
        lambda: text[:32],
        lambda: f"{text[:32]} {text[32:]}",
        lambda: f"{text},{text}",
        lambda: wire.hex_hmac("no-secret-of-the-bridge", text.encode()),
    ))()


def spoiled_body(rng, body):
    at = rng.randrange(len(body))
    return rng.choice((
        lambda: body[:at] + bytes([body[at] ^ 1 << rng.randrange(8)]) + body[at + 1 :],
        lambda: body + b" ",
        lambda: body[:-1] if at else b" " + body,
        lambda: body.replace(b"message", b"massage"),
    ))()


def post(path, headers, body):
    return wire.head("POST", path, [*headers.items(), ("Content-Length", str(len(body)))]) + body


def spoiled_guide(rng, body):
    headers = wire.guide(body)
    if rng.random() < 0.4:
        return post(wire.WEBHOOK, headers, spoiled_body(rng, body))
    name, value = next(iter(headers.items()))
    return post(wire.WEBHOOK, {name: spoiled(rng, value)}, body)


def spoiled_v1(rng, body):
    headers = wire.v1(body)
    what = rng.random()
    if what < 0.4:
        return post(wire.WEBHOOK, headers, spoiled_body(rng, body))
    if what < 0.8:
        prefix, value = headers["X-Signature"].split("=")
        headers["X-Signature"] = rng.choice((f"{prefix}=", "", "sha1=")) + spoiled(rng, value)
    else:
        headers["X-Signature-Version"] = rng.choice(("v2", "v", "V1x"))
    return post(wire.WEBHOOK, headers, body)


def spoiled_timestamp(rng, body):
    """Another than the signed one, or one that is signed and too far from now. What says so says it before the body, which is
    left out: the connection stays."""
    stamp = int(time.time())
    far = TOLERANCE_SECONDS + 60 + rng.randrange(10**rng.randrange(1, 9))
    signed = rng.choice((stamp - far, stamp + far, stamp * 1000, f"-{stamp}", f"{stamp}.0", f"+{stamp}", "", "now", f"0x{stamp:x}"))
    if rng.random() < 0.5:
        return post(wire.WEBHOOK, wire.v1(b"", timestamp=str(signed)), b"")
    headers = wire.v1(body)
    headers["X-Timestamp"] = rng.choice((str(int(headers["X-Timestamp"]) + rng.choice((-1, 1))), "0" + headers["X-Timestamp"]))
    return post(wire.WEBHOOK, headers, body)


def spoiled_token(rng, body):
    """Judged before the body, as a timestamp is."""
    campaign = rng.choice(("", "spring", "summer"))
    other = rng.choice(("autumn", "Spring", "spring.", "t"))
    token = wire.token(campaign)
    middle = f"/{campaign}" if campaign else ""
    path = rng.choice((
        lambda: f"{wire.CALLBACK}{middle}?token={spoiled(rng, token).replace(' ', '+')}",
        lambda: f"{wire.CALLBACK}/{other}?token={token}",
        lambda: f"{wire.CALLBACK}{middle}?token={token}&token={token}",
        lambda: f"{wire.CALLBACK}{middle}?tokens={token}",
        lambda: f"{wire.CALLBACK}{middle}?token={wire.hex_hmac(servers.WEBHOOK_SECRET, body)}",
        lambda: f"{wire.CALLBACK}/{other}/t/{token}",
        lambda: f"{wire.CALLBACK}/{other}/t/{other_digit(rng, wire.token(other))}",
    ))()
    return post(path, {}, b"")


SPOILED = (spoiled_guide, spoiled_v1, spoiled_timestamp, spoiled_token)


def forged(seed, count):
    """So many requests that are to be refused."""
    rng, salt = random.Random(seed), f"{random.Random(seed).getrandbits(40):x}"
    for number in range(count):
        body = json.dumps({"type": "message.delivered", "data": {"message_id": f"{salt}-{number}"}}).encode()
        yield rng.choice(SPOILED)(rng, body)


# ---- many at once ----


def read_answers(connection, count):
    """The statuses of so many answers; other than so many if the connection ends or more is said."""
    data = b""
    while data.count(b"\r\n\r\n") < count or not data.endswith(b"}"):
        more = connection.recv(1 << 18)
        if not more:
            break
        data += more
    return STATUS.findall(data)


def send_all(port, requests, connections=4, at_once=64):
    """Sends them over a few connections, one behind the other without waiting for answers: how often each status came."""
    counts = collections.Counter()
    with contextlib.ExitStack() as stack:
        pipes = [stack.enter_context(socket.create_connection(("127.0.0.1", port), servers.HANG_GUARD_S)) for _ in range(connections)]
        while True:
            sent = [list(itertools.islice(requests, at_once)) for _ in pipes]
            if not sent[0]:
                return dict(counts)
            for pipe, batch in zip(pipes, sent):
                pipe.sendall(b"".join(batch))
            for pipe, batch in zip(pipes, sent):
                statuses = read_answers(pipe, len(batch)) if batch else []
                assert len(statuses) == len(batch), f"{len(statuses)} answers to {len(batch)} requests"
                counts.update(map(int, statuses))


# ---- ambiguous framing ----


def ambiguous_fields(rng, length):
    """Header lines that leave open where a body of `length` bytes ends, or which field is meant."""
    size, chunked = b"Content-Length: %d\r\n" % length, b"Transfer-Encoding: chunked\r\n"
    name = rng.choice((b"Content-Length", b"content-length", b"CONTENT-LENGTH"))
    coding = rng.choice((b"Transfer-Encoding", b"transfer-encoding", b"tRANSFER-eNCODING"))
    lines = rng.choice((
        [size, chunked],
        [name + b": 0\r\n", chunked],
        [size, name + b": %d\r\n" % rng.choice((0, 1, length - 1, length, length + 1, 10 * length))],
        [name + b": %d%s\r\n" % (length, rng.choice((b"x", b",", b";", b".0", b", %d" % length, b" 1", b"e0", b"\x0b")))],
        [name + b": %s%d\r\n" % (rng.choice((b"+", b"-", b"0x", b"\x0b", b"'")), length)],
        [name + b": %d\r\n" % (length + (1 << rng.choice((64, 65, 128))))],
        [name + b": \r\n"],
        [coding + b": %s\r\n" % rng.choice((b"gzip", b"gzip, chunked", b"chunked, chunked", b"chunked, identity", b"xchunked",
                                            b"chunked;q=1", b"\x0bchunked", b"chunked\x0b", b"identity", b"\"chunked\"", b""))],
        [chunked, coding + b": %s\r\n" % rng.choice((b"chunked", b"identity", b"gzip"))],
        [coding + b" : chunked\r\n", size],
        [name + b" : %d\r\n" % length],
        [name + b"\t: %d\r\n" % length, size],
        [size[:-2] + b"\n"],
        [size, b"X-Long: a\r\n chunked\r\n"],
        [b"Transfer-Encoding:\r\n chunked\r\n", size],
        [b"nonsense\r\n", size],
        [b": %d\r\n" % length, size],
    ))
    rng.shuffle(lines)
    return b"".join(lines)


def ambiguous_chunk(rng, body):
    """A body in one chunk whose size, or end, is not as it must be."""
    digits = b"%x" % len(body)
    size = rng.choice((b"0x" + digits, b"+" + digits, b"-" + digits, b" " + digits, digits + b"g", b"1" + b"0" * 16 + digits,
                       b"", b"\t" + digits, digits + b" x"))
    return rng.choice((
        lambda: size + b"\r\n" + body + b"\r\n0\r\n\r\n",
        lambda: digits + b"\n" + body + b"\r\n0\r\n\r\n",
        lambda: digits + b"\r\n" + body + b"0\r\n\r\n",
        lambda: digits + b"\r\n" + body + b"xx0\r\n\r\n",
        lambda: digits + b"\r\n" + body + b"\r\n0x\r\n\r\n",
        lambda: digits + b"\r" + body + b"\r\n0\r\n\r\n",
    ))()


def ambiguous(seed, count):
    """So many requests, each with a good signature of the bytes that one reader takes for the body, in which there is another
    good request. `start` comes before the first line."""
    rng = random.Random(seed)
    inner = b'{"type":"message.delivered","data":{"message_id":"inner-%d"}}'
    for number in range(count):
        hidden = inner % number
        body = rng.choice((b"", b"0\r\n\r\n")) + post(wire.WEBHOOK, wire.guide(hidden), hidden)
        if rng.random() < 0.5:
            body = b'{"type":"message.delivered","data":{"message_id":"outer-%d"}}' % number
        signed = "\r\n".join(f"{name}: {value}" for name, value in wire.guide(body).items()).encode() + b"\r\n"
        line, host = f"POST {wire.WEBHOOK} HTTP/1.1\r\n".encode(), b"Host: bridge\r\n"
        length = b"Content-Length: %d\r\n" % len(body)
        yield rng.choice((
            lambda: line + host + signed + ambiguous_fields(rng, len(body)) + b"\r\n" + rng.choice((body, wire.chunked(body, 100))),
            lambda: line + host + signed + ambiguous_fields(rng, len(body)) + b"\r\n" + rng.choice((body, wire.chunked(body, 100))),
            lambda: line + host + signed + b"Transfer-Encoding: chunked\r\n\r\n" + ambiguous_chunk(rng, body),
            lambda: rng.choice((b"\r\n\r\n", b"\n\n", b"\r\n\r\n\r\n", b"\0")) + line + host + signed + length + b"\r\n" + body,
            lambda: line + rng.choice((host + b"Host: other\r\n", host + host)) + signed + length + b"\r\n" + body,
            lambda: line.replace(b"1.1", rng.choice((b"1.0", b"0.9"))) + host + signed + b"Transfer-Encoding: chunked\r\n\r\n" + wire.chunked(body, 100),
        ))()


def answers_to(port, request):
    """The statuses of all that is answered to one request, until the bridge ends the connection."""
    with wire.Raw(port) as raw:
        raw.send(request).finish_sending()
        data = b""
        try:
            while more := raw.socket.recv(65536):
                data += more
        except ConnectionError:
            pass
    return [int(status) for status in STATUS.findall(data)]
