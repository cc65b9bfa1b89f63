"""scripts/lab as a person uses it, and above all what is left when it ends: nothing."""

import glob
import os
import signal
import subprocess
import sys
import time

from netlab import holder, programs
from suite import Skipped, check, expect, expect_equal

SITES = []  # each check brings its own lab

_ENVIRONMENT = {key: value for key, value in os.environ.items() if not key.startswith("RENDEZVOUS_")}
_ENVIRONMENT["LAB_NAME"] = f"checked-{os.getpid()}-{time.monotonic_ns()}"


def tool(*arguments, **options):
    return subprocess.run([str(programs.ROOT / "scripts/lab"), *arguments], text=True,
                          capture_output=True, env={**_ENVIRONMENT, **options})


def up(*sites, **options):
    done = tool("up", "--no-services", *(word for site in sites for word in ("--site", site)), **options)
    expect_equal(done.returncode, 0, f"status of up ({done.stderr.strip()})")
    return int(done.stdout.split("held by process ")[1].split()[0])


def world():
    """What a lab could leave behind on the machine: links, named namespaces, files, processes."""
    links = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True).stdout
    files = glob.glob("/tmp/*lab*") + glob.glob("/run/*") + glob.glob("/run/netns/*")
    holders = [path for path in glob.glob("/proc/[0-9]*/cmdline") if b"rendezvous-lab:" in read(path)]
    return links, sorted(files), sorted(holders)


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


@check("up, exec, down: and nothing is left")
def _(_):
    before = world()
    up("a=masquerade", "b=symmetric,double=masquerade,bridges=2,v6=open")
    done = tool("exec", "b", "--", "ip", "-4", "-br", "addr", "show", "eth0")
    expect("10.0.2.10/24" in done.stdout, f"addresses of b: {done.stdout}{done.stderr}")
    expect_equal(tool("exec", "a", "--", "sh", "-c", "exit 7").returncode, 7, "status of the command")
    expect_equal(tool("exec", "core", "--", "sh", "-c", "kill -9 $$").returncode, 137, "status of a signal")
    expect_equal(tool("exec", "a", "--", "no-such-program").returncode, 127, "status without program")
    expect_equal(tool("down").returncode, 0, "status of down")
    expect_equal(world(), before, "the machine after down")


@check("kill -9 of the holder: and nothing is left, its programs included")
def _(_):
    before = world()
    pid = up("a=masquerade")
    arguments = [str(programs.ROOT / "scripts/lab"), "exec", "a", "--", "sh", "-c", "echo on; exec sleep 600"]
    with subprocess.Popen(arguments, env=_ENVIRONMENT, stdout=subprocess.PIPE) as program:
        expect_equal(program.stdout.readline(), b"on\n", "first line of the program")
        ends = holder.ends(pid)
        os.kill(pid, signal.SIGKILL)
        expect_equal(program.wait(timeout=10), 137, "status of the program")
    expect_gone(ends, before)


def expect_gone(ends, before):
    expect(holder.all_end(ends, 10), "the holder lives on")
    expect_equal(world(), before, "the machine afterwards")


@check("kill -9 of `up --foreground`: and nothing is left")
def _(_):
    before = world()
    program = subprocess.Popen([str(programs.ROOT / "scripts/lab"), "up", "--foreground", "--no-services",
                                "--site", "a=public"], env=_ENVIRONMENT, stdout=subprocess.PIPE)
    expect_equal(program.stdout.readline(), b"ready\n", "first line")
    ends = holder.ends(int(tool("status").stdout.split("held by process ")[1].split()[0].rstrip(",")))
    program.kill()
    program.wait()
    program.stdout.close()
    expect_gone(ends, before)


@check("up --cluster: three servers that share a Redis")
def _(_):
    done = tool("up", "--cluster", "--site", "a=masquerade")
    expect_equal(done.returncode, 0, f"status of up ({done.stderr.strip()})")
    try:
        if "not there: no redis-server" in done.stdout:
            raise Skipped("no redis-server here: apt-get install redis-server")
        servers = {words[0]: words[1] for words in map(str.split, done.stdout.splitlines())
                   if len(words) == 2 and words[1].startswith("ws://")}
        expect_equal(list(servers), ["one", "two", "three"], "servers")
        for host in servers:
            ask = "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9090/readyz').read().decode())"
            answer = tool("exec", host, "--", sys.executable, "-c", ask)
            expect("cluster: ok" in answer.stdout, f"/readyz of {host}: {answer.stdout}{answer.stderr}")
        shown = tool("exec", "a", "--", "printenv", "PEER_SERVER").stdout.strip()
        expect_equal(shown, servers["one"], "where peers go by themselves")
    finally:
        tool("down")


@check("SIGTERM to `exec` reaches the program")
def _(_):
    up("a=public")
    arguments = [str(programs.ROOT / "scripts/lab"), "exec", "a", "--", "sh", "-c",
                 "trap 'exit 42' TERM; echo on; while :; do sleep 0.05; done"]
    with subprocess.Popen(arguments, env=_ENVIRONMENT, stdout=subprocess.PIPE) as program:
        program.stdout.readline()
        program.terminate()
        expect_equal(program.wait(timeout=10), 42, "status")
    tool("down")


@check("two labs at once do not see each other")
def _(_):
    first, second = _ENVIRONMENT["LAB_NAME"], _ENVIRONMENT["LAB_NAME"] + "-second"
    up("a=public")
    up("a=masquerade", LAB_NAME=second)
    expect_equal(tool("up", "--site", "a=public").returncode, 2, "status of a second 'up' of one name")
    shown = tool("exec", "--name", second, "a", "--", "ip", "-4", "-br", "addr", "show", "eth0").stdout
    expect("10.0.1.10/24" in shown, f"the second lab: {shown}")
    shown = tool("exec", "--name", first, "a", "--", "ip", "-4", "-br", "addr", "show", "eth0").stdout
    expect("203.0.113.10/32" in shown, f"the first lab: {shown}")
    tool("down", "--name", first)
    expect_equal(tool("exec", "--name", second, "a", "--", "true").returncode, 0, "the second one alone")
    tool("down", "--name", second)


@check("what cannot be read is refused with one line and status 2")
def _(_):
    for site in ("a", "a=nat", "a=public,colour=red", "a=public,bridges=99", "core=public", "A=public"):
        done = tool("up", "--site", site)
        expect_equal((done.returncode, len(done.stderr.splitlines())), (2, 1), f"--site {site}: {done.stderr}")
    for arguments in (("down",), ("exec", "a", "--", "true"), ("up", "--site", "a=public", "--delay", "x=1")):
        done = tool(*arguments)
        expect_equal((done.returncode, len(done.stderr.splitlines())), (2, 1), f"{arguments}: {done.stderr}")
