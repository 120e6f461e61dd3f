"""What the tests of the workers publish, and what they wait for. A wait ends when what it waits for is so. And how long a
program takes to stop."""

import os
import select
import time

import outcomes
import servers
from events import callback, counters, message

def publish(queues, count):
    """Successes of the campaign spring, each a drop of its own."""
    for _ in range(count):
        queues.publish(*message(callback(), "spring"))


def counted(server):
    return counters(server.client).get("messages", 0)


def duplicates(server):
    return counters(server.client).get("duplicate", 0)


def wait_counted(server, worker, count):
    """Exactly so many messages, all of them of the campaign spring, all successes."""
    servers.wait_until(lambda: counted(server) >= count, lambda: f"{counted(server)} of {count}\n{worker.stderr[-3000:]}")
    for campaign in (None, "spring"):
        found = counters(server.client, campaign)
        assert found["messages"] == found["success"] == count, found


def wait_said(worker, words):
    """In its log."""
    servers.wait_until(lambda: words in worker.stderr, lambda: worker.stderr[-3000:])


def wait_metric(worker, name, enough):
    """Until it has come that far."""
    servers.wait_until(lambda: worker.metrics()[f"dropworker_{name}"] >= enough,
                       lambda: f"{worker.metrics()}\n{worker.stderr[-3000:]}")


def wait_held(worker, count):
    servers.wait_until(lambda: worker.readyz()[1]["held"] == count, lambda: f"{worker.readyz()}\n{worker.stderr[-3000:]}")


def wait_ready(worker):
    servers.wait_until(lambda: worker.readyz()[0] == 200, lambda: f"{worker.readyz()}\n{worker.stderr[-3000:]}")


def wait_not_ready(worker, *words):
    def tells():
        status, text = worker.admin("/readyz")
        return status == 503 and all(word in text for word in words)

    servers.wait_until(tells, lambda: f"{worker.admin('/readyz')}\n{worker.stderr[-3000:]}")


def adds_up(worker):
    """Whether every message that it took became one thing."""
    values = worker.metrics()
    return values["dropworker_consumed_total"] == sum(values[name] for name in outcomes.BECAME)


def wait_settled(worker, queues):
    """At rest: nothing in the queue, nothing held, ready, and every message became one thing."""
    def settled():
        return (queues.depth("AMQP_QUEUE") == 0 and worker.metrics()["dropworker_held"] == 0 and worker.readyz()[0] == 200
                and adds_up(worker))

    servers.wait_until(settled, lambda: f"{worker.metrics()}\n{worker.stderr[-3000:]}")


def stop_seconds(program):
    """From SIGTERM to the end, which the kernel reports; clean."""
    end = os.pidfd_open(program.pid)
    try:
        begun = time.monotonic()  # clock: for the timing tests
        program.signal(servers.SIGTERM)
        assert select.select([end], [], [], servers.HANG_GUARD_S)[0], program.stderr[-4000:]
        took = time.monotonic() - begun  # clock: for the timing tests
    finally:
        os.close(end)
    assert program.wait_exit() == 0, program.stderr[-4000:]
    return took
