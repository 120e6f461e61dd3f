"""The worker and a Redis that is away, full, read-only, of another mind: nothing lost, nothing counted twice, nothing
acknowledged before it is counted."""

import pytest
import servers
from events import callback, counters, message
from waits import adds_up, counted, publish, wait_counted, wait_held, wait_not_ready, wait_ready, wait_said, wait_settled


def test_redis_killed_and_back_loses_nothing(start_worker, queues, redis_server):
    worker = start_worker()
    publish(queues, 50)
    wait_counted(redis_server, worker, 50)
    redis_server.kill()
    publish(queues, 50)
    wait_not_ready(worker)
    assert worker.admin("/healthz")[0] == 200
    redis_server.start()
    wait_counted(redis_server, worker, 100)
    wait_ready(worker)


def test_redis_away_at_the_start_is_waited_for(start_worker, queues, redis_server):
    redis_server.kill()
    worker = start_worker(wait_ready=False)
    servers.wait_until(lambda: worker.admin_port, "the private listener")
    wait_not_ready(worker)
    redis_server.start()
    wait_ready(worker)
    publish(queues, 3)
    wait_counted(redis_server, worker, 3)


def test_a_read_only_replica_is_waited_out(start_worker, queues, redis_server):
    worker = start_worker()
    redis_server.client.replicaof("127.0.0.1", servers.free_port())
    publish(queues, 10)
    wait_not_ready(worker)
    redis_server.client.replicaof("NO", "ONE")
    wait_counted(redis_server, worker, 10)
    wait_ready(worker)


def test_a_full_redis_is_waited_out(start_worker, queues, redis_server):
    worker = start_worker()
    redis_server.client.config_set("maxmemory", "1")
    publish(queues, 10)
    wait_not_ready(worker)
    redis_server.client.config_set("maxmemory", "0")
    wait_counted(redis_server, worker, 10)
    wait_ready(worker)


def test_a_key_of_a_wrong_type_is_named_and_changes_nothing_until_it_is_mended(start_worker, queues, redis_server):
    worker = start_worker()
    redis_server.client.set("dc:totals:reasons", "a string")
    queues.publish(*message(callback("failure", "No Funds"), "spring"))
    wait_not_ready(worker, "dc:totals:reasons")
    servers.wait_until(lambda: "dc:totals:reasons" in worker.stderr, "the log names it too")
    assert redis_server.client.hgetall("dc:totals") == {}
    assert redis_server.client.hgetall("dc:campaign:spring:counters") == {}
    redis_server.client.delete("dc:totals:reasons")
    wait_ready(worker)
    assert counters(redis_server.client)["failure"] == counted(redis_server) == 1


def test_scripts_flushed_under_the_worker_are_loaded_again(start_worker, queues, redis_server):
    worker = start_worker()
    publish(queues, 1)
    wait_counted(redis_server, worker, 1)
    redis_server.client.script_flush()
    publish(queues, 1)
    wait_counted(redis_server, worker, 2)


def test_a_password_and_a_database_of_the_url_are_used(start_worker, queues, redis_server):
    redis_server.client.config_set("requirepass", "a password")
    worker = start_worker(REDIS_URL=f"redis://:a%20password@127.0.0.1:{redis_server.port}/3")
    publish(queues, 2)
    client = servers.redis.Redis("127.0.0.1", redis_server.port, db=3, password="a password")
    servers.wait_until(lambda: counters(client).get("messages") == 2, lambda: worker.stderr[-2000:])
    client.close()
    redis_server.client = servers.redis.Redis("127.0.0.1", redis_server.port, password="a password")
    assert "a password" not in worker.stderr and "a%20password" not in worker.stderr


def test_a_wrong_password_ends_it_with_69(rabbitmq, redis_server, names, queues, programs):
    redis_server.client.config_set("requirepass", "right")
    worker = programs(servers.Worker, {"AMQP_URL": rabbitmq.url, **names,
                                       "REDIS_URL": f"redis://:wrong-word@127.0.0.1:{redis_server.port}/0"}, clean_exit=(69,))
    assert worker.wait_exit() == 69
    assert "wrong-word" not in worker.stderr
    redis_server.client = servers.redis.Redis("127.0.0.1", redis_server.port, password="right")


def test_a_queue_with_other_arguments_ends_it_with_69(rabbitmq, redis_server, names, queues, programs):
    queues.channel.queue_declare(names["AMQP_QUEUE"], durable=True)
    worker = programs(servers.Worker, {"AMQP_URL": rabbitmq.url, **names, "REDIS_URL": redis_server.url}, clean_exit=(69,))
    assert worker.wait_exit() == 69
    assert names["AMQP_QUEUE"] in worker.stderr


def test_it_ends_with_69_only_if_every_broker_of_the_list_refuses(rabbitmq, redis_server, names, queues, programs):
    wrong = rabbitmq.url.replace("guest:guest", "guest:not-the-password")
    unknown = rabbitmq.url.replace("%2f", "nowhere")
    away = f"amqp://guest:guest@127.0.0.1:{servers.free_port()}/%2f"

    def start(urls, **options):
        return programs(servers.Worker, {"AMQP_URL": urls, **names, "REDIS_URL": redis_server.url}, **options)

    assert start(f"{wrong},{unknown}", clean_exit=(69,)).wait_exit() == 69
    for urls, status in ((f"{wrong},{away}", 503), (f"{away},{wrong}", 503), (f"{wrong},{rabbitmq.url}", 200)):
        worker = start(urls)
        servers.wait_until(lambda worker=worker, status=status: worker.readyz()[0] == status, lambda: worker.stderr)
        servers.wait_until(lambda worker=worker: "ACCESS_REFUSED" in worker.stderr, lambda: worker.stderr)
        assert "not-the-password" not in worker.stderr and worker.running()


def test_the_prefix_is_the_settings(start_worker, queues, redis_server):
    worker = start_worker(REDIS_PREFIX="other:")
    publish(queues, 1)
    servers.wait_until(lambda: counters(redis_server.client, prefix="other:").get("messages") == 1, lambda: worker.stderr)
    assert redis_server.client.keys("dc:*") == []


def test_a_separator_takes_the_campaign_from_the_foreign_id(start_worker, queues, redis_server):
    worker = start_worker(CAMPAIGN_FROM_FOREIGN_ID="/")
    queues.publish(*message(callback(foreign_id="spring/8812")))
    wait_counted(redis_server, worker, 1)
    assert counters(redis_server.client, "spring")["messages"] == 1


def test_lookup_and_stream_can_be_turned_off(start_worker, queues, redis_server):
    worker = start_worker(RESULT_TTL_S=0, RESULTS_STREAM_MAX=0)
    publish(queues, 1)
    wait_counted(redis_server, worker, 1)
    assert redis_server.client.keys("dc:result*") == []


def test_a_connection_to_the_broker_that_is_cut_is_opened_again_and_nothing_counts_twice(
        start_worker, queues, redis_server, rabbitmq):
    proxy = servers.CuttableProxy(rabbitmq.port)
    try:
        worker = start_worker(AMQP_URL=f"amqp://guest:guest@127.0.0.1:{proxy.port}/%2f", BATCH_MAX=7, PREFETCH=20)
        for _ in range(4):
            publish(queues, 60)
            proxy.cut()
            wait_not_ready(worker)
            proxy.restore()
            wait_ready(worker)
        wait_settled(worker, queues)
        wait_counted(redis_server, worker, 240)
    finally:
        proxy.close()


def test_a_worker_holds_no_more_than_its_prefetch(start_worker, queues, redis_server):
    worker = start_worker(PREFETCH=5)
    redis_server.kill()
    publish(queues, 20)
    wait_held(worker, 5)
    publish(queues, 1)  # which comes behind all that the broker would have sent
    assert queues.depth("AMQP_QUEUE") == 16
    assert worker.readyz()[1]["held"] == 5
    redis_server.start()
    wait_counted(redis_server, worker, 21)


def test_a_stop_while_redis_is_away_loses_nothing(start_worker, queues, redis_server):
    worker = start_worker()
    redis_server.kill()
    publish(queues, 10)
    wait_not_ready(worker)
    assert worker.finish() == 0
    redis_server.start()
    second = start_worker()
    wait_counted(redis_server, second, 10)


def test_a_stop_in_the_middle_of_work_counts_each_once(start_worker, queues, redis_server):
    for _ in range(3):
        worker = start_worker(BATCH_MAX=3)
        publish(queues, 100)
        assert worker.finish() == 0
    last = start_worker()
    wait_counted(redis_server, last, 300)


@pytest.mark.threads
def test_what_is_counted_and_what_is_rejected_adds_up_to_what_came(start_worker, queues, redis_server):
    worker = start_worker()
    body = callback()
    for _ in range(2):
        queues.publish(*message(body, "spring"))
    queues.publish(*message(b"broken"))
    queues.take("AMQP_REJECTED_QUEUE", 1)
    servers.wait_until(lambda: counters(redis_server.client).get("duplicate") == 1, lambda: worker.stderr)

    def all_came():
        values = worker.metrics()
        return values["dropworker_consumed_total"] == 3 and adds_up(worker)

    servers.wait_until(all_came, worker.metrics)
    values = worker.metrics()
    assert values["dropworker_counted_total"] == values["dropworker_duplicate_total"] == 1
    assert values['dropworker_rejected_total{reason="invalid_json"}'] == 1
    assert worker.finish() == 0


def test_an_idle_worker_tells_that_it_could_not_write(start_worker, redis_server):
    worker = start_worker()
    redis_server.client.replicaof("127.0.0.1", servers.free_port())
    wait_not_ready(worker, "READONLY")
    redis_server.client.replicaof("NO", "ONE")
    wait_ready(worker)
    redis_server.client.config_set("maxmemory", "1")
    wait_not_ready(worker, "OOM")
    redis_server.client.config_set("maxmemory", "0")
    wait_ready(worker)


def test_a_user_who_lacks_a_command_that_a_batch_needs_ends_it_with_69(rabbitmq, redis_server, names, queues, programs):
    for command in ("hset", "expire", "xadd", "evalsha", "eval", "script|load", "wait"):
        redis_server.client.execute_command("ACL", "SETUSER", "counting", "reset", "on", ">word", "~*", "+@all", f"-{command}")
        worker = programs(servers.Worker, {"AMQP_URL": rabbitmq.url, **names,
                                           "REDIS_URL": f"redis://counting:word@127.0.0.1:{redis_server.port}/0",
                                           "REDIS_WAIT_REPLICAS": 1},
                          clean_exit=(69,))
        assert worker.wait_exit() == 69, command
        assert ("waiting for replicas" if command == "wait" else "trying the commands that a batch needs") in worker.stderr


def test_a_user_without_the_dangerous_commands_is_enough(start_worker, queues, redis_server):
    redis_server.client.execute_command("ACL", "SETUSER", "counting", "reset", "on", ">word", "~dc:*", "+@all", "-@dangerous")
    worker = start_worker(REDIS_URL=f"redis://counting:word@127.0.0.1:{redis_server.port}/0")
    publish(queues, 3)
    wait_counted(redis_server, worker, 3)


def test_a_user_without_a_password_is_logged_in(start_worker, queues, redis_server):
    redis_server.client.execute_command("ACL", "SETUSER", "counting", "reset", "on", "nopass", "~dc:*", "+@all", "-@dangerous")
    worker = start_worker(REDIS_URL=f"redis://counting@127.0.0.1:{redis_server.port}/0")
    publish(queues, 1)
    wait_counted(redis_server, worker, 1)
    assert "counting" in [client["user"] for client in redis_server.client.client_list()]


def test_a_user_without_wait_is_enough_where_no_replica_is_waited_for(start_worker, queues, redis_server):
    redis_server.client.execute_command("ACL", "SETUSER", "counting", "reset", "on", ">word", "~dc:*", "+@all", "-wait")
    worker = start_worker(REDIS_URL=f"redis://counting:word@127.0.0.1:{redis_server.port}/0")
    publish(queues, 3)
    wait_counted(redis_server, worker, 3)


def test_a_server_that_does_not_sync_while_it_rewrites_its_file_is_named(start_worker, redis_server):
    redis_server.client.config_set("no-appendfsync-on-rewrite", "yes")
    worker = start_worker()
    assert "no-appendfsync-on-rewrite yes" in worker.readyz()[1]["redis_durability"]
    assert "set no-appendfsync-on-rewrite no" in worker.stderr
    redis_server.client.config_set("no-appendfsync-on-rewrite", "no")
    other = start_worker()
    assert "redis_durability" not in other.readyz()[1]


def test_a_key_named_by_a_phone_number_is_masked_in_the_log(start_worker, queues, redis_server):
    worker = start_worker()
    redis_server.client.set("dc:campaign:5552224444:counters", "text")
    queues.publish(*message(callback(), "5552224444"))
    wait_not_ready(worker, "dc:campaign:********44:counters")
    assert "5552224444" not in worker.stderr
    redis_server.client.delete("dc:campaign:5552224444:counters")
    servers.wait_until(lambda: counted(redis_server) == 1, lambda: worker.stderr[-3000:])


def test_an_opting_out_phone_is_listed_even_behind_many_others_of_its_drop(start_worker, queues, redis_server):
    worker = start_worker()
    drop = callback()["drop_id"]
    for number in range(12):
        queues.publish(*message(callback(drop_id=drop, phone_number=f"+155522200{number:02}"), "spring"))
    queues.publish(*message(callback(drop_id=drop, phone_number="+15552229999", dnc=True), "spring"))
    servers.wait_until(lambda: redis_server.client.zscore("dc:optouts", "+15552229999"), lambda: worker.stderr[-2000:])
    assert redis_server.client.zscore("dc:campaign:spring:optouts", "+15552229999")
