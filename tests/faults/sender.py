"""Sends events over keep-alive connections at a steady rate and logs each: what was answered, and how late. The log is
what the checker believes."""

import contextlib
import dataclasses
import select
import socket
import threading
import time

import servers

GIVE_UP_SECONDS = 12.0  # far past the 4 s of the promise: later is never
RECONNECT_SECONDS = 0.02


@dataclasses.dataclass
class Sent:
    event: object
    began: float  # monotonic, before the first byte was handed over
    at: float = 0.0  # when the last byte of the body was
    status: int | None = None
    seconds: float = 0.0  # from there to the whole answer
    problem: str = ""  # why there is no status
    timed_out: bool = False  # it still waited after GIVE_UP_SECONDS
    first_on_connection: bool = False

    @property
    def acknowledged(self):
        return self.status == 200


class Connection:
    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), GIVE_UP_SECONDS)
        if self.socket.getsockname() == self.socket.getpeername():
            # Nobody listened, and the port was our own end's: TCP connects it to itself.
            self.socket.close()
            raise ConnectionRefusedError
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(GIVE_UP_SECONDS)
        self.used = False

    def close(self):
        self.socket.close()

    def closed_by_peer(self):
        """Between two requests nothing comes but the end."""
        return bool(select.select([self.socket], [], [], 0)[0])

    def send(self, request):
        self.socket.sendall(request)

    def answer(self):
        """Reads one: (status, whether the connection stays)."""
        data = b""
        while b"\r\n\r\n" not in data:
            data += self._more()
        head, body = data.split(b"\r\n\r\n", 1)
        lines = head.decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(":", 1) for line in lines[1:])
        while len(body) < int(fields.get("content-length", "0")):
            body += self._more()
        return int(lines[0].split()[1]), fields.get("connection", "").strip() != "close"

    def _more(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionResetError("closed without an answer")
        return data


class Sender:
    """`events` is any iterator that threads may share; it ends the sending when it is used up."""

    def __init__(self, port, events, rate=250.0, threads=24):
        self.port = port
        self.events = events
        self.log = []
        self.connects_failed = 0
        self._interval = 1.0 / rate
        self._next_at = time.monotonic()
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._go = threading.Event()
        self._go.set()
        self._busy = 0
        self._threads = [threading.Thread(target=self._run, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def pause(self):
        """No request is under way when it returns."""
        self._go.clear()
        servers.wait_until(lambda: self._busy == 0, "the requests under way end")

    def resume(self):
        self._go.set()

    def stop(self):
        """Ends the sending; every request has its answer, or why there is none."""
        self._stop.set()
        self._go.set()
        self.join()
        return self.log

    def join(self, seconds=servers.HANG_GUARD_S):
        deadline = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        assert not any(thread.is_alive() for thread in self._threads), "the sender did not come to its end"

    def answered(self, status, since=0.0):
        """How many requests sent after `since` have this status by now."""
        return sum(1 for sent in list(self.log) if sent.status == status and sent.at >= since)

    def _wait_for_turn(self):
        with self._lock:
            now = time.monotonic()
            turn = self._next_at = max(self._next_at + self._interval, now - 0.1)
        self._stop.wait(max(0.0, turn - now))
        return not self._stop.is_set()

    def _begin(self):
        """Whether a request may begin now; pause() waits for its end."""
        with self._lock:
            if self._go.is_set() and not self._stop.is_set():
                self._busy += 1
                return True
        return False

    def _end(self):
        with self._lock:
            self._busy -= 1

    def _connect(self):
        while not self._stop.is_set():
            with contextlib.suppress(OSError):
                return Connection(self.port)
            with self._lock:
                self.connects_failed += 1
            self._stop.wait(RECONNECT_SECONDS)
        return None

    def _run(self):
        connection = None
        while self._wait_for_turn():
            if not self._go.is_set() and connection:
                # A connection that idles through a pause may be closed by the other side.
                connection.close()
                connection = None
            self._go.wait()
            if connection and connection.closed_by_peer():
                connection.close()
                connection = None
            connection = connection or self._connect()
            if not connection or not self._begin():
                continue
            event = next(self.events, None)
            stays = event is not None and self._send(connection, event)
            self._end()
            if not stays:
                connection.close()
                connection = None
            if event is None:
                return
        if connection:
            connection.close()

    def _send(self, connection, event):
        request = event.request()
        began = time.monotonic()
        sent = Sent(event, began, began, first_on_connection=not connection.used)
        stays = False
        try:
            connection.send(request)
            sent.at = time.monotonic()
            sent.status, stays = connection.answer()
        except TimeoutError as problem:
            sent.timed_out, sent.problem = True, str(problem)
        except (OSError, ValueError) as problem:
            sent.problem = str(problem) or type(problem).__name__
        sent.seconds = time.monotonic() - sent.at
        connection.used = True
        self._note(sent)
        return stays

    def _note(self, sent):
        self.log.append(sent)
