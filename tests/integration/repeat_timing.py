"""A plugin of pytest: a test marked `timing` that fails by what it measured (`assert 1.2 < 1.0`) runs once more, as a slow moment
of the machine is no verdict. The report, and the tally behind it, say so. What hangs, what answers otherwise, and what ends
badly has one try, as any other test."""

import re

import pytest
from _pytest.runner import runtestprotocol

MEASURED = re.compile(r"^(AssertionError: )?assert [-+\d.e() ]+ <=? [-+\d.e()]+$", re.M)


def by_its_measure(reports):
    """The line of the one failure that may be a slow moment; None if there is none, or another."""
    failed = [report for report in reports if report.failed]
    crash = getattr(failed[0].longrepr, "reprcrash", None) if len(failed) == 1 and failed[0].when == "call" else None
    return crash.message.splitlines()[0] if crash and MEASURED.search(crash.message) else None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    if item.get_closest_marker("timing") is None:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, nextitem=nextitem, log=False)
    if line := by_its_measure(reports):
        item._initrequest()  # its fixtures are made anew
        item.user_properties.append(("repeated", line))
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True
