"""A worker whose Redis is away for long, whose broker stands still, that is told to stop while both do: it holds
nothing, notices, comes back by itself and stops in time."""

import time

import pytest
import servers
from events import message
from replication import pids_standing_still, wait_in_step
from waits import counted, publish, stop_seconds, wait_counted, wait_held, wait_metric, wait_ready, wait_said, wait_settled


def consumers(queues):
    return queues.channel.queue_declare(queues.names["AMQP_QUEUE"], passive=True).method.consumer_count


def wait_given_back(worker, queues, count):
    servers.wait_until(lambda: worker.metrics()["dropworker_pauses_total"] == 1, lambda: worker.stderr[-2000:])
    servers.wait_until(lambda: queues.depth("AMQP_QUEUE") == count and consumers(queues) == 0,
                       lambda: f"{queues.depth('AMQP_QUEUE')} messages, {consumers(queues)} consumers")

    def tells():
        status, told = worker.readyz()
        return (status == 503 and told["held"] == 0 and "Redis has been away" in told.get("broker_problem", "")
                and told.get("redis_problem"))

    servers.wait_until(tells, worker.readyz)


def test_redis_away_for_long_the_worker_holds_nothing_and_comes_back_by_itself(start_worker, queues, redis_server):
    worker = start_worker(REDIS_AWAY_S=1, PREFETCH=5)
    with pids_standing_still(worker.pid):  # so that it has its five while it looks for Redis
        redis_server.kill()
        publish(queues, 20)
    wait_given_back(worker, queues, 20)
    redis_server.start()
    wait_counted(redis_server, worker, 20)
    wait_settled(worker, queues)
    wait_said(worker, "Redis is back")
    assert worker.metrics()["dropworker_redelivered_total"] == 5, "what it had held before"


def test_redis_never_there_the_worker_holds_nothing_and_begins_by_itself(start_worker, queues, redis_server):
    start_worker().finish()
    redis_server.kill()
    publish(queues, 3)
    worker = start_worker(wait_ready=False, REDIS_AWAY_S=1)
    wait_given_back(worker, queues, 3)
    redis_server.start()
    wait_counted(redis_server, worker, 3)
    wait_settled(worker, queues)


def test_an_idle_worker_leaves_the_queue_to_others_while_redis_is_away(start_worker, queues, redis_server):
    worker = start_worker(REDIS_AWAY_S=1)
    redis_server.kill()
    wait_given_back(worker, queues, 0)
    servers.wait_until(lambda: worker.readyz()[1]["broker"] == "paused", worker.readyz)
    publish(queues, 3)
    redis_server.start()
    wait_counted(redis_server, worker, 3)
    wait_settled(worker, queues)


def close_connection_of_worker(rabbitmq):
    def only_one():
        """Of a worker of an earlier test the broker may not have heard the end."""
        lines = rabbitmq.control("list_connections", "--silent", "pid", "client_properties").splitlines()
        pids = [line.split("\t")[0] for line in lines if '"dropworker"' in line]
        return pids if len(pids) == 1 else None

    rabbitmq.control("close_connection", *servers.wait_until(only_one, "one connection of a worker"), "the test says so")


@pytest.mark.full
def test_while_redis_stands_still_all_that_comes_is_read_and_the_end_of_the_connection_is_told(
        start_worker, queues, redis_server, rabbitmq):
    worker = start_worker(REDIS_AWAY_S=600)
    with pids_standing_still(redis_server.child.pid):
        publish(queues, 30)
        wait_held(worker, 30)
        publish(queues, 30)
        wait_held(worker, 60)
        close_connection_of_worker(rabbitmq)
        wait_metric(worker, "reconnects_total", 1)
        assert "cannot consume: " in worker.stderr and "the test says so" in worker.stderr
    wait_counted(redis_server, worker, 60)
    wait_settled(worker, queues)


def test_a_key_of_a_wrong_type_is_no_absence(start_worker, queues, redis_server):
    worker = start_worker(REDIS_AWAY_S=1)
    redis_server.client.set("dc:totals", "no hash")
    publish(queues, 1)
    wait_metric(worker, "redis_retries_total", 1)
    # Another, whose Redis is away, has given up: the batch has failed for longer than that.
    other = start_worker(wait_ready=False, REDIS_AWAY_S=1, REDIS_URL=f"redis://127.0.0.1:{servers.free_port()}/0")
    wait_metric(other, "pauses_total", 1)
    assert worker.metrics()["dropworker_pauses_total"] == 0
    redis_server.client.delete("dc:totals")
    wait_counted(redis_server, worker, 1)
    wait_settled(worker, queues)


@pytest.mark.full
def test_a_broker_that_stands_still_is_left(start_worker, queues, redis_server, rabbitmq):
    worker = start_worker()
    with pids_standing_still(rabbitmq.vm_pid()):
        servers.wait_until(lambda: worker.readyz()[1]["broker"] == "away", lambda: worker.stderr[-2000:])
        assert worker.readyz()[0] == 503
    wait_ready(worker)
    publish(queues, 3)
    wait_counted(redis_server, worker, 3)
    wait_settled(worker, queues)


@pytest.mark.full
def test_a_broker_that_stands_still_while_a_message_is_rejected_is_left_too(start_worker, queues, redis_server, rabbitmq):
    worker = start_worker()
    redis_server.client.set("dc:totals", "no hash")
    publish(queues, 1)
    # Once its batch has been tried it takes no more: what is to be rejected waits behind it.
    wait_metric(worker, "redis_retries_total", 1)
    queues.publish(*message(b"broken"))
    wait_held(worker, 2)
    with pids_standing_still(rabbitmq.vm_pid()):
        redis_server.client.delete("dc:totals")
        servers.wait_until(lambda: worker.readyz()[1]["broker"] == "away", lambda: worker.stderr[-2000:])
    ((_, body),) = queues.take("AMQP_REJECTED_QUEUE", 1)
    assert body == b"broken"
    wait_counted(redis_server, worker, 1)
    wait_settled(worker, queues)


STOP_S = 10  # a promise
AT_ONCE_S = 1


@pytest.mark.timing
def test_a_stop_is_in_time_though_broker_and_redis_stand_still(start_worker, queues, redis_server, rabbitmq):
    worker = start_worker()
    redis_server.client.set("dc:totals", "no hash")
    publish(queues, 3)
    wait_held(worker, 3)
    with pids_standing_still(rabbitmq.vm_pid(), redis_server.child.pid):
        wait_said(worker, "no answer in time")
        assert stop_seconds(worker) < STOP_S
    redis_server.client.delete("dc:totals")
    second = start_worker()
    wait_counted(redis_server, second, 3)


@pytest.mark.timing
def test_a_stop_is_in_time_though_nothing_ever_answered(start_worker, queues, redis_server, rabbitmq):
    with pids_standing_still(rabbitmq.vm_pid(), redis_server.child.pid):
        worker = start_worker(wait_ready=False)
        assert worker.admin_port
        assert stop_seconds(worker) < STOP_S


@pytest.mark.timing
def test_a_second_stop_signal_is_immediate(start_worker, queues, redis_server, rabbitmq):
    worker = start_worker()
    with pids_standing_still(rabbitmq.vm_pid(), redis_server.child.pid):
        servers.wait_until(lambda: worker.readyz()[0] == 503, lambda: worker.stderr)
        worker.signal(servers.SIGTERM)
        time.sleep(0.5)
        assert worker.running(), "it has seconds to do with the first"
        assert stop_seconds(worker) < AT_ONCE_S


def test_a_failover_behind_one_address_is_followed_with_the_batch_in_flight(start_worker, queues, redis_server, tmp_path):
    replica = servers.Redis(tmp_path / "replica", replica_of=redis_server).start()
    proxy = servers.CuttableProxy(redis_server.port)
    try:
        wait_in_step(replica, redis_server)
        worker = start_worker(REDIS_URL=f"redis://127.0.0.1:{proxy.port}/0", BATCH_MAX=10)
        publish(queues, 100)
        wait_counted(redis_server, worker, 100)
        publish(queues, 200)
        # The address moves, but connections that are open stay with the old primary, which is read-only in the end. What
        # it has taken is at the replica by then: it holds up every write until it has handed over.
        proxy.target_port = replica.port
        redis_server.client.execute_command("FAILOVER", "TO", "127.0.0.1", replica.port)
        servers.wait_until(lambda: replica.client.role()[0] == b"master", lambda: redis_server.child.stdout[-2000:])
        wait_counted(replica, worker, 300)
        wait_settled(worker, queues)
        assert counted(replica) == 300
    finally:
        proxy.close()
        replica.stop()


def test_a_server_that_does_not_sync_or_may_evict_is_named_on_readyz_and_ready_all_the_same(start_worker, redis_server):
    redis_server.client.config_set("appendfsync", "everysec")
    redis_server.client.config_set("maxmemory", "1gb")
    redis_server.client.config_set("maxmemory-policy", "allkeys-lru")
    worker = start_worker()
    told = servers.wait_until(lambda: worker.readyz()[1].get("redis_durability") and worker.readyz()[1], lambda: worker.stderr)
    assert "appendfsync everysec" in told["redis_durability"]
    assert "allkeys-lru" in told["redis_eviction"]
    assert "appendfsync everysec" in worker.stderr
    assert "has maxmemory-policy allkeys-lru: it may evict keys" in worker.stderr
    redis_server.client.config_set("appendfsync", "always")
    redis_server.client.config_set("maxmemory-policy", "noeviction")
    other = start_worker()
    servers.wait_until(lambda: other.readyz()[0] == 200, lambda: other.stderr)
    assert "redis_durability" not in other.readyz()[1] and "redis_eviction" not in other.readyz()[1]
