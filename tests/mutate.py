"""Applies each mutation of tests/mutations.py to a copy of the tree and runs the tests that should see it. Run by
scripts/mutate."""

import argparse
import fcntl
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import tree
from mutations import MUTATIONS
from tree import ROOT, Unfit

OUT = ROOT / "build" / "mutate"
TREE = OUT / "tree"
BUILD = TREE / "build" / "asan"
LOGS = OUT / "logs"
# What the integration tests run.
PROGRAMS = ["dropbridge", "dropworker", "dropctl", "apply_driver"]
# No test of these takes longer by far. One that does not end has seen only what is said to hang (Mutation.hangs): else it may be
# the machine.
UNIT_SECONDS, PYTEST_SECONDS = 60, 300
ENVIRONMENT = {
    "ASAN_OPTIONS": "halt_on_error=1:detect_leaks=1:detect_stack_use_after_return=1",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "DROPBRIDGE_BUILD": "build/asan",
    "DROPBRIDGE_HANG_GUARD_S": os.environ.get("DROPBRIDGE_HANG_GUARD_S", "20"),
    "MODEL_SEQUENCES": "40",
    "MODEL_SEED": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
}
CAUGHT, MISSED, BROKEN = "caught", "MISSED", "broken"
NO_END = "does not end"
# A script that cannot be compiled, or stumbles over itself, says nothing about the tests.
SCRIPT_ERROR = re.compile(r"Error compiling script|user_script:\d+: |Script attempted")
UNIT_FAILURE = re.compile(r"^\[  FAILED  \] (\w+)", re.M)
PYTEST_FAILURE = re.compile(r"^(?:FAILED|ERROR) \S*?([^/\s]+\.py(?:::.*?)?)(?: - .*)?$", re.M)
SETUP_ERROR = "ERROR at setup of "
LINE = "{:<31} {:<6} {:>4.0f} s  {:<60} {}"


def run(command, log, seconds=None):
    """(exit status, output); the status is None if it took too long."""
    environment = {**os.environ, **ENVIRONMENT}
    try:
        done = subprocess.run(list(map(str, command)), cwd=TREE, env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=seconds, check=False)
        status, output = done.returncode, done.stdout
    except subprocess.TimeoutExpired as late:
        status, output = None, late.output or b""
    text = output.decode(errors="replace")
    with open(log, "a") as file:
        file.write(f"$ {' '.join(map(str, command))}\n{text}\n")
    return status, text


def is_unit(test):
    return ".py" not in test


def targets(tests):
    units = [test for test in tests if is_unit(test)]
    return units + (PROGRAMS if len(units) < len(tests) else [])


def build(tests, log):
    return run(["cmake", "--build", "--preset", "asan", "--target", *targets(tests)], log)[0] == 0


def run_unit(test, log):
    """What failed of one unit program, None if nothing did."""
    status, output = run([BUILD / "tests" / "unit" / test], log, UNIT_SECONDS)
    if status == 0:
        return None
    failed = UNIT_FAILURE.findall(output)
    how = NO_END if status is None else f"ends with {status}"
    return f"{test}: {failed[0] if failed else how}"


def run_pytest(tests, log, *options):
    nodes = [f"tests/integration/{test}" for test in tests]
    status, output = run([sys.executable, "-B", "-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", *options, *nodes],
                         log, PYTEST_SECONDS)
    if status == 0:
        return None
    if SCRIPT_ERROR.search(output):
        raise Unfit("the script is no longer one")
    if status not in (None, 1):  # no test of that name, and the like
        raise Unfit(f"pytest ends with {status}: {output.strip().splitlines()[-1]}")
    failed = PYTEST_FAILURE.findall(output)
    if SETUP_ERROR in output:  # a server that is slow to start would pass for a test that has seen something
        raise Unfit(f"what a test needs could not be started: {failed[0] if failed else tests}")
    return failed[0] if failed else NO_END


def first_failure(tests, log):
    """The first test that fails, None if none does. The unit tests are the faster ones."""
    for test in filter(is_unit, tests):
        if failed := run_unit(test, log):
            return failed
    others = [test for test in tests if not is_unit(test)]
    return run_pytest(others, log, "-x") if others else None


def try_one(mutation):
    """(verdict, the test that saw it, or what was wrong)."""
    path, log = TREE / mutation.file, LOGS / f"{mutation.name}.log"
    text = path.read_text()
    path.write_text(tree.replaced(mutation, text))
    try:
        if not build(mutation.tests, log):
            return BROKEN, f"does not build: {log}"
        failed = first_failure(mutation.tests, log)
        if failed and failed.endswith(NO_END) and not mutation.hangs:
            return BROKEN, f"{failed}, which tells nothing: {log}"
        return (CAUGHT, failed) if failed else (MISSED, f"by {', '.join(mutation.tests)}")
    except Unfit as problem:
        return BROKEN, f"{problem}: {log}"
    finally:
        path.write_text(text)


def try_all(chosen):
    verdicts = []
    for mutation in chosen:
        began = time.monotonic()
        verdict, seen_by = try_one(mutation)
        verdicts.append(verdict)
        print(LINE.format(mutation.name, verdict, time.monotonic() - began, mutation.taken, seen_by), flush=True)
    broken = verdicts.count(BROKEN)
    print(f"{verdicts.count(CAUGHT)} caught, {verdicts.count(MISSED)} missed" + (f", {broken} broken" if broken else ""))
    return all(verdict == CAUGHT for verdict in verdicts)


def prepare(chosen):
    """The copy, built, and all that will be run passes there while nothing is taken away."""
    shutil.rmtree(LOGS, ignore_errors=True)
    LOGS.mkdir(parents=True)
    tree.copy(TREE)
    for mutation in chosen:
        tree.replaced(mutation, (TREE / mutation.file).read_text())
    tests = list(dict.fromkeys(test for mutation in chosen for test in mutation.tests))
    log = LOGS / "unchanged.log"
    if run(["cmake", "--preset", "asan"], log)[0] != 0 or not build(tests, log):
        raise Unfit(f"the unchanged code does not build: {log}")
    if failed := first_failure(tests, log):
        raise Unfit(f"a test fails on the unchanged code: {failed}: {log}")
    return len(tests)


def lock():
    """Held until this process ends: two runs in one tree would take each other's mutations away."""
    OUT.mkdir(parents=True, exist_ok=True)
    file = open(OUT / "lock", "w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Unfit("another run is under way in this tree") from None
    return file


def choose(names):
    known = {mutation.name: mutation for mutation in MUTATIONS}
    if unknown := [name for name in names if name not in known]:
        raise Unfit(f"no mutation is called {', '.join(unknown)}; --list tells the names")
    return [known[name] for name in names] if names else MUTATIONS


def main():
    parser = argparse.ArgumentParser(prog="scripts/mutate", description=__doc__)
    parser.add_argument("--only", metavar="NAME[,NAME...]", default="", help="only these")
    parser.add_argument("--list", action="store_true", help="tell the mutations and their tests, and end")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of the `finally` that restores the file
    try:
        chosen = choose([name for name in options.only.split(",") if name])
        if options.list:
            for mutation in chosen:
                print(f"{mutation.name:<31} {mutation.taken:<60} {', '.join(mutation.tests)}")
            return 0
        began, held = time.monotonic(), lock()
        count = prepare(chosen)
        print(f"unchanged: {count} tests pass ({time.monotonic() - began:.0f} s with the build)", flush=True)
        good = try_all(chosen)
        held.close()
        return 0 if good else 1
    except Unfit as problem:
        print(f"scripts/mutate: {problem}", file=sys.stderr)
        return 1


sys.exit(main())
