"""What is remembered of drops turns over by generations. The clock is not waited for: a generation is made older by moving
the birth that is noted of it, as if that much time had passed."""

import json

import model_harness
import pytest
from generate import Sequence
from model import Settings

KEEP = 604800  # RETENTION_S of these tests; a generation's length and how long it is kept behind that
REGISTRY = "dc:drops:generations"
RECEIVED = 1774041912000


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    driver = model_harness.Driver(tmp_path_factory.mktemp("generations"))
    try:
        yield driver
    finally:
        driver.close()


class Drops:
    """Copies told one after another to one Redis that starts empty."""

    def __init__(self, driver):
        self.driver = driver
        self.client = driver.redis.client
        driver.run(self.sequence([], KEEP))

    def sequence(self, copies, retention):
        return Sequence(0, Settings(retention, 86400, 1000, ""), 256, copies)

    @staticmethod
    def body(drop, status="success", reason="", later=0, **more):
        return {"drop_id": drop, "status": status, "reason": reason, "attempt_date": RECEIVED + later, **more}

    def tell(self, drop, *said, retention=KEEP, **more):
        return self.send(self.body(drop, *said, **more), retention)

    def send(self, body, retention=KEEP):
        (outcome,) = self.send_together([body], retention)
        return outcome

    def send_together(self, bodies, retention=KEEP):
        envelope = {"type": "callback", "scheme": "token", "received_at": RECEIVED + 60000, "campaign": "spring",
                    "message_id": "m"}
        return self.driver.more(self.sequence([], retention), [(json.dumps(body).encode(), envelope) for body in bodies])

    def listed(self):
        """number -> birth, length, keep, buckets."""
        texts = self.client.get(REGISTRY).decode().split()
        return {int(number): rest for number, *rest in (text.split(":") for text in texts)}

    def generations(self):
        return sorted(self.listed())

    def age(self, number, seconds):
        listed = self.listed()
        listed[number][0] = str(int(listed[number][0]) - seconds * 1000)
        self.list(listed)

    def put_all_into_one_bucket(self):
        self.list({number: [*rest[:3], "1"] for number, rest in self.listed().items()})

    def list(self, listed):
        self.client.set(REGISTRY, " ".join(":".join([str(one), *rest]) for one, rest in listed.items()))
        model_harness.new_epoch(self.client)

    def totals(self):
        return {name.decode(): int(value) for name, value in self.client.hgetall("dc:totals").items()}

    def buckets(self, number):
        return [key for key in self.client.keys(f"dc:drops:{number}:*")]


@pytest.fixture
def drops(driver):
    return Drops(driver)


def test_a_drop_told_before_the_turn_is_known_after_it(drops):
    assert drops.tell("drop-1") == "counted"
    drops.age(1, KEEP)
    assert drops.tell("drop-2") == "counted"
    assert drops.generations() == [1, 2]
    assert drops.tell("drop-1") == "duplicate"
    assert drops.totals() == {"messages": 2, "success": 2, "duplicate": 1}


def test_a_drop_revised_after_the_turn_moves_along_and_outlives_its_first_generation(drops):
    assert drops.tell("drop-1") == "counted"
    drops.age(1, KEEP)
    assert drops.tell("drop-1", "failure", "No Funds", later=1000) == "revised"
    assert len(drops.buckets(2)) == 1
    drops.age(1, KEEP + 1)
    assert drops.tell("drop-1", "failure", "No Funds", later=1000) == "duplicate"
    assert drops.totals() == {"messages": 1, "failure": 1, "revised": 1, "duplicate": 1}


def test_an_opt_out_event_seen_before_the_turn_is_known_after_it(drops):
    event = {"type": "contact.opted_out", "event_id": "one", "data": {"phone": "5552224444"}}
    assert drops.send(event) == "opt_out"
    drops.age(1, KEEP)
    assert drops.tell("drop-1") == "counted"
    assert drops.send(event) == "duplicate"


def test_after_a_pause_longer_than_all_generations_a_drop_is_counted_once(drops):
    assert drops.tell("drop-1") == "counted"
    drops.age(1, 2 * KEEP + 1)
    assert drops.tell("drop-2") == "counted"
    assert drops.generations() == [2]
    assert drops.tell("drop-2") == "duplicate"
    assert drops.tell("drop-2") == "duplicate"
    assert drops.totals() == {"messages": 2, "success": 2, "duplicate": 2}


def test_numbers_are_never_used_again(drops):
    for number in range(1, 5):
        assert drops.tell(f"drop-{number}") == "counted"
        assert drops.generations() == [number]
        drops.age(number, 2 * KEEP + 1)


def test_a_deleted_list_of_generations_begins_behind_all_numbers_there_were(drops):
    """The buckets of before end before the new generation does."""
    for number in range(1, 4):
        assert drops.tell(f"drop-{number}") == "counted"
        drops.age(number, KEEP)
    assert drops.tell("drop-4") == "counted"
    drops.client.delete(REGISTRY)
    model_harness.new_epoch(drops.client)
    assert drops.tell("drop-4") == "counted"
    (number,) = drops.generations()
    assert number > 4 and len(drops.buckets(number)) == 1


def test_a_longer_retention_starts_a_generation_at_once_and_a_shorter_one_does_not(drops):
    assert drops.tell("drop-1") == "counted"
    assert drops.tell("drop-2", retention=2 * KEEP) == "counted"
    assert drops.generations() == [1, 2]
    assert drops.tell("drop-3", retention=KEEP // 2) == "counted"
    assert drops.generations() == [1, 2]
    assert [drops.tell(f"drop-{number}") for number in (1, 2, 3)] == ["duplicate"] * 3


def test_a_bucket_lives_until_its_generation_ends(drops):
    assert drops.tell("drop-1") == "counted"
    (bucket,) = drops.buckets(1)
    assert 2 * KEEP - 60 < drops.client.ttl(bucket) <= 2 * KEEP
    assert drops.tell("drop-1", "failure", "No Funds", later=1000) == "revised"
    assert 2 * KEEP - 60 < drops.client.ttl(bucket) <= 2 * KEEP


def test_a_bucket_that_another_worker_made_keeps_its_end(drops):
    assert drops.tell("drop-1") == "counted"
    drops.put_all_into_one_bucket()
    drops.client.hset("dc:drops:1:0", "another", b"\x01")
    drops.client.expire("dc:drops:1:0", 1000)
    assert drops.tell("drop-2") == "counted"
    assert drops.tell("drop-3") == "counted"
    assert drops.client.hlen("dc:drops:1:0") == 3
    assert 900 < drops.client.ttl("dc:drops:1:0") <= 1000


def test_a_bucket_that_lost_its_end_gets_one(drops):
    """As one does that was deleted by hand or evicted, and then written by a worker that had seen it before."""
    assert drops.tell("drop-1") == "counted"
    drops.put_all_into_one_bucket()
    drops.client.hset("dc:drops:1:0", "another", b"\x01")
    assert drops.tell("drop-2") == "counted"
    assert 2 * KEEP - 60 < drops.client.ttl("dc:drops:1:0") <= 2 * KEEP


def test_a_full_generation_ends_early_and_its_drops_stay_known(drops):
    assert drops.tell("drop-1") == "counted"
    assert drops.listed()[1][3] == "4096"
    drops.client.hset("dc:drops:sizes", "1", 60 * 4096 - 1)
    assert drops.tell("drop-2") == "counted"
    assert drops.generations() == [1]
    assert drops.tell("drop-3") == "counted"
    assert drops.generations() == [1, 2]
    assert drops.listed()[2][3] == "65536"
    assert [drops.tell(f"drop-{number}") for number in (1, 2, 3)] == ["duplicate"] * 3
    assert drops.totals() == {"messages": 3, "success": 3, "duplicate": 3}


def test_a_generation_that_a_batch_itself_fills_counts_none_of_it_twice(drops):
    """Its new drops apply first, those that were known in a call of their own: then the generation is full."""
    assert drops.tell("known-1") == "counted"
    assert drops.tell("known-2") == "counted"
    drops.client.hset("dc:drops:sizes", "1", 60 * 4096 - 2)
    batch = [drops.body("new-1"), drops.body("known-1"), drops.body("new-2"), drops.body("known-2", "failure", "Busy", 1000)]
    assert drops.send_together(batch) == ["counted", "duplicate", "counted", "revised"]
    assert drops.generations() == [1, 2]
    assert drops.totals() == {"messages": 4, "success": 3, "failure": 1, "duplicate": 1, "revised": 1}


@pytest.mark.parametrize("size", ["many", "", "-1", "nan", "inf", "1e20", "0x7fffffffff", "300000 of them", " 300000", "300000.0", "9" * 16, "0" * 30 + "300000"])
def test_a_size_that_is_no_number_ends_no_generation(drops, size):
    assert drops.tell("drop-1") == "counted"
    drops.client.hset("dc:drops:sizes", "1", size)
    assert drops.tell("drop-1") == "duplicate"
    assert drops.generations() == [1]


def test_a_foreign_id_shared_across_a_turn_shows_the_latest_drop(drops):
    assert drops.tell("drop-1", later=5000, foreign_id="8812") == "counted"
    drops.age(1, KEEP)
    assert drops.tell("drop-2", later=1000, foreign_id="8812") == "counted"
    assert json.loads(drops.client.get("dc:result:8812"))["drop_id"] == "drop-1"
    assert drops.tell("drop-2", later=9000, foreign_id="8812") == "duplicate"
    assert json.loads(drops.client.get("dc:result:8812"))["drop_id"] == "drop-2"
