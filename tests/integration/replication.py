"""A primary, its replicas and sentinels, and what a worker has counted there."""

import contextlib
import os
import pathlib
import signal

import redis
import servers


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
        server = servers.Redis(self.folder / f"redis{len(self.started)}", *options, replica_of=replica_of)
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
