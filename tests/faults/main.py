"""The fault suite: claims and their controls over real servers. Run by scripts/faults."""

import argparse
import ctypes
import dataclasses
import json
import multiprocessing
import os
import pathlib
import queue
import resource
import shutil
import signal
import sys
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]
sys.dont_write_bytecode = True

import checker  # noqa: E402
import claims_broker  # noqa: E402
import claims_counting  # noqa: E402
import claims_crowd  # noqa: E402
import claims_forged  # noqa: E402
import claims_kill  # noqa: E402
import claims_memory  # noqa: E402
import claims_spool  # noqa: E402
import claims_stop  # noqa: E402
import claims_topology  # noqa: E402
import claims_worker  # noqa: E402
import controls  # noqa: E402
import network  # noqa: E402
import stack as stack_module  # noqa: E402
from suite import FULL, QUICK, SMOKE, Claim  # noqa: E402

SIZES = {"smoke": SMOKE, "quick": QUICK, "full": FULL}
LANES = {"smoke": 3, "quick": 2, "full": 2}
THEMES = (claims_kill, claims_broker, claims_spool, claims_topology, claims_counting, claims_memory, claims_worker,
          claims_stop, claims_crowd, claims_forged)
TASKS = [claim for theme in THEMES for claim in theme.CLAIMS] + controls.CONTROLS
LINE = "{:<31} {:>5} {:>7} {:>12} {:>6} {:>7} {:>10}  {}"
LATE_TRIES = 2
SHOWN_PROBLEMS = 3
SHOWN_CHARACTERS = 200  # of each
PR_SET_PDEATHSIG = 1
ENDING_SECONDS = 45


class OutOfTime(Exception):
    pass


def one_try(task, lane, size, attempt):
    """(findings, the sentence of an exception or "")."""
    stack, findings, keep = None, checker.Findings(), True
    signal.alarm(size.claim_seconds)
    try:
        without = getattr(task, "without", "")
        stack = stack_module.Stack(lane, task.name, without, seed=attempt * 1000 + len(task.name),
                                   redis_options=task.redis_options)
        findings = task.run(stack, size)
        keep = bool(findings.problems) and isinstance(task, Claim)
        return findings, ""
    except Exception as problem:  # noqa: BLE001 - whatever it was, the suite goes on and says so
        if stack:
            (stack.folder / "exception.txt").write_text(traceback.format_exc())
        return findings, f"{type(problem).__name__}: {problem}"
    finally:
        signal.alarm(0)
        if stack:
            stack.close(keep)


def judge_claim(task, lane, size):
    """One that was only late is tried once more: a busy machine is late as well."""
    first = ""
    for attempt in range(1, LATE_TRIES + 1):
        findings, exception = one_try(task, lane, size, attempt)
        if exception or not findings.only_late():
            break
        first = first or f" (the first try: {'; '.join(findings.late)})"
    problems = findings.problems + ([exception] if exception else [])
    shown = "; ".join(problem[:SHOWN_CHARACTERS] for problem in problems[:SHOWN_PROBLEMS])
    return findings, not problems, f"held{first}" if not problems else f"BROKEN: {shown}"


def judge_control(task, lane, size):
    exception = ""
    for attempt in range(task.tries):
        findings, exception = one_try(task, lane, size, attempt + 1)
        if caught := task.catches(findings):
            return findings, True, f"caught: {caught}"
    return findings, False, "MISSED" + (f": {exception}" if exception else "")


def judge(task, lane, size):
    """The result as a dictionary, ready for the report."""
    began = time.monotonic()
    is_claim = isinstance(task, Claim)
    findings, good, verdict = (judge_claim if is_claim else judge_control)(task, lane, size)
    return {
        "name": task.name,
        "kind": "claim" if is_claim else "control",
        "good": good,
        "verdict": verdict,
        "tried": findings.tried,
        "acknowledged": findings.acknowledged,
        "refused": findings.refused,
        "unanswered": findings.unanswered,
        "connects_failed": findings.connects_failed,
        "lost": findings.lost,
        "doubled": findings.doubled,
        "slowest_ms": round(findings.slowest * 1000),
        "seconds": round(time.monotonic() - began, 1),
        "problems": findings.problems[:20],
        "notes": findings.notes,
    }


def take_next(indices, taken):
    """The next of `indices` that no lane has taken; None if there is none."""
    with taken.get_lock():
        position, taken.value = taken.value, taken.value + 1
    return indices[position] if position < len(indices) else None


def run_lane(number, arguments, size, indices, taken, results):
    """One process: takes tasks until there are none. Ends with its parent."""

    def end(*_):
        raise SystemExit(143)

    def out_of_time(*_):
        raise OutOfTime(f"not within {size.claim_seconds} s")

    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, out_of_time)
    builds = {stack_module.RELEASE: arguments.release, stack_module.CONTROLS: arguments.controls}
    lane = stack_module.Lane(arguments.out / "run" / f"lane-{number}", builds, arguments.preload)
    try:
        while (index := take_next(indices, taken)) is not None:
            results.put(judge(TASKS[index], lane, size))
    finally:
        lane.close()


def read_arguments():
    parser = argparse.ArgumentParser(prog="scripts/faults", description=__doc__)
    parser.set_defaults(form="full")
    for form, text in (("smoke", "a few of them with the smallest counts, within 90 seconds"),
                       ("quick", "nearly all with small counts, within 10 minutes")):
        parser.add_argument(f"--{form}", dest="form", action="store_const", const=form, help=text)
    parser.add_argument("--only", default="", metavar="NAME[,NAME...]", help="these claims and controls")
    parser.add_argument("--list", action="store_true", help="name them all and end")
    parser.add_argument("--lanes", type=int, help="how many run at once (default 2; 3 of --smoke)")
    for name, text in (("release", "programs as shipped"), ("controls", "programs with switches"),
                       ("preload", "tests/faults/preload.c, built"), ("out", "where results go")):
        parser.add_argument(f"--{name}", type=pathlib.Path, required=name == "out", help=text)
    return parser.parse_args()


def belongs(task, form):
    return form == "full" or getattr(task, form)


def chosen(only, form):
    """Indices of TASKS, the long ones first."""
    names = [name for name in only.split(",") if name]
    known = {task.name for task in TASKS}
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"scripts/faults: no claim or control is called {', '.join(unknown)}; --list names them")
    indices = [index for index, task in enumerate(TASKS) if (task.name in names if names else belongs(task, form))]
    return sorted(indices, key=lambda index: -TASKS[index].seconds)


def print_result(result):
    columns = ("name", "seconds", "tried", "acknowledged", "lost", "doubled", "slowest_ms", "verdict")
    print(LINE.format(*(result[name] for name in columns)), flush=True)


def collect(lanes, results, count):
    """Prints each result as it comes. Lanes that end early leave fewer."""
    collected = []
    while len(collected) < count:
        try:
            collected.append(results.get(timeout=1.0))
            print_result(collected[-1])
        except queue.Empty:
            if not any(lane.is_alive() for lane in lanes):
                break
    return collected


def end_lanes(lanes):
    for lane in lanes:
        if lane.is_alive():
            lane.terminate()
    deadline = time.monotonic() + ENDING_SECONDS
    for lane in lanes:
        lane.join(max(0.1, deadline - time.monotonic()))
        if lane.is_alive():
            lane.kill()


def run(arguments, indices):
    size = SIZES[arguments.form]
    context = multiprocessing.get_context("fork")
    taken, results = context.Value("i", 0), context.Queue()
    count = min(arguments.lanes or LANES[arguments.form], len(indices))
    shared = (arguments, size, indices, taken, results)
    lanes = [context.Process(target=run_lane, args=(number, *shared)) for number in range(count)]
    for lane in lanes:
        lane.start()
    try:
        return collect(lanes, results, len(indices)), size
    finally:
        end_lanes(lanes)


def summary(collected, asked, not_run):
    """The closing line, and whether all is well. In CI what cannot be run has failed: everything it needs is there."""
    tally = {(kind, good): 0 for kind in ("claim", "control") for good in (True, False)}
    for result in collected:
        tally[result["kind"], result["good"]] += 1
    for index in asked:
        if TASKS[index].name not in {result["name"] for result in collected}:
            tally["claim" if isinstance(TASKS[index], Claim) else "control", False] += 1
    held, broken = tally["claim", True], tally["claim", False]
    caught, missed = tally["control", True], tally["control", False]
    closing = f"{held} claims held, {broken} broken; {caught} controls caught, {missed} missed"
    if not_run:
        closing += f"; {not_run} not run"
    return closing, broken + missed == 0 and not (not_run and os.environ.get("CI"))


def main():
    arguments = read_arguments()
    if arguments.list:
        print("\n".join(f"{task.name:<34} {'claim' if isinstance(task, Claim) else 'control'}" for task in TASKS))
        return 0
    indices, left_out = chosen(arguments.only, arguments.form), []
    in_namespace = [index for index in indices if TASKS[index].needs_namespace]
    if in_namespace and not network.available():
        left_out = in_namespace
        indices = [index for index in indices if index not in left_out]
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # programs are killed and crashed on purpose
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    shutil.rmtree(arguments.out / "run", ignore_errors=True)
    (arguments.out / "run").mkdir(parents=True)
    began = time.monotonic()
    print(LINE.format("name", "s", "tried", "acknowledged", "lost", "doubled", "slowest ms", "verdict"), flush=True)
    for index in left_out:
        print(LINE.format(TASKS[index].name, 0, 0, 0, 0, 0, 0, "not run: no network namespace can be made here"))
    collected, size = run(arguments, indices)
    closing, good = summary(collected, indices, len(left_out))
    seconds = round(time.monotonic() - began)
    report = {"closing": closing, "seconds": seconds, "size": dataclasses.asdict(size), "results": collected}
    (arguments.out / "results.json").write_text(json.dumps(report, indent=2) + "\n")
    print(f"{closing}; {seconds} s")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
