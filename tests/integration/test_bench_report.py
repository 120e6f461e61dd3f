"""What scripts/bench compare drain makes of its figures. No servers."""

import pathlib
import re
import sys
import types
import xml.etree.ElementTree as ElementTree

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "bench"))

import bars  # noqa: E402
import compare  # noqa: E402
import main  # noqa: E402
import peers  # noqa: E402
import standings  # noqa: E402

NAMES = {"bound": "the bound", "node": "Node", "ours-2": "two", "copies": "two, copies"}


def drain(rate, redis=10.0, wrong=(), record=None):
    return {"rate": rate, "cpu": {"worker": 5.0, "broker": 15.0, "redis": redis}, "others": 0.01,
            "memory": {"record": record} if record else {}, "wrong": list(wrong)}


def rows_of(drains, not_run=None, names=None):
    return standings.summary(names or NAMES, drains, not_run or {})


def row_of(rows, slug):
    return standings.find(rows, slug)


@pytest.mark.parametrize("rates, median", [
    pytest.param([5.0], 5.0, id="one round is its own median"),
    pytest.param([1.0, 900.0, 3.0], 3.0, id="one stalled round does not move it"),
    pytest.param([4.0, 2.0], 3.0, id="of two it is the middle"),
])
def test_a_row_has_the_medians_of_its_rounds(rates, median):
    row = row_of(rows_of({"node": [drain(rate, redis=rate * 2) for rate in rates]}), "node")
    assert row["rate"] == median
    assert row["cpu"]["redis"] == median * 2


def test_a_figure_that_no_round_has_is_none_and_one_that_some_have_is_their_median():
    told = standings.medians([{"rate": 1, "cpu": {}, "memory": {"entry": None, "record": 40}},
                              {"rate": 3, "cpu": {"worker": 7}, "memory": {"entry": None, "record": 60}}])
    assert told == {"rate": 2, "cpu": {"worker": 7}, "memory": {"entry": None, "record": 50}}


@pytest.mark.parametrize("drains, of_node, of_bound", [
    pytest.param({"bound": [drain(100.0)], "node": [drain(20.0)], "ours-2": [drain(50.0)]}, 2.5, 0.5,
                 id="to the Node worker and to the bound"),
    pytest.param({"bound": [drain(100.0)], "ours-2": [drain(50.0)]}, None, 0.5, id="to nothing that did not run"),
    pytest.param({"bound": [drain(100.0)], "node": [drain(20.0, wrong=["x"])], "ours-2": [drain(50.0)]}, None, 0.5,
                 id="to nothing that counted wrong"),
    pytest.param({"bound": [drain(100.0)], "node": [drain(20.0)], "ours-2": [drain(50.0), drain(50.0, wrong=["x"])]},
                 None, None, id="not at all when one round counted wrong"),
])
def test_a_ratio_is_made(drains, of_node, of_bound):
    assert row_of(rows_of(drains), "ours-2")["of"] == {"node": of_node, "bound": of_bound}


@pytest.mark.parametrize("found, sentences", [
    pytest.param({"messages": 10, "success": 9}, [], id="right"),
    pytest.param({"messages": 11, "success": 9}, ["messages is 11 instead of 10"], id="one too many"),
    pytest.param({"messages": 0, "success": 0}, ["messages is 0 instead of 10", "success is 0 instead of 9"],
                 id="nothing counted"),
])
def test_sums_that_a_contender_keeps_are_compared(found, sentences):
    assert standings.differences({"messages": 10, "success": 9, "opt_out": 2}, found) == sentences


def test_what_must_be_counted_follows_from_what_was_filled():
    filled = {"events": 20, "sums": {"messages": 10, "success": 9, "opt_out": 1},
              "campaigns": {"a": {"success": 4, "failure": 1}, "b": {"success": 5, "failure": 0}}}
    assert compare.expected_sums(filled) == {
        "messages": 10, "success": 9, "opt_out": 1, "copies": 10, "phones listed": 1, "success of a": 4, "failure of a": 1,
        "success of b": 5, "failure of b": 0}


def test_the_table_tells_figures_and_ratios_and_why_one_did_not_run_and_what_is_wrong():
    rows = rows_of({"bound": [drain(80000.0)], "ours-2": [drain(40000.0, redis=20.0, record=61.4)] * 3,
                    "copies": [drain(30000.0, redis=22.0)]}, {"node": "npm is not installed"})
    lines = standings.table(rows).splitlines()
    by_name = {name: next(line for line in lines if line.startswith(f"{name} ")) for name in ("the bound", "Node", "two")}
    assert by_name["two"].split() == ["two", "40,000", "40,000", "to", "40,000", "0.50", "5.0", "15.0", "20.0", "40.0", "right"]
    assert by_name["the bound"].split()[2:5] == ["80,000", "once", "1.00"]
    assert by_name["Node"].endswith("not run: npm is not installed")
    assert "two, copies: 0.75 × the events a second and 1.10 × Redis's CPU an event of two" in lines
    assert "two: bytes in Redis: dc:drops:* a drop 61" in lines
    wrong = standings.table(rows_of({"node": [drain(1.0, wrong=["success is 3 instead of 9"])]}, names={"node": "Node"}))
    wrong = wrong.splitlines()
    assert any(line.startswith("Node ") and line.endswith("WRONG") for line in wrong)
    assert "WRONG: Node: success is 3 instead of 9" in wrong


def test_a_clock_is_read_between_two_looks_at_it():
    samples = [(10.0, {"worker": 1.0}), (12.0, {"worker": 2.0}), (14.0, {"worker": 6.0})]
    for begin, end, used in ((10.0, 14.0, 5.0), (11.0, 13.0, 2.5), (12.0, 12.0, 0.0), (9.0, 20.0, 5.0), (13.0, 14.0, 2.0)):
        assert compare.between(samples, begin, end) == {"worker": used}


def test_each_round_has_every_contender_once_and_no_two_begin_with_the_same():
    slugs = list(compare.CONTENDERS)
    orders = [compare.order(slugs, turn) for turn in range(3)]
    assert all(sorted(order) == sorted(slugs) for order in orders)
    assert len({order[0] for order in orders}) == 3


@pytest.mark.parametrize("output, why", [
    pytest.param("npm error code EAI_AGAIN\nnpm error request failed\n", "npm ci failed: EAI_AGAIN;", id="by a newer npm"),
    pytest.param("npm ERR! code E404\nnpm ERR! 404 Not Found\n", "npm ci failed: E404;", id="by an older npm"),
    pytest.param("killed\n", "npm ci failed;", id="without a code"),
])
def test_a_failed_installation_is_told(output, why):
    assert peers.why_npm_failed(output).startswith(why)


# ---- the chart ----

SVG = "{http://www.w3.org/2000/svg}"


def drawn(rows):
    return ElementTree.fromstring(bars.chart("Events & drains", "medians < of 3", rows))


def bars_of(root):
    return [bar for bar in root.iter(f"{SVG}rect") if bar.get("class") in ("bar", "other")]


def test_a_bar_is_as_long_as_its_figure_and_lies_within_the_chart():
    root = drawn([("one", 200.0, "200", True), ("two", 50.0, "50", False), ("three", None, "not run", True)])
    widths = [float(bar.get("width")) for bar in bars_of(root)]
    assert len(widths) == 2
    assert widths[0] == pytest.approx(4 * widths[1], rel=0.01)
    assert all(float(bar.get("x")) + float(bar.get("width")) < float(root.get("width")) for bar in bars_of(root))
    assert [bar.get("class") for bar in bars_of(root)] == ["bar", "other"]


def test_every_name_and_label_is_in_the_chart_as_text():
    root = drawn([("<one> & only", 200.0, "200 (1.5 ×)", True), ("two", None, "WRONG", True)])
    texts = [text.text for text in root.iter(f"{SVG}text")]
    assert {"Events & drains", "medians < of 3", "<one> & only", "200 (1.5 ×)", "two", "WRONG"} <= set(texts)


def test_text_and_ground_differ_in_light_and_in_dark():
    style = next(drawn([]).iter(f"{SVG}style")).text
    light, dark = style.split("@media (prefers-color-scheme: dark)")
    for scheme in (light, dark):
        brightness = {name: sum(bytes.fromhex(fill)) / 3 for name, fill in re.findall(r"(\.?\w+) \{ fill: #(\w{6})", scheme)}
        ground = brightness.pop(".ground")
        assert set(brightness) == {"text", ".faint", ".bar", ".other"}
        assert all(abs(ground - of_name) > 80 for of_name in brightness.values()), brightness


def test_the_chart_has_a_bar_only_for_what_ran_and_counted_right():
    rows = rows_of({"bound": [drain(8.0)], "ours-2": [drain(4.0)], "copies": [drain(1.0, wrong=["x"])]}, {"node": "no npm"})
    assert [(value, label, ours) for _, value, label, ours in standings.chart_rows(rows)] == [
        (8.0, "8", False), (None, "not run", False), (4.0, "4", True), (None, "WRONG", True)]


# ---- the command ----


@pytest.mark.parametrize("wrong, status", [([], 0), (["success is 3 instead of 9"], 1)], ids=["right", "wrong"])
def test_a_wrong_sum_is_the_exit_status(monkeypatch, tmp_path, capsys, wrong, status):
    monkeypatch.setattr(compare, "measure", lambda *_: rows_of({"ours-2": [drain(4.0, wrong=wrong)]}, names={"ours-2": "two"}))
    arguments = types.SimpleNamespace(quick=True, rounds=None, events=None, build=tmp_path, only=["ours-2"],
                                      svg=tmp_path / "chart.svg")
    told, found = main.measure_drains(arguments, tmp_path)
    assert found == status
    assert [row["wrong"] for row in told["rows"]] == [wrong]
    assert ("WRONG" in arguments.svg.read_text()) == ("WRONG: two" in capsys.readouterr().out) == bool(wrong)


@pytest.mark.parametrize("arguments, said", [
    pytest.param(["--events", "1001"], "even", id="events that have no halves"),
    pytest.param(["--events", "10"], "1,000 to", id="too few events"),
    pytest.param(["--rounds", "0"], "1 to 100", id="no round"),
    pytest.param(["--only", "node,nobody"], "nobody: not one of bound, node", id="a contender that there is not"),
])
def test_the_command_refuses(monkeypatch, capsys, arguments, said):
    monkeypatch.setattr(sys, "argv", ["bench", "--build", "b", "--out", "o", "compare", "drain", *arguments])
    with pytest.raises(SystemExit) as ended:
        main.read_arguments()
    assert ended.value.code == 2
    assert said in capsys.readouterr().err
