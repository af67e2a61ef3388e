#!/usr/bin/env bash
# Tests of ./rlrun and scripts/bootstrap, in copies of them: cargo is a stub, the packages are empty wheels of the right names and
# versions, and there is no network. Takes about a minute. Usage: scripts/tests/setup.sh [NAME OF A TEST]
set -eu

repo=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export PIP_NO_INDEX=1 PIP_FIND_LINKS=$work/wheels PIP_CONFIG_FILE=/dev/null
unset LIBTORCH RLRUN_PYTHON RLRUN_TORCH_INDEX CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR RUSTUP_TOOLCHAIN CXX RLRUN_VENV PYO3_PYTHON
n_passed=0 n_failed=0

# --- what the tests run in -----------------------------------------------------------------------------------------------

make_wheels() {
    local python=$repo/.venv/bin/python
    [ -x "$python" ] || python=python3
    mkdir -p "$work/wheels"
    "$python" - "$repo/scripts/requirements.txt" "$work/wheels" <<'PY'
import re, sys, zipfile
FILES = {"torch": ["torch/lib/libtorch.so", "torch/include/torch/x.h"], "ale-py": ["ale_py/_ale_py.py"]}
for line in open(sys.argv[1]):
    found = re.match(r"([\w-]+)==([\d.]+)", line)
    if not found:
        continue
    name, version = found.groups()
    module = name.replace("-", "_")
    info = f"{module}-{version}.dist-info"
    files = {f"{module}/__init__.py": "def main(): pass\n", **{f: "" for f in FILES.get(name, [])}}
    files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    files[f"{info}/WHEEL"] = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    if name == "tensorboard":
        files[f"{info}/entry_points.txt"] = "[console_scripts]\ntensorboard = tensorboard:main\n"
    files[f"{info}/RECORD"] = "".join(f"{f},,\n" for f in files) + f"{info}/RECORD,,\n"
    with zipfile.ZipFile(f"{sys.argv[2]}/{module}-{version}-py3-none-any.whl", "w") as wheel:
        for path, text in files.items():
            wheel.writestr(path, text)
PY
}

# A cargo that builds a script which says what it was given, and notes that it was called.
make_stubs() {
    mkdir -p "$work/bin"
    cat >"$work/bin/cargo" <<'STUB'
#!/bin/sh
case $1 in
--version) echo "cargo 1.95.0 (stub)" ;;
build)
    echo "$* RUSTFLAGS=${RUSTFLAGS-unset}" >>"$CARGO_CALLS"
    case "$*" in *--features*) [ -z "${FEATURES_FAIL-}" ] || { echo "error: stub of SDL2" >&2; exit 101; } ;; esac
    [ -z "${CARGO_FAILS-}" ] || { echo "error: stub" >&2; exit 101; }
    target=${CARGO_TARGET_DIR:-target}
    case $target in /*) ;; *) target=$PWD/$target ;; esac
    mkdir -p "$target/release"
    printf '%s\n' '#!/bin/sh' 'echo "in $PWD: $*"' '[ "${1-}" != wait ] || { trap "exit 7" TERM; while :; do sleep 0.1; done; }' \
        'exit ${RLRUN_EXIT-0}' >"$target/release/rlrun.$$"
    chmod +x "$target/release/rlrun.$$"
    mv "$target/release/rlrun.$$" "$target/release/rlrun" # as cargo does: whoever runs the old one is not disturbed
    echo '{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"other"},"executable":null}'
    echo '{"reason":"compiler-artifact","target":{"kind":["bin"],"crate_types":["bin"],"name":"rlrun"},"executable":"'"$target"'/release/rlrun","fresh":false}' ;;
esac
STUB
    printf '#!/bin/sh\necho "host: stub"\n' >"$work/bin/rustc"
    # Whether this machine has SDL2_gfx, and what apt may do here, must not matter.
    cat >"$work/bin/cc" <<STUB
#!/bin/sh
case \$1 in
-print-file-name=libSDL2_gfx*) if [ -e "$work/gfx/lib.so" ]; then echo "$work/gfx/lib.so"; else echo libSDL2_gfx.so; fi ;;
*) exec $(command -v cc) "\$@" ;;
esac
STUB
    cat >"$work/bin/apt-get" <<STUB
#!/bin/sh
echo "\$*" >>"$work/apt-calls"
[ -n "\${APT_WORKS-}" ] || { echo "E: stub of apt"; exit 100; }
mkdir -p "$work/gfx" && : >"$work/gfx/lib.so"
STUB
    printf '#!/bin/sh\necho "${STUB_UID-1000}"\n' >"$work/bin/id"
    printf '#!/bin/sh\n' >"$work/bin/make"
    chmod +x "$work"/bin/*
    PATH=$work/bin:$PATH
    export CARGO_CALLS=$work/cargo-calls
}

# copy_to FOLDER: the scripts, and no more of the repository than they look at.
copy_to() {
    mkdir -p "$1/src"
    cp -R "$repo/rlrun" "$repo/scripts" "$repo/Cargo.toml" "$repo/rust-toolchain.toml" "$1"
    echo 'fn main() {}' >"$1/src/main.rs"
}

# set_up_to FOLDER: as after a first call there.
set_up_to() {
    copy_to "$1"
    "$1/rlrun" >/dev/null 2>&1
}

# Makes $dir a folder that is set up, the same one for all tests that ask for it: a virtual environment takes seconds to make.
already_set_up() {
    dir="$work/set up/rlrun"
    [ -d "$dir" ] || set_up_to "$dir"
    "$dir/rlrun" >/dev/null 2>&1
    : >"$CARGO_CALLS"
}

# A folder of programs from which those named are missing.
path_without() {
    local name program folder=$work/path-without-$#-$1
    mkdir -p "$folder"
    for name in bash sh env dirname readlink cat sed head tail mkdir rm mv cp chmod printf grep awk df find touch sleep uname flock ls; do
        program=$(command -v "$name") || continue
        ln -sf "$program" "$folder/$name"
    done
    for name in "$@"; do rm -f "$folder/$name"; done
    printf '%s' "$folder"
}

fail() {
    printf '    %s\n' "$@" >&2
    exit 1
}

# call EXPECTED_STATUS COMMAND...: leaves what it printed in $work/out and $work/err.
call() {
    local expected=$1 status=0
    shift
    "$@" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" -eq "$expected" ] || fail "exit status $status, not $expected, of: $*" "$(cat "$work/err")"
}

says() { grep -qF -- "$1" "$work/err" || fail "it does not say: $1" "$(cat "$work/err")"; }
silent() { [ ! -s "$work/err" ] || fail "it says: $(cat "$work/err")"; }

# --- the tests, each in a folder of its own ($dir, which does not exist yet) ---------------------------------------------

test_a_first_call_sets_up_builds_and_runs() {
    copy_to "$dir"
    call 0 "$dir/rlrun" --game "Ms Pacman"
    says "making the virtual environment"
    says "writing .cargo/config.toml"
    [ "$(cat "$work/out")" = "in $PWD: --game Ms Pacman" ] || fail "$(cat "$work/out")"
    grep -qF "LIBTORCH = { value = \"$dir/.venv/lib/" "$dir/.cargo/config.toml" || fail "$(cat "$dir/.cargo/config.toml")"
}

test_a_second_call_says_nothing_and_needs_neither_pip_nor_cargo() {
    already_set_up
    PIP_FIND_LINKS='' call 0 "$dir/rlrun" games
    silent
    [ ! -s "$CARGO_CALLS" ] || fail "cargo was called"
}

test_the_exit_status_and_signals_are_the_binarys() {
    already_set_up
    RLRUN_EXIT=3 call 3 "$dir/rlrun"
    "$dir/rlrun" wait >/dev/null &
    sleep 0.5
    kill -TERM $!
    local status=0
    wait $! || status=$?
    [ "$status" -eq 7 ] || fail "status $status"
}

test_it_runs_in_the_callers_folder_and_through_a_link() {
    already_set_up
    mkdir -p "$work/elsewhere"
    ln -sf "$dir/rlrun" "$work/elsewhere/linked"
    cd "$work/elsewhere"
    call 0 ./linked here
    [ "$(cat "$work/out")" = "in $work/elsewhere: here" ] || fail "$(cat "$work/out")"
}

test_an_edited_source_is_built_once() {
    already_set_up
    sleep 0.1
    echo '// edited' >>"$dir/src/main.rs"
    call 0 "$dir/rlrun"
    call 0 "$dir/rlrun"
    [ "$(wc -l <"$CARGO_CALLS")" -eq 1 ] || fail "$(cat "$CARGO_CALLS")"
    rm "$dir/target/release/rlrun"
    call 0 "$dir/rlrun"
}

test_a_failed_build_ends_it_and_the_next_call_tries_again() {
    copy_to "$dir"
    CARGO_FAILS=1 call 1 "$dir/rlrun"
    says "cargo could not build rlrun"
    call 0 "$dir/rlrun"
}

test_rustflags_of_the_user_do_not_switch_off_ours() {
    copy_to "$dir"
    RUSTFLAGS=-Copt-level=1 call 0 "$dir/rlrun"
    grep -q 'RUSTFLAGS=unset' "$CARGO_CALLS" || fail "$(cat "$CARGO_CALLS")"
}

test_another_target_folder_is_found() {
    already_set_up
    CARGO_TARGET_DIR=$work/other-target call 0 "$dir/rlrun" there
    [ -x "$work/other-target/release/rlrun" ] || fail "nothing was built there"
    call 0 "$dir/rlrun" back
}

test_a_moved_folder_is_repaired_without_a_network() {
    set_up_to "$work/first place"
    mv "$work/first place" "$dir"
    PIP_FIND_LINKS='' call 0 "$dir/rlrun"
    if grep -r "first place" "$dir/.venv/bin" "$dir/.venv/pyvenv.cfg" "$dir/.cargo"; then fail "the old folder is still named"; fi
    call 0 "$dir/.venv/bin/tensorboard"
    call 0 "$dir/rlrun"
    silent
}

test_a_half_installed_package_is_installed_again() {
    already_set_up
    rm "$dir"/.venv/lib/python*/site-packages/torch-*.dist-info/RECORD "$dir"/.venv/lib/python*/site-packages/torch/lib/libtorch.so
    call 0 "$dir/rlrun"
    says "was installed in part only"
    ls "$dir"/.venv/lib/python*/site-packages/torch/lib/libtorch.so >/dev/null || fail "libtorch is not back"
}

test_a_failed_pip_is_reported_and_the_next_call_goes_on() {
    copy_to "$dir"
    PIP_FIND_LINKS='' call 1 "$dir/rlrun"
    says "pip failed"
    call 0 "$dir/rlrun"
}

test_changed_pins_are_installed() {
    already_set_up
    echo '# another line' >>"$dir/scripts/constraints.txt"
    call 0 "$dir/rlrun"
    says "the set-up is complete"
    call 0 "$dir/rlrun"
    silent
}

test_the_configuration_is_written_only_where_it_differs() {
    already_set_up
    touch -t 202001010000 "$dir/.cargo/config.toml"
    rm "$dir/.venv/rlrun-setup/stamp"
    call 0 "$dir/scripts/bootstrap"
    [ "$dir/.cargo/config.toml" -ot "$dir/Cargo.toml" ] || fail "it was written again"
    echo '# edited' >>"$dir/.cargo/config.toml"
    call 0 "$dir/scripts/bootstrap"
    says "writing .cargo/config.toml"
}

check_two_at_once() {
    copy_to "$dir"
    "$dir/rlrun" one >/dev/null 2>"$work/err-one" &
    call 0 "$dir/rlrun" two
    wait $! || fail "the first one failed" "$(cat "$work/err-one")"
    [ "$(cat "$work/err" "$work/err-one" | grep -c 'making the virtual environment')" -eq 1 ] || fail "both made .venv"
    cat "$work/err" "$work/err-one" | grep -q "waiting for it" || fail "nobody waited"
}

test_two_at_once_take_turns() { check_two_at_once; }

test_two_at_once_take_turns_without_flock() {
    local path
    path=$(path_without flock)
    for name in c++ cc as ld wc; do ln -sf "$(command -v "$name")" "$path/$name"; done
    RLRUN_PYTHON=$(python3 -c 'import sys; print(sys.executable)')
    export RLRUN_PYTHON
    PATH=$work/bin:$path check_two_at_once
    [ ! -e "$dir/.setup-lock.d" ] || fail "the lock was left behind"
}

test_what_is_missing_is_named_with_the_commands_that_install_it() {
    copy_to "$dir"
    PATH=$(path_without cargo) HOME=$work/nowhere CARGO_HOME=$work/nowhere call 1 "$dir/rlrun"
    says "Rust 1."
    says "a C++ compiler"
    says "Python 3.10 to 3.14"
    says "sudo apt install build-essential"
    says "sudo dnf install python3-devel"
    says "brew install python@3.13"
}

test_a_python_that_will_not_do_is_named_with_the_reason() {
    copy_to "$dir"
    for reason in "old:is older than 3.10" "static:without a shared library" "no-libpython:no shared library" "no-venv:no venv module"; do
        printf '#!/bin/sh\nprintf "version=3.9\\nexecutable=/x\\nproblem=%s\\n"\n' "${reason%%:*}" >"$work/bin/odd-python"
        chmod +x "$work/bin/odd-python"
        RLRUN_PYTHON=odd-python call 1 "$dir/rlrun"
        says "odd-python is 3.9 and"
        says "${reason#*:}"
    done
    RLRUN_PYTHON=/nowhere/python call 1 "$dir/rlrun"
    says "RLRUN_PYTHON is /nowhere/python, which does not run"
}

test_an_old_cargo_is_refused() {
    copy_to "$dir"
    mkdir -p "$work/old"
    printf '#!/bin/sh\necho "cargo 1.80.1 (stub)"\n' >"$work/old/cargo"
    printf '#!/bin/sh\nexit 1\n' >"$work/old/rustup"
    chmod +x "$work/old/cargo" "$work/old/rustup"
    PATH=$work/old:$PATH call 1 "$dir/rlrun"
    says "only 1.80.1"
}

test_an_own_libtorch_is_used_remembered_and_given_up() {
    local own=$work/own-libtorch
    mkdir -p "$own/lib" "$own/include/torch"
    copy_to "$dir"
    LIBTORCH=$own call 1 "$dir/rlrun"
    says "which holds no libtorch"
    touch "$own/lib/libtorch.so"
    echo 2.3.0+cpu >"$own/build-version"
    LIBTORCH=$own call 1 "$dir/rlrun"
    says "which is of version 2.3.0+cpu"
    sed -n 's/^torch==\([0-9.]*\).*/\1+cpu/p' "$repo/scripts/requirements.txt" >"$own/build-version"
    LIBTORCH=$own call 0 "$dir/rlrun"
    if ls -d "$dir"/.venv/lib/python*/site-packages/torch >/dev/null 2>&1; then fail "torch was installed"; fi
    call 0 "$dir/rlrun"
    silent
    grep -qF "value = \"$own\"" "$dir/.cargo/config.toml" || fail "$(cat "$dir/.cargo/config.toml")"
    LIBTORCH='' call 0 "$dir/rlrun"
    grep -qF "value = \"$dir/.venv" "$dir/.cargo/config.toml" || fail "$(cat "$dir/.cargo/config.toml")"
    # cargo gives our own libtorch to what it runs.
    LIBTORCH=$(echo "$dir"/.venv/lib/python*/site-packages/torch) call 0 "$dir/rlrun"
    silent
}

test_torch_comes_from_the_index_that_was_chosen() {
    local wheel
    wheel=$(cd "$work/wheels" && echo torch-*.whl)
    mkdir -p "$work/index/torch"
    cp "$work/wheels/$wheel" "$work/index/torch/"
    echo "<a href=\"$wheel\">$wheel</a>" >"$work/index/torch/index.html"
    copy_to "$dir"
    rm -rf "$work/no-torch"
    cp -R "$work/wheels" "$work/no-torch"
    rm "$work"/no-torch/torch-*
    PIP_FIND_LINKS=$work/no-torch PIP_NO_INDEX=0 RLRUN_TORCH_INDEX=file://$work/index call 0 "$dir/rlrun"
    says "installing torch=="
    PIP_FIND_LINKS='' call 0 "$dir/rlrun"
    silent
    RLRUN_TORCH_INDEX='' call 0 "$dir/rlrun"
    says "removing torch"
}

test_without_the_library_of_the_classics_it_goes_on_and_names_the_command_once() {
    copy_to "$dir"
    call 0 "$dir/rlrun"
    says "left out: CartPole and MountainCar"
    says "sudo apt install libsdl2-gfx-dev"
    [ ! -e "$work/apt-calls" ] || fail "apt-get was called without being root"
    if grep -q -- --features "$CARGO_CALLS"; then fail "$(cat "$CARGO_CALLS")"; fi
    call 0 "$dir/rlrun"
    silent
}

test_root_gets_the_library_from_apt_and_a_failure_is_no_end() {
    copy_to "$dir"
    STUB_UID=0 call 0 "$dir/rlrun"
    says "that did not work: E: stub of apt"
    says "sudo apt install libsdl2-gfx-dev"
    rm "$dir/.venv/rlrun-setup/stamp"
    STUB_UID=0 APT_WORKS=1 call 0 "$dir/rlrun"
    says "installing libsdl2-gfx-dev with apt-get"
    if grep -q "left out" "$work/err"; then fail "$(cat "$work/err")"; fi
    grep -q -- "--features classic" "$CARGO_CALLS" || fail "$(cat "$CARGO_CALLS")"
    call 0 "$dir/rlrun"
    silent
}

test_a_library_that_comes_or_goes_later_is_noticed() {
    copy_to "$dir"
    call 0 "$dir/rlrun"
    mkdir -p "$work/gfx"
    : >"$work/gfx/lib.so"
    : >"$CARGO_CALLS"
    call 0 "$dir/rlrun"
    grep -q -- "--features classic" "$CARGO_CALLS" || fail "$(cat "$CARGO_CALLS")"
    call 0 "$dir/rlrun"
    silent
    rm "$work/gfx/lib.so"
    : >"$CARGO_CALLS"
    call 0 "$dir/rlrun"
    says "left out"
    if grep -q -- --features "$CARGO_CALLS"; then fail "$(cat "$CARGO_CALLS")"; fi
}

test_where_the_feature_cannot_be_built_the_rest_is() {
    mkdir -p "$work/gfx"
    : >"$work/gfx/lib.so"
    copy_to "$dir"
    FEATURES_FAIL=1 call 0 "$dir/rlrun"
    says "built without the feature classic"
    : >"$CARGO_CALLS"
    call 0 "$dir/rlrun"
    [ ! -s "$CARGO_CALLS" ] || fail "it was tried again"
}

# --- running them --------------------------------------------------------------------------------------------------------

make_wheels
make_stubs
# shellcheck disable=SC2013  # names without spaces
for name in $(sed -n 's/^\(test_[a-z_]*\)() .*/\1/p' "$0"); do
    [ -z "${1-}" ] || [ "$1" = "$name" ] || continue
    dir="$work/$name with spaces/rlrun"
    mkdir -p "${dir%/*}"
    : >"$CARGO_CALLS"
    rm -rf "$work/gfx" "$work/apt-calls"
    status=0
    (set -e; "$name") || status=$?
    if [ "$status" -eq 0 ]; then
        n_passed=$((n_passed + 1))
        echo "ok      $name"
    else
        n_failed=$((n_failed + 1))
        echo "FAILED  $name"
    fi
    rm -rf "${dir%/*}"
done
echo "setup result: $n_passed passed; $n_failed failed"
[ "$n_failed" -eq 0 ]
