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
    return []

{mark}
def test_shaky(fresh):
    assert not fresh, "a fixture of the first try"
    fresh.append(1)
    with TRIES.open("a") as file:
        file.write("x")
    assert TRIES.stat().st_size > {failing}, "too slow"

def test_steady():
    pass
"""


@pytest.fixture
def run(tmp_path):
    """run(mark of test_shaky, how often it fails at first): (how often it ran, the tally)"""

    def run(mark, failing):
        (tmp_path / "test_suite.py").write_text(SUITE.format(mark=mark, failing=failing))
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
    assert all("test_shaky" in line and "too slow" in line for line in tally[:-1])
    assert tally[-1] == closing
