"""How fast events are taken in, side by side: the two halves of the bound, what others make in an afternoon, and ours. The
rounds are interleaved; each contender's answers are checked, and that all it answered 200 is in the queue."""

import contextlib
import dataclasses
import hashlib
import hmac
import http.client
import json
import os
import pathlib
import ssl
import subprocess

import calls
import certificates
import load
import machine
import peers
import servers
import stages
import standings

QUEUE = "dropcowboy.events"
BROKER_CONF = "vm_memory_high_watermark.absolute = 4GB\n"
PUBLISH_S = 300
CONNECTIONS = 256
BROKER, HTTP, OURS, TLS, SPOOL = "broker", "http", "ours", "ours-tls", "ours-spool"
MEMORY_OF = (OURS, TLS, "rust", "go", "fastify")
MEMORY_S = 300  # at the longest, until each connection has sent its event
COUNTED_THREADS = 300  # perf needs a descriptor for each thread and each name; threads that sleep make no calls
KINDS = ("server", "broker", "load")
BODY = b'{"type":"message.delivered","data":{"message_id":"one","campaign_id":"bench","timestamp":"2026-03-20T15:04:00Z"}}'


@dataclasses.dataclass(frozen=True)
class Contender:
    name: str
    program: tuple = ()  # of others
    install: object = None  # None when it is there, else why not
    settings: dict = dataclasses.field(default_factory=dict)
    processes: int = 1
    kept: bool = True  # what it answers 200 is in the queue


def node(name, script, processes=1):
    return Contender(name, ("node", peers.NODE_INGEST / script), peers.install_node_ingest, {"PROCESSES": processes}, processes)


CONTENDERS = {
    BROKER: Contender("P: librabbitmq, publish and confirm alone"),
    HTTP: Contender("H: civetweb, signature alone, 300 threads", kept=False),
    "express": node("Express, amqplib confirms", "express.js"),
    "express-2": node("Express, two processes", "express.js", 2),
    "fastify": node("Fastify, amqplib confirms", "fastify.js"),
    "go": Contender("Go net/http, amqp091 deferred confirms", (peers.GO_INGEST / "go-ingest",), peers.build_go_ingest),
    "rust": Contender("Rust axum, lapin confirms, 4 channels", (peers.RUST_INGEST / "target" / "release" / "rust-ingest",),
                      peers.build_rust_ingest),
    OURS: Contender("dropbridge"),
    TLS: Contender("dropbridge with TLS", settings={"LISTEN": "127.0.0.1:0s"}),
    SPOOL: Contender("dropbridge into its spool, RabbitMQ away", settings={"AMQP_URL": "amqp://guest:guest@127.0.0.1:1/%2f"},
                     kept=False),
}


@dataclasses.dataclass
class Size:
    rounds: int
    events: int
    rates: tuple  # at which latencies are measured, events a second
    rate_s: int
    counted: int  # events of the turn whose system calls are counted
    connections: tuple  # at which memory is measured


FULL = Size(rounds=3, events=60000, rates=(500, 2000, 8000), rate_s=5, counted=10000, connections=(100, 1000, 5000))
QUICK = Size(rounds=1, events=3000, rates=(500,), rate_s=2, counted=1000, connections=(20, 50))


def switches(pids):
    """Of all threads of the processes, wanted or not. Those of threads that ended are not in it."""
    total = 0
    for pid in pids:
        for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
            with contextlib.suppress(OSError):
                total += sum(int(line.split()[1]) for line in status.read_text().splitlines() if "ctxt_switches" in line)
    return total


def children_of(pid):
    found = []
    with contextlib.suppress(OSError):
        for thread in pathlib.Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (thread / "children").read_text().split()]
    return found


class Server:
    """A contender that listens, whatever it is made with."""

    def __init__(self, arena, slug, **more):
        self.contender, self.bridge, self.tls = CONTENDERS[slug], None, None
        name = f"{slug}-{arena.turns}"
        if slug in (OURS, TLS, SPOOL):
            settings = {"AMQP_URL": arena.rabbit.url, "HTTP_THREADS": None, "WEBHOOK_SECRET": servers.WEBHOOK_SECRET,
                        **self.contender.settings, **more}
            if slug == TLS:
                settings["TLS_CERT_FILE"] = arena.authority.issue("bridge")
                self.tls = ssl.create_default_context(cafile=arena.authority.path)
            self.bridge = servers.Bridge(arena.folder, settings, name=name, build=arena.build)
            self.bridge.wait_ready("away" if slug == SPOOL else "connected")
            self.child, self.port = self.bridge, self.bridge.port
            return
        self.port = servers.free_port()
        program = self.contender.program or (arena.bench_program("verify_only"),)
        environment = {**arena.environment(), "PORT": str(self.port), "WEBHOOK_SECRET": servers.WEBHOOK_SECRET,
                       **{key: str(value) for key, value in self.contender.settings.items()}}
        self.child = servers.Child(program, arena.folder, name, environment)
        servers.wait_until(self._listens, lambda: f"{name} listens\n{self.child.stderr[-2000:]}")

    def _listens(self):
        if not self.child.running():
            raise RuntimeError(f"{self.contender.name} ended:\n{self.child.stderr[-4000:]}")
        return self.child.stdout.count("ready") == self.contender.processes

    @property
    def pid(self):
        return self.child.pid

    @property
    def pids(self):
        return [self.pid, *children_of(self.pid)]

    def wrong(self):
        """Sentences: what it answers otherwise than it must."""
        mac = hmac.new(servers.WEBHOOK_SECRET.encode(), BODY, hashlib.sha256).hexdigest()
        told = []
        for what, signature, wanted in (("a signed event", mac, 200), ("another signature", "0" * 64, 401)):
            connection = (http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=self.tls) if self.tls
                          else http.client.HTTPConnection("127.0.0.1", self.port, timeout=10))
            connection.request("POST", "/webhooks/dropcowboy", BODY,
                               {"X-DropCowboy-Signature": signature, "Content-Type": "application/json"})
            status = connection.getresponse().status
            connection.close()
            if status != wanted:
                told.append(f"{what} is answered {status} instead of {wanted}")
        return told

    def stop(self):
        self.child.stop()


class Arena:
    """The broker, and what each turn needs."""

    def __init__(self, folder, build, size):
        self.folder, self.build, self.size = folder, build, size
        self.rabbit = servers.RabbitMQ(folder / "rabbitmq", BROKER_CONF)
        self.authority = certificates.Authority(folder / "authority")
        self.load = load.Load(build / "tests" / "bench" / "load")
        self.turns = 0

    def bench_program(self, name):
        return self.build / "tests" / "bench" / name

    def environment(self):
        return {**servers.clean_environment(), "AMQP_URL": self.rabbit.url}

    def publish(self, events, rate=0):
        """What the bare publisher prints."""
        done = subprocess.run([str(self.bench_program("publish")), str(events), str(rate)], capture_output=True, text=True,
                              timeout=PUBLISH_S, check=False, env=self.environment())
        if done.returncode != 0:
            raise RuntimeError(done.stderr)
        return json.loads(done.stdout)

    def empty(self):
        """A new queue, as our programs declare it."""
        with self.rabbit.connect() as connection:
            connection.channel().queue_delete(QUEUE)
        self.publish(1)
        with self.rabbit.connect() as connection:
            connection.channel().queue_purge(QUEUE)

    def waiting(self):
        with self.rabbit.connect() as connection:
            return connection.channel().queue_declare(QUEUE, passive=True).method.message_count

    def send(self, server, events, pids, connections=CONNECTIONS, **more):
        return self.load.run(server, pids, events=events, connections=connections, tls=bool(server.tls), **more)

    @contextlib.contextmanager
    def serving(self, slug, **settings):
        self.turns += 1
        self.empty()
        server = Server(self, slug, **settings)
        try:
            yield server
        finally:
            server.stop()

    def turn(self, slug):
        return self.turn_of_broker() if slug == BROKER else self.turn_of_server(slug)

    def turn_of_broker(self):
        self.turns += 1
        self.empty()
        pids = {"broker": self.rabbit.vm_pid()}
        before = machine.Snapshot(pids)
        told = self.publish(self.size.events)
        use = machine.Snapshot(pids).since(before)
        cpu = {"server": told["cpu_us"] / 1e6, "broker": use["cpu"]["broker"], "load": None}
        return self.figures(told["events"], told["took_us"], told["latency_us"], cpu, None, use)

    def turn_of_server(self, slug):
        with self.serving(slug) as server:
            wrong = server.wrong()
            pids = {"broker": self.rabbit.vm_pid(), **{f"server-{pid}": pid for pid in server.pids}}
            switched = switches(server.pids)
            told = self.send(server, self.size.events, pids)
            switched = switches(server.pids) - switched
            use = told["use"]
            cpu = {"server": sum(seconds for name, seconds in use["cpu"].items() if name.startswith("server-")),
                   "broker": use["cpu"]["broker"], "load": use["cpu"]["load"]}
            if told["bad"]:
                wrong.append(f"{told['bad']} of {told['sent']} events are not answered 200: {told['statuses']}")
            if server.contender.kept:
                kept = told["good"] + 1  # and the one that was signed by hand
                with contextlib.suppress(AssertionError):
                    servers.wait_until(lambda: self.waiting() == kept, "all are in the queue")
                found = self.waiting()
                if found != kept:
                    wrong.append(f"{found} events are in the queue instead of {kept}")
            return self.figures(told["good"], told["took_us"], told["latency_us"], cpu, switched, use) | {"wrong": wrong}

    @staticmethod
    def figures(events, took_us, latency_us, cpu, switched, use):
        ours = sum(filter(None, cpu.values()))
        return {"rate": events / took_us * 1e6, "p50_ms": latency_us["p50"] / 1000, "p99_ms": latency_us["p99"] / 1000,
                "cpu": {name: None if value is None else value / events * 1e6 for name, value in cpu.items()},
                "switches": None if switched is None else switched / events,
                "others": max(0.0, use["busy_s"] - ours) / (use["seconds"] * machine.CORES), "wrong": []}

    def latencies(self, rate):
        """{"publisher" and "ours": milliseconds from when an event was due, at that rate}"""
        events = rate * self.size.rate_s
        self.turns += 1
        self.empty()
        alone = self.publish(events, rate)["latency_us"]
        with self.serving(OURS) as server:
            told = self.send(server, events, {"broker": self.rabbit.vm_pid()}, rate=rate, seconds=self.size.rate_s + 60)
        if told["bad"]:
            raise RuntimeError(f"{told['bad']} of {told['sent']} events at {rate} a second are not answered 200")
        return {name: {quantile: figures[quantile] / 1000 for quantile in ("p50", "p99")}
                for name, figures in (("publisher", alone), ("ours", told["latency_us"]))}

    def system_calls(self, slug):
        """{"by": what counted, "names": {name: system calls an event}}, or {"why": they are not counted}"""
        settings = {"HTTP_THREADS": COUNTED_THREADS} if slug.startswith(OURS) else {}
        with self.serving(slug, **settings) as server:
            try:
                counted, by, told = calls.count(server.pids, self.folder / f"calls-{self.turns}",
                                                lambda: self.send(server, self.size.counted, {}))
            except calls.NotCounted as why:
                return {"why": str(why)}
            return {"by": by, "names": {name: count / told["answered"] for name, count in counted.items()}}

    def stages(self):
        """{stage: share of the CPU time of the bridge}, or {} when perf may not look."""
        with self.serving(OURS) as server:
            try:
                return stages.record(server.pid, self.folder / "stages", lambda: self.send(server, self.size.events, {}))[0]
            except calls.NotCounted:
                return {}

    def memory(self, slug):
        """[{"connections", "open": those that it has not closed when each has sent one event, "unanswered" events, "now" and "most":
        bytes}], the first with none."""
        with self.serving(slug) as server:
            def look():
                now, most = (sum(machine.memory_bytes(pid, field) for pid in server.pids) for field in ("VmRSS", "VmHWM"))
                return {"open": machine.established(server.port), "now": now, "most": most}

            told = [{"connections": 0, "unanswered": 0, **look()}]
            for count in self.size.connections:
                result = self.send(server, count, {}, connections=count, while_held=look, seconds=MEMORY_S)
                told.append({"connections": count, "unanswered": result["bad"], **result["held"]})
                servers.wait_until(lambda: machine.established(server.port) == 0, "the connections are closed")
            return told


def measure(folder, build, size, slugs):
    """(the rows of standings.ingest_summary, {rate: [latencies]})"""
    not_run = {slug: why for slug in slugs if CONTENDERS[slug].install and (why := CONTENDERS[slug].install())}
    turns, latencies = {}, {}
    arena = Arena(folder, build, size)
    ran = [slug for slug in slugs if slug not in not_run]
    try:
        arena.rabbit.start()
        arena.turn(BROKER)  # warms the broker up
        for number in range(size.rounds):
            begin = number * 3 % len(ran)
            for slug in [*ran[begin:], *ran[:begin]]:
                turns.setdefault(slug, []).append(arena.turn(slug))
                print(f"  round {number + 1}: {CONTENDERS[slug].name}: {turns[slug][-1]['rate']:,.0f} a second", flush=True)
            for rate in size.rates if OURS in slugs else ():
                latencies.setdefault(rate, []).append(arena.latencies(rate))
        print("  system calls, stages, memory", flush=True)
        counted = {slug: arena.system_calls(slug) for slug in ran if slug != BROKER}
        shares = arena.stages() if OURS in slugs else {}
        memory = {slug: arena.memory(slug) for slug in ran if slug in MEMORY_OF}
    finally:
        arena.rabbit.stop()
    rows = standings.ingest_summary({slug: CONTENDERS[slug].name for slug in slugs}, turns, not_run)
    return [row | {"calls": counted.get(row["slug"]), "memory": memory.get(row["slug"]),
                   "stages": shares if row["slug"] == OURS else None} for row in rows], latencies
