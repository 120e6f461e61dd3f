"""Programs of others' making, installed beside their source when they are needed."""

import os
import pathlib
import re
import shutil
import subprocess

NODE_WORKER = pathlib.Path(__file__).resolve().parent / "peers" / "node-worker"
INSTALL = ("npm", "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--fetch-retries=1",
           "--fetch-timeout=20000")
INSTALL_S = 180
NODE_AT_LEAST = 18  # for amqplib


def why_npm_failed(output):
    """By npm's code for it: what else it says names the registry."""
    code = re.search(r"^npm (?:ERR!|error) code (\S+)$", output, re.M)
    return f"npm ci failed{': ' + code[1] if code else ''}; try it in tests/bench/peers/node-worker"


def install(folder=NODE_WORKER):
    """None when it is there, else why not."""
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    version = subprocess.run(["node", "--version"], stdout=subprocess.PIPE, text=True, check=False).stdout
    if int((re.findall(r"\d+", version) or ["0"])[0]) < NODE_AT_LEAST:
        return f"node {version.strip()} is older than {NODE_AT_LEAST}"
    lock = (folder / "package-lock.json").read_bytes()
    installed = folder / "node_modules" / ".dropbridge-installed"  # of which lock file
    if installed.exists() and installed.read_bytes() == lock:
        return None
    try:
        done = subprocess.run(INSTALL, cwd=folder, env=os.environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, timeout=INSTALL_S, check=False)
    except subprocess.TimeoutExpired:
        return f"npm ci did not end within {INSTALL_S} s"
    if done.returncode != 0:
        return why_npm_failed(done.stdout)
    installed.write_bytes(lock)
    return None
