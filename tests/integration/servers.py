"""Real servers and the real programs, started on free ports of 127.0.0.1 and stopped by their pid.

Every child is started through setpriv, so that it dies with this process even when Python is killed.
"""

import contextlib
import functools
import http.client
import itertools
import json
import os
import pathlib
import re
import select
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.parse

import pika
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = (ROOT / os.environ.get("DROPBRIDGE_BUILD", "build/dev")).resolve()
SANITIZER_REPORT = re.compile(r"ERROR: AddressSanitizer|WARNING: ThreadSanitizer|runtime error:|LeakSanitizer")
# The one bound of every wait for a condition. It costs nothing, as a wait returns as soon as the condition holds, and it is far
# beyond what a busy machine needs: what runs into it has hung. (scripts/mutate, where many hang, waits for less.)
HANG_GUARD_S = float(os.environ.get("DROPBRIDGE_HANG_GUARD_S", "120"))
START_S = 120.0  # the same for a server's start, which is never part of what is shown
PORTS_FROM = 10000
PORTS_EACH = 200  # of each process: a lane's broker, a Redis and a proxy or two for each test, used again after many tests

WEBHOOK_SECRET = "first-webhook-secret"
OTHER_WEBHOOK_SECRET = "second-webhook-secret"
CALLBACK_SECRET = "first-callback-secret"
OTHER_CALLBACK_SECRET = "second-callback-secret"


@functools.cache
def timer_s(seconds):
    """How long one of the programs' own timers (common/timers.h) takes in the build under test."""
    cache = BUILD / "CMakeCache.txt"  # a folder that holds programs only has none
    told = re.search(r"^DROPBRIDGE_TIMER_DIVISOR:\w+=(\d+)", cache.read_text() if cache.exists() else "", re.M)
    return seconds / int(told.group(1) if told else 1)


def wait_until(condition, why="", within=HANG_GUARD_S):
    """Polls until condition() is true and returns its value; fails with `why` once it has hung. `within` is for a wait whose
    end without success is an answer too; a test judges nothing by it."""
    deadline = time.monotonic() + within  # clock: the hang guard
    pause = 0.005
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:  # clock: the hang guard
            detail = why() if callable(why) else why
            raise AssertionError(f"not within {within:g} s: {detail or condition}")
        time.sleep(pause)  # clock: between two looks
        pause = min(pause * 1.5, 0.1)


@functools.cache
def own_ports(_pid):
    """A block of ports that no other process of a test run uses, in turn and without end. It lies below the ports that the
    kernel gives away by itself, so that what is restarted later finds its port free. The name of a socket marks the block as
    taken, and goes with the process."""
    ephemeral = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    ephemeral = max(ephemeral, 2 * PORTS_FROM)  # a kernel that gives away nearly all ports leaves no better choice
    for first in range(PORTS_FROM, ephemeral - PORTS_EACH + 1, PORTS_EACH):
        mark = socket.socket(socket.AF_UNIX)
        try:
            mark.bind(f"\0dropbridge-test-ports-{first}")
        except OSError:
            mark.close()
            continue
        return mark, itertools.cycle(range(first, first + PORTS_EACH))
    raise AssertionError(f"no block of ports between {PORTS_FROM} and {ephemeral} is free for these tests")


def free_port():
    """A port that nobody listens at, and that no other test takes for long."""
    _, ports = own_ports(os.getpid())
    for port in itertools.islice(ports, PORTS_EACH):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError(f"all {PORTS_EACH} ports of these tests are in use")


def sanitizer_environment():
    # Without its pause of a second at every exit.
    tsan = "halt_on_error=1:exitcode=66:second_deadlock_stack=1:atexit_sleep_ms=0"
    suppressions = ROOT / "tests" / "tsan.supp"
    if suppressions.exists():
        tsan += f":suppressions={suppressions}"
    return {
        "ASAN_OPTIONS": "halt_on_error=1:exitcode=66:detect_leaks=1:abort_on_error=0:detect_stack_use_after_return=1",
        "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
        "TSAN_OPTIONS": tsan,
    }


def clean_environment():
    """Nothing of the caller's settings reaches the programs: only what they need to run."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH") if name in os.environ}
    return {**kept, **sanitizer_environment()}


class Child:
    """A process of ours, its output in files, stopped by pid."""

    def __init__(self, arguments, folder, name, environment=None, pass_fds=()):
        folder.mkdir(parents=True, exist_ok=True)
        self.name = name
        self.stdout_path = folder / f"{name}.out"
        self.stderr_path = folder / f"{name}.err"
        with open(self.stdout_path, "ab") as out, open(self.stderr_path, "ab") as err:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=environment if environment is not None else clean_environment(),
                cwd=folder,
                start_new_session=True,
                pass_fds=pass_fds,
            )

    @property
    def pid(self):
        return self.process.pid

    @property
    def stderr(self):
        return self.stderr_path.read_text(errors="replace")

    @property
    def stdout(self):
        return self.stdout_path.read_text(errors="replace")

    def running(self):
        return self.process.poll() is None

    def wait_exit(self, within=HANG_GUARD_S):
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {within:g} s:\n{self.stderr[-4000:]}") from None

    def kill(self):
        if self.running():
            self.process.kill()
        self.process.wait()

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self):
        """SIGTERM; SIGKILL and a failure if it hangs. Returns the exit status."""
        if self.running():
            self.process.terminate()
        try:
            return self.process.wait(HANG_GUARD_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not stop within {HANG_GUARD_S:g} s of SIGTERM:\n{self.stderr[-4000:]}") from None


def binary(text):
    """Erlang's notation."""
    return f"<<{json.dumps(text)}>>"


# What rabbitmqctl would call in the node.
NODE_CALLS = {
    "eval": lambda expression: expression,
    "set_policy": lambda name, pattern, definition:
        f'rabbit_policy:parse_set(<<"/">>, {binary(name)}, {binary(pattern)}, {binary(definition)}, <<"0">>, <<"queues">>, <<"tests">>)',
    "clear_policy": lambda name: f'rabbit_policy:delete(<<"/">>, {binary(name)}, <<"tests">>)',
    "set_vm_memory_high_watermark": lambda kind, limit: f'vm_memory_monitor:set_vm_memory_high_watermark({{{kind}, "{limit}"}})',
    "add_user": lambda name, word: f'rabbit_auth_backend_internal:add_user({binary(name)}, {binary(word)}, <<"tests">>)',
    "change_password": lambda name, word: f'rabbit_auth_backend_internal:change_password({binary(name)}, {binary(word)}, <<"tests">>)',
    "delete_user": lambda name: f'rabbit_auth_backend_internal:delete_user({binary(name)}, <<"tests">>)',
    "add_vhost": lambda host: f'rabbit_vhost:add({binary(host)}, <<"tests">>)',
    "delete_vhost": lambda host: f'rabbit_vhost:delete({binary(host)}, <<"tests">>)',
    "set_host_permissions": lambda host, name, *three:
        f'rabbit_auth_backend_internal:set_permissions({binary(name)}, {binary(host)}, {", ".join(map(binary, three))}, <<"tests">>)',
    "set_permissions": lambda name, *three:
        f'rabbit_auth_backend_internal:set_permissions({binary(name)}, <<"/">>, {", ".join(map(binary, three))}, <<"tests">>)',
}


class RabbitMQ:
    """A broker of our own (scripts/private-rabbitmq does the work)."""

    def __init__(self, folder, extra_conf=""):
        self.folder = folder
        self.extra_conf = extra_conf
        self.child = None
        self.url = None

    def start(self):
        environment = {"PATH": os.environ["PATH"]}
        first = not (self.folder / "node" / "names").exists()
        for attempt in range(2):
            if first:
                shutil.rmtree(self.folder / "node", ignore_errors=True)  # of the first attempt, with its ports
            self.choose_ports()
            self.child = Child(
                [ROOT / "scripts" / "private-rabbitmq", self.folder / "node"],
                self.folder,
                f"private-rabbitmq-{attempt}-{time.monotonic_ns()}",  # clock: a name of its own
                environment,
            )
            wait_until(lambda: not self.child.running() or "ready " in self.child.stdout, "RabbitMQ answers",
                       within=START_S)
            if self.child.running():
                self.url = re.search(r"^ready (\S+)", self.child.stdout, re.M).group(1)
                return self
        raise AssertionError("RabbitMQ did not start:\n" + self.child.stderr[-4000:])

    def choose_ports(self):
        """For a first start, in the file in which scripts/private-rabbitmq keeps them: node, AMQP, distribution, epmd."""
        names = self.folder / "node" / "names"
        if not names.exists():
            names.parent.mkdir(parents=True, exist_ok=True)
            ports = [free_port() for _ in range(3)]
            names.write_text(f"dropbridge-{ports[0]}@localhost {ports[0]} {ports[1]} {ports[2]}\n")
            (self.folder / "node" / "extra.conf").write_text(self.extra_conf)

    @property
    def port(self):
        return urllib.parse.urlsplit(self.url).port

    def vm_pid(self):
        return int((self.folder / "node" / "rabbitmq.pid").read_text())

    def _run_tool(self, arguments, stdin=None, **more):
        home = self.folder / "node" / "home"
        _, _, _, epmd_port = (self.folder / "node" / "names").read_text().split()
        done = subprocess.run(
            arguments, input=stdin, **({} if stdin else {"stdin": subprocess.DEVNULL}),
            env={"PATH": os.environ["PATH"], "HOME": str(home), "ERL_EPMD_PORT": epmd_port, "LC_ALL": "C.UTF-8", **more},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=HANG_GUARD_S, check=False)
        output = done.stdout.decode(errors="replace")
        assert done.returncode == 0, output
        return output

    def control(self, command, *arguments):
        """rabbitmqctl against this node (the command on PATH cannot reach it), which takes seconds; what is one call inside
        the node is made by erl_call, in a hundredth of that."""
        name = (self.folder / "node" / "names").read_text().split()[0]
        if command not in NODE_CALLS:
            return self._run_tool(["/usr/lib/rabbitmq/bin/rabbitmqctl", "-n", name, command, *arguments],
                                  RABBITMQ_CONF_ENV_FILE=str(self.folder / "node" / "rabbitmq-env.conf"))
        expression = NODE_CALLS[command](*(one for one in arguments if one not in ("--apply-to", "queues"))).rstrip(".")
        output = self._run_tool(["erl_call", "-r", "-n", name, "-timeout", f"{HANG_GUARD_S:.0f}", "-e"], f"{expression}.\n".encode())
        told = output.removeprefix("{ok, ").removesuffix("}")
        assert told != output and (told == "ok" or command == "eval"), f"{expression}: {output}"
        return told

    def connect(self, url=None):
        options = f"?heartbeat=0&socket_timeout={HANG_GUARD_S:g}&stack_timeout={HANG_GUARD_S:g}"
        return pika.BlockingConnection(pika.URLParameters((url or self.url) + options))

    def stop(self):
        if self.child is not None:
            self.child.stop()


class Redis:
    """A Redis of our own with an append-only file synced at every write. Restarts keep port and data."""

    def __init__(self, folder, *options, replica_of=None):
        self.folder = folder
        self.options = (*options, *(("--replicaof", "127.0.0.1", replica_of.port) if replica_of else ()))
        self.port = None
        self.child = None
        self.client = None

    def start(self):
        for _ in range(5):
            port = self.port or free_port()
            if self._start_on(port):
                self.port = port
                return self
        raise AssertionError("redis-server did not start:\n" + self.child.stdout[-4000:])

    def _start_on(self, port):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.child = Child(
            ["redis-server", "--port", port, "--bind", "127.0.0.1", "--dir", self.folder, "--appendonly", "yes",
             "--appendfsync", "always", "--save", "", "--daemonize", "no",
             # A replica is in step at once: it has its copy, and a ping brings the first offset that it reports.
             "--repl-diskless-sync-delay", 0, "--repl-ping-replica-period", 1, *self.options],
            self.folder, "redis", {"PATH": os.environ["PATH"]})
        # A sentinel that gives it another role ends its connections, one with a question under way too: asked again.
        # decode_responses off: keys and values are compared as bytes where it matters.
        self.client = redis.Redis("127.0.0.1", port, socket_timeout=HANG_GUARD_S, retry=Retry(NoBackoff(), 2),
                                  retry_on_error=[redis.exceptions.ConnectionError])

        def answers():
            try:
                return self.client.ping()
            except redis.exceptions.BusyLoadingError:
                return False
            except redis.exceptions.ConnectionError:
                return not self.child.running()

        wait_until(answers, "redis-server answers PING")
        return self.child.running()

    @property
    def url(self):
        return f"redis://127.0.0.1:{self.port}/0"

    def kill(self):
        self.child.kill()

    def stop(self):
        """At once: each write is synced, and a replica that writes its first append-only file refuses to end by SIGTERM."""
        if self.child is not None:
            self.client.close()
            self.child.kill()


class Sentinel:
    """A sentinel of our own; it rewrites its configuration, which is in a folder of its own."""

    def __init__(self, folder, primary, quorum=1, password=None):
        self.folder = folder
        self.primary = primary
        self.quorum = quorum
        self.password = password
        self.port = None
        self.child = None
        self.client = None

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        configuration = self.folder / "sentinel.conf"
        if self.port is None:
            self.port = free_port()
            lines = [
                f"port {self.port}",
                "bind 127.0.0.1",
                f"dir {self.folder}",
                f"sentinel monitor main 127.0.0.1 {self.primary.port} {self.quorum}",
                # A server that a busy machine keeps waiting is not down.
                "sentinel down-after-milliseconds main 5000",
                "sentinel failover-timeout main 10000",
            ]
            lines += [f'requirepass "{self.password}"'] if self.password else []
            configuration.write_text("\n".join(lines) + "\n")
        self.child = Child(["redis-server", configuration, "--sentinel"], self.folder, "sentinel",
                           {"PATH": os.environ["PATH"]})
        self.client = redis.Redis("127.0.0.1", self.port, socket_timeout=HANG_GUARD_S, password=self.password)

        def answers():
            try:
                return self.client.ping()
            except redis.exceptions.ConnectionError:
                return False

        wait_until(answers, lambda: "the sentinel answers PING: " + self.child.stdout[-2000:])
        return self

    def named(self):
        """The port of the primary that it names."""
        return int(self.client.execute_command("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "main")[1])

    def wait_knows(self, replicas, sentinels=0):
        def knows():
            flat = self.client.execute_command("SENTINEL", "MASTER", "main")
            told = dict(zip(flat[::2], flat[1::2]))
            return (int(told[b"num-slaves"]), int(told[b"num-other-sentinels"])) == (replicas, sentinels)

        wait_until(knows, lambda: f"{replicas} replicas and {sentinels} other sentinels are known: {self.child.stdout[-2000:]}")

    def kill(self):
        self.child.kill()

    def stop(self):
        if self.child is not None:
            self.client.close()
            if self.child.running():
                self.child.stop()


class Program(Child):
    """dropbridge or dropworker under the build folder of DROPBRIDGE_BUILD, or under `build`. `within`: a command that runs it.
    `listener` is handed over as systemd hands over the socket of a .socket unit."""

    def __init__(self, binary, folder, name, settings, arguments=(), clean_exit=(0,), build=None, within=(), listener=None):
        self.settings = {key: str(value) for key, value in settings.items() if value is not None}
        self.clean_exit = clean_exit
        command = [*within, pathlib.Path(build or BUILD) / binary, *arguments]
        if listener is not None:
            command = ["bash", "-c", f'LISTEN_PID=$$ LISTEN_FDS=1 exec "$@" 3<&{listener.fileno()}', "bash", *command]
        super().__init__(command, folder, name, {**clean_environment(), **self.settings}, [listener.fileno()] if listener else ())

    def _port_of(self, text):
        # With what stands behind the number: the whole of it is there.
        found = re.search(rf"(?<!admin ){text} 127\.0\.0\.1:(\d+)\D", self.stderr)
        return int(found.group(1)) if found else None

    def wait_for_port(self, text):
        wait_until(lambda: self._port_of(text) or not self.running(), lambda: f'"{text}" in:\n{self.stderr[-2000:]}')
        port = self._port_of(text)
        assert port, f"{self.name} ended with {self.process.poll()}:\n{self.stderr[-4000:]}"
        return port

    @property
    def admin_port(self):
        return self.wait_for_port("admin listening on")

    def admin(self, path):
        """(status, text) of GET on the private listener."""
        connection = http.client.HTTPConnection("127.0.0.1", self.admin_port, timeout=HANG_GUARD_S)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def readyz(self):
        status, text = self.admin("/readyz")
        return status, json.loads(text)

    def metrics(self):
        """{'name{labels}': value}"""
        status, text = self.admin("/metrics")
        assert status == 200
        lines = (line.rsplit(" ", 1) for line in text.splitlines() if line and not line.startswith("#"))
        return {name: float(value) for name, value in lines}

    def finish(self):
        """Stops; asserts a clean exit status and no report of a sanitizer."""
        status = self.stop()
        report = SANITIZER_REPORT.search(self.stderr)
        assert not report, f"{self.name}: sanitizer report:\n{self.stderr[report.start():][:8000]}"
        assert status in self.clean_exit, f"{self.name} exited with {status}:\n{self.stderr[-4000:]}"
        return status


class Bridge(Program):
    def __init__(self, folder, settings, name="bridge", **options):
        defaults = {
            "LISTEN": "127.0.0.1:0",
            "ADMIN_LISTEN": "127.0.0.1:0",
            "WEBHOOK_SECRET": f"{WEBHOOK_SECRET},{OTHER_WEBHOOK_SECRET}",
            "CALLBACK_SECRET": f"{CALLBACK_SECRET},{OTHER_CALLBACK_SECRET}",
            # The default of 2048 threads is dear under a sanitizer.
            "HTTP_THREADS": 64,
            "SPOOL_PATH": folder / f"{name}.spool.db",
        }
        super().__init__("bridge/dropbridge", folder, name, {**defaults, **settings}, **options)

    @property
    def port(self):
        return self.wait_for_port("listening on")

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def wait_ready(self, broker="connected"):
        """Until it takes events, its spool is open, and its broker is as said: "connected" by all publishers, or "away". It
        listens before that when a broker or a disk takes longer than a moment."""

        def settled():
            status, ready = self.readyz()
            if status != 200 or ready["spool"] == "opening" or ready["broker"] != broker:
                return False
            return broker != "connected" or self.publishers_connected() == int(self.settings.get("AMQP_PUBLISHERS", 1))

        assert self.port
        wait_until(settled, lambda: f"{broker}: {self.readyz()}\n{self.stderr[-2000:]}")

    def publishers_connected(self):
        return self.metrics()["dropbridge_publishers_connected"]

    def in_flight(self):
        """Requests whose head it has read and whose answer it has not written."""
        return self.metrics()["dropbridge_in_flight"]

    def waited_for(self):
        """How many messages the broker was given all of CONFIRM_TIMEOUT_MS for, in vain."""
        return self.metrics()["dropbridge_confirm_timeouts_total"]

    def accepted(self, by):
        """Messages that were safe at the "broker" or in the "spool" before the answer."""
        return self.metrics()[f'dropbridge_accepted_total{{by="{by}"}}']

    def spooled(self):
        """Messages that wait in the spool."""
        return self.readyz()[1]["spool_waiting"]

    def assert_identities(self):
        """The two sums that hold when nothing is in flight."""

        def sums():
            now = self.metrics()
            accepted = now['dropbridge_accepted_total{by="broker"}'] + now['dropbridge_accepted_total{by="spool"}']
            answered = now['dropbridge_requests_total{code="received"}'] + now["dropbridge_kept_invalid_total"]
            entered = now["dropbridge_spool_found_at_start"] + now["dropbridge_spool_spooled_total"]
            left = now["dropbridge_spool_drained_total"] + now["dropbridge_spool_waiting"]
            left += now["dropbridge_spool_set_aside_total"]
            return accepted == answered and entered == left

        wait_until(sums, lambda: f"the identities of {self.name} hold: {self.metrics()}")


class Worker(Program):
    def __init__(self, folder, settings, name="worker", **options):
        super().__init__("workers/dropworker", folder, name, {"ADMIN_LISTEN": "127.0.0.1:0", **settings}, **options)


def run_program(binary, arguments=(), settings=None, stdin=b""):
    """Runs a program to its end. (status, stdout, stderr) as text; fails on a report of a sanitizer."""
    environment = {**clean_environment(), **{key: str(value) for key, value in (settings or {}).items()}}
    done = subprocess.run(
        [str(BUILD / binary), *map(str, arguments)],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment,
        timeout=HANG_GUARD_S,
        check=False,
    )
    stderr = done.stderr.decode(errors="replace")
    assert not SANITIZER_REPORT.search(stderr), stderr
    return done.returncode, done.stdout.decode(errors="replace"), stderr


class CuttableProxy:
    """A TCP proxy on a fixed port of 127.0.0.1: cut() ends what runs through and refuses, freeze() keeps connections but
    moves no byte, restore() works again."""

    def __init__(self, target_port):
        self.target_port = target_port
        self.port = free_port()
        self._moving = threading.Event()
        self._moving.set()
        self._closed = threading.Event()
        self._pairs = []
        self._lock = threading.Lock()
        self._listener = None
        self.restore()

    @property
    def url(self):
        """AMQP_URL through it."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2f"

    host = "127.0.0.1"

    def make_listener(self):
        return socket.create_server((self.host, self.port), backlog=64)

    def restore(self):
        self._moving.set()
        if self._listener is None:
            listener = self._listener = self.make_listener()
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def freeze(self):
        self._moving.clear()

    def cut(self):
        with self._lock:
            listener, self._listener = self._listener, None
            pairs, self._pairs = self._pairs, []
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for one in pairs:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._moving.set()

    def close(self):
        self._closed.set()
        self.cut()

    def take(self, one, client):
        """What `one` has to say, which is `client` or its other end."""
        return one.recv(65536)

    def _accept(self, listener):
        while not self._closed.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.target_port), 5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                if self._listener is not listener:
                    client.close()
                    server.close()
                    return
                self._pairs += [client, server]
            threading.Thread(target=self._move, args=(client, server), daemon=True).start()

    def _move(self, client, server):
        other = {client: server, server: client}
        try:
            while True:
                self._moving.wait()
                ready, _, _ = select.select([client, server], [], [], 0.1)
                for one in ready:
                    data = self.take(one, client)
                    self._moving.wait()
                    if not data:
                        return
                    other[one].sendall(data)
        except (OSError, ValueError):
            pass
        finally:
            client.close()
            server.close()


SIGTERM = signal.SIGTERM
