"""What the interoperability tests share: our programs as processes, and how a test is skipped.

Nothing here waits for time to pass: everything waits for a line, a message or an end, under one
deadline for the whole test case.
"""

import asyncio
import base64
import hashlib
import hmac
import importlib
import json
import os
import pathlib
import shutil
import sys
import tempfile
import time
import unittest

BIN = pathlib.Path(os.environ.get("INTEROP_BIN", "build/dev/bin"))
DEADLINE = float(os.environ.get("INTEROP_DEADLINE", "60"))
SKIPPED = 77
HOST, HOST6 = "10.77.0.1", "fd77::1"  # tests/interop/isolated gives them to lan0
SECRET = "known to whoever relays"
RELAY_PORTS = range(61_000, 62_000)  # of start_relay(): none that the system gives to a socket


def require(modules=(), programs=(), ours=()):
    """Ends the test as skipped where something it needs is missing; as failed where CI is set."""
    missing = []
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError:
            missing.append(f"Python module {name}")
    missing += [f"program {name}" for name in programs if not shutil.which(name)]
    missing += [f"{BIN / name} (not built)" for name in ours if not (BIN / name).exists()]
    if missing:
        print("skipped: needs " + ", ".join(missing) + " (scripts/deps test)")
        sys.exit(1 if os.environ.get("CI") else SKIPPED)


class Process:
    """A program as a child: its lines of JSON, its bytes, its end."""

    def __init__(self, process, name):
        self._process = process
        self.name = name
        self.stdin = process.stdin
        self.stdout = process.stdout
        self.stderr = process.stderr
        self.seen = []

    @classmethod
    async def start(cls, program, *arguments, env=None):
        process = await asyncio.create_subprocess_exec(
            str(program), *map(str, arguments), stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=1 << 24,
            env={**os.environ, **(env or {})})
        return cls(process, pathlib.Path(program).name)

    def tell(self, **message):
        self.stdin.write(json.dumps(message).encode() + b"\n")

    async def events(self, stream=None):
        """Every line of JSON until the end; other lines are kept in `seen` for the report."""
        while line := await (stream or self.stdout).readline():
            self.seen.append(line.decode(errors="replace").rstrip())
            if line.startswith(b"{"):
                yield json.loads(line)

    async def event(self, name, stream=None):
        async for message in self.events(stream):
            if message.get("event") == name:
                return message
        raise AssertionError(f"{self.name} ended before '{name}':\n" + "\n".join(self.seen))

    async def wait(self):
        return await self._process.wait()

    async def stop(self):
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        try:
            self.stdin.close()
            await self.stdin.wait_closed()
        except ConnectionError:
            pass  # it went without reading all


class TestCase(unittest.IsolatedAsyncioTestCase):
    """One deadline for each case; what was started with launch() ends with it."""

    def _callTestMethod(self, method):
        async def bounded():
            asyncio.get_running_loop().set_debug(False)  # slow, and it tells of every slow step
            await asyncio.wait_for(method(), DEADLINE)
        super()._callTestMethod(bounded)

    async def launch(self, program, *arguments, env=None):
        process = await Process.start(program, *arguments, env=env)
        self.addAsyncCleanup(process.stop)
        return process

    def keep(self, work):
        """Runs beside the case and is ended with it."""
        task = asyncio.ensure_future(work)

        async def end():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        self.addAsyncCleanup(end)
        return task


class Server:
    """A signaling-server with its defaults: the namespace is its own, so its ports are free."""

    url = "ws://127.0.0.1:8080"

    def __init__(self, case):
        self._case = case

    async def start(self, *arguments):
        self.process = await self._case.launch(BIN / "signaling-server", *arguments)
        # Its first line says that it listens; all its sockets are open by then.
        line = await self.process.stderr.readline()
        if b"listening" not in line:
            rest = await self.process.stderr.read()
            raise AssertionError("signaling-server: " + (line + rest).decode(errors="replace"))
        self._case.keep(self._drain())
        return self

    async def _drain(self):
        while line := await self.process.stderr.readline():
            self.process.seen.append(line.decode(errors="replace").rstrip())


def relay_credentials(name="guest"):
    """User name and password by the TURN REST convention, for SECRET."""
    user = f"{int(time.time()) + 3600}:{name}"
    mac = hmac.new(SECRET.encode(), user.encode(), hashlib.sha1).digest()
    return user, base64.b64encode(mac).decode()


def secret_file(case):
    folder = case.enterContext(tempfile.TemporaryDirectory(prefix="interop-secret-"))
    path = pathlib.Path(folder) / "secret"
    path.write_text(SECRET, encoding="utf-8")
    return path


async def start_relay(case, *arguments):
    """Our server with its relay, which reaches the programs of this namespace."""
    return await Server(case).start(
        "--turn-secret-file", secret_file(case), "--relay-ports", f"{RELAY_PORTS[0]}-{RELAY_PORTS[-1]}",
        "--relay-allow", f"{HOST}/32", "--relay-allow", f"{HOST6}/128", *arguments)


async def taken(host, port):
    """Until somebody takes TCP connections there."""
    while True:
        try:
            _, writer = await asyncio.open_connection(host, port)
        except ConnectionRefusedError:
            continue
        writer.close()
        return await writer.wait_closed()


async def start_coturn(case, *arguments):
    """coturn on the usual port of every address here, ended with the case."""
    folder = case.enterContext(tempfile.TemporaryDirectory(prefix="interop-coturn-"))
    coturn = await case.launch(
        "turnserver", "-n", "--no-cli", "--verbose", "--log-file=stdout", "--simple-log",
        f"--listening-ip={HOST}", "--listening-ip=127.0.0.1", f"--relay-ip={HOST}", "--no-tls",
        "--no-dtls", "--realm=interop", f"--pidfile={folder}/pid", f"--userdb={folder}/users",
        *arguments)
    listening = 0
    while listening < 2:
        line = await coturn.stdout.readline()
        if not line:
            raise AssertionError("coturn ended")
        listening += b"UDP listener opened on" in line
    case.keep(coturn.stdout.read())
    await taken(HOST, 3478)


def main():
    unittest.main(verbosity=2)
