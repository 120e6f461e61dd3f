"""What a worker holds of messages has a bound in bytes: past it the broker keeps the others."""

import json

import servers
from events import callback, message
from test_worker_pending_rejects import full, rejected
from waits import wait_counted, wait_metric, wait_said, wait_settled

MIB = 1 << 20
HELD_MAX = 32 * MIB  # LIMIT_HELD_BYTES of common/limits.h
POISON = 40


def poison_of_a_mebibyte(number):
    return json.dumps({"poison": number}).encode().ljust(MIB)


def heartbeats_heard(rabbitmq):
    """How often the broker has heard a worker's consumer that has nothing else to say. A frame of a heartbeat is 8 bytes. A
    connection that is being opened has no properties yet."""
    wanted = """[proplists:get_value(recv_oct, I)
                 || I <- rabbit_networking:connection_info_all([client_properties, recv_oct]),
                    Properties <- [proplists:get_value(client_properties, I)], is_list(Properties),
                    lists:member({<<"connection_name">>, longstr, <<"dropworker">>}, Properties)]."""
    (octets,) = json.loads(rabbitmq.control("eval", wanted))
    return octets / 8


def test_past_the_bound_nothing_is_read_until_there_is_room(start_worker, queues, names, rabbitmq, redis_server):
    assert start_worker().stop() == 0  # the queues are there
    bodies = [poison_of_a_mebibyte(number) for number in range(POISON)]
    for body in bodies:
        queues.publish(*message(body))
    queues.publish(*message(callback(), "spring"))
    rabbitmq.control("eval", "application:set_env(rabbit, heartbeat, 1).")
    try:
        with full(rabbitmq, names, queues):
            worker = start_worker(wait_ready=False)
            wait_metric(worker, "held_bytes", HELD_MAX)
            servers.wait_until(lambda: "as many as may" in json.dumps(worker.readyz()[1]), lambda: worker.readyz())
            assert worker.readyz()[0] == 503
            # Far more of them than the broker waits for before it gives a client up for dead.
            heard = heartbeats_heard(rabbitmq)
            servers.wait_until(lambda: heartbeats_heard(rabbitmq) >= heard + 10, lambda: worker.stderr[-2000:])
            told = worker.metrics()
            assert HELD_MAX <= told["dropworker_held_bytes"] < HELD_MAX + 2 * MIB
            assert told["dropworker_held"] == HELD_MAX / MIB
    finally:
        rabbitmq.control("eval", "application:set_env(rabbit, heartbeat, 60).")
    assert rejected(queues, POISON) == sorted(bodies)
    wait_counted(redis_server, worker, 1)
    wait_settled(worker, queues)
    told = worker.metrics()
    assert told["dropworker_held_bytes"] == 0
    assert told["dropworker_redelivered_total"] == told["dropworker_reconnects_total"] == 0


def test_what_is_larger_than_any_bridge_takes_is_moved_by_the_broker(start_worker, queues, redis_server):
    worker = start_worker()
    body = json.dumps(callback()).encode().ljust(16 * MIB + 1)
    for one in (callback(), body, callback()):
        queues.publish(*message(one, "spring"))
    ((properties, kept),) = queues.take("AMQP_REJECTED_QUEUE", 1)
    assert kept == body
    assert properties.headers["x-first-death-reason"] == "rejected"
    wait_counted(redis_server, worker, 2)
    wait_settled(worker, queues)
    wait_said(worker, "a message of more than 16777216 bytes is not read")
    assert worker.metrics()["dropworker_reconnects_total"] == 0


def test_one_as_large_as_a_bridge_may_take_is_counted(start_worker, queues, redis_server):
    worker = start_worker()
    queues.publish(*message(json.dumps(callback()).encode().ljust(16 * MIB), "spring"))
    wait_counted(redis_server, worker, 1)
    wait_settled(worker, queues)
