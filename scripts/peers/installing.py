"""Each peer in a Python environment of its own, with the versions of its .txt, made at the first call and when these change."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
# Asked of a Python before it is taken: some distributions leave out what makes environments.
QUESTION = "import ensurepip, sys, venv; print('%d.%d' % sys.version_info[:2])"


class Peer(NamedTuple):
    key: str
    program: str
    pythons: tuple
    """Versions that its packages work with, the best first."""


SB3 = Peer("sb3", "Stable-Baselines3", ("3.11", "3.12", "3.13"))
# The package cleanrl, and the EnvPool that its scripts are made for, refuse Python 3.11.
CLEANRL = Peer("cleanrl", "CleanRL", ("3.10",))
SAMPLE_FACTORY = Peer("sf", "Sample Factory", ("3.11",))
PEERS = {peer.key: peer for peer in (SB3, CLEANRL, SAMPLE_FACTORY)}


class MissingPython(Exception):
    """No Python that a peer works with; not an error, but something to be said."""


class InstallationFailed(Exception):
    """A peer could not be installed; what pip said stands above."""


def folder():
    return Path(os.environ.get("RLRUN_PEERS") or ROOT / "target" / "peers").absolute()


def python_of(peer, named=None):
    """The Python of a peer that is installed; installs it if it is not.

    Raises MissingPython and InstallationFailed.
    """
    venv, pins = folder() / peer.key, HERE / f"{peer.key}.txt"
    python, stamp = venv / "bin/python", venv / "installed.txt"
    if not (stamp.is_file() and stamp.read_text() == pins.read_text() and python.exists()):
        base = named or find_python(peer)
        print(f"installing {peer.program} into {venv}; with torch it takes some GB", file=sys.stderr, flush=True)
        install(base, venv, pins)
        stamp.write_text(pins.read_text())
    return python


def find_python(peer):
    for version in peer.pythons:
        for candidate in candidates(version):
            if version_of(candidate) == version:
                return candidate
    raise MissingPython(f"{peer.program} is left out: it needs Python {' or '.join(peer.pythons)} with the module venv, and there is none on "
                        "PATH or in pyenv's folder" + ("; --python310 names one" if "3.10" in peer.pythons else ""))


def candidates(version):
    """This Python, one on PATH, and those of pyenv, whose commands on PATH work in some folders only."""
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    in_pyenv = sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"), reverse=True)
    return [sys.executable, *filter(None, [shutil.which(f"python{version}")]), *in_pyenv]


def version_of(python):
    """As "3.10"; none if it does not run or cannot make environments."""
    try:
        asked = subprocess.run([python, "-c", QUESTION], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None


def install(base, venv, pins):
    torch = next(line for line in pins.read_text().splitlines() if line.startswith("torch=="))
    call([base, "-m", "venv", "--clear", venv])
    pip = [venv / "bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    index = os.environ.get("RLRUN_TORCH_INDEX")
    if index:  # as scripts/bootstrap does: the index of torch need not have the rest
        call([*pip, "--no-deps", "--index-url", index, torch])
    call([*pip, torch, "--constraint", pins])
    # The rest needs nothing that is not in the list, though some of it says so.
    call([*pip, "--no-deps", "--requirement", pins])


def call(command):
    """Says nothing of the command itself: an index may have a password in it."""
    try:
        status = subprocess.run(command, stdout=sys.stderr, env=environment()).returncode
    except OSError as error:
        raise InstallationFailed(f"{command[0]}: {error.strerror}") from error
    if status != 0:
        raise InstallationFailed(f"{' '.join(map(str, command[1:3]))} ended with exit status {status}")


def environment():
    """The caller's, without what would mix other packages in."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
