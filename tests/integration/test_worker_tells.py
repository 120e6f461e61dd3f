"""What a worker tells of its Redis: keys that people damaged, a Redis that was emptied, keys of a newer version, settings that
differ between workers, a server that may lose or forget."""

import pytest
import servers
from events import callback, counters, developer, drop_id, message
from waits import counted, duplicates, publish, wait_counted, wait_held, wait_not_ready, wait_ready, wait_said


def told(worker, name):
    """That member of /readyz of a worker that is ready; None without it."""
    status, body = worker.readyz()
    assert status == 200, body
    return body.get(name)


def wait_told(worker, name, *words):
    servers.wait_until(lambda: all(word in (told(worker, name) or "") for word in words),
                       lambda: f"{worker.readyz()}\n{worker.stderr[-3000:]}")


def wait_untold(worker, name):
    servers.wait_until(lambda: told(worker, name) is None, lambda: f"{worker.readyz()}\n{worker.stderr[-3000:]}")


def everything(client):
    return {key: client.dump(key) for key in client.keys("*")}


# ---- keys that were damaged ----


def revise(queues, drop, status, attempt, campaign):
    queues.publish(*message(callback(status, drop_id=drop, attempt_date=f"2025-06-15T18:00:0{attempt}.000Z"), campaign))


@pytest.mark.parametrize("campaign, shown", [("spring", "spring"), ("5552224444", "********44")])
def test_a_damaged_key_is_named_once_and_counting_goes_on(start_worker, queues, redis_server, campaign, shown):
    worker = start_worker()
    drop = drop_id()
    revise(queues, drop, "success", 0, campaign)
    servers.wait_until(lambda: counted(redis_server) == 1, lambda: worker.stderr[-3000:])
    assert told(worker, "redis_damaged") is None
    for attempt, status in enumerate(("failure", "success", "failure"), 1):
        redis_server.client.delete(f"dc:campaign:{campaign}:counters")
        revise(queues, drop, status, attempt, campaign)
        servers.wait_until(lambda attempt=attempt: counters(redis_server.client).get("revised") == attempt,
                           lambda: worker.stderr[-3000:])
    named = f"dc:campaign:{shown}:counters"
    servers.wait_until(lambda: told(worker, "redis_damaged") == [named], lambda: f"{worker.readyz()}\n{worker.stderr[-3000:]}")
    assert worker.metrics()["dropworker_redis_damaged_keys"] == 1
    said = [line for line in worker.stderr.splitlines() if "by hand" in line]
    assert len(said) == 1 and named in said[0] and "not what the drops add up to" in said[0], said
    if shown != campaign:
        assert campaign not in worker.stderr + worker.admin("/readyz")[1]
    queues.publish(*message(callback(), "summer"))
    servers.wait_until(lambda: counters(redis_server.client, "summer") == {"messages": 1, "success": 1}, lambda: worker.stderr)


@pytest.mark.parametrize("lost", ["dc:optouts", "dc:campaign:spring:optouts"])
def test_a_list_of_opt_outs_that_lost_phones_is_named_with_the_next_phone(start_worker, queues, redis_server, lost):
    worker = start_worker()

    def opt_out(number):
        queues.publish(*message(callback(dnc=True, phone_number=f"+1206555010{number}"), "spring"))
        servers.wait_until(lambda: redis_server.client.zscore("dc:optouts", f"+1206555010{number}"), lambda: worker.stderr[-3000:])

    opt_out(1)
    opt_out(2)
    redis_server.client.zrem(lost, "+12065550101")
    opt_out(3)
    servers.wait_until(lambda: told(worker, "redis_damaged") == [lost], lambda: f"{worker.readyz()}\n{worker.stderr[-3000:]}")
    said = [line for line in worker.stderr.splitlines() if "by hand" in line]
    assert len(said) == 1 and f"{lost} does not hold as many phones as were counted" in said[0], said


def test_damage_is_no_longer_told_once_an_operator_began_another_epoch(start_worker, queues, redis_server):
    worker = start_worker()
    drop = drop_id()
    revise(queues, drop, "success", 0, "spring")
    servers.wait_until(lambda: counted(redis_server) == 1, lambda: worker.stderr[-3000:])
    redis_server.client.delete("dc:campaign:spring:counters")
    revise(queues, drop, "failure", 1, "spring")
    servers.wait_until(lambda: told(worker, "redis_damaged"), lambda: worker.stderr[-3000:])
    incarnation, revision = redis_server.client.get("dc:drops:epoch").decode().split(":")
    redis_server.client.set("dc:drops:epoch", f"{incarnation}:{int(revision) + 1}")
    publish(queues, 1)
    wait_untold(worker, "redis_damaged")
    assert told(worker, "redis_emptied") is None


def test_a_stream_that_takes_no_more_entries_is_named(start_worker, queues, redis_server):
    worker = start_worker()
    redis_server.client.xadd("dc:results", {"result": "{}"}, id="18446744073709551615-18446744073709551615")
    publish(queues, 2)
    wait_counted(redis_server, worker, 2)
    servers.wait_until(lambda: told(worker, "redis_damaged") == ["dc:results"], lambda: worker.stderr[-3000:])
    assert "dc:results takes no more entries" in worker.stderr


# ---- a Redis that was emptied ----

LOST = {
    "all of it": lambda client: client.flushall(),
    "the schema": lambda client: client.delete("dc:schema"),
    "the epoch": lambda client: client.delete("dc:drops:epoch"),
    "the generations": lambda client: client.delete("dc:drops:generations"),
}


@pytest.mark.parametrize("what", LOST)
def test_a_redis_that_was_emptied_is_told_by_an_idle_worker_that_counted(start_worker, queues, redis_server, what):
    worker = start_worker()
    publish(queues, 3)
    wait_counted(redis_server, worker, 3)
    assert told(worker, "redis_emptied") is None
    LOST[what](redis_server.client)
    wait_told(worker, "redis_emptied", "was emptied or replaced", "dc:optouts")
    assert worker.metrics()["dropworker_redis_emptied_total"] == 1
    before = counted(redis_server)
    publish(queues, 2)
    wait_counted(redis_server, worker, before + 2)
    assert told(worker, "redis_emptied")
    assert worker.stderr.count("was emptied or replaced") == worker.metrics()["dropworker_redis_emptied_total"] == 1


def test_every_worker_that_counted_tells_that_redis_was_emptied_whoever_counts_first_again(start_worker, queues, redis_server):
    """The others find the epoch of another worker."""
    workers = [start_worker(PREFETCH=1, BATCH_MAX=1) for _ in range(2)]

    def both_counted():
        publish(queues, 1)
        return all(worker.metrics()["dropworker_counted_total"] >= 1 for worker in workers)

    servers.wait_until(both_counted, lambda: workers[0].stderr[-3000:])
    redis_server.client.flushall()
    publish(queues, 1)
    for worker in workers:
        wait_told(worker, "redis_emptied", "was emptied or replaced", "Unless only that key was deleted")


def test_a_redis_that_was_emptied_while_the_worker_had_no_connection_is_told(start_worker, queues, redis_server):
    proxy = servers.CuttableProxy(redis_server.port)
    try:
        worker = start_worker(REDIS_URL=f"redis://127.0.0.1:{proxy.port}/0")
        publish(queues, 3)
        wait_counted(redis_server, worker, 3)
        proxy.cut()
        redis_server.client.flushall()
        wait_not_ready(worker)
        proxy.restore()
        wait_ready(worker)
        wait_told(worker, "redis_emptied", "was emptied or replaced", "Unless only that key was deleted")
    finally:
        proxy.close()


def test_an_empty_redis_that_nothing_was_counted_in_is_nothing_to_tell(start_worker, queues, redis_server):
    worker = start_worker()
    redis_server.client.flushall()
    publish(queues, 1)
    wait_counted(redis_server, worker, 1)
    second = start_worker()
    worker.finish()
    publish(queues, 1)
    wait_counted(redis_server, second, 2)
    for one in (worker, second):
        assert "emptied" not in one.stderr
    assert told(second, "redis_emptied") is None and second.metrics()["dropworker_redis_emptied_total"] == 0


# ---- keys of a newer version ----


def wait_newer(worker):
    wait_not_ready(worker, '"redis":"newer_schema"', "upgrade this worker")


def test_keys_of_a_newer_version_at_the_start_stay_as_they_are_and_messages_in_the_queue(start_worker, queues, redis_server):
    start_worker(REDIS_PREFIX="other:").finish()  # which makes the queues
    redis_server.client.set("dc:schema", "3")
    before = everything(redis_server.client)
    publish(queues, 3)
    worker = start_worker(wait_ready=False)
    servers.wait_until(lambda: worker.admin_port, "the private listener")
    wait_newer(worker)
    assert worker.metrics()["dropworker_held"] == 0 and queues.depth("AMQP_QUEUE") == 3
    assert everything(redis_server.client) == before
    assert "upgrade this worker" in worker.stderr
    redis_server.client.delete("dc:schema")
    wait_ready(worker)
    wait_counted(redis_server, worker, 3)


def test_keys_that_become_those_of_a_newer_version_stay_as_they_are_and_messages_go_back(start_worker, queues, redis_server):
    worker = start_worker()
    publish(queues, 3)
    wait_counted(redis_server, worker, 3)
    redis_server.client.set("dc:schema", "3")
    before = everything(redis_server.client)
    queues.publish(*message(callback(), "summer"))  # a campaign that has no number yet
    publish(queues, 4)
    wait_newer(worker)
    servers.wait_until(lambda: queues.depth("AMQP_QUEUE") == 5, lambda: f"{worker.readyz()}\n{worker.stderr[-3000:]}")
    assert worker.running() and worker.metrics()["dropworker_held"] == 0
    assert everything(redis_server.client) == before
    redis_server.client.set("dc:schema", "2")
    wait_ready(worker)
    servers.wait_until(lambda: counted(redis_server) == 8, lambda: worker.stderr[-3000:])
    assert counters(redis_server.client, "summer") == {"messages": 1, "success": 1}
    assert told(worker, "redis_emptied") is None


@pytest.mark.parametrize("what, spoil", [
    ("a version that only a newer worker knows", lambda record: bytes([record[0] + 1]) + record[1:]),
    ("a reason that only a newer worker knows", lambda record: record[:2] + b"\xfa" + record[3:]),
])
def test_a_record_of_a_newer_version_is_told_and_nothing_is_changed_or_acknowledged(
        start_worker, queues, redis_server, what, spoil):
    worker = start_worker()
    body = callback("failure", "No Funds", foreign_id="")  # without one the reason is the third byte
    queues.publish(*message(body, "spring"))
    servers.wait_until(lambda: counted(redis_server) == 1, lambda: worker.stderr[-3000:])
    client = redis_server.client
    (key,) = client.keys("dc:drops:1:*")
    ((field, record),) = client.hgetall(key).items()
    client.hset(key, field, spoil(record))
    before = everything(client)
    queues.publish(*message(body, "spring"))
    wait_newer(worker)
    wait_held(worker, 1)
    assert worker.running() and everything(client) == before
    assert key.decode() in worker.stderr
    client.hset(key, field, record)
    wait_ready(worker)
    servers.wait_until(lambda: duplicates(redis_server) == 1, lambda: worker.stderr[-3000:])


def test_a_schema_of_no_released_version_ends_it_with_69_and_changes_or_acknowledges_nothing(
        rabbitmq, redis_server, names, queues, programs, start_worker):
    start_worker().finish()  # declares the queues
    redis_server.client.flushall()
    publish(queues, 3)
    for schema in ("1", "two"):
        redis_server.client.set("dc:schema", schema)
        worker = programs(servers.Worker, {"AMQP_URL": rabbitmq.url, **names, "REDIS_URL": redis_server.url}, clean_exit=(69,))
        assert worker.wait_exit() == 69
        assert worker.stderr.count("use an empty Redis or another REDIS_PREFIX") == 1 and "trying again" not in worker.stderr
        assert redis_server.client.mget(redis_server.client.keys("*")) == [schema.encode()]
        servers.wait_until(lambda: queues.depth("AMQP_QUEUE") == 3, "nothing is acknowledged")


# ---- settings that must be alike ----


def test_workers_with_other_settings_say_so_until_they_are_alike(start_worker, redis_server):
    first = start_worker(RESULT_TTL_S=100)
    assert told(first, "redis_settings") is None
    other = start_worker(RESULT_TTL_S=200, CAMPAIGN_FROM_FOREIGN_ID="/")
    assert ("this worker has RESULT_TTL_S=200 RETENTION_S=604800 CAMPAIGN_FROM_FOREIGN_ID=/, "
            "and another RESULT_TTL_S=100 RETENTION_S=604800 CAMPAIGN_FROM_FOREIGN_ID=: ") in other.stderr
    wait_told(first, "redis_settings", "this worker has RESULT_TTL_S=100", "another RESULT_TTL_S=200", "give all workers the same")
    wait_untold(other, "redis_settings")
    assert "this worker has RESULT_TTL_S=100" in first.stderr
    third = start_worker(RESULT_TTL_S=100)
    assert "this worker has RESULT_TTL_S=100" in third.stderr
    wait_untold(first, "redis_settings")
    wait_said(first, "no longer so: this worker has RESULT_TTL_S=100")
    wait_told(other, "redis_settings", "this worker has RESULT_TTL_S=200", "another RESULT_TTL_S=100")
    assert first.stderr.count("this worker has RESULT_TTL_S=100") == 2  # once it was mended
    assert 0 < redis_server.client.pttl("dc:drops:settings") <= 120000
    for ended in (first, third):
        ended.stop()
    redis_server.client.delete("dc:drops:settings")  # as if that time were over
    wait_untold(other, "redis_settings")


# ---- names that no rule knows ----


def test_a_name_that_sounds_like_consent_is_warned_of_once(start_worker, queues, redis_server):
    worker = start_worker(BATCH_MAX=2)
    names = ["contact.consent.updated", "list.opt_out", "contact.tag.added"]
    for _ in range(3):
        for name in names:
            queues.publish(*message(developer(name, phone="+12065550150"), kind="webhook"))
    publish(queues, 1)
    servers.wait_until(lambda: counted(redis_server) == 1 and worker.metrics()["dropworker_held"] == 0, lambda: worker.stderr[-3000:])
    worker.finish()
    for name, said in zip(names, (1, 1, 0), strict=True):
        assert worker.stderr.count(f'the event "{name}"') == said, worker.stderr
    assert "values that were ignored" not in worker.stderr
    assert redis_server.client.hgetall("dc:events") == {b"contact.consent.updated": b"3", b"contact.tag.added": b"3"}


# ---- a server that may lose or forget ----


def test_a_server_that_is_set_otherwise_is_noticed_at_rest_and_when_it_is_mended(start_worker, redis_server):
    worker = start_worker()
    assert told(worker, "redis_eviction") is None and told(worker, "redis_durability") is None
    redis_server.client.config_set("maxmemory-policy", "allkeys-lru")
    redis_server.client.config_set("appendfsync", "everysec")
    wait_told(worker, "redis_eviction", "maxmemory-policy allkeys-lru")
    wait_told(worker, "redis_durability", "appendfsync everysec")
    redis_server.client.config_set("maxmemory-policy", "noeviction")
    redis_server.client.config_set("appendfsync", "always")
    for name in ("redis_eviction", "redis_durability"):
        wait_untold(worker, name)
    assert worker.stderr.count("no longer so: ") == 2


def test_a_server_that_is_set_otherwise_is_noticed_while_events_flow(start_worker, queues, redis_server):
    worker = start_worker(BATCH_MAX=1)
    redis_server.client.config_set("maxmemory-policy", "volatile-ttl")

    def noticed():
        publish(queues, 20)
        return told(worker, "redis_eviction")

    servers.wait_until(noticed, lambda: worker.stderr[-3000:])


# ---- campaigns counted for the first time ----


def test_each_new_campaign_is_counted_once_by_whichever_worker_meets_it_first(start_worker, queues):
    def new(worker, *campaigns):
        """How many it has met once it has dealt with a callback of each, too."""
        until = worker.metrics()["dropworker_consumed_total"] + len(campaigns)
        for campaign in campaigns:
            queues.publish(*message(callback(), campaign))
        servers.wait_until(lambda: worker.metrics()["dropworker_consumed_total"] == until, lambda: worker.stderr[-3000:])
        return worker.metrics()["dropworker_new_campaigns_total"]

    first = start_worker()
    assert new(first) == 0
    assert new(first, "spring", "spring", None, "summer") == 2, "what has no campaign counts under unassigned, which is none"
    first.finish()
    second = start_worker()
    assert new(second, "spring") == 0
    assert new(second, "autumn") == 1
