"""Random sequences through the real parser and the real script, every public key compared with the model: MODEL_SEQUENCES
from MODEL_SEED on, which is another every day. A failure names its seed, the smallest failing copies and each difference."""

import json
import random

import generate
import model_harness
import pytest
from generate import NOW, Sequence
from model import DEFAULTS, Model

COUNT = model_harness.SEQUENCES
FIRST = model_harness.SEED
PARTS = 10
ALIASES_OF = 2  # one in so many is run with aliases, too
INVARIANTS_OF = 20  # one sequence in so many is checked after every batch


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    driver = model_harness.Driver(tmp_path_factory.mktemp("model"))
    try:
        yield driver
    finally:
        driver.close()


@pytest.mark.parametrize("part", range(PARTS))
def test_random_sequences_leave_in_redis_what_the_model_says(driver, part):
    for seed in range(FIRST + part, FIRST + COUNT, PARTS):
        sequence = generate.sequence(seed)
        if model_harness.check(driver, sequence):
            pytest.fail(model_harness.explain(driver, sequence), pytrace=False)


@pytest.mark.parametrize("part", range(PARTS))
def test_so_do_sequences_with_aliases_between_the_batches(driver, part):
    for seed in range(FIRST + part, FIRST + COUNT, ALIASES_OF * PARTS):
        rng = random.Random(seed)
        sequence = generate.with_aliases(rng, generate.sequence(seed, batch=rng.choice([1, 3, 256])))
        if model_harness.check(driver, sequence):
            pytest.fail(model_harness.explain(driver, sequence), pytrace=False)


def test_the_invariants_hold_after_every_batch(driver):
    for seed in range(FIRST, FIRST + COUNT, INVARIANTS_OF):
        sequence = generate.sequence(seed, batch=3)
        driver.run(sequence, [])
        for start in range(0, len(sequence.copies), sequence.batch):
            driver.more(sequence, sequence.copies[start : start + sequence.batch])
            broken = model_harness.broken_invariants(driver.state()[0])
            head = f"{model_harness.again(seed)}\nafter {start + sequence.batch} copies:\n"
            assert not broken, head + "\n".join(broken)


def message(body, **envelope):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return text, {"type": "webhook", "scheme": "v1", "received_at": NOW, **envelope}


def result(drop_id, **fields):
    return message({"status": "failure", "drop_id": drop_id, "attempt_date": NOW - 1000, **fields})


UUID = "4d1f0a52-77aa-4c3e-9d10-0a6b3c5d7e21"
CASES = {
    "unknown reasons past 255 are counted together": [
        result(f"drop {number}", reason=f"unheard of {number % 300}") for number in range(620)
    ],
    "unknown events past 255 are counted together": [
        message({"event": f"contact.new.{number}", "event_id": str(number)}) for number in range(300)
    ],
    "an opt-out event with the id of a drop is not that drop": [
        result(UUID, to="5552224444"),
        message({"type": "contact.opted_out", "event_id": UUID, "data": {"to": "5552224445"}}),
        message({"type": "campaign.paused", "event_id": UUID.upper()[:-1] + "2", "data": {"id": "c"}}),
    ],
    "events of several kinds with one event_id are several events": [
        message({"type": "contact.opted_out", "event_id": "one", "data": {"to": "5552224444"}}),
        message({"type": "contact.tagged", "event_id": "one"}),
        message({"type": "campaign.paused", "event_id": "one", "data": {"id": "c"}}),
    ],
    "of drops with a NUL in their ids the latest is shown under the foreign_id they share": [
        result("a\0b", foreign_id="8812", to="5552224444"),
        result("a\0b", foreign_id="8812", attempt_date=NOW),
        result("0a1b2c3d4e5f60718293a4b5", foreign_id="8812"),
    ],
    "ids with the same beginning before a NUL are two drops": [result("a\0b"), result("a\0c"), result("a")],
    "integers as ids": [result(2**53 + 1), result(2**53), result(str(2**53)), result(-5), result(0), result(2**62)],
    "eight phones of one drop opt out": [result("d", to=f"555222444{number}", dnc=number == 7) for number in range(8)],
    "equal bodies at two times are one event and two presses of the button": [
        message(b'{"type":"campaign.paused","data":{"id":"c"}}'),
        message(b'{"type":"campaign.started","data":{"id":"c"}}', received_at=NOW + 1),
        message(b'{"type":"campaign.paused","data":{"id":"c"}}', received_at=NOW + 2),
    ],
    "costs fall back to the latest copy that has any when the new winner has none": [
        result("d", product_cost=1, tts_fee=1, attempt_date=NOW - 9),
        result("d", compliance_fee=2, attempt_date=NOW - 8),
        result("d", spam=True),
    ],
    "a drop changes with every copy of a batch": [
        result("d", status=("success", "failure")[n % 2], attempt_date=NOW - 300 + n) for n in range(300)
    ],
    "of duplicate keys the last one counts": [
        message(b'{"status":"success","status":"failure","drop_id":"x","drop_id":"d","reason":"No Funds"}')
    ],
    "a deep body is taken to 32 levels": [
        message(b'{"status":"success","x":' + b"[" * n + b"]" * n + b"}") for n in (30, 31, 32, 33)
    ],
}


@pytest.mark.parametrize("batch", [1, 256])
@pytest.mark.parametrize("name", CASES)
def test_named_cases_leave_in_redis_what_the_model_says(driver, name, batch):
    sequence = Sequence(name, DEFAULTS, batch, CASES[name])
    if model_harness.check(driver, sequence):
        pytest.fail(model_harness.explain(driver, sequence), pytrace=False)


class NeverTakesBack(Model):
    """Broken on purpose: a revised drop keeps what it was first counted as."""

    def drop(self, id_):
        drop = super().drop(id_)
        first = self.drops[id_][0] if drop else None
        return drop and drop._replace(success=first.success, reason=first.reason)


class LosesACopy(Model):
    """Broken on purpose: the tenth copy of a sequence is not there."""

    def apply(self, body, envelope):
        self.seen = getattr(self, "seen", 0) + 1
        return "duplicate" if self.seen == 10 else super().apply(body, envelope)


class CountsReceiptsAsStatuses(Model):
    """Broken on purpose: a later receipt wins."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        read = self.reader.read
        self.reader.read = lambda *both: read(*both)._replace(receipt=False)


@pytest.mark.parametrize("broken", [NeverTakesBack, LosesACopy, CountsReceiptsAsStatuses])
def test_a_wrong_model_is_found_out(driver, broken):
    seeds = range(FIRST, FIRST + 200)
    found = next((seed for seed in seeds if model_harness.check(driver, generate.sequence(seed), model=broken)), None)
    assert found is not None
    report = model_harness.explain(driver, generate.sequence(found), broken)
    assert f"seed {found}" in report and "expected" in report
