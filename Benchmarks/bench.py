"""Measures weft beside the floor and its peers. Scripts/bench prepares what it needs and calls it."""
import argparse
import os
import shutil
import sys
import tempfile

from cases import Cases
from lab import Failure, Lab
from report import TITLES, Results


def parse():
    parser = argparse.ArgumentParser(prog="Scripts/bench", description="Measures weft, its floor and its peers.")
    parser.add_argument("--quick", action="store_true", help="small sizes, cheap peers: to see that it works")
    parser.add_argument("--only", metavar="W1,W4", help=f"of {', '.join(TITLES)}; W1, W2, W3, HALF and BACK go together")
    parser.add_argument("--runs", type=int, metavar="N", help="of each program (5; 3 with --quick)")
    parser.add_argument("--slow-runs", type=int, metavar="N", help="of what takes long (as many as --runs)")
    parser.add_argument("--no-peers", action="store_true", help="of the peers iproute2 alone, which is fast")
    parser.add_argument("--json", metavar="FILE", help="the figures for a program")
    parser.add_argument("--instructions", action="store_true", help="count them with valgrind, and nothing else")
    parser.add_argument("--weft", metavar="PATH", help="another weft than a release of this folder")
    parser.add_argument("--programs", required=True, help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.runs = options.runs or (3 if options.quick else 5)
    options.slow_runs = options.slow_runs or options.runs
    wanted = set(options.only.split(",")) if options.only else set(TITLES)
    unknown = wanted - set(TITLES)
    if unknown:
        parser.error(f"unknown workload: {', '.join(sorted(unknown))}")
    options.wanted = wanted
    options.say = lambda text: print(f"bench: {text}", file=sys.stderr, flush=True)
    return options


def measure(cases, wanted):
    if wanted & {"W1", "W2", "W3", "HALF", "BACK"}:
        cases.bulk()
    for name, function in (("W4", cases.tenants), ("GONE", cases.gone), ("VNI", cases.vnis), ("W5", cases.parse),
                           ("W6", cases.fabric), ("W7", cases.growth), ("AGENT", cases.agent), ("START", cases.start)):
        if name in wanted:
            function()


def main():
    options = parse()
    results = Results()
    options.work = tempfile.mkdtemp(prefix="weft-bench-")
    cases = Cases(Lab(options.programs), results, options)
    status = 0
    try:
        if options.instructions:
            cases.instructions()
        else:
            measure(cases, options.wanted)
    except Failure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        status = 130
    finally:
        shutil.rmtree(options.work, ignore_errors=True)
    # What was measured before something failed is of use as well.
    print(results.text(options.quick))
    if options.json:
        results.write(options.json, options.quick)
    return status


if __name__ == "__main__":
    os.umask(0o022)
    sys.exit(main())
