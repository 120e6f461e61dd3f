"""The load generator of scripts/bench: what it says that it sent is what is counted."""

import http.server
import json
import os
import sys
import threading
import types

import certificates
import pytest
import servers
from events import counters

sys.path.insert(0, str(servers.ROOT / "tests" / "bench"))

import load  # noqa: E402
import machine  # noqa: E402

EVENTS = 1000  # its mix: 860 delivered, 120 failed, 20 opted out


def run_load(bridge, *arguments):
    settings = {"WEBHOOK_SECRET": servers.WEBHOOK_SECRET}
    status, out, err = servers.run_program("tests/bench/load", ["--port", bridge.port, *arguments], settings)
    assert status == 0, err
    said, result = out.splitlines()
    assert said == "sending"
    return json.loads(result)


@pytest.mark.parametrize("rate, tls", [(0, False), (1000, False), (0, True)],
                         ids=["as fast as answers come", "at a given rate", "with TLS"])
def test_what_it_sends_is_counted(start_bridge, start_worker, redis_server, tmp_path, rate, tls):
    with_tls = {"LISTEN": "127.0.0.1:0s", "TLS_CERT_FILE": certificates.Authority(tmp_path / "authority").issue("bridge")} if tls else {}
    bridge = start_bridge(CONFIRM_TIMEOUT_MS=3000, **with_tls)
    start_worker()
    result = run_load(bridge, "--connections", 16, "--events", EVENTS, "--rate", rate, *["--tls"] * tls)
    assert (result["sent"], result["answered"], result["statuses"]) == (EVENTS, EVENTS, {"200": EVENTS})
    assert (result["broken"], result["timed_out"]) == (0, 0)
    latency = result["latency_us"]
    assert 0 < latency["p50"] <= latency["p99"] <= latency["max"]
    if rate:
        assert result["took_us"] >= (EVENTS - 1) / rate * 1e6
    client = redis_server.client
    servers.wait_until(lambda: counters(client).get("messages") == 980, lambda: counters(client))
    totals = counters(client)
    assert (totals["success"], totals["failure"]) == (860, 120)
    assert "duplicate" not in totals
    assert client.zcard("dc:campaigns") == 20


def test_a_rate_too_high_is_not_hidden_and_a_dead_bridge_is_told(start_bridge):
    bridge = start_bridge()
    # One connection cannot carry them: all of them are due within a fiftieth of a second.
    result = run_load(bridge, "--connections", 1, "--events", 200, "--rate", 10000)
    assert result["answered"] == 200
    # Counted from when they were due; a single answer takes less than a hundredth of that.
    assert result["latency_us"]["max"] > 0.7 * (result["took_us"] - 200 / 10000 * 1e6)
    assert result["latency_us"]["p50"] > result["took_us"] / 20
    port = bridge.port
    bridge.stop()
    status, _, err = servers.run_program("tests/bench/load", ["--port", port], {"WEBHOOK_SECRET": "x"})
    assert status == 69
    assert "connection 1 cannot be opened" in err


@pytest.mark.parametrize("threads, connections, kept", [
    pytest.param(64, 20, range(20, 21), id="all, where the bridge has threads for all"),
    pytest.param(8, 20, range(9), id="those that the bridge has not closed, and every event is answered"),
])
def test_connections_are_held_until_they_have_been_looked_at(start_bridge, threads, connections, kept):
    bridge = start_bridge(HTTP_THREADS=threads)
    sender = load.Load(servers.BUILD / "tests" / "bench" / "load")

    def settled():
        servers.wait_until(lambda: machine.established(bridge.port) in kept, lambda: machine.established(bridge.port))
        return True

    result = sender.run(bridge, {}, events=connections, connections=connections, while_held=settled)
    assert (result["good"], result["bad"], result["held"]) == (connections, 0, True)
    servers.wait_until(lambda: machine.established(bridge.port) == 0, lambda: machine.established(bridge.port))


def test_a_connection_that_was_closed_is_not_opened_again_for_nothing():
    class ClosesEach(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self):
            opened.append(self.client_address)
            super().setup()

        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            for name, value in (("Content-Length", "0"), ("Connection", "close")):
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_):
            pass

    opened = []
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), ClosesEach) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        sender = load.Load(servers.BUILD / "tests" / "bench" / "load")
        told = types.SimpleNamespace(port=server.server_port, pid=os.getpid())
        result = sender.run(told, {}, events=40, connections=40, while_held=lambda: True)
        server.shutdown()
    assert (result["good"], len(opened)) == (40, 40)
