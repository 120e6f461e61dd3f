"""A batch that cannot be written leaves nothing behind, whatever stands in its way, and is counted once that is gone. The
sentence names the key and what to do about it, and no phone number."""

import json
import random

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
    "a total below 0": ("hset", "dc:totals", "messages", "-5"),
    "a total with a fraction": ("hset", "dc:totals", "messages", "1.5"),
    "a total past 2^53": ("hset", "dc:totals", "messages", "9007199254740993"),
    "a total that the batch would bring to 2^53": ("hset", "dc:totals", "messages", "9007199254740990"),
    "a total beyond any number": ("hset", "dc:totals", "messages", "9" * 400),
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
    "a campaign number with words in it": ("hset", "dc:drops:campaign_numbers", "spring", "first"),
    "what an earlier batch left": ("set", "dc:drops:unfinished", "text"),
    "the drops of one foreign_id": ("set", "dc:drops:shared:8812", "text"),
}


def named(key):
    """As an error names it: what a lookup is named by may be a phone number."""
    return "KEY " + (key.replace("8812", "***") if key.endswith(":8812") else key) + ":"


@pytest.mark.parametrize("what", PLANTED)
def test_nothing_is_half_written_and_the_key_is_named_with_a_wrong_value_in(driver, what):
    command, key, *value = PLANTED[what]
    driver.run(SEQUENCE, [])  # empties Redis, starts the driver
    client = driver.redis.client
    getattr(client, command)(key, *value)
    before = everything(client)
    outcomes = driver.more(SEQUENCE, SEQUENCE.copies)
    assert all(outcome.startswith("failed:") for outcome in outcomes) and outcomes, outcomes
    assert named(key) in outcomes[0]
    assert everything(client) == before
    client.delete(key)
    assert driver.more(SEQUENCE, SEQUENCE.copies) == ["counted", "counted", "unrecognized", "campaign", "opt_out"]


def copy(drop_id, status="success", campaign="spring", **more):
    body = {"drop_id": drop_id, "status": status, "attempt_date": RECEIVED, **more}
    envelope = {"type": "callback", "scheme": "token", "received_at": RECEIVED, "campaign": campaign, "message_id": "m"}
    return json.dumps(body).encode(), envelope


def event(**body):
    return copy(None, None, **body)


def refused(driver, copies, *words):
    """That the batch is refused with these words, and leaves nothing behind."""
    before = everything(driver.redis.client)
    outcomes = driver.more(SEQUENCE, copies)
    assert outcomes and all(outcome.startswith("failed:") for outcome in outcomes), outcomes
    assert all(word in outcomes[0] for word in words), outcomes[0]
    assert everything(driver.redis.client) == before
    return outcomes[0]


def totals(client):
    return {name.decode(): int(value) for name, value in client.hgetall("dc:totals").items()}


def test_a_schema_that_changes_under_a_worker_stops_the_batch(driver):
    """A worker looks when it connects; another version may come later."""
    driver.run(SEQUENCE, SEQUENCE.copies)
    driver.redis.client.set("dc:schema", "2")
    refused(driver, SEQUENCE.copies, "SCHEMA dc:schema is 2, this worker writes 1", "another version wrote these keys")
    driver.redis.client.set("dc:schema", "1")
    assert driver.more(SEQUENCE, SEQUENCE.copies) == ["duplicate"] * 5


@pytest.mark.parametrize("sequence", ["18446744073709551615", "18446744073709551614"])
def test_a_stream_without_enough_ids_left_stops_the_batch_before_anything_is_written(driver, sequence):
    driver.run(SEQUENCE, [])
    client = driver.redis.client
    client.xadd("dc:results", {"kind": "last"}, id=f"18446744073709551615-{sequence}")
    refused(driver, SEQUENCE.copies, "KEY dc:results:", "RENAME")
    client.delete("dc:results")
    assert driver.more(SEQUENCE, SEQUENCE.copies)[0] == "counted"


def test_a_stream_that_is_full_refuses_a_single_entry_too(driver):
    driver.run(SEQUENCE, [])
    driver.redis.client.xadd("dc:results", {"kind": "last"}, id="18446744073709551615-18446744073709551615")
    refused(driver, [copy("drop-1")])


def test_a_lost_campaign_name_that_only_a_lookup_needs_stops_the_batch(driver):
    """The drop that the lookup is to show is another one than the batch brings."""
    driver.run(SEQUENCE, [copy("drop-1", campaign="summer", foreign_id="F"), copy("drop-2")])
    client = driver.redis.client
    number = client.hget("dc:drops:campaign_numbers", "summer")
    client.hdel("dc:drops:campaign_names", number)
    earlier = copy("drop-3", foreign_id="F", attempt_date=RECEIVED - 5000)
    for _ in range(2):
        sentence = refused(driver, [earlier], "KEY dc:drops:campaign_names:", "restore")
        assert "RENAME" not in sentence
    client.hset("dc:drops:campaign_names", number, "summer")
    assert driver.more(SEQUENCE, [earlier]) == ["counted"]
    assert totals(client) == {"messages": 3, "success": 3}
    assert client.xlen("dc:results") == 3


def test_sizes_of_a_wrong_type_stop_a_batch_that_only_clears_dead_generations(driver):
    driver.run(SEQUENCE, [copy("drop-1")])
    client = driver.redis.client
    birth, *rest = client.hget("dc:drops:generations", 1).decode().split(":")
    client.hset("dc:drops:generations", 1, ":".join([str(int(birth) - 3 * 604800 * 1000), *rest]))
    client.set("dc:drops:sizes", "text")
    pause = event(type="campaign.paused", event_id="two")
    for _ in range(2):
        refused(driver, [pause], "KEY dc:drops:sizes:")
    client.delete("dc:drops:sizes")
    assert driver.more(SEQUENCE, [pause]) == ["campaign"]
    assert client.xlen("dc:results") == 2


def spoil_record(client, drop_id, slug):
    for key in client.keys("dc:drops:1:*"):
        for field, record in client.hgetall(key).items():
            if drop_id.encode() in field:
                client.hset(key, field, record[:2] + bytes([slug]) + record[3:])
                return key.decode(), field, record
    raise AssertionError(f"no record of {drop_id}")


@pytest.mark.parametrize("drop_id", ["drop-1", "drop-3"])
def test_a_reason_that_only_a_newer_worker_knows_stops_the_batch(driver, drop_id):
    """In the record of the drop itself, and in that of another which the lookup is to show."""
    driver.run(SEQUENCE, [copy("drop-1", "failure", reason="No Funds", foreign_id="F"), copy("drop-2")])
    client = driver.redis.client
    key, field, record = spoil_record(client, "drop-1", 250)
    late = copy(drop_id, foreign_id="F", attempt_date=RECEIVED - 5000)
    refused(driver, [late], f"KEY {key}:", "start workers of that version")
    client.hset(key, field, record)
    assert driver.more(SEQUENCE, [late]) == ["duplicate" if drop_id == "drop-1" else "counted"]


def test_a_count_that_would_fall_below_0_stops_the_batch(driver):
    driver.run(SEQUENCE, [copy("drop-1")])
    client = driver.redis.client
    client.rename("dc:totals", "aside")
    revision = copy("drop-1", "failure", reason="No Funds", attempt_date=RECEIVED + 5)
    sentence = refused(driver, [revision], "KEY dc:totals: ERR its field success is 0 and would become -1", "restore")
    assert "RENAME" not in sentence
    client.rename("aside", "dc:totals")
    assert driver.more(SEQUENCE, [revision]) == ["revised"]
    assert totals(client) == {"messages": 1, "failure": 1, "revised": 1}


# ---- sums of money that are full ----

BOUND = 2**53
COST_FIELDS = ("product_cost_micros", "compliance_fee_micros", "tts_fee_micros")
MILLION = 1000000  # dollars: the most that one event may cost


def planted(driver, rooms):
    """An empty Redis whose sums have so many micros of room, the rest held by a campaign of the past."""
    driver.run(SEQUENCE, [])
    sums = {name: BOUND - 1 - room for name, room in zip(COST_FIELDS, rooms)}
    for key in ("dc:totals", "dc:campaign:past:counters"):
        driver.redis.client.hset(key, mapping=sums)
    driver.redis.client.zadd("dc:campaigns", {"past": 1})
    return sums


def sums_of(client, key="dc:totals"):
    return tuple(int(client.hget(key, name) or 0) for name in COST_FIELDS)


def counted_costs(client, campaign="spring"):
    return sums_of(client, f"dc:campaign:{campaign}:counters")


def all_of(driver, copies):
    """What becomes of many copies: the pipes to the driver and back hold a part of them at a time."""
    return {outcome for first in range(0, len(copies), 1024) for outcome in driver.more(SEQUENCE, copies[first : first + 1024])}


def consistent(driver):
    keys, _ = driver.state()
    assert model_harness.broken_invariants(keys) == []
    assert all(count < BOUND for count in sums_of(driver.redis.client))


def test_absurd_costs_of_one_campaign_stop_no_other(driver):
    driver.run(SEQUENCE, [])
    client = driver.redis.client
    absurd = [copy(f"{number:024x}", product_cost=MILLION) for number in range(9100)]
    assert all_of(driver, absurd) == {"counted"}
    assert sums_of(client)[0] == 9007 * 10**12
    assert driver.more(SEQUENCE, [copy("honest", campaign="other", product_cost=0.01, tts_fee=0.02)]) == ["counted"]
    assert counted_costs(client, "other") == (10000, 0, 20000)
    consistent(driver)
    revoked = [copy(f"{number:024x}", product_cost=0, attempt_date=RECEIVED + 5) for number in range(9100)]
    assert all_of(driver, revoked) == {"duplicate"}
    assert sums_of(client) == (10000, 0, 20000)
    consistent(driver)


# Room in the three sums in micros; copies of drops as (drop, class and time, cost, fee); what counts in the end of each sum.
CALLBACK, RECEIPT = ("message.delivered", 10), ("contact.rvm.receipt", 10)
LATER, LATER_RECEIPT, LAST = ("message.delivered", 20), ("contact.rvm.receipt", 20), ("message.delivered", 30)
FULL_SUMS = {
    "one that just fits": ((5, 0, 0), [(1, CALLBACK, 5e-6, None)], (5, 0)),
    "one that just does not": ((5, 0, 0), [(1, CALLBACK, 6e-6, None)], (0, 0)),
    "one block: a fee that does not fit leaves out the cost": ((5, 1, 0), [(1, CALLBACK, 1e-6, 2e-6)], (0, 0)),
    "what the batch added before": ((5, 0, 0), [(1, CALLBACK, 3e-6, None), (2, CALLBACK, 3e-6, None)], (3, 0)),
    "a smaller one behind one that does not fit":
        ((5, 0, 0), [(1, CALLBACK, 3e-6, None), (2, CALLBACK, 3e-6, None), (3, CALLBACK, 2e-6, None)], (5, 0)),
    "what the batch took back before":
        ((5, 0, 0), [(1, CALLBACK, 5e-6, None), (1, LATER, 1e-6, None), (2, CALLBACK, 4e-6, None)], (5, 0)),
    "a better winner whose costs do not fit leaves those that count":
        ((5, 0, 0), [(1, CALLBACK, 4e-6, None), (1, LATER, 6e-6, None)], (4, 0)),
    "an equal copy with more": ((5, 0, 0), [(1, CALLBACK, 4e-6, None), (1, CALLBACK, 6e-6, None)], (4, 0)),
    "a copy with more that fits": ((5, 0, 0), [(1, CALLBACK, 4e-6, None), (1, LATER, 5e-6, None)], (5, 0)),
    "costs that do not count yet":
        ((5, 0, 0), [(1, CALLBACK, 4e-6, None), (1, LATER_RECEIPT, 9e-6, None)], (4, 0)),
    "kept costs that come to count and do not fit":
        ((5, 0, 0), [(1, CALLBACK, 4e-6, None), (1, LATER_RECEIPT, 9e-6, None), (1, LAST, None, None)], (4, 0)),
    "kept costs that come to count and fit":
        ((9, 0, 0), [(1, CALLBACK, 4e-6, None), (1, LATER_RECEIPT, 9e-6, None), (1, LAST, None, None)], (9, 0)),
    "a first copy without costs and a receipt whose costs do not fit":
        ((5, 0, 0), [(1, CALLBACK, None, None), (1, RECEIPT, 6e-6, None)], (0, 0)),
    "costs of 0 where there is no room": ((0, 0, 0), [(1, CALLBACK, 0, 0)], (0, 0)),
}


@pytest.mark.parametrize("batch", [256, 1])
@pytest.mark.parametrize("what", FULL_SUMS)
def test_costs_that_a_full_sum_has_no_room_for_are_none(driver, what, batch):
    room, copies, expected = FULL_SUMS[what]
    sums = planted(driver, room)
    events = []
    for drop, (name, time), cost, fee in copies:
        costs = {field: value for field, value in (("product_cost", cost), ("compliance_fee", fee)) if value is not None}
        events.append(copy(f"drop-{drop}", None, type=name, data={"status": "success"}, attempt_date=RECEIVED + time, **costs))
    outcomes = driver.more(SEQUENCE._replace(batch=batch), events)
    assert set(outcomes) <= {"counted", "duplicate"}, outcomes
    client = driver.redis.client
    assert counted_costs(client)[:2] == expected
    consistent(driver)
    end = [copy(f"drop-{drop}", attempt_date=RECEIVED + 99, product_cost=0) for drop, *_ in copies]
    assert set(driver.more(SEQUENCE, end)) == {"duplicate"}
    assert sums_of(client) == tuple(sums.values()), "what is taken back is what was counted"
    consistent(driver)


def random_copy(rng, drops):
    costs = {name: rng.choice([0, 1e-6, 0.3, 0.7, 1, MILLION]) for name in ("product_cost", "compliance_fee", "tts_fee")
             if rng.random() < 0.5}
    name = rng.choice(["message.delivered", "message.failed", "contact.rvm.receipt"])
    return copy(f"drop-{rng.randrange(drops)}", None, rng.choice(["spring", "summer"]), type=name, data={"status": "success"},
                attempt_date=RECEIVED + rng.randrange(12), **costs)


@pytest.mark.parametrize("seed", range(30))
def test_whatever_comes_while_the_sums_are_full_is_counted_and_can_be_taken_back(driver, seed):
    rng = random.Random(seed)
    sums = planted(driver, [rng.choice([0, 1, 900000, 2500000, 2 * 10**12]) for _ in COST_FIELDS])
    drops = 8
    for _ in range(6):
        batch = [random_copy(rng, drops) for _ in range(20)]
        outcomes = driver.more(SEQUENCE._replace(batch=rng.choice([1, 7, 256])), batch)
        assert set(outcomes) <= {"counted", "duplicate", "revised"}, outcomes
        consistent(driver)
    driver.more(SEQUENCE, [copy(f"drop-{drop}", attempt_date=RECEIVED + 99, product_cost=0) for drop in range(drops)])
    assert sums_of(driver.redis.client) == tuple(sums.values())
    consistent(driver)


def test_a_sum_that_is_full_in_a_campaign_alone_has_a_remedy_of_its_own(driver):
    driver.run(SEQUENCE, [copy("drop-1", product_cost=1)])
    client = driver.redis.client
    client.hset("dc:campaign:spring:counters", "product_cost_micros", BOUND - 1)
    more = copy("drop-2", product_cost=1)
    refused(driver, [more], f"KEY dc:campaign:spring:counters: ERR its field product_cost_micros is {BOUND - 1} and would reach 2^53",
            "set that field to its count again")
    client.hset("dc:campaign:spring:counters", "product_cost_micros", 1000000)
    assert driver.more(SEQUENCE, [more]) == ["counted"]
    consistent(driver)


REMEDIES = {
    "dc:result:8812": "RENAME",
    "dc:drops:shared:8812": "RENAME",
    "dc:results": "RENAME",
    "dc:minute:202603202125": "RENAME",
    "dc:unknown_reasons": "RENAME",
    "dc:events": "RENAME",
    "dc:drops:sizes": "RENAME",
    "dc:campaigns": "add the campaigns",
    "dc:campaign:spring": "its counts stay",
    "dc:campaign:spring:counters": "do not move it away",
    "dc:campaign:spring:reasons": "do not move it away",
    "dc:campaign:spring:optouts": "add its phones again",
    "dc:optouts": "add its phones again",
    "dc:totals": "do not move it away",
    "dc:totals:reasons": "do not move it away",
    "dc:drops:generations": "do not move it away",
    "dc:drops:campaign_numbers": "do not move it away",
    "dc:drops:campaign_names": "do not move it away",
    "dc:drops:unfinished": "do not move it away",
}


@pytest.mark.parametrize("key", REMEDIES)
def test_the_remedy_for_a_key_forgets_no_count(driver, key):
    driver.run(SEQUENCE, [])
    driver.redis.client.set(key, "text")
    assert REMEDIES[key] in refused(driver, SEQUENCE.copies, named(key))


@pytest.mark.parametrize("phone", ["5552224444", "555-222-4444", "(555) 222 4444", "000000015552224444", "+15552224444",
                                   "a: 5552224444"])
def test_a_lookup_named_by_a_phone_is_not_told(driver, phone):
    client = driver.redis.client
    for key in ("dc:result:", "dc:drops:shared:"):
        driver.run(SEQUENCE, [copy("drop-1", foreign_id=phone)])
        client.delete(key + phone)
        client.set(key + phone, "text")
        sentence = refused(driver, [copy("drop-2", foreign_id=phone)], f"KEY {key}***: WRONGTYPE it holds a string")
        assert "4444" not in sentence


def test_a_campaign_named_by_a_phone_is_masked(driver):
    driver.run(SEQUENCE, [])
    driver.redis.client.set("dc:campaign:to-555-222-4444:counters", "text")
    sentence = refused(driver, [copy("drop-1", campaign="to-555-222-4444")], "KEY dc:campaign:to-***-***-**44:counters:")
    assert "do not move it away" in sentence


def test_a_reason_text_is_not_told(driver):
    driver.run(SEQUENCE, [])
    driver.redis.client.hset("dc:unknown_reasons", "no line at 5552224444", "many")
    bad = copy("drop-1", "failure", reason="no line at 5552224444")
    assert "4444" not in refused(driver, [bad], "KEY dc:unknown_reasons: ERR one of its fields")


def without_times(client):
    """All keys, but for what the clock and the server choose."""
    kept = {}
    for key in client.keys("*"):
        if key != b"dc:drops:generations":
            kept[key] = [fields for _, fields in client.xrange(key)] if key == b"dc:results" else client.dump(key)
    return kept


# What may be read only, and globs of what may be written: of one key a user may do the one without the other from Redis 7 on.
READ_ONLY = {
    "the stream": ("dc:[^r]*", "dc:result:*"),
    "the schema": ("dc:[^s]*",),
    "the generations": ("dc:[^d]*", "dc:drops:[^g]*"),
    "the opt-outs": ("dc:[^o]*",),
    "the campaigns": ("dc:[^c]*",),
    "the totals": ("dc:[^t]*",),
    "the lookups": ("dc:[^r]*", "dc:results"),
    "the records": ("dc:[^d]*", "dc:drops:[^1]*"),
}


@pytest.mark.parametrize("what", READ_ONLY)
def test_a_batch_that_is_stopped_half_way_is_finished_before_the_next(driver, what):
    """Nothing but permissions can: to read all keys and to write not all of them."""
    client = driver.redis.client
    driver.run(SEQUENCE, [])
    driver.more(SEQUENCE, SEQUENCE.copies)
    expected = without_times(client)
    driver.run(SEQUENCE, [])
    client.acl_setuser("operator", enabled=True, nopass=True, keys=["*"], commands=["+@all"], channels=["*"])
    operator = model_harness.servers.redis.Redis("127.0.0.1", driver.redis.port, username="operator", password="any")
    operator.execute_command("ACL", "SETUSER", "default", "resetkeys", "%R~*", *[f"%W~{glob}" for glob in READ_ONLY[what]])
    try:
        for _ in range(3):
            outcomes = driver.more(SEQUENCE, SEQUENCE.copies)
            assert all(outcome.startswith("failed:") for outcome in outcomes), outcomes
            assert what == "the stream" or "waits in dc:drops:unfinished; let the user of REDIS_URL write" in outcomes[0], outcomes
    finally:
        operator.execute_command("ACL", "SETUSER", "default", "resetkeys", "~*")
        operator.close()
    waiting = client.exists("dc:drops:unfinished")
    outcomes = driver.more(SEQUENCE, SEQUENCE.copies)
    assert waiting == (what != "the stream")  # that comes first
    if waiting:
        assert outcomes == ["duplicate"] * 5
        for key in ("dc:totals", "dc:campaign:spring:counters"):
            assert client.hget(key, "duplicate") == b"5"
            client.hdel(key, "duplicate")
    else:
        assert outcomes[0] == "counted"
    assert without_times(client) == expected


def test_a_key_that_changes_its_type_under_an_unfinished_batch_has_its_own_remedy(driver):
    client = driver.redis.client
    driver.run(SEQUENCE, [])
    client.acl_setuser("operator", enabled=True, nopass=True, keys=["*"], commands=["+@all"], channels=["*"])
    operator = model_harness.servers.redis.Redis("127.0.0.1", driver.redis.port, username="operator", password="any")
    operator.execute_command("ACL", "SETUSER", "default", "resetkeys", "%R~*", "%W~dc:[^t]*")
    try:
        driver.more(SEQUENCE, SEQUENCE.copies)
        assert operator.exists("dc:drops:unfinished")
    finally:
        operator.execute_command("ACL", "SETUSER", "default", "resetkeys", "~*")
        operator.close()
    client.set("dc:totals", "text")
    sentence = refused(driver, SEQUENCE.copies, "KEY dc:totals: WRONGTYPE", "waits in dc:drops:unfinished", "restore that key")
    assert "let the user" not in sentence
    client.delete("dc:totals")
    assert driver.more(SEQUENCE, SEQUENCE.copies) == ["duplicate"] * 5
    assert totals(client)["messages"] == 2


def test_a_lookup_with_a_foreign_hash_in_it_does_no_harm(driver):
    driver.run(SEQUENCE, [])
    driver.redis.client.hset("dc:result:8812", mapping={"id_sha256": "zz", "drop_id": "", "at": "never"})
    assert driver.more(SEQUENCE, SEQUENCE.copies)[:2] == ["counted", "counted"]
    assert driver.redis.client.hget("dc:totals", "messages") == b"2"
