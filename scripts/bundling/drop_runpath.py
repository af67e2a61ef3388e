"""Takes the folders that the loader looks into (RUNPATH, RPATH) out of ELF files, in place: they name the machine that linked them.

Usage: drop_runpath.py FILE... The entries go, and those after them move up; the strings stay, and nothing refers to them.
"""

import struct
import sys
from pathlib import Path

PT_DYNAMIC = 2
DT_NULL, DT_RPATH, DT_RUNPATH = 0, 15, 29
PROGRAM_HEADER = struct.Struct("<IIQQQQQQ")  # type, flags, offset, vaddr, paddr, filesz, memsz, align
ENTRY = struct.Struct("<qQ")  # tag, value


def dynamic_section(elf: bytes) -> tuple[int, int]:
    """Offset and size in bytes of the dynamic section."""
    if elf[:6] != b"\x7fELF\x02\x01":
        raise SystemExit("drop_runpath: not a 64-bit little-endian ELF file")
    (start,) = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    for idx in range(count):
        kind, _, offset, _, _, n_bytes, _, _ = PROGRAM_HEADER.unpack_from(elf, start + idx * size)
        if kind == PT_DYNAMIC:
            return offset, n_bytes
    raise SystemExit("drop_runpath: not dynamically linked")


def without_runpath(elf: bytes) -> bytes:
    """The same file, of the same length, whose loader looks where it looks by itself."""
    offset, n_bytes = dynamic_section(elf)
    entries = list(ENTRY.iter_unpack(elf[offset : offset + n_bytes]))
    kept = [entry for entry in entries if entry[0] not in (DT_RPATH, DT_RUNPATH)]
    kept += [(DT_NULL, 0)] * (len(entries) - len(kept))
    section = b"".join(ENTRY.pack(*entry) for entry in kept)
    return elf[:offset] + section + elf[offset + n_bytes :]


for name in sys.argv[1:]:
    path = Path(name)
    path.write_bytes(without_runpath(path.read_bytes()))
