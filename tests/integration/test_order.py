"""The same copies in every order leave one final state: what model_harness.final keeps of the keys."""

import itertools
import json
import random

import generate
import model_harness
import pytest
from generate import NOW, Sequence
from model import Model, Settings

SETS = model_harness.size(12, 60)
SHUFFLES = model_harness.size(10, 30)
SETTINGS = Settings(604800, 86400, 100000, "/")


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    driver = model_harness.Driver(tmp_path_factory.mktemp("order"))
    try:
        yield driver
    finally:
        driver.close()


def expected_of(settings, copies):
    model = Model(settings, NOW, model_harness.REASONS)
    for body, envelope in copies:
        model.apply(body, envelope)
    return model


def check_orders(driver, sequence, orders):
    """Each order, in batches of every size, against the model of the first."""
    expected = expected_of(sequence.settings, sequence.copies)
    for number, order in enumerate(orders):
        batched = sequence._replace(batch=(1, 2, 3, 256)[number % 4])
        driver.run(batched, order)
        lines = model_harness.final_differences(expected, driver.state()[0])
        if lines:
            shown = "\n".join(f"  {envelope} {body!r}" for body, envelope in order)
            found = "\n".join(f"  {line}" for line in lines)
            head = f"seed {sequence.seed}, {sequence.settings}, batch {batched.batch}, in this order:"
            pytest.fail(model_harness.shorter(f"{head}\n{shown}\ndifferences:\n{found}"), pytrace=False)


def few_copies(seed):
    """At most five copies, most of them of one drop."""
    rng = random.Random(seed)
    return Sequence(seed, generate.settings_of(rng), 1, generate.copies_of(rng, rng.randint(2, 5), clean=False))


def test_few_copies_in_all_their_permutations(driver):
    for seed in range(SETS):
        sequence = few_copies(seed)
        check_orders(driver, sequence, itertools.permutations(sequence.copies))


def test_many_copies_in_random_orders(driver):
    for seed in range(SETS):
        sequence = generate.sequence(seed)
        rng = random.Random(seed)
        orders = [rng.sample(sequence.copies, len(sequence.copies)) for _ in range(SHUFFLES)]
        check_orders(driver, sequence, orders)


def test_copies_delivered_again_in_any_place_change_nothing(driver):
    for seed in range(SETS):
        rng = random.Random(seed)
        sequence = few_copies(seed)
        orders = []
        for _ in range(10):
            order = list(sequence.copies)
            order += [rng.choice(order) for _ in range(rng.randint(1, 20))]
            rng.shuffle(order)
            orders.append(order)
        check_orders(driver, sequence, orders)


SOURCES = ("callback", "status", "receipt")
CARRIED = {
    "cost": {"product_cost": 0.04, "compliance_fee": 0.0029},
    "foreign_id": {"foreign_id": "8812"},
    "phone": {"to": "+15552224444"},
    "campaign": {"campaign_id": "spring"},
}


def three_sources(carriers, status, seconds):
    """One drop told by its callback, status webhook and receipt; carriers: for each value the source that brings it."""
    copies = []
    for source in SOURCES:
        code = 0 if status == "success" else 4002
        fields = {"drop_id": "0a1b2c3d4e5f60718293a4b5", "status": status, "reason_code": code}
        for name, carrier in zip(CARRIED, carriers):
            fields.update(CARRIED[name] if carrier == source else {})
        time = NOW + 1000 * seconds[source]
        if source == "callback":
            body = {**fields, "attempt_date": time}
        else:
            body = {"event": f"contact.rvm.{source}", "event_at": time, "event_id": source, "data": fields}
        envelope = {"type": "callback" if source == "callback" else "webhook", "scheme": "v1", "received_at": NOW}
        copies.append((json.dumps(body).encode(), envelope))
    return copies


@pytest.mark.parametrize("status", ["success", "failure"])
@pytest.mark.parametrize("seconds", [(0, 0, 0), (0, 1, 2), (2, 1, 0)], ids=["at one time", "in order", "backwards"])
def test_callback_status_and_receipt_make_one_drop_whatever_each_of_them_carries(driver, status, seconds):
    times = dict(zip(SOURCES, seconds))
    for carriers in itertools.islice(itertools.product(SOURCES, repeat=len(CARRIED)), 0, None, model_harness.size(4, 1)):
        copies = three_sources(carriers, status, times)
        sequence = Sequence(f"carried by {carriers}", SETTINGS, 1, copies)
        check_orders(driver, sequence, itertools.permutations(copies))
    keys, _ = driver.state()
    counters = model_harness.final(keys)["campaign:spring:counters"][1]
    assert counters == {"messages": "1", status: "1", "product_cost_micros": "40000", "compliance_fee_micros": "2900"}
    assert keys["totals"][1]["messages"] == "1" and keys["result:8812"][1]["phone"] == "+15552224444"


def test_a_lost_copy_is_found_out(driver):
    """The comparison of final states must see that one copy is missing."""
    copies = three_sources(("callback", "status", "receipt", "status"), "success", dict.fromkeys(SOURCES, 0))
    sequence = Sequence("lost", SETTINGS, 1, copies)
    for number in range(len(copies)):
        with pytest.raises(pytest.fail.Exception, match="expected"):
            check_orders(driver, sequence, [copies[:number] + copies[number + 1 :]])
