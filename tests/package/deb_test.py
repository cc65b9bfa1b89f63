#!/usr/bin/python3
"""The Debian package: made by CPack of what was built, unpacked into a folder, looked at, and run from there.

usage: deb_test.py BUILD_FOLDER
"""

import ctypes
import os
import pathlib
import platform
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import debian
from debian import LIMIT, output
from signaling_server import Server

BUILD = pathlib.Path(sys.argv.pop(1)).resolve()
FILES = {  # and the mode of each
    "etc/signaling-server.toml": "-rw-r--r--",
    "usr/bin/peer-cli": "-rwxr-xr-x",
    "usr/bin/signaling-server": "-rwxr-xr-x",
    "usr/lib/systemd/system/signaling-server.service": "-rw-r--r--",
    "usr/share/doc/rendezvous/copyright": "-rw-r--r--",
    "usr/share/doc/rendezvous/examples/nginx.conf": "-rw-r--r--",
    "usr/share/man/man1/peer-cli.1.gz": "-rw-r--r--",
    "usr/share/man/man1/signaling-server.1.gz": "-rw-r--r--",
}
DEPENDS = ["libc6", "libgcc-s1", "libhiredis0.14", "libjwt0", "libminiupnpc17", "libsodium23", "libspdlog1.10-fmt9",
           "libssl3", "libstdc++6", "libusrsctp2"]
SCRIPTS = {"postinst", "postrm", "prerm"}  # what they do is shown by systemd_test.py
for program in ("cpack", "dpkg-deb", "dpkg-shlibdeps", "file", "groff", "man"):
    if shutil.which(program) is None:
        print(f"{program} is missing")
        sys.exit(77)


# What the unit lets the server open, and a filter that does as systemd then does.
FAMILIES = {"INET": 2, "INET6": 10, "NETLINK": 16, "UNIX": 1}


def only_families(numbers):
    """To be run in a child: socket() of other families fails with EAFNOSUPPORT (seccomp(2); x86-64)."""
    load, equal, give = 0x20, 0x15, 0x06
    body = [(load, 0, 0, 0), (equal, 0, len(numbers) + 2, 41), (load, 0, 0, 16)]  # the call's number; its first argument
    body += [(equal, len(numbers) - i, 0, family) for i, family in enumerate(numbers)]
    body += [(give, 0, 0, 0x00050000 | 97), (give, 0, 0, 0x7FFF0000)]
    code = b"".join(struct.pack("HBBI", *line) for line in body)
    text = ctypes.create_string_buffer(code)
    program = struct.pack("HxxxxxxP", len(body), ctypes.addressof(text))
    libc = ctypes.CDLL(None, use_errno=True)

    def apply():
        if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, program, 0, 0) != 0:
            os._exit(99)
    apply.kept = text
    return apply


class Package(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        folder = pathlib.Path(cls.scratch.name)
        cls.deb = debian.package(BUILD, folder)
        cls.root = folder / "root"
        output("dpkg-deb", "-x", cls.deb, cls.root)

    @classmethod
    def tearDownClass(cls):
        cls.scratch.cleanup()

    def test_what_is_in_it_and_whose(self):
        lines = [line.split() for line in output("dpkg-deb", "-c", self.deb).splitlines()]
        self.assertEqual({owner for _, owner, *_ in lines}, {"root/root"})
        self.assertEqual({name.removeprefix("./"): mode for mode, *_, name in lines if not mode.startswith("d")}, FILES)

    def test_what_it_depends_on_and_says_of_itself(self):
        self.assertEqual(sorted(debian.depends(self.deb)), DEPENDS)
        self.assertEqual(output("dpkg-deb", "-f", self.deb, "Section").strip(), "net")
        control = pathlib.Path(self.scratch.name, "control")
        output("dpkg-deb", "-e", self.deb, control)
        self.assertEqual({p.name for p in control.iterdir()}, {"control", "md5sums", "conffiles", *SCRIPTS})
        self.assertEqual((control / "conffiles").read_text(), "/etc/signaling-server.toml\n")

    def test_manual_pages_say_every_option_and_give_no_warning(self):
        for program in ("peer-cli", "signaling-server"):
            page = self.root / f"usr/share/man/man1/{program}.1.gz"
            source = subprocess.run(["zcat", page], capture_output=True, check=True).stdout
            done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-z"], input=source, capture_output=True)
            self.assertEqual((done.returncode, done.stderr), (0, b""))
            done = subprocess.run(["man", "--warnings", "-l", page], capture_output=True, text=True, timeout=LIMIT,
                                  env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "200"})
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            text = re.sub(r".\x08", "", done.stdout)
            for option in re.findall(r"^  (?:-\w,)?(--[\w-]+)", output(self.root / "usr/bin" / program, "--help"), re.M):
                self.assertIn(option, text)

    def test_the_programs_run_from_where_they_are_unpacked(self):
        server, peer = (self.root / "usr/bin" / name for name in ("signaling-server", "peer-cli"))
        self.assertIn("good", output(server, "--config", self.root / "etc/signaling-server.toml", "--check-config"))
        with Server(server) as running:
            self.assertIn("127.0.0.1", output(peer, "-s", running.url, "--bind", "127.0.0.1", "gather"))
            running.process.terminate()
            running.ends()

    @unittest.skipUnless(platform.machine() == "x86_64", "the filter knows x86-64 only")
    def test_the_server_lives_with_what_the_unit_lets_it_open(self):
        program = self.root / "usr/bin/signaling-server"
        with Server(program, preexec_fn=only_families(list(FAMILIES.values()))) as server:
            server.process.terminate()
            server.ends()
        done = subprocess.run([program, "--listen", "127.0.0.1:0", "--stun", "127.0.0.1:0", "--admin", "none"],
                              capture_output=True, text=True, timeout=LIMIT, preexec_fn=only_families([2, 10]))
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("AF_NETLINK", done.stderr)

    def test_the_unit_is_one_that_systemd_understands_and_holds_it_back(self):
        if shutil.which("systemd-analyze") is None:
            self.skipTest("systemd-analyze is missing")
        unit = pathlib.Path(self.scratch.name, "signaling-server.service")
        text = (self.root / "usr/lib/systemd/system/signaling-server.service").read_text()
        self.assertIn("LimitNOFILE=", text)
        self.assertIn("RestrictAddressFamilies=" + " ".join(f"AF_{name}" for name in FAMILIES) + "\n", text)
        # The page stands in no folder that this machine's man looks into.
        text = text.replace("Documentation=man:signaling-server(1)\n", "")
        unit.write_text(text.replace("/usr/bin/signaling-server", str(self.root / "usr/bin/signaling-server")))
        done = subprocess.run(["systemd-analyze", "verify", "--recursive-errors=no", unit], capture_output=True,
                              text=True, timeout=LIMIT)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        output("systemd-analyze", "security", "--offline=yes", "--threshold=20", unit)  # tenths; 100 is no protection


if __name__ == "__main__":
    unittest.main()
