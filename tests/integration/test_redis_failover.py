"""Planned failovers under load, one soon after the other: each leaves the former primary with a replica for a while, which
is all that it has then. Nothing that was acknowledged may be gone."""

import pytest
import servers
from replication import order_failover
from waits import publish, wait_counted, wait_held, wait_ready

FAILOVERS = 3
OPTIONS = ("--min-replicas-to-write", 1)


class Load:
    """Publishes while something is waited for."""

    def __init__(self, queues):
        self.queues = queues
        self.count = 0

    def until(self, condition, problem):
        def step():
            publish(self.queues, 3)
            self.count += 3
            return condition()

        return servers.wait_until(step, problem)


def fail_over(sentinels, redises, load):
    """Until all sentinels name another primary and both others are in step with it."""
    former = sentinels[0].named()

    def done():
        named = {sentinel.named() for sentinel in sentinels}
        if len(named) > 1 or named == {former}:
            return False
        primary = next(server for server in redises if named == {server.port})
        info = primary.client.info("replication")
        return all(info.get(f"slave{i}", {}).get("state") == "online" for i in range(2)) and primary

    load.until(lambda: order_failover(sentinels[0]), "the failover begins")
    return load.until(done, lambda: "a new primary has both others: " + sentinels[0].child.stdout[-3000:])


@pytest.mark.full
def test_planned_failovers_soon_after_each_other_lose_nothing(replication, start_worker, queues):
    first = replication.redis(*OPTIONS)
    redises = [first, *(replication.redis(*OPTIONS, replica_of=first) for _ in range(2))]
    sentinels = [replication.sentinel(first, quorum=2) for _ in range(3)]
    for sentinel in sentinels:
        sentinel.wait_knows(2, 2)
    url = "redis-sentinel://" + ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in sentinels) + "/main/0"
    workers = [start_worker(REDIS_URL=url, BATCH_MAX=20) for _ in range(2)]
    load = Load(queues)
    load.until(lambda: load.count > 100, "some load")
    for _ in range(FAILOVERS):
        primary = fail_over(sentinels, redises, load)
    for worker in workers:
        wait_ready(worker)
        wait_held(worker, 0)
    servers.wait_until(lambda: queues.depth("AMQP_QUEUE") == 0, lambda: workers[0].stderr[-3000:])
    wait_counted(primary, workers[0], load.count)
