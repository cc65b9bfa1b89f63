"""peer-cli processes in a lab: one of them, a check between two, a pipe between two."""

import dataclasses
import itertools
import json
import os
import queue
import signal
import subprocess
import threading
import time

from . import programs, services

_numbers = itertools.count(1)
_ENDED = object()
LOG_FOLDER = "/run"  # private in a lab


def new_id(word):
    return f"{word}-{os.getpid()}-{next(_numbers)}"


class Peer:
    """One peer-cli process; its JSON events are read as they come.

    With payload, standard input and output are the caller's and the events come over a descriptor
    of their own; without, they are its standard output. What it says to people is in `errors()`.
    """

    def __init__(self, lab, host, arguments, payload=True, stdin=subprocess.DEVNULL,
                 stdout=subprocess.DEVNULL, **variables):
        program = programs.require("peer-cli")
        self._error_path = f"{LOG_FOLDER}/{new_id('peer')}.err"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PEER_")}
        environment |= {"PEER_SERVER": services.SERVER_URL, **variables}
        reading, writing = os.pipe()
        options = ["--json", "--json-fd", str(writing)] if payload else ["--json"]
        with open(self._error_path, "wb") as errors:
            self.process = lab.start(host, [program, *options, *arguments], stdin=stdin,
                                     stdout=stdout if payload else writing, stderr=errors,
                                     pass_fds=(writing,), env=environment)
        os.close(writing)
        self.seen, self._waiting = [], queue.SimpleQueue()
        threading.Thread(target=self._read, args=(reading,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _read(self, descriptor):
        with open(descriptor, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                if line.startswith("{"):
                    self._waiting.put({**json.loads(line), "at": time.monotonic()})
        self._waiting.put(_ENDED)

    def wait_for(self, event, seconds=15.0):
        """The next event of that name; None if the program or the time ends before it comes."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                got = self._waiting.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                return None
            if got is _ENDED:
                self._waiting.put(_ENDED)
                return None
            self.seen.append(got)
            if got["event"] == event:
                return got

    def finish(self, seconds=30.0):
        """The exit status, once the program has ended by itself."""
        try:
            status = self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"peer-cli still runs after {seconds:.0f} s: {self.errors()}") from None
        self.wait_for("nothing that is ever sent", 5)
        return status

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)

    def errors(self):
        with open(self._error_path, encoding="utf-8", errors="replace") as file:
            return file.read().strip()

    def last(self, event):
        return next((one for one in reversed(self.seen) if one["event"] == event), None)


def listen(lab, host, arguments=(), name=None, **options):
    """A registered listener and its name."""
    name = name or new_id(host)
    peer = Peer(lab, host, ["--id", name, *arguments, "listen"], **options)
    if not peer.wait_for("registered"):
        peer.__exit__()
        raise AssertionError(f"the listener on {host} did not register: {peer.errors()}")
    return peer, name


@dataclasses.dataclass
class Check:
    status: int
    report: dict
    errors: str
    listener_status: int

    @property
    def outcome(self):
        return self.report.get("outcome", f"status {self.status}")

    @property
    def connect_ms(self):
        return self.report.get("connect_ms")

    def summary(self):
        wanted = ("outcome", "connect_ms", "secure_ms", "rtt_ms", "reason")
        return {"status": self.status, **{key: self.report[key] for key in wanted if key in self.report}}

    def words(self):
        return self.outcome if self.connect_ms is None else f"{self.outcome} {self.connect_ms:.0f}"


def check(lab, ours, theirs, arguments=(), listen_arguments=(), command=(), **variables):
    """`peer-cli check` from host `ours` to a listener on host `theirs`."""
    listener, name = listen(lab, theirs, listen_arguments, **variables)
    with listener, Peer(lab, ours, [*arguments, "check", name, *command], payload=False,
                        **variables) as checker:
        status = checker.finish(40)
        report = checker.last("report") or {}
        listener.interrupt()
        return Check(status, report, checker.errors(), listener.finish(10))


@dataclasses.dataclass
class Pipe:
    """A listener on one host and a `connect` to it on another; b listens, a connects."""

    a: Peer
    b: Peer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.a.__exit__()
        self.b.__exit__()

    def connected(self, seconds=20.0):
        for peer in (self.a, self.b):
            if not peer.wait_for("secured", seconds):
                raise AssertionError(f"no connection: {peer.errors()}")


def pipe(lab, ours, theirs, arguments=(), a_options=None, b_options=None, **variables):
    b, name = listen(lab, theirs, arguments, **(b_options or {}), **variables)
    try:
        a = Peer(lab, ours, [*arguments, "connect", name], **(a_options or {}), **variables)
    except BaseException:
        b.__exit__()
        raise
    return Pipe(a, b)
