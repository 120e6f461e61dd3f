"""Many clients of one address that hold a connection each, and honest ones among them."""

import contextlib
import errno
import resource
import select
import socket
import threading
import time

import sender
import servers

REOPENED_A_SECOND = 100
OPENED_AT_ONCE = 200
WRITTEN_AT_ONCE = 65536  # so that all of them get on, not one after the other
ANSWER_BYTES = 4096  # of one member, kept
# Of one that never reads: the least that the kernel grants, and segments as small as they may be before they are mostly overhead.
# By those of the loopback interface kernels would keep thousands of answers for each, and the crowd be a flood of requests.
BUFFER_BYTES, SEGMENT_BYTES = 1, 360
SPARE_DESCRIPTORS = 1000


def allow_descriptors(count):
    """For this process, and for the programs that it starts."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert count + SPARE_DESCRIPTORS <= hard, f"{count} connections need a hard limit of descriptors above {hard}"
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Member:
    def __init__(self, one, opening):
        self.socket = one
        self.left = memoryview(opening)
        self.answer = b""


class Crowd:
    """`count` connections. Each says `opening`, then `again` as often as it may; `reads`: whether it takes answers. With `stays`
    one that the bridge ends is soon opened again, else it was the last of its member. Used by `with`; opens `a_second` at first."""

    def __init__(self, port, count, opening, again=b"", reads=True, stays=True, a_second=1e9):
        self.port = port
        self.count = count
        self.opening = opening
        self.again = again
        self.reads = reads
        self.stays = stays
        self.a_second = a_second
        self.opened = 0
        self.ended = 0  # by the bridge
        self.answers = []  # of those that are ended
        self._members = {}
        self._may_open = 0.0
        self._epoll = select.epoll()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join(servers.HANG_GUARD_S)
        for member in self._members.values():
            member.socket.close()
        self._epoll.close()

    def complete(self):
        return self.opened >= self.count

    def _run(self):
        last = time.monotonic()
        while not self._stop.is_set():
            now = time.monotonic()
            if self.complete():
                self._may_open = min(OPENED_AT_ONCE, self._may_open + (now - last) * REOPENED_A_SECOND * self.stays)
            else:
                self._may_open = min(self.count - self.opened, self._may_open + (now - last) * self.a_second)
            last = now
            self._open(min(OPENED_AT_ONCE, int(self._may_open), self.count - len(self._members)))
            for number, events in self._epoll.poll(0.02):
                self._serve(self._members[number], events)

    def _open(self, count):
        for _ in range(count):
            one = socket.socket()
            one.setblocking(False)
            if not self.reads:
                one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, SEGMENT_BYTES)
            if one.connect_ex(("127.0.0.1", self.port)) not in (0, errno.EINPROGRESS):
                one.close()
                return
            self._members[one.fileno()] = member = Member(one, self.opening)
            self._epoll.register(one, self._interest(member))
            self.opened += 1
            self._may_open -= 1

    def _interest(self, member):
        reading = select.EPOLLIN if self.reads else 0
        return select.EPOLLRDHUP | reading | (select.EPOLLOUT if member.left else 0)

    def _serve(self, member, events):
        try:
            if events & select.EPOLLIN:
                data = member.socket.recv(65536)
                member.answer = (member.answer + data)[:ANSWER_BYTES]
                if not data:
                    return self._end(member)
            elif events & (select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR):
                return self._end(member)
            if events & select.EPOLLOUT:
                self._write(member)
        except BlockingIOError:
            pass
        except OSError:
            self._end(member)
        return None

    def _write(self, member):
        member.left = member.left[member.socket.send(member.left[:WRITTEN_AT_ONCE]) :]
        if not member.left and self.again:
            member.left = memoryview(self.again)
        if not member.left:
            self._epoll.modify(member.socket, self._interest(member))

    def _end(self, member):
        del self._members[member.socket.fileno()]
        member.socket.close()
        self.answers.append(member.answer)
        self.ended += 1


class Honest(sender.Sender):
    """Sends as any good client does: what its answer says of the connection it does, and a request under which a kept connection
    was ended is sent once more on another. The time counts from the first try, a new connection's included. `keeps`: whether
    it uses a connection again at all."""

    def __init__(self, port, events, rate, threads, keeps):
        self.keeps = keeps
        self._own = threading.local()
        super().__init__(port, events, rate, threads)

    def _connect(self):
        began = time.monotonic()
        connection = super()._connect()
        if connection:
            connection.began = began
        return connection

    def _note(self, sent):
        self._own.sent = sent

    def _send(self, connection, event):
        reused = connection.used
        began = time.monotonic() if reused else connection.began
        stays = super()._send(connection, event)
        if self._own.sent.problem and reused and not self._own.sent.timed_out:
            stays = self._send_anew(event)
        sent = self._own.sent
        sent.seconds = time.monotonic() - began
        self.log.append(sent)
        return stays and self.keeps

    def _send_anew(self, event):
        connection = self._connect()
        if connection:
            with contextlib.closing(connection):
                super()._send(connection, event)
        return False
