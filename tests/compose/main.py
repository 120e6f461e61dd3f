"""docker-compose.yml with a real engine: build, start, load under faults, keep, stop. Run by scripts/test-compose.

A copy of the files that git knows is what is started, as in a clean clone, under a project name and ports of its own; all
of it is removed at the end. One line a claim."""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "faults"), str(HERE.parent / "integration")]
sys.dont_write_bytecode = True

import servers  # noqa: E402

# The defaults of docker-compose.yml; wire.py, imported below, signs with them.
servers.WEBHOOK_SECRET = "development-webhook-secret"
servers.CALLBACK_SECRET = "development-callback-secret"

import checker  # noqa: E402
import composition  # noqa: E402
import flow  # noqa: E402
import judging  # noqa: E402
import redis  # noqa: E402
import sender  # noqa: E402
import stack as stack_module  # noqa: E402
import suite  # noqa: E402
import traffic  # noqa: E402
import wire  # noqa: E402
from judging import claim  # noqa: E402

OURS = ("bridge", "worker", "tools")
LISTENING = ("bridge", "worker")
TOOLCHAIN = "cc gcc g++ clang tcc as ld make cmake ninja apt-key pip"
LINE = "{:<32} {:>4} s  {:<8} {}"
STOP_SECONDS = 10
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
WAITING = 150  # events left in the queue, and as many in the spool, over a `down`


def counters(client):
    return {key: value for key, value in checker.count_keys(client).items() if value[1]}


class Run:
    """What the claims share: the composition, and the log of all that was sent to it."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.project = f"dropbridge-test-{os.getpid()}"
        self.port, self.redis_port = stack_module.fixed_port(), stack_module.fixed_port()
        self.client = redis.Redis("127.0.0.1", self.redis_port, socket_timeout=10)
        self.log = []
        self.this_time = []  # of it, what was sent since the last check
        self.clone = arguments.out / "clone"
        self.settings = {"BRIDGE_PORT": str(self.port), "TEST_REDIS_PORT": str(self.redis_port)}
        self.composition = self.compose_with()

    def compose_with(self, files=(), **settings):
        return composition.Composition(self.clone, self.project, self.arguments.out / "log", {**self.settings, **settings},
                                       files)

    def copy_tree(self):
        """As a clone would have it; git's list also has what was deleted and not yet committed."""
        shutil.rmtree(self.clone, ignore_errors=True)
        listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT,
                                capture_output=True, check=True).stdout
        for name in filter(None, listed.decode().split("\0")):
            if (ROOT / name).is_file():
                (self.clone / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.clone / name)

    @contextlib.contextmanager
    def load(self, count, endless=False, rate=250.0):
        events = flow.Events(len(self.log) + 1, count, endless)
        sending = flow.Sender(self.port, events, rate)
        try:
            yield sending
            events.finish()
            sending.join()
        finally:
            sending.stop()
            self.log += sending.log
            self.this_time += sending.log

    def wait_for_rest(self):
        servers.wait_until(lambda: self.composition.at_rest() and self.composition.at_rest(),
                           lambda: f"at rest: spool {self.composition.spool()}, queues {self.composition.queues()}")

    def check_counts(self):
        """The sender's log against Redis; the answers are those since the last check."""
        findings = checker.Findings()
        checker.count_answers(findings, self.this_time)
        self.this_time = []
        self.wait_for_rest()
        checker.check_events(findings, self.client, self.log)
        suite.every_answer_in_time(findings)
        rejected = self.composition.queues().get("dropcowboy.rejected")
        findings.claim(rejected == 0, f"{rejected} messages in the rejected queue")
        judging.claim_findings(findings)
        return findings


# ---- the images ----


def images_build(run):
    run.copy_tree()
    run.composition.compose("build", seconds=900)
    return " ".join(f"{name} {run.composition.image(name)['Size'] / 1e6:.0f} MB" for name in OURS)


def images_are_small_and_closed(run):
    for name in OURS:
        image = run.composition.image(name)
        config = image["Config"]
        claim(config["User"] == "10001:10001", f"{name} runs as {config['User'] or 'root'}")
        claim(config["Entrypoint"][0] == "tini", f"{name} is started by {config['Entrypoint']}")
        claim(name == "tools" or "--health" in config["Healthcheck"]["Test"], f"{name} has no HEALTHCHECK")
        said = run.composition.run("docker", "run", "--rm", image["Id"], "--version").split()
        claim(said[-1] == config["Labels"]["org.opencontainers.image.version"], f"{name}: label and {said} differ")
        found = run.composition.run("docker", "run", "--rm", "--entrypoint", "sh", image["Id"], "-c",
                                    f"for name in {TOOLCHAIN}; do command -v $name; done; true")
        claim(not found, f"{name} holds {found.split()}")
    return "non-root, no compiler, tini, labels, HEALTHCHECK"


# ---- the start ----


def one_command_starts_all(run):
    run.composition.up()
    for service in ("rabbitmq", "redis", *LISTENING):
        claim(run.composition.healthy(service) == 1, f"{service} is not healthy")
    claim(not run.composition.containers("tools"), "tools was started by up")
    return "all healthy"


def nothing_is_open(run):
    for service in ("rabbitmq", "redis", *LISTENING):
        for container in run.composition.containers(service):
            host = container["HostConfig"]
            published = [one for many in container["NetworkSettings"]["Ports"].values() for one in many or []]
            claim(all(one["HostIp"] == "127.0.0.1" for one in published), f"{service} is published on {published}")
            claim(host["Memory"] > 0, f"{service} may take all memory")
            claim(host["RestartPolicy"]["Name"] == "unless-stopped", f"{service} is not restarted")
            claim("max-size" in host["LogConfig"]["Config"], f"{service}'s log grows for ever")
            claim(host["CapDrop"] == ["ALL"] and not host["Privileged"], f"{service} has capabilities")
            claim(host["ReadonlyRootfs"] or service == "rabbitmq", f"{service} may write to its root file system")
            if service in LISTENING:
                claim(not host["CapAdd"] and host["PidsLimit"] > 0, f"{service} has capabilities, or may start any number of processes")
    for service in LISTENING:
        claim(run.composition.execute(service, "id", "-u").strip() == "10001", f"{service} does not run as 10001")
        wrote = run.composition.execute(service, "sh", "-c", "touch /usr/x 2>&1; true")
        claim("Read-only" in wrote, f"{service} can write to its root file system")
    inside = json.loads(run.composition.run("docker", "network", "inspect", f"{run.project}_inside"))[0]
    claim(inside["Internal"], "the network of RabbitMQ and Redis leads out")
    return "loopback only, read-only, no capabilities, an internal network, bounded memory and logs"


def few_threads_are_told(run):
    """With fewer tasks allowed than HTTP_THREADS the bridge serves with what there is, and its health is asked beside it."""
    few = run.compose_with([composition.HERE / "few-threads.yml"])
    few.up("--no-deps", "bridge")
    said = few.logs("bridge")
    claim("a limit on tasks: pids_limit" in said, f"the log does not tell: {said[-500:]}")
    threads = json.loads(few.execute("bridge", "dropbridge", "--health"))["connections"]["threads"]
    claim(0 < threads < 200, f"{threads} threads of 200 tasks")
    with urllib.request.urlopen(f"http://127.0.0.1:{run.port}/health", timeout=10) as answer:
        claim(answer.status == 200, f"/health is answered {answer.status}")
    run.composition.up("--no-deps", "bridge")
    return f"{threads} connections at once with pids_limit 200"


def development_secrets_shout(run):
    said = run.composition.logs("bridge")
    for name in ("WEBHOOK_SECRET", "CALLBACK_SECRET", "AMQP_URL"):
        claim(any("DEVELOPMENT SECRET" in line and name in line for line in said.splitlines()),
              f"the bridge does not warn of {name}")
    claim("DEVELOPMENT SECRET" in run.composition.logs("worker"), "the worker does not warn of its password")
    return "in the log of bridge and worker"


# ---- load and faults ----


def scale(run, count):
    """What a user types, and all are healthy in the end; `--wait` would give up at the first that is not ready while a
    broker is away."""
    composition = run.composition
    composition.compose("up", "-d", "--scale", f"worker={count}")
    for service, expected in (("rabbitmq", 1), ("redis", 1), ("bridge", 1), ("worker", count)):
        servers.wait_until(lambda: len(composition.containers(service)) == composition.healthy(service) == expected,
                           lambda: f"{expected} healthy of {service}; there are {composition.healthy(service)}")


def killed(run, sending, service, workers):
    run.composition.kill(service)
    suite.wait_for_answers(sending, 200)
    scale(run, workers)


def restarts(run, service):
    return sum(one["RestartCount"] for one in run.composition.containers(service))


def crashed(run, sending, service):
    before = restarts(run, service)
    run.composition.crash(service)
    servers.wait_until(lambda: restarts(run, service) > before, f"the restart policy brings {service} back")
    suite.wait_for_answers(sending, 100)


def counted_under(run, *steps):
    """Each step is taken while events flow, and some are answered before the next."""
    with run.load(run.arguments.events, endless=True) as sending:
        for step in steps:
            suite.wait_for_answers(sending, 300)
            step(sending)
    findings = run.check_counts()
    events = sending.events
    claim(events.made >= run.arguments.events, f"only {events.made} events were sent")
    return (f"{events.made} events, {events.repeated} sent twice, {events.retried} tried again; {findings.acknowledged} "
            f"acknowledged, {findings.lost} lost, {findings.doubled} doubled, slowest answer {findings.slowest:.2f} s")


def counted_under_faults(run):
    return counted_under(
        run,
        lambda _: scale(run, 4),
        lambda _: run.composition.compose("restart", "bridge"),
        lambda sending: killed(run, sending, "rabbitmq", 4),
        lambda _: scale(run, 2),
        lambda sending: killed(run, sending, "redis", 2),
        lambda sending: crashed(run, sending, "worker"),
        lambda sending: crashed(run, sending, "bridge"),
    )


def counted_over_a_crash(run):
    """Of a quick run: the bridge is killed once, and the restart policy brings it back."""
    return counted_under(run, lambda sending: crashed(run, sending, "bridge"))


def found_by_the_checker(run, log):
    findings = checker.Findings()
    checker.check_events(findings, run.client, log)
    return findings


def damage_is_noticed(run):
    """The control: one event that was never sent, and one count too many."""
    unsent = next(event for event in traffic.Traffic(0) if event.kind == "result")
    lost = found_by_the_checker(run, [*run.log, sender.Sent(unsent, 0.0, status=200)]).lost
    claim(lost == 1, f"of one event that is not there {lost} were missed")
    run.client.hincrby("dc:totals", "messages", 1)
    doubled = found_by_the_checker(run, run.log).doubled
    run.client.hincrby("dc:totals", "messages", -1)
    claim(doubled == 1, f"of one message too many {doubled} were seen")
    claim(not found_by_the_checker(run, run.log).problems, "the damage was not undone")
    return "1 lost, 1 doubled"


# ---- the end, and after it ----


def kept_over_down_and_up(run):
    """What is counted, what waits in RabbitMQ and what waits in the spool."""
    run.composition.up("--scale", "worker=0")
    before = counters(run.client)
    with run.load(WAITING):
        pass
    run.composition.compose("stop", "rabbitmq")
    with run.load(WAITING):
        pass
    waiting = int(run.composition.spool().split()[0])
    claim(waiting >= WAITING, f"{waiting} events wait in the spool, {WAITING} were sent")
    claim(counters(run.client) == before, "events were counted without a worker")
    run.composition.compose("down")
    claim(len(run.composition.volumes()) == 3, f"the volumes after `down`: {run.composition.volumes()}")
    run.composition.up()
    findings = run.check_counts()
    return f"{findings.acknowledged} acknowledged, of all {findings.lost} lost, {findings.doubled} doubled"


def tools_send(run):
    before = run.client.hget("dc:totals", "success")
    said = run.composition.compose("run", "--rm", "-T", "tools", "send", "--url", "http://bridge:8080/webhooks/dropcowboy",
                                   "--scheme", "guide", "guide/4-message-delivered.json")
    claim('200 {"received":true}' in said, f"dropctl said {said!r}")
    servers.wait_until(lambda: int(run.client.hget("dc:totals", "success")) == int(before) + 1, "it is counted")
    url = run.composition.compose("run", "--rm", "-T", "tools", "callback-url", "--base", "https://h", "--campaign", "spring")
    claim(url.startswith("https://h/callbacks/dropcowboy/spring?token="), f"dropctl said {url!r}")
    return "docker compose run --rm tools send, callback-url"


def stops_cleanly(run):
    seconds = run.composition.stop(*LISTENING)
    for service in LISTENING:
        codes = [one["State"]["ExitCode"] for one in run.composition.containers(service)]
        claim(codes == [0], f"exit status of {service}: {codes}")
    claim(seconds <= STOP_SECONDS, f"the stop took {seconds:.1f} s")
    return f"exit status 0 in {seconds:.1f} s"


def down_removes_what_it_is_told_to(run):
    run.composition.compose("down", "--volumes")
    claim(not run.composition.volumes(), f"volumes are left: {run.composition.volumes()}")
    return "no container, network or volume left"


def status_over_tls(run, request):
    """Of the bridge's answer; whom its certificate names is not looked at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", run.port), 5) as plain:
        with context.wrap_socket(plain) as connection:
            connection.sendall(request)
            return int(connection.recv(4096).split()[1])


def make_certificate(run, folder):
    folder.mkdir(exist_ok=True)
    files = {name: str(folder / name) for name in ("key", "certificate")}
    run.composition.run("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=bridge",
                        "-keyout", files["key"], "-out", files["certificate"])
    (folder / "bridge.pem").write_text("".join(pathlib.Path(file).read_text() for file in files.values()))


def secrets_and_tls_from_files(run):
    """With deploy/compose.secrets.yml nothing secret is in the environment, and nothing of the examples is in use; with
    deploy/compose.tls.yml beside it the bridge speaks TLS."""
    secrets = run.arguments.out / "secrets"
    secrets.mkdir(exist_ok=True)
    word = os.urandom(8).hex()
    texts = {"webhook_secret": f"{word}w\n", "callback_secret": f"{word}c\n", "amqp_url": f"amqp://own:{word}@rabbitmq:5672/%2f\n",
             "rabbitmq.conf": f"default_user = own\ndefault_pass = {word}\n"}
    for name, text in texts.items():
        (secrets / name).write_text(text)
    make_certificate(run, run.arguments.out / "tls")
    files = [run.clone / "deploy" / f"compose.{name}.yml" for name in ("secrets", "tls")]
    run.composition = run.compose_with(files, SECRETS=str(secrets), TLS_FOLDER=str(run.arguments.out / "tls"))
    run.composition.up()
    body = (run.clone / "tests" / "samples" / "v1" / "3-status-success.json").read_bytes()
    signed = wire.head("POST", wire.WEBHOOK, [("Content-Length", str(len(body))), *wire.v1(body, f"{word}w").items()]) + body
    status = status_over_tls(run, signed)
    claim(status == 200, f"the bridge answers {status}")
    servers.wait_until(lambda: run.client.hget("dc:totals", "success") == b"1", "it is counted")
    for service in ("rabbitmq", *LISTENING):
        claim(word not in str(run.composition.containers(service)), f"docker inspect shows a secret of {service}")
        claim("DEVELOPMENT SECRET" not in run.composition.logs(service), f"{service} runs with a secret of the examples")
    return "none of them in the environment or the log; an event over TLS"


CLAIMS = (images_build, images_are_small_and_closed, one_command_starts_all, nothing_is_open, few_threads_are_told, development_secrets_shout,
          counted_under_faults, damage_is_noticed, kept_over_down_and_up, tools_send, stops_cleanly,
          down_removes_what_it_is_told_to, secrets_and_tls_from_files)
# What only the engine shows: that the images are right, that one command starts all, and that it is removed again.
QUICK = (images_build, images_are_small_and_closed, one_command_starts_all, nothing_is_open, few_threads_are_told, counted_over_a_crash,
         damage_is_noticed, stops_cleanly, down_removes_what_it_is_told_to)
NEEDED = (images_build, one_command_starts_all)  # without them there is nothing to test


def judge(run, test):
    return judging.judge(run, test.__name__.replace("_", "-"), test, LINE, lambda name: keep_logs(run, name))


def keep_logs(run, name):
    for service in ("rabbitmq", "redis", *LISTENING):
        with contextlib.suppress(composition.CommandFailed, OSError):
            (run.arguments.out / f"{name}-{service}.log").write_text(run.composition.logs(service))


def read_arguments():
    parser = argparse.ArgumentParser(prog="scripts/test-compose", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="what only the engine shows, with one crash, in two minutes")
    parser.add_argument("--events", type=int, help="at least so many under faults (default 20000; 500 of --quick)")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="where logs go")
    arguments = parser.parse_args()
    arguments.events = arguments.events or (500 if arguments.quick else 20_000)
    return arguments


def main():
    began = time.monotonic()
    arguments = read_arguments()
    claims = QUICK if arguments.quick else CLAIMS
    shutil.rmtree(arguments.out, ignore_errors=True)
    arguments.out.mkdir(parents=True)
    for number in ENDING:
        signal.signal(number, lambda *_: sys.exit(143))
    run = Run(arguments)
    held = []
    try:
        for test in claims:
            held.append(judge(run, test))
            if test in NEEDED and not held[-1]:
                break
    finally:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)  # what was started is removed, however often one asks
        run.composition.remove()
    print(f"{held.count(True)} claims held, {held.count(False)} broken, {len(claims) - len(held)} not reached; "
          f"{time.monotonic() - began:.0f} s")
    return 0 if held == [True] * len(claims) else 1


if __name__ == "__main__":
    sys.exit(main())
