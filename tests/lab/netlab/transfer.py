"""Files sent through a pipe, both ways at once, and compared."""

import hashlib
import random
import time

from . import peers

MEGABYTE = 1 << 20


def made(size, seed):
    """A file of reproducible bytes that compress badly, and their hash."""
    content = random.Random(seed).randbytes(size)
    path = f"/run/payload-{seed}-{size}"
    with open(path, "wb") as file:
        file.write(content)
    return path, hashlib.sha256(content).hexdigest()


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def transfer(lab, ours, theirs, size_a, size_b, arguments=(), **variables):
    """Sends a file each way; both programs must end with 0, both files must be whole.

    Returns the path and the megabytes a second, the start included."""
    (path_a, hash_a), (path_b, hash_b) = made(size_a, 1), made(size_b, 2)
    began = time.monotonic()
    with open(path_a, "rb") as in_a, open(path_b, "rb") as in_b, \
            open("/run/got-a", "wb") as out_a, open("/run/got-b", "wb") as out_b, \
            peers.pipe(lab, ours, theirs, arguments, {"stdin": in_a, "stdout": out_a},
                       {"stdin": in_b, "stdout": out_b}, **variables) as both:
        statuses = both.a.finish(60), both.b.finish(60)
        path = (both.a.wait_for("connected", 0) or both.a.last("connected") or {}).get("path")
        _expect_equal(statuses, (0, 0), f"statuses ({both.a.errors()[-300:]} / {both.b.errors()[-300:]})")
    seconds = time.monotonic() - began
    _expect_equal((sha256("/run/got-b"), sha256("/run/got-a")), (hash_a, hash_b), "what arrived at b and a")
    return path, (size_a + size_b) / MEGABYTE / seconds


def _expect_equal(got, want, what):
    if got != want:
        raise AssertionError(f"{what}: want {want!r}, got {got!r}")
