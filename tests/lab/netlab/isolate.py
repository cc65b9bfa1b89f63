"""The private namespaces that a lab lives in.

A lab is one process tree in a process-id namespace of its own, with its own mounts and networks.
When the first process of that tree ends, however it ends, the kernel ends all others, and with
them go the namespaces, interfaces, rules and files: there is nothing to clean up.
As root that takes unshare(2); as anyone else also a user namespace, where the system allows it.
"""

import functools
import os
import subprocess
import sys

_INSIDE = "RENDEZVOUS_LAB_INSIDE"
_PRIVATE = ["--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
_USER = ["--user", "--map-root-user"]
_TOOLS = {"ip": "iproute2", "nft": "nftables", "unshare": "util-linux", "nsenter": "util-linux"}
# What a lab needs from the kernel, tried for real: a bridge, a veth pair, a NAT rule.
_PROBE = ("mount -n -t tmpfs lab /run && ip link add lan type bridge && ip link add type veth && "
          "nft add table inet t && nft 'add chain inet t c { type nat hook postrouting priority 100; }' "
          "&& nft add rule inet t c masquerade")


def inside():
    return _INSIDE in os.environ


def path_with_sbin():
    return os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"


@functools.cache
def unshare_command():
    """How to enter private namespaces on this machine: (command, None) or (None, reason)."""
    os.environ["PATH"] = path_with_sbin()
    missing = sorted({package for tool, package in _TOOLS.items() if not _find(tool)})
    if missing:
        return None, f"network namespaces need {', '.join(missing)}: apt-get install {' '.join(missing)}"
    reasons = []
    for flags in ([[], _USER] if os.geteuid() == 0 else [_USER]):
        command = ["unshare", *flags, *_PRIVATE]
        probe = subprocess.run([*command, "sh", "-c", _PROBE], capture_output=True, text=True)
        if probe.returncode == 0:
            return command, None
        reasons.append((probe.stderr.strip().splitlines() or ["no reason given"])[-1])
    who = "root has no right to make them here" if os.geteuid() == 0 else \
        "you are not root, and this system gives users no namespaces of their own"
    return None, f"no network namespaces: {who} ({reasons[-1]})"


def why_not():
    """Why no lab can be built here, as a sentence; None if one can."""
    return None if inside() else unshare_command()[1]


def enter():
    """Runs this program again inside private namespaces. Returns only there."""
    if inside():
        # Network namespaces are named by mounts, which stay in this mount namespace.
        if not os.path.ismount("/run/netns"):
            subprocess.run(["mount", "-n", "-t", "tmpfs", "-o", "mode=755", "lab", "/run"], check=True)
        return
    command, reason = unshare_command()
    if reason:
        raise RuntimeError(reason)
    environment = {**os.environ, _INSIDE: "1"}
    sys.stdout.flush()
    os.execvpe(command[0], [*command, sys.executable, *sys.argv], environment)


def _find(tool):
    return any(os.access(os.path.join(folder, tool), os.X_OK)
               for folder in os.environ["PATH"].split(":"))
