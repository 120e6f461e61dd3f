"""Runs tests/bench/load.c against a bridge."""

import json
import os
import subprocess

import machine
import servers


class Load:
    """Makes each event once: the next run goes on with the next number."""

    def __init__(self, program):
        self.program = program
        self.next_number = 1

    def run(self, bridge, pids, *, events, connections=256, rate=0, seconds=60, tls=False,
            while_held=None):
        """What load prints, and under "use" what each process took meanwhile. With `while_held` each connection is opened with its
        first event and kept until that has been called; "held" is what it returned."""
        options = {"port": bridge.port, "connections": connections, "events": events, "rate": rate, "seconds": seconds,
                   "first": self.next_number}
        self.next_number += events
        arguments = [text for name, value in options.items() for text in (f"--{name}", str(value))]
        arguments += ["--tls"] * tls + ["--hold"] * bool(while_held)
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", str(self.program), *arguments], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={"PATH": os.environ["PATH"], "WEBHOOK_SECRET": servers.WEBHOOK_SECRET})
        try:
            return self._follow(process, {**pids, "bridge": bridge.pid}, while_held)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()

    @staticmethod
    def _follow(process, pids, while_held):
        """Load ends by itself when it takes too long."""
        process.stdout.readline()  # "sending", or the end
        before = machine.Snapshot(pids)
        out = process.stdout.readline()
        after = machine.Snapshot(pids)
        held = while_held() if out and while_held else None
        _, told = process.communicate(timeout=60)
        if process.poll() != 0:
            raise RuntimeError(f"load ended with {process.poll()}: {told or 'without its result'}")
        result = json.loads(out)
        result["held"] = held
        result["use"] = after.since(before)
        result["use"]["cpu"]["load"] = result["cpu_us"] / 1e6
        result["good"] = result["statuses"].get("200", 0)
        result["bad"] = result["sent"] - result["good"]
        return result
