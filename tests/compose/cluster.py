"""deploy/compose.cluster.yml with a real engine: parts are killed and cut off while events come in through HAProxy, and
what was acknowledged is compared with what the primary Redis counted. Run by scripts/test-cluster. One line a claim."""

import argparse
import contextlib
import os
import pathlib
import shutil
import signal
import ssl
import sys
import time
import warnings

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path[:0] = [str(HERE), str(HERE.parent / "faults"), str(HERE.parent / "integration")]
sys.dont_write_bytecode = True

import servers  # noqa: E402

# The defaults of the Compose files; wire.py, imported below, signs with them.
servers.WEBHOOK_SECRET = "development-webhook-secret"
servers.CALLBACK_SECRET = "development-callback-secret"

import checker  # noqa: E402
import composition  # noqa: E402
import flow  # noqa: E402
import judging  # noqa: E402
import sender  # noqa: E402
import stack as stack_module  # noqa: E402
import suite  # noqa: E402
import traffic  # noqa: E402
from cluster_parts import BRIDGES, BROKERS, LASTING, REDISES, SENTINELS, Cluster, TlsSender  # noqa: E402
from judging import claim  # noqa: E402

LINE = "{:<44} {:>4} s  {:<8} {}"
ENDING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
BUILD_SECONDS = 1200
LASTING_SECONDS = {"smoke": (3, 0), "quick": (5, 15), "full": (10, 40)}  # of a kill, of a cut
BRIEF_SECONDS = 8  # under net_ticktime
FAILOVER_SECONDS = 12  # between two: the former primary is a replica again


class Run:
    """What the claims share: the cluster, and the log of all that was sent to it."""

    def __init__(self, arguments):
        self.arguments = arguments
        self.port = stack_module.fixed_port()
        self.cluster = Cluster(ROOT, f"dropbridge-cluster-test-{os.getpid()}", arguments.out / "log",
                               {"HTTPS_PORT": str(self.port)})
        self.context = None
        self.log = []
        self.this_time = []  # of it, what the last load sent

    def trust_certificate(self):
        """The one that was made, and no other."""
        container = self.cluster.containers("certificate")[0]["Id"]
        self.cluster.run("docker", "cp", f"{container}:/var/lib/dropbridge/bridge.crt", str(self.arguments.out))
        self.context = ssl.create_default_context(cafile=self.arguments.out / "bridge.crt")

    def keep_logs(self, name):
        for service in LASTING:
            with contextlib.suppress(composition.CommandFailed, OSError):
                (self.arguments.out / f"{name}-{service}.log").write_text(self.cluster.logs(service))

    @contextlib.contextmanager
    def load(self):
        """Without end, until the block ends; then all that was refused is sent until it is taken."""
        events = flow.Events(len(self.log) + 1, 0, endless=True)
        sending = TlsSender(self.port, self.context, events, self.arguments.rate)
        before = len(self.log)
        try:
            suite.wait_for_answers(sending, 100)
            yield sending
            suite.wait_for_answers(sending, 200)
            events.finish()
            sending.join()
        finally:
            sending.stop()
            self.log += sending.log
            self.this_time = self.log[before:]

    def check(self):
        """The sender's log against the primary; the answers are those of the last load."""
        findings = checker.Findings()
        checker.count_answers(findings, self.this_time)
        self.cluster.wait_for_rest()
        primary = self.cluster.redis(self.cluster.primary())
        checker.check_events(findings, primary, self.log)
        self.cluster.check_identities(findings)
        suite.every_request_answered(findings)
        suite.every_answer_in_time(findings)
        judging.claim_findings(findings)
        return (f"{findings.acknowledged} acknowledged, {findings.refused} refused, {findings.lost} lost, "
                f"{findings.doubled} doubled, slowest answer {findings.slowest:.2f} s")


def hold(run, sending, seconds):
    """For so long the fault lasts, or longer, until a quarter of what is sent in that time has been answered."""
    until = time.monotonic() + seconds
    goal = sending.answered(200) + run.arguments.rate * seconds / 4
    servers.wait_until(lambda: time.monotonic() >= until and sending.answered(200) >= goal,
                       lambda: f"only {sending.answered(200)} of {goal:.0f} events were answered during the fault",
                       within=seconds + servers.HANG_GUARD_S)


# ---- the start ----


def one_command_starts_all(run):
    run.cluster.compose("up", "-d", "--build", seconds=BUILD_SECONDS)
    run.cluster.wait_healthy()
    run.trust_certificate()
    return "all healthy"


def queues_have_three_members(run):
    run.cluster.wait_members()
    run.cluster.wait_replication()
    leaders = sorted({queue["name"]: queue["leader"] for queue in run.cluster.queues()}.values())
    return f"both queues, all online; leaders {', '.join(leaders)}; two replicas"


def only_tls_is_open(run):
    for service in LASTING:
        for container in run.cluster.containers(service):
            ports = [one for many in container["NetworkSettings"]["Ports"].values() for one in many or []]
            expected = [{"HostIp": "127.0.0.1", "HostPort": str(run.port)}] if service == "haproxy" else []
            claim(ports == expected, f"{service} is published on {ports}")
            claim(container["HostConfig"]["Memory"] > 0, f"{service} may take all memory")
    old = ssl.create_default_context(cafile=run.arguments.out / "bridge.crt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that these are old is why
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("ALL:@SECLEVEL=0")
    plain = sender.Connection(run.port)
    try:
        old.wrap_socket(plain.socket, server_hostname="localhost")
    except ssl.SSLError as problem:
        claim("PROTOCOL_VERSION" in str(problem.reason), f"TLS 1.1 ended with {problem}")
        return "8443 on loopback, TLS 1.2 and later"
    finally:
        plain.close()
    raise judging.Broken("TLS 1.1 was spoken")


# ---- the faults ----


def killed(run, service, seconds, came_back):
    with run.load() as sending:
        run.cluster.kill(service)
        hold(run, sending, seconds)
        run.cluster.bring_back(service)
        came_back()
    return run.check()


def cut(run, service, how, seconds, came_back):
    with run.load() as sending:
        try:
            how()
            hold(run, sending, seconds)
        finally:
            run.cluster.heal(service)
        came_back()
    return run.check()


def broker_killed(run, service):
    return killed(run, service, run.arguments.kill_seconds, run.cluster.wait_members)


def two_brokers_killed(run):
    """The leader is one of them. Nothing can be confirmed, so all goes to the spools."""
    gone = [run.cluster.leader()]
    gone.append(next(one for one in BROKERS if one not in gone))
    with run.load() as sending:
        for service in gone:
            run.cluster.kill(service)
        hold(run, sending, run.arguments.cut_seconds)
        waited = sum(run.cluster.metrics(bridge)["dropbridge_spool_waiting"] for bridge in BRIDGES)
        for service in gone:
            run.cluster.bring_back(service)
        run.cluster.wait_members()
    claim(waited > 0, "nothing waited in the spools")
    return f"{waited:.0f} waited in the spools; {run.check()}"


def broker_cut_from_others(run, service):
    others = [one for one in BROKERS if one != service]
    how = lambda: run.cluster.cut(service, others)  # noqa: E731
    return cut(run, service, how, run.arguments.cut_seconds, run.cluster.wait_members)


def broker_cut_off(run, service):
    how = lambda: run.cluster.cut_off(service)  # noqa: E731
    return cut(run, service, how, run.arguments.cut_seconds, run.cluster.wait_members)


def broker_cut_briefly(run):
    """Too briefly for a node to pause. Mnesia, where it is in use, may stay apart; docs/scaling.md tells what to do."""
    leader = run.cluster.leader()
    others = [one for one in BROKERS if one != leader]
    told = cut(run, leader, lambda: run.cluster.cut(leader, others), BRIEF_SECONDS, run.cluster.wait_members)
    apart = run.cluster.apart()
    if not apart:
        return f"{told}; no node apart"
    for service in others:
        run.cluster.restart(service)
        run.cluster.wait_members()
    claim(not run.cluster.apart(), f"{', '.join(run.cluster.apart())} still apart after two restarts")
    return f"{told}; {', '.join(apart)} apart, and no longer after two restarts"


def replaced(run, former, asked=SENTINELS):
    servers.wait_until(lambda: run.cluster.primary(asked) != former, f"the sentinels replace {former}")


def redis_primary_killed(run):
    former = run.cluster.primary()
    with run.load() as sending:
        run.cluster.kill(former)
        replaced(run, former)
        hold(run, sending, 5)
        run.cluster.bring_back(former)
        run.cluster.wait_replication()
    return f"{former} → {run.cluster.primary()}; {run.check()}"


def redis_primary_cut_off(run):
    """The worker and it still reach each other."""
    former = run.cluster.primary()
    others = [one for one in (*REDISES, *SENTINELS) if one != former]
    with run.load() as sending:
        try:
            run.cluster.cut(former, others)
            replaced(run, former)
            hold(run, sending, 12)
        finally:
            run.cluster.heal(former)
        run.cluster.wait_replication()
    return f"{former} → {run.cluster.primary()}; {run.check()}"


def redis_failed_over_twice(run):
    """As for an upgrade of one Redis after the other: the former primary lives, and is a replica when it goes on."""
    passed = [run.cluster.primary()]
    with run.load() as sending:
        for _ in range(2):
            run.cluster.fail_over(SENTINELS[0])
            replaced(run, passed[-1])
            passed.append(run.cluster.primary())
            hold(run, sending, FAILOVER_SECONDS)
        run.cluster.wait_replication()
    return f"{' → '.join(passed)}; {run.check()}"


def bridge_killed(run, service):
    return killed(run, service, run.arguments.kill_seconds, run.cluster.wait_healthy)


def bridge_stands_still(run, service):
    """The proxy notices by itself, and asks the other meanwhile."""
    name = run.cluster.containers(service)[0]["Id"]
    with run.load() as sending:
        run.cluster.run("docker", "pause", name)
        try:
            hold(run, sending, run.arguments.kill_seconds)
        finally:
            run.cluster.run("docker", "unpause", name)
        run.cluster.wait_healthy()
    return run.check()


def workers_scaled(run):
    with run.load() as sending:
        for count in (3, 2):
            run.cluster.compose("up", "-d", "--no-recreate", "--scale", f"worker={count}")
            servers.wait_until(lambda: run.cluster.count_workers() == (count, count), f"{count} healthy workers")
            hold(run, sending, 2)
    return run.check()


# ---- the controls ----


def damage_is_noticed(run):
    """One event that was never sent, and one count too many."""
    def found(log):
        findings = checker.Findings()
        checker.check_events(findings, client, log)
        return findings

    client = run.cluster.redis(run.cluster.primary())
    unsent = next(event for event in traffic.Traffic(0) if event.kind == "result")
    lost = found([*run.log, sender.Sent(unsent, 0.0, status=200)]).lost
    claim(lost == 1, f"of one event that is not there {lost} were missed")
    client.hincrby("dc:totals", "messages", 1)
    doubled = found(run.log).doubled
    client.hincrby("dc:totals", "messages", -1)
    claim(doubled == 1, f"of one message too many {doubled} were seen")
    return "1 lost, 1 doubled"


def kept_over_down_and_up(run):
    before = run.cluster.redis(run.cluster.primary()).hgetall("dc:totals")
    primary = run.cluster.primary()
    run.cluster.compose("down")
    run.cluster.compose("up", "-d", seconds=BUILD_SECONDS)
    run.cluster.wait_healthy()
    run.cluster.wait_replication()
    run.cluster.wait_members()
    claim(run.cluster.redis(run.cluster.primary()).hgetall("dc:totals") == before, "the counters differ")
    with run.load():
        pass
    return f"primary {primary} → {run.cluster.primary()}; {run.check()}"


def nobody_waits_for_replicas(run):
    """The same cut of the Redis primary as above, but neither the workers nor Redis wait for a replica."""
    for service in REDISES:
        run.cluster.redis(service).config_set("min-replicas-to-write", 0)
    run.cluster.environment["REDIS_WAIT_REPLICAS"] = "0"
    run.cluster.compose("up", "-d", "--no-deps", "worker")
    run.cluster.wait_healthy()
    former = run.cluster.primary()
    with run.load():
        try:
            run.cluster.cut(former, [one for one in (*REDISES, *SENTINELS) if one != former])
            replaced(run, former)
        finally:
            run.cluster.heal(former)
        run.cluster.wait_replication()
    run.cluster.wait_for_rest()
    findings = checker.Findings()
    checker.check_events(findings, run.cluster.redis(run.cluster.primary()), run.log)
    claim(findings.lost > 0, "nothing was lost without it")
    return f"{former} → {run.cluster.primary()}; {findings.lost} acknowledged events lost, and missed"


def claims(run):
    """(name, test): of each broker in turn in a full run; in the others, of the leader at that moment."""
    yield "one-command-starts-all", one_command_starts_all
    yield "queues-have-three-members", queues_have_three_members
    yield "only-tls-is-open", only_tls_is_open
    if run.arguments.form == "smoke":
        yield "the-leading-broker-killed", lambda run: broker_killed(run, run.cluster.leader())
        yield "redis-primary-killed", redis_primary_killed
        yield "damage-is-noticed", damage_is_noticed
        return
    quick = run.arguments.form == "quick"
    faults = {"killed": broker_killed, "cut-from-the-others": broker_cut_from_others,
              "cut-off-from-all": broker_cut_off}
    for name, fault in faults.items():
        if quick:
            yield f"the-leading-broker-{name}", lambda run, fault=fault: fault(run, run.cluster.leader())
            continue
        for service in BROKERS:
            yield f"{service}-{name}", lambda run, fault=fault, service=service: fault(run, service)
    yield "the-leading-broker-cut-briefly", broker_cut_briefly
    yield "two-brokers-killed", two_brokers_killed
    yield "redis-primary-killed", redis_primary_killed
    yield "redis-primary-cut-from-replicas-and-sentinels", redis_primary_cut_off
    yield "redis-failed-over-twice", redis_failed_over_twice
    for service in BRIDGES[: 1 if quick else 2]:
        yield f"{service}-killed", lambda run, service=service: bridge_killed(run, service)
        yield f"{service}-stands-still", lambda run, service=service: bridge_stands_still(run, service)
    if not quick:
        yield "workers-scaled", workers_scaled
        yield "kept-over-down-and-up", kept_over_down_and_up
    yield "damage-is-noticed", damage_is_noticed
    if not quick:
        yield "control-nobody-waits-for-replicas", nobody_waits_for_replicas  # the last: what it loses is gone


def judge(run, name, test):
    def keep_logs(name):
        (run.arguments.out / f"{name}-state").write_text(run.cluster.state())
        run.keep_logs(name)

    return judging.judge(run, name, test, LINE, keep_logs)


def read_arguments():
    parser = argparse.ArgumentParser(prog="scripts/test-cluster", description=__doc__)
    parser.set_defaults(form="full")
    for form, text in (("smoke", "all are up, the leading broker and the primary Redis killed; two and a half minutes"),
                       ("quick", "each fault once, and not for long")):
        parser.add_argument(f"--{form}", dest="form", action="store_const", const=form, help=text)
    parser.add_argument("--only", default="", metavar="PART[,PART...]",
                        help="of the faults those whose name contains one of these")
    parser.add_argument("--rate", type=float, default=100.0, help="events a second (default 100)")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="where logs go")
    arguments = parser.parse_args()
    arguments.kill_seconds, arguments.cut_seconds = LASTING_SECONDS[arguments.form]
    return arguments


def main():
    began = time.monotonic()
    arguments = read_arguments()
    shutil.rmtree(arguments.out, ignore_errors=True)
    arguments.out.mkdir(parents=True)
    for number in ENDING:
        signal.signal(number, lambda *_: sys.exit(143))
    run = Run(arguments)
    held = []
    try:
        for number, (name, test) in enumerate(claims(run)):
            if number > 1 and not any(part in name for part in arguments.only.split(",")):
                continue
            held.append(judge(run, name, test))
            if number == 0 and not held[0]:
                break  # there is nothing to test
    finally:
        for number in ENDING:
            signal.signal(number, signal.SIG_IGN)  # what was started is removed, however often one asks
        run.keep_logs("end")
        run.cluster.remove()
    print(f"{held.count(True)} claims held, {held.count(False)} broken; {time.monotonic() - began:.0f} s")
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
