"""What the figures were measured on, and what each process took of it."""

import os
import pathlib
import re
import shutil
import statistics
import subprocess
import tempfile
import time

TICKS = os.sysconf("SC_CLK_TCK")
CORES = os.cpu_count()
SYNCS = 200


def output_of(*command):
    """Standard output of a command, "" if it cannot be run."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def found(pattern, text, otherwise="unknown"):
    match = re.search(pattern, text, re.M)
    return match.group(1).strip() if match else otherwise


def package_version(name):
    return output_of("dpkg-query", "-W", "-f", "${Version}", name) or "unknown"


def disk_of(folder):
    """File system, device and its kind, as far as the kernel tells."""
    source, kind = (output_of("findmnt", "-n", "-o", "SOURCE,FSTYPE", "-T", str(folder)).split() + ["unknown"] * 2)[:2]
    name = pathlib.Path(source).name
    rotational = pathlib.Path("/sys/class/block", name, "queue", "rotational")
    turns = rotational.read_text().strip() if rotational.exists() else "?"
    return f"{kind} on {name} ({ {'0': 'not rotating', '1': 'said to rotate'}.get(turns, 'kind unknown') })"


def sync_us(folder):
    """The median time of appending 4 KiB and syncing them."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(SYNCS):
            began = time.perf_counter()
            os.write(file.fileno(), b"x" * 4096)
            os.fdatasync(file.fileno())
            times.append((time.perf_counter() - began) * 1e6)
    return round(statistics.median(times))


def facts(folder):
    cpu = pathlib.Path("/proc/cpuinfo").read_text()
    memory = int(found(r"^MemTotal:\s+(\d+)", pathlib.Path("/proc/meminfo").read_text(), "0"))
    return {
        "cores": CORES,
        "processor": found(r"^model name\s*:(.*)$", cpu),
        "memory_gib": round(memory / 2**20, 1),
        "kernel": os.uname().release,
        "system": found(r'^PRETTY_NAME="(.*)"$', pathlib.Path("/etc/os-release").read_text()),
        "disk": disk_of(folder),
        "sync_4k_us": sync_us(folder),
        "rabbitmq": package_version("rabbitmq-server"),
        "erlang": package_version("erlang-base"),
        "redis": found(r"v=(\S+)", output_of(shutil.which("redis-server") or "redis-server", "--version")),
        "load_average_before": os.getloadavg()[0],
    }


def cpu_seconds(pid):
    """User and system time of a process and all its threads."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def written_bytes(pid):
    """Bytes that a process has sent towards the disk; None for one that hides its memory from its own user, as ours do."""
    try:
        return int(found(r"^write_bytes: (\d+)$", pathlib.Path(f"/proc/{pid}/io").read_text(), "0"))
    except PermissionError:
        return None


def memory_bytes(pid, field="VmRSS"):
    return int(found(rf"^{field}:\s+(\d+) kB", pathlib.Path(f"/proc/{pid}/status").read_text(), "0")) * 1024


def established(port):
    """How many connections to a port of this machine are open."""
    return established_in(pathlib.Path("/proc/net/tcp").read_text(), port)


def established_in(table, port):
    """Of /proc/net/tcp: the lines of the side that listens. A line may be there twice while others come and go."""
    rows = (line.split() for line in table.splitlines()[1:])
    return len({fields[2] for fields in rows if fields[1].endswith(f":{port:04X}") and fields[3] == "01"})


def busy_seconds():
    """Of all cores together, whoever used them; what a host took away for others is in it too."""
    fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / TICKS


class Snapshot:
    """The clocks of the machine and of some processes ({name: pid}) at one moment."""

    def __init__(self, pids):
        self.at = time.monotonic()
        self.busy = busy_seconds()
        self.cpu = {name: cpu_seconds(pid) for name, pid in pids.items()}
        self.written = {name: written_bytes(pid) for name, pid in pids.items()}

    def since(self, before):
        """{"seconds", "busy" (share of all cores), "cpu": {name: seconds}, "written": {name: bytes}}"""
        seconds = self.at - before.at
        return {
            "seconds": seconds,
            "busy_s": self.busy - before.busy,
            "busy": (self.busy - before.busy) / (seconds * CORES),
            "cpu": {name: self.cpu[name] - before.cpu[name] for name in self.cpu},
            "written": {name: None if self.written[name] is None else self.written[name] - before.written[name]
                        for name in self.written},
        }
