"""scripts/bench compare ingest, small: what it takes in is checked, and its report says so."""

import json
import re
import sys

import pytest
import servers

HERE = servers.ROOT / "tests" / "bench"
CONTENDERS = ["broker", "http", "fastify", "ours", "ours-tls", "ours-spool"]
sys.path.insert(0, str(HERE))

import calls  # noqa: E402
import machine  # noqa: E402
import stages  # noqa: E402
import standings  # noqa: E402


def test_a_quick_comparison_checks_the_answers_and_the_queue(tmp_path):
    # A contender that is not installed is told: a test fetches nothing.
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text("#!/bin/sh\necho 'npm error code NOT_IN_A_TEST'\nexit 1\n")
    npm.chmod(0o755)
    environment = servers.clean_environment()
    environment["PATH"] = f"{npm.parent}:{environment['PATH']}"
    chart, figures = tmp_path / "chart.svg", tmp_path / "figures.json"
    bench = servers.Child([sys.executable, "-B", HERE / "main.py", "--build", servers.BUILD, "--out", tmp_path / "out", "compare",
                           "ingest", "--quick", "--only", ",".join(CONTENDERS), "--json", figures, "--svg", chart],
                          tmp_path, "bench", environment)
    try:
        assert bench.wait_exit() == 0, bench.stdout + bench.stderr
    finally:
        bench.kill()
    report = json.loads(figures.read_text())
    rows = {row["slug"]: row for row in report["rows"]}
    assert list(rows) == CONTENDERS
    why = rows["fastify"]["not_run"]
    assert why is None or "NOT_IN_A_TEST" in why or why == "node is not installed", why
    ran = [slug for slug in CONTENDERS if not rows[slug]["not_run"]]
    for slug in ran:
        row = rows[slug]
        assert row["wrong"] == [] and row["rate"] > 0 and row["of_bound"] > 0 and row["p99_ms"] >= row["p50_ms"]
        assert row["cpu"]["server"] > 0
    assert rows["ours"]["switches"] > 0 and rows["ours"]["cpu"]["broker"] > 0
    assert [set(told[0]) for told in report["latencies"].values()] == [{"publisher", "ours"}]
    assert bench.stdout.count("  right\n") == len(ran) and "The bound, 1 / (1/H + 1/P): " in bench.stdout
    assert chart.read_text().count("<rect") == 1 + len(ran)
    for slug in ("http", "ours", "ours-tls", "ours-spool"):
        counted = rows[slug]["calls"]
        assert counted.get("why") or (counted["names"]["futex"] > 0 and 3 < sum(counted["names"].values()) < 100), counted
    for slug in ("ours", "ours-tls"):
        told = rows[slug]["memory"]
        assert [(one["connections"], one["open"], one["unanswered"]) for one in told] == [(0, 0, 0), (20, 20, 0), (50, 50, 0)]
        assert all(0 < one["now"] <= one["most"] for one in told)
    shares = rows["ours"]["stages"]
    assert not shares or sum(shares.values()) == pytest.approx(1)
    assert bench.stdout.count("\nSystem calls an event of dropbridge") == 3 and "\nMemory; each connection" in bench.stdout


def turn(rate, wrong=()):
    return {"rate": rate, "p50_ms": 1.0, "p99_ms": 9.0, "switches": 2.0, "others": 0.0, "wrong": list(wrong),
            "cpu": {"server": 40.0, "broker": 30.0, "load": 10.0}}


@pytest.mark.parametrize("turns, of_bound", [
    pytest.param({"broker": [turn(40.0)], "http": [turn(40.0)], "ours": [turn(10.0), turn(20.0), turn(90.0)]}, 1.0,
                 id="the median beside what the medians of both halves leave"),
    pytest.param({"broker": [turn(60.0)], "http": [turn(30.0)], "ours": [turn(10.0)]}, 0.5, id="unequal halves"),
    pytest.param({"broker": [turn(40.0)], "ours": [turn(10.0)]}, None, id="nothing beside one half"),
    pytest.param({"broker": [turn(40.0)], "http": [turn(40.0, ["x"])], "ours": [turn(10.0)]}, None,
                 id="nothing beside a half that was wrong"),
    pytest.param({"broker": [turn(40.0)], "http": [turn(40.0)], "ours": [turn(10.0, ["x"])]}, None,
                 id="nothing for one that was wrong"),
])
def test_a_rate_is_told_as_a_part_of_the_bound(turns, of_bound):
    rows = standings.ingest_summary({slug: slug for slug in ("broker", "http", "ours")}, turns, {})
    assert standings.find(rows, "ours")["of_bound"] == pytest.approx(of_bound)


# ---- system calls, stages, memory: what others print is read ----

PERF = """\
# started on Tue Dec  1 12:00:00 2026

{all},,raw_syscalls:sys_enter,4000,100.00,,
21550,,syscalls:sys_enter_futex,4000,100.00,,
0,,syscalls:sys_enter_epoll_wait,4000,100.00,,
50,,syscalls:sys_enter_close,4000,100.00,,
"""
STRACE = """\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 83.02   12.345678        1234     10003       456 futex
 16.98    0.004321           4      1001           recvfrom
------ ----------- ----------- --------- --------- ----------------
100.00   12.349999        1122     11004       456 total
"""
TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1
   1: 0100007F:1F90 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 2
   1: 0100007F:1F90 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 2
   2: 0100007F:C001 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 3
   3: 0100007F:1F90 0100007F:C002 08 00000000:00000000 00:00000000 00000000     0        0 4
"""


def test_the_calls_that_perf_counted_are_read_and_those_without_a_row_are_others():
    assert calls.of_perf(PERF.format(all=22000)) == {"futex": 21550, "close": 50, "others": 400}
    with pytest.raises(calls.NotCounted):
        calls.of_perf(PERF.format(all="<not counted>"))


def test_the_calls_that_strace_counted_are_read_without_its_total():
    assert calls.of_strace(STRACE) == {"futex": 10003, "recvfrom": 1001}


def test_what_neither_counts_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(calls.shutil, "which", lambda name: None)
    with pytest.raises(calls.NotCounted, match="perf is not installed; strace is not installed"):
        calls.count([1], tmp_path / "calls", lambda: pytest.fail("it counts nothing"))


def test_connections_are_counted_at_the_end_that_listens_while_both_hold_them():
    assert [machine.established_in(TCP, port) for port in (8080, 49153, 1)] == [1, 1, 0]


CIVETWEB = ("[unknown]", "libcivetweb.so.1.15.0")


@pytest.mark.parametrize("frames, stage", [
    pytest.param([("__x64_sys_futex", "k"), ("message_wait", "b"), ("ingest_accept", "b"), ("exchange_serve", "b"), CIVETWEB],
                 "sleeps until it is confirmed", id="the innermost of our functions"),
    pytest.param([("do_sys_poll", "k"), ("body_read", "b"), ("exchange_serve", "b"), CIVETWEB], "reads the body",
                 id="a poll of ours is no waiting for a request"),
    pytest.param([("do_sys_poll", "k"), CIVETWEB, ("clone3", "libc.so.6")], stages.WAITS, id="civetweb that polls"),
    pytest.param([("__strtol", "libc.so.6"), CIVETWEB], stages.READS, id="civetweb that does not"),
    pytest.param([("clone3", "libc.so.6")], stages.REST, id="nobody that we know"),
])
def test_a_sample_is_given_to_a_stage(frames, stage):
    assert stages.stage_of(frames) == stage


def test_samples_become_shares():
    samples = ["\n\tffffffff8145 do_futex ([kernel.kallsyms])\n\t 1466c message_wait (/b/dropbridge)\n",
               "\n\t 9 write_answer (/b/dropbridge)\n", "\n\t 9 write_answer (/b/dropbridge)\n", "\n\t f [unknown] ([unknown])\n"]
    assert stages.shares("\n".join(samples)) == {"sleeps until it is confirmed": 0.25, "writes the answer": 0.5, "the rest": 0.25}
    assert stages.shares("") == {}


def test_the_functions_that_make_a_stage_are_those_of_the_bridge():
    source = "".join(path.read_text() for folder in ("bridge", "common") for path in sorted((servers.ROOT / folder).rglob("*.c")))
    assert [name for name in stages.STAGE_OF if not re.search(rf"^\w.*\b{name}\(", source, re.M)] == []


@pytest.mark.parametrize("row, lines", [
    pytest.param({"calls": {"by": "perf", "names": {"read": 1.0, "futex": 2.5, "close": 0.001}}},
                 ["System calls an event of x, by perf: futex 2.50, read 1.00"], id="calls, the most frequent first"),
    pytest.param({"calls": {"why": "no rights"}}, ["System calls an event of x: not counted: no rights"], id="calls not counted"),
    pytest.param({"stages": {"waits": 0.75, "reads": 0.25}, "cpu": {"server": 40.0}},
                 ["", "CPU of an event in x, by stage µs %", "waits 30.0 75", "reads 10.0 25"], id="stages as parts of an event"),
    pytest.param({"memory": [{"connections": 5000, "open": 2000, "unanswered": 3, "now": 2**20, "most": 2**21}]},
                 ["x 5,000 2,000 1.0 2.0 3 events not answered 200"], id="memory, and what went wrong"),
    pytest.param({"calls": None, "memory": None, "stages": None}, [], id="nothing"),
])
def test_what_was_measured_once_is_told_in_lines(row, lines):
    row = {"name": "x", **row}
    told = [line for part in (standings.calls_lines, standings.stage_lines, standings.memory_lines) for line in part(row)]
    assert [" ".join(line.split()) for line in told] == lines
