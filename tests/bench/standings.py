"""What several rounds of a comparison come to: medians, ratios, a table. Pure.

A drain is {"rate": events a second, "cpu": {"worker", "broker", "redis": µs an event}, "others": share of the machine that
others had, "memory": {"record", "lookup", "entry": bytes}, "wrong": [sentences]}."""

import statistics

BOUND, PEER = "bound", "node"
BESIDE = {"copies": "ours-2", "bare-copies": "bare-2", "many-known": "few-known"}
CPU = ("worker", "broker", "redis")
MEMORY = {"record": "dc:drops:* a drop", "lookup": "a lookup", "entry": "a stream entry"}
HEAD = ("", "events/s", "least to most", "of Node", "of bound", "worker", "broker", "Redis", "all", "sums")
LINE = "{:<62} {:>9} {:>18} {:>8} {:>8} {:>7} {:>7} {:>6} {:>6}  {}"


def differences(expected, found):
    """One sentence for each figure that a contender keeps and that is not the one expected. Both are {name: number}."""
    return [f"{name} is {value} instead of {expected[name]}" for name, value in found.items() if value != expected[name]]


def medians(drains):
    """The median of each figure that any of the drains has."""
    def median(figures):
        present = [figure for figure in figures if figure is not None]
        return statistics.median(present) if present else None

    told = {"rate": median(drain["rate"] for drain in drains)}
    for kind in ("cpu", "memory"):
        names = dict.fromkeys(name for drain in drains for name in drain[kind])
        told[kind] = {name: median(drain[kind].get(name) for drain in drains) for name in names}
    return told


def summary(contenders, drains, not_run):
    """A row for each of `contenders` ({slug: name}), from `drains` ({slug: [drain]}) and `not_run` ({slug: why})."""
    rows = []
    for slug, name in contenders.items():
        row = {"slug": slug, "name": name, "not_run": not_run.get(slug), "drains": drains.get(slug, [])}
        if row["drains"]:
            row |= medians(row["drains"])
        row["wrong"] = [sentence for drain in row["drains"] for sentence in drain["wrong"]]
        rows.append(row)
    for row in rows:
        row["of"] = {other: ratio(row, find(rows, other), "rate") for other in (PEER, BOUND)}
    return rows


def find(rows, slug):
    return next((row for row in rows if row["slug"] == slug), None)


def measured(row):
    """Whether its figures may be compared: it ran, and counted right."""
    return row is not None and bool(row["drains"]) and not row["wrong"]


def ratio(row, other, *path):
    """Of a figure of one row to that of another; None where either has none."""
    if not (measured(row) and measured(other)):
        return None
    for name in path:
        row, other = row[name], other[name]
    return row / other if other else None


def shown(value, digits=0):
    return "" if value is None else f"{value:,.{digits}f}"


def line(row):
    if row["not_run"]:
        return f"{row['name']:<62} not run: {row['not_run']}"
    rates = [drain["rate"] for drain in row["drains"]]
    spread = f"{min(rates):,.0f} to {max(rates):,.0f}" if len(rates) > 1 else "once"
    cpu = [row["cpu"].get(name) for name in CPU]
    sums = "none kept" if row["slug"] == BOUND else "WRONG" if row["wrong"] else "right"
    return LINE.format(row["name"], shown(row["rate"]), spread, shown(row["of"][PEER], 2), shown(row["of"][BOUND], 2),
                       *(shown(value, 1) for value in cpu), shown(sum(filter(None, cpu)), 1), sums)


def table(rows):
    lines = [f"{'':<112} CPU, µs an event", LINE.format(*HEAD), *map(line, rows), ""]
    lines += [f"WRONG: {row['name']}: {sentence}" for row in rows for sentence in row["wrong"]]
    for slug, without in BESIDE.items():
        row, other = find(rows, slug), find(rows, without)
        rate, cpu = ratio(row, other, "rate"), ratio(row, other, "cpu", "redis")
        if rate and cpu:
            lines.append(f"{row['name']}: {rate:.2f} × the events a second and {cpu:.2f} × Redis's CPU an event of "
                         f"{other['name']}")
    for row in rows:
        told = [f"{MEMORY[name]} {value:.0f}" for name, value in row.get("memory", {}).items() if value is not None]
        if told:
            lines.append(f"{row['name']}: bytes in Redis: {', '.join(told)}")
    return "\n".join(lines)


def chart_rows(rows):
    """For bars.chart."""
    told = []
    for row in rows:
        ours = row["slug"] not in (BOUND, PEER)
        if not measured(row):
            told.append((row["name"], None, "not run" if row["not_run"] else "WRONG", ours))
            continue
        times = row["of"][PEER]
        told.append((row["name"], row["rate"], f"{row['rate']:,.0f}" + (f"  ({times:.2f} ×)" if times else ""), ours))
    return told


# ---- ingest ----

PUBLISH, HTTP = "broker", "http"
INGEST_CPU = ("server", "broker", "load")
INGEST_HEAD = ("", "events/s", "least to most", "of bound", "p50 ms", "p99 ms", "server", "broker", "load", "switches", "calls", "checks")
INGEST_LINE = "{:<44} {:>9} {:>18} {:>8} {:>8} {:>8} {:>7} {:>7} {:>6} {:>8} {:>6}  {}"
STAGE_LINE = "{:<44} {:>6} {:>4}"
MEMORY_LINE = "{:<44} {:>11} {:>11} {:>9} {:>9}  {}"
MEMORY_HEAD = ("Memory; each connection has sent one event", "connections", "still open", "MiB", "at most", "")


def ingest_summary(contenders, turns, not_run):
    """As summary; "of_bound" is the ratio to 1 / (1/H + 1/P), the medians of what one broker and one HTTP server can do."""
    rows = []
    for slug, name in contenders.items():
        row = {"slug": slug, "name": name, "not_run": not_run.get(slug), "drains": turns.get(slug, []), "of_bound": None}
        row["wrong"] = [sentence for turn in row["drains"] for sentence in turn["wrong"]]
        if row["drains"]:
            for figure in ("rate", "p50_ms", "p99_ms", "switches"):
                row[figure] = median_of(turn[figure] for turn in row["drains"])
            row["cpu"] = {kind: median_of(turn["cpu"][kind] for turn in row["drains"]) for kind in INGEST_CPU}
        rows.append(row)
    bound = bound_of(rows)
    for row in rows:
        if bound and measured(row):
            row["of_bound"] = row["rate"] / bound
    return rows


def median_of(figures):
    present = [figure for figure in figures if figure is not None]
    return statistics.median(present) if present else None


def bound_of(rows):
    halves = [find(rows, slug) for slug in (PUBLISH, HTTP)]
    return 1 / sum(1 / row["rate"] for row in halves) if all(map(measured, halves)) else None


def calls_of(row):
    """System calls an event; None when they were not counted."""
    names = (row.get("calls") or {}).get("names")
    return sum(names.values()) if names else None


def calls_lines(row):
    counted = row.get("calls")
    if not counted:
        return []
    if "why" in counted:
        return [f"System calls an event of {row['name']}: not counted: {counted['why']}"]
    most_first = sorted(counted["names"].items(), key=lambda one: -one[1])
    named = ", ".join(f"{name} {count:.2f}" for name, count in most_first if count >= 0.005)
    return [f"System calls an event of {row['name']}, by {counted['by']}: {named}"]


def stage_lines(row):
    """Of one event's CPU time, as the plain rounds have it."""
    if not row.get("stages"):
        return []
    whole = row["cpu"]["server"]
    return ["", STAGE_LINE.format(f"CPU of an event in {row['name']}, by stage", "µs", "%"),
            *(STAGE_LINE.format(stage, shown(share * whole, 1), shown(share * 100)) for stage, share in row["stages"].items())]


def memory_lines(row):
    return [MEMORY_LINE.format(row["name"], shown(told["connections"]), shown(told["open"]), shown(told["now"] / 2**20, 1),
                               shown(told["most"] / 2**20, 1),
                               f"{told['unanswered']} events not answered 200" if told["unanswered"] else "").rstrip()
            for told in row.get("memory") or ()]


def ingest_line(row):
    if row["not_run"]:
        return f"{row['name']:<44} not run: {row['not_run']}"
    rates = [turn["rate"] for turn in row["drains"]]
    spread = f"{min(rates):,.0f} to {max(rates):,.0f}" if len(rates) > 1 else "once"
    return INGEST_LINE.format(row["name"], shown(row["rate"]), spread, shown(row["of_bound"], 2), shown(row["p50_ms"], 1),
                              shown(row["p99_ms"], 1), *(shown(row["cpu"][kind], 1) for kind in INGEST_CPU),
                              shown(row["switches"], 1), shown(calls_of(row), 1), "WRONG" if row["wrong"] else "right")


def ingest_table(rows, latencies):
    lines = [f"{'':<100} CPU, µs an event", INGEST_LINE.format(*INGEST_HEAD), *map(ingest_line, rows)]
    lines += [f"WRONG: {row['name']}: {sentence}" for row in rows for sentence in row["wrong"]]
    bound = bound_of(rows)
    if bound:
        lines.append(f"The bound, 1 / (1/H + 1/P): {bound:,.0f} a second")
    for rate, told in latencies.items():
        ours, alone = (statistics.median(one[name]["p99"] for one in told) for name in ("ours", "publisher"))
        lines.append(f"At {rate:,} a second, from when each was due: p99 {ours:.1f} ms, {ours / alone:.2f} × that of a bare "
                     f"publisher ({alone:.1f} ms)")
    lines += [line for row in rows if row["slug"].startswith("ours") for line in calls_lines(row)]
    lines += [line for row in rows for line in stage_lines(row)]
    memory = [line for row in rows for line in memory_lines(row)]
    if memory:
        lines += ["", MEMORY_LINE.format(*MEMORY_HEAD).rstrip(), *memory]
    return "\n".join(lines)


def ingest_chart_rows(rows):
    """For bars.chart."""
    told = []
    for row in rows:
        ours = row["slug"].startswith("ours")
        if not measured(row):
            told.append((row["name"], None, "not run" if row["not_run"] else "WRONG", ours))
            continue
        told.append((row["name"], row["rate"],
                     f"{row['rate']:,.0f}" + (f"  ({row['of_bound']:.2f} of the bound)" if row["of_bound"] else ""), ours))
    return told
