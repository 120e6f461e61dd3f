"""What of a failed run is looked at again (tests/second_look.py), and what the tally says of it."""

import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ElementTree

import pytest
import servers

pytestmark = pytest.mark.one_thread

TESTS = servers.ROOT / "tests"
# Not that of the run which this is a part of: its closing line, its lanes.
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}
LATE = "AssertionError: not within 20 s: (200, 'ready')\n  more"

SUITE = """
import pathlib

def test_steady():
    pass

def test_shaky():
    tries = pathlib.Path({tries!r})
    with tries.open("a") as file:
        file.write("x")
    assert tries.stat().st_size <= {passes}
"""


def failure(message, text="", tag="failure"):
    found = ElementTree.Element(tag, message=message)
    found.text = text
    return found


@pytest.fixture
def run(tmp_path):
    """run(failures of test_shaky, how often it passes when looked at again): (times that it ran again, the tally)"""

    def run(*found, passes=99, cases=1):
        tries = tmp_path / "tries"
        tries.touch()
        (tmp_path / "test_suite.py").write_text(SUITE.format(tries=str(tries), passes=passes))
        suite = ElementTree.Element("testsuite")
        ElementTree.SubElement(suite, "testcase", classname="test_suite", name="test_steady")
        for _ in range(cases):
            case = ElementTree.SubElement(suite, "testcase", classname="test_suite", name="test_shaky")
            case.extend(found)
        results = tmp_path / "results"
        results.mkdir()
        ElementTree.ElementTree(suite).write(results / "integration.xml")
        subprocess.run([sys.executable, TESTS / "second_look.py", results / "integration.xml", sys.executable, "-m", "pytest", "-q",
                        "-p", "no:cacheprovider"], cwd=tmp_path, env=ENVIRONMENT, check=True, timeout=120, stdout=subprocess.DEVNULL)
        tally = subprocess.run([sys.executable, TESTS / "tally.py", results], env=ENVIRONMENT, check=False, timeout=30,
                               capture_output=True, text=True)
        return pathlib.Path(tries).stat().st_size, tally.stdout.splitlines()

    return run


def test_a_missed_deadline_is_looked_at_three_times_and_called_unsteady(run):
    tries, tally = run(failure(LATE))
    assert tries == 3
    assert tally == ["unsteady: integration: test_suite test_shaky: AssertionError: not within 20 s: (200, 'ready')",
                     "2 passed, 0 failed, 0 skipped"]


@pytest.mark.parametrize("passes", [0, 1, 2])
def test_one_that_fails_again_has_failed(run, passes):
    tries, tally = run(failure(LATE), passes=passes)
    assert tries == passes + 1
    assert tally[-1] == "1 passed, 1 failed, 0 skipped"


@pytest.mark.parametrize("found", [
    pytest.param([failure("AssertionError: assert 99 == 100")], id="a wrong sum"),
    pytest.param([failure(LATE, "WARNING: ThreadSanitizer: data race")], id="a sanitizer's report in what was printed"),
    pytest.param([failure("failed on teardown", "", "error")], id="an error of a fixture"),
    pytest.param([failure(LATE), failure(LATE, "", "error")], id="an error of a fixture besides"),
])
def test_what_failed_by_what_it_saw_is_not_looked_at_again(run, found):
    tries, tally = run(*found)
    assert tries == 0
    assert tally[-1] == "1 passed, 1 failed, 0 skipped"


def test_many_missed_deadlines_are_a_failure(run):
    tries, tally = run(failure(LATE), cases=4)
    assert tries == 0
    assert tally[-1] == "1 passed, 4 failed, 0 skipped"
