"""The Debian package, as CPack makes it of what was built, and the Debian that it is for."""

import pathlib
import subprocess

LIMIT = 120


def output(*command, **how):
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, **how)
    assert done.returncode == 0, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout


def package(build, folder):
    output("cpack", "-G", "DEB", "--config", build / "CPackConfig.cmake", "-B", folder, cwd=build)
    deb, = pathlib.Path(folder).glob("rendezvous_*.deb")
    return deb


def depends(deb):
    """The names of the packages."""
    return [one.split()[0] for one in output("dpkg-deb", "-f", deb, "Depends").split(",")]


def bookworm(file, *include):
    """A smallest Debian 12 as tar, from a mirror; unless it is there."""
    if not file.exists():
        also = ["--include=" + ",".join(include)] if include else []
        part = file.with_name("part-" + file.name)  # an interrupted one is no base
        subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", *also, "bookworm", part], check=True)
        part.rename(file)
    return file
