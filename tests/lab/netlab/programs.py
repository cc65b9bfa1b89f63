"""Where the programs are: ours in a build folder, foreign ones on the PATH."""

import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[3]
_WIRE_SOURCE = ROOT / "tests/lab/wire.cpp"


def folders():
    """Build folders in the order in which they are searched; LAB_BIN comes before all."""
    chosen = os.environ.get("LAB_BIN")
    names = [pathlib.Path(chosen)] if chosen else []
    return names + [ROOT / "build" / preset / "bin" for preset in ("release", "dev", "asan")]


def find(name):
    """The path of one of our programs, or None if it is not built."""
    for folder in folders():
        if os.access(folder / name, os.X_OK):
            return str(folder / name)
    return None


def require(name):
    """Its path; FileNotFoundError says how it is built."""
    if path := find(name):
        return path
    raise FileNotFoundError(f"{name} is not built: cmake --preset release && cmake --build build/release")


def wire():
    """The delay forwarder; compiled on the spot (a second) where no build has made it."""
    built = find("lab_wire") or str(ROOT / "build/lab/lab_wire")
    if os.path.exists(built) and os.path.getmtime(built) >= os.path.getmtime(_WIRE_SOURCE):
        return built
    own = ROOT / "build/lab/lab_wire"
    own.parent.mkdir(parents=True, exist_ok=True)
    compiler = shutil.which("c++") or shutil.which("g++")
    if not compiler:
        raise RuntimeError("the lab needs a C++ compiler for its cables: apt-get install g++")
    subprocess.run([compiler, "-std=c++2b", "-O2", str(_WIRE_SOURCE), "-o", f"{own}.{os.getpid()}"],
                   check=True)
    os.replace(f"{own}.{os.getpid()}", own)
    return str(own)
