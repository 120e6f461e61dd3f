"""deploy/compose.cluster.yml while it runs: its commands, how its parts are, and how they are cut off from each other.
The addresses of the containers are reached directly, and their network namespaces entered: the engine is on this
machine."""

import contextlib
import json
import os
import re
import socket
import ssl
import time
import urllib.error
import urllib.request

import checker
import composition
import flow
import redis
import sender
import servers

BROKERS = ("rabbitmq1", "rabbitmq2", "rabbitmq3")
REDISES = ("redis1", "redis2", "redis3")
SENTINELS = ("sentinel1", "sentinel2", "sentinel3")
BRIDGES = ("bridge1", "bridge2")
LASTING = (*BROKERS, *REDISES, *SENTINELS, *BRIDGES, "worker", "haproxy")
PASSWORD = "development-password"  # the file's default
QUEUES = ("dropcowboy.events", "dropcowboy.rejected")
# What the leader of each queue has: ready, and in the hands of consumers. (list_queues tells of each node's statistics:
# they are up to five seconds old, and those of a former leader that was cut off when it was replaced stay for ever.)
STANDING = """[begin
    {ok, {_, Ready}, _} = ra:leader_query({Name, node()}, fun rabbit_fifo:query_messages_ready/1),
    {ok, {_, Held}, _} = ra:leader_query({Name, node()}, fun rabbit_fifo:query_messages_checked_out/1),
    {Name, Ready, Held} end || Name <- ['%2F_dropcowboy.events', '%2F_dropcowboy.rejected']]."""
START_SECONDS = 2 * servers.HANG_GUARD_S  # a dozen servers that start at once
CALM_SECONDS = 3  # without a message from the queue: then nothing comes any more
# What this node's member of the queue of events takes its consumers for, and which messages it believes to be theirs.
CHECKED_OUT = """{ok, {_, Told}, Leader} = ra:local_query({'%2F_dropcowboy.events', node()}, fun(Machine) ->
    [Consumer || Part <- tuple_to_list(Machine), is_map(Part), Consumer <- maps:values(Part),
        is_tuple(Consumer), tuple_size(Consumer) > 0, element(1, Consumer) =:= consumer] end),
    {node(), led_by, Leader, Told}."""


class Cluster(composition.Composition):
    def __init__(self, folder, project, log, settings):
        super().__init__(folder, project, log, settings)
        self.file = folder / "deploy" / "compose.cluster.yml"

    # -- commands --

    def compose(self, *arguments, **options):
        """As a user types it, except for the project's name and the user's own .env."""
        return self.run("docker", "compose", "--env-file", os.devnull, "-p", self.project, "-f", str(self.file),
                        *arguments, **options)

    def remove(self):
        super().remove()
        for name in ("bridge", "worker", "tools"):
            with contextlib.suppress(composition.CommandFailed, OSError):
                self.run("docker", "image", "rm", f"{self.project}-{name}", check=False)

    def wait_healthy(self):
        def ill():
            return [name for name in LASTING if not self.healthy(name)]

        servers.wait_until(lambda: not ill(), lambda: f"healthy: {', '.join(ill())}", within=START_SECONDS)

    def bring_back(self, service):
        self.run("docker", "start", *(one["Id"] for one in self.containers(service)))

    def addresses(self, service):
        """In each of its networks."""
        return [network["IPAddress"] for network in self.containers(service)[0]["NetworkSettings"]["Networks"].values()]

    def address(self, service):
        return self.addresses(service)[0]

    # -- cuts: every packet is dropped without a word; they end with the container at the latest --

    def iptables(self, service, *arguments):
        pid = self.containers(service)[0]["State"]["Pid"]
        self.run("nsenter", "-t", str(pid), "-n", "iptables", "-w", "5", *arguments)

    def cut(self, service, others):
        """Off from these others; the rest still reaches it, and it them."""
        for address in (one for other in others for one in self.addresses(other)):
            self.iptables(service, "-A", "INPUT", "-s", address, "-j", "DROP")
            self.iptables(service, "-A", "OUTPUT", "-d", address, "-j", "DROP")

    def cut_off(self, service):
        """From everything but itself."""
        self.iptables(service, "-A", "INPUT", "!", "-i", "lo", "-j", "DROP")
        self.iptables(service, "-A", "OUTPUT", "!", "-o", "lo", "-j", "DROP")

    def heal(self, service):
        self.iptables(service, "-F", "INPUT")
        self.iptables(service, "-F", "OUTPUT")

    # -- RabbitMQ --

    def queues(self, at=BROKERS[0]):
        """What a node says of the queues: [{"name", "leader", "members", "online"}], one of them several times."""
        said = self.execute(at, "rabbitmqctl", "-q", "list_queues", "name", "leader", "members", "online",
                            "--formatter", "json", seconds=60)
        return json.loads(said)

    def standing(self):
        """The name of each queue → (messages ready, messages in the hands of consumers)."""
        said = self.execute(BROKERS[0], "rabbitmqctl", "-q", "eval", STANDING, seconds=60)
        found = {name: (int(ready), int(held)) for name, ready, held in re.findall(r"%2F_([a-z.]+)',(\d+),(\d+)", said)}
        if set(found) != set(QUEUES):
            raise composition.CommandFailed(f"no standing of both queues in {said}")
        return found

    def leader(self):
        """The service that leads the queue of events; for a moment after a fault nobody may."""
        return servers.wait_until(self._told_leader, "a node says who leads the queue")

    def _told_leader(self):
        for node in BROKERS:
            with contextlib.suppress(composition.CommandFailed):
                found = {queue["name"]: queue["leader"] for queue in self.queues(node)}
                leader = found.get(QUEUES[0], "").removeprefix("rabbit@")
                if leader in BROKERS:
                    return leader
        return None

    def listens(self, node):
        """Costs nothing, unlike rabbitmqctl: each starts an Erlang VM, just when a broker needs the processors to begin."""
        if not (address := self.address(node)):
            return False
        try:
            socket.create_connection((address, 5672), servers.HANG_GUARD_S).close()
        except OSError:
            return False
        return True

    def missing_members(self):
        """What keeps both queues from having three members, all of them online: "" when nothing does."""
        for node in BROKERS:
            if not self.listens(node):
                return f"{node} takes no connections"
        try:
            found = {queue["name"]: queue for queue in self.queues()}
        except composition.CommandFailed as problem:
            return str(problem)
        for name in QUEUES:
            queue = found.get(name, {"members": [], "online": []})
            if not len(queue["members"]) == len(queue["online"]) == 3:
                return f"{name}: members {queue['members']}, online {queue['online']}"
        return ""

    def wait_members(self):
        servers.wait_until(lambda: not self.missing_members(), self.missing_members)

    def apart(self):
        """The nodes that do not see all three running; the queues may be whole all the same."""
        found = []
        for node in BROKERS:
            said = json.loads(self.execute(node, "rabbitmqctl", "-q", "cluster_status", "--formatter", "json", seconds=60))
            found += [node] * (len(said["running_nodes"]) < len(BROKERS))
        return found

    def restart(self, service):
        self.run("docker", "restart", *(one["Id"] for one in self.containers(service)))
        servers.wait_until(lambda: self.healthy(service), f"{service} is healthy again")

    # -- Redis --

    def primary(self, asked=SENTINELS):
        """The service that most of these sentinels take for the primary."""
        said = []
        for one in asked:
            with redis.Redis(self.address(one), 26379, socket_timeout=5, decode_responses=True) as client:
                with contextlib.suppress(redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
                    said.append(client.sentinel_get_master_addr_by_name("dropbridge")[0])
        assert said, f"none of {', '.join(asked)} answers"
        return max(set(said), key=said.count)

    def fail_over(self, asked):
        """As an operator orders it; refused as long as the last one is not over, or no replica is fit."""
        def ordered():
            with redis.Redis(self.address(asked), 26379, socket_timeout=5) as client:
                try:
                    return client.execute_command("SENTINEL", "FAILOVER", "dropbridge")
                except redis.exceptions.ResponseError as refusal:
                    if not any(word in str(refusal) for word in ("INPROG", "NOGOODSLAVE")):
                        raise
                    return False

        servers.wait_until(ordered, "the failover begins")

    def redis(self, service):
        return redis.Redis(self.address(service), password=PASSWORD, socket_timeout=5, socket_connect_timeout=2)

    def replication_problem(self):
        """What keeps the primary from having both others as replicas in step: "" when nothing does."""
        try:
            primary = self.primary()
            said = self.redis(primary).info("replication")
            roles = {one: self.redis(one).info("replication")["role"] for one in REDISES}
        except (redis.exceptions.RedisError, OSError, AssertionError) as problem:
            return str(problem)
        in_step = [one for one in (said.get("slave0"), said.get("slave1")) if one and one["state"] == "online"]
        if said["role"] == "master" and len(in_step) == 2 and list(roles.values()).count("master") == 1:
            return ""
        return f"primary {primary} with {len(in_step)} replicas, {roles}"

    def wait_replication(self):
        servers.wait_until(lambda: not self.replication_problem(), self.replication_problem)

    # -- our programs --

    def admin(self, service, path, container=0):
        listening = 9091 if service == "worker" else 9090
        networks = self.containers(service)[container]["NetworkSettings"]["Networks"]
        address = next(iter(networks.values()))["IPAddress"]
        request = urllib.request.Request(f"http://{address}:{listening}{path}")
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as problem:
            return problem.read().decode()

    def metrics(self, service, container=0):
        lines = (line.rsplit(" ", 1) for line in self.admin(service, "/metrics", container).splitlines()
                 if line and not line.startswith("#"))
        return {name: float(value) for name, value in lines}

    def unrest(self):
        """What is still under way: "" when nothing is."""
        for bridge in BRIDGES:
            spool = json.loads(self.admin(bridge, "/readyz"))["spool"]
            if spool != "empty":
                return f"the spool of {bridge}: {spool}"
        try:
            standing = self.standing()
        except composition.CommandFailed as problem:
            return str(problem)
        return "" if not any(map(any, standing.values())) else f"(ready, held) in {standing}"

    def state(self):
        """All that tells why something does not come to rest, as text."""
        asked = (lambda: self.execute(BROKERS[0], "rabbitmqctl", "-q", "list_queues", "name", "leader", "online",
                                      "messages_ready", "messages_unacknowledged", "consumers"),
                 self.standing,
                 lambda: self.execute(BROKERS[0], "rabbitmqctl", "-q", "list_consumers", "queue_name", "channel_pid",
                                      "consumer_tag", "active", "activity_status"),
                 lambda: self.execute(BROKERS[0], "rabbitmqctl", "-q", "list_channels", "pid", "connection",
                                      "consumer_count", "messages_unacknowledged", "prefetch_count"),
                 *(lambda node=node: self.execute(node, "rabbitmqctl", "-q", "eval", CHECKED_OUT) for node in BROKERS),
                 self.replication_problem,
                 *(lambda service=service, path=path: self.admin(service, path)
                   for service in (*BRIDGES, "worker") for path in ("/readyz", "/metrics")))
        told = []
        for ask in asked:
            try:
                told.append(str(ask()))
            except Exception as problem:  # noqa: BLE001 - it is told as well
                told.append(f"{type(problem).__name__}: {problem}")
        return "\n\n".join(told)

    def consumed(self):
        """(messages that the workers have dealt with, messages they hold)."""
        told = [self.metrics("worker", number) for number in range(len(self.containers("worker")))]
        return tuple(sum(one[name] for one in told) for name in ("dropworker_consumed_total", "dropworker_held"))

    def wait_for_rest(self):
        calm_since, before = time.monotonic(), None

        def at_rest():
            nonlocal calm_since, before
            try:
                now = self.consumed()
                moving = now != before or now[1] > 0 or self.unrest()
            except OSError:  # no answer in time
                now, moving = before, True
            if moving:
                calm_since, before = time.monotonic(), now
            return time.monotonic() - calm_since >= CALM_SECONDS

        servers.wait_until(at_rest, self.unrest)

    def count_workers(self):
        """(all, healthy)."""
        return len(self.containers("worker")), self.healthy("worker")

    def check_identities(self, findings):
        for bridge in BRIDGES:
            checker.check_bridge_identities(findings, self.metrics(bridge))
        for number in range(len(self.containers("worker"))):
            checker.check_worker_identity(findings, self.metrics("worker", number))


# ---- the sender ----


class TlsConnection(sender.Connection):
    """One that believes only the certificate it was given."""

    def __init__(self, port, context):
        super().__init__(port)
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")

    def closed_by_peer(self):
        """TLS has words of its own between two requests."""
        self.socket.settimeout(0)
        try:
            self.socket.recv(1)
            return True
        except ssl.SSLWantReadError:
            return False
        except OSError:
            return True
        finally:
            self.socket.settimeout(sender.GIVE_UP_SECONDS)


class TlsSender(flow.Sender):
    def __init__(self, port, context, events, rate):
        self.context = context  # first: the threads begin in what follows
        super().__init__(port, events, rate)

    def _connect(self):
        while not self._stop.is_set():
            with contextlib.suppress(OSError):
                return TlsConnection(self.port, self.context)
            with self._lock:
                self.connects_failed += 1
            self._stop.wait(sender.RECONNECT_SECONDS)
        return None


