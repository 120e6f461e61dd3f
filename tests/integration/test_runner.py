"""What the runner makes of a failure: only a wall-clock claim gets a second try, and the tally says so."""

import os
import subprocess
import sys

import pytest
import servers

TESTS = servers.ROOT / "tests"
# Not that of the run which this is a part of: its closing line, its lanes.
ENVIRONMENT = {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(TESTS / "integration")}

SUITE = """
import pathlib
import pytest

TRIES = pathlib.Path(__file__).with_name("tries")

@pytest.fixture
def fresh():
    yield []
    assert not {dies}, "exited with 66"

{mark}
def test_shaky(fresh):
    assert not fresh, "a fixture of the first try"
    fresh.append(1)
    with TRIES.open("a") as file:
        file.write("x")
    took = 9.5 if TRIES.stat().st_size <= {failing} else 0.5
    {fails}

def test_steady():
    pass
"""


@pytest.fixture
def run(tmp_path):
    """run(mark of test_shaky, how often it is slow at first, how it fails then, whether its fixture fails at the end): (how often
    it ran, the tally)"""

    def run(mark, failing, fails="assert took < 1.5", dies=False):
        (tmp_path / "test_suite.py").write_text(SUITE.format(mark=mark, failing=failing, fails=fails, dies=dies))
        (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    timing: wall-clock\n")
        results = tmp_path / "results"
        subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "repeat_timing",
                        "--junitxml", results / "integration.xml"], cwd=tmp_path, env=ENVIRONMENT, check=False,
                       timeout=servers.HANG_GUARD_S, stdout=subprocess.DEVNULL)
        tally = subprocess.run([sys.executable, TESTS / "tally.py", results], env=ENVIRONMENT, check=False,
                               timeout=servers.HANG_GUARD_S, capture_output=True, text=True)
        return (tmp_path / "tries").stat().st_size, tally.stdout.splitlines()

    return run


@pytest.mark.parametrize("mark, failing, tries, said, closing", [
    pytest.param("@pytest.mark.timing", 0, 1, [], "2 passed, 0 failed, 0 skipped", id="a timing test that passes runs once"),
    pytest.param("@pytest.mark.timing", 1, 2, ["repeated"], "2 passed, 0 failed, 0 skipped",
                 id="a timing test that fails once is repeated, and named"),
    pytest.param("@pytest.mark.timing", 2, 2, ["repeated", "failed"], "1 passed, 1 failed, 0 skipped",
                 id="a timing test that fails twice has failed"),
    pytest.param("", 1, 1, ["failed"], "1 passed, 1 failed, 0 skipped", id="any other test has one try"),
])
def test_only_a_timing_test_is_repeated_and_only_once(run, mark, failing, tries, said, closing):
    ran, tally = run(mark, failing)
    assert ran == tries
    assert [line.split(":")[0] for line in tally[:-1]] == said
    assert all("test_shaky" in line and "assert 9.5 < 1.5" in line for line in tally[:-1])
    assert tally[-1] == closing


@pytest.mark.parametrize("failing, fails, dies", [
    pytest.param(0, "pass", True, id="a program that does not end well"),
    pytest.param(1, "assert took < 1.5", True, id="a program that does not end well after a slow moment"),
    pytest.param(1, "assert took == 0.5", False, id="a wrong value"),
    pytest.param(1, "assert took < 1.5 or 'not within 120 s' == ''", False, id="more than a measure"),
])
def test_a_timing_test_is_not_repeated_after(run, failing, fails, dies):
    ran, tally = run("@pytest.mark.timing", failing, fails, dies)
    assert ran == 1
    assert "repeated" not in "".join(tally)
    assert " 0 failed" not in tally[-1]
