"""Programs of others' making, installed beside their source when they are needed."""

import os
import pathlib
import re
import shutil
import subprocess

PEERS = pathlib.Path(__file__).resolve().parent / "peers"
NODE_WORKER, NODE_INGEST, GO_INGEST, RUST_INGEST = (PEERS / name for name in ("node-worker", "node-ingest", "go-ingest", "rust-ingest"))
INSTALL = ("npm", "ci", "--ignore-scripts", "--omit=dev", "--no-audit", "--no-fund", "--fetch-retries=1",
           "--fetch-timeout=20000")
INSTALL_S = 180
BUILD_S = 900
NODE_AT_LEAST = 18  # for amqplib


def why_npm_failed(output, folder="tests/bench/peers/node-worker"):
    """By npm's code for it: what else it says names the registry."""
    code = re.search(r"^npm (?:ERR!|error) code (\S+)$", output, re.M)
    return f"npm ci failed{': ' + code[1] if code else ''}; try it in {folder}"


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
        return why_npm_failed(done.stdout, f"tests/bench/peers/{folder.name}")
    installed.write_bytes(lock)
    return None


def install_node_ingest():
    return install(NODE_INGEST)


def build(folder, program, *arguments):
    """None when it is built, else why not. What the compiler says names where it fetches from: it is not shown."""
    if shutil.which(program) is None:
        return f"{program} is not installed"
    try:
        done = subprocess.run([program, *arguments], cwd=folder, env=os.environ, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=BUILD_S, check=False)
    except subprocess.TimeoutExpired:
        return f"{program} did not end within {BUILD_S} s"
    command = " ".join((program, *arguments))
    return None if done.returncode == 0 else f"{command} failed; try it in tests/bench/peers/{folder.name}"


def build_go_ingest():
    return build(GO_INGEST, "go", "build", "-o", "go-ingest", ".")


def build_rust_ingest():
    return build(RUST_INGEST, "cargo", "build", "--release", "--quiet")
