"""rediss://: where hiredis has TLS the worker counts over it, trusts nobody without reason and keeps its deadlines; where it
has none (Debian 12), it says so. Which of the two this program is, it tells itself; scripts/build-debian13 runs the former
on a machine of the latter."""

import contextlib
import socket
import threading

import certificates
import pytest
import servers
from replication import standing_still
from tls_servers import REFUSED, Fake, serving
from waits import counted, publish, wait_counted, wait_not_ready, wait_ready, wait_settled

WORKER = "workers/dropworker"


def check_config(**settings):
    status, _, text = servers.run_program(WORKER, ["--check-config"], settings)
    return status, text


HAS_TLS = check_config(REDIS_URL="rediss://127.0.0.1/")[0] == 0


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return certificates.Authority(tmp_path_factory.mktemp("tls") / "authority")


@pytest.fixture(scope="module")
def stranger(tmp_path_factory):
    return certificates.Authority(tmp_path_factory.mktemp("tls") / "stranger", "of a stranger")


@pytest.fixture
def redis_server(tmp_path, authority):
    """One with a port for TLS beside its plain one, which is the test's. Asks for no certificate."""
    whole = authority.issue("redis")
    port = servers.free_port()
    server = servers.Redis(
        tmp_path / "redis", "--tls-port", port, "--tls-cert-file", whole.with_suffix(".crt"), "--tls-key-file",
        whole.with_suffix(".key"), "--tls-ca-cert-file", authority.path, "--tls-auth-clients", "no")
    server.tls_port = port
    try:
        yield server.start()
    finally:
        server.stop()


def rediss(port, host="localhost", login=""):
    return f"rediss://{login}{host}:{port}/0"


def wait_told(worker, *words):
    """All of them in one line of its log."""
    servers.wait_until(lambda: any(all(word in line for word in words) for line in worker.stderr.splitlines()),
                       lambda: worker.stderr[-3000:])
    assert worker.running()


@contextlib.contextmanager
def dripping():
    """A server that sends a long record of TLS, a byte now and then: each read gets something, the handshake no end."""
    listener = socket.create_server(("127.0.0.1", 0))
    ended = threading.Event()

    def drip(one):
        with contextlib.suppress(OSError), one:
            one.sendall(b"\x16\x03\x03\x3f\xff\x02")
            while not ended.wait(0.2):  # clock: the pace of the drips
                one.sendall(b"\x00")

    def run():
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=drip, args=(listener.accept()[0],), daemon=True).start()

    threading.Thread(target=run, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        ended.set()
        listener.close()


class TestEverywhere:
    def test_plain_words_to_the_tls_port_are_told_so(self, redis_server, start_worker):
        worker = start_worker(wait_ready=False, REDIS_URL=f"redis://127.0.0.1:{redis_server.tls_port}/0")
        wait_told(worker, "if TLS is spoken there: only rediss:// does that")

    def test_there_is_no_tls_with_sentinels(self):
        status, text = check_config(REDIS_URL="rediss-sentinel://:hidden-word@127.0.0.1/main/0")
        assert status == 78 and "REDIS_URL" in text and "no TLS with sentinels" in text and "hidden-word" not in text

    def test_files_that_are_not_used_are_told_so(self, authority):
        status, text = check_config(REDIS_URL="redis://127.0.0.1/", REDIS_CA_FILE=authority.path)
        assert status == 0 and "REDIS_CA_FILE is not used" in text

    @pytest.mark.parametrize("name", ["REDIS_CA_FILE", "REDIS_CERT_FILE"])
    def test_files_that_cannot_be_used_are_named(self, name, tmp_path):
        status, text = check_config(REDIS_URL="redis://127.0.0.1/", **{name: tmp_path / "nothing.pem"})
        assert status == 78 and f"{name} names {tmp_path}/nothing.pem" in text


class TestWithoutTls:
    __test__ = not HAS_TLS

    @pytest.mark.parametrize("arguments", [["--check-config"], []], ids=["check", "start"])
    @pytest.mark.parametrize("scheme", ["rediss", "REDISS"])
    def test_it_is_refused_with_what_to_do(self, authority, arguments, scheme):
        url = f"{scheme}://:hidden-word@127.0.0.1/0"
        status, _, text = servers.run_program(WORKER, arguments, {"REDIS_URL": url, "REDIS_CA_FILE": authority.path})
        assert status == 78 and "hidden-word" not in text and "not used" not in text
        assert all(words in text for words in ("REDIS_URL", "hiredis", "container image", "Debian 13", "tunnel")), text


class TestWithTls:
    __test__ = HAS_TLS

    # ---- through it ----

    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1"], ids=["by name", "by address"])
    def test_events_are_counted(self, redis_server, authority, start_worker, queues, host):
        """The script and the larger batches take many records."""
        workers = [start_worker(REDIS_URL=rediss(redis_server.tls_port, host), REDIS_CA_FILE=authority.path)
                   for _ in range(2)]
        assert f"connected to Redis at {host}:{redis_server.tls_port} over TLS, database 0" in workers[0].stderr
        publish(queues, 600)
        wait_counted(redis_server, workers[0], 600)
        clients = redis_server.client.client_list()
        assert {int(client["laddr"].rsplit(":", 1)[1]) for client in clients if client["cmd"] != "client|list"} == {
            redis_server.tls_port}
        for worker in workers:
            wait_ready(worker)

    def test_user_password_and_database_are_as_without(self, redis_server, authority, start_worker, queues):
        redis_server.client.execute_command("ACL", "SETUSER", "counter", "on", ">a word", "allkeys", "+@all")
        url = f"rediss://counter:a%20word@localhost:{redis_server.tls_port}/3"
        worker = start_worker(REDIS_URL=url, REDIS_CA_FILE=authority.path)
        publish(queues, 10)
        wait_settled(worker, queues)
        redis_server.client.execute_command("SELECT", 3)
        assert redis_server.client.execute_command("INFO", "keyspace")["db3"]["keys"] > 0

    def test_a_certificate_is_shown_to_who_asks(self, redis_server, authority, start_worker, queues):
        redis_server.client.config_set("tls-auth-clients", "yes")
        worker = start_worker(REDIS_URL=rediss(redis_server.tls_port), REDIS_CA_FILE=authority.path,
                              REDIS_CERT_FILE=authority.issue("worker"))
        publish(queues, 50)
        wait_counted(redis_server, worker, 50)

    @pytest.mark.parametrize("whose", ["none", "a stranger's"])
    def test_without_the_right_one_it_says_which_setting(self, redis_server, authority, stranger, start_worker, whose):
        redis_server.client.config_set("tls-auth-clients", "yes")
        shown = None if whose == "none" else stranger.issue("worker")
        worker = start_worker(wait_ready=False, REDIS_URL=rediss(redis_server.tls_port), REDIS_CA_FILE=authority.path,
                              REDIS_CERT_FILE=shown)
        wait_told(worker, "tls-auth-clients", "set REDIS_CERT_FILE")
        wait_not_ready(worker, "REDIS_CERT_FILE")

    # ---- away, slow, back ----

    def test_a_redis_that_is_killed_and_comes_back_has_each_event_once(self, redis_server, authority, start_worker, queues):
        workers = [start_worker(REDIS_URL=rediss(redis_server.tls_port), REDIS_CA_FILE=authority.path, BATCH_MAX=5)
                   for _ in range(2)]
        for step in range(3):
            publish(queues, 100)
            servers.wait_until(lambda: counted(redis_server) > 100 * step, lambda: workers[0].stderr[-2000:])  # noqa: B023
            redis_server.kill()
            publish(queues, 50)
            redis_server.start()
            publish(queues, 50)
            wait_counted(redis_server, workers[0], 200 * (step + 1))
        for worker in workers:
            wait_settled(worker, queues)

    def test_a_redis_that_stands_still_is_given_up_in_time(self, redis_server, authority, start_worker, queues):
        worker = start_worker(REDIS_URL=rediss(redis_server.tls_port), REDIS_CA_FILE=authority.path)
        publish(queues, 20)
        wait_counted(redis_server, worker, 20)
        with standing_still(redis_server):
            publish(queues, 20)
            wait_told(worker, "no answer in time")
            # Then it connects anew, and nobody shakes hands.
            wait_not_ready(worker, "handshake was not answered in time")
        wait_counted(redis_server, worker, 40)

    def test_replicas_are_waited_for_as_without(self, redis_server, authority, start_worker, queues, tmp_path):
        replica = servers.Redis(tmp_path / "replica", replica_of=redis_server)
        try:
            replica.start()
            worker = start_worker(REDIS_URL=rediss(redis_server.tls_port), REDIS_CA_FILE=authority.path,
                                  REDIS_WAIT_REPLICAS=1)
            publish(queues, 20)
            wait_counted(redis_server, worker, 20)
            wait_settled(worker, queues)
            with standing_still(replica):
                publish(queues, 20)
                wait_not_ready(worker, "0 of 1 replicas")
            wait_counted(redis_server, worker, 40)
            wait_settled(worker, queues)
        finally:
            replica.stop()

    @pytest.mark.parametrize("server", ["says nothing", "drips", "is the plain port"])
    def test_a_handshake_without_end_is_given_up_in_time(self, redis_server, authority, start_worker, server):
        with contextlib.closing(Fake(None)) as silent, dripping() as drips:
            port = {"says nothing": silent.port, "drips": drips, "is the plain port": redis_server.port}[server]
            worker = start_worker(wait_ready=False, REDIS_URL=rediss(port, "127.0.0.1"), REDIS_CA_FILE=authority.path)
            wait_told(worker, "connecting: the TLS handshake was not answered in time", "tls-port")
            wait_not_ready(worker, "tls-port")

    def test_another_protocol_is_told_so(self, authority, start_worker):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def serve():
                with contextlib.suppress(OSError):
                    while True:
                        one, _ = listener.accept()
                        with one:
                            one.sendall(b"-ERR unknown command\r\n")
                            one.recv(10000)

            threading.Thread(target=serve, daemon=True).start()
            worker = start_worker(wait_ready=False, REDIS_URL=rediss(listener.getsockname()[1]),
                                  REDIS_CA_FILE=authority.path)
            wait_told(worker, "no TLS is spoken there", "tls-port", "redis://")
            listener.shutdown(socket.SHUT_RDWR)

    # ---- whom it trusts ----

    @pytest.mark.parametrize(("case", "host", "words"), [
        (0, "localhost", ["signed by nobody trusted", "set REDIS_CA_FILE"]),
        (1, "localhost", ["is not for localhost", "REDIS_URL"]),
        (1, "127.0.0.1", ["is not for 127.0.0.1", "REDIS_URL"]),
        (2, "localhost", ["has expired", "renew it"]),
        (3, "localhost", ["is not valid yet"]),
    ], ids=lambda value: REFUSED[value][0] if isinstance(value, int) else value if isinstance(value, str) else "")
    def test_a_certificate_that_is_not_right_is_refused(self, authority, stranger, start_worker, case, host, words):
        with contextlib.closing(Fake(serving(REFUSED[case][1](authority, stranger)))) as server:
            worker = start_worker(wait_ready=False, REDIS_URL=rediss(server.port, host, login=":hidden-word@"),
                                  REDIS_CA_FILE=authority.path)
            wait_told(worker, f"Redis at {host}:{server.port}: connecting: its certificate", *words)
            wait_not_ready(worker, *words)
            assert "hidden-word" not in worker.stderr
            assert not hasattr(server, "said"), "nothing is said, no password above all, to who is not trusted"

    def test_the_systems_authorities_are_trusted_when_none_are_named(self, redis_server, start_worker):
        """Ours is not among them."""
        worker = start_worker(wait_ready=False, REDIS_URL=rediss(redis_server.tls_port))
        wait_told(worker, "signed by nobody trusted", "set REDIS_CA_FILE")

    def test_what_is_mended_needs_no_restart(self, redis_server, authority, stranger, start_worker, queues, tmp_path):
        trusted = tmp_path / "trusted.pem"
        trusted.write_bytes(stranger.path.read_bytes())
        worker = start_worker(wait_ready=False, REDIS_URL=rediss(redis_server.tls_port), REDIS_CA_FILE=trusted)
        wait_told(worker, "signed by nobody trusted")
        trusted.unlink()
        wait_not_ready(worker, f"REDIS_CA_FILE names {trusted}, which cannot be read")
        trusted.write_bytes(authority.path.read_bytes())
        wait_ready(worker)
        publish(queues, 10)
        wait_counted(redis_server, worker, 10)

    def test_an_old_version_of_tls_is_refused(self, redis_server, authority, start_worker):
        redis_server.client.config_set("tls-protocols", "TLSv1.1")
        redis_server.client.config_set("tls-ciphers", "ALL:@SECLEVEL=0")
        worker = start_worker(wait_ready=False, REDIS_URL=rediss(redis_server.tls_port), REDIS_CA_FILE=authority.path)
        wait_told(worker, "TLS connection broke", "protocol version")
