"""Messages that the rejected queue cannot take for now hold up nobody else, and are never lost."""

import contextlib

import pika
import pytest
import servers
from events import callback, message
from waits import adds_up, counted, stop_seconds, wait_counted, wait_metric

GOOD = 97
POISON = 3
STOP_S = 2.5  # WORKER_STOP_MS of workers/worker.h: a worker that waited for something would wait this long
FILLER = b"the rejected queue is full of these"


@contextlib.contextmanager
def alarm(rabbitmq, names, queues):
    """RabbitMQ reads no publishes, as when it is short of memory."""
    rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1")
    try:
        yield
    finally:
        rabbitmq.control("set_vm_memory_high_watermark", "absolute", "1GB")


@contextlib.contextmanager
def stuck(rabbitmq, names, queues):
    """The process of the rejected queue stands still."""
    queue = f"whereis('%2F_{names['AMQP_REJECTED_QUEUE']}')"
    rabbitmq.control("eval", f"sys:suspend({queue}).")
    try:
        yield
    finally:
        rabbitmq.control("eval", f"sys:resume({queue}).")


@contextlib.contextmanager
def full(rabbitmq, names, queues):
    """The rejected queue refuses what comes: nobody empties it."""
    policy = names["AMQP_REJECTED_QUEUE"]
    rabbitmq.control("set_policy", policy, f"^{policy}$", '{"max-length":1,"overflow":"reject-publish"}', "--apply-to",
                     "queues")
    try:
        with pytest.raises(pika.exceptions.NackError):
            for _ in range(1000):
                queues.publish(FILLER, exchange=policy, routing_key=policy)
        yield
    finally:
        rabbitmq.control("clear_policy", policy)


@pytest.fixture(autouse=True)
def declared(start_worker):
    """Exchanges and queues: a worker has been here before."""
    assert start_worker().stop() == 0


def publish(queues, good=GOOD, poison=POISON):
    """Poison in the midst of good ones. Returns the poison."""
    bodies = [b'{"poison":%d}' % number for number in range(poison)]
    spacing = (good + poison) // poison
    waiting = iter(bodies)
    for number in range(good + poison):
        body = next(waiting) if number % spacing == spacing // 2 else callback()
        queues.publish(*message(body, "spring"))
    return bodies


def rejected(queues, count):
    """What the worker has put there, sorted."""
    bodies = []
    while len(bodies) < count:
        bodies += [body for _, body in queues.take("AMQP_REJECTED_QUEUE", 1) if body != FILLER]
    return sorted(bodies)


def held(worker):
    metrics = worker.metrics()
    return metrics["dropworker_held"], metrics["dropworker_pending_rejects"]


def wait_held_and_pending(worker, *numbers):
    servers.wait_until(lambda: held(worker) == numbers, lambda: f"{worker.metrics()}\n{worker.stderr[-2000:]}")


def wait_rest(worker, consumed):
    """Ready, with nothing in hand, and everything that it took became one thing."""
    def rests():
        return (worker.readyz()[0] == 200 and held(worker) == (0, 0) and adds_up(worker)
                and worker.metrics()["dropworker_consumed_total"] == consumed)

    servers.wait_until(rests, lambda: f"{worker.metrics()}\n{worker.stderr[-2000:]}")


@pytest.mark.parametrize("trouble", [alarm, stuck, full])
def test_good_ones_are_counted_and_acknowledged_meanwhile(start_worker, queues, names, rabbitmq, redis_server, trouble):
    poison = publish(queues)
    with trouble(rabbitmq, names, queues):
        worker = start_worker()
        wait_counted(redis_server, worker, GOOD)
        wait_held_and_pending(worker, POISON, POISON)
        assert queues.depth("AMQP_QUEUE") == 0

        def counts_all_the_same():
            status, told = worker.readyz()
            return status == 200 and told["rejected_queue"] == "away" and told["rejected_queue_problem"]

        servers.wait_until(counts_all_the_same, lambda: worker.readyz())
    assert rejected(queues, POISON) == sorted(poison)
    wait_rest(worker, GOOD + POISON)
    assert queues.depth("AMQP_REJECTED_QUEUE") == 0, "each of them once"
    assert worker.metrics()["dropworker_redelivered_total"] == 0


def test_a_flood_of_poison_stops_at_the_bound_and_says_why(start_worker, queues, names, rabbitmq, redis_server):
    poison = publish(queues, 20, 10)
    with full(rabbitmq, names, queues):
        worker = start_worker(wait_ready=False, PREFETCH=8, BATCH_MAX=4)
        # Eight poisonous ones are as many as may wait; before the eighth of them are fifteen good ones.
        wait_counted(redis_server, worker, 15)
        wait_held_and_pending(worker, 8, 8)
        servers.wait_until(lambda: "as many as may" in worker.readyz()[1].get("rejected_queue_problem", ""), worker.readyz)
        assert worker.readyz()[0] == 503, "it can take no more"
        tried = worker.metrics()["dropworker_reject_retries_total"]
        wait_metric(worker, "reject_retries_total", tried + 3)
        assert counted(redis_server) == 15 and held(worker) == (8, 8)
    assert rejected(queues, 10) == sorted(poison)
    wait_counted(redis_server, worker, 20)
    wait_rest(worker, 30)


@pytest.mark.timing
def test_a_stop_does_not_wait_for_what_cannot_be_rejected(start_worker, queues, names, rabbitmq, redis_server):
    poison = publish(queues, 99, 1)
    with alarm(rabbitmq, names, queues):
        worker = start_worker()
        wait_counted(redis_server, worker, 99)
        servers.wait_until(lambda: worker.readyz()[1]["rejected_queue"] == "away", lambda: worker.readyz())
        assert stop_seconds(worker) < STOP_S
        servers.wait_until(lambda: queues.depth("AMQP_QUEUE") == 1, "it is back in the queue")
    start_worker()
    assert rejected(queues, 1) == poison


@pytest.mark.full
def test_nothing_is_lost_when_the_worker_is_killed(start_worker, queues, names, rabbitmq, redis_server):
    poison = publish(queues)
    with full(rabbitmq, names, queues):
        worker = start_worker(options={"clean_exit": (-9,)})
        wait_counted(redis_server, worker, GOOD)
        wait_held_and_pending(worker, POISON, POISON)
        worker.kill()
        servers.wait_until(lambda: queues.depth("AMQP_QUEUE") >= POISON, lambda: queues.depth("AMQP_QUEUE"))
        back = queues.depth("AMQP_QUEUE")  # acknowledgements that a busy broker had not read may have gone with the worker
    again = start_worker()
    assert rejected(queues, POISON) == sorted(poison)
    wait_rest(again, back)
    assert counted(redis_server) == GOOD


def test_a_lost_connection_takes_them_along(start_worker, queues, names, rabbitmq, redis_server, proxy):
    poison = publish(queues, 99, 1)
    with full(rabbitmq, names, queues):
        worker = start_worker(AMQP_URL=proxy.url)
        wait_counted(redis_server, worker, 99)
        wait_held_and_pending(worker, 1, 1)
        proxy.cut()
        wait_held_and_pending(worker, 0, 0)
        proxy.restore()
        wait_held_and_pending(worker, 1, 1)
    assert rejected(queues, 1) == poison
    servers.wait_until(lambda: worker.readyz()[0] == 200 and held(worker) == (0, 0), worker.metrics)
