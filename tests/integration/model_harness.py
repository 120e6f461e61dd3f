"""Runs sequences through the real parser and script (apply_driver) and compares every public key with the model."""

import contextlib
import json
import os
import re
import struct
import subprocess
import tempfile
import time

import servers
from generate import NOW
from model import Model, read_reasons

FULL = bool(os.environ.get("DROPBRIDGE_FULL"))


def size(short, full):
    """Of a test: what it is in the run before each commit, and in scripts/test-all."""
    return full if FULL else short


# Other sequences every day, and on no two days the same. Kept in the environment: all lanes of a run have the same ones.
DAY_S, SEEDS_A_DAY = 86400, 10000
SEED = int(os.environ.setdefault("MODEL_SEED", str(int(time.time()) // DAY_S * SEEDS_A_DAY)))
SEQUENCES = int(os.environ.get("MODEL_SEQUENCES") or size(600, 3000))


def again(seed, sequences=1):
    """How to run these sequences again."""
    build = os.path.relpath(servers.BUILD, servers.ROOT)
    return (f"DROPBRIDGE_BUILD={build} MODEL_SEED={seed} MODEL_SEQUENCES={sequences} "
            "/usr/bin/python3 -m pytest tests/integration/test_model.py")


PREFIX = "dc:"
# What the worker keeps in public keys for itself: not promised to anybody.
PRIVATE_FIELDS = {"last_result_at", "event_at", "event_state"}
REASONS = read_reasons()
TYPES = {"webhook": 0, "callback": 1}
SCHEMES = {"guide": 0, "v1": 1, "token": 2, "off": 3}

# Everything under the prefix in one call: key, type, TTL and value; of internal keys the TTL alone.
DUMP = """
local reply = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1] .. '*')) do
  local kind = redis.call('TYPE', key).ok
  local value = cjson.null
  if string.sub(key, #ARGV[1] + 1, #ARGV[1] + 6) ~= 'drops:' then
    if kind == 'hash' then value = redis.call('HGETALL', key)
    elseif kind == 'zset' then value = redis.call('ZRANGE', key, 0, -1, 'WITHSCORES')
    elseif kind == 'string' then value = redis.call('GET', key)
    elseif kind == 'stream' then
      value = {}
      for _, one in ipairs(redis.call('XRANGE', key, '-', '+')) do value[#value + 1] = one[2] end
    end
  end
  reply[#reply + 1] = {key, kind, redis.call('TTL', key), value}
end
return cjson.encode(reply)
"""


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


def decode(key, kind, value):
    if key.startswith("result:"):
        return json.loads(value)
    if kind == "hash":
        return {name: text for name, text in pairs(value).items() if name not in PRIVATE_FIELDS}
    if kind == "zset":
        return {member: int(score) for member, score in pairs(value).items()}
    if kind == "stream":
        return [{"kind": fields[0], **json.loads(fields[1])} for fields in value] if value else []
    return value


def keys_of(reply):
    """What DUMP says: (key without prefix -> (type, value), key -> TTL of all keys, internal ones too)."""
    keys, ttls = {}, {}
    for key, kind, ttl, value in json.loads(reply.decode("utf-8", "surrogateescape")):
        name = key[len(PREFIX) :]
        ttls[name] = ttl
        if not name.startswith("drops:"):
            keys[name] = (kind, decode(name, kind, value))
    return keys, ttls


DAYS = [time.strftime("%Y%m%d", time.gmtime(NOW / 1000 + day * 86400)) for day in range(-3, 4)]


def step(alias=None, remove=None):
    """An alias between two batches of a sequence, where another copy would be: ids of bodies as they stand there."""
    return None, {"alias": alias, "remove": remove}


def new_epoch(client):
    """As after an operator's change: workers forget what they had cached."""
    incarnation, revision = client.get(PREFIX + "drops:epoch").decode().split(":")
    client.set(PREFIX + "drops:epoch", f"{incarnation}:{int(revision) + 1}")


class Driver:
    """One apply_driver with a Redis of its own."""

    def __init__(self, folder):
        self.redis = servers.Redis(folder, "--appendonly", "no").start()
        self.errors = tempfile.TemporaryFile()
        self.process = None
        self.settings = None
        self.dump_sha = self.redis.client.script_load(DUMP)

    def alias(self, id_, name=""):
        """Sets an alias, or removes it, by dropctl's script. What it answers."""
        script = (servers.ROOT / "tools" / "alias.lua").read_text()
        arguments = [PREFIX, "2", f"{os.urandom(8).hex()}:1", id_, name, *DAYS]
        return self.redis.client.eval(script, 0, *arguments)[0].decode()

    def start(self):
        binary = servers.BUILD / "tests" / "integration" / "apply_driver"
        assert binary.exists(), f"{binary} is not built"
        self.process = subprocess.Popen(
            [binary, self.redis.url, PREFIX],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            env=servers.clean_environment(),
        )

    def close(self):
        """Ends the driver; fails if it, or a sanitizer, found fault."""
        try:
            if self.process:
                self.process.stdin.close()
                assert self.process.wait(servers.HANG_GUARD_S) == 0, self.error_text()
        finally:
            self.redis.stop()
            self.errors.close()

    def error_text(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def run(self, sequence, copies=None):
        """Applies the copies to an empty Redis. What became of each, in order."""
        if self.process is None:
            self.start()
        self.redis.client.flushall()
        outcomes, batch = [], []
        for one in sequence.copies if copies is None else copies:
            if one[0] is not None:
                batch.append(one)
                continue
            outcomes += self.more(sequence, batch)
            batch = []
            outcomes.append(self.alias(*one[1]["alias"]) if one[1]["alias"] else self.alias(one[1]["remove"]))
        return outcomes + self.more(sequence, batch)

    def more(self, sequence, copies):
        settings = struct.pack(">qqqI", *sequence.settings[:3], sequence.batch) + sequence.settings.separator.encode()
        records = [] if self.settings == settings else [b"S" + settings]
        self.settings = settings
        for body, envelope in copies:
            campaign = envelope.get("campaign", "").encode()
            head = struct.pack(
                ">BBqB", TYPES[envelope["type"]], SCHEMES[envelope["scheme"]], envelope["received_at"], len(campaign)
            )
            records.append(b"C" + head + campaign + body)
        records.append(b"E")
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(b"".join(struct.pack(">I", len(record)) + record for record in records))
            self.process.stdin.flush()
        outcomes = []
        for line in self.process.stdout:
            text = line.decode().strip()
            if text == "end":
                return outcomes
            if text != "batch":
                outcomes.append(text)
        self.process.wait(servers.HANG_GUARD_S)
        raise AssertionError(f"apply_driver ended with {self.process.returncode}: {self.error_text()}")

    def state(self):
        """As keys_of, now."""
        return keys_of(self.redis.client.evalsha(self.dump_sha, 0, PREFIX))


# ---- comparing ----


def comparable(keys, shared, batch):
    """Without what a batch decides by an order of its own: that of the stream's entries, of two copies with one phone the one
    that lists it, and what is shown of a foreign_id that several drops share."""
    kept = without(keys, shared)
    entries = keys.get("results", ("stream", []))[1]
    if batch > 1:
        kept["listed by"] = ("set", sorted({one["phone"] for one in entries if one["kind"] == "opt_out"}))
        periods = [key for key in kept if tells_when(key)]
        for what in ("minute:", ":day:"):
            counts = [int(kept[key][1].get("opt_out", 0)) for key in periods if what in key]
            kept[f"opt_out of {what}"] = ("sum", sum(counts))
        for key in periods:
            kept[key] = ("hash", {name: count for name, count in kept[key][1].items() if name != "opt_out"})
        entries = [listing(one) if one["kind"] == "opt_out" else one for one in entries if listed_somewhere(one)]
    kept["results"] = ("stream", sorted((dict(sorted(one.items())) for one in entries), key=str))
    return {key: value for key, value in kept.items() if value[1]}


def listed_somewhere(one):
    return one["kind"] != "opt_out" or "campaign" in one


def listing(one):
    return {name: one[name] for name in ("kind", "phone", "campaign")}


def tells_when(key):
    """What was first counted in a minute, or on a day."""
    return key.startswith("minute:") or ":day:" in key


def without(keys, shared):
    """Without the lookups of foreign_ids that several drops share: which one is shown tells how it went."""
    return {key: value for key, value in keys.items() if not (key.startswith("result:") and key[7:] in shared)}


def final_differences(model, keys):
    """Between a model and the keys, of what the order of the copies must not change."""
    shared = model.shared_foreign_ids()
    return differences(final(without(model.state(), shared)), final(without(keys, shared)))


def final(keys):
    """What the order of the copies must not change."""
    kept = {}
    for key, (kind, value) in keys.items():
        if key in ("results", "unknown_reasons", "campaign_links") or tells_when(key):
            continue
        if key == "totals" or key.endswith(":counters"):
            value = {name: count for name, count in value.items() if name not in ("duplicate", "revised")}
        if value:
            kept[key] = (kind, value)
    return kept


def differences(expected, found):
    """One line for each difference."""
    lines = []
    for key in sorted(set(expected) | set(found)):
        if key not in found:
            lines.append(f"{key}: missing; expected {expected[key][1]}")
        elif key not in expected:
            lines.append(f"{key}: not expected; holds {found[key][1]}")
        elif expected[key] != found[key]:
            lines += difference(key, expected[key], found[key])
    return lines


def difference(key, expected, found):
    (kind, wanted), (found_kind, held) = expected, found
    if kind != found_kind:
        return [f"{key}: a {found_kind}, expected a {kind}"]
    if isinstance(wanted, dict):
        return [
            f"{key} {name}: {held.get(name, 'missing')!r}, expected {wanted.get(name, 'none')!r}"
            for name in sorted(set(wanted) | set(held))
            if wanted.get(name) != held.get(name)
        ]
    if isinstance(wanted, list):
        for number in range(max(len(wanted), len(held))):
            ours = wanted[number] if number < len(wanted) else None
            theirs = held[number] if number < len(held) else None
            if ours != theirs:
                head = f"{key} entry {number} of {len(held)}, expected {len(wanted)}"
                return [f"{head}:\n    found    {theirs}\n    expected {ours}"]
    return [f"{key}: {held!r}, expected {wanted!r}"]


def wrong_ttls(sequence, ttls):
    limits = {"result:": sequence.settings.result_ttl_s, "minute:": 86400, "drops:settings": 120}
    wrong = []
    for key, ttl in ttls.items():
        limit = next((limit for start, limit in limits.items() if key.startswith(start)), None)
        limit = 62 * 86400 if ":day:" in key else limit
        if limit is not None and not limit - 120 <= ttl <= limit:
            wrong.append(f"{key}: TTL {ttl}, expected at most {limit}")
        elif limit is None and not key.startswith("drops:") and ttl != -1:
            wrong.append(f"{key}: TTL {ttl}, expected none")
        elif re.fullmatch(r"drops:\d+:e?\d+", key) and ttl < sequence.settings.retention_s - 120:
            wrong.append(f"{key}: TTL {ttl}, expected at least {sequence.settings.retention_s}")
    return wrong


def broken_invariants(keys):
    """What INTERFACE.md says is always true."""
    wrong = []

    def counts(key):
        return {name: int(count) for name, count in keys.get(key, ("hash", {}))[1].items()}

    names = keys.get("campaigns", ("zset", {}))[1]
    summed, reasons = {}, {}
    for scope, suffix in [("totals", "")] + [(f"campaign:{name}", ":counters") for name in names]:
        held = counts(scope + suffix)
        slugs = counts(scope + ":reasons")
        if held.get("messages", 0) != held.get("success", 0) + held.get("failure", 0):
            wrong.append(f"{scope}: messages is not success + failure: {held}")
        if held.get("failure", 0) != sum(slugs.values()):
            wrong.append(f"{scope}: failure is not the sum of its reasons: {held} {slugs}")
        if any(count <= 0 for count in [*held.values(), *slugs.values()]):
            wrong.append(f"{scope}: a count that is not positive: {held} {slugs}")
        if held.get("opt_out", 0) != len(keys.get("optouts" if not suffix else scope + ":optouts", ("zset", {}))[1]):
            wrong.append(f"{scope}: opt_out is not the number of its phones: {held}")
        for into, counted in ((summed, held), (reasons, slugs)):
            for name, count in counted.items():
                if suffix and name != "opt_out":
                    into[name] = into.get(name, 0) + count
    totals = {name: count for name, count in counts("totals").items() if name != "opt_out"}
    if totals != summed:
        wrong.append(f"totals are not the sum of the campaigns: {totals} and {summed}")
    if counts("totals:reasons") != reasons:
        wrong.append(f"totals:reasons are not the sum of the campaigns': {counts('totals:reasons')} and {reasons}")
    return wrong


def apply_step(model, alias, remove):
    return model.alias(*alias) if alias else model.remove(remove)


def adopt_former_names(wanted, keys, former):
    """Lookups that show a drop under a name that was merged since keep it until the drop changes."""
    for key, (_, shown) in keys.items():
        if key.startswith("result:") and key in wanted and (shown["campaign"], wanted[key][1]["campaign"]) in former:
            shown["campaign"] = wanted[key][1]["campaign"]


def check(driver, sequence, copies=None, model=Model):
    """Every difference between the model and Redis after the copies; [] if there is none."""
    copies = sequence.copies if copies is None else copies
    expected = model(sequence.settings, NOW, REASONS)
    outcomes = driver.run(sequence, copies)
    lines = []
    for number, ((body, envelope), outcome) in enumerate(zip(copies, outcomes)):
        wanted = expected.apply(body, envelope) if body is not None else apply_step(expected, **envelope)
        if wanted != outcome:
            lines.append(f"copy {number}: {outcome}, expected {wanted}")
    if len(outcomes) != len(copies):
        lines.append(f"{len(outcomes)} outcomes of {len(copies)} copies")
    keys, ttls = driver.state()
    shared = expected.shared_foreign_ids()
    wanted = expected.state()
    adopt_former_names(wanted, keys, expected.former)
    lines += differences(comparable(wanted, shared, sequence.batch), comparable(keys, shared, sequence.batch))
    return lines + wrong_ttls(sequence, ttls) + broken_invariants(keys)


def smallest(driver, sequence, model=Model):
    """The shortest failing prefix, then what can be left out of it: (copies, differences)."""
    copies = list(sequence.copies)
    for count in range(1, len(copies) + 1):
        if check(driver, sequence, copies[:count], model):
            copies = copies[:count]
            break
    number = 0
    while number < len(copies) and len(copies) > 1:
        without = copies[:number] + copies[number + 1 :]
        if check(driver, sequence, without, model):
            copies = without
        else:
            number += 1
    return copies, check(driver, sequence, copies, model)


def shorter(text):
    """Long runs of one character as their length."""
    return re.sub(r"(.)\1{24,}", lambda run: f"{run[1]}<{len(run[0])} times>", text)


def explain(driver, sequence, model=Model):
    copies, lines = smallest(driver, sequence, model)
    shown = "\n".join(f"  {number}: {envelope} {body!r}" for number, (body, envelope) in enumerate(copies))
    found = "\n".join(f"  {line}" for line in lines)
    head = f"seed {sequence.seed}, {sequence.settings}, batch {sequence.batch}"
    if isinstance(sequence.seed, int):
        head = f"{again(sequence.seed)}\n{head}"
    return shorter(f"{head}\ncopies:\n{shown}\ndifferences:\n{found}")
