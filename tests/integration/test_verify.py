"""dropctl verify: what somebody deleted or changed in Redis is named, and mended to what an undamaged Redis would hold where
other keys tell that."""

import json
import random
import re
import threading

import generate
import model_harness
import pytest
import servers
from events import callback, counters, message
from generate import Sequence
from model import Settings

SETTINGS = Settings(604800, 86400, 1000, "")
SEQUENCE = Sequence(0, SETTINGS, 256, [])
RECEIVED = 1774041912000


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    driver = model_harness.Driver(tmp_path_factory.mktemp("verify"))
    try:
        yield driver
    finally:
        driver.close()


def verify(url, *arguments, **settings):
    status, out, err = servers.run_program("tools/dropctl", ["verify", *arguments], {"REDIS_URL": url, **settings})
    assert err == "" or status > 1, err
    return status, out, err


def copy(drop_id, status="success", campaign="spring", later_ms=0, **more):
    body = {"drop_id": drop_id, "status": status, "attempt_date": RECEIVED + later_ms, **more}
    envelope = {"type": "callback", "scheme": "token", "received_at": RECEIVED, "campaign": campaign, "message_id": "m"}
    return json.dumps(body).encode(), envelope


def failure(drop_id, reason, campaign="spring", **more):
    return copy(drop_id, "failure", campaign, reason=reason, **more)


def base():
    """Three campaigns that differ in all they count, and one that has events and no drop."""
    yield from (copy(f"s{i}", product_cost=0.5, to=f"+1206555{1000 + i}", dnc=i < 3) for i in range(9))
    yield from (failure(f"f{i}", reason) for i, reason in enumerate(["No Funds", "No Funds", "Too Many", "Opted out"]))
    yield from (copy(f"a{i}", campaign="autumn", tts_fee=0.1, to=f"+1206555{2000 + i}", dnc=i < 1) for i in range(3))
    yield from (failure(f"b{i}", "No Funds", "autumn", spam=True) for i in range(2))
    yield from (copy(f"u{i}", campaign="") for i in range(2))
    yield failure("uf", "Too Many", "")
    yield failure("f3", "Opted out", to="+12065559999", later_ms=1)
    yield copy("s0")
    for kind in ("completed", "paused"):
        body = {"type": f"campaign.{kind}", "event_id": kind, "timestamp": RECEIVED}
        yield json.dumps(body).encode(), copy("", campaign="autumn" if kind == "paused" else "winter")[1]
    yield json.dumps({"type": "contact.tagged", "event_id": "tag"}).encode(), copy("")[1]


# What comes after the damage: an outcome and a reason change, a new drop, an opt-out.
AFTER = [copy("f0", later_ms=9), failure("s1", "Too Many", later_ms=9), failure("f1", "Too Many", later_ms=9), copy("s20"),
         copy("a20", campaign="autumn", to="+12065552020", dnc=True), copy("s2", later_ms=9)]  # fmt: skip


def counted(driver, damage=None, after=()):
    """The public keys that hold after the base, the damage and what came then."""
    assert driver.run(SEQUENCE, list(base()))
    if damage:
        damage(driver.redis.client)
    if after:
        driver.more(SEQUENCE, list(after))
    return driver.state()[0]


def everything(client):
    return {key: client.dump(key) for key in client.keys("*")}


def differences(driver, expected):
    keys = driver.state()[0]
    names = set(expected) | set(keys)
    return model_harness.differences({key: expected[key] for key in names if key in expected and key != "results"},
                                     {key: keys[key] for key in names if key in keys and key != "results"})


@pytest.fixture(scope="module")
def sound(driver):
    return {"nothing": counted(driver), "events": counted(driver, None, AFTER)}


def delete(*keys):
    return lambda client: client.delete(*keys)


def put(key, field, value):
    return lambda client: client.hset(f"dc:{key}", field, value)


SPRING, AUTUMN = "dc:campaign:spring", "dc:campaign:autumn"

# What is mended by raising alone, exactly, with and without events after it.
RAISED = {
    "a campaign's counters": (delete(f"{SPRING}:counters"), "dc:campaign:spring:counters success: "),
    "a campaign's reasons": (delete(f"{SPRING}:reasons"), "dc:campaign:spring:reasons opted_out: 0"),
    "a campaign's counters and reasons": (delete(f"{SPRING}:reasons", f"{SPRING}:counters"), "dc:campaign:spring:counters messages: "),
    "the counters of unassigned": (delete("dc:campaign:unassigned:counters"), "dc:campaign:unassigned:counters success: "),
    "the totals": (delete("dc:totals"), "dc:totals messages: "),
    "the totals' reasons": (delete("dc:totals:reasons"), "dc:totals:reasons too_many: "),
    "the totals and their reasons": (delete("dc:totals", "dc:totals:reasons"), "dc:totals messages: "),
    "the list of campaigns": (delete("dc:campaigns"), "dc:campaigns spring: none, its last event was at 2026-03-20T21:25:12.00"),
    "one campaign of the list": (lambda client: client.zrem("dc:campaigns", "winter"), "dc:campaigns winter: none"),
    "the list of campaigns and their names": (delete("dc:campaigns", "dc:drops:campaign_names"), "dc:drops:campaign_names "),
    "a count that is too low": (put("campaign:spring:counters", "success", 2), "dc:campaign:spring:counters success: "),
    "words in a count": (put("campaign:autumn:counters", "failure", "many"), "dc:campaign:autumn:counters failure: no count"),
    "words in a cost": (put("totals", "product_cost_micros", "1.5"), "dc:totals product_cost_micros: no count"),
    "a count below 0": (put("totals", "spam", -7), "dc:totals spam: -7"),
    "a count past all bounds": (put("totals", "dnc", 2**63 - 1), "dc:totals dnc: no count"),
    "a reason that is gone": (lambda client: client.hdel(f"{AUTUMN}:reasons", "no_funds"), "dc:campaign:autumn:reasons no_funds: 0"),
    "an opt-out of the list of all": (lambda client: client.zrem("dc:optouts", "+12065551000"),
                                      "dc:optouts: of the phones of dc:campaign:spring:optouts 1 are missing"),
    "a later time in the list of all": (lambda client: client.zadd("dc:optouts", {"+12065551000": RECEIVED + 5000}),
                                        "dc:optouts: of the phones of dc:campaign:spring:optouts 1 are missing"),
    "an earlier time in the list of campaigns": (lambda client: client.zadd("dc:campaigns", {"spring": 5}), "dc:campaigns spring: an earlier event"),
}  # fmt: skip


@pytest.mark.parametrize("then", ["nothing", "events"])
@pytest.mark.parametrize("what", RAISED)
def test_mends_what_other_keys_tell(driver, sound, what, then):
    damage, line = RAISED[what]
    counted(driver, damage, AFTER if then == "events" else ())
    url, client = driver.redis.url, driver.redis.client
    epoch = client.get("dc:drops:epoch")
    before = everything(client)
    status, out, _ = verify(url)
    if then == "events" and status == 0:  # an event has mended it: an earlier time
        assert "time" in what and differences(driver, sound[then]) == []
        return
    assert status == 1 and (then == "events" or any(one.startswith(line) for one in out.splitlines())), out
    assert out.splitlines()[-1].endswith(f"restores what other keys tell: {len(out.splitlines()) - 1} wrong, 0 mended, {len(out.splitlines()) - 1} left")
    assert everything(client) == before
    status, out, _ = verify(url, "--repair")
    assert status == 0 and "left: " not in out and out.splitlines()[-1].endswith(" mended, 0 left"), out
    assert differences(driver, sound[then]) == []
    incarnation, revision = epoch.split(b":")
    assert client.get("dc:drops:epoch") == b"%s:%d" % (incarnation, int(revision) + 1)
    assert verify(url) == (0, "all 4 campaigns add up\n", "")
    driver.more(SEQUENCE, [copy("later")])
    assert verify(url) == (0, "all 4 campaigns add up\n", "")


LOWERED = {
    "a campaign's count that is too high": (put("campaign:spring:counters", "success", 999), "dc:campaign:spring:counters success: 999"),
    "a total that is too high": (put("totals", "failure", 999), "dc:totals failure: 999"),
    "a cost that is too high": (put("totals", "tts_fee_micros", 10**9), "dc:totals tts_fee_micros: 1000000000"),
    "a reason that was never given": (put("totals:reasons", "spam_detected", 3), "dc:totals:reasons spam_detected: 3"),
    "opt-outs that are too many": (put("campaign:autumn:counters", "opt_out", 50), "dc:campaign:autumn:counters opt_out: 50"),
}  # fmt: skip


@pytest.mark.parametrize("what", LOWERED)
def test_lowers_only_when_told_to(driver, sound, what):
    damage, line = LOWERED[what]
    counted(driver, damage)
    url = driver.redis.url
    held = driver.state()[0]
    status, out, _ = verify(url, "--repair")
    assert status == 1, out
    assert out.splitlines()[0].startswith(line) and out.splitlines()[0].endswith(" (only with --lower)"), out
    assert out.splitlines()[-1] == "1 wrong, 0 mended, 1 left"
    assert differences(driver, held) == []
    status, out, _ = verify(url, "--repair", "--lower")
    assert status == 0 and out.endswith("1 wrong, 1 mended, 0 left\n"), out
    assert differences(driver, sound["nothing"]) == []


def test_a_campaign_that_is_named_as_the_one_that_lost_counts_gets_what_the_totals_have_more(driver):
    """It had successes only, and one came after its counters were deleted: nothing else tells that it was this one."""
    assert driver.run(SEQUENCE, [copy(f"s{i}", product_cost=0.5) for i in range(4)] + [copy(f"a{i}", campaign="autumn") for i in range(2)])
    driver.redis.client.delete(f"{SPRING}:counters")
    driver.more(SEQUENCE, [copy("s9", product_cost=0.5)])
    status, out, _ = verify(driver.redis.url, "--repair")
    assert status == 1 and "name it: verify --repair --lost NAME" in out, out
    assert verify(driver.redis.url, "--repair", "--lost", "summer")[0] == 64
    status, out, _ = verify(driver.redis.url, "--repair", "--lost", "spring")
    assert status == 0, out
    assert driver.redis.client.hgetall(f"{SPRING}:counters") == {b"messages": b"5", b"success": b"5", b"product_cost_micros": b"2500000"}
    assert verify(driver.redis.url)[:2] == (0, "all 2 campaigns add up\n")


LOST = {
    "two campaigns' counters": (delete(f"{SPRING}:counters", f"{AUTUMN}:counters"), "autumn, spring"),
    "all of two campaigns' counts": (delete(f"{SPRING}:counters", f"{AUTUMN}:counters", f"{SPRING}:reasons", f"{AUTUMN}:reasons"),
                                     "autumn, spring"),
    "two campaigns' reasons": (delete(f"{SPRING}:reasons", f"{AUTUMN}:reasons"), "autumn, spring"),
    "an opt-out of a campaign's list": (lambda client: client.zrem(f"{SPRING}:optouts", "+12065551000"), None),
    "a blocked phone of the list of all": (lambda client: client.zrem("dc:optouts", "+12065559999"), None),
}  # fmt: skip


@pytest.mark.parametrize("what", LOST)
def test_guesses_nothing_and_accepts_a_loss_only_when_told_to(driver, what):
    damage, suspects = LOST[what]
    counted(driver, damage)
    url = driver.redis.url
    held = driver.state()[0]
    status, out, _ = verify(url, "--repair")
    assert status == 1, out
    assert differences(driver, held) == []
    assert suspects or "opt_out: " in out and "phones may be missing from its list" in out
    if suspects:
        (named,) = [one for one in out.splitlines() if "cannot be known" in one]
        assert sorted(named.split(": ")[2].split(". ")[0].split(", ")) == suspects.split(", "), out
    status, out, _ = verify(url, "--repair", "--lower")
    assert status == 0, out
    assert model_harness.broken_invariants(driver.state()[0]) == []
    assert verify(url)[0] == 0


def test_a_lost_hash_of_a_campaign_gets_its_last_event_back(driver, sound):
    counted(driver, delete("dc:campaign:winter"))
    status, out, _ = verify(driver.redis.url, "--repair")
    assert status == 0 and "dc:campaign:winter: none, its last event was at 2026-03-20T21:25:12.000Z; state and other" in out
    assert driver.redis.client.hgetall("dc:campaign:winter") == {b"last_event_at": b"2026-03-20T21:25:12.000Z"}
    counted(driver, delete("dc:campaign:winter", "dc:campaigns"))
    status, out, _ = verify(driver.redis.url, "--repair")
    assert status == 0 and differences(driver, {**sound["nothing"]}) == [
        "campaign:winter: missing; expected " + str(sound["nothing"]["campaign:winter"][1]),
        "campaigns winter: 'missing', expected 1774041912000",
    ], "with both gone nobody knows of it"


def test_a_campaign_that_lost_both_its_times_is_listed_all_the_same(driver):
    counted(driver, lambda client: (client.delete(SPRING), client.zrem("dc:campaigns", "spring")))
    status, out, _ = verify(driver.redis.url, "--repair")
    assert status == 0 and "dc:campaigns spring: none, its last event was at a time that is lost" in out, out
    driver.more(SEQUENCE, [copy("s30", later_ms=30)])
    assert driver.redis.client.zscore("dc:campaigns", "spring") == RECEIVED + 30
    assert driver.redis.client.hget(SPRING, "last_event_at") == b"2026-03-20T21:25:12.030Z"


@pytest.mark.parametrize("key", ["dc:totals", f"{SPRING}:reasons", "dc:campaigns", "dc:optouts", "dc:drops:campaign_names"])
def test_a_key_of_a_wrong_type_is_named_and_left(driver, key):
    counted(driver, lambda client: (client.delete(key), client.lpush(key, "text")))
    before = everything(driver.redis.client)
    for arguments in ([], ["--repair", "--lower"]):
        status, out, _ = verify(driver.redis.url, *arguments)
        assert status == 1 and out.startswith(f"{key}: of a wrong type; restore it"), out
        assert out.endswith("1 wrong, 0 mended, 1 left\n")
    assert everything(driver.redis.client) == before


def test_an_empty_redis_has_nothing_to_compare(driver):
    driver.run(SEQUENCE, [])
    driver.redis.client.flushall()
    for arguments in ([], ["--repair", "--lower"]):
        assert verify(driver.redis.url, *arguments) == (0, "nothing to compare: there are no campaigns under dc: (was Redis emptied, or is REDIS_PREFIX another?)\n", "")
    assert driver.redis.client.keys("*") == []


def test_another_schema_is_left_alone(driver):
    counted(driver, lambda client: client.set("dc:schema", "3"))
    status, out, err = verify(driver.redis.url, "--repair")
    assert (status, out) == (69, "") and "upgrade dropctl" in err


def test_nobody_there_exits_69():
    status, out, err = verify("redis://127.0.0.1:1/0")
    assert (status, out) == (69, "") and err.startswith("dropctl: Redis at 127.0.0.1:1: connecting")


@pytest.mark.parametrize("arguments", [["--lower"], ["--mend"], ["spring"]])
def test_arguments_that_it_does_not_know_exit_64(arguments):
    status, out, err = verify("redis://127.0.0.1:1/0", *arguments)
    assert (status, out) == (64, "") and "--repair" in err


def test_no_counter_is_left_out():
    (row,) = re.findall(r"^\| `dc:totals` \| hash \| (.*?), over all", (servers.ROOT / "docs" / "redis-keys.md").read_text(), re.M)
    source = (servers.ROOT / "tools" / "sums.c").read_text()
    assert re.findall(r"`(\w+)`", row) == re.findall(r'\[SUM_\w+\] = "(\w+)"', source)


def test_thousands_of_campaigns_and_phones_are_mended(driver):
    counted(driver)
    client = driver.redis.client
    with client.pipeline(transaction=False) as many:
        for i in range(3000):
            name = f"c{i}"
            many.hset(f"dc:campaign:{name}:counters", mapping={"messages": 3, "success": 2, "failure": 1})
            many.hset(f"dc:campaign:{name}:reasons", "no_funds", 1)
            many.hset(f"dc:campaign:{name}", mapping={"first_event_at": "2026-03-20T21:25:12.000Z", "last_event_at": "2026-03-20T21:25:12.000Z"})
            many.zadd("dc:campaigns", {name: RECEIVED})
        many.zadd(f"{SPRING}:optouts", {f"+1303{i:07}": RECEIVED + i for i in range(12345)})
        many.delete("dc:campaigns", "dc:optouts", "dc:totals")
        many.hset("dc:drops:campaign_names", mapping={100 + i: f"c{i}" for i in range(3000)})
        many.hset("dc:drops:campaign_numbers", mapping={f"c{i}": 100 + i for i in range(3000)})
        many.execute()
    status, out, _ = verify(driver.redis.url, "--repair")
    assert status == 0 and out.endswith(" mended, 0 left\n"), out[-2000:]
    assert "dc:optouts: of the phones of dc:campaign:spring:optouts 12348 are missing" in out
    assert client.zcard("dc:campaigns") == 3004 and client.hget("dc:totals", "messages") == b"%d" % (9000 + 21)
    assert client.zcard("dc:optouts") == 12345 + 4
    assert verify(driver.redis.url) == (0, "all 3004 campaigns add up\n", "")


def test_an_alias_is_no_campaign(driver, sound):
    """As dropctl campaigns alias leaves it."""
    counted(driver)
    client = driver.redis.client
    number = client.hget("dc:drops:campaign_numbers", "spring")
    client.hset("dc:campaign_aliases", "12345", "spring")
    client.hset("dc:drops:campaign_names", "777", "spring")
    client.hset("dc:drops:campaign_numbers", mapping={"12345": number, "#": 777})
    assert verify(driver.redis.url) == (0, "all 4 campaigns add up\n", "")
    client.hdel("dc:drops:campaign_names", number)
    client.delete(f"{SPRING}:counters")
    status, out, _ = verify(driver.redis.url, "--repair")
    assert status == 0 and f"dc:drops:campaign_names {number.decode()}: none, in dc:drops:campaign_numbers it is spring" in out
    assert client.hget("dc:drops:campaign_names", number) == b"spring"
    assert not client.exists("dc:campaign:12345") and not client.zscore("dc:campaigns", "12345")
    assert counters(client, "spring") == {name: int(count) for name, count in sound["nothing"]["campaign:spring:counters"][1].items()}


@pytest.mark.parametrize("what, epoch, damaged_at, key, refusal", [
    ("of another epoch", "e:2", "1", None, "EPOCH"), ("of an emptied Redis", "", "1", None, "EPOCH"),
    ("of before more damage", "e:1", "2", None, "EPOCH"), ("of before any damage", "e:1", "", None, "EPOCH"),
    ("of a key of another type", "e:1", "1", "dc:totals", "WRONGTYPE"),
    ("of a phone that is listed by now", "e:1", "1", None, "EPOCH"),
])  # fmt: skip
def test_repairs_are_refused_whole(driver, what, epoch, damaged_at, key, refusal):
    """An alias that is merged between the look and the repair, for one, begins another epoch."""
    client = driver.redis.client
    client.flushall()
    if epoch:
        client.set("dc:drops:epoch", epoch)
    if damaged_at:
        client.set("dc:drops:epoch:damaged", damaged_at)
    if key:
        client.lpush(key, "text")
    if what == "of a phone that is listed by now":
        client.zadd("dc:optouts", {"+13125550146": 9})
    before = everything(client)
    script = (servers.ROOT / "tools" / "verify_repair.lua").read_text()
    repairs = ["score", "campaigns", "spring", 5, "add", "totals", "success", 3, "list", "optouts", "+13125550146", 7]
    with pytest.raises(servers.redis.ResponseError, match=refusal):
        client.eval(script, 0, "dc:", "e:1", "1", *repairs)
    assert everything(client) == before


# ---- beside workers ----


class BeforeRepairs(servers.CuttableProxy):
    """To Redis; what a worker does meanwhile is done between the look and the first repair."""

    def __init__(self, port, meanwhile):
        self.meanwhile = [meanwhile]
        super().__init__(port)

    def take(self, one, client):
        data = super().take(one, client)
        if one is client and b"Makes repairs" in data and self.meanwhile:
            self.meanwhile.pop()()
        return data


CHANGES = {
    "reasons": [failure("f1", "Too Many", later_ms=9), copy("f0", later_ms=9, dnc=True), failure("s1", "No Funds", later_ms=9)],
    "campaigns": [(copy(f"s{i}", dnc=i < 3)[0], {**copy("", campaign="autumn")[1], "received_at": RECEIVED - 9}) for i in range(9)],
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("key", ["dc:totals", "dc:totals:reasons", f"{SPRING}:counters", f"{SPRING}:reasons"])
def test_a_worker_that_takes_from_a_lost_count_before_it_is_mended_changes_nothing(driver, key, change):
    expected = counted(driver, None, CHANGES[change])
    counted(driver, delete(key))
    between = BeforeRepairs(driver.redis.port, lambda: driver.more(SEQUENCE, CHANGES[change]))
    try:
        status, out, _ = verify(f"redis://127.0.0.1:{between.port}/0", "--repair")
    finally:
        between.close()
    assert not between.meanwhile
    assert status == 0, out
    assert differences(driver, expected) == []


def test_finds_nothing_wrong_and_repairs_exactly_while_workers_count(start_worker, queues, redis_server):
    """The last of the damage is done to a campaign that the workers count in."""
    workers = [start_worker(BATCH_MAX=16) for _ in range(2)]
    stop, published = threading.Event(), []

    def publish():
        while not stop.is_set():
            number = len(published)
            body = callback("failure" if number % 3 else "success", "No Funds", drop_id=f"{number - number % 2:024x}", dnc=number % 7 == 0,
                            phone_number=f"+1206555{number % 10000:04}")  # fmt: skip
            queues.publish(*message(body, ("spring", "autumn", f"new-{number // 30}")[number % 3]))
            published.append(body)

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        servers.wait_until(lambda: counters(redis_server.client).get("messages", 0) > 100, lambda: workers[0].stderr[-3000:])
        for _ in range(50):
            status, out, _ = verify(redis_server.url)
            assert status == 0, out
        for damage in (delete(f"{SPRING}:counters"), delete("dc:totals"), delete(f"{AUTUMN}:reasons"),
                       put("campaign:spring:counters", "success", 10**6)):  # fmt: skip
            damage(redis_server.client)
            status, out, _ = verify(redis_server.url)
            assert status == 1, out
            status, out, _ = verify(redis_server.url, "--repair", "--lower")
            assert status == 0, out
    finally:
        stop.set()
        thread.join()
    servers.wait_until(lambda: queues.depth("AMQP_QUEUE") == 0 and all(worker.readyz()[1]["held"] == 0 for worker in workers),
                       lambda: workers[0].stderr[-3000:])  # fmt: skip
    assert counters(redis_server.client)["messages"] == len({body["drop_id"] for body in published})
    keys = model_harness.keys_of(redis_server.client.eval(model_harness.DUMP, 0, "dc:"))[0]
    assert model_harness.broken_invariants(keys) == []
    assert verify(redis_server.url)[0] == 0


def test_a_worker_names_the_command_and_forgets_the_damage_after_it(start_worker, queues, redis_server):
    """The issue's row: others go on, the key is named, verify says so, and the repair is what was there."""
    worker = start_worker()
    for drop in ("1" * 24, "2" * 24, "3" * 24):
        queues.publish(*message(callback("failure", "No Funds", drop_id=drop, attempt_date="2025-06-15T18:00:00Z"), "spring"))
    servers.wait_until(lambda: counters(redis_server.client).get("messages") == 3, lambda: worker.stderr[-3000:])
    redis_server.client.delete(f"{SPRING}:counters")
    queues.publish(*message(callback(drop_id="1" * 24, attempt_date="2025-06-16T18:00:00Z"), "spring"))
    queues.publish(*message(callback(), "autumn"))
    servers.wait_until(lambda: counters(redis_server.client).get("messages") == 4, lambda: worker.stderr[-3000:])
    servers.wait_until(lambda: worker.readyz()[1].get("redis_damaged") == [f"{SPRING}:counters"], lambda: worker.stderr[-3000:])
    assert "dropctl verify" in worker.stderr
    status, out, _ = verify(redis_server.url)
    assert status == 1 and "dc:campaign:spring:counters messages: 0, the totals less the other campaigns say 3: +3" in out, out
    assert verify(redis_server.url, "--repair")[0] == 0
    assert counters(redis_server.client, "spring") == {"messages": 3, "success": 1, "failure": 2, "revised": 1}
    queues.publish(*message(callback(), "autumn"))
    servers.wait_until(lambda: "redis_damaged" not in worker.readyz()[1], lambda: f"{worker.readyz()}\n{worker.stderr[-3000:]}")
    assert worker.readyz()[0] == 200


# ---- whatever is done ----


@pytest.mark.parametrize("number", range(model_harness.size(20, 400)))
def test_random_sequences_add_up_before_and_after_any_damage(driver, number):
    """What --repair alone has mended is never less than it was; with --lower all adds up."""
    seed = f"verify {model_harness.SEED} {number}"
    sequence = generate.sequence(seed)
    driver.run(sequence)
    client = driver.redis.client
    status, out, _ = verify(driver.redis.url)
    assert (status, out.split()[0]) == (0, "all"), f"{seed}\n{out}"
    rng = random.Random(seed)
    keys = sorted(key for key in client.keys("dc:*") if key.endswith((b"totals", b":counters", b":reasons")))
    for key in rng.sample(keys, min(len(keys), rng.randint(1, 3))):
        field = rng.choice(sorted(client.hkeys(key)))
        rng.choice([lambda: client.delete(key), lambda: client.hdel(key, field), lambda: client.hincrby(key, field, 5),
                    lambda: client.hset(key, field, 1), lambda: client.hset(key, field, "many")])()  # fmt: skip
    verify(driver.redis.url, "--repair")
    status, out, _ = verify(driver.redis.url, "--repair", "--lower")
    assert status == 0 and model_harness.broken_invariants(driver.state()[0]) == [], f"{seed}\n{out}"
