"""Sums JUnit reports: what failed, why what was skipped was, what was repeated (repeat_timing.py), and one closing line
"N passed, N failed, N skipped".

usage: tally.py [--failed N] FOLDER

N failures from elsewhere are added. With CLOSING_LINE_FILE in the environment the closing line goes there instead.
Exit status 1 if anything failed or nothing ran.
"""

import argparse
import os
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def judge(case):
    """'failed', 'skipped' or 'passed' with the reason, for a <testcase> of pytest or ctest, which skips nothing: what it has not
    run is not there."""
    for tag in ("failure", "error"):
        found = case.find(tag)
        if found is not None:
            return "failed", found.get("message") or ""
    if case.get("status") in ("fail", "notrun", "disabled"):
        return "failed", "" if case.get("status") == "fail" else "not run"
    found = case.find("skipped")
    if found is not None:
        return "skipped", found.get("message") or "not run"
    return "passed", ""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--failed", type=int, default=0)
    parser.add_argument("folder", type=pathlib.Path)
    arguments = parser.parse_args()
    count = {"passed": 0, "failed": arguments.failed, "skipped": 0}
    for report in sorted(arguments.folder.glob("*.xml")):
        for case in ElementTree.parse(report).getroot().iter("testcase"):
            verdict, reason = judge(case)
            count[verdict] += 1
            for repeated in case.iterfind("properties/property[@name='repeated']"):
                print(f"repeated: {report.stem}: {case.get('classname')} {case.get('name')}: {repeated.get('value')}")
            if verdict != "passed":
                first_line = reason.strip().splitlines()[0] if reason.strip() else ""
                print(f"{verdict}: {report.stem}: {case.get('classname')} {case.get('name')}: {first_line}")
    line = f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped"
    closing = os.environ.get("CLOSING_LINE_FILE")
    if closing:
        pathlib.Path(closing).write_text(line + "\n", encoding="ascii")
    else:
        print(line)
    return 1 if count["failed"] or not count["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
