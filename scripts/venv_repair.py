"""Repairs the virtual environment that runs this after an interrupted pip and after a move to another folder.

1. A package whose installation was cut off looks installed to pip. Its metadata goes, so that pip installs it again.
2. The commands in bin/ name their Python by its absolute path. Those that name another folder's are pointed here.

Prints what it did, one line each; nothing where nothing was wrong.
"""

import os
import re
import shutil
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

SITE_PACKAGES = Path(sysconfig.get_path("purelib"))
BIN = Path(sys.prefix) / "bin"
# The two forms in which pip writes a first line; the second one is for paths that are long or hold a space.
DIRECT = re.compile(rb"\A#!([^\n]*/\.venv/bin/python[0-9.]*)\n")
THROUGH_SH = re.compile(rb"\A#!/bin/sh\n'''exec' \"?([^\n\"]*/\.venv/bin/python[0-9.]*)\"? \"\$0\" \"\$@\"\n' '''\n")
LONGEST_SHEBANG = 127


def is_whole(info: Path) -> bool:
    """Whether pip came to the end: RECORD is what it writes last, and every file in it is there."""
    if not (info / "RECORD").is_file():
        return False
    files = metadata.PathDistribution(info).files or []
    return all(f.suffix == ".pyc" or f.locate().exists() for f in files)


def drop_half_installed() -> None:
    for info in sorted(SITE_PACKAGES.glob("*.dist-info")):
        if not is_whole(info):
            shutil.rmtree(info)
            print(f"{info.name.removesuffix('.dist-info')} was installed in part only, and is installed again")
    for leftover in SITE_PACKAGES.glob("~*"):  # what pip renames a package to while it replaces it
        shutil.rmtree(leftover, ignore_errors=True)


def first_lines(python: bytes) -> bytes:
    if b" " in python or len(python) + 3 > LONGEST_SHEBANG:
        return b"#!/bin/sh\n'''exec' \"" + python + b"\" \"$0\" \"$@\"\n' '''\n"
    return b"#!" + python + b"\n"


def relocate_commands() -> None:
    here = os.fsencode(BIN) + b"/"
    moved = 0
    for path in sorted(BIN.iterdir()):
        if path.is_symlink() or not path.is_file():
            continue
        text = path.read_bytes()
        found = DIRECT.match(text) or THROUGH_SH.match(text)
        if found is None or found[1].startswith(here):
            continue
        mode = path.stat().st_mode
        new = path.with_name(path.name + ".new")
        new.write_bytes(first_lines(here + os.path.basename(found[1])) + text[found.end() :])
        new.chmod(mode)
        new.replace(path)
        moved += 1
    if moved:
        print(f"{moved} commands in {BIN} named the Python of another folder, and name this one's now")


drop_half_installed()
relocate_commands()
