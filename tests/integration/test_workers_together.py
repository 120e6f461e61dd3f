"""Several workers at one queue: every message 1 to 50 times, workers killed meanwhile; the final state is the model's."""

import collections
import random
import signal

import generate
import model_harness
import pika
import pytest
import servers
from model import Model, Settings
from waits import wait_ready

WORKERS = model_harness.size(4, 8)
SEQUENCES = model_harness.size(3, 12)
KILLS = model_harness.size(4, 12)
SETTINGS = Settings(604800, 86400, 100000, "/")


def copies_of_several_sequences(seed):
    """Distinct copies that meet in drops and campaigns, since all sequences draw on the same few."""
    rng = random.Random(seed)
    copies = []
    for number in range(SEQUENCES):
        for body, envelope in generate.copies_of(rng, 30):
            copies.append((body, {**envelope, "message_id": f"{number}-{envelope['message_id']}"}))
    return copies


def properties_of(envelope):
    headers = {"x-received-at": envelope["received_at"], "x-scheme": envelope["scheme"]}
    if envelope["campaign"]:
        headers["x-campaign"] = envelope["campaign"]
    return pika.BasicProperties(
        message_id=envelope["message_id"],
        timestamp=envelope["received_at"] // 1000,
        type=envelope["type"],
        app_id="dropbridge",
        delivery_mode=2,
        headers=headers,
    )


def publish(queues, deliveries):
    for body, envelope in deliveries:
        queues.publish(body, properties_of(envelope))


def state_of(redis_server):
    client = redis_server.client
    reply = client.eval(model_harness.DUMP, 0, model_harness.PREFIX)
    return model_harness.keys_of(reply)[0]


def kill_and_replace(rng, workers, start):
    """SIGKILL, as a machine that goes away; another takes its place."""
    number = rng.randrange(len(workers))
    workers[number].clean_exit = (-signal.SIGKILL,)
    workers[number].kill()
    workers[number] = start()


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.full)])
def test_several_workers_with_redeliveries_and_kills_reach_the_state_of_the_model(
    seed, start_worker, redis_server, queues
):
    rng = random.Random(seed)
    copies = copies_of_several_sequences(seed)
    expected = Model(SETTINGS, generate.NOW, model_harness.REASONS)
    for body, envelope in copies:
        expected.apply(body, envelope)

    def start(wait_ready=False):
        bounds = {"PREFETCH": 64, "BATCH_MAX": 16, "BATCH_WAIT_MS": 5}  # small, so that kills meet batches under way
        return start_worker(wait_ready=wait_ready, CAMPAIGN_FROM_FOREIGN_ID=SETTINGS.separator, **bounds)

    start(wait_ready=True).finish()  # declares the queues
    deliveries = [copy for copy in copies for _ in range(rng.choice([1, 1, 2, 3, 5, 10, 50]))]
    rng.shuffle(deliveries)
    backlog = len(deliveries) // 2
    publish(queues, deliveries[:backlog])
    workers = [start() for _ in range(WORKERS)]
    step = (len(deliveries) - backlog) // KILLS + 1
    for first in range(backlog, len(deliveries), step):
        publish(queues, deliveries[first : first + step])
        kill_and_replace(rng, workers, start)

    def differences():
        if queues.depth("AMQP_QUEUE"):
            return ["the queue is not empty"]
        return model_harness.final_differences(expected, state_of(redis_server))

    servers.wait_until(lambda: not differences(), lambda: model_harness.shorter(f"seed {seed}:\n" + "\n".join(differences())))
    finish(workers, queues, start)
    keys = state_of(redis_server)
    assert not model_harness.final_differences(expected, keys)
    assert not model_harness.broken_invariants(keys)
    check_rejected(queues, expected, deliveries)


def finish(workers, queues, start):
    """Stops them, and takes out what they had in hand: copies that were all told before."""
    for worker in workers:
        wait_ready(worker)  # the last one may have come when all was done
        worker.finish()
    while waiting(queues):
        last = start(wait_ready=True)
        servers.wait_until(lambda: queues.depth("AMQP_QUEUE") == 0 and last.metrics()["dropworker_held"] == 0, last.metrics)
        last.finish()


def waiting(queues):
    """How many messages wait, when the broker has heard the end of every consumer and has back what it held."""
    def told():
        return queues.channel.queue_declare(queues.names["AMQP_QUEUE"], passive=True).method

    servers.wait_until(lambda: told().consumer_count == 0, lambda: f"no consumer is left: {told()}")
    return told().message_count


def drain(queues, queue):
    """All messages of a queue."""
    while True:
        method, properties, body = queues.channel.basic_get(queues.names[queue], auto_ack=True)
        if method is None:
            return
        yield properties, body


def check_rejected(queues, expected, deliveries):
    """Every rejected copy is there as often as it was published at the least, byte for byte, with its reason."""
    reasons = {(body, envelope["message_id"]): reason for body, envelope, reason in expected.rejected}
    published = collections.Counter((body, envelope["message_id"]) for body, envelope in deliveries)
    found = collections.Counter()
    for properties, body in drain(queues, "AMQP_REJECTED_QUEUE"):
        copy = (body, properties.message_id)
        assert properties.headers["x-reject-reason"] == reasons[copy]
        found[copy] += 1
    missing = [copy for copy in reasons if found[copy] < published[copy]]
    assert not missing, f"{len(missing)} of {len(reasons)} rejected copies are missing: {missing[:3]}"
