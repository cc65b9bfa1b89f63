"""What a cluster promises through every fault, with its limit; what was measured becomes a row of a table."""

from typing import NamedTuple


class Promise(NamedTuple):
    words: str
    limit: float
    unit: str = ""
    timed: bool = True  # a machine that stands still may break it


OFFLINE = Promise("told that a name is offline (p99)", 50, "ms")
FREE = Promise("a dead server's names are free after", 10, "s")
OWNERS = Promise("owners who hear one generation, at most", 1, timed=False)
ANSWER = Promise("the longest wait for any answer", 2, "s")
HEALTH = Promise("answers of /healthz that are not green", 0)
WHOLE = Promise("lost or doubled beside the fault", 0, timed=False)


def row(fault, promise, value, detail=""):
    measured = "not measured" if value is None else f"{value:.{2 if promise.unit else 0}f} {promise.unit}".strip()
    return {"fault": fault, "promise": promise.words, "measured": f"{measured} {detail}".strip(),
            "limit": f"{promise.limit:g} {promise.unit}".strip(),
            "verdict": "kept" if value is not None and value <= promise.limit else "BROKEN"}


def p99(seconds):
    """In milliseconds; of a hundred measurements or more, None of fewer."""
    return sorted(seconds)[len(seconds) * 99 // 100] * 1000 if len(seconds) >= 100 else None
