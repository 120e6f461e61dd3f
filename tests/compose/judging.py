"""How the tests of the compositions judge: what is claimed, and the claims one after the other."""

import time
import traceback

LATE_TRIES = 2


class Broken(Exception):
    pass


class Late(Broken):
    """Nothing but a promise in wall-clock time did not hold."""


def claim(holds, sentence):
    if not holds:
        raise Broken(sentence)


def claim_findings(findings):
    if findings.problems:
        kind = Late if findings.only_late() else Broken
        raise kind("; ".join(problem[:200] for problem in findings.problems[:3]))


def judge(run, name, test, line, keep_logs):
    """Whether it holds; prints its line. One that was only late is tried once more: a busy machine is late as well."""
    for number in range(1, LATE_TRIES + 1):
        began, again = time.monotonic(), False
        try:
            verdict, text = "held", test(run)
        except Exception as problem:  # noqa: BLE001 - whatever it was, the others are judged and all is removed
            again = isinstance(problem, Late) and number < LATE_TRIES
            verdict = "again" if again else "BROKEN"
            text = f"{'' if isinstance(problem, Broken) else type(problem).__name__ + ': '}{problem}"
            with (run.arguments.out / "log").open("a") as log:
                traceback.print_exc(file=log)
            keep_logs(name)
        print(line.format(name, round(time.monotonic() - began), verdict, text), flush=True)
        if not again:
            return verdict == "held"
    raise AssertionError("the last try is judged")
