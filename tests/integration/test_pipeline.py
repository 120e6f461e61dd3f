"""End to end: the samples of tests/samples through dropctl, bridge, RabbitMQ and two workers into the counters that the file
tests/samples/expected promises, and the same by raw HTTP with every copy sent several times."""

import concurrent.futures
import json
import random

import servers
import wire
from events import counters, optouts, text_of

SAMPLES = servers.ROOT / "tests" / "samples"
CAMPAIGN = "summer-sale"


def expected_counters():
    lines = (SAMPLES / "expected").read_text().splitlines()
    return [line.split() for line in lines if not line.startswith("#")]


def found_counters(client):
    def value(key, field):
        found = client.hget(f"dc:{key}", field)
        return found.decode() if found else "0"

    return [[key, field, value(key, field)] for key, field, _ in expected_counters()]


def difference(client):
    return [f"{want} {got[2]}" for want, got in zip(expected_counters(), found_counters(client)) if want != got]


def assert_invariants(client):
    totals = counters(client)
    campaigns = [name.decode() for name in client.zrange("dc:campaigns", 0, -1)]
    assert totals["messages"] == totals["success"] + totals["failure"]
    assert totals["failure"] == sum(map(int, client.hvals("dc:totals:reasons")))
    for field in ("messages", "success", "failure", "dnc", "spam", "duplicate", "product_cost_micros", "compliance_fee_micros"):
        assert totals.get(field, 0) == sum(counters(client, name).get(field, 0) for name in campaigns), field
    assert totals["opt_out"] == len(optouts(client))


def test_the_samples_count_up_to_what_is_expected(start_bridge, start_worker, queues, redis_server):
    bridge = start_bridge()
    workers = [start_worker(), start_worker()]
    settings = {"WEBHOOK_SECRET": servers.WEBHOOK_SECRET, "CALLBACK_SECRET": servers.CALLBACK_SECRET}
    routes = {"guide": wire.WEBHOOK, "callback": wire.callback_path(CAMPAIGN), "v1": "/webhook"}
    sent = 0
    for scheme, path in routes.items():
        files = sorted((SAMPLES / scheme).glob("*.json"))
        sent += len(files)
        status, out, err = servers.run_program("tools/dropctl", ["send", "--url", bridge.url + path, "--scheme", scheme, *files], settings)
        assert status == 0, out + err
        assert out.count(': 200 {"received":true}') == len(files)
    assert sent == 23
    client = redis_server.client
    servers.wait_until(lambda: not difference(client), lambda: "\n".join([*difference(client), workers[0].stderr[-1000:]]))
    assert_invariants(client)
    assert json.loads(client.get("dc:result:order-8800"))["outcome"] == "success"
    assert sorted(optouts(client)) == ["+12065550103", "+12065550208", "+12065550209"]
    assert queues.depth("AMQP_REJECTED_QUEUE") == 0


def test_every_copy_sent_many_times_in_any_order_counts_the_same(start_bridge, start_worker, queues, redis_server):
    bridge = start_bridge()
    workers = [start_worker(BATCH_MAX=5) for _ in range(3)]
    requests = []
    for scheme in ("guide", "callback", "v1"):
        for file in (SAMPLES / scheme).glob("*.json"):
            body = file.read_bytes()
            path = wire.callback_path(CAMPAIGN) if scheme == "callback" else wire.WEBHOOK
            sign = {"guide": wire.guide, "v1": wire.v1, "callback": lambda _: {}}[scheme]
            # The bridge would tell v1's very bytes again: a line feed behind them makes other bytes of the same event.
            requests += [(path, body + b"\n" * (i if scheme == "v1" else 0), sign) for i in range(7)]
    random.Random(7).shuffle(requests)

    def send(share):
        connection = wire.connect(bridge.port)
        statuses = [wire.post(bridge.port, path, body, sign(body), connection).status for path, body, sign in share]
        connection.close()
        return statuses

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        statuses = sum(pool.map(send, [requests[i::8] for i in range(8)]), [])
    assert statuses == [200] * len(requests)
    client = redis_server.client

    def unequal():
        return [line for line in difference(client) if " duplicate" not in line.replace("'", " ")]

    # 23 samples seven times: 17 drops count, 3 campaign events and an opt-out event change no counter of messages.
    again = 23 * 7 - 17 - 4

    def counted_again():
        found = counters(client)
        return found.get("duplicate", 0) + found.get("revised", 0)

    # An empty queue is not the end: workers still hold what they have taken.
    servers.wait_until(lambda: not unequal() and counted_again() >= again, lambda: "\n".join([*unequal(), f"{counters(client)}", workers[0].stderr[-1000:]]))
    for worker in workers:
        assert worker.finish() == 0
    assert not unequal()
    assert_invariants(client)
    assert counted_again() == again
