"""scripts/lab: a small internet with NATs on this machine, for trying things out."""

import argparse
import os
import sys

from . import fleet, holder, isolate, programs, spec
from .addresses import SERVERS

_EXAMPLES = """
examples:
  scripts/lab up --site a=masquerade --site b=masquerade
  scripts/lab exec b -- peer-cli --id b listen          (in one terminal)
  scripts/lab exec a -- peer-cli connect b              (in another)
  scripts/lab exec a -- peer-cli check b --expect direct
  scripts/lab exec a-router -- nft list ruleset         (routers, core, signal, stun: all enterable)
  scripts/lab exec core -- tcpdump -ni any udp
  scripts/lab up --name other --site x=full-cone,v6=on …  (several labs at once)
  scripts/lab matrix                                    (every kind of NAT with every other)
  scripts/lab up --cluster --site a=masquerade          (servers at one, two and three, their Redis at stun)
  scripts/lab exec a -- peer-cli --server ws://203.0.113.20:8080 --id a listen   (at two; the default is one)
  scripts/lab exec three -- curl -s 127.0.0.1:9090/readyz
  scripts/lab exec stun -- redis-cli -h 198.51.100.20 -a 'the lab keeps no secrets' get sig:p:a
  scripts/lab faults                                    (kill, freeze and cut such a cluster, with 10,000 names:
                                                         a table of what was promised and what was measured)
  scripts/lab faults --only SIGSTOP
  scripts/lab down

Nothing of the machine's own network is touched, and nothing stays behind: all of a lab ends with
its first process. Works as root, and as any user where the system allows user namespaces.
"""


def _kinds():
    lines = ["site kinds (--site NAME=KIND[,OPTION=VALUE…]):"]
    lines += [f"  {kind:<16} {what}" for kind, what in spec.KINDS.items()]
    lines += ["site options:"]
    lines += [f"  {name + '=':<9} {values:<34} {what}" for name, (values, what) in spec.OPTIONS.items()]
    lines += ["servers:"]
    lines += [f"  {s.name:<16} {s.address:<15} {s.what}, {s.delay:g} ms one way from the core" for s in SERVERS]
    return "\n".join(lines)


def _parser():
    parser = argparse.ArgumentParser(
        prog="scripts/lab", description=__doc__, epilog=_kinds() + "\n" + _EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name, what, function):
        added = commands.add_parser(name, help=what, description=what + ".",
                                    epilog=_kinds() if name == "up" else None,
                                    formatter_class=argparse.RawDescriptionHelpFormatter)
        added.set_defaults(function=function)
        if name not in ("matrix", "faults", "hold"):
            added.add_argument("--name", default=os.environ.get("LAB_NAME", "lab"),
                               help="which lab ($LAB_NAME, or 'lab')")
        return added

    up = command("up", "build a lab and leave it running", _up)
    up.add_argument("--foreground", action="store_true", help="stay; the lab ends with this process")
    for added in (up, command("hold", argparse.SUPPRESS, _hold)):
        added.add_argument("--site", action="append", default=[], metavar="NAME=KIND[,…]")
        added.add_argument("--cluster", action="store_true",
                           help="three signaling servers that share a Redis, in place of the one at signal")
        added.add_argument("--delay", action="append", default=[], metavar="SERVER=MS",
                           help="one-way delay of signal or stun to the core")
        added.add_argument("--no-services", action="store_true",
                           help="start neither signaling-server nor coturn")
        if added is not up:
            added.add_argument("mark")
    run = command("exec", "run a command in a namespace of the lab", _exec)
    run.add_argument("host", help="a host, HOST-router, HOST-carrier, core, signal or stun")
    run.add_argument("argv", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    command("status", "show the running labs", _status)
    down = command("down", "take a lab down", _down)
    down.add_argument("--all", action="store_true", help="every lab of this user")
    matrix = command("matrix", "connect every kind of NAT with every other, in a lab of its own", _matrix)
    matrix.add_argument("--kinds", default=",".join(spec.KINDS), help="comma separated")
    matrix.add_argument("--json", metavar="FILE", help="write the results there too")
    faults = command("faults", "every fault of three servers and a Redis, in a lab of its own", _faults)
    faults.add_argument("--only", metavar="TEXT", help="faults whose name contains TEXT")
    faults.add_argument("--json", metavar="FILE", help="write the results there too")
    return parser


def _sites(chosen):
    sites = (fleet.SITES if chosen.cluster else []) + chosen.site
    if not sites:
        raise spec.SpecError("build a lab of nothing: give --site NAME=KIND, --cluster, or both")
    spec.parse_sites(sites)
    return sites


def _delays(texts):
    known = {server.name for server in SERVERS}
    delays = {}
    for text in texts:
        name, _, value = text.partition("=")
        try:
            delays[name] = float(value)
        except ValueError:
            raise spec.SpecError(f"read delay '{text}': want SERVER=MS") from None
        if name not in known:
            raise spec.SpecError(f"read delay '{text}': '{name}' is none of {', '.join(sorted(known))}")
    return delays


def _up(chosen):
    _sites(chosen)
    _delays(chosen.delay)
    if reason := isolate.why_not():
        return _fail(f"build a lab: {reason}")
    if chosen.name in holder.find():
        return _fail(f"build lab '{chosen.name}': it is up already (scripts/lab down --name {chosen.name})")
    arguments = [word for site in chosen.site for word in ("--site", site)]
    arguments += [word for delay in chosen.delay for word in ("--delay", delay)]
    arguments += ["--no-services"] if chosen.no_services else []
    arguments += ["--cluster"] if chosen.cluster else []
    if reason := holder.start(chosen.name, arguments, chosen.foreground):
        return _fail(f"build lab '{chosen.name}': {reason}")
    return _status(chosen)


def _hold(chosen):
    holder.hold(chosen.mark.partition(":")[2], _sites(chosen), _delays(chosen.delay),
                not chosen.no_services, chosen.cluster)


def _exec(chosen):
    argv = chosen.argv[1:] if chosen.argv[:1] == ["--"] else chosen.argv
    pid = holder.find().get(chosen.name)
    if pid is None:
        return _fail(f"find lab '{chosen.name}': none is up (scripts/lab up --site a=masquerade …)")
    if not os.path.exists(f"/proc/{pid}/root/run/netns/{chosen.host}"):
        return _fail(f"find '{chosen.host}' in lab '{chosen.name}': see scripts/lab status")
    return holder.execute(pid, chosen.host, argv or [os.environ.get("SHELL", "/bin/sh")])


def _status(chosen):
    labs = holder.find()
    if not labs:
        print("no lab is up")
        return 0
    for name, pid in sorted(labs.items()):
        known = holder.state(pid)
        print(f"lab {name}, held by process {pid}" + ("" if known else ", still building"))
        for host, what in (known or {"hosts": {}})["hosts"].items():
            seen = "" if what["public"] == what["address"] else f" seen as {what['public']}"
            print(f"  {host:<10} {what['kind']:<16} {what['address']:<15}{seen}"
                  + (f" {what['address6']}" if what["address6"] else ""))
        for server, urls in (known or {"servers": {}})["servers"].items():
            print(f"  {server:<10} {'  '.join(urls)}")
        for reason in (known or {"missing": []})["missing"]:
            print(f"  not there: {reason}")
    return 0


def _down(chosen):
    labs = holder.find()
    names = sorted(labs) if chosen.all else [chosen.name]
    for name in names:
        if name not in labs:
            return _fail(f"find lab '{name}': none of that name is up")
        holder.stop(labs[name])
    return 0


def _matrix(chosen):
    from . import matrix
    kinds = chosen.kinds.split(",")
    for kind in kinds:
        spec.parse_site(f"x={kind}")
    for program in ("signaling-server", "peer-cli"):
        if not programs.find(program):
            return _fail(f"find {program}: cmake --preset release && cmake --build build/release")
    if reason := isolate.why_not():
        return _fail(f"build a lab: {reason}")
    isolate.enter()
    return matrix.run(kinds, chosen.json)


def _faults(chosen):
    words = [sys.executable, str(programs.ROOT / "tests/lab/lab_test.py"), "cluster"]
    for option in ("only", "json"):
        if value := getattr(chosen, option):
            words += [f"--{option}", value]
    os.execv(words[0], words)


def _fail(what):
    print(f"lab: failed to {what}", file=sys.stderr)
    return 2


def main():
    chosen = _parser().parse_args()
    try:
        return chosen.function(chosen)
    except (spec.SpecError, RuntimeError, OSError) as error:
        return _fail(str(error))
