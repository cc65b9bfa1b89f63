"""Labs that stay up: how they are kept, found, entered and taken down.

A lab is held by the first process of a process-id namespace. It is found by its command line, and
what it knows about itself is a file in its private /run. So a lab leaves no trace outside its own
processes, and when the holder is killed, all of it is gone.
"""

import ctypes
import json
import os
import select
import signal
import subprocess
import sys

from . import fleet, isolate, programs, services
from .network import Network
from .spec import parse_sites

_MARK = "rendezvous-lab:"
_STATE = "/run/lab.json"
_NEWNS, _NEWUSER, _NEWPID, _NEWNET = 0x00020000, 0x10000000, 0x20000000, 0x40000000
_FORWARDED = {signal.SIGCHLD, signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT}
_libc = ctypes.CDLL(None, use_errno=True)


def mark(name):
    return _MARK + name


def hold(name, site_texts, delays, with_services, with_cluster=False):
    """The holder itself: builds, says "ready" on standard output, and waits to be ended."""
    isolate.enter()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Network(parse_sites(site_texts), delays) as lab:
        state = {"name": name, "sites": site_texts, "hosts": lab.plan.hosts, "servers": {},
                 "missing": []}
        if with_services:
            for start_there in (_start_coturn, _start_cluster if with_cluster else _start_signaling):
                try:
                    start_there(lab, state["servers"])
                except FileNotFoundError as reason:
                    state["missing"].append(str(reason))
        with open(_STATE, "w", encoding="utf-8") as file:
            json.dump(state, file)
        print("ready", flush=True)
        while True:
            signal.pause()


def _start_coturn(lab, urls):
    services.Coturn(lab)
    urls["stun"] = [services.STUN_URL, services.TURN_URL, services.TURN_TCP_URL]


def _start_signaling(lab, urls):
    services.SignalingServer(lab)
    urls["signal"] = [services.SERVER_URL]


def _start_cluster(lab, urls):
    redis, servers = fleet.start(lab)
    urls.setdefault(fleet.REDIS_HOST, []).append(redis.url)
    urls.update((host, [server.url]) for host, server in servers.items())


def find():
    """Running labs of this user: name -> pid of the holder, seen from here."""
    labs = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.stat(f"/proc/{pid}").st_uid not in (os.geteuid(), 0):
                continue
            with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
                words = file.read().split("\0")
            with open(f"/proc/{pid}/status", encoding="utf-8") as file:
                ids = [line.split()[1:] for line in file if line.startswith("NSpid:")][0]
        except OSError:
            continue
        marks = [word for word in words if word.startswith(_MARK)]
        if marks and len(ids) > 1 and ids[-1] == "1":
            labs[marks[0].removeprefix(_MARK)] = int(pid)
    return labs


def state(pid):
    """What the holder wrote about itself, or None while it is still building."""
    try:
        with open(f"/proc/{pid}/root{_STATE}", encoding="utf-8") as file:
            return json.load(file)
    except FileNotFoundError:
        return None


def start(name, arguments, foreground=False):
    """Starts a holder that outlives this process, and returns once it is ready."""
    command = [sys.executable, sys.argv[0], "hold", mark(name), *arguments]
    if foreground:
        os.execv(command[0], command)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True, start_new_session=True)
    if child.stdout.readline().strip() != "ready":
        child.kill()
        return child.stderr.read().strip() or "no reason given"
    return None


def ends(pid):
    """Descriptors of the holder and of its parent, `unshare`, which ends after it and is called as it is."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        parent = int(file.read().rpartition(")")[2].split()[1])
    return [os.pidfd_open(process) for process in (pid, parent)]


def all_end(descriptors, seconds=None):
    """Whether all of those processes have ended; closes the descriptors."""
    gone = True
    for descriptor in descriptors:
        ended = select.poll()
        ended.register(descriptor, select.POLLIN)
        gone &= bool(ended.poll(seconds and seconds * 1000))
        os.close(descriptor)
    return gone


def stop(pid):
    """Ends the holder; returns when the kernel has ended everything in the lab."""
    both = ends(pid)
    signal.pidfd_send_signal(both[0], signal.SIGKILL)
    all_end(both)


def execute(pid, host, command):
    """Runs a command in a namespace of the lab, as if it ran here: terminal, signals, status."""
    folder = os.getcwd()
    servers = (state(pid) or {"servers": {}})["servers"]
    signaling = (servers.get("signal") or servers.get(fleet.HOSTS[0]) or [services.SERVER_URL])[0]
    _join(pid)
    # Before the fork: a child that ends at once must not end unnoticed.
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    child = os.fork()
    if child == 0:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # Python ignores it, and a command inherits that
        descriptor = os.open(f"/run/netns/{host}", os.O_RDONLY)
        _check(_libc.setns(descriptor, _NEWNET))
        os.close(descriptor)
        os.chdir(folder)
        folders = ":".join(map(str, programs.folders()))
        os.environ["PATH"] = f"{folders}:{isolate.path_with_sbin()}"
        os.environ.setdefault("PEER_SERVER", signaling)
        try:
            os.execvp(command[0], command)
        except OSError as error:
            print(f"lab: failed to run {command[0]}: {error.strerror}", file=sys.stderr)
            os._exit(127)
    return _wait(child)


def _join(pid):
    flags = _NEWNS | _NEWPID
    if os.readlink(f"/proc/{pid}/ns/user") != os.readlink("/proc/self/ns/user"):
        flags |= _NEWUSER
    descriptor = os.pidfd_open(pid)
    _check(_libc.setns(descriptor, flags))
    os.close(descriptor)


def _check(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _wait(child):
    """Waits for the child and hands on what is sent to us; the terminal reaches it by itself."""
    while True:
        got = signal.sigwaitinfo(_FORWARDED)
        if got.si_signo == signal.SIGCHLD:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status) % 256 if not os.WIFSIGNALED(status) \
                    else 128 + os.WTERMSIG(status)
        elif got.si_pid != 0:
            os.kill(child, got.si_signo)
