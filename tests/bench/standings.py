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
