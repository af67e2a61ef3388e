#!/usr/bin/env bash
# Tests of scripts/sweep.sh with a stub in place of rlrun. Takes some seconds. Usage: scripts/tests/sweep.sh [NAME OF A TEST]
set -eu

sweep=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)/sweep.sh
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unset JOBS
n_passed=0 n_failed=0

# Makes the run folder as rlrun does, under the game's own spelling. Bad fails; Slow saves a checkpoint on a signal and stops.
cat >"$work/rlrun" <<'STUB'
#!/usr/bin/env bash
[ "$1" != --version ] || exit 0
echo "$*" >>"$CALLS"
if [ "$1" = --resume ]; then
    dir=$2
else
    while [ $# -gt 0 ]; do
        case $1 in
        --game) game=$2 ;; --agent) agent=$2 ;; --torso) torso=$2 ;; --runs) runs=$2 ;; --name) name=$2 ;;
        esac
        shift
    done
    case $game in *acman*) game=MsPacman ;; esac
    dir=$runs/$game/$agent-$torso/$name
    mkdir -p "$runs/$game/$agent-$torso"
    mkdir "$dir" || exit 2
    mkdir "$dir/checkpoints"
    [ "$game" != Bad ] || exit 1
    if [ "$game" = Slow ]; then
        trap 'echo "$game got a signal" >>"$CALLS"; touch "$dir/checkpoints/step-1.safetensors"; exit 0' INT TERM
        while :; do sleep 0.05; done
    fi
fi
touch "$dir/summary.json"
STUB
chmod +x "$work/rlrun"
export SWEEP_RLRUN=$work/rlrun CALLS=$work/calls

fail() {
    printf '    %s\n' "$@" >&2
    exit 1
}

# call EXPECTED_STATUS ARGUMENTS...: sweeps into $dir/my runs; what it says is left in $work/err.
call() {
    local expected=$1 status=0
    shift
    : >"$CALLS"
    "$sweep" --runs "$dir/my runs" "$@" >"$work/out" 2>"$work/err" || status=$?
    [ "$status" -eq "$expected" ] || fail "exit status $status, not $expected, of: $*" "$(cat "$work/err")"
}

says() { grep -qF -- "$1" "$work/err" || fail "it does not say: $1" "$(cat "$work/err")"; }
n_calls() { [ "$(wc -l <"$CALLS")" -eq "$1" ] || fail "not $1 calls:" "$(cat "$CALLS")"; }

test_every_combination_is_trained_once() {
    call 0 --games 'ms_pacman Pong' --torsos 'conv coordconv' --seeds '1 2' -- --steps 20k
    n_calls 8
    grep -qF -- '--game ms_pacman --agent a2c --torso coordconv --seed 2' "$CALLS" || fail "$(cat "$CALLS")"
    grep -q -- '--name seed2 --steps 20k$' "$CALLS" || fail "$(cat "$CALLS")"
    call 0 --games 'ALE/MsPacman-v5 Pong' --torsos 'conv coordconv' --seeds '1 2' -- --steps 20k
    n_calls 0
    says "0 finished now, 8 were finished before"
}

test_an_interrupted_run_is_resumed() {
    call 0 --games Pong --torsos conv
    rm "$dir/my runs/Pong/a2c-conv/seed1/summary.json"
    touch "$dir/my runs/Pong/a2c-conv/seed1/checkpoints/step-1.safetensors"
    call 0 --games Pong --torsos conv
    [ "$(cat "$CALLS")" = "--resume $dir/my runs/Pong/a2c-conv/seed1" ] || fail "$(cat "$CALLS")"
}

test_a_run_without_a_checkpoint_is_started_anew_and_its_folder_kept() {
    call 0 --games Pong --torsos conv
    rm "$dir/my runs/Pong/a2c-conv/seed1/summary.json"
    call 0 --games Pong --torsos conv
    says "started anew"
    ls -d "$dir/my runs/Pong/a2c-conv/"seed1.without-checkpoint-* >/dev/null || fail "the old folder is gone"
}

test_a_failed_run_is_reported_and_the_rest_go_on() {
    call 1 --games 'Bad Pong' --torsos conv
    n_calls 2
    says "bad a2c-conv seed1: exit status 1"
    says "1 finished now"
}

test_several_at_once_finish_all() {
    JOBS=3 call 1 --games 'Pong Bad MsPacman Qbert' --torsos conv --seeds '1 2'
    n_calls 8
    says "6 finished now"
    [ -f "$dir/my runs/.sweep/pong.a2c-conv.seed1.log" ] || fail "no log"
}

# check_a_signal N: N runs are going on when it comes; each gets it once, and no other is started.
check_a_signal() {
    local pid status=0
    : >"$CALLS"
    "$sweep" --runs "$dir/my runs" --games Slow --torsos conv --seeds '1 2 3' 2>"$work/err" &
    pid=$!
    until [ "$(wc -l <"$CALLS")" -ge "$1" ]; do sleep 0.05; done
    sleep 0.2
    kill -TERM $pid
    wait $pid || status=$?
    [ "$status" -eq 143 ] || fail "status $status" "$(cat "$work/err")"
    n_calls $(($1 * 2))
    [ "$(grep -c 'got a signal' "$CALLS")" -eq "$1" ] || fail "$(cat "$CALLS")"
    says "go on with:"
    unset JOBS
    call 0 --games Slow --torsos conv
    says "resumed from"
}

test_a_signal_stops_it_cleanly_and_it_goes_on_from_there() { check_a_signal 1; }

test_a_signal_stops_all_that_run_at_once() {
    export JOBS=2
    check_a_signal 2
}

test_other_arguments_are_refused() {
    call 0 --games Pong --torsos conv -- --steps 1k
    call 1 --games Pong --torsos conv -- --steps 2k
    says "was started with other arguments"
    call 0 --games Pong --torsos conv --tag longer -- --steps 2k
}

test_wrong_input_is_refused_before_anything_runs() {
    for arguments in "" "--games" "--game Pong" "--games Pong --seeds x" "--games Pong --tag a/b" "--games Pong -- --name x" \
        "--games Pong -- --seed=3"; do
        # shellcheck disable=SC2086  # words
        call 2 $arguments
        n_calls 0
    done
    JOBS=0 call 2 --games Pong
    [ ! -e "$dir/my runs" ] || fail "the folder was made"
}

test_a_dry_run_does_nothing() {
    call 0 --games Pong --torsos conv --dry-run
    n_calls 0
    [ ! -e "$dir/my runs" ] || fail "the folder was made"
    grep -q -- '--game Pong' "$work/out" || fail "$(cat "$work/out")"
}

# shellcheck disable=SC2013  # names without spaces
for name in $(sed -n 's/^\(test_[a-z_]*\)() .*/\1/p' "$0"); do
    [ -z "${1-}" ] || [ "$1" = "$name" ] || continue
    dir="$work/$name"
    mkdir -p "$dir"
    status=0
    (set -e; "$name") || status=$?
    if [ "$status" -eq 0 ]; then
        n_passed=$((n_passed + 1))
        echo "ok      $name"
    else
        n_failed=$((n_failed + 1))
        echo "FAILED  $name"
    fi
done
echo "sweep result: $n_passed passed; $n_failed failed"
[ "$n_failed" -eq 0 ]
