"""Groups of bridges and workers, each with a queue of its own, on one Redis (docs/scaling.md, "Several queues")."""

import json

import pytest
import servers
import wire
from events import counters

DROPS = 40


@pytest.fixture
def second_queue(rabbitmq, names):
    name = names["AMQP_QUEUE"] + ".2"
    yield name
    with rabbitmq.connect() as connection:
        connection.channel().queue_delete(name)


def test_copies_that_took_different_queues_count_once(second_queue, names, start_bridge, start_worker, queues, redis_server):
    groups = (names["AMQP_QUEUE"], second_queue)
    bridges = [start_bridge(AMQP_QUEUE=queue) for queue in groups]
    workers = [start_worker(AMQP_QUEUE=queue) for queue in groups]
    for number in range(DROPS):
        data = {"message_id": f"drop-{number}", "campaign_id": "spring"}
        body = json.dumps({"type": "message.delivered", "data": data}).encode()
        for bridge in bridges:
            assert wire.post(bridge.port, wire.WEBHOOK, body, wire.guide(body)).status == 200
    client = redis_server.client
    servers.wait_until(lambda: counters(client).get("duplicate") == DROPS, lambda: counters(client))
    assert counters(client)["messages"] == DROPS
    for worker in workers:
        assert worker.metrics()["dropworker_consumed_total"] == DROPS
