"""Says whether the Python that runs this can be embedded in rlrun, as lines `key=value`.

`problem` is empty, or one of: old, new, implementation, no-venv, static, no-libpython. It must run under any Python at all, so it is
written in the words that all of them know.
"""

import os
import sys
import sysconfig


def libpython():
    """The folder and the file that the linker needs, or (None, None)."""
    var = sysconfig.get_config_var
    folder = var("LIBDIR") or os.path.join(sys.base_prefix, "lib")
    names = [var("LDLIBRARY"), "libpython%s.so" % var("LDVERSION"), "libpython%s.dylib" % var("LDVERSION")]
    for name in names:
        if name and not name.endswith(".a") and os.path.exists(os.path.join(folder, name)):
            return folder, os.path.join(folder, name)
    framework = var("PYTHONFRAMEWORKPREFIX")  # macOS
    if framework and os.path.exists(os.path.join(framework, var("LDLIBRARY"))):
        return framework, os.path.join(framework, var("LDLIBRARY"))
    return None, None


def problem(library):
    """Why this Python will not do, as one word."""
    if sys.version_info < (3, 10):
        return "old"
    if sys.version_info >= (3, 15):
        return "new"
    if sys.implementation.name != "cpython" or sysconfig.get_config_var("Py_GIL_DISABLED") or sys.maxsize < 2**32:
        return "implementation"
    if not (sysconfig.get_config_var("Py_ENABLE_SHARED") or sysconfig.get_config_var("PYTHONFRAMEWORK")):
        return "static"
    if library is None:
        return "no-libpython"
    try:
        import ensurepip  # noqa: F401  (Debian ships venv without it)
        import venv  # noqa: F401
    except ImportError:
        return "no-venv"
    return ""


if sys.version_info < (3, 10):
    folder, library = None, None
else:
    folder, library = libpython()
for fact in (
    ("version", "%d.%d" % sys.version_info[:2]),
    ("executable", os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable)),
    ("libdir", folder or ""),
    ("library", library or ""),
    ("problem", problem(library)),
):
    sys.stdout.write("%s=%s\n" % fact)
