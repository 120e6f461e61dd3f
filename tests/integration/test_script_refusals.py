"""A batch that cannot be written leaves nothing behind, whatever stands in its way, and is counted once that is gone."""

import json

import model_harness
import pytest
from generate import Sequence
from model import Settings

SETTINGS = Settings(604800, 86400, 1000, "")
RECEIVED = 1774041912000
PHONE = "+15552224444"


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    driver = model_harness.Driver(tmp_path_factory.mktemp("refusals"))
    try:
        yield driver
    finally:
        driver.close()


def copies():
    """One batch that touches every key there is."""
    bodies = [
        {"drop_id": "drop-1", "status": "failure", "reason": "Opted out", "phone_number": PHONE, "foreign_id": "8812"},
        {"drop_id": "drop-2", "status": "failure", "reason": "No such reason", "foreign_id": "8812", "product_cost": 0.1},
        {"type": "contact.tagged", "event_id": "one"},
        {"type": "campaign.paused", "event_id": "two"},
        {"type": "contact.opted_out", "event_id": "three", "data": {"phone": "5552225555"}},
    ]
    for body in bodies:
        envelope = {"type": "callback", "scheme": "token", "received_at": RECEIVED, "campaign": "spring", "message_id": "m"}
        yield json.dumps({"attempt_date": RECEIVED, **body}).encode(), envelope


def everything(client):
    return {key: client.dump(key) for key in client.keys("*")}


SEQUENCE = Sequence(0, SETTINGS, 256, list(copies()))

PLANTED = {
    "totals": ("set", "dc:totals", "text"),
    "totals with words in it": ("hset", "dc:totals", "messages", "many"),
    "the reasons": ("set", "dc:totals:reasons", "text"),
    "the campaigns": ("set", "dc:campaigns", "text"),
    "a campaign": ("set", "dc:campaign:spring", "text"),
    "a campaign's counters": ("set", "dc:campaign:spring:counters", "text"),
    "a campaign's reasons": ("set", "dc:campaign:spring:reasons", "text"),
    "a campaign's opt-outs": ("set", "dc:campaign:spring:optouts", "text"),
    "the opt-outs": ("set", "dc:optouts", "text"),
    "the stream": ("set", "dc:results", "text"),
    "a lookup": ("set", "dc:result:8812", "text"),
    "the minute": ("set", "dc:minute:202603202125", "text"),
    "the unknown reasons": ("set", "dc:unknown_reasons", "text"),
    "the events": ("set", "dc:events", "text"),
    "the generations": ("set", "dc:drops:generations", "text"),
    "a generation with words in it": ("hset", "dc:drops:generations", "1", "young"),
    "the sizes": ("set", "dc:drops:sizes", "text"),
    "a size with words in it": ("hset", "dc:drops:sizes", "1", "large"),
    "the campaign numbers": ("set", "dc:drops:campaign_numbers", "text"),
    "the campaign names": ("set", "dc:drops:campaign_names", "text"),
    "campaign numbers without names": ("hset", "dc:drops:campaign_numbers", "other", "1"),
    "the drops of one foreign_id": ("set", "dc:drops:shared:8812", "text"),
}


@pytest.mark.parametrize("what", PLANTED)
def test_nothing_is_half_written_and_the_key_is_named_with_a_wrong_value_in(driver, what):
    command, key, *value = PLANTED[what]
    driver.run(SEQUENCE, [])  # empties Redis, starts the driver
    client = driver.redis.client
    getattr(client, command)(key, *value)
    before = everything(client)
    outcomes = driver.more(SEQUENCE, SEQUENCE.copies)
    assert all(outcome.startswith("failed:") for outcome in outcomes) and outcomes, outcomes
    assert key in outcomes[0]
    assert everything(client) == before
    client.delete(key)
    assert driver.more(SEQUENCE, SEQUENCE.copies) == ["counted", "counted", "unrecognized", "campaign", "opt_out"]


def test_a_stream_whose_ids_are_exhausted_stops_the_batch_before_anything_is_written(driver):
    driver.run(SEQUENCE, [])
    client = driver.redis.client
    client.xadd("dc:results", {"kind": "last"}, id="18446744073709551615-18446744073709551615")
    before = everything(client)
    outcomes = driver.more(SEQUENCE, SEQUENCE.copies)
    assert all(outcome.startswith("failed:") for outcome in outcomes), outcomes
    assert everything(client) == before
    client.delete("dc:results")
    assert driver.more(SEQUENCE, SEQUENCE.copies)[0] == "counted"


def test_a_lookup_with_a_foreign_hash_in_it_does_no_harm(driver):
    driver.run(SEQUENCE, [])
    driver.redis.client.hset("dc:result:8812", mapping={"id_sha256": "zz", "drop_id": "", "at": "never"})
    assert driver.more(SEQUENCE, SEQUENCE.copies)[:2] == ["counted", "counted"]
    assert driver.redis.client.hget("dc:totals", "messages") == b"2"
