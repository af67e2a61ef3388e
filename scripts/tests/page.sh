#!/usr/bin/env bash
# Tests of the page of rlrun report in headless Chromium, at the width of a desk and of a telephone. Usage: scripts/tests/page.sh [NAME OF A TEST]
# Installs what it needs: Chromium by apt-get where there is none, playwright into target/page. Takes half a minute.
# PAGE_BINARY, where it is set, is the rlrun to take. Screenshots are left in target/page/screenshots.
set -euo pipefail

repo=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd -P)
tools=$repo/target/page
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
n_passed=0 n_failed=0
readonly PLAYWRIGHT=1.65.2

# --- what the tests run in -----------------------------------------------------------------------------------------------

# Only where Chromium can neither be found nor installed are the tests skipped, and that is said.
skip_all() {
    printf 'SKIPPED: %s\npage result: 0 passed; 0 failed; all skipped\n' "$1"
    exit 0
}

find_chromium() {
    local name
    for name in chromium chromium-browser google-chrome google-chrome-stable; do
        # A snap's stub has the name, too, and only says how to install it.
        if command -v "$name" >/dev/null 2>&1 && "$name" --version >/dev/null 2>&1; then
            chromium=$(command -v "$name")
            return 0
        fi
    done
    return 1
}

install_tools() {
    if ! find_chromium; then
        if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" -ne 0 ]; then
            skip_all 'there is no Chromium, and only root on Debian or Ubuntu can have it installed: apt-get install chromium'
        fi
        echo 'installing Chromium (apt-get install chromium)'
        apt-get update >"$work/apt" 2>&1 || true
        DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium fonts-dejavu-core >>"$work/apt" 2>&1 ||
            { tail -n 5 "$work/apt"; skip_all 'Chromium cannot be installed'; }
        find_chromium || skip_all 'the package chromium holds no chromium'
    fi
    python=$tools/venv/bin/python
    if ! "$python" -c "import importlib.metadata as m; assert m.version('playwright') == '$PLAYWRIGHT'" 2>/dev/null; then
        rm -rf "$tools/venv"
        "$repo/.venv/bin/python" -m venv "$tools/venv"
        "$tools/venv/bin/pip" install --quiet "playwright==$PLAYWRIGHT" ||
            skip_all "playwright $PLAYWRIGHT cannot be installed by pip"
    fi
}

find_rlrun() {
    rlrun=${PAGE_BINARY-}
    if [ -z "$rlrun" ]; then
        local root=$repo
        # shellcheck source=scripts/cargo-env.sh
        . "$repo/scripts/cargo-env.sh"
        (cd "$repo" && cargo build --quiet --release --locked -p rlrun ${features:+--features "$features"})
        rlrun=$repo/target/release/rlrun
    fi
}

fail() {
    printf '    %s\n' "$@" >&2
    exit 1
}

look() { "$python" "$repo/scripts/tests/page/check.py" "$1" "$tools/screenshots" "$chromium" >"$work/wrong" 2>&1; }

# --- the tests -----------------------------------------------------------------------------------------------------------

test_a_page_of_many_runs_shows_everything() {
    look "$page" || fail "$(cat "$work/wrong")"
}

test_a_page_of_one_short_run_shows_everything() {
    "$python" "$repo/scripts/tests/page/make_runs.py" one --games 1 --seeds 1 --episodes 3 --plain
    "$rlrun" report one --out "one/report" >/dev/null
    mv one/report/index.html one/report/one.html
    look one/report/one.html || fail "$(cat "$work/wrong")"
}

# spoiled NAME SED_SCRIPT EXPECTED: a page that is broken in one way is found to be.
spoiled() {
    sed "$2" "$page" >"$1.html"
    ! cmp -s "$page" "$1.html" || fail "$2 changes nothing"
    ! look "$PWD/$1.html" || fail "a page with $1 passed"
    grep -qF -- "$3" "$work/wrong" || fail "of $1 it does not say: $3" "$(cat "$work/wrong")"
}

test_broken_pages_are_found() {
    spoiled a_script_error 's|</main>|<script>throw new Error("spoiled")</script></main>|' 'script: spoiled'
    spoiled a_complaint 's|</main>|<script>console.error("spoiled")</script></main>|' 'console: spoiled'
    spoiled a_picture_from_elsewhere 's|</main>|<img src="http://127.0.0.1:9/x.png" alt="x"></main>|' 'it fetches http://127.0.0.1:9/x.png'
    spoiled a_wide_part 's|</main>|<div style="width:1400px">wide</div></main>|' 'pixels wide in a window of'
    spoiled no_curves 's|<path class="[^"]*s[0-9]"[^>]*>|<path>|; s|<path class="f[0-9]"[^>]*>|<path>|; s|<circle[^>]*>||' 'has no data'
    spoiled a_missing_section 's|id="rules"|id="other"|' 'there is no section rules'
    spoiled tiny_letters 's|svg text{font-size:12px|svg text{font-size:5px|' 'letters of'
}

# --- running them --------------------------------------------------------------------------------------------------------

install_tools
find_rlrun
"$python" "$repo/scripts/tests/page/make_runs.py" "$work/runs"
"$rlrun" report "$work/runs" --import "theirs=$repo/src/report/gather/events" --format svg,png --out "$work/report" >"$work/said"
mv "$work/report/index.html" "$work/report/many.html"
page=$work/report/many.html
# shellcheck disable=SC2013  # names without spaces
for name in $(sed -n 's/^\(test_[a-z0-9_]*\)() .*/\1/p' "$0"); do
    [ -z "${1-}" ] || [ "$1" = "$name" ] || continue
    mkdir "$work/$name"
    if (set -e; cd "$work/$name"; "$name"); then
        n_passed=$((n_passed + 1)) && echo "ok      $name"
    else
        n_failed=$((n_failed + 1)) && echo "FAILED  $name"
    fi
done
echo "page result: $n_passed passed; $n_failed failed"
[ "$n_failed" -eq 0 ]
