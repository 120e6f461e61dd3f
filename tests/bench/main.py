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

import capacity  # noqa: E402
import machine  # noqa: E402

OTHERS_LIMIT = 15  # per cent; the kernel's own work and the measuring need a few


def read_arguments():
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("what", choices=["capacity"], help="capacity: what one machine carries; 6 to 8 minutes")
    parser.add_argument("--quick", action="store_true", help="a minute: shows that it works, its figures are no measurement")
    parser.add_argument("--build", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=pathlib.Path, required=True, help=argparse.SUPPRESS)
    return parser.parse_args()


def print_machine(facts):
    print("Measured on " + ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items()))
    print("Medians, with the least and the greatest value. Load, broker, Redis and our programs share this machine.",
          flush=True)


def warn_of_others(measured):
    share = max((max(values) for (_, name, _), values in measured.rows.items() if name == capacity.OTHERS), default=0)
    if share > OTHERS_LIMIT:
        print(f"\nOther programs had up to {share:.0f} % of the machine meanwhile: repeat it when it does nothing else.")


def main():
    arguments = read_arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    signal.signal(signal.SIGHUP, lambda *_: sys.exit(129))
    size = capacity.QUICK if arguments.quick else capacity.FULL
    folder = arguments.out / "run"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    facts = machine.facts(folder)
    print_machine(facts)
    measured = capacity.measure(folder, arguments.build.resolve(), size)
    warn_of_others(measured)
    shutil.rmtree(folder)
    seconds = round(time.monotonic() - began)
    report = {"what": arguments.what, "quick": arguments.quick, "seconds": seconds, "machine": facts,
              "size": dataclasses.asdict(size), "rows": measured.as_json()}
    path = arguments.out / f"{arguments.what}.json"
    path.write_text(json.dumps(report, indent=2) + "\n")
    print(f"\n{seconds} s; {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
