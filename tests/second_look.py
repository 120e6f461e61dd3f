"""Runs tests again that only ran out of time in a report of pytest, alone and several times: a slow moment of the machine is
no verdict. A test that passes every time then counts as passed, and the report says that it is unsteady.

usage: second_look.py REPORT PYTEST-COMMAND...

Nothing is run again when any test failed by what it saw (a wrong sum, a wrong answer, a sanitizer's report) and not by a
deadline, or when more than a few missed theirs. The first report stays beside the other, ending in ".first".
"""

import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

AT_MOST = 3
TIMES = 3
DEADLINE = re.compile(r"AssertionError: not within [0-9.]+ s\b")  # of servers.wait_until
SANITIZER = re.compile(r"AddressSanitizer|ThreadSanitizer|LeakSanitizer|runtime error:")


def failures(root):
    """[(case, its failure or error)]"""
    return [(case, found) for case in root.iter("testcase") for tag in ("failure", "error") for found in case.findall(tag)]


def out_of_time(failed):
    """Whether all of them only missed a deadline, and they are few."""
    return 0 < len(failed) <= AT_MOST and all(
        found.tag == "failure" and DEADLINE.match(found.get("message") or "") and not SANITIZER.search(found.get("message") + (found.text or ""))
        for _, found in failed)


def node(case):
    """What pytest calls the test of a <testcase>."""
    return f"{case.get('classname').replace('.', '/')}.py::{case.get('name')}"


def passes(command, case):
    for number in range(1, TIMES + 1):
        print(f"again, alone, {number} of {TIMES}: {node(case)}", flush=True)
        if subprocess.run([*command, node(case)], check=False).returncode:
            return False
    return True


def main():
    report, command = pathlib.Path(sys.argv[1]), sys.argv[2:]
    tree = ElementTree.parse(report)
    failed = failures(tree.getroot())
    if not out_of_time(failed):
        return
    steady_again = [(case, found) for case, found in failed if passes(command, case)]
    for case, found in steady_again:
        case.set("unsteady", found.get("message").splitlines()[0])
        case.remove(found)
    report.rename(report.with_suffix(".first"))
    tree.write(report, encoding="utf-8", xml_declaration=True)


if __name__ == "__main__":
    main()
