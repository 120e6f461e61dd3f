"""A primary, its replicas and sentinels, and what a worker has counted there."""

import contextlib
import os
import pathlib
import signal

import redis
import servers
from events import callback, counters, message


def counted(server):
    return counters(server.client).get("messages", 0)


def publish(queues, count):
    for _ in range(count):
        queues.publish(*message(callback(), "spring"))


def wait_counted(server, worker, count):
    """Exactly so many messages, all of them under one campaign, all successes."""
    servers.wait_until(lambda: counted(server) == count, lambda: f"{counted(server)} of {count}\n{worker.stderr[-3000:]}")
    for campaign in (None, "spring"):
        found = counters(server.client, campaign)
        assert found["messages"] == found["success"] == count, found


def wait_settled(worker, queues):
    """At rest: nothing in the queue, nothing held, ready, and every message became one thing."""

    def settled():
        values = {name.removeprefix("dropworker_"): value for name, value in worker.metrics().items()}
        parts = ("counted_total", "revised_total", "duplicate_total", "opt_out_events_total", "campaign_events_total",
                 "unrecognized_total")
        return (values["held"] == 0 and queues.depth("AMQP_QUEUE") == 0 and worker.readyz()[0] == 200
                and values["consumed_total"] == sum(values[name] for name in parts))

    servers.wait_until(settled, lambda: f"{worker.metrics()}\n{worker.stderr[-3000:]}")


def wait_not_ready(worker, *words):
    def tells():
        status, text = worker.admin("/readyz")
        return status == 503 and all(word in text for word in words)

    servers.wait_until(tells, lambda: f"{worker.admin('/readyz')}\n{worker.stderr[-3000:]}")


def wait_ready(worker):
    servers.wait_until(lambda: worker.readyz()[0] == 200, lambda: worker.stderr[-3000:])


def replicas_of(primary):
    """The ports of those that the primary lists as online and has heard from: for a second after a replica has its copy it
    knows less than the replica does."""
    listed = [value for key, value in primary.client.info("replication").items()
              if key.startswith("slave") and isinstance(value, dict)]
    return {one["port"] for one in listed if one["state"] == "online" and one["offset"] > 0}


def wait_in_step(replica, primary):
    """Both of them say so."""
    def in_step():
        with contextlib.suppress(redis.exceptions.BusyLoadingError):
            return replica.client.info("replication").get("master_link_status") == "up" and replica.port in replicas_of(primary)
        return False

    servers.wait_until(in_step, lambda: "the replica is in step: " + replica.child.stdout[-2000:])


def order_failover(sentinel):
    """Whether it begins. For a moment after its start, and after another failover, a sentinel refuses."""
    try:
        return sentinel.client.execute_command("SENTINEL", "FAILOVER", "main")
    except redis.exceptions.ResponseError as refusal:
        assert "INPROG" in str(refusal) or "NOGOODSLAVE" in str(refusal)
        return False


def wait_stopped(pid):
    """The signal only asks: a thread that waits for its disk goes on until that has answered."""
    threads = pathlib.Path(f"/proc/{pid}/task")

    def stopped():
        with contextlib.suppress(OSError):  # one has just ended
            return all(path.read_text().rpartition(") ")[2][0] == "T" for path in threads.glob("*/stat"))
        return False

    servers.wait_until(stopped, f"process {pid} stands still")


@contextlib.contextmanager
def pids_standing_still(*pids):
    try:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        for pid in pids:
            wait_stopped(pid)
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


def standing_still(*started):
    """Servers, and programs of ours."""
    return pids_standing_still(*(getattr(one, "child", one).pid for one in started))


class Replication:
    """All servers of one test; close() stops them."""

    def __init__(self, folder):
        self.folder = folder
        self.started = []

    def _start(self, server):
        self.started.append(server)
        return server.start()

    def redis(self, *options, replica_of=None):
        """In step with the server that it is to be a replica of."""
        server = servers.Redis(self.folder / f"redis{len(self.started)}", "--repl-diskless-sync-delay", 0, *options,
                               replica_of=replica_of)
        self._start(server)
        if replica_of:
            wait_in_step(server, replica_of)
        return server

    def sentinel(self, primary, **options):
        return self._start(servers.Sentinel(self.folder / f"sentinel{len(self.started)}", primary, **options))

    def close(self):
        for server in reversed(self.started):
            if server.child is not None and server.child.running():
                os.kill(server.child.pid, signal.SIGCONT)
            server.stop()
