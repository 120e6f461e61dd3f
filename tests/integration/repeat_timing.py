"""A plugin of pytest: a test marked `timing` that fails by what it measured runs once more, as a slow moment of the machine is
no verdict. The report, and the tally behind it, say so. What fails at a program's end (an exit status, a sanitizer's report) is
no slow moment and has one try, as any other test."""

import pytest
import servers
from _pytest.runner import runtestprotocol


def by_its_measure(reports):
    """The line of the one failure that may be a slow moment; None if there is none, or another."""
    failed = [report for report in reports if report.failed]
    if len(failed) != 1 or failed[0].when != "call" or servers.SANITIZER_REPORT.search(str(failed[0].longrepr)):
        return None
    crash = getattr(failed[0].longrepr, "reprcrash", None)
    return (crash.message if crash else str(failed[0].longrepr)).splitlines()[0]


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
