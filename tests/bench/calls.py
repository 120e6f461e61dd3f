"""How many system calls processes make. perf counts them where the kernel and the rights allow it, else strace does, which slows
them down a lot: either way the rates of such a run are not used."""

import contextlib
import os
import re
import select
import shutil
import signal
import subprocess

NAMES = ("futex", "poll", "epoll_wait", "epoll_pwait", "epoll_ctl", "recvfrom", "recvmsg", "read", "sendto", "sendmsg", "write",
         "writev", "accept", "accept4", "close", "fcntl", "setsockopt", "getsockname", "getpeername", "getpid", "mprotect",
         "pwrite64", "fdatasync", "newfstatat")
ALL, OTHERS = "raw_syscalls:sys_enter", "others"
WAIT_S = 60


class NotCounted(Exception):
    """A sentence: why."""


def of_perf(text):
    """{name: calls} of what `perf stat -x,` writes."""
    counted = {fields[2]: int(fields[0]) for line in text.splitlines() if len(fields := line.split(",")) > 2 and fields[0].isdigit()}
    if ALL not in counted:
        raise NotCounted("perf counted nothing")
    by_name = {name: count for name in NAMES if (count := counted.get(f"syscalls:sys_enter_{name}"))}
    return by_name | {OTHERS: counted[ALL] - sum(by_name.values())}


def of_strace(text):
    """{name: calls} of the table that `strace -c` writes."""
    found = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$", text, re.M)
    return {name: int(count) for count, name in found if name != "total"}


def said(pipe, wanted, times=1):
    """Whether it is said so often before the other side ends."""
    told = b""
    while told.count(wanted) < times and select.select([pipe], [], [], WAIT_S)[0] and (more := os.read(pipe.fileno(), 4096)):
        told += more
    return told.count(wanted) >= times


@contextlib.contextmanager
def started(program, arguments, **options):
    if shutil.which(program) is None:
        raise NotCounted(f"{program} is not installed")
    process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", program, *arguments], stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def output(*command):
    return subprocess.run([*map(str, command)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                          errors="replace", timeout=2 * WAIT_S, check=False).stdout


def end(process):
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=WAIT_S)


@contextlib.contextmanager
def ordered(command, arguments):
    """perf, from when it has begun."""
    order_read, order_write = os.pipe()
    told_read, told_write = os.pipe()
    arguments = [command, "-D", "-1", "--control", f"fd:{order_read},{told_write}", *map(str, arguments)]
    with open(told_read, "rb", buffering=0) as told, open(order_write, "wb", buffering=0) as orders, \
            started("perf", arguments, pass_fds=(order_read, told_write)) as process:
        os.close(order_read)
        os.close(told_write)
        with contextlib.suppress(BrokenPipeError):
            orders.write(b"enable\n")
        if not said(told, b"ack"):
            raise NotCounted("perf may not look")
        yield process


def by_perf(pids, file, work):
    events = [ALL, *(f"syscalls:sys_enter_{name}" for name in NAMES)]
    with ordered("stat", ["-x,", "-o", file, "-e", ",".join(events), "-p", ",".join(map(str, pids))]) as process:
        result = work()
        end(process)
    return of_perf(file.read_text()), result


def by_strace(pids, file, work):
    with started("strace", ["-f", "-c", "-o", str(file), *(text for pid in pids for text in ("-p", str(pid)))]) as process:
        if not said(process.stderr, b"attached", len(pids)):
            raise NotCounted("strace may not attach")
        result = work()
        end(process)
    return of_strace(file.read_text()), result


def count(pids, file, work):
    """({name: calls of the processes while `work` runs}, what counted them, what `work` returned)."""
    whys = []
    for name, how in (("perf", by_perf), ("strace", by_strace)):
        try:
            counted, result = how(pids, file, work)
            return counted, name, result
        except NotCounted as why:
            whys.append(str(why))
    raise NotCounted("; ".join(whys))
