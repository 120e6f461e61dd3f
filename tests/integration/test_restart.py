"""A bridge that is given its listening socket, as systemd does by dropbridge.socket: while it is restarted nobody is refused."""

import contextlib
import http.client
import itertools
import select
import socket
import ssl
import threading

import certificates
import pytest
import servers
import wire

CLIENTS = 6
ANSWERS_EACH_LIFE = 60
RESTARTS = 3
DIES = {"clean_exit": (78,)}


class Clients:
    """Vendors who send one event after the other, each on a connection that is kept until an answer says that it closes."""

    def __init__(self, port):
        self.port = port
        self.numbers = itertools.count()
        self.kept = []       # bodies that were answered 200
        self.failures = []   # what no client of a bridge that is restarted should see
        self.done = threading.Event()
        self.threads = [threading.Thread(target=self.run, daemon=True) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def run(self):
        while not self.done.is_set():
            with contextlib.closing(wire.connect(self.port)) as connection:
                while not self.done.is_set() and not self.send(connection):
                    pass

    def send(self, connection):
        """True once the connection is not to be used again."""
        body = b'{"type":"message.delivered","data":{"message_id":"m-%d"}}' % next(self.numbers)
        try:
            answer = wire.post(self.port, wire.WEBHOOK, body, wire.guide(body), connection)
        except (OSError, http.client.HTTPException) as problem:
            self.failures.append(repr(problem))
            return True
        if answer.status == 200:
            self.kept.append(body)
        else:
            self.failures.append(f"{answer.status} {answer.body}")
        return answer.closes

    def wait_answered(self, more):
        enough = len(self.kept) + more
        servers.wait_until(lambda: self.failures or len(self.kept) >= enough, lambda: f"{len(self.kept)} of {enough}")

    def stop(self):
        self.done.set()
        for thread in self.threads:
            thread.join(servers.HANG_GUARD_S)


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0), backlog=256) as one:
        yield one


@pytest.mark.threads
def test_no_client_is_refused_or_cut_off_while_the_bridge_is_restarted_and_every_200_is_kept(start_bridge, queues, listener, tmp_path):
    port = listener.getsockname()[1]
    lives = [start_bridge(options={"listener": listener}, SPOOL_PATH=tmp_path / "spool.db")]
    assert f"listening on 127.0.0.1:{port} (socket from systemd)" in lives[0].stderr
    clients = Clients(port)
    try:
        for _ in range(RESTARTS):
            clients.wait_answered(ANSWERS_EACH_LIFE)
            assert lives[-1].stop() == 0
            lives.append(start_bridge(options={"listener": listener}, SPOOL_PATH=tmp_path / "spool.db"))
        clients.wait_answered(ANSWERS_EACH_LIFE)
    finally:
        clients.stop()
    assert clients.failures == []
    lives[-1].assert_identities()
    assert {body for _, body in queues.take_all("AMQP_QUEUE")} >= set(clients.kept)


def test_who_connects_between_two_bridges_is_served_by_the_second(start_bridge, queues, listener):
    port = listener.getsockname()[1]
    first = start_bridge(options={"listener": listener})
    assert wire.request(port, "GET", "/health").status == 200
    assert first.stop() == 0
    body = b'{"type":"message.delivered"}'
    with wire.Raw(port) as early:
        early.send(wire.head("POST", wire.WEBHOOK, [*wire.guide(body).items(), ("Content-Length", len(body))]) + body)
        start_bridge(options={"listener": listener})
        assert early.answer().status == 200
    queues.take("AMQP_QUEUE", 1)


def test_who_comes_while_the_first_still_finishes_a_request_is_served_by_the_second(start_bridge, queues, listener):
    port = listener.getsockname()[1]
    body = b'{"type":"message.delivered"}'
    request = wire.head("POST", wire.WEBHOOK, [*wire.guide(body).items(), ("Content-Length", len(body))]) + body
    first = start_bridge(options={"listener": listener})
    with wire.Raw(port) as slow, contextlib.ExitStack() as stack:
        slow.send(request[:-1])
        servers.wait_until(lambda: first.in_flight() == 1)
        first.signal(servers.SIGTERM)
        servers.wait_until(lambda: "stopping" in first.stderr)
        # Polls of the first that ran when it took the listener away see these connections come.
        late = [stack.enter_context(wire.Raw(port)).send(request) for _ in range(20)]
        answer = slow.send(request[-1:]).answer()
        assert (answer.status, answer.closes) == (200, True)
        assert first.wait_exit() == 0
        assert select.select([one.socket for one in late], [], [], 0)[0] == []
        start_bridge(options={"listener": listener})
        assert [one.answer().status for one in late] == [200] * 20
    queues.take("AMQP_QUEUE", 21)


def test_listen_says_whether_the_socket_speaks_tls(start_bridge, listener, tmp_path):
    authority = certificates.Authority(tmp_path / "authority")
    port = listener.getsockname()[1]
    bridge = start_bridge(options={"listener": listener}, LISTEN="127.0.0.1:0s", TLS_CERT_FILE=authority.issue("bridge"))
    assert f"listening on 127.0.0.1:{port} with TLS (socket from systemd)" in bridge.stderr
    with contextlib.closing(http.client.HTTPSConnection("localhost", port, context=ssl.create_default_context(cafile=authority.path))) as connection:
        assert wire.request(port, "GET", "/health", connection=connection).status == 200


@pytest.mark.parametrize(("listen", "told"), [
    ("127.0.0.1:PORT", False), ("0.0.0.0:PORT", True), ("127.0.0.1:1", True), ("localhost:PORT", True)])
def test_an_address_in_listen_that_systemd_has_not_opened_is_named(start_bridge, listener, listen, told):
    port = str(listener.getsockname()[1])
    bridge = start_bridge(options={"listener": listener}, LISTEN=listen.replace("PORT", port))
    assert (f"is not what is served: systemd has opened 127.0.0.1:{port}." in bridge.stderr) == told


@pytest.mark.parametrize("family", [socket.AF_INET6, socket.AF_UNIX], ids=["IPv6", "a path"])
def test_a_socket_of_another_kind_is_a_wrong_setting(programs, rabbitmq, names, family, tmp_path):
    with socket.socket(family) as other:
        other.bind(str(tmp_path / "socket") if family == socket.AF_UNIX else ("::1", 0))
        other.listen()
        bridge = programs(servers.Bridge, {"AMQP_URL": rabbitmq.url, **names}, listener=other, **DIES)
        assert bridge.wait_exit() == 78
    assert "ListenStream= with an IPv4 address" in bridge.stderr
