"""Measurements of speed. Run by scripts/bench."""

import argparse
import dataclasses
import json
import pathlib
import shutil
import signal
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]
sys.dont_write_bytecode = True

import bars  # noqa: E402
import capacity  # noqa: E402
import compare  # noqa: E402
import ingest  # noqa: E402
import machine  # noqa: E402
import standings  # noqa: E402

OTHERS_LIMIT = 15  # per cent; the kernel's own work and the measuring need a few
EVENTS_MAX = 1000000


def number_of(what, least, most):
    def number(text):
        value = int(text)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{what}: {least:,} to {most:,}")
        return value

    return number


def even_number(text):
    value = number_of("events", 1000, EVENTS_MAX)(text)
    if value % 2:
        raise argparse.ArgumentTypeError("an even number: each drop may have two copies")
    return value


COMPARISONS = {"drain": compare, "ingest": ingest}


def read_arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    commands = parser.add_subparsers(dest="what", required=True)
    one = commands.add_parser("capacity", help="what one machine carries; 6 to 8 minutes")
    one.add_argument("--quick", action="store_true", help="a minute: shows that it works, its figures are no measurement")
    side = commands.add_parser("compare", help="ours beside others' programs, in one run")
    side.add_argument("of", choices=COMPARISONS,
                      help="drain: how fast a full queue is counted; ingest: how fast events are taken in; 5 and 8 minutes")
    side.add_argument("--rounds", type=number_of("rounds", 1, 100), help=f"of all contenders ({compare.FULL.rounds})")
    side.add_argument("--events", type=even_number, help=f"of each contender ({compare.FULL.events:,})")
    side.add_argument("--only", metavar="NAME,…", help="; ".join(
        f"{of}: of {', '.join(comparison.CONTENDERS)}" for of, comparison in COMPARISONS.items()) +
        "; without it all but few-known and many-known")
    side.add_argument("--quick", action="store_true",
                      help="one small round: shows that it works, its figures are no measurement")
    side.add_argument("--json", type=pathlib.Path, metavar="FILE", help="all figures (build/bench/compare-{drain,ingest}.json)")
    side.add_argument("--svg", type=pathlib.Path, metavar="FILE", help="a chart of the medians")
    arguments = parser.parse_args()
    if arguments.what == "compare":
        arguments.only = slugs_of(side, COMPARISONS[arguments.of], arguments.only)
    return arguments


def slugs_of(parser, comparison, text):
    if text is None:
        return [slug for slug, contender in comparison.CONTENDERS.items() if not getattr(contender, "known", 0)]
    slugs = text.split(",")
    unknown = [slug for slug in slugs if slug not in comparison.CONTENDERS]
    if unknown:
        parser.error(f"argument --only: {', '.join(unknown)}: not one of {', '.join(comparison.CONTENDERS)}")
    return [slug for slug in comparison.CONTENDERS if slug in slugs]


def print_machine(facts):
    print("Measured on " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items()))
    print("Medians, with the least and the greatest value. Load, broker, Redis and our programs share this machine.",
          flush=True)


def warn_of_others(share):
    """`share` in per cent."""
    if share > OTHERS_LIMIT:
        print(f"\nOther programs had up to {share:.0f} % of the machine meanwhile: repeat it when it does nothing else.")


def measure_capacity(arguments, folder):
    """(the measured part of the report, exit status)"""
    size = capacity.QUICK if arguments.quick else capacity.FULL
    measured = capacity.measure(folder, arguments.build.resolve(), size)
    warn_of_others(max((max(values) for (_, name, _), values in measured.rows.items() if name == capacity.OTHERS), default=0))
    return {"size": dataclasses.asdict(size), "rows": measured.as_json()}, 0


def measure_drains(arguments, folder):
    """(the measured part of the report, exit status)"""
    base = compare.QUICK if arguments.quick else compare.FULL
    size = compare.Size(rounds=arguments.rounds or base.rounds, events=arguments.events or base.events)
    rows = compare.measure(folder, arguments.build.resolve(), size, arguments.only)
    print("\n" + standings.table(rows))
    warn_of_others(max((drain["others"] * 100 for row in rows for drain in row["drains"]), default=0))
    if arguments.svg:
        note = f"{size.events:,} events in the queue, medians of {size.rounds}; × the Node worker"
        arguments.svg.write_text(bars.chart("Events drained a second", note, standings.chart_rows(rows)))
    return {"size": dataclasses.asdict(size), "rows": rows}, int(any(row["wrong"] for row in rows))


def measure_ingest(arguments, folder):
    """(the measured part of the report, exit status)"""
    base = ingest.QUICK if arguments.quick else ingest.FULL
    size = dataclasses.replace(base, rounds=arguments.rounds or base.rounds, events=arguments.events or base.events)
    rows, latencies = ingest.measure(folder, arguments.build.resolve(), size, arguments.only)
    print("\n" + standings.ingest_table(rows, latencies))
    warn_of_others(max((turn["others"] * 100 for row in rows for turn in row["drains"]), default=0))
    if arguments.svg:
        note = f"{size.events:,} events over {ingest.CONNECTIONS} connections, medians of {size.rounds}"
        arguments.svg.write_text(bars.chart("Events taken in a second", note, standings.ingest_chart_rows(rows)))
    return {"size": dataclasses.asdict(size), "rows": rows, "latencies": latencies}, int(any(row["wrong"] for row in rows))


def main():
    arguments = read_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    folder = arguments.out / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    facts = machine.facts(folder)
    print_machine(facts)
    if arguments.what == "capacity":
        what, path = "capacity", arguments.out / "capacity.json"
        measured, status = measure_capacity(arguments, folder)
    else:
        what, path = f"compare {arguments.of}", arguments.json or arguments.out / f"compare-{arguments.of}.json"
        measured, status = (measure_drains if arguments.of == "drain" else measure_ingest)(arguments, folder)
    shutil.rmtree(folder)
    seconds = round(time.monotonic() - began)
    report = {"what": what, "quick": arguments.quick, "seconds": seconds, "machine": facts, **measured}
    path.write_text(json.dumps(report, indent=2) + "\n")
    print(f"\n{seconds} s; {path}")
    return status


if __name__ == "__main__":
    sys.exit(main())
