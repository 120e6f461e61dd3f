"""A worker whose Redis is away for long, whose broker stands still, that is told to stop while both do: it holds
nothing, notices, comes back by itself and stops in time."""

import time

import servers
from events import callback, counters, message
from replication import pids_standing_still, wait_in_step


def publish(queues, count):
    for _ in range(count):
        queues.publish(*message(callback(), "spring"))


def counted(redis_server):
    return counters(redis_server.client).get("messages", 0)


def wait_counted(redis_server, worker, count):
    servers.wait_until(lambda: counted(redis_server) == count, lambda: f"{counted(redis_server)} of {count}\n{worker.stderr[-2000:]}")


def wait_settled(worker, queues):
    """At rest: nothing in the queue, and every message that was dealt with became one thing."""

    def settled():
        values = {name.removeprefix("dropworker_"): value for name, value in worker.metrics().items()}
        parts = ("counted_total", "revised_total", "duplicate_total", "opt_out_events_total", "campaign_events_total",
                 "unrecognized_total")
        rejected = sum(value for name, value in values.items() if name.startswith("rejected_total"))
        return (values["held"] == 0 and queues.depth("AMQP_QUEUE") == 0 and worker.readyz()[0] == 200
                and values["consumed_total"] == sum(values[name] for name in parts) + rejected)

    servers.wait_until(settled, lambda: f"{worker.metrics()}\n{worker.stderr[-2000:]}")


def consumers(queues):
    return queues.channel.queue_declare(queues.names["AMQP_QUEUE"], passive=True).method.consumer_count


def wait_given_back(worker, queues, count):
    servers.wait_until(lambda: worker.metrics()["dropworker_pauses_total"] == 1, lambda: worker.stderr[-2000:])
    servers.wait_until(lambda: queues.depth("AMQP_QUEUE") == count and consumers(queues) == 0, lambda: (queues.depth("AMQP_QUEUE"), consumers(queues)))

    def tells():
        status, told = worker.readyz()
        return (status == 503 and told["held"] == 0 and "Redis has been away" in told.get("broker_problem", "")
                and told.get("redis_problem"))

    servers.wait_until(tells, worker.readyz)


def test_redis_away_for_long_the_worker_holds_nothing_and_comes_back_by_itself(start_worker, queues, redis_server):
    worker = start_worker(REDIS_AWAY_S=2, PREFETCH=5)
    with pids_standing_still(worker.pid):  # so that it has its five while it looks for Redis
        redis_server.kill()
        publish(queues, 20)
    wait_given_back(worker, queues, 20)
    redis_server.start()
    back = time.monotonic()
    wait_counted(redis_server, worker, 20)
    assert time.monotonic() - back < 10 * servers.PATIENCE
    wait_settled(worker, queues)
    servers.wait_until(lambda: "Redis is back" in worker.stderr, lambda: worker.stderr)
    assert worker.metrics()["dropworker_redelivered_total"] == 5, "what it had held before"


def test_redis_never_there_the_worker_holds_nothing_and_begins_by_itself(start_worker, queues, redis_server):
    start_worker().finish()
    redis_server.kill()
    publish(queues, 3)
    worker = start_worker(wait_ready=False, REDIS_AWAY_S=2)
    wait_given_back(worker, queues, 3)
    redis_server.start()
    wait_counted(redis_server, worker, 3)
    wait_settled(worker, queues)


def test_an_idle_worker_leaves_the_queue_to_others_while_redis_stands_still(start_worker, queues, redis_server):
    worker = start_worker(REDIS_AWAY_S=2)
    with pids_standing_still(redis_server.child.pid):
        servers.wait_until(lambda: consumers(queues) == 0, lambda: worker.stderr[-2000:])
        publish(queues, 3)
    wait_counted(redis_server, worker, 3)
    wait_settled(worker, queues)


def close_connection_of_worker(rabbitmq):
    def only_one():
        """Of a worker of an earlier test the broker may not have heard the end."""
        lines = rabbitmq.control("list_connections", "--silent", "pid", "client_properties").splitlines()
        pids = [line.split("\t")[0] for line in lines if '"dropworker"' in line]
        return pids if len(pids) == 1 else None

    rabbitmq.control("close_connection", *servers.wait_until(only_one, "one connection of a worker"), "the test says so")


def test_while_redis_stands_still_all_that_comes_is_read_and_the_end_of_the_connection_is_told(
        start_worker, queues, redis_server, rabbitmq):
    worker = start_worker(REDIS_AWAY_S=600)
    with pids_standing_still(redis_server.child.pid):
        publish(queues, 30)
        servers.wait_until(lambda: worker.metrics()["dropworker_held"] == 30, lambda: worker.metrics())
        publish(queues, 30)
        servers.wait_until(lambda: worker.metrics()["dropworker_held"] == 60, lambda: worker.metrics())
        close_connection_of_worker(rabbitmq)
        servers.wait_until(lambda: worker.metrics()["dropworker_reconnects_total"] == 1, lambda: worker.stderr)
        assert "cannot consume: " in worker.stderr and "the test says so" in worker.stderr
    wait_counted(redis_server, worker, 60)
    wait_settled(worker, queues)


def test_a_key_of_a_wrong_type_is_no_absence(start_worker, queues, redis_server):
    worker = start_worker(REDIS_AWAY_S=2)
    redis_server.client.set("dc:totals", "no hash")
    publish(queues, 1)
    # By then the batch has failed for longer than that.
    servers.wait_until(lambda: worker.metrics()["dropworker_redis_retries_total"] > 6, worker.metrics)
    assert worker.metrics()["dropworker_pauses_total"] == 0
    redis_server.client.delete("dc:totals")
    wait_counted(redis_server, worker, 1)
    wait_settled(worker, queues)


def test_a_broker_that_stands_still_is_left_within_thirty_seconds(start_worker, queues, redis_server, rabbitmq):
    worker = start_worker()
    with pids_standing_still(rabbitmq.vm_pid()):
        servers.wait_until(lambda: worker.readyz()[1]["broker"] == "away", lambda: worker.stderr[-2000:])
        assert worker.readyz()[0] == 503
    servers.wait_until(lambda: worker.readyz()[0] == 200, lambda: worker.stderr[-2000:])
    publish(queues, 3)
    wait_counted(redis_server, worker, 3)
    wait_settled(worker, queues)


def test_a_broker_that_stands_still_while_a_message_is_rejected_is_left_too(start_worker, queues, redis_server, rabbitmq):
    worker = start_worker()
    redis_server.client.set("dc:totals", "no hash")
    publish(queues, 1)
    # Once its batch has been tried it takes no more: what is to be rejected waits behind it.
    servers.wait_until(lambda: worker.metrics()["dropworker_redis_retries_total"] > 0, lambda: worker.stderr)
    queues.publish(*message(b"broken"))
    servers.wait_until(lambda: worker.readyz()[1]["held"] == 2, lambda: worker.stderr)
    with pids_standing_still(rabbitmq.vm_pid()):
        redis_server.client.delete("dc:totals")
        servers.wait_until(lambda: worker.readyz()[1]["broker"] == "away", lambda: worker.stderr[-2000:])
    ((_, body),) = queues.take("AMQP_REJECTED_QUEUE", 1)
    assert body == b"broken"
    wait_counted(redis_server, worker, 1)
    wait_settled(worker, queues)


def test_a_connection_that_moves_no_byte_is_left(start_worker, queues, redis_server, rabbitmq):
    proxy = servers.CuttableProxy(rabbitmq.port)
    try:
        worker = start_worker(AMQP_URL=f"amqp://guest:guest@127.0.0.1:{proxy.port}/%2f")
        proxy.freeze()
        servers.wait_until(lambda: worker.readyz()[0] == 503, lambda: worker.stderr[-2000:])
        proxy.cut()
        proxy.restore()
        publish(queues, 3)
        wait_counted(redis_server, worker, 3)
        wait_settled(worker, queues)
    finally:
        proxy.close()


def stop_seconds(worker):
    begun = time.monotonic()
    worker.signal(servers.SIGTERM)
    assert worker.wait_exit() == 0
    return time.monotonic() - begun


def test_a_stop_is_in_time_though_broker_and_redis_stand_still(start_worker, queues, redis_server, rabbitmq):
    worker = start_worker()
    redis_server.client.set("dc:totals", "no hash")
    publish(queues, 3)
    servers.wait_until(lambda: worker.readyz()[1]["held"] == 3, lambda: worker.stderr)
    with pids_standing_still(rabbitmq.vm_pid(), redis_server.child.pid):
        servers.wait_until(lambda: "no answer in time" in worker.stderr, lambda: worker.stderr)
        assert stop_seconds(worker) < 10 * servers.PATIENCE
    redis_server.client.delete("dc:totals")
    second = start_worker()
    wait_counted(redis_server, second, 3)


def test_a_stop_is_in_time_though_nothing_ever_answered(start_worker, queues, redis_server, rabbitmq):
    with pids_standing_still(rabbitmq.vm_pid(), redis_server.child.pid):
        worker = start_worker(wait_ready=False)
        assert worker.admin_port
        assert stop_seconds(worker) < 10 * servers.PATIENCE


def test_a_second_stop_signal_is_immediate(start_worker, queues, redis_server, rabbitmq):
    worker = start_worker()
    with pids_standing_still(rabbitmq.vm_pid(), redis_server.child.pid):
        servers.wait_until(lambda: worker.readyz()[0] == 503, lambda: worker.stderr)
        worker.signal(servers.SIGTERM)
        time.sleep(0.5)
        assert worker.running()
        worker.signal(servers.SIGTERM)
        begun = time.monotonic()
        assert worker.wait_exit() == 0
        assert time.monotonic() - begun < 1 * servers.PATIENCE


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
    redis_server.client.config_set("appendfsync", "always")
    redis_server.client.config_set("maxmemory", "0")
    other = start_worker()
    servers.wait_until(lambda: other.readyz()[0] == 200, lambda: other.stderr)
    assert "redis_durability" not in other.readyz()[1] and "redis_eviction" not in other.readyz()[1]
