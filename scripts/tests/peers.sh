#!/usr/bin/env bash
# Tests of scripts/bench-peers with stand-ins for rlrun and for the peers: nothing is installed, nothing is trained. Takes some seconds.
# Usage: scripts/tests/peers.sh [NAME OF A TEST]
set -eu

repo=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset RLRUN_PYTHON310 RLRUN_TORCH_INDEX PYENV_ROOT
n_passed=0 n_failed=0
real_python=$(python3 -c 'import sys; print(sys.executable)') # what is on PATH may be a script that chooses one
# Whatever is wrong with these tests, nothing is downloaded.
export PIP_NO_INDEX=1 PIP_CONFIG_FILE=/dev/null PIP_FIND_LINKS=''

# --- stand-ins -----------------------------------------------------------------------------------------------------------

# next_number WHO-AGENT-ENVS: the first line of the file of that name, which it takes out; 100 where there is none. The lines "fail" and
# "hang" do what they say.
cat >"$work/next_number" <<'STUB'
#!/usr/bin/env bash
file=$NUMBERS/$1
echo "$1" >>"$CALLS"
number=100
if [ -s "$file" ]; then
    IFS= read -r number <"$file"
    sed -i 1d "$file"
fi
case $number in
fail) echo "out of luck" >&2 && exit 3 ;;
hang) echo $$ >"$CALLS.hanging" && exec sleep 60 ;;
esac
echo "$number"
STUB

# As rlrun: refuses the game Wrong, prints plans, and writes the JSON of bench train.
cat >"$work/rlrun" <<'STUB'
#!/usr/bin/env bash
case " $* " in
*" --version "*) echo "rlrun 9.8.7" && exit 0 ;;
*" --game Wrong "*) echo "rlrun: there is no game Wrong" >&2 && exit 2 ;;
*" --game probe:"*) printf 'game = "probe:position"\n' && exit 0 ;;
*" --dry-run "*) printf '# memory = about 1_014 MB\n\ngame = "MsPacman"\n' && exit 0 ;;
esac
while [ $# -gt 0 ]; do
    case $1 in --agent) agent=$2 ;; --envs) envs=$2 ;; --json) json=$2 ;; esac
    shift
done
number=$(next_number "rlrun-$agent-$envs") || exit $?
[ -z "${SLOWLY-}" ] || sleep 1
cat >"$json" <<JSON
{"machine": {"libtorch": "2.11.0"}, "rows": [{"steps_per_s": {"median": $number}, "peak_memory_mb": 300.5, "cores_had": 1.9}]}
JSON
STUB

# As the Python of a peer, called with its script; of the peer sb3 it can be told to take memory in a child.
cat >"$work/python" <<'STUB'
#!/usr/bin/env bash
who=$(basename "$1" .py) agent=$2
while [ $# -gt 0 ]; do
    case $1 in --envs) envs=$2 ;; esac
    shift
done
number=$(next_number "$who-$agent-$envs") || exit $?
[ -z "${HUNGRY-}" ] || "$HUNGRY" -c 'import time; a = b"x" * 200_000_000; time.sleep(1.2); del a'
echo "a line of no importance"
others=0.01
[ "$number" != 77 ] || others=0.7
echo "{\"program\": \"Peer $who 1.2\", \"steps_per_s\": $number, \"cores_had\": 1.5, \"cores_of_others\": $others, \"versions\": {\"$who\": \"1.2\"}}"
STUB
chmod +x "$work/next_number" "$work/rlrun" "$work/python"
export PATH=$work:$PATH RLRUN=$work/rlrun CALLS=$work/calls NUMBERS=$work/numbers

# installed PEER...: as if it had been.
installed() {
    local peer
    for peer; do
        mkdir -p "$RLRUN_PEERS/$peer/bin"
        cp "$work/python" "$RLRUN_PEERS/$peer/bin/python"
        cp "$repo/scripts/peers/$peer.txt" "$RLRUN_PEERS/$peer/installed.txt"
    done
}

fail() {
    printf '    %s\n' "$@" >&2
    exit 1
}

# call EXPECTED_STATUS ARGUMENTS...: what it prints is left in $work/out and $work/err.
call() {
    local expected=$1 status=0
    shift
    "$repo/scripts/bench-peers" --seconds 1 "$@" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" -eq "$expected" ] || fail "exit status $status, not $expected, of: $*" "$(cat "$work/err")"
}

says() { grep -qF -- "$1" "$work/err" || fail "it does not say: $1" "$(cat "$work/err")"; }
prints() { grep -qE -- "$1" "$work/out" || fail "it does not print: $1" "$(cat "$work/out")"; }
# numbers SETTING NUMBER...: what comes out of it, call after call.
numbers() { printf '%s\n' "${@:2}" >"$NUMBERS/$1"; }
# holds FILE EXPRESSION: true of the JSON document d.
holds() { python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); assert eval(sys.argv[2]), json.dumps(d, indent=1)' "$@" || fail "$2"; }

# --- the tests -----------------------------------------------------------------------------------------------------------

# refused SENTENCE ARGUMENTS...
refused() {
    call 2 "${@:2}"
    says "$1"
    [ ! -e "$RLRUN_PEERS" ] || fail "$RLRUN_PEERS was made by: ${*:2}"
    [ ! -s "$CALLS" ] || fail "something was measured by: ${*:2}"
}

test_wrong_requests_are_refused_before_anything_is_installed() {
    refused 'there is no game Wrong' --game Wrong
    refused 'nothing has been installed' --game Wrong
    refused 'probe:position is a world of' --game probe:position
    refused '--agents ppo: known are a2c, dqn' --agents ppo
    refused '--peers sb3,rllib: known are sb3, cleanrl, sf' --peers sb3,rllib
    refused 'none of these peers has one of these agents' --peers sf --agents dqn
    refused '--rounds is at least 1' --rounds 0
    refused '--seconds above 0' --seconds nan
    refused 'no file can be written there' --out "$dir/none/numbers.json"
    refused 'no file can be written there' --out "$dir"
    refused 'that is no Python 3.10' --python310 /bin/false
    refused 'invalid int value' --rounds x
}

test_a_program_that_does_not_work_is_said() {
    RLRUN=$dir/none call 1
    says 'is no program that can be run'
    RLRUN=/bin/false call 1
    says 'ended with exit status 1'
    [ ! -e "$RLRUN_PEERS" ] || fail "something was installed"
}

test_ratios_are_those_of_medians() {
    installed sb3 cleanrl
    numbers rlrun-a2c-16 100 300 200
    numbers sb3-a2c-16 50 100 200
    numbers cleanrl-a2c-16 10 20 30
    numbers cleanrl-a2c-64 400 400 500
    numbers rlrun-dqn-1 300 330 360
    numbers sb3-dqn-1 150 150 120
    call 0 --rounds 3 --peers cleanrl,sb3
    prints '^  a2c  rlrun 9.8.7, 16 environments  *200 \(100 - 300\)  *300'
    prints '^  a2c  ratio to Peer sb3 1.2, 16 environments \(the reference\): 2.00; of each round 2.00 \(1.00 - 3.00\)'
    prints '^  a2c  ratio to Peer cleanrl 1.2, 64 environments \(the fastest\): 0.50; of each round 0.40 \(0.25 - 0.75\)'
    prints '^  dqn  ratio to Peer sb3 1.2, 1 environment \(the reference\): 2.20; of each round 2.20 \(2.00 - 3.00\)'
    prints 'its peak memory is not; its plan counts about 1,014 MB'
    [ "$(wc -l <"$CALLS")" -eq 21 ] || fail "not 21 measurements:" "$(cat "$CALLS")"
    [ "$(sed -n '8p' "$CALLS")" = rlrun-a2c-16 ] || fail "not in turn:" "$(cat "$CALLS")"
}

test_a_failed_measurement_is_reported_and_the_rest_go_on() {
    installed sb3
    numbers rlrun-a2c-16 200 400
    numbers sb3-a2c-16 fail 100
    numbers rlrun-dqn-1 fail nonsense
    call 1 --rounds 2 --peers sb3 --out numbers.json
    says 'round 1, a2c of sb3, 16 environments failed: exit status 3'
    says '    out of luck'
    says 'round 2, dqn of rlrun, 1 environment failed: it printed no numbers'
    prints 'ratio to Peer sb3 1.2, 16 environments \(the reference\): 3.00; of each round 4.00 \(4.00 - 4.00\)'
    prints '^  a2c  Peer sb3 .* 1 missing$'
    prints '^3 failed:'
    holds numbers.json 'len(d["measurements"]) == 8 and len(d["problems"]) == 3'
    holds numbers.json '"out of luck" in d["measurements"][1]["error"] and d["summary"]["dqn"]["ours"] is None'
}

test_the_file_says_what_was_measured_where_and_when() {
    installed sb3
    call 0 --rounds 1 --agents a2c --peers sb3 --out numbers.json
    holds numbers.json 'd["machine"]["processor"] and d["machine"]["n_cores"] >= 1 and d["date"].endswith("+00:00")'
    holds numbers.json 'd["versions"] == {"rlrun": {"rlrun": "rlrun 9.8.7", "libtorch": "2.11.0"}, "sb3": {"sb3": "1.2"}}'
    holds numbers.json 'd["request"]["game"] == "MsPacman" and d["request"]["rounds"] == 1'
    holds numbers.json 'all({"steps_per_s", "memory_mb", "cores_had", "cores_of_others", "disturbed"} <= set(m) for m in d["measurements"])'
    holds numbers.json 'd["summary"]["a2c"]["ours_to"]["reference"]["of_medians"] == 1'
}

test_an_interruption_loses_nothing() {
    local pid status=0
    installed sb3
    numbers sb3-a2c-16 50 hang
    "$repo/scripts/bench-peers" --rounds 3 --agents a2c --peers sb3 --out numbers.json >"$work/out" 2>"$work/err" &
    pid=$!
    until [ -s "$CALLS.hanging" ] || ! kill -0 $pid; do sleep 0.05; done
    kill -TERM $pid
    wait $pid || status=$?
    [ "$status" -eq 130 ] || fail "status $status" "$(cat "$work/err")"
    prints 'the reference\): 2.00'
    holds numbers.json 'len(d["measurements"]) == 3'
    [ ! -e numbers.json.new ] || fail "a file is left"
    sleep 0.2
    # One that nobody has buried yet has no command line.
    [ -z "$(cat "/proc/$(cat "$CALLS.hanging")/cmdline" 2>/dev/null | tr -d '\0')" ] || fail "what was measured still runs"
}

test_the_memory_is_the_peak_of_all_processes() {
    installed sb3
    HUNGRY=$real_python call 0 --rounds 1 --agents a2c --peers sb3 --out numbers.json
    holds numbers.json '200 < d["measurements"][1]["memory_mb"] < 300'
}

test_disturbance_is_marked_on_both_sides() {
    local pid
    installed sb3
    numbers sb3-a2c-16 77
    while :; do :; done &
    pid=$!
    SLOWLY=1 call 0 --rounds 1 --agents a2c --peers sb3
    kill $pid
    prints '^round 1, a2c  rlrun .*\(disturbed: others kept'
    prints '^round 1, a2c  Peer sb3 .*\(disturbed: others kept 0.7 cores busy\)'
}

test_without_its_python_a_peer_is_left_out_aloud() {
    [ "$(python3 -c 'import sys; print(sys.version_info[:2])')" != '(3, 10)' ] || { echo '    skipped: this is Python 3.10' && return; }
    installed sb3
    mkdir bin
    printf '#!/bin/sh\nexec "%s" "$@"\n' "$real_python" >bin/python3
    printf '#!/bin/sh\necho "python3.10: command not found" >&2\nexit 127\n' >bin/python3.10
    chmod +x bin/*
    PYENV_ROOT=$dir/none PATH=$PWD/bin:$PATH call 0 --rounds 1 --agents a2c --peers sb3,cleanrl
    says 'CleanRL is left out: it needs Python 3.10'
    prints 'CleanRL is left out: it needs Python 3.10'
    prints 'the reference\): 1.00'
}

test_a_failed_installation_is_reported_and_the_rest_go_on() {
    installed sb3
    # shellcheck disable=SC2016  # for the script
    printf '#!/bin/sh\n[ "$1" = -c ] || exit 5\necho 3.10\n' >python3.10
    chmod +x python3.10
    call 1 --rounds 1 --agents a2c --peers sb3,cleanrl --python310 ./python3.10
    says 'CleanRL could not be installed: -m venv ended with exit status 5'
    prints 'the reference\): 1.00'
    call 1 --rounds 1 --agents a2c --peers cleanrl --python310 ./python3.10
    says 'there is no peer left to compare with'
}

test_a_window_counts_what_lies_between_its_ends() {
    PYTHONPATH=$repo/scripts/peers python3 -B - <<'PYTHON' || fail "the window is wrong"
import itertools, types
import measuring
clock = itertools.count(1000.0)
measuring.time = types.SimpleNamespace(perf_counter=lambda: next(clock))
window = measuring.Window(types.SimpleNamespace(warmup=5, seconds=10))
# Steps grow with the square of time, so that each other window has another rate: from 5 to 15 it is (225 - 25) / 10.
second = next(second for second in itertools.count() if window.is_over(second**2))
assert second == 15 and window.numbers()["steps_per_s"] == 20, (second, window.numbers())
assert measuring.core_seconds(measuring.tree(measuring.os.getpid())) >= 0 and measuring.busy_core_seconds() > 0
PYTHON
}

# --- running them --------------------------------------------------------------------------------------------------------

# shellcheck disable=SC2013  # names without spaces
for name in $(sed -n 's/^\(test_[a-z0-9_]*\)() .*/\1/p' "$0"); do
    [ -z "${1-}" ] || [ "$1" = "$name" ] || continue
    dir=$work/$name
    export RLRUN_PEERS=$dir/peers
    rm -rf "$NUMBERS"
    mkdir -p "$dir" "$NUMBERS"
    : >"$CALLS"
    status=0
    (set -e; cd "$dir"; "$name") || status=$?
    if [ "$status" -eq 0 ]; then
        n_passed=$((n_passed + 1))
        echo "ok      $name"
    else
        n_failed=$((n_failed + 1))
        echo "FAILED  $name"
    fi
done
echo "peers result: $n_passed passed; $n_failed failed"
[ "$n_failed" -eq 0 ]
