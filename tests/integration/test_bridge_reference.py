"""Heads and bodies of many odd shapes, each on a connection of its own, beside a reference: h11, which knows nothing of civetweb.
The bridge may refuse more; it never takes what the reference refuses, reads no other body, and gives no request two answers."""

import collections
import concurrent.futures
import random
import re
import socket

import h11
import servers
import wire

SEED = 11
CASES = 6000
PATH = wire.callback_path("odd")


def event_of(rng):
    return b'{"drop_id":"%024x","status":"success"}' % rng.getrandbits(96)


class Shape:
    """A request in parts, which mutations change before it is put together."""

    def __init__(self, rng):
        self.rng = rng
        self.before, self.method, self.target, self.version = b"", b"POST", PATH.encode(), b"HTTP/1.1"
        self.space, self.line_end, self.end = b" ", b"\r\n", b"\r\n"
        self.body = event_of(rng)
        self.chunks = None
        self.headers = [(b"Host", b"bridge"), (b"Content-Length", str(len(self.body)).encode())]

    def chunk(self, size=None, head=b"%x\r\n", tail=b"\r\n", last=b"0\r\n\r\n"):
        size = size or self.rng.choice([1, 7, len(self.body)])
        parts = [self.body[i : i + size] for i in range(0, len(self.body), size)]
        self.chunks = b"".join(head % len(part) + part + tail for part in parts) + last
        self.replace(b"Content-Length", b"Transfer-Encoding", b"chunked")

    def replace(self, name, new_name, value):
        self.headers = [(new_name, value) if one[0] == name else one for one in self.headers]

    def add(self, name, value, first=False):
        self.headers.insert(0 if first else self.rng.randrange(len(self.headers) + 1), (name, value))

    def bytes(self):
        lines = [self.method + self.space + self.target + self.space + self.version]
        lines += [name + b": " + value if value is not None else name for name, value in self.headers]
        return self.before + b"".join(line + self.line_end for line in lines) + self.end + (self.chunks or self.body)


def set_to(name, *values):
    def mutate(shape):
        setattr(shape, name, shape.rng.choice(values))

    return mutate


def headers(*pairs):
    def mutate(shape):
        shape.add(*shape.rng.choice(pairs))

    return mutate


def chunked(**parts):
    def mutate(shape):
        shape.chunk(**{name: shape.rng.choice(values) for name, values in parts.items()})

    return mutate


def of_length(*texts):
    def mutate(shape):
        text = shape.rng.choice(texts)
        shape.replace(b"Content-Length", b"Content-Length", text.replace(b"N", str(len(shape.body)).encode()))

    return mutate


def without(name):
    def mutate(shape):
        shape.headers = [one for one in shape.headers if one[0] != name]

    return mutate


def smuggled(shape):
    """A body that is a request, where the length is that of what a confused reader takes for it."""
    shape.body = Shape(shape.rng).bytes()
    shape.headers = [(b"Host", b"bridge"), (b"Content-Length", b"0")]
    head = shape.bytes()[: -len(shape.body)]
    shape.replace(b"Content-Length", b"Content-Length", str(len(head) + shape.rng.choice([0, 1, 2, 4, -2])).encode())


def cut(shape):
    whole = shape.body if shape.chunks is None else shape.chunks
    shortened = whole[: shape.rng.randrange(len(whole))]
    if shape.chunks is None:
        shape.body = shortened
    else:
        shape.chunks = shortened


MUTATIONS = [
    set_to("before", b"\r\n", b"\r\n\r\n", b"\n", b"\n\n", b" ", b"\r\n" * 8, b"\r\n" * 9, b" " * 16, b"\r\n \r\n", b"\r\n\r\n\r\n\r\n "),
    set_to("method", b"GET", b"HEAD", b"OPTIONS", b"post", b"P OST", b"POST\t", b"PUT"),
    set_to("target", b"/health", b"*", b"http://bridge" + PATH.encode(), b"http://bridge:80/x?y", b"/a b", b"//", b"/\x80", b"/%00", b"/?" + b"a" * 300),
    set_to("version", b"HTTP/1.0", b"HTTP/1.1 ", b"HTTP/2.0", b"HTTP/1.10", b"http/1.1", b"HTTP/01.1", b"", b"HTTP/1.1\r", b"HTTP/1.0\r\nHost: x"),
    set_to("space", b"  ", b"\t", b" \r\n", b"\x0b"),
    set_to("line_end", b"\n", b"\r", b"\r\r\n", b" \r\n", b"\r\n "),
    set_to("end", b"\n", b"\r\n\r\n", b"", b" \r\n\r\n", b"\r\n\n", b":\r\n\r\n", b":\n\n", b"\r\n\r\n{}"),
    headers((b"Host", b"bridge"), (b"host", b"other"), (b"Host ", b"x"), (b"HOST", b"")),
    headers((b"Content-Length", b"0"), (b"content-length", b"5"), (b"Content-Length ", b"5"), (b" Content-Length", b"5"), (b"Content-Length\x00", b"1"), (b"Content_Length", b"3")),
    headers((b"Transfer-Encoding", b"chunked"), (b"transfer-encoding", b"identity"), (b"Transfer-Encoding", b"gzip, chunked"), (b"Transfer-Encoding ", b"chunked"), (b"Transfer-Encoding", b" chunked"), (b"Transfer-Encoding", b"chunked,chunked"), (b"Transfer-Encoding", b"x\r\n chunked")),
    headers((b"X-Folded", b"a\r\n b"), (b"X-Folded", b"a\r\n\tb"), (b"X", b"a\nY: b"), (b"X", b"a\rY: b"), (b"X", b"\x00"), (b"X", b"\x80\xff"), (b"X", b"\x7f"), (b"X", b"a\tb")),
    headers((b"nothing", None), (b"", b"x"), (b"X(Y)", b"z"), (b"X\x80", b"z"), (b"X Y", b"z"), (b"@", b"1"), (b"X:Y", b""), (b"=", b"")),
    headers((b"Connection", b"close"), (b"Connection", b"keep-alive"), (b"Connection", b"upgrade"), (b"Upgrade", b"websocket"), (b"Expect", b"100-continue"), (b"Expect", b"x"), (b"TE", b"trailers")),
    of_length(b"+N", b"-N", b" N", b"N ", b"N, N", b"0xN", b"N.0", b"", b"0N", b"NN", b"1", b"18446744073709551616", b"N\r\nContent-Length: N", b"N;a"),
    without(b"Host"),
    without(b"Content-Length"),
    chunked(),
    chunked(head=[b"%X\r\n", b"0%x\r\n", b"%x;a=b\r\n", b"%x \r\n", b" %x\r\n", b"0x%x\r\n", b"-%x\r\n", b"+%x\r\n", b"%x\n", b"%x\r", b"%x\rA\r\n", b"%x\r\r\n", b"%xg\r\n", b"\r\n%x\r\n"]),
    chunked(head=[b"f%x\r\n", b"10000000%x\r\n", b"7fffffffffffffff%x\r\n", b"fffffffffffffff%x\r\n", b"8000000000000000%x\r\n", b"%%x%.0x\r\n"]),
    chunked(tail=[b"", b"\n", b"\r", b"\r\n\r\n", b"x\r\n"]),
    chunked(last=[b"", b"0\r\n", b"0\r\nX: a\r\n\r\n", b"00\r\n\r\n", b"0;a\r\n\r\n", b"0\n\n", b"0\r\n\n", b"\r\n", b"-0\r\n\r\n", b"0\r\nContent-Length: 5\r\n\r\n"]),
    smuggled,
    cut,
]


def stream(rng):
    """One to three requests behind each other, most of them odd in one or two ways."""
    whole = b""
    for _ in range(rng.choice([1, 1, 2, 3])):
        shape = Shape(rng)
        for mutate in rng.sample(MUTATIONS, rng.choice([0, 1, 1, 1, 2, 2])):
            mutate(shape)
        whole += shape.bytes()
    return whole


def read_by_reference(data):
    """[(method, target, body)] of the whole requests, and whether something that is none follows. One empty line before a request
    is none of its faults (RFC 9112, 2.2), though h11 refuses it."""
    read = []
    while True:
        data = data.removeprefix(b"\r\n")
        peer, request, body = h11.Connection(h11.SERVER), None, b""
        peer.receive_data(data)
        peer.receive_data(b"")
        try:
            while not isinstance(event := peer.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
                    return read, bool(data)
                if isinstance(event, h11.Request):
                    request = event
                else:
                    body += bytes(event.data)
        except h11.RemoteProtocolError:
            return read, True
        read.append((request.method, request.target, body))
        if peer.their_state is h11.MUST_CLOSE:
            return read, False
        data = peer.trailing_data[0]


def answers_of(port, data):
    """The bytes that the bridge says to it, until it ends the connection."""
    said = b""
    with socket.create_connection(("127.0.0.1", port), servers.HANG_GUARD_S) as peer:
        try:
            peer.sendall(data)
            peer.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # refused before all was sent
        try:
            while piece := peer.recv(65536):
                said += piece
        except ConnectionResetError:
            pass
    return said


def statuses_of(said):
    """Of the answers in order; 100 Continue is none."""
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", said) if status != b"100"]


def problem_of(port, data):
    """What the bridge has done wrong with it, and the bodies that it said it has taken."""
    read, rest = read_by_reference(data)
    statuses = statuses_of(answers_of(port, data))
    taken = [one for one, status in zip(read, statuses) if status == 200]
    if len(statuses) > len(read) + rest:
        return f"{len(statuses)} answers {statuses} to {len(read)} requests", []
    if any(status < 300 for status in statuses[len(read) :]):
        return f"{statuses}, where the reference reads {len(read)} requests", []
    return None, [body for _, target, body in taken if target.endswith(PATH.encode())]


def test_takes_nothing_that_a_reference_refuses_and_answers_each_request_once(station):
    rng = random.Random(SEED)
    streams = [stream(rng) for _ in range(CASES)]
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        results = list(pool.map(lambda data: problem_of(station.port, data), streams))
    wrong = [f"{problem}: {data!r}" for data, (problem, _) in zip(streams, results) if problem]
    assert not wrong, f"{len(wrong)} of {CASES}:\n" + "\n".join(wrong[:10])
    expected = collections.Counter(body for _, bodies in results for body in bodies)
    queued = collections.Counter(body for _, body in station.queues.take("AMQP_QUEUE", sum(expected.values())))
    assert queued == expected
    assert sum(expected.values()) > CASES / 4, "most of what is odd in a way that does not matter is taken"
    assert station.queues.depth("AMQP_QUEUE") == 0
