"""REDIS_WAIT_REPLICAS: a batch is acknowledged when the replicas have it too, and counts once whatever becomes of primary
and replicas meanwhile."""

import pytest
import servers
from replication import standing_still, wait_in_step
from waits import (counted, duplicates, publish, wait_counted, wait_held, wait_metric, wait_not_ready, wait_ready, wait_said,
                   wait_settled)


def start_consuming(start_worker, **environment):
    """Not ready, for its replicas are missing; but the queue is there."""
    worker = start_worker(wait_ready=False, **environment)
    wait_said(worker, "can consume")
    return worker


def test_what_was_acknowledged_is_on_the_replica(replication, start_worker, queues):
    primary = replication.redis()
    replica = replication.redis(replica_of=primary)
    worker = start_worker(REDIS_URL=primary.url, REDIS_WAIT_REPLICAS=1, BATCH_MAX=10)
    publish(queues, 50)
    wait_metric(worker, "counted_total", 50)
    primary.kill()
    wait_counted(replica, worker, 50)


def test_without_its_replica_a_batch_waits_and_is_not_counted_again(replication, start_worker, queues):
    primary = replication.redis()
    worker = start_consuming(start_worker, REDIS_URL=primary.url, REDIS_WAIT_REPLICAS=1)
    wait_not_ready(worker, "0 of 1 replicas have what was written", "REDIS_WAIT_REPLICAS")
    publish(queues, 20)
    wait_not_ready(worker, "0 of 1 replicas have the batch")
    # Several tries: none of them counts anything again.
    wait_metric(worker, "redis_retries_total", 3)
    assert counted(primary) > 0 and worker.metrics()["dropworker_batches_total"] == 0
    replica = replication.redis(replica_of=primary)
    wait_ready(worker)
    wait_counted(replica, worker, 20)
    wait_settled(worker, queues)
    assert duplicates(primary) == 0 and worker.metrics()["dropworker_counted_total"] == 20


def test_a_replica_that_stays_away_is_an_absence_of_redis(replication, start_worker, queues):
    """The messages go back to the queue, though the primary answers, and come when the replicas have what was written."""
    primary = replication.redis()
    replica = replication.redis(replica_of=primary)
    worker = start_worker(REDIS_URL=primary.url, REDIS_WAIT_REPLICAS=1, REDIS_AWAY_S=1)
    with standing_still(replica):
        publish(queues, 5)
        wait_metric(worker, "pauses_total", 1)
        wait_held(worker, 0)
        servers.wait_until(lambda: queues.depth("AMQP_QUEUE") == 5, lambda: worker.metrics())
        # Redis is looked at again, and the pause holds.
        retried_at = primary.client.info("commandstats")["cmdstat_wait"]["calls"] + 3
        servers.wait_until(lambda: primary.client.info("commandstats")["cmdstat_wait"]["calls"] >= retried_at, "it looks")
        assert "consuming again" not in worker.stderr and queues.depth("AMQP_QUEUE") == 5
        assert worker.metrics()["dropworker_pauses_total"] == 1
    wait_counted(replica, worker, 5)
    wait_settled(worker, queues)


@pytest.mark.full
def test_a_replica_that_is_behind_is_waited_for(replication, start_worker, queues):
    primary = replication.redis()
    replica = replication.redis(replica_of=primary)
    worker = start_worker(REDIS_URL=primary.url, REDIS_WAIT_REPLICAS=1)
    publish(queues, 5)
    wait_counted(replica, worker, 5)
    wait_settled(worker, queues)
    with standing_still(replica):
        publish(queues, 5)
        wait_not_ready(worker, "0 of 1 replicas have the batch")
        assert counted(primary) > 5
    wait_counted(replica, worker, 10)
    wait_settled(worker, queues)
    assert duplicates(primary) == 0


def failed_over(replication, replica):
    """The replica becomes the primary, and gets a replica of its own."""
    replica.client.replicaof("NO", "ONE")
    replication.redis(replica_of=replica)


def test_a_batch_that_the_replica_does_not_have_is_counted_there_once(replication, start_worker, queues):
    primary = replication.redis()
    replica = replication.redis(replica_of=primary)
    proxy = servers.CuttableProxy(primary.port)
    try:
        worker = start_worker(REDIS_URL=f"redis://127.0.0.1:{proxy.port}/0", REDIS_WAIT_REPLICAS=1, BATCH_MAX=10)
        with standing_still(replica):
            publish(queues, 10)
            wait_not_ready(worker, "0 of 1 replicas have the batch")
            assert counted(primary) > 0
            proxy.target_port = replica.port
            primary.kill()
        # What the primary had sent may still be on its way to the replica, or not: the sums are the same.
        failed_over(replication, replica)
        wait_counted(replica, worker, 10)
        wait_settled(worker, queues)
    finally:
        proxy.close()


@pytest.mark.full
def test_a_batch_that_the_replica_has_is_counted_there_once(replication, start_worker, queues):
    primary = replication.redis()
    replica = replication.redis(replica_of=primary)
    proxy = servers.CuttableProxy(primary.port)
    try:
        worker = start_consuming(start_worker, REDIS_URL=f"redis://127.0.0.1:{proxy.port}/0", REDIS_WAIT_REPLICAS=2,
                                 BATCH_MAX=10)
        publish(queues, 10)
        wait_not_ready(worker, "1 of 2 replicas have the batch")
        in_replica = counted(replica)
        assert in_replica > 0
        proxy.target_port = replica.port
        primary.kill()
        failed_over(replication, replica)
        replication.redis(replica_of=replica)
        wait_counted(replica, worker, 10)
        wait_settled(worker, queues)
        # That batch came to the new primary as copies of what it knew.
        assert duplicates(replica) == in_replica
    finally:
        proxy.close()


@pytest.mark.full
def test_a_primary_that_forgot_the_batch_as_a_replica_counts_it_again(replication, start_worker, queues):
    """The connection outlives it, so that a WAIT on it would speak of writes that are gone."""
    primary, empty = replication.redis(), replication.redis()
    worker = start_consuming(start_worker, REDIS_URL=primary.url, REDIS_WAIT_REPLICAS=1)
    publish(queues, 10)
    wait_not_ready(worker, "0 of 1 replicas have the batch")
    # By now two tries are seconds apart.
    wait_metric(worker, "redis_retries_total", 6)
    primary.client.replicaof("127.0.0.1", empty.port)
    wait_in_step(primary, empty)
    assert counted(primary) == 0
    primary.client.replicaof("NO", "ONE")
    replica = replication.redis(replica_of=primary)
    wait_counted(replica, worker, 10)
    wait_settled(worker, queues)
    assert counted(primary) == 10


@pytest.mark.full
def test_a_primary_that_wants_replicas_in_step_is_waited_out(replication, start_worker, queues):
    primary = replication.redis()
    replica = replication.redis(replica_of=primary)
    worker = start_worker(REDIS_URL=primary.url)
    primary.client.config_set("min-replicas-max-lag", 1)
    primary.client.config_set("min-replicas-to-write", 1)
    servers.wait_until(lambda: primary.client.info("replication").get("min_slaves_good_slaves") == 1, "one is in step")
    publish(queues, 5)
    wait_counted(replica, worker, 5)
    with standing_still(replica):
        servers.wait_until(lambda: primary.client.info("replication").get("min_slaves_good_slaves") == 0, "none is in step")
        publish(queues, 10)
        wait_not_ready(worker, "NOREPLICAS", "min-replicas-to-write")
        assert counted(primary) == 5 and worker.running()
    wait_counted(replica, worker, 15)
    wait_settled(worker, queues)
    assert duplicates(primary) == 0


def test_a_start_without_the_replicas_that_the_primary_wants_is_waited_out(replication, start_worker, queues):
    primary = replication.redis("--min-replicas-to-write", 1)
    worker = start_worker(wait_ready=False, REDIS_URL=primary.url)
    wait_not_ready(worker, "NOREPLICAS")
    replication.redis(replica_of=primary)
    wait_ready(worker)
    publish(queues, 5)
    wait_counted(primary, worker, 5)


def test_a_stop_while_replicas_are_waited_for_loses_nothing(replication, start_worker, queues):
    primary = replication.redis()
    worker = start_consuming(start_worker, REDIS_URL=primary.url, REDIS_WAIT_REPLICAS=1)
    publish(queues, 5)
    wait_not_ready(worker, "0 of 1 replicas have the batch")
    assert worker.finish() == 0
    replication.redis(replica_of=primary)
    second = start_worker(REDIS_URL=primary.url, REDIS_WAIT_REPLICAS=1)
    wait_counted(primary, second, 5)
    wait_settled(second, queues)
