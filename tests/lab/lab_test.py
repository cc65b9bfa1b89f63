#!/usr/bin/python3
"""Runs the lab's checks: kernel NATs in private network namespaces, and real programs in them.

    tests/lab/lab_test.py                 all groups
    tests/lab/lab_test.py nat             one group
    tests/lab/lab_test.py --only 'TTL'    checks whose name contains that
    tests/lab/lab_test.py --json FILE     the results as JSON as well

Exit status: 0 all passed, 1 a check failed, 77 skipped because no network namespace can be made
here (an error where CI is set in the environment).
"""

import argparse
import contextlib
import importlib
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import suite
from netlab import isolate

GROUPS = ("nat", "coturn", "tool", "pairs", "pipes", "measure", "relay", "portmap", "cluster", "behavior")
SKIPPED = 77


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}")
    parser.add_argument("--only", metavar="TEXT", help="checks whose name contains TEXT")
    parser.add_argument("--json", metavar="FILE", help="write the results there too")
    chosen = parser.parse_args()
    if unknown := set(chosen.groups) - set(GROUPS):
        parser.error(f"no group {', '.join(sorted(unknown))}")
    return chosen


@contextlib.contextmanager
def built(group, name):
    from netlab.network import Network
    from netlab.spec import parse_sites
    began = time.monotonic()
    with Network(parse_sites(group.SITES), getattr(group, "DELAYS", None)) as lab:
        print(f"{name}: {len(lab.plan.sites)} sites, built in {time.monotonic() - began:.1f} s", flush=True)
        if hasattr(group, "prepare"):
            group.prepare(lab)
        yield lab


def main():
    chosen = arguments()
    if reason := isolate.why_not():
        print(f"SKIPPED: {reason}", flush=True)
        return 1 if os.environ.get("CI") else SKIPPED
    isolate.enter()
    results = []
    for name in chosen.groups or GROUPS:
        group = importlib.import_module(f"checks.{name}")
        results += suite.run(name, lambda: built(group, name), chosen.only, table=getattr(group, "TABLE", ()))
    if chosen.json:
        suite.write_json(results, chosen.json)
    return suite.summary(results)


if __name__ == "__main__":
    sys.exit(main())
