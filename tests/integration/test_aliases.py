"""dropctl campaigns alias: one campaign under two names becomes one, whatever was counted before, meanwhile and after. Random
sequences are in test_model.py; here is each rule by its name, what is refused, and the command itself."""

import json
import random

import generate
import model_harness
import pytest
import servers
import test_workers_together as together
from generate import NOW, Sequence
from model import DEFAULTS, Model, iso
from model_harness import PREFIX, step
from waits import wait_ready

DROPCTL = "tools/dropctl"


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    driver = model_harness.Driver(tmp_path_factory.mktemp("aliases"))
    try:
        yield driver
    finally:
        driver.close()


def copy(drop_id, campaign="", status="success", at=0, received=0, **more):
    """Named by the URL, or by the body with campaign_id."""
    body = {"drop_id": drop_id, "status": status, "attempt_date": NOW - 1000 + at, **more}
    return json.dumps(body).encode(), envelope(campaign, received)


def event(name, campaign, at=0):
    body = {"type": f"campaign.{name}", "timestamp": NOW - 1000 + at, "data": {"campaign_id": campaign}}
    return json.dumps(body).encode(), envelope()


def told(drop_id, **data):
    body = {"type": "contact.opted_out", "timestamp": NOW - 500, "data": {"drop_id": drop_id, **data}}
    return json.dumps(body).encode(), envelope()


def envelope(campaign="", received=0):
    kind = {"type": "callback", "scheme": "token"} if campaign else {"type": "webhook", "scheme": "v1"}
    return {**kind, "received_at": NOW + received, "campaign": campaign, "message_id": "m"}


PHONE = "+15552224444"
BOTH = [copy("d", "spring"), copy("d", campaign_id="V", received=5)]
CASES = {
    "a callback at /spring, its status webhook with V, and V completed: one campaign, completed": [
        *BOTH, event("completed", "V", 10), step(alias=("V", "spring")),
    ],
    "what was counted is merged": [
        copy("a", "spring", "failure", reason="No Funds", product_cost=1), copy("b", "V", "failure", reason="No Funds", tts_fee=2),
        copy("c", "V", spam=True), copy("c", "V"), copy("c", "V", "failure", 5), step(alias=("V", "spring")),
    ],
    "what comes later under either name counts there": [
        copy("a", "V"), step(alias=("V", "spring")), copy("b", "V"), copy("c", "spring"), copy("a", "V", "failure", 5), event("paused", "V"),
    ],
    "copies that came before come again": [*BOTH, step(alias=("V", "spring")), *BOTH, *BOTH],
    "copies of one drop across the alias": [copy("d", "V"), step(alias=("V", "spring")), copy("d", "spring", "failure", 5), copy("d", "V", at=9)],
    "names that are one make no pair": [step(alias=("V", "spring")), *BOTH, copy("e", "V"), copy("e", campaign_id="spring")],
    "nor do pairs stay that were noted": [*BOTH, copy("d", campaign_id="X"), step(alias=("V", "spring"))],
    "an alias of what never came": [step(alias=("V", "spring")), copy("a", "V")],
    "an alias with a name that never came": [copy("a", "V"), step(alias=("V", "spring")), copy("b", "V")],
    "a chain is one campaign, the drops of the first name included": [
        copy("a", "X"), step(alias=("X", "V")), copy("b", "X"), step(alias=("V", "spring")), copy("a", "X", "failure", 5),
        copy("b", "V", "failure", 5), copy("c", "X"),
    ],
    "so is an alias of an alias": [copy("a", "X"), step(alias=("V", "spring")), step(alias=("X", "V")), copy("b", "X"), copy("a", "X", at=5)],
    "a phone on both lists keeps its earlier time": [
        copy("a", "V", to=PHONE, dnc=True, at=-9), copy("b", "spring", to=PHONE, dnc=True), copy("c", "X", to=PHONE, dnc=True, at=-5),
        copy("d", "X", to="+15552224445", dnc=True), step(alias=("V", "spring")), step(alias=("spring", "X")),
    ],
    "an opt-out before its drop": [
        told("d", campaign_id="V"), step(alias=("V", "spring")), copy("d", "X", to=PHONE), copy("d", "spring"), copy("d", "V"),
    ],
    "the later event of both gives the state": [
        event("completed", "V", 5), event("paused", "spring", 9), event("paused", "X", 1), event("started", "autumn", 8),
        step(alias=("V", "spring")), step(alias=("autumn", "X")),
    ],
    "of events at one time that which goes further": [
        event("completed", "V"), event("paused", "spring"), event("paused", "X"), event("completed", "autumn"),
        step(alias=("V", "spring")), step(alias=("X", "autumn")),
    ],
    "scheduled under one name, and running by the results of the other": [
        event("scheduled", "V"), copy("a", "spring", at=5), event("scheduled", "X", 9), copy("b", "autumn"),
        step(alias=("V", "spring")), step(alias=("autumn", "X")),
    ],
    "removed: what was merged stays, and what comes is its own": [
        copy("a", "V"), step(alias=("V", "spring")), step(remove="V"), copy("b", "V"), copy("a", "V", "failure", 5, received=5),
    ],
    "removed, and merged elsewhere": [
        copy("a", "V"), step(alias=("V", "spring")), step(remove="V"), copy("b", "V"), step(alias=("V", "autumn")), copy("c", "V"),
        copy("a", "spring", "failure", 5), copy("b", "V", "failure", 5),
    ],
    "removed from the middle of a chain: what was merged stays": [
        copy("a", "X"), step(alias=("X", "V")), step(alias=("V", "spring")), step(remove="V"), copy("a", "X", "failure", 5), copy("b", "V"),
        copy("c", "X"),
    ],
    "removed, and merged again": [
        copy("a", "V"), step(alias=("V", "spring")), step(remove="V"), copy("b", "V"), step(alias=("V", "spring")), copy("b", "V", at=5),
    ],
    "the campaign itself becomes an alias of what was one": [
        copy("a", "V"), step(alias=("V", "spring")), step(remove="V"), copy("b", "V"), step(alias=("spring", "V")), copy("a", "spring", at=5),
    ],
}  # fmt: skip


@pytest.mark.parametrize("batch", [1, 256])
@pytest.mark.parametrize("name", CASES)
def test_names_of_one_campaign_are_one(driver, name, batch):
    sequence = Sequence(name, DEFAULTS, batch, CASES[name])
    if model_harness.check(driver, sequence):
        pytest.fail(model_harness.explain(driver, sequence), pytrace=False)


def test_a_campaign_that_ran_for_ever_beside_its_completed_name_is_completed(driver):
    copies = CASES["a callback at /spring, its status webhook with V, and V completed: one campaign, completed"]
    driver.run(Sequence("", DEFAULTS, 256, copies[:-1]))
    client = driver.redis.client
    assert client.hget("dc:campaign:spring", "state") == b"running"
    assert client.hget("dc:campaign:V", "state") == b"completed" and not client.exists("dc:campaign:V:counters")
    assert client.hgetall("dc:campaign_links") == {b"spring|V": b"1"}
    assert campaigns(driver, "alias", "V", "spring")[0] == 0
    assert client.hget("dc:campaign:spring", "state") == b"completed"
    assert client.hgetall("dc:campaign:spring:counters") == {b"messages": b"1", b"success": b"1", b"duplicate": b"1"}
    assert client.zrange("dc:campaigns", 0, -1) == [b"spring"] and not client.keys("dc:campaign:V*")


# ---- the command ----


def campaigns(driver, *arguments, **settings):
    return servers.run_program(DROPCTL, ("campaigns", *arguments), {"REDIS_URL": driver.redis.url, **settings})


def everything(driver):
    return {key: driver.redis.client.dump(key) for key in driver.redis.client.keys("*")}


REFUSED = [
    ("what the command line cannot ask for", ("alias", "V", "unassigned"), "no campaign"),
    ("a cycle of two", ("alias", "spring", "V"), "spring cannot be an alias of V, for V is an alias of spring: --remove V first"),
    ("an alias of another campaign", ("alias", "V", "autumn"), "V is an alias of spring: --remove V first"),
    ("the removal of what is no alias", ("alias", "--remove", "spring"), "spring is no alias"),
]


@pytest.mark.parametrize(("arguments", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_is_refused_and_changes_nothing(driver, arguments, words):
    driver.run(Sequence("", DEFAULTS, 256, [copy("a", "V"), copy("b", "spring"), step(alias=("V", "spring"))]))
    before = everything(driver)
    status, out, err = campaigns(driver, *arguments)
    assert (status, out) == (64, "") and words in err and err.startswith("dropctl: campaigns")
    assert everything(driver) == before


def test_takes_an_id_of_bodies_as_it_stands_in_the_keys(driver):
    driver.run(Sequence("", DEFAULTS, 256, [copy("a", campaign_id="Spring sale/ü"), copy("b", "spring")]))
    assert campaigns(driver, "alias", "Spring%20sale%2F%C3%BC", "spring") == (
        0, "Spring%20sale%2F%C3%BC is spring from now on; messages merged: 1\n", "")  # fmt: skip
    assert driver.redis.client.hget("dc:campaign:spring:counters", "messages") == b"2"


def nothing_yet(names):
    return f"dropctl: nothing has come yet under {names}: is it spelled right?\n"


def test_tells_what_it_did(driver):
    driver.run(Sequence("", DEFAULTS, 256, [copy("a", "V"), copy("b", "V")]))
    told_ = [campaigns(driver, "alias", *arguments) for arguments in [
        ("V", "spring"), ("V", "spring"), ("W", "V"), ("spring", "autumn"), ("--remove", "V"), ("--list",)]]  # fmt: skip
    assert told_ == [
        (0, "V is spring from now on; messages merged: 2\n", nothing_yet("spring")),
        (0, "V is spring already\n", ""),
        (0, "W is spring from now on; messages merged: 0\n", nothing_yet("W")),
        (0, "spring is autumn from now on; messages merged: 2\n", nothing_yet("autumn")),
        (0, "V is a campaign of its own from now on; what was merged stays in autumn\n", ""),
        (0, "W is autumn\nspring is autumn\n", ""),
    ]


def test_suggests_what_drops_came_under(driver):
    """The name that drops count under first; what is an alias already is its campaign."""
    copies = [copy("a", "spring"), copy("a", campaign_id="V"), copy("b", "spring"), copy("b", campaign_id="W"), copy("c", "spring"),
              copy("c", campaign_id="W"), copy("d", "X"), copy("d", campaign_id="W")]  # fmt: skip
    driver.run(Sequence("", DEFAULTS, 1, copies))
    assert campaigns(driver, "alias", "--list") == (0, (
        "there are no aliases\n\ndrops came under two names; if they are one campaign:\n"
        "  dropctl campaigns alias W spring    # 2 drops\n  dropctl campaigns alias V spring    # 1 drop\n"
        "  dropctl campaigns alias W X    # 1 drop\n"), "")  # fmt: skip
    campaigns(driver, "alias", "X", "spring")
    assert campaigns(driver, "alias", "--list") == (0, (
        "X is spring\n\ndrops came under two names; if they are one campaign:\n"
        "  dropctl campaigns alias W spring    # 3 drops\n  dropctl campaigns alias V spring    # 1 drop\n"), "")  # fmt: skip


def test_days_keep_the_longer_of_their_lives(driver):
    driver.run(Sequence("", DEFAULTS, 1, [copy("a", "V"), copy("b", "spring"), copy("c", "W")]))
    client = driver.redis.client
    (days,) = {key.decode().rsplit(":", 1)[1] for key in client.keys("dc:campaign:*:day:*")}
    for name, life in (("V", 900), ("spring", 100), ("W", 500)):
        client.expire(f"dc:campaign:{name}:day:{days}", life)
    for alias, life in ((("V", "spring"), 900), (("W", "spring"), 900)):
        driver.alias(*alias)
        assert life - 60 < client.ttl(f"dc:campaign:spring:day:{days}") <= life
    assert client.hgetall(f"dc:campaign:spring:day:{days}") == {b"success": b"3"}


DAMAGED = {
    "a campaign of a wrong type": ("dc:campaign:V", "string"),
    "counters of a wrong type": ("dc:campaign:spring:counters", "string"),
    "a list of a wrong type": ("dc:campaign:V:optouts", "string"),
    "a day of a wrong type": (f"dc:campaign:V:day:{iso(NOW)[:10].replace('-', '')}", "string"),
    "campaigns of a wrong type": ("dc:campaigns", "string"),
    "pairs of a wrong type": ("dc:campaign_links", "string"),
    "aliases of a wrong type": ("dc:campaign_aliases", "string"),
    "numbers of a wrong type": ("dc:drops:campaign_numbers", "string"),
    "words in a count": ("dc:campaign:V:reasons", "many"),
    "a count below 0": ("dc:campaign:spring:reasons", "-1"),
    "a count beyond 64 bits": ("dc:campaign:V:counters", "9" * 40),
}


@pytest.mark.parametrize("what", DAMAGED)
def test_nothing_is_merged_beside(driver, what):
    copies = [copy("a", "V", "failure", to=PHONE, dnc=True), copy("b", "spring", "failure"), copy("b", campaign_id="V")]
    driver.run(Sequence("", DEFAULTS, 256, copies))
    key, value = DAMAGED[what]
    if value == "string":
        driver.redis.client.set(key, "text")
    else:
        driver.redis.client.hset(key, "other", value)
    before = everything(driver)
    answer = driver.redis.client.eval((servers.ROOT / "tools" / "alias.lua").read_text(), 0, PREFIX, "2", "e:1", "V", "spring", *model_harness.DAYS)
    assert answer[:2] == [b"wrong", key.encode()]
    assert everything(driver) == before


def test_a_damaged_key_is_named(driver):
    driver.run(Sequence("", DEFAULTS, 256, [copy("a", "V")]))
    driver.redis.client.set("dc:campaign:spring:counters", "text")
    status, out, err = campaigns(driver, "alias", "V", "spring")
    assert (status, out) == (69, "") and "dc:campaign:spring:counters is damaged: it holds a string, not a hash" in err


def test_a_lost_name_is_found_by_its_alias(driver):
    driver.run(Sequence("", DEFAULTS, 256, [copy("a", "V"), copy("b", "X")]))
    driver.redis.client.delete("dc:drops:campaign_names")
    driver.alias("V", "spring")
    assert driver.more(Sequence("", DEFAULTS, 256, []), [copy("a", "X", "failure", 5, received=9)]) == ["revised"]
    assert driver.redis.client.hgetall("dc:campaign:spring:counters") == {b"messages": b"1", b"failure": b"1", b"revised": b"1"}


OTHER_REDIS = [
    ("nobody there", {"REDIS_URL": "redis://127.0.0.1:1"}, None, 69, "Connection refused"),
    ("no address", {"REDIS_URL": "127.0.0.1"}, None, 78, "REDIS_URL cannot be used"),
    ("a prefix with a space", {"REDIS_PREFIX": "d c:"}, None, 78, "REDIS_PREFIX has"),
    ("a file that is not there", {"REDIS_CA_FILE": "/no/such.pem"}, None, 78, "REDIS_CA_FILE"),
    ("a newer schema", {}, "3", 69, "dc:schema is 3: a newer version wrote these keys; upgrade dropctl"),
    ("an older schema", {}, "1", 69, "use an empty Redis or another REDIS_PREFIX"),
]


@pytest.mark.parametrize(("settings", "schema", "code", "words"), [row[1:] for row in OTHER_REDIS], ids=[row[0] for row in OTHER_REDIS])
def test_a_redis_that_is_not_ours_is_left_alone(driver, settings, schema, code, words):
    driver.run(Sequence("", DEFAULTS, 256, [copy("a", "V")]))
    if schema:
        driver.redis.client.set("dc:schema", schema)
    before = everything(driver)
    for arguments in (("alias", "V", "spring"), ("alias", "--list")):
        status, out, err = campaigns(driver, *arguments, **settings)
        assert (status, out) == (code, "") and words in err
    assert everything(driver) == before


# ---- while events flow ----

FLOWING = [("spring", "summer-2026"), ("5", "1234"), ("summer-2026", "autumn")]


def apart(copies):
    """Each received at a time of its own: which of two copies came first does not depend on names then."""
    return [(body, {**envelope, "received_at": NOW + number}) for number, (body, envelope) in enumerate(copies)]


@pytest.mark.parametrize("seed", [1, 2, pytest.param(3, marks=pytest.mark.full)])
def test_aliases_that_are_set_while_two_workers_count_lead_to_the_same_sums(seed, start_worker, redis_server, queues):
    rng = random.Random(seed)
    copies = apart(together.copies_of_several_sequences(seed))
    expected = Model(together.SETTINGS, NOW, model_harness.REASONS)
    for alias in FLOWING:
        expected.alias(*alias)
    for body, envelope in copies:
        expected.apply(body, envelope)

    def start(wait_ready=False):
        bounds = {"PREFETCH": 64, "BATCH_MAX": 16, "BATCH_WAIT_MS": 5}
        return start_worker(wait_ready=wait_ready, CAMPAIGN_FROM_FOREIGN_ID=together.SETTINGS.separator, **bounds)

    workers = [start(wait_ready=True) for _ in range(2)]
    deliveries = [one for one in copies for _ in range(rng.choice([1, 1, 2, 3, 5]))]
    rng.shuffle(deliveries)
    part = len(deliveries) // (len(FLOWING) + 1) + 1
    merged = 0
    for number, alias in enumerate([*FLOWING, None]):
        counted = redis_server.client.hgetall("dc:totals")
        together.publish(queues, deliveries[number * part : (number + 1) * part])
        if alias:
            servers.wait_until(lambda: redis_server.client.hgetall("dc:totals") != counted)
            status, out, err = servers.run_program(DROPCTL, ("campaigns", "alias", *alias), {"REDIS_URL": redis_server.url})
            assert status == 0 and (err == "" or err.startswith("dropctl: nothing has come yet under ")), err
            merged += int(out.rsplit(" ", 1)[1])
    assert merged > 0

    def differences():
        keys = together.state_of(redis_server)
        model_harness.adopt_former_names(expected.state(), keys, expected.former)
        if queues.depth("AMQP_QUEUE") or any(worker.metrics()["dropworker_held"] for worker in workers):
            return ["not all is counted"]
        return model_harness.final_differences(expected, keys) + model_harness.broken_invariants(keys)

    servers.wait_until(lambda: not differences(), lambda: model_harness.shorter("\n".join(differences())))
    for worker in workers:
        wait_ready(worker)
