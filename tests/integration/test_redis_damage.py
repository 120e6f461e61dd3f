"""What stands in the way of a batch in Redis, and what does not. A key of a wrong type stops it before anything is written,
and the sentence names the key and what to do about it, and no phone number. A count that was deleted or changed stops
nothing, and never becomes negative."""

import json
import struct

import model_harness
import pytest
from generate import Sequence
from model import Settings

SETTINGS = Settings(604800, 86400, 1000, "")
RECEIVED = 1774041912000
PHONE = "+15552224444"


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    driver = model_harness.Driver(tmp_path_factory.mktemp("damage"))
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
    """But for the numbers of campaigns: one that was given and is not used yet harms nobody."""
    return {key: client.dump(key) for key in client.keys("*") if not key.startswith(b"dc:drops:campaign_n")}


SEQUENCE = Sequence(0, SETTINGS, 256, list(copies()))
APPLIED = ["counted", "counted", "unrecognized", "campaign", "opt_out"]


def copy(drop_id, status="success", campaign="spring", **more):
    body = {"drop_id": drop_id, "status": status, "attempt_date": RECEIVED, **more}
    envelope = {"type": "callback", "scheme": "token", "received_at": RECEIVED, "campaign": campaign, "message_id": "m"}
    return json.dumps(body).encode(), envelope


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


# ---- keys of a wrong type ----

REMEDIES = {
    "dc:totals": "computes it from the other keys",
    "dc:totals:reasons": "computes it from the other keys",
    "dc:campaigns": "add the campaigns",
    "dc:campaign:spring": "its counts stay",
    "dc:campaign:spring:counters": "computes it from the other keys",
    "dc:campaign:spring:reasons": "computes it from the other keys",
    "dc:campaign:spring:optouts": "add its phones again",
    "dc:optouts": "add its phones again",
    "dc:results": "RENAME",
    "dc:minute:202603202125": "RENAME",
    "dc:unknown_reasons": "RENAME",
    "dc:events": "RENAME",
    "dc:drops:sizes": "RENAME",
}


@pytest.mark.parametrize("key", REMEDIES)
def test_a_key_of_a_wrong_type_stops_the_batch_and_leaves_nothing_half_written(driver, key):
    driver.run(SEQUENCE, [copy("drop-0", campaign="summer")])
    client = driver.redis.client
    before = client.dump(key)
    client.delete(key)
    client.lpush(key, "text")
    for _ in range(2):
        refused(driver, SEQUENCE.copies, f"KEY {key}: WRONGTYPE", REMEDIES[key])
    client.delete(key)
    if before:
        client.restore(key, 0, before)
    assert driver.more(SEQUENCE, SEQUENCE.copies) == APPLIED


@pytest.mark.parametrize("name", ["drops:epoch", "drops:generations", "drops:campaign_numbers", "drops:campaign_names", "schema",
                                  "campaign_aliases"])
def test_what_a_worker_begins_with_stops_it_with_a_wrong_type(driver, name):
    driver.run(SEQUENCE, [])
    client = driver.redis.client
    client.lpush(f"dc:{name}", "text")
    (outcome,) = driver.more(SEQUENCE, [copy("drop-1")])
    assert outcome.startswith("failed:") and "WRONGTYPE" in outcome
    assert not client.exists("dc:totals")
    client.delete(f"dc:{name}")
    assert driver.more(SEQUENCE, [copy("drop-1")]) == ["counted"]


def test_a_bucket_of_a_wrong_type_is_named(driver):
    driver.run(SEQUENCE, [copy("drop-1")])
    client = driver.redis.client
    (bucket,) = client.keys("dc:drops:1:*")
    record = client.dump(bucket)
    client.delete(bucket)
    client.set(bucket, "text")
    refused(driver, [copy("drop-1")], f"KEY {bucket.decode()}: WRONGTYPE", "restore that key")
    client.delete(bucket)
    client.restore(bucket, 0, record)
    assert driver.more(SEQUENCE, [copy("drop-1")]) == ["duplicate"]


@pytest.mark.parametrize("kind", ["list", "foreign text"])
def test_a_lookup_that_holds_something_else_is_written_over(driver, kind):
    driver.run(SEQUENCE, [])
    client = driver.redis.client
    if kind == "list":
        client.lpush("dc:result:8812", "text")
    else:
        client.set("dc:result:8812", "text")
    assert driver.more(SEQUENCE, [copy("drop-1", foreign_id="8812")]) == ["counted"]
    assert json.loads(client.get("dc:result:8812"))["drop_id"] == "drop-1"


def test_a_campaign_named_by_a_phone_is_masked(driver):
    driver.run(SEQUENCE, [copy("drop-0")])
    driver.redis.client.set("dc:campaign:to-555-222-4444:counters", "text")
    sentence = refused(driver, [copy("drop-1", campaign="to-555-222-4444")], "KEY dc:campaign:to-***-***-**44:counters:")
    assert "computes it from the other keys" in sentence


def test_a_stream_without_ids_stops_nothing(driver):
    driver.run(SEQUENCE, [])
    client = driver.redis.client
    client.xadd("dc:results", {"result": "{}"}, id="18446744073709551615-18446744073709551615")
    assert driver.more(SEQUENCE, SEQUENCE.copies) == APPLIED
    assert totals(client)["messages"] == 2


# ---- other schemas and records ----


@pytest.mark.parametrize("schema, words", [
    ("1", "use an empty Redis or another REDIS_PREFIX"),
    ("3", "upgrade this worker"),
    ("two", "use an empty Redis or another REDIS_PREFIX"),
])
def test_a_schema_that_changes_under_a_worker_stops_the_batch(driver, schema, words):
    """A worker looks when it connects; another version may come later."""
    driver.run(SEQUENCE, SEQUENCE.copies)
    numbers = driver.redis.client.hgetall("dc:drops:campaign_numbers")
    driver.redis.client.set("dc:schema", schema)
    for copies in ([copy("drop-3", campaign="autumn")], SEQUENCE.copies):
        refused(driver, copies, "dc:schema", words)
    assert driver.redis.client.hgetall("dc:drops:campaign_numbers") == numbers
    driver.redis.client.set("dc:schema", "2")
    assert driver.more(SEQUENCE, SEQUENCE.copies) == ["duplicate"] * 5


@pytest.mark.parametrize("schema, epoch, refusal", [("3", "e:1", "SCHEMA"), ("2", "e:2", "EPOCH"), ("2", "e:1", None)])
def test_a_call_made_for_another_schema_or_epoch_writes_nothing(driver, schema, epoch, refusal):
    """Both may change between a worker's last look and its call."""
    driver.run(SEQUENCE, [])
    client = driver.redis.client
    client.mset({"dc:schema": schema, "dc:drops:epoch": epoch})
    script = (model_harness.servers.ROOT / "workers" / "counting" / "apply.lua").read_text()
    arguments = ["dc:drops:epoch", "e:1", "dc:schema", "2", "dc:campaigns", "", "0", "0", str(2**50), "0", "dc:drops:sizes", "1", "9",
                 struct.pack("<6H", 0, 0, 0, 1, 0, 0),
                 "dc:campaign:spring", "spring", "first", "last", "", "", "", "1", ""]  # fmt: skip
    if refusal:
        with pytest.raises(model_harness.servers.redis.ResponseError, match=refusal):
            client.eval(script, 0, *arguments)
    else:
        assert client.eval(script, 0, *arguments) == b"\0\0"
    assert client.exists("dc:campaigns", "dc:campaign:spring") == (0 if refusal else 2)


def spoil_record(client, spoil):
    (key,) = client.keys("dc:drops:1:*")
    ((field, record),) = client.hgetall(key).items()
    client.hset(key, field, spoil(record))
    return key.decode(), field, record


@pytest.mark.parametrize("what, spoil, words", [
    ("a version that only a newer worker knows", lambda r: bytes([r[0] + 1]) + r[1:], "upgrade this worker"),
    ("a foreign text", lambda r: b"\0text", "none that a worker wrote"),
    ("more bytes than a record ever has", lambda r: r + b"\0" * 70000, "none that a worker wrote"),
])
def test_a_record_of_no_version_of_ours_stops_the_batch(driver, what, spoil, words):
    driver.run(SEQUENCE, [copy("drop-1", "failure", reason="No Funds")])
    client = driver.redis.client
    key, field, record = spoil_record(client, spoil)
    refused(driver, [copy("drop-1"), copy("drop-2")], f"KEY {key}:", words)
    client.hset(key, field, record)
    assert driver.more(SEQUENCE, [copy("drop-1"), copy("drop-2")]) == ["duplicate", "counted"]


@pytest.mark.parametrize("what, spoil, words", [
    ("a reason that only a newer worker knows", lambda r: r[:2] + b"\xfa" + r[3:], "upgrade this worker"),
    ("a record cut short", lambda r: r[:-1], "none that a worker wrote"),
])
def test_a_record_that_cannot_be_read_stops_its_drop_and_the_batch_is_not_done(driver, what, spoil, words):
    """The script knows a record's version only; what else is in it, the worker, to whom it comes back."""
    driver.run(SEQUENCE, [copy("drop-1", "failure", reason="No Funds")])
    client = driver.redis.client
    key, field, record = spoil_record(client, spoil)
    (outcome, other) = driver.more(SEQUENCE, [copy("drop-1"), copy("drop-2")])
    assert outcome == other and outcome.startswith("failed:") and f"KEY {key}:" in outcome and words in outcome
    assert client.hget(key, field) == spoil(record) and totals(client)["messages"] == 2
    client.hset(key, field, record)
    assert driver.more(SEQUENCE, [copy("drop-1"), copy("drop-2")]) == ["duplicate", "duplicate"]


# ---- counts that were deleted or changed ----

DAMAGED = {
    "deleted totals": lambda client: client.delete("dc:totals"),
    "a campaign's deleted counters": lambda client: client.delete("dc:campaign:spring:counters"),
    "a campaign's deleted reasons": lambda client: client.delete("dc:campaign:spring:reasons", "dc:totals:reasons"),
    "words in a count": lambda client: client.hset("dc:totals", "failure", "many"),
    "a fraction in a count": lambda client: client.hset("dc:campaign:spring:counters", "failure", "1.5"),
    "a count below 0": lambda client: client.hset("dc:totals", "failure", "-5"),
    "a count beyond any number": lambda client: client.hset("dc:totals", "failure", "9" * 400),
    "a count at the end of 64 bits": lambda client: client.hset("dc:totals", "success", str(2**63 - 1)),
    "deleted opt-outs": lambda client: client.delete("dc:optouts", "dc:campaign:spring:optouts"),
    "a deleted campaign": lambda client: client.delete("dc:campaign:spring", "dc:campaigns"),
    "foreign times of a campaign": lambda client: client.hset("dc:campaign:spring", "last_event_at", "yesterday"),
    "deleted sizes": lambda client: client.delete("dc:drops:sizes"),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_damage_stops_nothing_and_no_count_becomes_negative(driver, what):
    driver.run(SEQUENCE, [copy("drop-1", "failure", reason="No Funds", product_cost=0.5), copy("drop-2", dnc=True, to=PHONE)])
    client = driver.redis.client
    DAMAGED[what](client)
    revisions = [copy("drop-1", attempt_date=RECEIVED + 5), copy("drop-2", "failure", attempt_date=RECEIVED + 5)]
    assert driver.more(SEQUENCE, revisions[:1]) + driver.more(SEQUENCE, revisions[1:]) == ["revised", "revised"]
    assert driver.more(SEQUENCE, [copy("drop-3", campaign="summer")]) == ["counted"]
    for key in client.keys("dc:*"):
        if client.type(key) == b"hash" and (b"totals" in key or b":counters" in key or b":reasons" in key):
            assert all(int(value) > 0 for value in client.hvals(key)), (key, client.hgetall(key))
    assert client.hgetall("dc:campaign:summer:counters") == {b"messages": b"1", b"success": b"1"}


@pytest.mark.parametrize("field", ["event_state", "event_at", "state", "last_result_at", "first_event_at"])
@pytest.mark.parametrize("state", ["scheduled", "paused"])
def test_a_lost_field_of_a_campaign_stops_nothing(driver, state, field):
    event = {"type": f"campaign.{state}", "event_id": "one", "timestamp": RECEIVED}
    campaign = json.dumps(event).encode(), copy("drop-1")[1]
    driver.run(SEQUENCE, [campaign, copy("drop-1", attempt_date=RECEIVED - 5)])
    driver.redis.client.hdel("dc:campaign:spring", field)
    late = [copy("drop-2", attempt_date=RECEIVED + 5), copy("drop-3", campaign="autumn")]
    assert driver.more(SEQUENCE, late) == ["counted", "counted"]
    assert totals(driver.redis.client)["messages"] == 3
    again = json.dumps({**event, "event_id": "two", "timestamp": RECEIVED + 9}).encode(), campaign[1]
    assert driver.more(SEQUENCE, [again]) == ["campaign"]
    found = driver.redis.client.hgetall("dc:campaign:spring")
    assert (found[b"state"], found[b"state_source"]) == (state.encode(), b"event")


def test_a_state_whose_time_is_none_gives_way_to_the_next(driver):
    driver.run(SEQUENCE, [copy("drop-1")])
    driver.redis.client.hset("dc:campaign:spring", mapping={"event_state": "running", "event_at": "9"})
    paused = json.dumps({"type": "campaign.paused", "event_id": "one", "timestamp": RECEIVED}).encode(), copy("drop-1")[1]
    assert driver.more(SEQUENCE, [paused]) == ["campaign"]
    assert driver.redis.client.hget("dc:campaign:spring", "state") == b"paused"


def test_a_lost_name_of_a_campaign_stops_nothing(driver):
    driver.run(SEQUENCE, [copy("drop-1", campaign="summer"), copy("drop-2")])
    client = driver.redis.client
    client.delete("dc:drops:campaign_names")
    model_harness.new_epoch(client)
    status = json.dumps({"event": "contact.sms.status", "data": {"drop_id": "drop-1", "status": "failure", "campaign_id": "V"}})
    later = status.encode(), {**copy("drop-1")[1], "campaign": "", "type": "webhook", "scheme": "v1"}
    assert driver.more(SEQUENCE, [later, copy("drop-3", campaign="autumn")]) == ["revised", "counted"]
    assert client.hget("dc:campaign:autumn:counters", "messages") == b"1"
    assert client.hgetall("dc:campaign:summer:counters") == {b"messages": b"1", b"failure": b"1", b"revised": b"1"}
    assert not client.exists("dc:campaign:unassigned:counters")


@pytest.mark.parametrize("lost", ["names", "numbers"])
def test_no_number_is_given_twice_after_the_loss_of(driver, lost):
    driver.run(SEQUENCE, [copy("drop-1", campaign="summer"), copy("drop-2")])
    client = driver.redis.client
    client.delete(f"dc:drops:campaign_{lost}")
    model_harness.new_epoch(client)
    assert driver.more(SEQUENCE, [copy("drop-3", campaign="autumn")]) == ["counted"]
    revisions = [copy("drop-1", "failure", "summer", attempt_date=RECEIVED + 5), copy("drop-2", "failure", attempt_date=RECEIVED + 5)]
    assert driver.more(SEQUENCE, revisions) == ["revised", "revised"]
    if lost == "names":  # with its next event a campaign has its name again
        for campaign in ("summer", "spring"):
            number = client.hget("dc:drops:campaign_numbers", campaign)
            assert client.hget("dc:drops:campaign_names", number).decode() == campaign
    counters = {name: client.hgetall(f"dc:campaign:{name}:counters") for name in ("spring", "summer", "autumn")}
    assert counters["autumn"] == {b"messages": b"1", b"success": b"1"}
    assert counters["spring"] == counters["summer"] == {b"messages": b"1", b"failure": b"1", b"revised": b"1"}


def test_an_emptied_redis_is_counted_into_anew(driver):
    driver.run(SEQUENCE, SEQUENCE.copies)
    driver.redis.client.flushall()
    assert driver.more(SEQUENCE, SEQUENCE.copies) == APPLIED


def test_an_emptied_redis_gives_campaigns_other_numbers(driver):
    """Both campaigns are known to the worker by what they were in the Redis of before."""
    spring, summer = copy("drop-1", "failure", reason="No Funds"), copy("drop-2", campaign="summer")
    driver.run(SEQUENCE, [spring, summer])
    driver.redis.client.flushall()
    assert driver.more(SEQUENCE, [copy("drop-2", campaign="summer")]) == ["counted"]
    assert driver.redis.client.hmget("dc:drops:campaign_numbers", "spring", "summer") == [None, b"1"]


# ---- a user who may read and not write ----

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
def test_a_user_who_may_read_a_key_and_not_write_it_is_refused_before_anything_is_written(driver, what):
    """From Redis 7 on a user may do the one without the other."""
    client = driver.redis.client
    driver.run(SEQUENCE, [])
    client.acl_setuser("operator", enabled=True, nopass=True, keys=["*"], commands=["+@all"], channels=["*"])
    operator = model_harness.servers.redis.Redis("127.0.0.1", driver.redis.port, username="operator", password="any")
    operator.execute_command("ACL", "SETUSER", "default", "resetkeys", "%R~*", *[f"%RW~{glob}" for glob in READ_ONLY[what]])
    operator.client_kill_filter(_type="normal", skipme=True)  # a worker looks when it connects
    try:
        for _ in range(3):
            outcomes = driver.more(SEQUENCE, SEQUENCE.copies)
            assert all(outcome.startswith("failed:") for outcome in outcomes), outcomes
        assert "let the user of REDIS_URL do that, and read and write every key under REDIS_PREFIX" in outcomes[0]
        assert operator.keys("dc:*") == []
    finally:
        operator.execute_command("ACL", "SETUSER", "default", "resetkeys", "~*")
        operator.close()
    assert driver.more(SEQUENCE, SEQUENCE.copies) == APPLIED
