#!/bin/sh
# Finds torch and becomes bin/rlrun with the same arguments. Asked for torch, in this order:
#   LIBTORCH        the folder of an installed torch or of an unpacked libtorch, whose lib holds libtorch_cpu.so
#   RLRUN_PYTHON    the Python that torch is installed for, a name or a path
#   python3, python the first of PATH that has torch
set -eu

torch_version=@TORCH@

fail() {
    printf 'rlrun: %s\n' "$@" >&2
    exit 1
}

self=$0
while [ -L "$self" ]; do # a link to it in some folder of PATH
    link=$(readlink "$self")
    case $link in
    /*) self=$link ;;
    *) self=$(dirname -- "$self")/$link ;;
    esac
done
here=$(CDPATH='' cd -- "$(dirname -- "$self")" && pwd -P)

# torch is found, not imported, which would take seconds. The empty entry of the path is the current folder.
torch_of() {
    "$1" -c '
import importlib.util, os, sys
sys.path[:] = [entry for entry in sys.path if entry]
spec = importlib.util.find_spec("torch")
if spec and spec.origin:
    print(os.path.dirname(spec.origin))' 2>/dev/null || true
}

torch=${LIBTORCH-}
asked="LIBTORCH is $torch, which"
if [ -z "$torch" ]; then
    for python in ${RLRUN_PYTHON:+"$RLRUN_PYTHON"} python3 python; do
        torch=$(torch_of "$python")
        asked="the torch of $python is $torch, which"
        if [ -n "$torch" ] || [ -n "${RLRUN_PYTHON-}" ]; then break; fi
    done
fi
remedy="activate the environment that has torch $torch_version, or set RLRUN_PYTHON to its Python or LIBTORCH to the folder of torch"
[ -n "$torch" ] || fail "${RLRUN_PYTHON:-python3} has no torch" "$remedy"
[ -e "$torch/lib/libtorch_cpu.so" ] || fail "$asked holds no lib/libtorch_cpu.so" "$remedy"
version=$(sed -n "s/^__version__ = ['\"]\([^'\"]*\).*/\1/p" "$torch/version.py" 2>/dev/null || cat "$torch/build-version" 2>/dev/null || true)
case $version in
'' | "$torch_version" | "$torch_version".*) ;; # where nothing tells, the loader does
*) fail "$asked is of version $version" "$remedy" ;;
esac

LD_LIBRARY_PATH=$here/lib:$torch/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
RLRUN_VENV=$here
export LD_LIBRARY_PATH RLRUN_VENV
exec "$here/bin/rlrun" "$@"
