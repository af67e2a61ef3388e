"""How a training is measured: by itself (`Window`: its rate, the cores it had) and by who started it (`watch`: the peak of its memory).

The standard library only, so that every peer's Python has what it needs; all numbers are read from /proc, so Linux only.
"""

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

# Wall seconds between two questions whether a program has ended, and between two looks at its memory. The peak of a single process is
# known without looking; to look at several takes the system a tenth of a second, so that it is done less often.
ASK_EVERY_S = 0.05
LOOK_EVERY_S = 0.5
LOOK_SHARE = 0.02
# Of other programs, in cores: more than this and a measurement counts as disturbed.
DISTURBED_CORES = 0.1
TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class Failure(Exception):
    """A measurement that came to nothing, and why."""


# --- by the training itself ----------------------------------------------------------------------------------------------


class Window:
    """Opens `warmup` seconds after it is first asked, and closes `seconds` later.

        first asked          opened                     closed
             |---- warmup ----|-------- seconds ---------|
    """

    def __init__(self, options):
        self.options = options
        self.first_asked = self.opened = self.closed = None

    def is_over(self, step):
        """To be asked with the agent steps so far, where a whole number of updates has been made."""
        now = time.perf_counter()
        if self.first_asked is None:
            self.first_asked = now
        if self.opened is None:
            if now - self.first_asked >= self.options.warmup:
                self.opened = (now, step, core_seconds(tree(os.getpid())), busy_core_seconds())
        elif self.closed is None and now - self.opened[0] >= self.options.seconds:
            self.closed = (now, step, core_seconds(tree(os.getpid())), busy_core_seconds())
        return self.closed is not None

    def numbers(self):
        length, steps, own, busy = (after - before for before, after in zip(self.opened, self.closed))
        return {
            "steps_per_s": steps / length,
            "seconds": length,
            "cores_had": own / length,
            "cores_of_others": max(0.0, busy - own) / length,
        }


def peer_options(description):
    """What every peer is asked in the same words."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("agent", choices=["a2c", "dqn"])
    parser.add_argument("--game", default="MsPacman")
    parser.add_argument("--envs", type=int, required=True)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--warmup", type=float, default=5, help="seconds of the same work before the clock starts")
    return parser.parse_args()


def report(program, packages, options, window):
    """Prints the one line of JSON; `program` has a place for each version, as "Gymnasium {gymnasium}"."""
    versions = {package: importlib.metadata.version(package) for package in packages}
    line = {"program": program.format(**{package.replace("-", "_"): version for package, version in versions.items()})}
    line |= {"n_envs": options.envs} | window.numbers()
    line["versions"] = versions | {"python": platform.python_version()}
    print(json.dumps(line), flush=True)


def n_cores():
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0))


# --- by who started it ---------------------------------------------------------------------------------------------------


class Seen(NamedTuple):
    """What was seen of a program that ended well."""

    stdout: str
    memory_mb: float
    """The most that its processes held together at one time, in 10^6 bytes."""
    cores_of_others: float
    """That everything else on the machine kept busy, from its start to its end."""


def watch(command, folder, environment, limit_s):
    """Runs a program in `folder` and looks at it meanwhile.

    Raises Failure if it cannot be started, fails, or has not ended after `limit_s`: then it is killed with all that it started.
    """
    out, err = Path(folder) / "stdout", Path(folder) / "stderr"
    began, busy = time.monotonic(), busy_core_seconds()
    with out.open("w") as stdout, err.open("w") as stderr:
        try:
            process = subprocess.Popen(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr,
                                       start_new_session=True)
        except OSError as error:
            raise Failure(f"{command[0]} cannot be started: {error.strerror}") from error
    status, usage, peak = wait_for(process, began + limit_s)
    busy = busy_core_seconds() - busy - usage.ru_utime - usage.ru_stime
    if status != 0:
        raise Failure("\n".join([f"exit status {status}" if status > 0 else f"ended by signal {-status}", *last_lines(err)]))
    largest = usage.ru_maxrss * 1024
    return Seen(out.read_text(errors="replace"), max(peak, largest) / 1e6, max(0.0, busy) / (time.monotonic() - began))


def wait_for(process, deadline):
    """Its exit status, what it used, and the most bytes that its tree was seen to hold."""
    peak, next_look = 0, 0.0
    try:
        while time.monotonic() < deadline:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid != 0:
                process.returncode = os.waitstatus_to_exitcode(status)
                return process.returncode, usage, peak
            began = time.monotonic()
            if began >= next_look:
                peak = max(peak, resident_bytes(tree(process.pid)))
                next_look = began + max(LOOK_EVERY_S, (time.monotonic() - began) / LOOK_SHARE)
            time.sleep(ASK_EVERY_S)
        raise Failure("it had not ended when its time was up")
    finally:
        kill_group(process)


def kill_group(process):
    """Nothing that it started is to disturb what is measured next."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    if process.returncode is None:
        process.wait()


def last_lines(path, n=5):
    return path.read_text(errors="replace").rstrip().splitlines()[-n:]


# --- what the system says ------------------------------------------------------------------------------------------------


def read(path):
    """Nothing of a process that has ended meanwhile."""
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def tree(pid):
    """A process and all that came from it and still run."""
    found = [pid]
    for parent in found:  # which grows
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            found += [int(child) for child in read(children).split()]
    return found


def core_seconds(pids):
    """That these processes, and their children that have ended, had a core."""
    # user, system, and both of waited-for children: fields 14 to 17, counted behind the name, which may hold blanks.
    fields = [read(f"/proc/{pid}/stat").rpartition(")")[2].split()[11:15] for pid in pids]
    return sum(int(ticks) for times in fields for ticks in times) / TICKS_PER_S


def busy_core_seconds():
    """That the cores of the machine were kept busy by anything, the hosts of a virtual machine included."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, read("/proc/stat").splitlines()[0].split()[1:9])
    return (user + nice + system + irq + softirq + steal) / TICKS_PER_S


def resident_bytes(pids):
    """Of several processes each shared page is counted once in all; of one process the quicker sum is the same."""
    if len(pids) == 1:
        pages = read(f"/proc/{pids[0]}/statm").split()
        return int(pages[1]) * os.sysconf("SC_PAGE_SIZE") if pages else 0
    rollups = [line.split() for pid in pids for line in read(f"/proc/{pid}/smaps_rollup").splitlines()]
    return sum(int(line[1]) * 1024 for line in rollups if line[0] == "Pss:")


def processor():
    """As Linux calls it."""
    for line in read("/proc/cpuinfo").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
