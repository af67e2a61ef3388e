# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # variables go both ways between this and scripts/bootstrap
# What has to be on the machine before scripts/bootstrap can do the rest. Sourced by it; `root`, `venv`, `state`, `say` and
# `sdl2_gfx` are its own.
#
# check_prerequisites sets python (the one to use), python_version ("3.12"), python_libdir and python_library, and cxx (empty where
# c++ will do), or says what is missing, and how to get it, and ends the script. want_sdl2_gfx never ends it.

missing=

# lacks WHAT DEBIAN FEDORA MACOS: one prerequisite is missing; the others are still looked at, so that one message names all.
lacks() {
    missing="$missing
  * $1
      Debian, Ubuntu:  $2
      Fedora:          $3
      macOS:           $4
"
}

# The lowest version of Rust that will do, as in "1.95".
wanted_rust() {
    sed -n 's/^rust-version = "\([0-9.]*\)".*/\1/p' "$root/Cargo.toml" | head -n 1
}

# at_least HAVE WANT: compares "1.95.0" with "1.95".
at_least() {
    local have_major=${1%%.*} have_minor=${1#*.} want_major=${2%%.*} want_minor=${2#*.}
    have_minor=${have_minor%%.*} want_minor=${want_minor%%.*}
    [ "$have_major" -gt "$want_major" ] || { [ "$have_major" -eq "$want_major" ] && [ "$have_minor" -ge "$want_minor" ]; }
}

# The version of cargo in this folder, as in "1.95.0"; empty where it does not run.
cargo_version() {
    (cd "$root" && cargo --version 2>/dev/null) | sed -n 's/^cargo \([0-9]*\.[0-9]*\.[0-9]*\).*/\1/p'
}

# rustup does not run cargo here while the toolchain of rust-toolchain.toml is not installed: install it, or use another.
choose_toolchain() {
    local pinned name version
    pinned=$(sed -n 's/^channel = "\(.*\)"/\1/p' "$root/rust-toolchain.toml")
    say "installing Rust $pinned (rustup toolchain install)"
    if rustup toolchain install "$pinned" --profile minimal --component clippy --component rustfmt >&2; then
        return
    fi
    for name in $(rustup toolchain list | sed 's/ .*//'); do
        version=$(RUSTUP_TOOLCHAIN=$name cargo_version)
        if [ -n "$version" ] && at_least "$version" "$(wanted_rust)"; then
            say "Rust $pinned cannot be fetched; using the toolchain $name ($version)."
            say "for a plain cargo: export RUSTUP_TOOLCHAIN=$name"
            export RUSTUP_TOOLCHAIN=$name
            return
        fi
    done
}

check_rust() {
    local version
    if command -v cargo >/dev/null 2>&1; then
        version=$(cargo_version)
        if [ -z "$version" ] && command -v rustup >/dev/null 2>&1; then
            choose_toolchain
            version=$(cargo_version)
        fi
        if [ -n "$version" ] && at_least "$version" "$(wanted_rust)" && (cd "$root" && rustc --version >/dev/null 2>&1); then
            return
        fi
        lacks "Rust $(wanted_rust) or newer: cargo is there, but ${version:+only }${version:-it does not run here}" \
            "rustup update stable   (or: sudo apt install rustup && rustup default stable)" \
            "rustup update stable   (or: sudo dnf install rustup && rustup-init -y)" \
            "rustup update stable   (or: brew upgrade rust)"
    else
        lacks "Rust $(wanted_rust) or newer (cargo is not in PATH)" \
            "sudo apt install rustup && rustup default stable   (where apt has no rustup: the installer on rustup's site)" \
            "sudo dnf install rustup && rustup-init -y" \
            "brew install rust"
    fi
}

compiles_cxx() {
    printf '#include <string>\nint main() { return std::string().size(); }\n' |
        "$1" -x c++ -std=c++17 - -o /dev/null >/dev/null 2>&1
}

check_cxx() {
    local name
    cxx=
    if [ -n "${CXX-}" ]; then
        return # the user's own choice, maybe with flags: cargo will report on it
    fi
    for name in c++ g++ clang++; do
        if command -v "$name" >/dev/null 2>&1 && compiles_cxx "$name" && command -v cc >/dev/null 2>&1; then
            [ "$name" = c++ ] || cxx=$name
            return
        fi
    done
    lacks "a C++ compiler (c++, g++ or clang++, with its standard library, and cc, which Rust links with)" \
        "sudo apt install build-essential" \
        "sudo dnf install gcc-c++" \
        "xcode-select --install"
}

# Reads the facts of the Python $1 into fact_*; fails where it does not run.
read_facts() {
    local facts
    command -v "$1" >/dev/null 2>&1 || return 1
    facts=$("$1" "$root/scripts/python_facts.py" 2>/dev/null) || return 1
    fact_version=$(printf '%s\n' "$facts" | sed -n 's/^version=//p')
    fact_executable=$(printf '%s\n' "$facts" | sed -n 's/^executable=//p')
    fact_libdir=$(printf '%s\n' "$facts" | sed -n 's/^libdir=//p')
    fact_library=$(printf '%s\n' "$facts" | sed -n 's/^library=//p')
    fact_problem=$(printf '%s\n' "$facts" | sed -n 's/^problem=//p')
    [ -n "$fact_version" ]
}

describe_problem() {
    case $1 in
    old) echo "is older than 3.10" ;;
    new) echo "is newer than 3.14, which torch has no package for" ;;
    implementation) echo "is not a 64-bit CPython with a GIL" ;;
    static) echo "was built without a shared library (with pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared pyenv install VERSION)" ;;
    no-libpython) echo "has no shared library that can be linked to" ;;
    no-venv) echo "has no venv module with pip" ;;
    *) echo "does not run" ;;
    esac
}

# The Python of .venv as long as it works, so that what is installed stays in use; else the first that will do.
check_python() {
    local name refused='' candidates="$venv/bin/python
python3
python3.13
python3.12
python3.11
python3.10
python3.14"
    [ -z "$wanted_python" ] || candidates=$wanted_python
    while IFS= read -r name; do
        if read_facts "$name"; then
            if [ -z "$fact_problem" ]; then
                python=$fact_executable python_version=$fact_version
                python_libdir=$fact_libdir python_library=$fact_library
                return
            fi
            refused="$refused
      ($name is $fact_version and $(describe_problem "$fact_problem"))"
        elif [ -n "$wanted_python" ]; then
            refused="
      (RLRUN_PYTHON is $name, which does not run)"
        fi
    done <<EOF
$candidates
EOF
    lacks "Python 3.10 to 3.14 with its shared library and the venv module; RLRUN_PYTHON names the one to use$refused" \
        "sudo apt install python3-dev python3-venv" \
        "sudo dnf install python3-devel" \
        "brew install python@3.13"
}

check_prerequisites() {
    check_rust
    check_cxx
    check_python
    if [ -n "$missing" ]; then
        say "cannot be set up, because this is missing:"
        printf '%s\n' "$missing" >&2
        say "install it, then give the same command again."
        exit 1
    fi
}

# CartPole and MountainCar need SDL2_gfx, and nothing else does: it is installed where that takes no password, and otherwise named.
want_sdl2_gfx() {
    local log
    [ "$(sdl2_gfx)" = none ] || return 0
    if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing libsdl2-gfx-dev with apt-get, for CartPole and MountainCar"
        log=$state/apt.log
        if apt_get install >"$log" 2>&1 || { apt_get update && apt_get install; } >>"$log" 2>&1; then
            [ "$(sdl2_gfx)" = none ] || return 0
        fi
        say "that did not work: $(tail -n 1 "$log")"
    fi
    say "left out: CartPole and MountainCar, because SDL2_gfx or make is not installed. Atari needs neither. To have them, give"
    say "    sudo apt install libsdl2-gfx-dev make      (Fedora: sudo dnf install SDL2_gfx-devel make)"
    say "and then the same command again."
}

# apt_get install | update: quietly, without questions, and not for long where there is no network.
apt_get() {
    local what=$1
    set -- --yes -qq -o DPkg::Lock::Timeout=60 -o Acquire::Retries=1 -o Acquire::http::Timeout=20
    [ "$what" = update ] || set -- "$@" --no-install-recommends
    set -- "$@" "$what"
    [ "$what" = update ] || set -- "$@" libsdl2-gfx-dev make
    DEBIAN_FRONTEND=noninteractive apt-get "$@" </dev/null 9>&-
}
