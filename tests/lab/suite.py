"""The few words that the lab's checks are written in, and the table that they end in."""

import contextlib
import json
import os
import sys
import time
import traceback

_CHECKS = {}  # group -> [(name, function)]


def check(name):
    """Registers a check under its module's name. It fails by raising; what it returns is shown."""
    def register(function):
        group = function.__module__.rpartition(".")[2]
        _CHECKS.setdefault(group, []).append((name, function))
        return function
    return register


def expect(condition, what):
    """As assert, but never compiled away, and with words."""
    if not condition:
        raise AssertionError(what)


def expect_equal(got, want, what):
    expect(got == want, f"{what}: want {want!r}, got {got!r}")


class Late(AssertionError):
    """A limit of time was missed. A machine that stands still for a moment is reason enough, but not twice."""


def expect_in_time(condition, what):
    """As expect, of what was measured by a clock, or follows from how soon something came."""
    if not condition:
        raise Late(what)


class Skipped(Exception):
    """Something outside this project is missing; CI counts it as a failure."""


def run(group, build, only=None, out=sys.stdout, table=()):
    """Runs a group's checks on a lab, which build() brings; returns a list of result dictionaries.

    One that was late, and wrong in nothing else, is run once more before it counts as failed: in a new lab, for it may
    have left the first in any state. Its result then says what it was late with.
    Rows that a check adds to the group's table belong to its result, and are shown after all checks.
    """
    results = []
    with contextlib.ExitStack() as labs:
        lab = labs.enter_context(build())
        for name, function in _CHECKS[group]:
            if only and only not in name:
                continue
            rows = len(table)
            result = _attempt(function, lab, name, out)
            if result["status"] == "late":
                if table[rows:]:
                    del table[rows:]
                labs.close()
                lab = labs.enter_context(build())
                result = {**_attempt(function, lab, name, out, "FAILED"), "late": result["detail"]}
            results.append({"group": group, **result, **({"rows": table[rows:]} if table[rows:] else {})})
    if table:
        print(f"\n{_aligned(table)}", file=out, flush=True)
    return results


def _attempt(function, lab, name, out, late="late"):
    began = time.monotonic()
    try:
        status, detail = "ok", function(lab) or ""
    except Skipped as reason:
        # What CI skips nobody has checked.
        status, detail = "FAILED" if os.environ.get("CI") else "skipped", str(reason)
    except Late as error:
        status, detail = late, str(error)
    except Exception as error:  # one broken check must not hide the others
        status, detail = "FAILED", f"{error}" or type(error).__name__
        if not isinstance(error, AssertionError):
            traceback.print_exc()
    seconds = time.monotonic() - began
    print(f"  {status:<8}{seconds:6.2f} s  {name:<58} {detail}", file=out, flush=True)
    return {"check": name, "status": status, "seconds": round(seconds, 3), "detail": detail}


def _aligned(table):
    lines = [list(table[0])] + [list(row.values()) for row in table]
    widths = [max(map(len, column)) for column in zip(*lines)]
    return "\n".join("  ".join(f"{word:<{width}}" for word, width in zip(line, widths)).rstrip() for line in lines)


def summary(results, out=sys.stdout):
    """The closing line, and the exit status."""
    count = {status: sum(r["status"] == status for r in results)
             for status in ("ok", "FAILED", "skipped")}
    late = sum(r["status"] == "ok" and "late" in r for r in results)
    print(f"\n{count['ok']} passed{f' ({late} late at first)' if late else ''}, {count['FAILED']} failed, "
          f"{count['skipped']} skipped", file=out)
    return 1 if count["FAILED"] or not count["ok"] else 0


def write_json(results, path):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1)
