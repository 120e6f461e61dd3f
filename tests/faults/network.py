"""Links that do worse than to be cut. One crawls. Over the other packets can be dropped without a word to either side:
a network namespace of our own, reached over a pair of virtual interfaces. It dies with this process. Not every container
lets root make one."""

import ctypes
import itertools
import multiprocessing
import os
import socket
import subprocess
import threading
import time

import servers

CLONE_NEWNET = 0x40000000
# No interface has it: what is sent to it arrives nowhere.
NOBODY = "02:00:00:00:00:99"
_numbers = itertools.count()


def ip(*arguments, inside=None):
    enter = ["nsenter", f"--net={inside}"] if inside else []
    subprocess.run([*enter, "ip", *map(str, arguments)], check=True, timeout=servers.HANG_GUARD_S, stdin=subprocess.DEVNULL)


class _Namespace:
    """A thread that lives in a network namespace of its own, and makes listening sockets there."""

    def __init__(self):
        self._ready = threading.Event()
        self._asked = threading.Event()
        self._made = threading.Event()
        self._address = None
        self._socket = None
        self.path = None
        threading.Thread(target=self._live, daemon=True).start()
        assert self._ready.wait(servers.HANG_GUARD_S) and self.path, "no network namespace can be made here"

    def _live(self):
        done = ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET)
        self.path = f"/proc/{os.getpid()}/task/{threading.get_native_id()}/ns/net" if done == 0 else None
        self._ready.set()
        while self.path:
            self._asked.wait()
            self._asked.clear()
            if self._address is None:
                return
            self._socket = socket.create_server(self._address, backlog=64)
            self._made.set()

    def listen(self, address):
        self._made.clear()
        self._address = address
        self._asked.set()
        assert self._made.wait(servers.HANG_GUARD_S), f"cannot listen on {address}"
        return self._socket

    def close(self):
        self._address = None
        self._asked.set()


class CrawlingProxy(servers.CuttableProxy):
    """crawl() lets the connections of that moment move so little that what is sent over them waits for minutes, but
    never quite nothing; those made later are as fast as ever."""

    PIECE = 8192
    EVERY_SECONDS = 0.5

    def __init__(self, target_port):
        self._slow = set()
        super().__init__(target_port)

    def make_listener(self):
        listener = super().make_listener()
        # Inherited by what it accepts: little is on its way when the crawling begins.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        return listener

    def crawl(self):
        with self._lock:
            self._slow.update(self._pairs)

    def take(self, one, client):
        if client not in self._slow:
            return super().take(one, client)
        if one is client:
            time.sleep(self.EVERY_SECONDS)
        return one.recv(self.PIECE)


class DroppingProxy(servers.CuttableProxy):
    """A proxy at the other end of such a link: drop() loses every packet both ways, undrop() brings them through
    again."""

    def __init__(self, target_port):
        number = next(_numbers)
        self.host = f"10.231.{os.getpid() % 250}.{number * 4 + 2}"
        self._near = f"10.231.{os.getpid() % 250}.{number * 4 + 1}"
        self._device = f"df{os.getpid() % 100000}-{number}"
        self._namespace = _Namespace()
        inside = self._namespace.path
        ip("link", "add", self._device, "type", "veth", "peer", "name", "far", "netns", inside.split("/")[4])
        ip("addr", "add", f"{self._near}/30", "dev", self._device)
        ip("link", "set", self._device, "up")
        ip("addr", "add", f"{self.host}/30", "dev", "far", inside=inside)
        ip("link", "set", "far", "up", inside=inside)
        super().__init__(target_port)

    def make_listener(self):
        return self._namespace.listen((self.host, self.port))

    def drop(self):
        ip("neigh", "replace", self.host, "lladdr", NOBODY, "nud", "permanent", "dev", self._device)
        inside = self._namespace.path
        ip("neigh", "replace", self._near, "lladdr", NOBODY, "nud", "permanent", "dev", "far", inside=inside)

    def undrop(self):
        ip("neigh", "del", self.host, "dev", self._device)
        ip("neigh", "del", self._near, "dev", "far", inside=self._namespace.path)

    def close(self):
        super().close()
        ip("link", "del", self._device)
        self._namespace.close()


def _try():
    with open(os.devnull, "w", encoding="ascii") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    proxy = DroppingProxy(1)
    proxy.drop()
    proxy.undrop()
    proxy.close()
    os._exit(0)


def available():
    """Whether such a link can be made here: tried in a process of its own."""
    trial = multiprocessing.get_context("fork").Process(target=_try)
    trial.start()
    trial.join(servers.HANG_GUARD_S)
    trial.kill()
    trial.join()
    return trial.exitcode == 0
