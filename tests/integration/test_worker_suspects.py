"""Messages that come a third time: a child process reads them first, and the one that it dies of twice is rejected. And what
the broker does by itself to a consumer: it is said once, and the worker comes back."""

import re
import signal
import subprocess

import pytest
import servers
from events import callback, message
from waits import adds_up, wait_counted, wait_metric, wait_said, wait_settled

DEADLY = "this-word-ends-who-parses-it"
ABORTED = {"clean_exit": (0, -signal.SIGABRT)}


@pytest.fixture(scope="session")
def crashing(tmp_path_factory):
    """Settings under which parsing a text with DEADLY in it aborts the process. The sanitizer's library must come first."""
    library = tmp_path_factory.mktemp("preload") / "preload.so"
    subprocess.run(["cc", "-std=c11", "-D_GNU_SOURCE", "-shared", "-fPIC", "-o", library, servers.ROOT / "tests/faults/preload.c",
                    "-ldl"], check=True)
    needs = subprocess.run(["ldd", servers.BUILD / "workers/dropworker"], capture_output=True, text=True, check=True).stdout
    first = re.findall(r"lib[at]san\S* => (\S+)", needs)
    return {"LD_PRELOAD": " ".join([*first, str(library)]), "FAULTS_CRASH_WORD": DEADLY}


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


def publish_some(queues, letters):
    """A message a letter: g is a good one, d a deadly one, b is no event. Returns the bodies of the deadly ones."""
    deadly = []
    for letter in letters:
        body = b"broken" if letter == "b" else callback(**({"pad": DEADLY} if letter == "d" else {}))
        data, _ = publish_one(queues, body)
        if letter == "d":
            deadly.append(data)
    return deadly


def wait_done(worker, queues):
    """At rest: all acknowledged, and every message became one thing."""
    wait_metric(worker, "consumed_total", 1)
    wait_settled(worker, queues)


def test_messages_that_come_a_third_time_are_read_in_a_process_of_their_own_first(start_worker, queues, redis_server):
    publish_some(queues, "g" * 10)
    hand_back(queues, 10)
    worker = start_worker()
    wait_counted(redis_server, worker, 10)
    wait_done(worker, queues)
    assert worker.metrics()["dropworker_suspects_total"] == 10
    wait_said(worker, "messages delivered a third time or more, read in a process of their own first: 10; the last: its delivery 3")


def test_messages_that_come_a_second_time_are_no_suspects(start_worker, queues, redis_server):
    publish_some(queues, "g" * 10)
    hand_back(queues, 10, times=1)
    worker = start_worker()
    wait_counted(redis_server, worker, 10)
    assert worker.metrics()["dropworker_suspects_total"] == 0


def test_one_that_cannot_be_counted_is_rejected_for_that(start_worker, queues, redis_server):
    publish_some(queues, "b")
    hand_back(queues, 1)
    worker = start_worker()
    ((kept, body),) = queues.take("AMQP_REJECTED_QUEUE", 1)
    assert body == b"broken" and kept.headers["x-reject-reason"] == "invalid_json"
    wait_done(worker, queues)


@pytest.mark.threads
@pytest.mark.parametrize("letters", ["dggg", "gdg", "gggd", "gddg", "dgdgd"])
def test_only_the_deadly_are_rejected_byte_for_byte_and_the_worker_lives(start_worker, queues, redis_server, crashing, letters):
    deadly = publish_some(queues, letters)
    hand_back(queues, len(letters))
    worker = start_worker(**crashing)
    rejected = queues.take("AMQP_REJECTED_QUEUE", len(deadly))
    assert sorted(body for _, body in rejected) == sorted(deadly)
    for kept, _ in rejected:
        assert kept.headers["x-reject-reason"] == "crashed_worker"
        assert "2 processes that only read this message ended" in kept.headers["x-reject-detail"]
        assert kept.headers["x-reject-detail"].endswith("the last with signal 6; it was delivered 3 times")
    wait_counted(redis_server, worker, letters.count("g"))
    wait_done(worker, queues)
    assert worker.metrics()['dropworker_rejected_total{reason="crashed_worker"}'] == len(deadly)


def test_a_message_that_kills_two_workers_does_not_kill_the_third(start_worker, queues, redis_server, crashing):
    deadly = publish_some(queues, "gdg")
    for _ in range(2):
        worker = start_worker(wait_ready=False, options=ABORTED, **crashing)
        servers.wait_until(lambda: not worker.running(), lambda: worker.stderr[-2000:])
    worker = start_worker(wait_ready=False, **crashing)
    ((kept, body),) = queues.take("AMQP_REJECTED_QUEUE", 1)
    assert ([body], kept.headers["x-reject-reason"]) == (deadly, "crashed_worker")
    wait_counted(redis_server, worker, 2)
    wait_settled(worker, queues)


def hold_it(redis_server):
    """Keeps a worker from finishing: the counters' key has a wrong type."""
    redis_server.client.set("dc:totals", "no hash")


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
        wait_done(worker, queues)
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
