"""scripts/bench compare drain, small: what it drains is counted right, and its report says so."""

import json
import sys

import servers

HERE = servers.ROOT / "tests" / "bench"
CONTENDERS = ["bound", "node", "ours-2", "bare-2", "copies", "bare-copies"]


def test_a_quick_comparison_counts_right_and_tells_it_in_figures_and_a_chart(tmp_path):
    # The Node worker takes part where it is installed already: a test fetches nothing.
    npm = tmp_path / "bin" / "npm"
    npm.parent.mkdir()
    npm.write_text("#!/bin/sh\necho 'npm error code NOT_IN_A_TEST'\nexit 1\n")
    npm.chmod(0o755)
    environment = servers.clean_environment()
    environment["PATH"] = f"{npm.parent}:{environment['PATH']}"
    chart, figures = tmp_path / "chart.svg", tmp_path / "figures.json"
    bench = servers.Child([sys.executable, "-B", HERE / "main.py", "--build", servers.BUILD, "--out", tmp_path / "out", "compare",
                           "drain", "--quick", "--only", ",".join(CONTENDERS), "--json", figures, "--svg", chart],
                          tmp_path, "bench", environment)
    try:
        assert bench.wait_exit() == 0, bench.stdout + bench.stderr
    finally:
        bench.kill()
    report = json.loads(figures.read_text())
    rows = {row["slug"]: row for row in report["rows"]}
    assert list(rows) == CONTENDERS
    why = rows["node"]["not_run"]
    assert why is None or "NOT_IN_A_TEST" in why or why == "node is not installed", why
    ran = [slug for slug in CONTENDERS if not rows[slug]["not_run"]]
    for slug in ran:
        row = rows[slug]
        assert (len(row["drains"]), row["wrong"]) == (1, [])
        assert row["rate"] > 0 and row["of"]["bound"] > 0
        assert 300 < row["drains"][0]["body_bytes"] < 380
        assert row["cpu"]["worker"] > 0 and row["cpu"]["broker"] > 0
    for slug in ("ours-2", "copies"):
        assert all(rows[slug]["memory"][name] > 20 for name in ("record", "lookup", "entry"))
    for slug in ("bare-2", "bare-copies"):
        assert rows[slug]["memory"]["lookup"] is None and rows[slug]["memory"]["entry"] is None
    table = bench.stdout
    assert "WRONG" not in table and table.count(" right\n") == len(ran) - 1 and " none kept\n" in table
    assert table.count("Redis's CPU an event of") == 2
    assert chart.read_text().count("<rect") == 1 + len(ran)
