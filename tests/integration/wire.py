"""HTTP as the vendor sends it, and as hostile clients do; signatures and tokens written from their documents."""

import contextlib
import dataclasses
import hashlib
import hmac
import http.client
import io
import json
import socket
import time

import servers

WEBHOOK = "/webhooks/dropcowboy"
CALLBACK = "/callbacks/dropcowboy"


def hex_hmac(secret, data):
    return hmac.new(secret.encode() if isinstance(secret, str) else secret, data, hashlib.sha256).hexdigest()


def guide(body, secret=servers.WEBHOOK_SECRET):
    """Headers of dialect A."""
    return {"X-DropCowboy-Signature": hex_hmac(secret, body)}


def v1(body, secret=servers.WEBHOOK_SECRET, age=0, timestamp=None, version="v1", prefix="sha256=", **more):
    """Headers of dialect C. `age` seconds ago; version None leaves its header out."""
    stamp = str(int(time.time()) - age) if timestamp is None else timestamp
    headers = {"X-Timestamp": stamp, "X-Signature": prefix + hex_hmac(secret, stamp.encode() + b"." + body)}
    if version is not None:
        headers["X-Signature-Version"] = version
    headers.update({name.replace("_", "-"): value for name, value in more.items()})
    return headers


def token(campaign="", secret=servers.CALLBACK_SECRET):
    return hex_hmac(secret, b"callback:v1:" + campaign.encode())


def callback_path(campaign="", secret=servers.CALLBACK_SECRET):
    middle = f"/{campaign}" if campaign else ""
    return f"{CALLBACK}{middle}?token={token(campaign, secret)}"


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The error code, "" for success."""
        return self.json["error"]["code"] if "error" in self.json else ""

    @property
    def closes(self):
        return self.headers.get("connection", "").lower() == "close"


def _answer_of(response):
    body = response.read()
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, body)


def connect(port, timeout=servers.HANG_GUARD_S):
    return http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)


def request(port, method, path, body=None, headers=None, connection=None):
    """One request with Content-Length; on a connection of its own if none is given."""
    own = connection or connect(port)
    try:
        own.putrequest(method, path, skip_accept_encoding=True)
        for name, value in (headers or {}).items():
            own.putheader(name, value)
        if body is not None:
            own.putheader("Content-Length", str(len(body)))
        own.endheaders()
        if body:
            # A refusal may come, and the connection close, before the whole body is sent.
            with contextlib.suppress(ConnectionError):
                own.send(body)
        return _answer_of(own.getresponse())
    finally:
        if connection is None:
            own.close()


def post(port, path, body, headers=None, connection=None):
    return request(port, "POST", path, body, headers, connection)


def head(method, path, headers):
    """The bytes of a request up to its blank line; headers: pairs."""
    lines = [f"{method} {path} HTTP/1.1", "Host: bridge"] + [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


class _KeptReader(io.BufferedReader):
    """http.client closes what it reads from behind each answer; the next answer is in the same buffer."""

    def close(self):
        pass


class Raw:
    """A socket on which a test says exactly what it likes."""

    def __init__(self, port, timeout=servers.HANG_GUARD_S):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self._reader = _KeptReader(socket.SocketIO(self.socket, "r"))

    def makefile(self, *_):
        return self._reader

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)
        return self

    def finish_sending(self):
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
        return self

    def answer(self):
        response = http.client.HTTPResponse(self)
        response.begin()
        return _answer_of(response)

    def closed_by_peer(self):
        """Whether the peer ends the connection (what else it says is dropped)."""
        try:
            while self.socket.recv(65536):
                pass
            return True
        except ConnectionError:
            return True
        except TimeoutError:
            return False


def chunked(body, size):
    parts = [body[i : i + size] for i in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
