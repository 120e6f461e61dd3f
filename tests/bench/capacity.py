"""What one machine carries: ingest alone, drain alone, both, the spool, and memory. Everything runs on this machine, the
load too; CPU time an event, by process, is what can be carried over to another one."""

import contextlib
import dataclasses
import json
import os
import subprocess

import load
import machine
import report
import servers

QUEUE = "dropcowboy.events"
INGEST = "ingest alone, 256 connections, no worker"
DRAIN = "drain alone, {} worker{}"
DRAIN_BARE = "drain alone, 2 workers, RESULT_TTL_S=0, RESULTS_STREAM_MAX=0"
ONE_QUEUE = "one quorum queue, in and out at once, nothing else"
STEADY = "both, 1 worker, {:,} events/s"
MOST = "both, 1 worker, the highest rate that holds"
BY_RATE = "both, 1 worker, what an event costs at a rate, without the load; each once"
SPOOL = "spool, RabbitMQ stopped"
MEMORY = "memory"
CONNECTED, AWAY = "connected", "away"
OTHERS = "… by others than these"
P99_LIMIT_MS = 50
# The gigabyte of a private broker is for tests: queues at full speed keep half of that as their log in memory.
BROKER_CONF = "vm_memory_high_watermark.absolute = 4GB\n"
FILL_SECONDS = 15  # at the longest: a slow machine fills the queue with fewer events
WAITING_LIMIT_S = 0.25  # of events that may wait in the queue at the end of a run that "holds"


@dataclasses.dataclass
class Size:
    repeats: int
    fill: int  # events of one ingest and one drain
    one_queue: int
    spooled: int
    steady_s: int
    probe_s: int
    hold_s: int
    holds: int  # runs in a row that must hold
    most_runs: int
    connections_s: int


FULL = Size(repeats=3, fill=60000, one_queue=100000, spooled=30000, steady_s=6, probe_s=3, hold_s=15,
            holds=3, most_runs=8, connections_s=4)
QUICK = Size(repeats=1, fill=15000, one_queue=15000, spooled=5000, steady_s=3, probe_s=2, hold_s=4,
             holds=1, most_runs=3, connections_s=2)


class Bench:
    """The servers, and what has been measured."""

    def __init__(self, folder, build, size):
        self.folder, self.build, self.size = folder, build, size
        self.rabbit = servers.RabbitMQ(folder / "rabbitmq", BROKER_CONF)
        self.redis = servers.Redis(folder / "redis")
        self.load = load.Load(build / "tests" / "bench" / "load")
        self.report = report.Report()
        self.names = 0

    def start(self):
        self.rabbit.start()
        self.redis.start()
        return self

    def stop(self):
        self.redis.stop()
        self.rabbit.stop()

    @contextlib.contextmanager
    def bridge(self, broker=CONNECTED, **settings):
        """A bridge with the settings that users have unless they say otherwise, once its broker is `broker` to it."""
        self.names += 1
        program = servers.Bridge(self.folder, {"AMQP_URL": self.rabbit.url, "HTTP_THREADS": None, **settings},
                                 name=f"bridge-{self.names}", build=self.build)
        try:
            servers.wait_until(lambda: program.readyz()[1]["broker"] == broker, "the bridge is ready")
            yield program
            if broker == CONNECTED:  # what a stalled moment put into the spool belongs into the queue
                servers.wait_until(lambda: program.spooled() == 0, "its spool is empty")
        finally:
            program.stop()

    @contextlib.contextmanager
    def workers(self, count, **settings):
        programs = []
        try:
            for _ in range(count):
                self.names += 1
                servers_of = {"AMQP_URL": self.rabbit.url, "REDIS_URL": self.redis.url}
                programs.append(servers.Worker(self.folder, {**servers_of, **settings}, name=f"worker-{self.names}",
                                               build=self.build))
            yield programs
        finally:
            for program in programs:
                program.stop()

    def waiting(self):
        """Messages in the queue that no worker has."""
        with self.rabbit.connect() as connection:
            return connection.channel().queue_declare(QUEUE, passive=True).method.message_count

    def purge(self):
        with self.rabbit.connect() as connection:
            connection.channel().queue_purge(QUEUE)

    def broker(self):
        return {"broker": self.rabbit.vm_pid()}

    def add_use(self, section, use, events, names):
        """CPU time an event of each process, of all of them, and how busy the machine was."""
        ours = 0.0
        for name in names:
            of_name = sum(seconds for process, seconds in use["cpu"].items() if process.split("-")[0] == name)
            ours += of_name
            self.report.add(section, f"CPU of {name}", "µs an event", of_name / events * 1e6)
        self.report.add(section, "CPU of all of them", "µs an event", ours / events * 1e6)
        self.report.add(section, "machine busy", "% of its cores", use["busy"] * 100)
        of_others = (use["busy_s"] - ours) / use["busy_s"] * use["busy"]
        # The two clocks are not read the same way: a little below nothing is nothing.
        self.report.add(section, OTHERS, "% of its cores", max(0.0, of_others * 100))


def check(result):
    if result["bad"]:
        raise RuntimeError(f"{result['bad']} of {result['sent']} events were not answered 200: {result['statuses']}, "
                           f"{result['broken']} connections broken, {result['timed_out']} answers missing")


# ---- ingest, drain, and what Redis then holds ----


def fill_queue(bench):
    with bench.bridge() as bridge:
        result = bench.load.run(bridge, bench.broker(), events=bench.size.fill, seconds=FILL_SECONDS)
        result["bridge_memory"] = machine.memory_bytes(bridge.pid)
    check(result)
    return result


def ingest(bench):
    result = fill_queue(bench)
    add, use, events = bench.report.add, result["use"], result["good"]
    add(INGEST, "events", "a second", events / (result["took_us"] / 1e6))
    for name in ("p50", "p99"):
        add(INGEST, f"{name} of an answer", "ms", result["latency_us"][name] / 1000)
    bench.add_use(INGEST, use, events, ("load", "bridge", "broker"))
    add(INGEST, "written to the disk by the broker", "bytes an event", use["written"]["broker"] / events)
    add(INGEST, "one request", "bytes", result["request_bytes"])
    add(MEMORY, "bridge, 256 connections, full load", "MiB", result["bridge_memory"] / 2**20)


def counted(workers):
    return sum(worker.metrics()["dropworker_consumed_total"] for worker in workers)


def drain(bench, count, section="", **settings):
    """From a tenth of the queue to nineteen twentieths of it, so that neither start nor end counts."""
    section = section or DRAIN.format(count, "" if count == 1 else "s")
    fill, samples = bench.waiting(), []
    with bench.workers(count, **settings) as workers:
        pids = {**bench.broker(), "redis": bench.redis.child.pid}
        pids.update({f"worker-{number}": worker.pid for number, worker in enumerate(workers)})

        def emptied():
            script = bench.redis.client.info("commandstats").get("cmdstat_evalsha", {"usec": 0, "calls": 0})
            samples.append((counted(workers), machine.Snapshot(pids), script))
            return samples[-1][0] >= fill

        servers.wait_until(emptied, "the queue is drained")
    first = next(sample for sample in samples if sample[0] >= fill * 0.1)
    last = [sample for sample in samples if sample[0] <= fill * 0.95][-1]
    events, use = last[0] - first[0], last[1].since(first[1])
    bench.report.add(section, "events", "a second", events / use["seconds"])
    bench.add_use(section, use, events, ("worker", "broker", "redis"))
    calls, inside = (last[2][name] - first[2][name] for name in ("calls", "usec"))
    bench.report.add(section, "the script alone, inside Redis", "µs an event", inside / events)
    bench.report.add(section, "events in one call of the script", "", events / calls)
    bench.report.add(section, "written to the disk by Redis", "bytes an event", use["written"]["redis"] / events)


def note_redis_memory(bench, empty, when):
    """All that a drop costs, beside an empty Redis: its record, its share of the counters, lookup and stream."""
    drops = int(bench.redis.client.hget("dc:totals", "messages"))
    used = bench.redis.client.info("memory")["used_memory"]
    bench.report.add(MEMORY, f"drops in Redis after {when}", "", drops)
    bench.report.add(MEMORY, f"Redis after {when}", "bytes a drop", (used - empty) / drops)


def note_stream_memory(bench):
    client = bench.redis.client
    entries, used = client.xlen("dc:results"), client.info("memory")["used_memory"]
    client.delete("dc:results")
    freed = used - client.info("memory")["used_memory"]
    bench.report.add(MEMORY, "… of these the results stream", "bytes an entry", freed / entries)


def empty_redis(bench):
    bench.redis.client.flushall()
    return bench.redis.client.info("memory")["used_memory"]


def ingest_and_drain(bench):
    for _ in range(bench.size.repeats):
        empty = empty_redis(bench)
        for count, when in ((1, "one fill"), (2, "two fills")):
            ingest(bench)
            drain(bench, count)
            note_redis_memory(bench, empty, when)
        note_stream_memory(bench)
        empty = empty_redis(bench)
        fill_queue(bench)
        drain(bench, 2, DRAIN_BARE, RESULT_TTL_S=0, RESULTS_STREAM_MAX=0)
        note_redis_memory(bench, empty, "one fill, without lookup and stream")
    empty_redis(bench)
    for section in (INGEST, DRAIN.format(1, ""), DRAIN.format(2, "s"), DRAIN_BARE):
        bench.report.print_section(section)


# ---- one queue ----


def one_queue(bench):
    program = bench.build / "tests" / "bench" / "one_queue"
    for _ in range(bench.size.repeats):
        before = machine.Snapshot(bench.broker())
        done = subprocess.run([str(program), str(bench.size.one_queue)], capture_output=True, text=True, timeout=120,
                              check=False, env={"PATH": os.environ["PATH"], "AMQP_URL": bench.rabbit.url})
        use = machine.Snapshot(bench.broker()).since(before)
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        result = json.loads(done.stdout)
        add, events = bench.report.add, result["events"]
        add(ONE_QUEUE, "events, confirmed and acknowledged", "a second", events / (result["took_us"] / 1e6))
        add(ONE_QUEUE, "CPU of broker", "µs an event", use["cpu"]["broker"] / events * 1e6)
        add(ONE_QUEUE, "CPU of broker", "cores", use["cpu"]["broker"] / use["seconds"])
        add(ONE_QUEUE, "machine busy", "% of its cores", use["busy"] * 100)
    bench.report.print_section(ONE_QUEUE)


# ---- both at once ----


class Trial:
    """Bridge and worker under a given rate."""

    def __init__(self, bench, bridge, worker):
        self.bench, self.bridge, self.worker = bench, bridge, worker

    def settle(self):
        servers.wait_until(lambda: self.bench.waiting() == 0, "the worker has caught up")

    def run(self, rate, seconds):
        self.settle()
        pids = {**self.bench.broker(), "redis": self.bench.redis.child.pid, "worker": self.worker.pid}
        result = self.bench.load.run(self.bridge, pids, events=rate * seconds, rate=rate, seconds=seconds)
        result["waiting"] = self.bench.waiting()
        check(result)
        return result

    def holds(self, result, rate):
        return result["latency_us"]["p99"] < P99_LIMIT_MS * 1000 and result["waiting"] <= rate * WAITING_LIMIT_S

    def note(self, section, result):
        for name in ("p50", "p99", "max"):
            self.bench.report.add(section, f"{name} of an answer", "ms", result["latency_us"][name] / 1000)
        self.bench.report.add(section, "waiting in the queue at the end", "events", result["waiting"])
        self.bench.add_use(section, result["use"], result["good"], ("load", "bridge", "broker", "worker", "redis"))

    def probe_once(self, rate):
        """Notes what an event costs: the denser they come, the less."""
        result = self.run(rate, self.bench.size.probe_s)
        cost = sum(seconds for name, seconds in result["use"]["cpu"].items() if name != "load")
        self.bench.report.add(BY_RATE, f"CPU at {rate:,} a second", "µs an event", cost / result["good"] * 1e6)
        return self.holds(result, rate)

    def probe(self, rate):
        """Whether it holds for a moment, at the second try at the latest: one stall is no limit."""
        return self.probe_once(rate) or self.probe_once(rate)

    def highest_probe(self):
        """The highest rate that holds for a moment, found by larger and then smaller steps."""
        rate, good = 2000, 0
        while rate < 200000 and self.probe(rate):
            rate, good = int(round(rate * 1.35, -2)), rate
        while not good and rate > 100:
            rate = int(round(rate * 0.7, -2))
            good = rate if self.probe(rate) else 0
        between = int(round(good * 1.17, -2))
        return between if good >= 2000 and self.probe(between) else max(good, 100)

    def find_most(self):
        """A rate counts when it holds several times in a row; else a tenth less is tried."""
        rate, held, tried = self.highest_probe(), [], 0
        for _ in range(self.bench.size.most_runs):
            tried, result = rate, self.run(rate, self.bench.size.hold_s)
            print(f"  tried {rate:,} a second for {self.bench.size.hold_s} s: p99 {result['latency_us']['p99'] / 1000:.0f} ms, "
                  f"{result['waiting']} waiting at the end", flush=True)
            if self.holds(result, rate):
                held.append(result)
            else:
                rate, held = int(round(rate * 0.9, -2)), []
            if len(held) == self.bench.size.holds:
                break
        if len(held) < self.bench.size.holds:
            print(f"\n{MOST}\n  none held {self.bench.size.holds} times in a row, down to {tried:,} a second: "
                  "repeat it when the machine does nothing else")
            return
        for result in held:
            self.bench.report.add(MOST, "events", "a second", rate)
            self.note(MOST, result)
        self.bench.report.print_section(MOST)


def both(bench):
    section = STEADY.format(2000)
    with bench.bridge() as bridge, bench.workers(1) as (worker,):
        trial = Trial(bench, bridge, worker)
        for _ in range(bench.size.repeats):
            trial.note(section, trial.run(2000, bench.size.steady_s))
        bench.report.print_section(section)
        trial.find_most()
        trial.settle()
    bench.report.print_section(BY_RATE)


# ---- the spool ----


def spool(bench):
    """One bridge, and so one file, for each repetition; RabbitMQ is stopped once for all."""
    add, events = bench.report.add, bench.size.spooled
    files = [bench.folder / f"measured-{number}.spool.db" for number in range(bench.size.repeats)]
    most = machine.memory_bytes(bench.rabbit.vm_pid(), "VmHWM")
    bench.report.add(MEMORY, "RabbitMQ, the most", "MiB", most / 2**20)
    bench.rabbit.stop()
    for file in files:
        with bench.bridge(AWAY, SPOOL_PATH=file) as bridge:
            result = bench.load.run(bridge, {}, events=events)
            check(result)
            add(SPOOL, "events into it", "a second", events / (result["took_us"] / 1e6))
            for name in ("p50", "p99"):
                add(SPOOL, f"{name} of an answer", "ms", result["latency_us"][name] / 1000)
            bench.add_use(SPOOL, result["use"], events, ("load", "bridge"))
            if result["use"]["written"]["bridge"] is not None:
                add(SPOOL, "written to the disk", "bytes an event", result["use"]["written"]["bridge"] / events)
            add(SPOOL, "size of it", "bytes an event", bridge.metrics()["dropbridge_spool_bytes"] / events)
    bench.rabbit.start()
    for file in files:
        drain_spool(bench, file)
    bench.purge()
    bench.report.print_section(SPOOL)


def drain_spool(bench, file):
    samples = []
    with bench.bridge(SPOOL_PATH=file) as bridge:
        pids = {**bench.broker(), "bridge": bridge.pid}

        def emptied():
            samples.append((bridge.metrics()["dropbridge_spool_waiting"], machine.Snapshot(pids)))
            return samples[-1][0] == 0

        servers.wait_until(emptied, "the spool is drained")
    moving = [sample for sample in samples if 0 < sample[0] < bench.size.spooled]
    if len(moving) > 1:
        events, use = moving[0][0] - moving[-1][0], moving[-1][1].since(moving[0][1])
        bench.report.add(SPOOL, "events out of it, afterwards", "a second", events / use["seconds"])
        for name in ("bridge", "broker"):
            bench.report.add(SPOOL, f"CPU of {name}, draining", "µs an event", use["cpu"][name] / events * 1e6)


# ---- connections ----


def connections(bench):
    for count, threads in ((256, None), (5000, 5200)):
        for _ in range(bench.size.repeats):
            with bench.bridge(HTTP_THREADS=threads) as bridge:
                note_connections(bench, bridge, count, threads or "as shipped")
    bench.purge()
    bench.report.print_section(MEMORY)


def note_connections(bench, bridge, count, threads):
    at_rest, seconds, add = machine.memory_bytes(bridge.pid), bench.size.connections_s, bench.report.add
    result = bench.load.run(bridge, bench.broker(), events=count * seconds, connections=count, rate=count, seconds=seconds)
    check(result)
    most = machine.memory_bytes(bridge.pid, "VmHWM")
    add(MEMORY, f"bridge, no connection, HTTP_THREADS {threads}", "MiB", at_rest / 2**20)
    add(MEMORY, f"bridge, {count:,} connections, an event a second each", "MiB", most / 2**20)
    add(MEMORY, f"p99 of an answer, {count:,} connections", "ms", result["latency_us"]["p99"] / 1000)


def measure(folder, build, size):
    """Starts the servers, measures all, stops them. A Report."""
    bench = Bench(folder, build, size)
    try:
        bench.start()
        for part in (ingest_and_drain, one_queue, both, spool, connections):
            part(bench)
    finally:
        bench.stop()
    return bench.report
