#!/usr/bin/env bash
# Tests of scripts/bundle: the archive is made, unpacked into an empty folder and used in an empty environment, as on another machine.
# Takes one to two minutes. Usage: scripts/tests/bundle.sh [NAME OF A TEST]
# BUNDLE_BINARY, where it is set, is the rlrun to take; else what is not built yet is built.
set -euo pipefail

repo=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
n_passed=0 n_failed=0 n_skipped=0
readonly LARGEST_BYTES=60000000

# --- what the tests run in -----------------------------------------------------------------------------------------------

make_bundle() {
    archive=$("$repo/scripts/bundle" ${BUNDLE_BINARY:+--binary "$BUNDLE_BINARY"} "$work/out")
    mkdir "$work/some folder"
    tar -xf "$archive" -C "$work/some folder"
    bundle=$(echo "$work/some folder"/rlrun-*)
    chmod -R a-w "$bundle" # as where an administrator unpacked it
    touch "$work/unpacked" # later than anything in the bundle: the archive carries the time of a commit
    venv=$(cd "$repo/.venv" && pwd -P)
    torch=$(sed -n 's/^LIBTORCH = { value = "\(.*\)", force.*/\1/p' "$repo/.cargo/config.toml")
}

# in_bundle ARGUMENTS...: rlrun of the bundle in an environment that holds nothing but where torch is.
in_bundle() { env -i LIBTORCH="$torch" "$bundle/rlrun" "$@"; }

# The same, with every file that is looked at noted in $work/trace.
traced_in_bundle() {
    env -i LIBTORCH="$torch" strace -f -s 4096 -e trace=%file -o "$work/trace" "$bundle/rlrun" "$@"
}

fail() {
    printf '    %s\n' "$@" >&2
    exit 1
}

# A test that cannot be made here ends with this.
skip() {
    printf '    %s\n' "$@" >&2
    exit 77
}

# call EXPECTED_STATUS COMMAND...: leaves what it printed in $work/printed.
call() {
    local expected=$1 status=0
    shift
    "$@" >"$work/printed" 2>&1 || status=$?
    [ "$status" -eq "$expected" ] || fail "exit status $status, not $expected, of: $*" "$(cat "$work/printed")"
}

says() { grep -qF -- "$1" "$work/printed" || fail "it does not say: $1" "$(cat "$work/printed")"; }

# newest_step RUN: the step of its newest checkpoint, 0 where there is none yet.
newest_step() {
    local step
    step=$(find "$1/checkpoints" -name 'step-*.safetensors' 2>/dev/null | sed 's/.*step-0*\([0-9][0-9]*\)\..*/\1/' | sort -n | tail -n 1) || true
    printf '%s' "${step:-0}"
}

# --- the tests, each in an empty folder ----------------------------------------------------------------------------------

test_the_archive_is_small() {
    local bytes
    bytes=$(stat -c %s "$archive")
    [ "$bytes" -lt "$LARGEST_BYTES" ] || fail "$bytes bytes, not below $LARGEST_BYTES"
}

test_doctor_finds_everything_in_the_bundle_but_torch() {
    call 0 in_bundle doctor
    says "($bundle/bin/rlrun)"
    says " in $torch"
    says "108 in $bundle/lib"
    if grep -q '✗' "$work/printed"; then fail "$(cat "$work/printed")"; fi
}

test_a2c_trains() {
    call 0 in_bundle --game MsPacman --steps 400 --name a --quiet
    says "400 steps"
    grep -q '"steps": *400\b' runs/MsPacman/a2c-conv/a/summary.json || fail "$(cat runs/MsPacman/a2c-conv/a/summary.json)"
}

test_dqn_goes_on_after_a_kill() {
    local run=runs/Pong/dqn-conv/d pid waited=0
    # Not through in_bundle: a function in the background is a shell, which would be killed instead.
    env -i LIBTORCH="$torch" "$bundle/rlrun" --game Pong --agent dqn --name d --steps 3k --quiet --set dqn.replay_capacity=3000 \
        --set dqn.learning_starts_steps=100 --set run.checkpoint_interval_seconds=1 >"$work/first" 2>&1 &
    pid=$!
    # shellcheck disable=SC2064  # this process, whatever becomes of the variable
    trap "kill -KILL $pid 2>/dev/null || true" EXIT
    until [ "$(newest_step "$run")" -gt 100 ]; do
        waited=$((waited + 1))
        if [ "$waited" -gt 300 ] || ! kill -0 "$pid" 2>/dev/null; then
            fail "no checkpoint was written" "$(cat "$work/first")"
        fi
        sleep 0.1
    done
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null || true
    [ ! -e "$run/summary.json" ] || fail "it was over before it was killed"
    call 0 in_bundle --resume "$run" --quiet
    [ "$(newest_step "$run")" -eq 3000 ] || fail "it ended at step $(newest_step "$run")"
}

test_a_coordinate_task_is_learned_for_an_epoch() {
    call 0 in_bundle toy classification --epochs 1
    [ -n "$(find . -name summary.json)" ] || fail "no summary.json" "$(cat "$work/printed")"
}

test_nothing_of_the_machine_that_made_it_is_looked_at() {
    command -v strace >/dev/null 2>&1 || skip "strace is not installed"
    local base
    base=$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
    [ "$base" = "${base#/usr/lib}" ] || base=/nonexistent # the loader and Python of the system look there as well
    call 0 traced_in_bundle --game MsPacman --steps 160 --name t --quiet
    grep -qF "\"$bundle/lib/libpython" "$work/trace" || fail "the trace is empty"
    # Absolute names of this repository, .venv and Python, but for torch and the libraries of CUDA beside it.
    grep -o '"/[^"]*"' "$work/trace" | tr -d '"' | sort -u |
        awk -v repo="$repo/" -v venv="$venv/" -v base="${base%/lib/*}/" -v torch="$torch" -v nvidia="${torch%/*}/nvidia/" '
            index($0, torch "/") == 1 || $0 == torch || index($0, nvidia) == 1 { next }
            index($0, repo) == 1 || index($0, venv) == 1 || index($0, base) == 1' >"$work/foreign"
    [ ! -s "$work/foreign" ] || fail "$(head -n 20 "$work/foreign")"
}

test_no_folder_is_linked_in() {
    local file
    for file in "$bundle/bin/rlrun" "$bundle"/lib/*.so*; do
        if readelf -d "$file" | grep -E 'R(UN)?PATH' | grep -vF "[\$ORIGIN"; then fail "$file"; fi
    done
}

test_an_installed_torch_is_found_by_asking_python() {
    [ -x "$venv/bin/python" ] && [ "${torch#"$venv"}" != "$torch" ] || skip "torch is not in .venv"
    call 0 env -i RLRUN_PYTHON="$venv/bin/python" "$bundle/rlrun" --version
    says "rlrun"
    mkdir bin
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$venv/bin/python" >bin/python3
    chmod +x bin/python3
    mkdir torch # in the current folder: no torch
    call 0 env -i PATH="$PWD/bin:/usr/bin:/bin" "$bundle/rlrun" doctor
    says " in $torch"
    ln -s "$bundle/rlrun" linked
    call 0 env -i PATH="$PWD/bin:/usr/bin:/bin" ./linked --version
}

test_variables_for_another_rlrun_or_python_do_not_reach_it() {
    call 0 env -i LIBTORCH="$torch" RLRUN_VENV=/nonexistent PYTHONHOME=/nonexistent PYTHONPATH=/nonexistent "$bundle/rlrun" doctor
    says "in $bundle"
}

test_a_missing_torch_and_one_of_another_version_are_named_with_the_remedy() {
    printf '#!/bin/sh\n' >none
    chmod +x none
    call 1 env -i RLRUN_PYTHON=./none "$bundle/rlrun" doctor
    says "./none has no torch"
    says "set RLRUN_PYTHON"
    call 1 env -i LIBTORCH="$PWD" "$bundle/rlrun" doctor
    says "holds no lib/libtorch_cpu.so"
    mkdir lib
    : >lib/libtorch_cpu.so
    printf "__version__ = '2.1.0+cpu'\n" >version.py
    call 1 env -i LIBTORCH="$PWD" "$bundle/rlrun" doctor
    says "is of version 2.1.0+cpu"
}

test_nothing_is_written_into_the_bundle() {
    call 0 in_bundle doctor
    call 0 in_bundle --game Pong --steps 80 --name w --quiet
    [ -z "$(find "$bundle" -newer "$work/unpacked")" ] || fail "$(find "$bundle" -newer "$work/unpacked")"
}

test_a_wrong_request_is_refused() {
    call 2 "$repo/scripts/bundle" --unknown
    says "unknown argument: --unknown"
    call 2 "$repo/scripts/bundle" --binary
    call 1 "$repo/scripts/bundle" --binary ./nothing out
    says "there is no program ./nothing"
}

# --- running them --------------------------------------------------------------------------------------------------------

if [ "$(uname -s)-$(uname -m)" != Linux-x86_64 ]; then
    echo "bundle result: 0 passed; 0 failed (bundles are for Linux on x86-64)"
    exit 0
fi
make_bundle
# shellcheck disable=SC2013  # names without spaces
for name in $(sed -n 's/^\(test_[a-z0-9_]*\)() .*/\1/p' "$0"); do
    [ -z "${1-}" ] || [ "$1" = "$name" ] || continue
    mkdir "$work/$name"
    status=0
    (set -e; cd "$work/$name"; "$name") || status=$?
    case $status in
    0) n_passed=$((n_passed + 1)) && echo "ok      $name" ;;
    77) n_skipped=$((n_skipped + 1)) && echo "SKIPPED $name" ;;
    *) n_failed=$((n_failed + 1)) && echo "FAILED  $name" ;;
    esac
done
echo "bundle result: $n_passed passed; $n_failed failed; $n_skipped skipped"
[ "$n_failed" -eq 0 ]
