"""The public listener with TLS: what it serves, what it refuses, its deadlines, and a certificate that is renewed."""

import contextlib
import http.client
import os
import select
import shutil
import socket
import ssl
import time

import certificates
import conftest
import pytest
import servers
import wire

BODY = b'{"type":"message.delivered","data":{"message_id":"tls-1"}}'


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return certificates.Authority(tmp_path_factory.mktemp("tls") / "authority")


@pytest.fixture(scope="module")
def certificate(authority):
    return authority.issue("bridge")


class TlsStation(conftest.Station):
    """A bridge with TLS that many cases share."""

    def __init__(self, bridge, queues, authority):
        super().__init__(bridge, queues)
        self.context = trusting(authority)

    def connect(self, context=None):
        return connect(self.port, context or self.context)


@pytest.fixture(scope="module")
def tls_station(rabbitmq, tmp_path_factory, authority, certificate):
    own_names = conftest.queue_names(f"{os.getpid()}.tls.{next(conftest.NUMBERS)}")
    queues = conftest.Queues(rabbitmq, own_names)
    bridge = servers.Bridge(tmp_path_factory.mktemp("tls-station"), {
        "AMQP_URL": rabbitmq.url, **own_names, "LISTEN": "127.0.0.1:0s", "TLS_CERT_FILE": certificate,
        "BODY_TIMEOUT_MS": 1500})
    try:
        bridge.wait_ready()
        yield TlsStation(bridge, queues, authority)
        bridge.finish()
    finally:
        bridge.kill()
        queues.close()


def trusting(authority, version=None):
    context = ssl.create_default_context(cafile=authority.path)
    if version is not None:
        # What OpenSSL itself refuses at its usual level is offered here on purpose.
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = context.maximum_version = version
    return context


def connect(port, context):
    return http.client.HTTPSConnection("localhost", port, timeout=servers.HANG_GUARD_S, context=context)


def wrapped(port, context):
    """A socket with the handshake behind it."""
    plain = socket.create_connection(("127.0.0.1", port), servers.HANG_GUARD_S)
    return context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=True)


class TlsRaw(wire.Raw):
    """wire.Raw behind a handshake."""

    def __init__(self, port, context):
        self.socket = wrapped(port, context)
        self._reader = wire._KeptReader(socket.SocketIO(self.socket, "r"))


def post(port, context, body=BODY, **headers):
    with contextlib.closing(connect(port, context)) as connection:
        return wire.post(port, wire.WEBHOOK, body, {**wire.guide(body), **headers}, connection)


def request_bytes(body, *more):
    headers = [*wire.guide(body).items(), ("Content-Length", str(len(body))), *more]
    return wire.head("POST", wire.WEBHOOK, headers) + body


# ---- what it serves ----


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS 1.2", "TLS 1.3"])
def test_an_event_arrives_byte_for_byte(tls_station, authority, version):
    answer = post(tls_station.port, trusting(authority, version))
    assert (answer.status, answer.json) == (200, {"received": True})
    ((_, body),) = tls_station.queues.take("AMQP_QUEUE", 1)
    assert body == BODY


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1], ids=["TLS 1.0", "TLS 1.1"])
def test_an_older_version_is_refused(tls_station, authority, version):
    with pytest.raises((ssl.SSLError, ConnectionError)):
        post(tls_station.port, trusting(authority, version))


SUITES = {
    "with an RSA key": (certificates.RSA, {
        "ECDHE-RSA-AES128-GCM-SHA256": True, "ECDHE-RSA-CHACHA20-POLY1305": True,
        "AES128-GCM-SHA256": False, "AES256-SHA": False, "ECDHE-RSA-AES128-SHA256": False, "ECDHE-RSA-AES256-SHA": False}),
    "with an EC key": (certificates.EC, {
        "ECDHE-ECDSA-AES256-GCM-SHA384": True, "ECDHE-ECDSA-AES256-SHA384": False, "ECDHE-ECDSA-AES256-SHA": False}),
}


def agrees_on(port, authority, suite):
    context = trusting(authority, ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(suite)
    try:
        with wrapped(port, context):
            return True
    except (ssl.SSLError, ConnectionError):
        return False


@pytest.mark.parametrize("key", SUITES)
def test_tls_1_2_has_forward_secrecy_and_aead_only(start_bridge, authority, key):
    kind, suites = SUITES[key]
    bridge = start_bridge(LISTEN="127.0.0.1:0s", TLS_CERT_FILE=authority.issue(f"suites {kind[0]}", kind=kind))
    assert {suite: agrees_on(bridge.port, authority, suite) for suite in suites} == suites


def test_many_requests_share_one_connection(tls_station):
    with contextlib.closing(tls_station.connect()) as connection:
        for _ in range(50):
            answer = wire.post(tls_station.port, wire.WEBHOOK, BODY, wire.guide(BODY), connection)
            assert answer.status == 200 and not answer.closes
    tls_station.queues.take("AMQP_QUEUE", 50)


def test_requests_written_at_once_are_answered_one_by_one(tls_station):
    bodies = [b'{"type":"message.delivered","n":%d}' % n for n in range(5)]
    with TlsRaw(tls_station.port, tls_station.context) as raw:
        raw.send(b"".join(map(request_bytes, bodies)))
        assert [raw.answer().status for _ in bodies] == [200] * 5
    assert sorted(body for _, body in tls_station.queues.take("AMQP_QUEUE", 5)) == bodies


def test_a_large_body_arrives_whole(tls_station):
    body = b'{"type":"message.delivered","pad":"' + b"x" * 1000000 + b'"}'
    assert post(tls_station.port, tls_station.context, body).status == 200
    ((_, kept),) = tls_station.queues.take("AMQP_QUEUE", 1)
    assert kept == body


def test_too_large_a_body_is_told_so(tls_station):
    with TlsRaw(tls_station.port, tls_station.context) as raw:
        raw.send(request_bytes(b"x" * 1100000)[:200000])
        answer = raw.answer()
        assert (answer.status, answer.code, answer.closes) == (413, "payload_too_large", True)


def test_a_client_that_has_ended_its_side_is_answered(tls_station):
    """Without TLS's own word for an end (close_notify), as many clients do it."""
    with TlsRaw(tls_station.port, tls_station.context) as raw:
        raw.send(request_bytes(BODY))
        socket.socket.shutdown(raw.socket, socket.SHUT_WR)
        assert raw.answer().status == 200
    tls_station.queues.take("AMQP_QUEUE", 1)


def test_a_body_cut_short_is_not_taken(tls_station):
    with TlsRaw(tls_station.port, tls_station.context) as raw:
        raw.send(request_bytes(BODY)[:-5])
        socket.socket.shutdown(raw.socket, socket.SHUT_WR)
        answer = raw.answer()
        assert (answer.status, answer.code) == (400, "bad_request")
    assert tls_station.queues.depth("AMQP_QUEUE") == 0


def test_plain_http_at_the_port_gets_no_answer(tls_station):
    before = tls_station.bridge.metrics()["dropbridge_requests_total{code=\"received\"}"]
    with wire.Raw(tls_station.port) as raw:
        raw.send(request_bytes(BODY))
        with contextlib.suppress(ConnectionError):
            assert b"HTTP/1.1 200" not in raw.socket.recv(4096)
        assert raw.closed_by_peer()
    assert post(tls_station.port, tls_station.context).status == 200
    assert tls_station.bridge.metrics()["dropbridge_requests_total{code=\"received\"}"] == before + 1
    tls_station.queues.take("AMQP_QUEUE", 1)


# ---- deadlines ----


def test_a_body_that_stalls_is_told_so(tls_station):
    with TlsRaw(tls_station.port, tls_station.context) as raw:
        raw.send(request_bytes(BODY)[:-5])
        answer = raw.answer()
        assert (answer.status, answer.code, answer.closes) == (408, "body_timeout", True)


def test_a_body_in_drips_is_told_so_in_its_midst(tls_station):
    with TlsRaw(tls_station.port, tls_station.context) as raw:
        whole = request_bytes(BODY)
        raw.send(whole[: -len(BODY)])
        raw.socket.settimeout(0.1)
        answer = b""
        for byte in BODY[:-1]:
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                raw.socket.sendall(bytes([byte]))
            with contextlib.suppress(TimeoutError):
                answer = raw.socket.recv(4096)
                break
        assert b" 408 " in answer


HEADERS_SECONDS = 10  # for a handshake and the headers


def stall(stack, bridge, count):
    """Connections: every second one begins a handshake, the others say nothing."""
    stalled = [stack.enter_context(socket.create_connection(("127.0.0.1", bridge.port), servers.HANG_GUARD_S)) for _ in range(count)]
    for one in stalled[::2]:
        one.sendall(b"\x16\x03\x01\x02\x00\x01")
    return stalled


def test_handshakes_that_stall_hold_up_nobody(start_bridge, authority, certificate):
    bridge = start_bridge(LISTEN="127.0.0.1:0s", TLS_CERT_FILE=certificate, HTTP_THREADS=256)
    context = trusting(authority)

    def others_are_answered_before_they_end():
        """Begun afresh on a machine so busy that ten answers took longer than a handshake may."""
        with contextlib.ExitStack() as stack:
            stalled = stall(stack, bridge, 200)
            for _ in range(10):
                assert post(bridge.port, context).status == 200
            return not select.select(stalled, [], [], 0)[0]

    servers.wait_until(others_are_answered_before_they_end, lambda: bridge.stderr[-2000:])


def test_more_handshakes_that_stall_than_threads_hold_up_nobody(start_bridge, authority, certificate):
    bridge = start_bridge(LISTEN="127.0.0.1:0s", TLS_CERT_FILE=certificate, HTTP_THREADS=32)
    with contextlib.ExitStack() as stack:
        stall(stack, bridge, 96)
        for _ in range(10):
            assert post(bridge.port, trusting(authority)).status == 200
        assert bridge.metrics()['dropbridge_connections_closed_total{reason="threads_short"}'] > 0


@pytest.mark.timing
def test_handshakes_that_stall_are_ended_after_10_s(start_bridge, authority, certificate):
    bridge = start_bridge(LISTEN="127.0.0.1:0s", TLS_CERT_FILE=certificate)
    with contextlib.ExitStack() as stack:
        began = time.monotonic()
        for one in stall(stack, bridge, 20):
            with contextlib.suppress(ConnectionError):
                while one.recv(4096):
                    pass
        assert HEADERS_SECONDS - 1 < time.monotonic() - began < HEADERS_SECONDS + 2


def test_a_stop_does_not_wait_for_idle_connections_and_handshakes(start_bridge, authority, certificate):
    bridge = start_bridge(LISTEN="127.0.0.1:0s", TLS_CERT_FILE=certificate)
    with contextlib.ExitStack() as stack:
        stall(stack, bridge, 10)
        for _ in range(10):
            stack.enter_context(wrapped(bridge.port, trusting(authority)))
        assert bridge.finish() == 0
        assert bridge.stderr.endswith("stopped\n"), "it was not ended in the midst of it"


# ---- the certificate ----


def serial_of(tls_socket):
    return tls_socket.getpeercert()["serialNumber"]


def test_a_renewed_certificate_is_taken_and_connections_stay(start_bridge, authority, tmp_path):
    in_use = tmp_path / "in-use.pem"
    shutil.copy(authority.issue("first", until_days=20), in_use)
    bridge = start_bridge(LISTEN="127.0.0.1:0s", TLS_CERT_FILE=in_use)
    context = trusting(authority)

    def served():
        with wrapped(bridge.port, context) as one:
            return serial_of(one)

    with contextlib.closing(connect(bridge.port, context)) as kept:
        assert wire.post(bridge.port, wire.WEBHOOK, BODY, wire.guide(BODY), kept).status == 200
        old = serial_of(kept.sock)
        assert served() == old
        in_use.write_text("half of a")
        servers.wait_until(lambda: "stays in use" in bridge.stderr, lambda: bridge.stderr[-2000:])
        assert served() == old
        shutil.copy(authority.issue("second"), tmp_path / "new.pem")
        os.replace(tmp_path / "new.pem", in_use)
        servers.wait_until(lambda: served() != old, "the new certificate is served")
        servers.wait_until(lambda: "was renewed" in bridge.stderr, lambda: bridge.stderr[-2000:])
        assert wire.post(bridge.port, wire.WEBHOOK, BODY, wire.guide(BODY), kept).status == 200
        assert serial_of(kept.sock) == old


@pytest.mark.threads
def test_renewals_under_load_fail_no_request(start_bridge, authority, tmp_path):
    in_use = tmp_path / "in-use.pem"
    issued = [authority.issue(f"load-{number}") for number in range(2)]
    shutil.copy(issued[0], in_use)
    bridge = start_bridge(LISTEN="127.0.0.1:0s", TLS_CERT_FILE=in_use)
    context = trusting(authority)
    turn = 0

    def renewed():
        nonlocal turn
        turn += 1
        shutil.copy(issued[turn % 2], tmp_path / "new.pem")
        os.replace(tmp_path / "new.pem", in_use)
        for _ in range(10):
            assert post(bridge.port, context).status == 200
        return bridge.stderr.count("was renewed") >= 2

    servers.wait_until(renewed, lambda: bridge.stderr[-2000:])


def write(path, *parts):
    path.write_text("".join(part.read_text() for part in parts))
    return path


def encrypted(folder, crt, key):
    certificates.openssl("pkcs8", "-topk8", "-in", key, "-out", folder / "locked.key", "-passout", "pass:secret")
    return write(folder / "locked.pem", folder / "locked.key", crt)


# name, what makes the file of (folder, authority, key, certificate), words of the sentence
UNUSABLE = [
    ("no file", lambda folder, authority, key, crt: folder / "absent.pem", "cannot be read"),
    ("a folder", lambda folder, authority, key, crt: folder, "is no file"),
    ("an empty file", lambda folder, authority, key, crt: write(folder / "empty.pem"), "holds no certificate"),
    ("the key alone", lambda folder, authority, key, crt: key, "holds no certificate"),
    ("the certificate alone", lambda folder, authority, key, crt: crt, "holds no private key"),
    ("the key of another", lambda folder, authority, key, crt: write(folder / "o.pem", certificates.new_key(folder / "o.key"), crt),
     "does not belong"),
    ("the chain before the certificate", lambda folder, authority, key, crt: write(folder / "c.pem", key, authority.path, crt),
     "does not belong"),
    ("a key under a passphrase", lambda folder, authority, key, crt: encrypted(folder, crt, key), "under a passphrase"),
]


@pytest.mark.parametrize(("make", "words"), [case[1:] for case in UNUSABLE], ids=[case[0] for case in UNUSABLE])
@pytest.mark.parametrize("arguments", [["--check-config"], []], ids=["check", "start"])
def test_an_unusable_certificate_is_named_and_exits_78(tmp_path, authority, certificate, make, words, arguments):
    path = make(tmp_path, authority, certificate.with_suffix(".key"), certificate.with_suffix(".crt"))
    status, _, text = servers.run_program("bridge/dropbridge", arguments, {
        "WEBHOOK_SECRET": "w", "LISTEN": "127.0.0.1:0s", "TLS_CERT_FILE": path})
    assert status == 78
    assert "TLS_CERT_FILE names" in text and words in text, text


def check(**settings):
    status, _, text = servers.run_program("bridge/dropbridge", ["--check-config"], {
        "WEBHOOK_SECRET": "w", "CALLBACK_SECRET": "c", **settings})
    return status, text


def test_tls_without_a_certificate_exits_78():
    status, text = check(LISTEN="127.0.0.1:0s")
    assert status == 78 and "set TLS_CERT_FILE" in text


def test_a_certificate_without_tls_is_warned_of(certificate):
    status, text = check(LISTEN="127.0.0.1:0", TLS_CERT_FILE=certificate)
    assert status == 0 and "TLS_CERT_FILE is not used" in text


def test_a_good_certificate_needs_no_word(certificate):
    status, text = check(LISTEN="127.0.0.1:0s", TLS_CERT_FILE=certificate)
    assert (status, text) == (0, "")


@pytest.mark.parametrize(("days", "words"), [((-60, -1), "has expired"), ((-60, 10.5), "in 10 days"), ((5, 100), "is valid from")],
                         ids=["expired", "ends soon", "not valid yet"])
def test_a_certificate_of_another_time_is_warned_of_and_served(start_bridge, authority, days, words):
    path = authority.issue(f"of-{days[0]}-{days[1]}", from_days=days[0], until_days=days[1])
    bridge = start_bridge(LISTEN="127.0.0.1:0s", TLS_CERT_FILE=path)
    assert words in bridge.stderr
    context = trusting(authority)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    assert post(bridge.port, context).status == 200


def test_tls_without_its_libraries_exits_78(tmp_path, certificate):
    shutil.copy(servers.BUILD / "bridge/dropbridge", tmp_path / "dropbridge")
    status, _, text = servers.run_program(tmp_path / "dropbridge", ["--check-config"], {
        "WEBHOOK_SECRET": "w", "LISTEN": "127.0.0.1:0s", "TLS_CERT_FILE": certificate})
    assert status == 78 and "lib/dropbridge" in text, text
