"""How fast a full queue is drained, side by side: librabbitmq that only acknowledges, a Node worker, and ours. Each contender
has a queue and a Redis of its own birth; the rounds are interleaved, and each contender's sums are checked."""

import contextlib
import dataclasses
import json
import os
import re
import shutil
import subprocess
import threading
import time

import known
import machine
import peers
import servers
import standings

QUEUE = "dropcowboy.events"
BROKER_CONF = "vm_memory_high_watermark.absolute = 4GB\n"
FILL_S = 300
LOOK_EACH_S = 0.02
KEYS_AT_ONCE = 1000
# The worker's BATCH_MAX. From a full queue a worker gets the next messages in a run as long as what it has just
# acknowledged: copies so far apart come to different workers at the same time, adjacent ones to the same one.
APART = 256
BARE = {"RESULT_TTL_S": 0, "RESULTS_STREAM_MAX": 0}
SUMS = ("messages", "success", "failure", "product_cost_micros", "compliance_fee_micros", "tts_fee_micros", "opt_out")


@dataclasses.dataclass(frozen=True)
class Contender:
    name: str
    workers: int = 0  # of ours
    settings: dict = dataclasses.field(default_factory=dict)
    copies: bool = False
    known: int = 0  # drops that Redis remembers before it begins


def workers(count, **more):
    words = f"{count} worker{'s' if count > 1 else ''}"
    words += ", without lookup and stream" if "settings" in more else ""
    words += ", two copies of each drop" if "copies" in more else ""
    return Contender(words + (f", {more['known']:,} drops known" if "known" in more else ""), count, **more)


CONTENDERS = {
    standings.BOUND: Contender("librabbitmq, acknowledging alone"),
    standings.PEER: Contender("Node worker (amqplib, ioredis)"),
    "ours-1": workers(1),
    "ours-2": workers(2),
    "ours-4": workers(4),
    "bare-1": workers(1, settings=BARE),
    "bare-2": workers(2, settings=BARE),
    "bare-4": workers(4, settings=BARE),
    "copies": workers(2, copies=True),
    "bare-copies": workers(2, settings=BARE, copies=True),
    "few-known": workers(1, known=100000),
    "many-known": workers(1, known=10000000),
}

@dataclasses.dataclass
class Size:
    rounds: int
    events: int


FULL = Size(rounds=3, events=60000)
QUICK = Size(rounds=1, events=4000)

# In the broker, which alone knows when what was acknowledged: the last time that the queue was seen full, and the first time
# that it was seen with nothing ready and nothing unacknowledged.
WATCH = """
{{ok, Q}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, <<"{queue}">>)),
Held = fun() -> {{ok, {{_, N}}, _}} = ra:leader_query(amqqueue:get_pid(Q), fun rabbit_fifo:query_messages_total/1, 60000), N end,
Watch = fun Look(Full) ->
    case {{Held(), os:system_time(microsecond)}} of
        {{0, Now}} -> {{Full, Now}};
        {{{events}, Now}} -> timer:sleep(5), Look(Now);
        _ -> timer:sleep(5), Look(Full)
    end
end,
Found = Held(),
register(bench_watch, spawn(fun() -> Seen = Watch(os:system_time(microsecond)), receive {{tell, To}} -> To ! {{seen, Seen}} end end)),
Found"""
TELL = "bench_watch ! {tell, self()}, receive {seen, Seen} -> Seen end"


class Watch:
    """Sees the broker's queue drained, in a thread of its own once asked to wait."""

    def __init__(self, rabbit, events):
        self.rabbit = rabbit
        self.told = None
        found = rabbit.control("eval", " ".join(WATCH.format(queue=QUEUE, events=events).split()))
        if found != str(events):
            raise RuntimeError(f"the queue holds {found} events instead of {events}")
        self.thread = threading.Thread(target=self._ask, daemon=True)
        self.thread.start()

    def _ask(self):
        self.told = self.rabbit.control("eval", TELL)

    def over(self):
        return not self.thread.is_alive()

    def times(self):
        """When it was last seen full and first seen empty, in seconds of the wall clock."""
        if self.told is None:
            raise RuntimeError("the queue was not drained in time")
        return tuple(int(number) / 1e6 for number in re.findall(r"\d+", self.told))


def between(samples, begin, end):
    """What each clock of the samples ([(time, {name: reading})]) went on from begin to end."""

    def at(moment, name):
        before = max((sample for sample in samples if sample[0] <= moment), default=samples[0], key=lambda one: one[0])
        after = min((sample for sample in samples if sample[0] >= moment), default=samples[-1], key=lambda one: one[0])
        if after[0] <= before[0]:
            return before[1][name]
        share = (moment - before[0]) / (after[0] - before[0])
        return before[1][name] + share * (after[1][name] - before[1][name])

    return {name: at(end, name) - at(begin, name) for name in samples[0][1]}


def field_of(client, key, field):
    return int(client.hget(key, field) or 0)


def sums_of_node(client, campaigns):
    """What the Node worker keeps."""
    totals = {name: field_of(client, "totals", name) for name in ("success", "failure")}
    found = {"messages": sum(totals.values()), **totals}
    for campaign in campaigns:
        for name in ("success", "failure"):
            found[f"{name} of {campaign}"] = field_of(client, f"campaign:{campaign}:counters", name)
    return found


def sums_of_ours(client, campaigns):
    totals = {name.decode(): int(value) for name, value in client.hgetall("dc:totals").items()}
    found = {name: totals.get(name, 0) for name in SUMS}
    found["copies"] = totals.get("duplicate", 0) + totals.get("revised", 0)
    found["phones listed"] = client.zcard("dc:optouts")
    for campaign in campaigns:
        for name in ("success", "failure"):
            found[f"{name} of {campaign}"] = field_of(client, f"dc:campaign:{campaign}:counters", name)
    return found


def expected_sums(filled):
    sums = {**filled["sums"], "copies": filled["events"] - filled["sums"]["messages"],
            "phones listed": filled["sums"]["opt_out"]}
    for campaign, counts in filled["campaigns"].items():
        sums |= {f"{name} of {campaign}": count for name, count in counts.items()}
    return sums


def bytes_of(client, pattern, at_most=None):
    """(keys, bytes that they take) of the first so many keys."""
    count = total = 0
    keys = list(client.scan_iter(match=pattern, count=KEYS_AT_ONCE) if at_most is None
                else client.scan(match=pattern, count=at_most)[1])
    for first in range(0, len(keys), KEYS_AT_ONCE):
        pipeline = client.pipeline(transaction=False)
        for key in keys[first:first + KEYS_AT_ONCE]:
            pipeline.memory_usage(key, samples=0)
        taken = pipeline.execute()
        count, total = count + len(taken), total + sum(filter(None, taken))
    return count, total


def memory_of_ours(client, drops):
    """Bytes of a drop's record, and of a lookup and a stream entry where there are any."""
    _, records = bytes_of(client, "dc:drops:*")
    lookups, lookup_bytes = bytes_of(client, "dc:result:*", at_most=KEYS_AT_ONCE)
    entries = client.xlen("dc:results")
    stream_bytes = client.memory_usage("dc:results", samples=0) or 0
    return {"record": records / drops, "lookup": lookup_bytes / lookups if lookups else None,
            "entry": stream_bytes / entries if entries else None}


class Arena:
    """The broker, and what each drain needs."""

    def __init__(self, folder, build, size):
        self.folder, self.build, self.size = folder, build, size
        self.rabbit = servers.RabbitMQ(folder / "rabbitmq", BROKER_CONF)
        self.drains = 0

    def bench_program(self, name):
        return self.build / "tests" / "bench" / name

    def environment(self):
        return {**servers.clean_environment(), "AMQP_URL": self.rabbit.url}

    def fill(self, contender):
        """Fills a new queue. What has to be counted."""
        with self.rabbit.connect() as connection:
            connection.channel().queue_delete(QUEUE)
        apart = [str(APART)] if contender.copies else []
        done = subprocess.run([str(self.bench_program("fill")), str(self.size.events), *apart], capture_output=True, text=True,
                              timeout=FILL_S, check=False, env=self.environment())
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return json.loads(done.stdout)

    @contextlib.contextmanager
    def redis(self):
        folder = self.folder / f"redis-{self.drains}"
        store = servers.Redis(folder)
        try:
            yield store.start()
        finally:
            store.stop()
            shutil.rmtree(folder, ignore_errors=True)

    def start(self, slug, store):
        """The contender's programs; a program of ours is ready when it is."""
        contender, name = CONTENDERS[slug], f"{slug}-{self.drains}"
        if slug == standings.BOUND:
            return [servers.Child([self.bench_program("take"), self.size.events], self.folder, name, self.environment())]
        where = {"AMQP_URL": self.rabbit.url, "REDIS_URL": store.url}
        if slug == standings.PEER:
            return [servers.Child(["node", peers.NODE_WORKER / "worker.js"], self.folder, name,
                                  {**servers.clean_environment(), **where})]
        return [servers.Worker(self.folder, {**where, **contender.settings}, name=f"{name}-{number}", build=self.build)
                for number in range(contender.workers)]

    def follow(self, watch, programs, store, ends_itself):
        """Readings of all clocks until the queue is drained."""
        samples, over = [], False
        while not over:
            over = watch.over()
            for program in programs:
                end = os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                if end and not (ends_itself and end.si_status == 0):
                    raise RuntimeError(f"{program.name} ended with {end.si_status}:\n{program.stderr[-4000:]}")
            used = store.client.info("cpu")
            samples.append((time.time(), {
                "busy": machine.busy_seconds(),
                "broker": machine.cpu_seconds(self.rabbit.vm_pid()),
                "redis": used["used_cpu_sys"] + used["used_cpu_user"],
                "worker": sum(machine.cpu_seconds(program.pid) for program in programs),
            }))
            time.sleep(0 if over else LOOK_EACH_S)
        return samples

    def drain(self, slug):
        """One contender's turn."""
        self.drains += 1
        contender, ends_itself = CONTENDERS[slug], slug == standings.BOUND
        filled = self.fill(contender)
        with self.redis() as store:
            if contender.known:
                known.fill(store, contender.known)
            watch, programs = Watch(self.rabbit, filled["events"]), []
            try:
                programs = self.start(slug, store)
                samples = self.follow(watch, programs, store, ends_itself)
                begin, end = watch.times()
                statuses = [program.wait_exit() if ends_itself else program.stop() for program in programs]
            finally:
                for program in programs:
                    program.kill()
            if any(statuses):
                raise RuntimeError(f"{contender.name} ended with {statuses}:\n{programs[0].stderr[-4000:]}")
            told = self.figures(filled["events"], begin, end, between(samples, begin, end))
            if slug == standings.BOUND:
                del told["cpu"]["redis"]
            else:
                read = sums_of_node if slug == standings.PEER else sums_of_ours
                told["wrong"] = standings.differences(expected_sums(filled), read(store.client, filled["campaigns"]))
            if contender.workers and not contender.known:
                told["memory"] = memory_of_ours(store.client, filled["sums"]["messages"])
            return told | {"body_bytes": filled["body_bytes"] / filled["events"]}

    @staticmethod
    def figures(events, begin, end, used):
        of_others = used["busy"] - sum(used[name] for name in standings.CPU)
        return {"rate": events / (end - begin), "seconds": end - begin, "memory": {}, "wrong": [],
                "cpu": {name: used[name] / events * 1e6 for name in standings.CPU},
                "others": max(0.0, of_others / ((end - begin) * machine.CORES))}


def order(slugs, turn):
    """Each round begins with another contender, so that none always has the same one before it."""
    begin = turn * 3 % len(slugs)
    return [*slugs[begin:], *slugs[:begin]]


def measure(folder, build, size, slugs):
    """The rows of standings.summary."""
    not_run, drains = {}, {}
    if standings.PEER in slugs:
        why = peers.install()
        not_run = {standings.PEER: why} if why else {}
    arena = Arena(folder, build, size)
    try:
        arena.rabbit.start()
        arena.drain(standings.BOUND)  # warms the broker up
        for turn in range(size.rounds):
            for slug in order([slug for slug in slugs if slug not in not_run], turn):
                drains.setdefault(slug, []).append(arena.drain(slug))
                print(f"  round {turn + 1}: {CONTENDERS[slug].name}: {drains[slug][-1]['rate']:,.0f} a second", flush=True)
    finally:
        arena.rabbit.stop()
    return standings.summary({slug: CONTENDERS[slug].name for slug in slugs}, drains, not_run)
