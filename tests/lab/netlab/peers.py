"""Two peer-cli processes in a lab: a check between them, a pipe between them."""

import dataclasses
import itertools
import json
import os
import select
import subprocess
import time

from . import programs, services

_numbers = itertools.count(1)


def environment(**more):
    kept = {key: value for key, value in os.environ.items() if not key.startswith("PEER_")}
    return {**kept, "PEER_SERVER": services.SERVER_URL, **more}


class Peer:
    """One peer-cli process. Its JSON events come over a descriptor of their own, so that standard
    input and output are free for the payload."""

    def __init__(self, lab, host, arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, **variables):
        program = programs.find("peer-cli")
        if not program:
            raise FileNotFoundError("peer-cli is not built: cmake --preset release && "
                                    "cmake --build build/release")
        reading, writing = os.pipe()
        self.process = lab.start(host, [program, "--json-fd", str(writing), *arguments],
                                 stdin=stdin, stdout=stdout, stderr=subprocess.PIPE,
                                 pass_fds=(writing,), env=environment(**variables))
        os.close(writing)
        self._events, self._rest, self.seen = reading, b"", []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def wait_for(self, event, seconds=15.0):
        """The next event of that name, or None if the program or the time ends before it."""
        deadline = time.monotonic() + seconds
        while True:
            for known in self._read_lines():
                if known["event"] == event:
                    return known
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._events], [], [], left)[0]:
                return None
            got = os.read(self._events, 65536)
            if not got:
                return None
            self._rest += got

    def _read_lines(self):
        while b"\n" in self._rest:
            line, _, self._rest = self._rest.partition(b"\n")
            event = json.loads(line)
            self.seen.append(event)
            yield event

    def finish(self, seconds=30.0):
        """Waits for the program to end by itself: (exit status, what it said on standard error)."""
        output, errors = self.process.communicate(timeout=seconds)
        self.output = output
        return self.process.returncode, errors.decode(errors="replace").strip()

    def end(self):
        if self.process.poll() is None:
            self.process.kill()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream and not stream.closed:
                stream.close()
        self.process.wait()
        if self._events is not None:
            os.close(self._events)
            self._events = None


@dataclasses.dataclass
class Check:
    status: int
    report: dict
    errors: str

    def summary(self):
        wanted = ("outcome", "connect_ms", "secure_ms", "rtt_ms", "reason")
        return {"status": self.status, **{key: self.report[key] for key in wanted if key in self.report}}

    def words(self):
        outcome = self.report.get("outcome", f"status {self.status}")
        connect = self.report.get("connect_ms")
        return outcome if connect is None else f"{outcome} {connect:.0f}"


def new_id(word):
    return f"{word}-{os.getpid()}-{next(_numbers)}"


def check(lab, ours, theirs, arguments=(), listen_arguments=(), command=(), **variables):
    """`peer-cli check` from host `ours` to a listener on host `theirs`; both end before it returns."""
    name = new_id(theirs)
    listen = ["--id", name, *listen_arguments, "listen"]
    with Peer(lab, theirs, listen, **variables) as listener:
        if not listener.wait_for("registered"):
            raise RuntimeError(f"start a listener: {listener.finish()[1]}")
        words = ["--json", *arguments, "check", name, *command]
        with Peer(lab, ours, words, **variables) as checker:
            status, errors = checker.finish()
            lines = [json.loads(line) for line in checker.output.splitlines() if line.strip()]
            report = next((line for line in reversed(lines) if line.get("event") == "report"), {})
            return Check(status, report, errors)
