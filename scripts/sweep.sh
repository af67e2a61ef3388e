#!/usr/bin/env bash
# Trains every combination of games, torsos and seeds, and goes on where it stopped when it is called again.
set -eu

usage() {
    cat <<'EOF'
usage: scripts/sweep.sh --games 'MsPacman Pong' [--torsos 'conv coordconv'] [--seeds '1 2 3']
                        [--agent a2c] [--runs DIR] [--tag NAME] [--dry-run] [-- ARGUMENTS OF rlrun train]

Each run has the fixed folder DIR/<game>/<agent>-<torso>/[<tag>-]seed<k>. When it is called again, a run that is finished
(summary.json is there) is skipped, and one that was interrupted is resumed from its checkpoint. A run that fails is reported,
and the rest go on. Ctrl-C stops all of it: each running rlrun saves a checkpoint first.

  --torsos   default: conv coordconv        --runs   default: runs
  --seeds    default: 1                     --tag    keeps runs with other arguments apart
  --agent    default: a2c                   --dry-run   says what would be done, and does nothing

JOBS=N in the environment runs N at once, each printing to DIR/.sweep/<run>.log.
Sources that are edited meanwhile are built before the next run starts: leave them alone where runs are to be compared.

Exit status: 0 all are finished, 1 a run failed, 2 the request was wrong, 130 or 143 stopped by a signal.
EOF
}

wrong() {
    printf 'sweep: %s\n' "$*" >&2
    usage >&2
    exit 2
}

say() { printf 'sweep: %s\n' "$*" >&2; }

here=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd -P)
rlrun=${SWEEP_RLRUN:-$here/rlrun} # the tests put a stub here
games='' torsos='conv coordconv' seeds=1 agent=a2c runs=runs tag='' dry_run=false

command_line=$(printf '%q ' "$0" "$@")
while [ $# -gt 0 ]; do
    case $1 in
    --games | --torsos | --seeds | --agent | --runs | --tag)
        [ $# -ge 2 ] || wrong "$1 needs a value"
        eval "${1#--}=\$2"
        shift 2
        ;;
    --dry-run) dry_run=true; shift ;;
    -h | --help) usage; exit 0 ;;
    --) shift; break ;;
    *) wrong "unknown argument: $1 (arguments of rlrun come after --)" ;;
    esac
done
jobs=${JOBS:-1}

for argument in "$@"; do # those that decide what a run is and where it goes are ours
    case $argument in
    --game | --game=* | -g* | --torso | --torso=* | --seed | --seed=* | --agent | --agent=* | \
        --runs | --runs=* | --name | --name=* | --resume*)
        wrong "$argument belongs before --, in the plural where it has one" ;;
    esac
done
case $jobs in '' | 0* | *[!0-9]*) wrong "JOBS is '$jobs', not a number from 1 on" ;; esac
case $tag in *[!A-Za-z0-9._-]*) wrong "--tag '$tag' has characters other than letters, digits, '.', '_' and '-'" ;; esac
for seed in $seeds; do
    case $seed in *[!0-9]*) wrong "the seed '$seed' is not a whole number" ;; esac
done
[ -n "${games// /}" ] || wrong "--games names no game"
[ -n "${torsos// /}" ] || wrong "--torsos names no torso"
[ -n "${seeds// /}" ] || wrong "--seeds names no seed"

# --- one run -------------------------------------------------------------------------------------------------------------

# A game's name as all its spellings have it: ALE/MsPacman-v5, ms_pacman and MsPacman are the same.
plain() {
    local name=${1#ALE/}
    printf '%s' "${name%-v5}" | tr '[:upper:]' '[:lower:]' | tr -cd '[:alnum:]'
}

# The folder of the run of $1 = game, $2 = torso, $3 = seed; empty while there is none. rlrun names it after the game's own spelling.
folder_of() {
    local game_folder wanted
    wanted=$(plain "$1")
    for game_folder in "$runs"/*/; do
        game_folder=${game_folder%/}
        if [ -d "$game_folder/$agent-$2/$(name_of "$3")" ] && [ "$(plain "${game_folder##*/}")" = "$wanted" ]; then
            printf '%s' "$game_folder/$agent-$2/$(name_of "$3")"
            return
        fi
    done
}

name_of() { printf '%s' "${tag:+$tag-}seed$1"; }
label_of() { printf '%s' "$(plain "$1") $agent-$2 $(name_of "$3")"; }
note_of() { printf '%s' "$runs/.sweep/$(label_of "$1" "$2" "$3" | tr ' ' '.')"; }

is_finished() { [ -n "$1" ] && [ -f "$1/summary.json" ]; }

has_checkpoint() {
    local file
    for file in "$1"/checkpoints/*.safetensors; do
        if [ -f "$file" ]; then return 0; fi
    done
    return 1
}

# Sets next_command (an array) to what brings the run further, or next_step to the reason why nothing does.
plan_run() {
    local game=$1 torso=$2 seed=$3 folder note aside
    shift 3
    folder=$(folder_of "$game" "$torso" "$seed")
    note=$(note_of "$game" "$torso" "$seed")
    next_command=()
    if [ -n "$folder" ] && [ -f "$note.arguments" ] && [ "$(cat "$note.arguments")" != "$*" ]; then
        next_step="refused: $folder was started with other arguments ($(cat "$note.arguments")); give this sweep a --tag or other --runs"
    elif is_finished "$folder"; then
        next_step=finished
    elif [ -n "$folder" ] && has_checkpoint "$folder"; then
        next_step="resumed from $folder"
        next_command=("$rlrun" --resume "$folder")
    else
        next_step=started
        next_command=("$rlrun" train --game "$game" --agent "$agent" --torso "$torso" --seed "$seed"
            --runs "$runs" --name "$(name_of "$seed")" "$@")
        if [ -n "$folder" ]; then # stopped before its first checkpoint: nothing to go on from
            aside=$folder.without-checkpoint-$(date +%Y%m%d-%H%M%S)
            next_step="started anew (there was no checkpoint; its folder is now $aside)"
            if ! $dry_run && ! is_locked "$folder"; then mv "$folder" "$aside"; fi
        fi
        if ! $dry_run; then
            mkdir -p "$runs/.sweep"
            printf '%s\n' "$*" >"$note.arguments"
        fi
    fi
}

# Whether an rlrun is writing to this folder, as far as can be told.
is_locked() {
    [ -f "$1/lock" ] && command -v flock >/dev/null 2>&1 && ! flock -n "$1/lock" true
}

# --- all of them ---------------------------------------------------------------------------------------------------------

n_finished=0 n_skipped=0 failed='' stopped_by=''
pids=() items=()

# Each run is a process group of its own, so that a Ctrl-C reaches it once, from here, and not from the terminal as well: a second
# signal would stop it without a checkpoint. (`set -m` would do that too, but stops a sweep that is started in the background.)
own_group='import os, signal, sys
os.setpgid(0, 0)
for name in (signal.SIGINT, signal.SIGPIPE):
    signal.signal(name, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])'

stop() {
    local pid
    stopped_by=$1
    say "stopping: each running rlrun saves a checkpoint"
    for pid in ${pids[@]+"${pids[@]}"}; do
        kill -"$1" -- "-$pid" 2>/dev/null || kill -"$1" "$pid" 2>/dev/null || true
    done
}
trap 'stop INT' INT
trap 'stop TERM' TERM HUP

launch() { # ITEM: "game torso seed", then the arguments for rlrun
    local item=$1 game torso seed log
    shift
    read -r game torso seed <<<"$item"
    plan_run "$game" "$torso" "$seed" "$@"
    say "$(label_of "$game" "$torso" "$seed"): $next_step"
    case $next_step in
    finished) n_skipped=$((n_skipped + 1)); return ;;
    refused*) failed="$failed
  $(label_of "$game" "$torso" "$seed"): other arguments"; return ;;
    esac
    if $dry_run; then
        printf '%q ' "${next_command[@]}"
        echo
        return
    fi
    if [ "$jobs" -eq 1 ]; then
        "$python" -c "$own_group" "${next_command[@]}" </dev/null &
    else
        log=$(note_of "$game" "$torso" "$seed").log
        say "$(label_of "$game" "$torso" "$seed"): prints to $log"
        "$python" -c "$own_group" "${next_command[@]}" </dev/null >>"$log" 2>&1 &
    fi
    pids+=("$!") items+=("$item")
}

# The end of the run at index $1 of pids: what came of it.
settle() {
    local pid=${pids[$1]} item=${items[$1]} status=0 game torso seed label
    while :; do # a signal ends `wait` early
        wait "$pid" && status=0 || status=$?
        kill -0 "$pid" 2>/dev/null || break
    done
    unset "pids[$1]" "items[$1]"
    pids=(${pids[@]+"${pids[@]}"}) items=(${items[@]+"${items[@]}"})
    read -r game torso seed <<<"$item"
    label=$(label_of "$game" "$torso" "$seed")
    if is_finished "$(folder_of "$game" "$torso" "$seed")"; then
        n_finished=$((n_finished + 1))
        say "$label: finished"
    elif [ -n "$stopped_by" ]; then
        say "$label: stopped"
    else
        say "$label: FAILED (exit status $status)"
        failed="$failed
  $label: exit status $status"
    fi
}

# Waits until fewer than $1 are running. bash 3.2, which macOS has, cannot wait for whichever ends first.
wait_for_room() {
    local idx
    while [ "${#pids[@]}" -ge "$1" ]; do
        if [ "${#pids[@]}" -eq 1 ]; then
            settle 0
            continue
        fi
        for idx in "${!pids[@]}"; do
            if ! kill -0 "${pids[$idx]}" 2>/dev/null; then
                settle "$idx"
                continue 2
            fi
        done
        sleep 0.5 || true
    done
}

# One run's set-up and build first, so that several at once find them done.
if ! $dry_run; then
    mkdir -p "$runs" || exit 2
    runs=$(CDPATH='' cd -- "$runs" && pwd)
    "$rlrun" --version >/dev/null || { say "rlrun cannot be set up or built"; exit 1; }
    python=$here/.venv/bin/python
    [ -x "$python" ] || python=$(command -v python3)
fi

for seed in $seeds; do # seeds outermost: every game and torso has its first curve early
    for game in $games; do
        for torso in $torsos; do
            [ -z "$stopped_by" ] || break 3
            launch "$game $torso $seed" "$@"
            wait_for_room "$jobs"
        done
    done
done
wait_for_room 1

$dry_run || say "$n_finished finished now, $n_skipped were finished before"
[ -z "$failed" ] || say "failed:$failed"
if [ -n "$stopped_by" ]; then
    say "go on with: $command_line"
    [ "$stopped_by" = INT ] && exit 130
    exit 143
fi
[ -z "$failed" ] || exit 1
