"""Queues, bindings and brokers that change under a running bridge: nothing is lost, and it mends what it can."""

import concurrent.futures
import contextlib
import json
import os
import signal
import socket
import threading
import time

import pika
import pytest
import servers
import wire

# INTERFACE: 200 or a refusal within 4 s of the last byte of the body.
ANSWER_SECONDS = 4
# A topology check every 10 s.
NOTICED_SECONDS = 15
BODY = b'{"type":"message.delivered","data":{"message_id":"m-1"}}'


@pytest.fixture(scope="module")
def rabbitmq(tmp_path_factory):
    """A broker of this module's own: it is stopped, and its user changed."""
    broker = servers.RabbitMQ(tmp_path_factory.mktemp("rabbitmq"))
    try:
        yield broker.start()
    finally:
        broker.stop()


class Sender:
    """Posts events with an id each and keeps a log: [(id, status, begun, seconds)]."""

    def __init__(self, bridge):
        self.bridge = bridge
        self.log = []
        self._arrived = set()
        self._lock = threading.Lock()
        self._next = 0
        self._stop = threading.Event()
        self._threads = []

    def send(self, connection=None):
        with self._lock:
            self._next += 1
            name = f"m-{self._next}"
        body = json.dumps({"type": "message.delivered", "data": {"message_id": name}}).encode()
        port = self.bridge.port
        begun = time.monotonic()
        status = wire.post(port, wire.WEBHOOK, body, wire.guide(body), connection).status
        with self._lock:
            self.log.append((name, status, begun, time.monotonic() - begun))
        return status

    def start(self, threads=1, pause=0.005):
        def run():
            connection = wire.connect(self.bridge.port)
            while not self._stop.is_set():
                self.send(connection)
                time.sleep(pause)
            connection.close()

        self._threads = [threading.Thread(target=run) for _ in range(threads)]
        for thread in self._threads:
            thread.start()
        return self

    def stop(self):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()

    @property
    def acknowledged(self):
        return {name for name, status, _, _ in self.log if status == 200}

    @property
    def slowest(self):
        return max(seconds for _, _, _, seconds in self.log)

    def assert_all_acknowledged(self):
        refused = [one for one in self.log if one[1] != 200]
        assert not refused, f"{len(refused)} of {len(self.log)}: {refused[:3]}\n{self.bridge.stderr[-2000:]}"

    def assert_all_arrive(self, rabbitmq, queue):
        """Takes from the queue until it has given all that was acknowledged, in this call or another."""
        missing = self.acknowledged - self._arrived
        with contextlib.closing(rabbitmq.connect()) as connection:
            channel = connection.channel()
            end = time.monotonic() + servers.HANG_GUARD_S
            for method, _, body in channel.consume(queue, auto_ack=True, inactivity_timeout=0.1):
                if method is not None:
                    self._arrived.add(json.loads(body)["data"]["message_id"])
                    missing.discard(json.loads(body)["data"]["message_id"])
                if not missing or time.monotonic() > end:
                    break
            assert not missing, f"{len(missing)} missing: {sorted(missing)[:5]}"
        servers.wait_until(lambda: self.bridge.spooled() == 0, lambda: self.bridge.stderr[-2000:])
        self.bridge.assert_identities()


def routes(rabbitmq, names, queue="AMQP_QUEUE", exchange="AMQP_EXCHANGE"):
    """Whether a message to the exchange reaches a queue; what it publishes it takes away."""
    with contextlib.closing(rabbitmq.connect()) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        try:
            channel.basic_publish(names[exchange], names[queue], b"probe", mandatory=True)
            channel.queue_purge(names[queue])
        except pika.exceptions.AMQPError:
            return False
        return True


def readyz_problem(bridge):
    return bridge.readyz()[1].get("broker_problem", "")


UNBIND_SECONDS = 2  # of events that all arrive: the topology check has bound the queue before one came back


def lose_one(bridge, queues, names):
    """Unbinds the queue, until a message comes back and a new connection has bound it again."""
    before = bridge.metrics()
    unbound_at = -UNBIND_SECONDS * servers.PATIENCE

    def comes_back():
        nonlocal unbound_at
        if time.monotonic() - unbound_at > UNBIND_SECONDS * servers.PATIENCE:
            unbound_at = time.monotonic()
            queues.channel.queue_unbind(names["AMQP_QUEUE"], names["AMQP_EXCHANGE"], names["AMQP_QUEUE"])
        return bridge.metrics()["dropbridge_returned_total"] > before["dropbridge_returned_total"]

    def bound_again():
        now = bridge.metrics()
        return (now["dropbridge_reconnects_total"] > before["dropbridge_reconnects_total"]
                and now["dropbridge_publishers_connected"] == 1)

    servers.wait_until(comes_back, "one comes back")
    servers.wait_until(bound_again, "bound again")


def test_events_flow_while_the_queue_is_unbound(start_bridge, queues, names, rabbitmq):
    bridge = start_bridge()
    with Sender(bridge) as sender:
        servers.wait_until(lambda: len(sender.log) > 50)
        for _ in range(3):
            lose_one(bridge, queues, names)
            seen = len(sender.log)
            servers.wait_until(lambda: len(sender.log) > seen + 20)
    sender.assert_all_acknowledged()
    assert sender.slowest < ANSWER_SECONDS * servers.PATIENCE
    sender.assert_all_arrive(rabbitmq, names["AMQP_QUEUE"])


@pytest.mark.parametrize("lost", ["queue", "binding", "exchange", "rejected queue", "rejected exchange"])
def test_an_idle_bridge_declares_again_what_was_lost(start_bridge, queues, names, rabbitmq, lost):
    start_bridge()
    rejected = lost.startswith("rejected")
    queue, exchange = ("AMQP_REJECTED_QUEUE",) * 2 if rejected else ("AMQP_QUEUE", "AMQP_EXCHANGE")
    if lost.endswith("queue"):
        queues.channel.queue_delete(names[queue])
    elif lost.endswith("exchange"):
        queues.channel.exchange_delete(names[exchange])
    else:
        queues.channel.queue_unbind(names[queue], names[exchange], names[queue])
    assert not routes(rabbitmq, names, queue, exchange)
    servers.wait_until(lambda: routes(rabbitmq, names, queue, exchange), f"the {lost} is there again")


def test_a_queue_of_another_kind_shuts_the_publishers_until_it_is_gone(start_bridge, queues, names, rabbitmq):
    bridge = start_bridge()
    queue = names["AMQP_QUEUE"]
    queues.channel.queue_delete(queue)
    queues.channel.queue_declare(queue, durable=True)
    queues.channel.queue_bind(queue, names["AMQP_EXCHANGE"], queue)
    servers.wait_until(
        lambda: bridge.publishers_connected() == 0, lambda: bridge.stderr[-2000:])
    problem = readyz_problem(bridge)
    assert queue in problem and "delete that queue" in problem
    sender = Sender(bridge)
    for _ in range(20):
        sender.send()
    sender.assert_all_acknowledged()
    assert sender.slowest < 1 * servers.PATIENCE
    assert queues.depth("AMQP_QUEUE") == 0, "nothing is published into it"
    servers.wait_until(lambda: "nothing is published" in bridge.stderr, lambda: bridge.stderr[-2000:])
    told = [line for line in bridge.stderr.splitlines() if "nothing is published" in line]
    assert len(told) == 1 and queue in told[0]
    queues.channel.queue_delete(queue)
    servers.wait_until(
        lambda: bridge.publishers_connected() == 1, lambda: bridge.stderr[-2000:])
    servers.wait_until(lambda: not readyz_problem(bridge), bridge.readyz)
    servers.wait_until(lambda: "as they must be again" in bridge.stderr, lambda: bridge.stderr[-2000:])
    sender.assert_all_arrive(rabbitmq, queue)


def test_a_connection_lost_while_the_queue_is_of_another_kind_is_opened_when_it_is_gone(
        start_bridge, queues, names, rabbitmq, proxy):
    bridge = start_bridge(AMQP_URL=f"amqp://guest:guest@127.0.0.1:{proxy.port}/%2f")
    queue = names["AMQP_QUEUE"]
    queues.channel.queue_delete(queue)
    queues.channel.queue_declare(queue, durable=True)
    proxy.cut()
    proxy.restore()
    servers.wait_until(lambda: "PRECONDITION_FAILED" in readyz_problem(bridge), lambda: bridge.stderr[-2000:])
    sender = Sender(bridge)
    for _ in range(5):
        sender.send()
    sender.assert_all_acknowledged()
    queues.channel.queue_delete(queue)
    # Not by routes(): it would empty the queue of what the spool has published by then.
    servers.wait_until(
        lambda: bridge.publishers_connected() == 1, lambda: bridge.stderr[-2000:])
    sender.assert_all_arrive(rabbitmq, queue)
    # Tried again every few seconds, said once.
    assert bridge.stderr.count("PRECONDITION_FAILED") == 1


@pytest.mark.parametrize("mended_by", ["taking messages out", "taking the limit away"])
def test_what_a_full_queue_refuses_arrives_later(start_bridge, queues, names, rabbitmq, mended_by):
    bridge = start_bridge()
    policy = names["AMQP_QUEUE"]
    rabbitmq.control("set_policy", policy, f"^{policy}$", '{"max-length":20}', "--apply-to", "queues")
    sender = Sender(bridge)
    try:
        for _ in range(60):
            sender.send()
        # The queue hears of its policy a moment later.
        servers.wait_until(lambda: sender.send() and bridge.metrics()["dropbridge_nacked_total"] > 0)
        sender.assert_all_acknowledged()
        assert sender.slowest < 1 * servers.PATIENCE
        if mended_by == "taking messages out":
            sender.assert_all_arrive(rabbitmq, policy)
    finally:
        rabbitmq.control("clear_policy", policy)
    sender.assert_all_arrive(rabbitmq, policy)


@contextlib.contextmanager
def largest_message(rabbitmq, size):
    """The broker takes no body above it."""
    usual = 134217728

    def limit(bytes_):
        rabbitmq.control("eval", f"application:set_env(rabbit, max_message_size, {bytes_}), "
                                 f"persistent_term:put(max_message_size, {bytes_}).")

    limit(size)
    try:
        yield
    finally:
        limit(usual)


@pytest.mark.parametrize("publishers", [1, 4])
def test_a_message_above_the_brokers_limit_costs_no_connection_and_is_kept(
        start_bridge, programs, queues, names, rabbitmq, publishers):
    large = json.dumps({"type": "message.delivered", "data": {"message_id": "m-large", "note": "x" * 20000}}).encode()
    with largest_message(rabbitmq, 5000):
        bridge = start_bridge(AMQP_PUBLISHERS=publishers, options={"name": "first"})
        with Sender(bridge) as sender:
            servers.wait_until(lambda: len(sender.log) > 50)
            assert wire.post(bridge.port, wire.WEBHOOK, large, wire.guide(large)).status == 200
            servers.wait_until(lambda: "held back" in bridge.readyz()[1].get("spool_problem", ""), lambda: bridge.stderr[-2000:])
            seen = len(sender.log)
            servers.wait_until(lambda: len(sender.log) > seen + 100)
        sender.assert_all_acknowledged()
        assert sender.slowest < 1 * servers.PATIENCE
        ready = bridge.readyz()[1]
        assert ready["broker"] == "connected" and f"({len(large)} bytes)" in ready["spool_problem"]
        servers.wait_until(lambda: bridge.spooled() == 1, "the others of the spool were published")
        assert bridge.metrics()["dropbridge_reconnects_total"] == 0, bridge.stderr[-2000:]
        assert bridge.stderr.count("is held back") == 1
        # Once for each publisher, at the most: then it knows.
        assert 1 <= bridge.stderr.count("max size 5000") <= publishers
        bridge.finish()
    again = start_bridge(AMQP_PUBLISHERS=publishers, SPOOL_PATH=bridge.settings["SPOOL_PATH"], options={"name": "second"})
    servers.wait_until(lambda: again.spooled() == 0, lambda: again.stderr[-2000:])
    bodies = [body for _, body in queues.take_all("AMQP_QUEUE")]
    assert bodies.count(large) == 1 and len(set(bodies)) == len(sender.acknowledged) + 1


def test_any_number_of_messages_above_the_brokers_limit_hold_up_nobody(start_bridge, queues, names, rabbitmq, proxy):
    count = 80  # more than suspect_rows.h has places for
    bridge = start_bridge(AMQP_URL=proxy.url)
    large = [json.dumps({"type": "message.delivered", "data": {"message_id": f"l-{number}", "note": "x" * 8000}}).encode()
             for number in range(count)]
    sender = Sender(bridge)

    def send_while_away(bodies):
        proxy.cut()
        servers.wait_until(lambda: bridge.readyz()[1]["broker"] == "away", lambda: f"away: {bridge.readyz()}")
        for body in bodies:
            assert wire.post(bridge.port, wire.WEBHOOK, body, wire.guide(body)).status == 200
        assert sender.send() == 200
        proxy.restore()
        servers.wait_until(lambda: bridge.readyz()[1]["broker"] == "connected", lambda: bridge.stderr[-2000:])

    with largest_message(rabbitmq, 5000):
        for bodies in (large, []):
            send_while_away(bodies)
            servers.wait_until(lambda: bridge.spooled() == count, lambda: f"{bridge.readyz()} {bridge.stderr[-2000:]}")
        problem = bridge.readyz()[1]["spool_problem"]
        assert "max_message_size" in problem and f"({len(large[0])} bytes)" in problem
        assert bridge.stderr.count("is held back") == 1
        assert bridge.stderr.count("max size 5000") <= 2, "once for each connection: then it is known"
    send_while_away([])  # a new connection asks afresh
    servers.wait_until(lambda: bridge.spooled() == 0, lambda: bridge.stderr[-2000:])
    servers.wait_until(lambda: "spool_problem" not in bridge.readyz()[1], bridge.readyz)
    bodies = [body for _, body in queues.take_all("AMQP_QUEUE")]
    assert set(large) < set(bodies) and len(set(bodies)) == count + len(sender.acknowledged) == count + 3
    bridge.assert_identities()


def test_a_full_rejected_queue_interrupts_no_event(start_bridge, queues, names, rabbitmq):
    bridge = start_bridge(LOG_LEVEL="debug")
    policy = names["AMQP_REJECTED_QUEUE"]
    poison = [b"no json %d" % number for number in range(12)]
    rabbitmq.control("set_policy", policy, f"^{policy}$", '{"max-length":1,"overflow":"reject-publish"}',
                     "--apply-to", "queues")

    def reject(body):
        assert wire.post(bridge.port, wire.WEBHOOK, body, wire.guide(body)).status == 400

    def nacked():
        """The queue hears of its policy a moment later."""
        if bridge.metrics()["dropbridge_nacked_total"] > 0:
            return True
        poison.append(b"no json %d" % len(poison))
        reject(poison[-1])
        return False

    try:
        with Sender(bridge) as sender:
            for body in poison:
                reject(body)
            servers.wait_until(nacked, lambda: f"{bridge.metrics()}")
            servers.wait_until(lambda: "AMQP_REJECTED_QUEUE" in readyz_problem(bridge), lambda: bridge.stderr[-2000:])
            status, ready = bridge.readyz()
            assert status == 200 and ready["broker"] == "connected" and ready["spool_waiting"] > 0
            servers.wait_until(lambda: "afresh, by a new channel" in bridge.stderr, lambda: bridge.stderr[-2000:])
            seen = len(sender.log)
            servers.wait_until(lambda: len(sender.log) > seen + 100)
        sender.assert_all_acknowledged()
        assert sender.slowest < 1 * servers.PATIENCE
        assert bridge.metrics()["dropbridge_reconnects_total"] == 0, bridge.stderr[-2000:]
        assert bridge.accepted("broker") >= len(sender.log), "every event"
        assert bridge.stderr.count(f"is {policy} full") == 1 and "refuses events" not in bridge.stderr
    finally:
        rabbitmq.control("clear_policy", policy)
    rejected = queues.take("AMQP_REJECTED_QUEUE", len(poison), 60)
    assert {body for _, body in rejected} == set(poison)
    sender.assert_all_arrive(rabbitmq, names["AMQP_QUEUE"])
    servers.wait_until(lambda: not readyz_problem(bridge), bridge.readyz)
    again = "takes messages to the rejected queue again"
    servers.wait_until(lambda: again in bridge.stderr, lambda: bridge.stderr[-2000:])
    assert bridge.stderr.count(again) == 1


def test_a_full_queue_behind_a_broken_spool_is_ready_again_though_nobody_sends(
        start_bridge, queues, names, rabbitmq, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    bridge = start_bridge(SPOOL_PATH=folder / "spool.db")
    folder.rename(tmp_path / "elsewhere")
    servers.wait_until(lambda: bridge.readyz()[1]["spool"] == "failed", lambda: f"{bridge.readyz()}")
    policy = names["AMQP_QUEUE"]
    rabbitmq.control("set_policy", policy, f"^{policy}$", '{"max-length":3}', "--apply-to", "queues")

    def post():
        return wire.post(bridge.port, wire.WEBHOOK, BODY, wire.guide(BODY)).status

    def ready():
        return bridge.readyz()[0] == 200

    def refused():
        return post() == 503 and not ready()

    try:
        servers.wait_until(refused, lambda: f"{bridge.readyz()}")
        assert bridge.readyz()[1]["broker"] == "refusing"
        servers.wait_until(ready, "what was said 12 s ago is not believed any more")
        assert post() == 503
        servers.wait_until(lambda: not ready(), "the first that is refused is enough then")
        queues.channel.queue_purge(policy)
        servers.wait_until(ready, "ready again")
        assert post() == 200
    finally:
        rabbitmq.control("clear_policy", policy)
    servers.wait_until(lambda: bridge.readyz()[1]["broker"] == "connected", lambda: f"{bridge.readyz()}")
    servers.wait_until(lambda: "takes events again" in bridge.stderr, lambda: bridge.stderr[-2000:])
    assert bridge.stderr.count("refuses events") == bridge.stderr.count("takes events again") == 1


def test_a_full_queue_behind_a_full_spool_is_not_ready_and_says_so(start_bridge, queues, names, rabbitmq):
    bridge = start_bridge(SPOOL_MAX_BYTES=1048576, LOG_LEVEL="debug")
    policy = names["AMQP_QUEUE"]
    rabbitmq.control("set_policy", policy, f"^{policy}$", '{"max-length":5}', "--apply-to", "queues")

    def post(padding=0):
        body = json.dumps({"type": "message.delivered", "data": {"message_id": "m-1", "note": "x" * padding}}).encode()
        return wire.post(bridge.port, wire.WEBHOOK, body, wire.guide(body)).status

    def nothing_is_taken():
        """The queue may take one more by each new channel, and the spool have room then."""
        taken = post() == 200
        status, ready = bridge.readyz()
        full = not taken and status == 503 and ready["broker"] == "refusing" and ready["spool"] == "full"
        return ready if full else None

    try:
        for padding in (100000, 5000, 500):
            servers.wait_until(lambda padding=padding: post(padding) == 503, "both are full")
        servers.wait_until(nothing_is_taken, lambda: f"{bridge.readyz()} {bridge.stderr[-2000:]}")
        servers.wait_until(lambda: "afresh, by a new channel" in bridge.stderr, "a new channel")
        ready = servers.wait_until(nothing_is_taken, lambda: f"{bridge.readyz()} {bridge.stderr[-2000:]}")
        assert "max-length" in ready["broker_problem"] and "bring" not in ready["spool_problem"]
    finally:
        rabbitmq.control("clear_policy", policy)
    servers.wait_until(lambda: bridge.readyz()[1]["broker"] == "connected", bridge.readyz)
    servers.wait_until(lambda: bridge.spooled() == 0, lambda: bridge.stderr[-2000:])
    assert bridge.readyz()[0] == 200 and post() == 200
    servers.wait_until(lambda: bridge.stderr.count("refuses events") == bridge.stderr.count("takes events again"), lambda: bridge.stderr[-2000:])
    assert bridge.stderr.count("refuses events") <= 2, "not for each new channel"
    assert bridge.metrics()["dropbridge_reconnects_total"] == 0, "asking afresh interrupts nothing"
    bridge.assert_identities()


def test_a_user_that_is_refused_while_running_is_told_and_waited_for(start_bridge, queues, names, rabbitmq, proxy):
    rabbitmq.control("add_user", "courier", "first")
    rabbitmq.control("set_permissions", "courier", ".*", ".*", ".*")
    try:
        bridge = start_bridge(AMQP_URL=f"amqp://courier:first@127.0.0.1:{proxy.port}/%2f")
        rabbitmq.control("change_password", "courier", "second")
        sender = Sender(bridge)
        sender.send()
        assert bridge.metrics()["dropbridge_publishers_connected"] == 1, "a connection that is open goes on"
        proxy.cut()
        proxy.restore()
        servers.wait_until(lambda: "ACCESS_REFUSED" in readyz_problem(bridge), lambda: bridge.stderr[-2000:])
        for _ in range(5):
            sender.send()
        sender.assert_all_acknowledged()
        assert bridge.running() and bridge.stderr.count("ACCESS_REFUSED") <= 2
        assert "first" not in bridge.stderr
        rabbitmq.control("change_password", "courier", "first")
        servers.wait_until(lambda: not readyz_problem(bridge), lambda: bridge.stderr[-2000:])
        sender.assert_all_arrive(rabbitmq, names["AMQP_QUEUE"])
    finally:
        rabbitmq.control("delete_user", "courier")


@pytest.fixture
def mute():
    """The port of a host that accepts connections and never says a word."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield listener.getsockname()[1]


def test_a_broker_that_accepts_and_never_speaks_is_not_waited_for(start_bridge, mute):
    bridge = start_bridge(broker="away", AMQP_URL=f"amqp://guest:guest@127.0.0.1:{mute}/%2f")
    sender = Sender(bridge)
    for _ in range(20):
        sender.send()
    sender.assert_all_acknowledged()
    assert sender.slowest < 1 * servers.PATIENCE
    # It listens before the first attempt to connect has failed.
    servers.wait_until(lambda: str(mute) in bridge.readyz()[1]["broker_problem"])
    status, ready = bridge.readyz()
    assert status == 200 and ready["broker"] == "away"
    start = time.monotonic()
    assert bridge.finish() == 0
    assert time.monotonic() - start < 10 * servers.PATIENCE


def test_the_next_host_is_tried_when_the_first_never_speaks(start_bridge, queues, names, rabbitmq, proxy, mute):
    start = time.monotonic()
    bridge = start_bridge(
        AMQP_URL=f"amqp://guest:guest@127.0.0.1:{mute}/%2f,amqp://guest:guest@127.0.0.1:{proxy.port}/%2f")
    sender = Sender(bridge)

    def connected():
        return bridge.metrics()["dropbridge_publishers_connected"] == 1

    servers.wait_until(connected, lambda: bridge.stderr[-2000:])
    assert time.monotonic() - start < 9 * servers.PATIENCE
    for _ in range(2):
        proxy.cut()
        servers.wait_until(lambda: not connected())
        sender.send()
        proxy.restore()
        servers.wait_until(connected, lambda: bridge.stderr[-2000:])
        sender.send()
    sender.assert_all_acknowledged()
    sender.assert_all_arrive(rabbitmq, names["AMQP_QUEUE"])


@pytest.mark.parametrize("publishers", [1, 2])
def test_a_stopped_broker_costs_one_confirm_timeout_of_waiting(start_bridge, queues, names, rabbitmq, publishers):
    timeout = 2.5  # a busy machine or disk makes no request wait as long
    bridge = start_bridge(CONFIRM_TIMEOUT_MS=int(timeout * 1000), AMQP_PUBLISHERS=publishers)
    sender = Sender(bridge)
    sender.start(threads=16, pause=0.02)
    try:
        servers.wait_until(lambda: len(sender.log) > 200)
        stopped_at = time.monotonic()
        os.kill(rabbitmq.vm_pid(), signal.SIGSTOP)
        try:
            time.sleep(9)
        finally:
            os.kill(rabbitmq.vm_pid(), signal.SIGCONT)
        servers.wait_until(
            lambda: bridge.publishers_connected() == publishers, lambda: bridge.stderr[-2000:])
        seen = len(sender.log)
        servers.wait_until(lambda: len(sender.log) > seen + 100)
    finally:
        sender.stop()
    sender.assert_all_acknowledged()
    assert sender.slowest < ANSWER_SECONDS * servers.PATIENCE
    # Those that waited out the broker's time, whatever the machine's speed.
    slow = [begun - stopped_at for _, _, begun, seconds in sender.log if seconds > 0.9 * timeout]
    assert 1 <= len(slow) <= 16, f"each of the sixteen waits once; begun after the stop: {sorted(slow)}"
    assert max(slow) < timeout
    while_stopped = [one for one in sender.log if stopped_at + timeout < one[2] < stopped_at + 9]
    assert len(while_stopped) > 100, "the service goes on meanwhile"
    assert f"has not confirmed a message for {int(timeout * 1000)} ms" in bridge.stderr
    sender.assert_all_arrive(rabbitmq, names["AMQP_QUEUE"])


def test_a_short_pause_of_the_broker_ends_without_another_connection(start_bridge, queues, names, rabbitmq):
    bridge = start_bridge(CONFIRM_TIMEOUT_MS=500)
    with Sender(bridge) as sender:
        servers.wait_until(lambda: len(sender.log) > 50)
        os.kill(rabbitmq.vm_pid(), signal.SIGSTOP)
        try:
            servers.wait_until(lambda: "nobody waits for it" in bridge.stderr, lambda: bridge.stderr[-2000:])
        finally:
            os.kill(rabbitmq.vm_pid(), signal.SIGCONT)
        servers.wait_until(lambda: "confirms again" in bridge.stderr, lambda: bridge.stderr[-2000:])
        accepted = bridge.metrics()['dropbridge_accepted_total{by="broker"}']
        servers.wait_until(lambda: bridge.metrics()['dropbridge_accepted_total{by="broker"}'] > accepted + 50)
    sender.assert_all_acknowledged()
    assert bridge.metrics()["dropbridge_reconnects_total"] == 0
    sender.assert_all_arrive(rabbitmq, names["AMQP_QUEUE"])


def test_a_stopped_broker_does_not_hold_up_a_stop(start_bridge, rabbitmq):
    bridge = start_bridge()
    os.kill(rabbitmq.vm_pid(), signal.SIGSTOP)
    try:
        sender = Sender(bridge)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            answer = pool.submit(sender.send)
            servers.wait_until(lambda: bridge.metrics()["dropbridge_published_total"] > 0)
            start = time.monotonic()
            assert bridge.finish() == 0
            assert time.monotonic() - start < 10 * servers.PATIENCE
            assert answer.result() == 200
    finally:
        os.kill(rabbitmq.vm_pid(), signal.SIGCONT)
