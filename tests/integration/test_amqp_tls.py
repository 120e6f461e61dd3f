"""RabbitMQ over TLS: both programs work through it, trust nobody without reason, and keep their deadlines."""

import concurrent.futures
import contextlib
import functools
import json
import os
import select
import signal
import socket
import ssl
import threading

import certificates
import conftest
import events
import pytest
import servers
import wire
from tls_servers import REFUSED, Fake, serving


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return certificates.Authority(tmp_path_factory.mktemp("tls") / "authority")


@pytest.fixture(scope="module")
def broker(tmp_path_factory, authority):
    """A broker with a TLS port beside its plain one."""
    whole = authority.issue("broker")
    port = servers.free_port()
    server = servers.RabbitMQ(tmp_path_factory.mktemp("rabbitmq-tls"), "\n".join([
        f"listeners.ssl.default = 127.0.0.1:{port}",
        f"ssl_options.cacertfile = {authority.path}",
        f"ssl_options.certfile = {whole.with_suffix('.crt')}",
        f"ssl_options.keyfile = {whole.with_suffix('.key')}",
        "ssl_options.verify = verify_peer",
        "ssl_options.fail_if_no_peer_cert = false",
        "",
    ]))
    server.tls_port = port
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture
def names():
    return conftest.queue_names(f"{os.getpid()}.amqps.{next(conftest.NUMBERS)}")


@pytest.fixture
def broker_queues(broker, names):
    view = conftest.Queues(broker, names)
    try:
        yield view
    finally:
        view.close()


def amqps(port, host="localhost"):
    return f"amqps://guest:guest@{host}:{port}/%2f"


@pytest.fixture
def bridge_at(programs, names):
    def start(url, **settings):
        bridge = programs(servers.Bridge, {"AMQP_URL": url, **names, **settings})
        # Whatever becomes of its broker, its spool is open.
        servers.wait_until(lambda: bridge.readyz()[1]["spool"] != "opening", lambda: bridge.stderr[-2000:])
        return bridge

    return start


@pytest.fixture
def worker_at(programs, names, redis_server):
    def start(url, **settings):
        return programs(servers.Worker, {"AMQP_URL": url, "REDIS_URL": redis_server.url, **names, **settings})

    return start


def send(bridge, body=None):
    """One event, which is kept."""
    answer = wire.post(bridge.port, wire.callback_path("tls"), body or json.dumps(events.callback()).encode())
    assert answer.status == 200, answer


def wait_connected(bridge):
    servers.wait_until(lambda: bridge.readyz()[1]["broker"] == "connected", lambda: bridge.stderr[-2000:])


# ---- through it ----


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"], ids=["by name", "by address"])
def test_events_are_published_and_counted(broker, authority, broker_queues, bridge_at, worker_at, redis_server, host):
    url = amqps(broker.tls_port, host)
    bridge = bridge_at(url, AMQP_CA_FILE=authority.path, CONFIRM_TIMEOUT_MS=3000)
    worker_at(url, AMQP_CA_FILE=authority.path)
    wait_connected(bridge)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda _: send(bridge), range(100)))
    totals = functools.partial(redis_server.client.hgetall, "dc:totals")
    servers.wait_until(lambda: totals().get(b"messages") == b"100", totals)
    assert bridge.accepted("broker") == 100 or "has not confirmed" in bridge.stderr
    bridge.assert_identities()


def test_rejected_messages_go_through_it_too(broker, authority, broker_queues, bridge_at, worker_at):
    url = amqps(broker.tls_port)
    bridge = bridge_at(url, AMQP_CA_FILE=authority.path)
    wait_connected(bridge)
    worker_at(url, AMQP_CA_FILE=authority.path)
    broken = b"{not json"
    assert wire.post(bridge.port, wire.WEBHOOK, broken, wire.guide(broken)).code == "invalid_json"
    nothing = b'{"neither":"type nor status"}'
    assert wire.post(bridge.port, wire.WEBHOOK, nothing, wire.guide(nothing)).status == 200
    assert {body for _, body in broker_queues.take("AMQP_REJECTED_QUEUE", 2)} == {broken, nothing}


def test_bodies_larger_than_a_record_arrive_whole(broker, authority, broker_queues, bridge_at):
    bridge = bridge_at(amqps(broker.tls_port), AMQP_CA_FILE=authority.path, CONFIRM_TIMEOUT_MS=3000)
    wait_connected(bridge)
    bodies = [b'{"type":"x","n":%d,"pad":"%s"}' % (n, b"y" * 400000) for n in range(10)]
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda body: send(bridge, body), bodies))
    assert sorted(body for _, body in broker_queues.take("AMQP_QUEUE", 10)) == sorted(bodies)


def test_the_first_url_that_works_is_taken(broker, authority, broker_queues, bridge_at):
    bridge = bridge_at(f"{amqps(servers.free_port())},{amqps(broker.tls_port)}", AMQP_CA_FILE=authority.path)
    wait_connected(bridge)
    send(bridge)
    broker_queues.take("AMQP_QUEUE", 1)


# ---- deadlines ----


@pytest.mark.full  # a write that stands still is cut after 10 s
def test_a_broker_that_stands_still_is_cut_off_and_found_again(broker, authority, broker_queues, bridge_at):
    # Half of an answer's time is for the spool: it is given much at once.
    bridge = bridge_at(amqps(broker.tls_port), AMQP_CA_FILE=authority.path, CONFIRM_TIMEOUT_MS=1900)
    wait_connected(bridge)
    send(bridge)
    # Nothing that waits for a confirm already keeps the large ones from being written.
    servers.wait_until(lambda: bridge.spooled() == 0, lambda: bridge.stderr[-2000:])
    # More than the sockets hold, so that a write may stand still as well, and is cut; else the missing confirm ends the connection.
    large = b'{"type":"x","pad":"' + b"y" * 700000 + b'"}'
    os.kill(broker.vm_pid(), signal.SIGSTOP)
    try:
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda _: send(bridge, large), range(8)))
        waited = bridge.metrics()["dropbridge_confirm_timeouts_total"]
        for _ in range(5):
            send(bridge)
        assert bridge.metrics()["dropbridge_confirm_timeouts_total"] == waited, "nobody waits for it again"
        servers.wait_until(lambda: "took too long" in bridge.stderr or "connecting again" in bridge.stderr, lambda: bridge.stderr[-2000:])
        send(bridge)
    finally:
        os.kill(broker.vm_pid(), signal.SIGCONT)
    wait_connected(bridge)
    servers.wait_until(lambda: bridge.spooled() == 0, lambda: bridge.stderr[-2000:])
    servers.wait_until(lambda: broker_queues.depth("AMQP_QUEUE") >= 15, "all events are in the queue")
    bridge.assert_identities()


@pytest.fixture
def fake():
    started = []

    def start(context):
        started.append(Fake(context))
        return started[-1]

    yield start
    for one in started:
        one.close()


def test_a_port_that_says_nothing_is_given_up(fake, bridge_at, authority):
    bridge = bridge_at(amqps(fake(None).port), AMQP_CA_FILE=authority.path)
    send(bridge)
    servers.wait_until(lambda: "connecting to localhost" in bridge.stderr, lambda: bridge.stderr[-2000:])
    assert bridge.spooled() == 1


# ---- whom it trusts ----

# words of the sentence, in the order of REFUSED
WORDS = [["signed by nobody trusted", "AMQP_CA_FILE"], ["is not for", "AMQP_URL"], ["has expired", "renew it"],
         ["is not valid yet"]]
UNTRUSTED = [(name, issue, words) for (name, issue), words in zip(REFUSED, WORDS, strict=True)]
BY_ADDRESS = UNTRUSTED[1]  # "for another name" is the one that is judged otherwise by an address


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return certificates.Authority(tmp_path_factory.mktemp("tls") / "stranger", "of a stranger")


def assert_refused(server, program, words):
    servers.wait_until(lambda: all(word in program.stderr for word in words), lambda: program.stderr[-2000:])
    assert program.running(), "it may be mended without a restart"
    assert not hasattr(server, "said"), "nothing is said, no password above all, to who is not trusted"


@pytest.mark.parametrize(("issue", "words", "host"), [
    *(pytest.param(issue, words, "localhost", id=name) for name, issue, words in UNTRUSTED),
    pytest.param(*BY_ADDRESS[1:], "127.0.0.1", id="for another address"),
])
def test_a_certificate_that_is_not_right_is_refused_by_the_bridge(authority, stranger, fake, bridge_at, issue, words, host):
    server = fake(serving(issue(authority, stranger)))
    bridge = bridge_at(amqps(server.port, host), AMQP_CA_FILE=authority.path)
    assert_refused(server, bridge, words)
    send(bridge)
    assert bridge.spooled() == 1
    assert all(word in bridge.readyz()[1]["broker_problem"] for word in words)


def assert_is_mended(bridge, broker_queues, mend):
    servers.wait_until(lambda: "AMQP_CA_FILE" in bridge.readyz()[1].get("broker_problem", ""), lambda: bridge.stderr[-2000:])
    send(bridge)
    assert bridge.readyz()[0] == 200 and bridge.spooled() == 1
    assert "signed by nobody trusted" in bridge.stderr
    mend()
    wait_connected(bridge)
    broker_queues.take("AMQP_QUEUE", 1)
    servers.wait_until(lambda: bridge.spooled() == 0, lambda: bridge.stderr[-2000:])


@pytest.mark.parametrize("when", ["at the start", "while it runs"])
def test_the_bridge_goes_on_by_itself_once_its_authority_is_mended(authority, stranger, broker, broker_queues, bridge_at, tmp_path, when):
    trusted = tmp_path / "trusted.pem"

    def trust(one):
        trusted.write_bytes(one.path.read_bytes())

    trust(stranger if when == "at the start" else authority)
    with contextlib.closing(servers.CuttableProxy(broker.tls_port)) as between:
        bridge = bridge_at(amqps(between.port), AMQP_CA_FILE=trusted)
        if when == "while it runs":
            wait_connected(bridge)
            trust(stranger)
            between.cut()
            between.restore()
        assert_is_mended(bridge, broker_queues, lambda: trust(authority))


@pytest.mark.parametrize(("issue", "words"), [UNTRUSTED[0][1:], UNTRUSTED[1][1:]], ids=[UNTRUSTED[0][0], UNTRUSTED[1][0]])
def test_a_certificate_that_is_not_right_is_refused_by_the_worker(authority, stranger, fake, worker_at, issue, words):
    server = fake(serving(issue(authority, stranger)))
    assert_refused(server, worker_at(amqps(server.port), AMQP_CA_FILE=authority.path), words)


def test_the_systems_certificates_are_trusted_when_none_are_named(authority, fake, bridge_at):
    """Ours is not among them."""
    bridge = bridge_at(amqps(fake(serving(authority.issue("unnamed"))).port))
    servers.wait_until(lambda: "set AMQP_CA_FILE" in bridge.stderr, lambda: bridge.stderr[-2000:])


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_an_old_version_of_tls_is_refused(authority, fake, bridge_at):
    context = serving(authority.issue("ancient"))
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    bridge = bridge_at(amqps(fake(context).port), AMQP_CA_FILE=authority.path)
    servers.wait_until(lambda: "TLS connection broke" in bridge.stderr, lambda: bridge.stderr[-2000:])


def test_tls_to_the_plain_port_is_told_so(broker, authority, bridge_at):
    bridge = bridge_at(amqps(broker.port), AMQP_CA_FILE=authority.path)
    servers.wait_until(lambda: "no TLS is spoken there" in bridge.stderr, lambda: bridge.stderr[-2000:])
    send(bridge)


def test_plain_words_to_the_tls_port_are_told_so(broker, bridge_at):
    bridge = bridge_at(f"amqp://guest:guest@127.0.0.1:{broker.tls_port}/%2f")
    servers.wait_until(lambda: "amqps://" in bridge.stderr, lambda: bridge.stderr[-2000:])
    send(bridge)
    assert bridge.running()


class Terminator:
    """TLS in front of a plain port; asks for a client's certificate."""

    def __init__(self, authority, target_port):
        self.context = serving(authority.issue("terminator"))
        self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.load_verify_locations(authority.path)
        self.target_port = target_port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                one, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(one,), daemon=True).start()

    def _serve(self, one):
        with contextlib.suppress(OSError), self.context.wrap_socket(one, server_side=True) as tls, \
                socket.create_connection(("127.0.0.1", self.target_port)) as plain:
            other = {tls: plain, plain: tls}
            # In one thread: two must not use a TLS connection at once.
            while True:
                ready = [tls] if tls.pending() else select.select([tls, plain], [], [])[0]
                for one in ready:
                    data = one.recv(65536)
                    if not data:
                        return
                    other[one].sendall(data)

    def close(self):
        self.listener.close()


@pytest.fixture
def terminator(broker, authority):
    between = Terminator(authority, broker.port)
    try:
        yield between
    finally:
        between.close()


def test_a_broker_that_asks_for_a_certificate_is_shown_ours(authority, terminator, broker_queues, bridge_at):
    bridge = bridge_at(amqps(terminator.port), AMQP_CA_FILE=authority.path, AMQP_CERT_FILE=authority.issue("client"))
    wait_connected(bridge)
    send(bridge)
    broker_queues.take("AMQP_QUEUE", 1)


def test_a_broker_that_misses_our_certificate_is_told_of(authority, terminator, bridge_at):
    bridge = bridge_at(amqps(terminator.port), AMQP_CA_FILE=authority.path)
    servers.wait_until(lambda: "set AMQP_CERT_FILE" in bridge.stderr, lambda: bridge.stderr[-2000:])
    send(bridge)


# ---- settings ----

PROGRAMS = {"bridge/dropbridge": {"WEBHOOK_SECRET": "w", "CALLBACK_SECRET": "c"}, "workers/dropworker": {}}


@pytest.mark.parametrize("binary", PROGRAMS)
@pytest.mark.parametrize("name", ["AMQP_CA_FILE", "AMQP_CERT_FILE"])
def test_a_file_that_is_no_use_exits_78(binary, name, tmp_path):
    (tmp_path / "empty.pem").write_text("")
    for path in (tmp_path / "absent.pem", tmp_path / "empty.pem"):
        status, out, err = servers.run_program(binary, ["--check-config"], {
            **PROGRAMS[binary], "AMQP_URL": "amqps://h/", name: path})
        assert status == 78 and f"{name} names {path}" in out + err


@pytest.mark.parametrize("binary", PROGRAMS)
def test_files_that_no_url_uses_are_warned_of(binary, authority):
    status, out, err = servers.run_program(binary, ["--check-config"], {
        **PROGRAMS[binary], "AMQP_CA_FILE": authority.path, "AMQP_CERT_FILE": authority.issue("unused")})
    assert status == 0
    assert "AMQP_CA_FILE is not used" in out + err and "AMQP_CERT_FILE is not used" in out + err
