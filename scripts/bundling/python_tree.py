"""Copies the Python of the virtual environment that runs this, as far as rlrun needs it: standard library, ale-py and numpy.

Usage: python_tree.py FOLDER. FOLDER/lib/pythonX.Y gets them without tests, headers, tools, and what describes this machine. Modules
are compiled, so that nothing is written where the bundle lies; the compiled files hold for their sources whatever their times are.
"""

import compileall
import py_compile
import re
import shutil
import subprocess
import sys
import sysconfig
from importlib import metadata
from pathlib import Path

PACKAGES = ("ale-py", "numpy")
# In the standard library: what needs libraries of its own, makes environments, or is about building and testing.
LEFT_OUT_OF_STDLIB = re.compile(
    r"(test|tests|idlelib|tkinter|turtledemo|turtle\.py|lib2to3|ensurepip|venv|pydoc_data|__pycache__|"
    r"site-packages|dist-packages|lib-dynload|config-.*|_sysconfigdata.*|.*\.(a|o|exe))$"
)
# In packages: the same, and what only compilers and type checkers read.
LEFT_OUT_OF_PACKAGES = re.compile(r"(tests?|f2py|distutils|include|_pyinstaller|conftest\.py|__pycache__|.*\.(pyi|pxd|pyc|h|a|c|ini|pc))$")
# An extension module that needs more than these is left out; Python and numpy do without all of them.
LIBRARIES_OF_EXTENSIONS = re.compile(r"(libc|libm|libdl|librt|libpthread|ld-linux-x86-64|libz|libpython[\d.]+)\.so[\d.]*$")


def needed(library: Path) -> list[str]:
    """The libraries that a shared library is linked with."""
    text = subprocess.run(["readelf", "-d", library], check=True, capture_output=True, text=True).stdout
    return re.findall(r"\(NEEDED\).*\[(.*)\]", text)


def copy_stdlib(lib: Path) -> None:
    """The modules in Python, and the extension modules that run wherever Python runs."""

    def left_out(_folder: str, names: list[str]) -> list[str]:
        return [name for name in names if LEFT_OUT_OF_STDLIB.match(name)]

    shutil.copytree(sysconfig.get_path("stdlib"), lib, ignore=left_out)
    (lib / "lib-dynload").mkdir()  # Python tells by this folder where it is installed
    for module in sorted(Path(sysconfig.get_config_var("DESTSHARED")).glob("*.so")):
        is_for_tests = "test" in module.name or module.name.startswith(("_xx", "xx"))
        if not is_for_tests and all(LIBRARIES_OF_EXTENSIONS.match(name) for name in needed(module)):
            shutil.copy2(module, lib / "lib-dynload")


def copy_package(name: str, site_packages: Path) -> None:
    """The files that pip installed for a package, its metadata and licences among them."""
    files = metadata.distribution(name).files
    if not files:
        raise SystemExit(f"python_tree: {name} does not say which files are its own")
    for file in files:
        if ".." in file.parts or any(LEFT_OUT_OF_PACKAGES.match(part) for part in file.parts):
            continue
        target = site_packages / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(file.locate(), target)


def main(folder: Path) -> None:
    """Fills FOLDER/lib."""
    lib = folder / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    copy_stdlib(lib)
    for name in PACKAGES:
        copy_package(name, lib / "site-packages")
    if sys.platlibdir != "lib":  # lib64, where this Python looks for itself
        (folder / sys.platlibdir).symlink_to("lib")
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH
    if not compileall.compile_dir(lib, maxlevels=20, quiet=1, stripdir=folder, invalidation_mode=mode):
        raise SystemExit("python_tree: a module could not be compiled (the message is above)")


main(Path(sys.argv[1]))
