#!/usr/bin/python3
"""The image of the shipped Dockerfile, built by buildah on a Debian made by mmdebstrap (no registry is asked),
and the server in it, run as it is by default in a network namespace of its own. A whole build: for people.

    sudo apt install buildah mmdebstrap && sudo tests/package/container_test.py [--base debian.tar] [--keep FOLDER]

usage: container_test.py [--base FILE] [--keep FOLDER] [unittest arguments]

  --base    a bookworm as tar, as mmdebstrap makes it; else one is made
  --keep    a folder for the images, used again next time
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import debian  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]
LIMIT = 60  # of a step that builds nothing
NOBODY = "65534"


def missing():
    if os.geteuid() != 0:
        return "root"
    return next((p for p in ("buildah", "mmdebstrap", "unshare", "nsenter", "ip") if shutil.which(p) is None), None)


def arguments():
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--base")
    parser.add_argument("--keep")
    return parser.parse_known_args()


CHOSEN, REST = arguments()


class Images:
    def __init__(self, folder):
        # Copied layers and a chroot work where overlays and containers do not.
        self.command = ["buildah", "--root", f"{folder}/root", "--runroot", f"{folder}/run", "--storage-driver", "vfs"]

    def run(self, *words, **how):
        done = subprocess.run([*self.command, *words], stdout=subprocess.PIPE, text=True, **how)
        assert done.returncode == 0, f"buildah {words[0]} ended with {done.returncode}"
        return done.stdout.strip()

    def names(self):
        return {name for image in json.loads(self.run("images", "--json") or "[]") for name in image["names"] or []}

    def take(self, base):
        container = self.run("from", "scratch")
        self.run("add", "--quiet", container, base, "/")
        self.run("commit", "--quiet", container, "docker.io/library/debian:12")
        self.run("rm", container)
        self.run("tag", "docker.io/library/debian:12", "docker.io/library/debian:12-slim")


class Container(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.scratch = tempfile.TemporaryDirectory()
        folder = pathlib.Path(CHOSEN.keep or cls.scratch.name)
        cls.images = Images(folder)
        if "docker.io/library/debian:12-slim" not in cls.images.names():
            cls.images.take(CHOSEN.base or debian.bookworm(folder / "debian.tar"))
        cls.images.run("bud", "--isolation", "chroot", "--pull-never", "--file", "signaling/deploy/Dockerfile",
                       "--tag", "rendezvous", ".", cwd=ROOT)
        cls.container = cls.images.run("from", "--pull-never", "rendezvous")
        cls.config = json.loads(cls.images.run("inspect", "--type", "image", "rendezvous"))["OCIv1"]["config"]

    @classmethod
    def tearDownClass(cls):
        cls.images.run("rm", cls.container)
        cls.scratch.cleanup()

    def command(self, *words):
        return [*self.images.command, "run", "--isolation", "chroot", self.container, "--", *words]

    def test_what_the_image_says_of_itself(self):
        self.assertEqual(self.config["User"], "nobody")
        self.assertEqual(self.config["StopSignal"], "SIGTERM")
        self.assertLessEqual({"8080/tcp", "3478/udp", "3478/tcp"}, set(self.config["ExposedPorts"]))
        size, = [image["size"] for image in json.loads(self.images.run("images", "--json"))
                 if "localhost/rendezvous:latest" in (image["names"] or [])]
        print(f"the image: {size}", file=sys.stderr)

    def test_nothing_of_the_build_is_in_it(self):
        folder = pathlib.Path(self.images.run("mount", self.container))
        self.addCleanup(self.images.run, "umount", self.container)
        self.assertTrue((folder / "usr/bin/signaling-server").exists())
        for left_over in ("source", "package", "usr/bin/g++", "usr/bin/cmake"):
            self.assertFalse((folder / left_over).exists(), left_over)
        self.assertEqual([*(folder / "tmp").iterdir(), *(folder / "var/lib/apt/lists").iterdir()], [])

    def test_the_server_serves_by_default_as_nobody_and_drains(self):
        process = subprocess.Popen(["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh",
                                    *self.command(*self.config["Entrypoint"])], stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        said = []
        for line in process.stderr:
            said.append(line)
            if '"ready"' in line:
                break
        self.assertIn('"ready"', said[-1], "".join(said))
        server = self.server_under(process.pid)
        status = dict(line.split(":\t", 1) for line in pathlib.Path(f"/proc/{server}/status").read_text().splitlines())
        self.assertEqual(set(status["Uid"].split()), {NOBODY})
        self.assertEqual(int(status["CapEff"], 16), 0)
        inside = ["nsenter", "--net", "--target", str(server)]
        asked = subprocess.run([*inside, "/usr/bin/python3", "-c", "import urllib.request as u;"
                                "print(u.urlopen('http://127.0.0.1:9090/healthz', timeout=30).status)"],
                               capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual(asked.stdout, "200\n", asked.stderr)
        gathered = subprocess.run([*inside, *self.command("peer-cli", "-s", "ws://127.0.0.1:8080", "--bind", "127.0.0.1",
                                                          "gather")], capture_output=True, text=True, timeout=LIMIT)
        self.assertEqual(gathered.returncode, 0, gathered.stderr)
        self.assertIn("127.0.0.1", gathered.stdout)
        os.kill(server, signal.SIGTERM)
        said.append(process.communicate(timeout=LIMIT)[1])
        self.assertEqual(process.returncode, 0, "".join(said))
        self.assertIn('"stopped"', said[-1])

    @staticmethod
    def server_under(pid):
        """The one process below `pid` that runs the server."""
        below = [pid]
        for parent in below:
            for task in pathlib.Path(f"/proc/{parent}/task").iterdir():
                below += map(int, (task / "children").read_text().split())
        found, = [p for p in below if pathlib.Path(f"/proc/{p}/comm").read_text().strip() == "signaling-serve"]
        return found


if __name__ == "__main__":
    if lacking := missing():
        print(f"{lacking} is missing")
        sys.exit(77)
    unittest.main(argv=sys.argv[:1] + REST)
