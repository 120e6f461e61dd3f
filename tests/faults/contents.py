"""What the public keys hold in the end, compared with the model of the documents (tests/integration/model.py): every
field and every time of what does not depend on the order of arrival, and what can be said exactly of the rest. Each
drop and event of the suite's traffic has one body, so what is counted is a function of which bodies are there."""

import collections
import itertools
import json
import time

import model_harness
import traffic
from model import DEFAULTS, Model, cut

PREFIX = "dc:"
CHUNK = 1000
SHOWN = 12  # differences of one kind
STREAM_MAX = DEFAULTS.results_stream_max
SUMMED = ("totals", "totals:reasons", "unknown_reasons", "events")
SINGLE = ("totals", "totals:reasons", "campaigns", "optouts", "unknown_reasons", "events", "schema")


def few(lines):
    """At most SHOWN of them."""
    return lines[:SHOWN] + ([f"and {len(lines) - SHOWN} more differences"] if len(lines) > SHOWN else [])


# ---- what must be there ----


def models_of(events):
    """A model for each campaign: none of our events is about two, and one model of all would look at each event once
    for every campaign."""
    now = int(time.time() * 1000)
    models = collections.defaultdict(lambda: Model(DEFAULTS, now, model_harness.REASONS))
    reader = Model(DEFAULTS, now, model_harness.REASONS).reader
    for event in itertools.chain.from_iterable((*event.earlier, event) for event in events):
        copy = reader.read(event.body, {"received_at": now, "campaign": traffic.campaign_in_url(event)})
        copy = copy._replace(campaign=event.campaign)  # of an alias the body has another
        model = models[copy.campaign]
        if copy.kind == "result":
            model.drops.setdefault(copy.id, []).append(copy)
        else:
            model.events[copy.kind].setdefault(copy.id, []).append(copy)
        if copy.unknown:
            model.note_name(model.unknown_reasons, copy.unknown)
        if copy.kind == "other":
            model.note_name(model.event_names, cut(copy.name))
    return models.values()


def expected_keys(events):
    """As Model.state(), without the keys that tell how it went."""
    keys = {}
    for model in models_of(events):
        for key, (kind, value) in model.state().items():
            known = keys.setdefault(key, (kind, {} if isinstance(value, dict) else value))[1]
            if key in SUMMED:
                for name, count in value.items():
                    known[name] = str(int(known.get(name, 0)) + int(count))
            elif isinstance(value, dict):
                known.update(value)
    return keys


# ---- what is there ----


def texts(fields):
    known = {name.decode(): value.decode(errors="replace") for name, value in fields.items()}
    return {name: value for name, value in known.items() if name not in model_harness.PRIVATE_FIELDS}


def read_keys(client, names):
    """The keys that are hashes and sorted sets, as Model.state() has them."""
    keys = {}
    for first in range(0, len(names), CHUNK):
        chunk = names[first : first + CHUNK]
        kinds = client.pipeline(transaction=False)
        for name in chunk:
            kinds.type(PREFIX + name)
        kinds = [kind.decode() for kind in kinds.execute()]
        values = client.pipeline(transaction=False)
        for name, kind in zip(chunk, kinds):
            if kind == "zset":
                values.zrange(PREFIX + name, 0, -1, withscores=True)
            elif kind == "string":
                values.get(PREFIX + name)
            else:
                values.hgetall(PREFIX + name)
        for name, kind, value in zip(chunk, kinds, values.execute()):
            if value and kind == "zset":
                value = {member.decode(): int(score) for member, score in value}
            elif value:
                value = texts(value) if kind == "hash" else value.decode()
            if value:
                keys[name] = (kind, value)
    return keys


def found_keys(client):
    names = [key.decode()[len(PREFIX) :] for key in client.scan_iter(f"{PREFIX}campaign:*", CHUNK)]
    return read_keys(client, sorted(names) + list(SINGLE))


# ---- comparing ----


def compare_keys(findings, client, expected):
    wanted = {key: value for key, value in expected.items() if not key.startswith("result:")}
    found = found_keys(client)
    lines = model_harness.differences(model_harness.final(wanted), model_harness.final(found))
    findings.problems += few([f"{PREFIX}{line}" for line in lines])
    made, there = (keys.get("unknown_reasons", ("hash", {}))[1] for keys in (wanted, found))
    findings.claim(there == made, f"{PREFIX}unknown_reasons: {there}, what is there makes {made}")


def compare_results(findings, results, expected):
    """The times among them; `results` are what dc:result:* hold, by foreign_id."""
    wrong = [
        f"{PREFIX}{key}: {results.get(key[len('result:') :])}, expected {fields}"
        for key, (_, fields) in expected.items()
        if key.startswith("result:") and results.get(key[len("result:") :]) != fields
    ]
    findings.problems += few(wrong)


def compare_stream(findings, client, expected):
    """Each drop once as `result`, each phone as `opt_out`: from every entry, so only while none has been trimmed."""
    if client.xlen(f"{PREFIX}results") >= STREAM_MAX:
        findings.notes["stream"] = "trimmed, not compared"
        return
    entries = [
        {"kind": kind.decode(), **json.loads(text)}
        for _, fields in client.xrange(f"{PREFIX}results")
        for kind, text in fields.items()
    ]
    told = collections.Counter(entry["drop_id"] for entry in entries if entry["kind"] == "result")
    drops = {fields["drop_id"] for key, (_, fields) in expected.items() if key.startswith("result:")}
    twice = [drop for drop, count in told.items() if count > 1]
    untold, unknown = drops - set(told), set(told) - drops
    findings.claim(not untold, f"{PREFIX}results: {len(untold)} drops that are counted have no entry")
    findings.claim(not unknown, f"{PREFIX}results: {len(unknown)} entries of drops that are not counted")
    findings.claim(not twice, f"{PREFIX}results: {len(twice)} drops are there more than once as a result")
    phones = {entry["phone"] for entry in entries if entry["kind"] == "opt_out"}
    unsaid = set(expected.get("optouts", ("zset", {}))[1]) - phones
    findings.claim(not unsaid, f"{PREFIX}results: {len(unsaid)} phones that opted out have no entry")


def compare_minutes(findings, client, expected):
    """Their sums: the minute of each is that of its arrival, which the sender does not know."""
    found = collections.Counter()
    for key in client.scan_iter(f"{PREFIX}minute:*", CHUNK):
        found.update({name: int(count) for name, count in texts(client.hgetall(key)).items()})
    totals = expected.get("totals", ("hash", {}))[1]
    wanted = {name: int(totals[name]) for name in ("success", "failure", "opt_out") if name in totals}
    findings.claim(dict(found) == wanted, f"{PREFIX}minute:*: in all {dict(found)}, what is there makes {wanted}")


def compare(findings, client, events, results):
    """`events`: those that are in Redis, each once; `results` as in compare_results."""
    expected = expected_keys(events)
    compare_keys(findings, client, expected)
    compare_results(findings, results, expected)
    compare_stream(findings, client, expected)
    compare_minutes(findings, client, expected)
