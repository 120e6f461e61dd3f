"""Messages that come a third time: handled alone, marked while they are read, and rejected only when two workers have died
reading them. And what the broker does by itself to a consumer: it is said once, and the worker comes back."""

import select
import signal
import threading

import pytest
import servers
from events import callback, message
from waits import adds_up, counted, wait_counted, wait_metric, wait_said, wait_settled

MARKS = "dc:drops:marks:"


def declare(queues):
    """What a worker would declare, for a message that is there before it."""
    names = queues.names
    queues.channel.exchange_declare(names["AMQP_REJECTED_QUEUE"], "fanout", durable=True)
    queues.channel.queue_declare(names["AMQP_REJECTED_QUEUE"], durable=True, arguments={"x-queue-type": "quorum"})
    queues.channel.queue_bind(names["AMQP_REJECTED_QUEUE"], names["AMQP_REJECTED_QUEUE"])
    queues.channel.exchange_declare(names["AMQP_EXCHANGE"], "direct", durable=True)
    queues.channel.queue_declare(names["AMQP_QUEUE"], durable=True, arguments={
        "x-queue-type": "quorum", "x-overflow": "reject-publish", "x-dead-letter-exchange": names["AMQP_REJECTED_QUEUE"],
        "x-dead-letter-strategy": "at-least-once", "x-delivery-limit": 1000000})
    queues.channel.queue_bind(names["AMQP_QUEUE"], names["AMQP_EXCHANGE"], names["AMQP_QUEUE"])


def hand_back(queues, count, times=2):
    """Takes `count` messages and gives them back, `times` times: the next delivery is one more."""
    for _ in range(times):
        tags = []

        def take():
            method, _, _ = queues.channel.basic_get(queues.names["AMQP_QUEUE"])
            if method is not None:
                tags.append(method.delivery_tag)
            return len(tags) == count

        servers.wait_until(take, lambda: f"{len(tags)} of {count} messages")
        queues.channel.basic_nack(tags[-1], multiple=True, requeue=True)


def publish_one(queues, body=None, campaign="spring"):
    declare(queues)
    data, properties = message(callback() if body is None else body, campaign)
    queues.publish(data, properties)
    return data, properties


def marks(redis_server):
    return {key.decode(): redis_server.client.scard(key) for key in redis_server.client.keys(MARKS + "*")}


def wait_done(worker, queues, redis_server):
    """At rest: all acknowledged, every message became one thing, and no mark is left."""
    wait_metric(worker, "consumed_total", 1)
    wait_settled(worker, queues)
    servers.wait_until(lambda: marks(redis_server) == {}, lambda: f"{marks(redis_server)}\n{worker.stderr[-2000:]}")


def test_messages_that_come_a_third_time_are_counted_one_by_one_and_leave_no_mark(start_worker, queues, redis_server):
    for _ in range(10):
        publish_one(queues)
    hand_back(queues, 10)
    worker = start_worker()
    wait_counted(redis_server, worker, 10)
    wait_done(worker, queues, redis_server)
    assert worker.metrics()["dropworker_suspects_total"] == worker.metrics()["dropworker_batches_total"] == 10
    wait_said(worker, "handled alone")


def test_messages_that_come_a_second_time_are_handled_together(start_worker, queues, redis_server):
    for _ in range(10):
        publish_one(queues)
    hand_back(queues, 10, times=1)
    worker = start_worker()
    wait_counted(redis_server, worker, 10)
    assert worker.metrics()["dropworker_suspects_total"] == 0


def test_one_that_cannot_be_counted_is_rejected_for_that_and_leaves_no_mark(start_worker, queues, redis_server):
    publish_one(queues, b"broken")
    hand_back(queues, 1)
    worker = start_worker()
    ((kept, body),) = queues.take("AMQP_REJECTED_QUEUE", 1)
    assert body == b"broken" and kept.headers["x-reject-reason"] == "invalid_json"
    wait_done(worker, queues, redis_server)


def test_only_one_with_two_marks_is_rejected_byte_for_byte_and_its_neighbours_are_counted(start_worker, queues, redis_server):
    bodies = []
    for number in range(7):
        data, properties = publish_one(queues, callback())
        bodies.append(data)
        marked = {0: 1, 3: 2, 5: 1}.get(number, 0)
        for dead in range(marked):
            redis_server.client.sadd(MARKS + properties.message_id, f"dead {dead}")
        if number == 3:
            deadly = properties
    hand_back(queues, 7)
    worker = start_worker()
    ((kept, body),) = queues.take("AMQP_REJECTED_QUEUE", 1)
    assert body == bodies[3]
    assert kept.headers["x-reject-reason"] == "crashed_worker"
    assert "2 workers began to read this message alone" in kept.headers["x-reject-detail"]
    assert kept.message_id == deadly.message_id
    wait_counted(redis_server, worker, 6)
    wait_done(worker, queues, redis_server)
    assert worker.metrics()['dropworker_rejected_total{reason="crashed_worker"}'] == 1


def hold_it(redis_server):
    """Keeps a worker from finishing: the counters' key has a wrong type."""
    redis_server.client.set("dc:totals", "no hash")


class RedisProxy(servers.CuttableProxy):
    """Between a worker and Redis. `on` maps what the worker says to what is done first: on["mark"](data, server)."""

    def __init__(self, redis_server, **on):
        self.on = on
        self.said = []
        super().__init__(redis_server.port)

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def _move(self, client, server):
        try:
            while True:
                for one in select.select([client, server], [], [], 0.1)[0]:
                    data = one.recv(65536)
                    if not data:
                        return
                    if one is client:
                        self._pass_on(data, server)
                    else:
                        client.sendall(data)
        except (OSError, ValueError):
            pass
        finally:
            client.close()
            server.close()

    def _pass_on(self, data, server):
        word = self._word(data)
        if word in self.on:
            self.on[word](data, server)
        server.sendall(data)
        if word:
            self.said.append(word)

    @staticmethod
    def _word(data):
        if b"drops:probe:" in data:  # the trial of connecting
            return None
        if b"\r\nEVALSHA\r\n" in data:
            return "apply"
        if MARKS.encode() not in data:
            return None
        if b"\r\nEVAL\r\n" not in data:
            return "unmark"
        return "mark" if b"SADD" in data else "look"


@pytest.fixture
def redis_proxy(redis_server):
    """redis_proxy(**on): a RedisProxy."""
    made = []

    def make(**on):
        made.append(RedisProxy(redis_server, **on))
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()
    redis_server.child.signal(signal.SIGCONT)


class OnlyTheMark:
    """Passes the mark on, not what takes it off behind it, and ends the connection: as if the worker had died between
    them. Later it refuses to take it off, as long as `on`, or `times` times."""

    def __init__(self, times=None):
        self.on = True
        self.count = 0
        self.times = times

    def mark(self, data, server):
        cut = data.find(b"*2\r\n$3\r\nDEL\r\n")
        assert cut > 0, data
        server.sendall(data[:cut])
        assert server.recv(64) == b":1\r\n"
        self.unmark(data, server)

    def unmark(self, _data, _server):
        if self.on and self.count != self.times:
            self.count += 1
            raise ConnectionError("refused by the test")

    @property
    def hooks(self):
        return {"mark": self.mark, "unmark": self.unmark}


KILLED = {"clean_exit": (-signal.SIGKILL,)}


def test_a_death_while_it_is_read_leaves_a_mark_and_the_second_condemns(start_worker, queues, redis_server, redis_proxy):
    data, properties = publish_one(queues)
    hand_back(queues, 1)
    key = MARKS + properties.message_id
    for dead in (1, 2):
        between = OnlyTheMark()
        worker = start_worker(wait_ready=False, options=KILLED, REDIS_URL=redis_proxy(**between.hooks).url)
        servers.wait_until(lambda: between.count > 0, lambda: worker.stderr[-2000:])
        worker.kill()
        assert redis_server.client.scard(key) == dead
    assert 0 < redis_server.client.ttl(key) <= 7 * 86400
    assert counted(redis_server) == 0
    start_worker()
    ((kept, body),) = queues.take("AMQP_REJECTED_QUEUE", 1)
    assert (body, kept.headers["x-reject-reason"]) == (data, "crashed_worker")
    servers.wait_until(lambda: marks(redis_server) == {}, lambda: marks(redis_server))


def test_workers_killed_while_they_wait_for_a_redis_that_stands_still_leave_no_mark(start_worker, queues, redis_server,
                                                                                    redis_proxy):
    publish_one(queues)
    hand_back(queues, 1)
    for _ in range(3):
        stopped = threading.Event()

        def stand_still(_data, _server, stopped=stopped):
            redis_server.child.signal(signal.SIGSTOP)
            stopped.set()

        worker = start_worker(wait_ready=False, options=KILLED, REDIS_URL=redis_proxy(apply=stand_still).url)
        assert stopped.wait(servers.HANG_GUARD_S), worker.stderr[-2000:]
        worker.kill()
        redis_server.child.signal(signal.SIGCONT)
        assert marks(redis_server) == {}
    worker = start_worker()
    wait_counted(redis_server, worker, 1)
    wait_done(worker, queues, redis_server)
    assert queues.depth("AMQP_REJECTED_QUEUE") == 0


def test_a_mark_that_redis_comes_to_after_its_worker_was_killed_is_taken_off_at_once(start_worker, queues, redis_server,
                                                                                     redis_proxy):
    publish_one(queues)
    hand_back(queues, 1)
    stopped = threading.Event()

    def stand_still(_data, _server):
        redis_server.child.signal(signal.SIGSTOP)
        stopped.set()

    def taken_off():
        return redis_server.client.info("commandstats").get("cmdstat_del", {"calls": 0})["calls"]

    proxy = redis_proxy(mark=stand_still)
    worker = start_worker(wait_ready=False, options=KILLED, REDIS_URL=proxy.url)
    assert stopped.wait(servers.HANG_GUARD_S), worker.stderr[-2000:]
    servers.wait_until(lambda: proxy.said[:2] == ["look", "mark"], lambda: proxy.said)
    worker.kill()
    redis_server.child.signal(signal.SIGCONT)
    # Twice at each trial of connecting, and the mark.
    servers.wait_until(lambda: taken_off() >= 3 and marks(redis_server) == {}, taken_off)
    worker = start_worker()
    wait_counted(redis_server, worker, 1)


def test_a_mark_is_taken_off_before_the_message_is_counted_however_often_it_takes(start_worker, queues, redis_server,
                                                                                 redis_proxy):
    publish_one(queues)
    hand_back(queues, 1)
    proxy = redis_proxy(**OnlyTheMark(times=3).hooks)
    worker = start_worker(REDIS_URL=proxy.url)
    wait_counted(redis_server, worker, 1)
    wait_done(worker, queues, redis_server)
    assert proxy.said == ["look", "unmark", "apply"]


def test_a_stop_leaves_no_mark(start_worker, queues, redis_server):
    publish_one(queues)
    hand_back(queues, 1)
    hold_it(redis_server)
    worker = start_worker(wait_ready=False)
    servers.wait_until(lambda: "WRONGTYPE" in worker.stderr, lambda: worker.stderr)
    assert marks(redis_server) == {}
    assert worker.finish() == 0
    assert marks(redis_server) == {}


def test_a_lost_connection_leaves_no_mark(start_worker, queues, redis_server, redis_proxy, proxy):
    """Not even when Redis is away at that moment: it is taken off as soon as Redis is back."""
    publish_one(queues)
    hand_back(queues, 1)
    between = OnlyTheMark()
    worker = start_worker(wait_ready=False, AMQP_URL=proxy.url, REDIS_URL=redis_proxy(**between.hooks).url)
    servers.wait_until(lambda: between.count > 0, lambda: worker.stderr[-2000:])
    proxy.cut()
    servers.wait_until(lambda: worker.readyz()[1]["broker"] == "away", lambda: worker.stderr[-2000:])
    assert len(marks(redis_server)) == 1
    between.on = False
    servers.wait_until(lambda: marks(redis_server) == {}, lambda: worker.stderr[-2000:])
    proxy.restore()
    wait_counted(redis_server, worker, 1)
    wait_done(worker, queues, redis_server)


def test_a_mark_of_a_wrong_type_is_named_and_waited_out(start_worker, queues, redis_server):
    _, properties = publish_one(queues)
    hand_back(queues, 1)
    key = MARKS + properties.message_id
    redis_server.client.set(key, "no set")
    worker = start_worker(wait_ready=False)
    servers.wait_until(lambda: key in worker.readyz()[1].get("redis_problem", ""), lambda: worker.stderr[-2000:])
    assert counted(redis_server) == 0
    redis_server.client.delete(key)
    wait_counted(redis_server, worker, 1)
    servers.wait_until(lambda: worker.readyz()[0] == 200, lambda: worker.stderr[-2000:])
    assert redis_server.client.exists(key) == 0


def test_a_deleted_queue_is_declared_again_and_consumed_from(start_worker, queues, redis_server):
    worker = start_worker()
    for number in range(3):
        before = worker.metrics()["dropworker_reconnects_total"]
        queues.channel.queue_delete(queues.names["AMQP_QUEUE"])
        servers.wait_until(lambda: worker.metrics()["dropworker_reconnects_total"] > before, lambda: worker.stderr[-2000:])
        publish_one(queues)
        wait_counted(redis_server, worker, number + 1)
    assert "cancelled our consumer" in worker.stderr
    servers.wait_until(lambda: worker.readyz()[0] == 200 and adds_up(worker), lambda: worker.stderr[-2000:])


def test_a_consumer_that_holds_a_message_too_long_is_told_so_and_comes_back(start_worker, queues, redis_server, rabbitmq):
    set_limits = "application:set_env(rabbit, consumer_timeout, {}), application:set_env(rabbit, channel_tick_interval, {})."
    rabbitmq.control("eval", set_limits.format(1000, 500))
    try:
        worker = start_worker()
        hold_it(redis_server)
        publish_one(queues)
        wait_metric(worker, "reconnects_total", 2)
        assert "PRECONDITION_FAILED" in worker.stderr and "timed out" in worker.stderr
        redis_server.client.delete("dc:totals")
        wait_counted(redis_server, worker, 1)
        wait_done(worker, queues, redis_server)
        assert worker.metrics()["dropworker_reconnects_total"] == worker.stderr.count("timed out"), "each had its cause"
    finally:
        rabbitmq.control("eval", set_limits.format(1800000, 60000))


def test_a_message_past_a_delivery_limit_is_in_the_rejected_queue(start_worker, queues, redis_server, rabbitmq):
    policy = queues.names["AMQP_QUEUE"]
    rabbitmq.control("set_policy", "--apply-to", "queues", policy, f"^{policy}$", '{"delivery-limit": 1}')
    try:
        data, _ = publish_one(queues)
        hand_back(queues, 1)
        worker = start_worker()
        ((kept, body),) = queues.take("AMQP_REJECTED_QUEUE", 1)
        assert body == data
        assert kept.headers["x-first-death-reason"] == "delivery_limit"
        publish_one(queues)
        wait_counted(redis_server, worker, 1)
    finally:
        rabbitmq.control("clear_policy", policy)
