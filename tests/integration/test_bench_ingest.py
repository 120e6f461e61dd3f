"""scripts/bench compare ingest, small: what it takes in is checked, and its report says so."""

import json
import sys

import pytest
import servers

HERE = servers.ROOT / "tests" / "bench"
CONTENDERS = ["broker", "http", "fastify", "ours", "ours-spool"]
sys.path.insert(0, str(HERE))

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
