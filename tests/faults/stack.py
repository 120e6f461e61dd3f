"""The servers and programs of one lane of the suite: a RabbitMQ and a Redis for all its claims, bridges and workers for
each. Everything listens on loopback, is stopped by its pid, and dies with the process that started it."""

import contextlib
import http.client
import itertools
import os
import random
import re
import shutil
import signal
import socket
import time

import pika
import servers

WORKER_COUNT = 2
RELEASE, CONTROLS = "release", "controls"
HEARTBEAT_SECONDS = 60  # that RabbitMQ asks for by default; ours ask for less, and the lesser counts


def fixed_port():
    """A port that outgoing connections do not get, so that a server which is away finds it free when it comes back."""
    with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as text:
        first = int(text.read().split()[0])
    for _ in range(1000):
        port = random.SystemRandom().randrange(max(1024, first - 16000), first)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no free port")


def memory_mib(program, field="VmHWM"):
    """The most that it had up to now; as `field` VmRSS: that it has now."""
    with open(f"/proc/{program.pid}/status", encoding="ascii") as status:
        return int(re.search(rf"{field}:\s+(\d+)", status.read()).group(1)) / 1024


class Broker(servers.RabbitMQ):
    def __init__(self, folder):
        super().__init__(folder)
        node = folder / "node"
        node.mkdir(parents=True)
        ports = [fixed_port() for _ in range(3)]
        self.names = f"dropbridge-{ports[0]}@localhost {ports[0]} {ports[1]} {ports[2]}\n"
        (node / "names").write_text(self.names)

    def start(self):
        super().start()
        assert (self.folder / "node" / "names").read_text() == self.names, "RabbitMQ did not come back with its data"
        return self

    def alive(self):
        return self.child is not None and self.child.running()

    def pause(self):
        os.kill(self.vm_pid(), signal.SIGSTOP)

    def go_on(self):
        os.kill(self.vm_pid(), signal.SIGCONT)

    def kill(self):
        os.kill(self.vm_pid(), signal.SIGKILL)
        self.child.wait_exit()

    def heartbeat(self, seconds):
        """What it asks of those who connect from now on."""
        self.control("eval", f"application:set_env(rabbit, heartbeat, {seconds}).")

    def restart(self):
        self.kill()
        self.start()


class Store(servers.Redis):
    def __init__(self, folder, *options):
        super().__init__(folder, *options)
        self.port = fixed_port()

    def pause(self):
        os.kill(self.child.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.child.pid, signal.SIGCONT)


class Lane:
    """What the claims of one process share."""

    def __init__(self, folder, builds, preload):
        self.folder = folder
        self.builds = builds
        self.preload = preload
        self.numbers = itertools.count(1)
        self.rabbitmq = None

    def broker(self):
        """RabbitMQ, whatever the last claim did to it."""
        if self.rabbitmq is None or not self.rabbitmq.alive():
            self.rabbitmq = Broker(self.folder / f"rabbitmq-{next(self.numbers)}")
            self.rabbitmq.start()
        return self.rabbitmq

    def forget_broker(self):
        if self.rabbitmq is not None:
            with contextlib.suppress(Exception):
                self.rabbitmq.go_on()
            with contextlib.suppress(AssertionError):
                self.rabbitmq.stop()
            self.rabbitmq = None

    def close(self):
        self.forget_broker()


class Disk:
    """The bridge's disk, as tests/faults/preload.c makes it behave."""

    def __init__(self, folder, preload):
        self.control = folder / "disk"
        self.preload = preload
        self.well()

    def settings(self, spool):
        return {"LD_PRELOAD": self.preload, "FAULTS_CONTROL": self.control, "FAULTS_PREFIX": spool}

    def is_now(self, what):
        """sync-fails, sync-slow MS or full."""
        fresh = self.control.with_suffix(".new")
        fresh.write_text(what)
        fresh.rename(self.control)

    def well(self):
        self.is_now("")


class Stack:
    """Redis, names, bridge and workers of one claim."""

    def __init__(self, lane, name, without="", seed=1, redis_options=()):
        number = next(lane.numbers)
        self.lane = lane
        self.folder = lane.folder / f"{number:03d}-{name}"
        self.folder.mkdir(parents=True)
        self.build = lane.builds[CONTROLS if without else RELEASE]
        self.dropctl = lane.builds[RELEASE] / "tools" / "dropctl"
        self.without = without
        self.rng = random.Random(seed)
        self.rabbitmq = lane.broker()
        self.redis = Store(self.folder / "redis", *redis_options).start()
        self.names = {
            "AMQP_EXCHANGE": f"faults.{number}",
            "AMQP_QUEUE": f"faults.{number}.events",
            "AMQP_REJECTED_QUEUE": f"faults.{number}.rejected",
        }
        self.amqp_url = self.rabbitmq.url
        self.proxy = None
        self.disk = Disk(self.folder, lane.preload)
        self.port = fixed_port()
        self.spool = self.folder / "spool.db"
        self.listener = None  # a socket that bridges are handed, one after the other
        self.bridge = None
        self.workers = []
        self.worker_settings = {}
        self.bridge_settings = {}
        self.started = []
        self.connects_failed = 0
        self.undo = contextlib.ExitStack()
        self.declare()

    # -- programs --

    def _program(self, kind, label, settings, **options):
        switches = {"DROPBRIDGE_WITHOUT": self.without} if self.without else {}
        names = {"AMQP_URL": self.amqp_url, **self.names, **switches}
        program = kind(self.folder, {**names, **settings}, name=f"{label}-{len(self.started)}", build=self.build, **options)
        self.started.append(program)
        return program

    def through_proxy(self, kind=servers.CuttableProxy):
        """From now on the programs that start reach RabbitMQ through self.proxy."""
        self.proxy = kind(self.rabbitmq.port)
        self.undo.callback(self.proxy.close)
        self.amqp_url = f"amqp://guest:guest@{self.proxy.host}:{self.proxy.port}/%2f"
        return self.proxy

    def start_bridge(self, wait=True):
        """A bridge on the claim's port and spool, as the last one had them."""
        settings = {
            "LISTEN": f"127.0.0.1:{self.port}",
            "SPOOL_PATH": self.spool,
            "HTTP_THREADS": 256,
            **self.disk.settings(self.spool),
            **self.bridge_settings,
        }
        options = {"listener": self.listener} if self.listener else {}
        self.bridge = self._program(servers.Bridge, "bridge", settings, **options)
        if wait:
            assert self.bridge.port == self.port
            servers.wait_until(lambda: self.bridge.readyz()[0] == 200, lambda: self.bridge.stderr[-2000:])
        return self.bridge

    def start_worker(self, wait=False):
        worker = self._program(servers.Worker, "worker", {"REDIS_URL": self.redis.url, **self.worker_settings})
        self.workers.append(worker)
        if wait:
            servers.wait_until(lambda: worker.readyz()[0] == 200, lambda: worker.stderr[-2000:])
        return worker

    def start_workers(self, count=WORKER_COUNT, wait=True):
        for _ in range(count):
            self.start_worker()
        if wait:
            ready = lambda: all(worker.readyz()[0] == 200 for worker in self.workers)  # noqa: E731
            servers.wait_until(ready, lambda: self.workers[0].stderr[-2000:])

    def replace_dead_workers(self):
        """How many there were."""
        dead = [worker for worker in self.workers if not worker.running()]
        for worker in dead:
            self.workers.remove(worker)
            self.start_worker()
        return len(dead)

    # -- the broker's side --

    @contextlib.contextmanager
    def channel(self):
        connection = self.rabbitmq.connect()
        try:
            yield connection.channel()
        finally:
            with contextlib.suppress(pika.exceptions.AMQPError):
                connection.close()

    def declare(self):
        """As INTERFACE.md has it, so that a claim may look before a program has declared it."""
        rejected, exchange, queue = (self.names[k] for k in ("AMQP_REJECTED_QUEUE", "AMQP_EXCHANGE", "AMQP_QUEUE"))
        arguments = {
            "x-queue-type": "quorum",
            "x-overflow": "reject-publish",
            "x-dead-letter-exchange": rejected,
            "x-dead-letter-strategy": "at-least-once",
            "x-delivery-limit": 1000000,
        }
        with self.channel() as channel:
            channel.exchange_declare(rejected, "fanout", durable=True)
            channel.queue_declare(rejected, durable=True, arguments={"x-queue-type": "quorum"})
            channel.queue_bind(rejected, rejected)
            channel.exchange_declare(exchange, "direct", durable=True)
            channel.queue_declare(queue, durable=True, arguments=arguments)
            channel.queue_bind(queue, exchange, queue)

    def wait_until_recorded(self):
        """A new quorum queue enters the file that names the queues to start again about half a second after its
        declaration (RabbitMQ 3.10). Killed before that, the broker comes back with a queue that never answers."""
        names = [self.names[key].encode() for key in ("AMQP_QUEUE", "AMQP_REJECTED_QUEUE")]

        def recorded():
            files = (self.rabbitmq.folder / "node").glob("data/*/quorum/*/names.dets")
            held = b"".join(path.read_bytes() for path in files)
            return all(name in held for name in names)

        servers.wait_until(recorded, "RabbitMQ notes its new queues on disk")

    def depth(self, queue="AMQP_QUEUE"):
        """Messages that wait there, or None while the queue cannot be asked."""
        try:
            with self.channel() as channel:
                return channel.queue_declare(self.names[queue], passive=True).method.message_count
        except (pika.exceptions.AMQPError, OSError):
            return None

    def rejected(self):
        """Takes all messages of the rejected queue: [(properties, body)]."""
        taken = []
        with self.channel() as channel:
            while True:
                method, properties, body = channel.basic_get(self.names["AMQP_REJECTED_QUEUE"], auto_ack=True)
                if method is None:
                    return taken
                taken.append((properties, body))

    @contextlib.contextmanager
    def policy(self, definition, queue="AMQP_QUEUE"):
        """A policy for one queue."""
        queue = self.names[queue]
        self.rabbitmq.control("set_policy", queue, f"^{queue}$", definition, "--apply-to", "queues")
        try:
            yield
        finally:
            self.rabbitmq.control("clear_policy", queue)

    # -- rest --

    def under_way(self):
        """What is in the spool, in the queue and in the workers' hands, and how many they have consumed."""
        found = {"spool": 0, "answering": 0, "queue": self.depth(), "held": 0, "consumed": 0}
        if self.bridge and self.bridge.running():
            metrics = self.bridge.metrics()
            found["spool"] = metrics["dropbridge_spool_waiting"]
            found["answering"] = metrics["dropbridge_in_flight"]
        for worker in self.workers:
            if not worker.running():
                return {**found, "dead": worker.name}
            metrics = worker.metrics()
            found["held"] += metrics["dropworker_held"]
            found["consumed"] += metrics["dropworker_consumed_total"]
        return found

    def at_rest(self):
        """Twice the same with nothing under way: what the broker had sent off has arrived."""
        try:
            first = self.under_way()
            if first != {"spool": 0, "answering": 0, "queue": 0, "held": 0, "consumed": first["consumed"]}:
                return False
            time.sleep(0.15)
            return self.under_way() == first
        except (OSError, http.client.HTTPException, AssertionError):
            return False  # a worker died while it was asked

    def wait_for_rest(self):
        servers.wait_until(self.at_rest, lambda: f"{self.under_way()}; {self.folder}")

    def unacknowledged(self):
        """What the broker holds for consumers, those included of whose end it has not heard yet: no client is told this."""
        return self.broker_says("messages")[0]

    def broker_says(self, *columns):
        """What the broker itself knows of AMQP_QUEUE: numbers of rabbitmqctl list_queues, None where it cannot tell."""
        lines = self.rabbitmq.control("list_queues", "--silent", "name", *columns).splitlines()
        rows = [line.split("\t") for line in lines]
        row = next((row[1:] for row in rows if row[0] == self.names["AMQP_QUEUE"]), [""] * len(columns))
        return [int(number) if number.isdigit() else None for number in row]

    def wait_for_all(self):
        """As wait_for_rest, and nothing is held for a consumer that is gone: the broker gives it out again when two of its
        heartbeats are missing."""
        servers.wait_until(lambda: self.at_rest() and self.unacknowledged() == 0,
                           lambda: f"{self.under_way()}; {self.unacknowledged()} unacknowledged; {self.folder}")
        self.wait_for_rest()

    def close(self, keep):
        """Ends everything of the claim, whatever state it is in; its folder stays if `keep`."""
        for program in self.started:
            program.kill()
        self.undo.close()
        if self.redis.child.running():
            self.redis.go_on()
            self.redis.kill()
        self.redis.client.close()
        self._delete_queues()
        if not keep:
            shutil.rmtree(self.folder, ignore_errors=True)

    def _delete_queues(self):
        try:
            self.rabbitmq.go_on()
            with self.channel() as channel:
                for queue in ("AMQP_QUEUE", "AMQP_REJECTED_QUEUE"):
                    channel.queue_delete(self.names[queue])
                for exchange in ("AMQP_EXCHANGE", "AMQP_REJECTED_QUEUE"):
                    channel.exchange_delete(self.names[exchange])
        except (pika.exceptions.AMQPError, OSError, AssertionError):
            # The claim left a broker that does not answer: the next one gets another.
            self.lane.forget_broker()
