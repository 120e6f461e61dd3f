"""What scripts/mutate and the controls of scripts/faults change in copies of the code stands there."""

import sys

import pytest
import servers

sys.path[:0] = [str(servers.ROOT / "tests" / "faults"), str(servers.ROOT / "tests")]

import controls  # noqa: E402
import protections  # noqa: E402
import tree  # noqa: E402
from mutations import MUTATIONS  # noqa: E402


@pytest.mark.parametrize("row", MUTATIONS, ids=lambda row: row.name)
def test_a_mutation_has_one_place(row):
    tree.replaced(row, (servers.ROOT / row.file).read_text())


def test_each_switch_of_the_fault_suite_has_one_place():
    protections.with_switches()


def test_the_controls_take_away_what_has_a_switch_and_each_of_it():
    taken = {control.without for control in controls.CONTROLS} - {"nothing"}
    assert taken == {row.name for row in protections.PROTECTIONS}


def test_a_row_that_does_not_fit_is_named():
    row = protections.Protection("of-yesterday", "bridge/ingest.c", "text that is not there", "")
    with pytest.raises(tree.Unfit, match="of-yesterday no longer fits"):
        protections.with_switches([row])
