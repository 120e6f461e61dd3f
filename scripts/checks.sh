# shellcheck shell=bash
# What .ci/run and scripts/test-all share; sourced by them, from the root of the tree.
# shellcheck source=scripts/lib.sh
. scripts/lib.sh

readonly CHECKS=build/checks

passed=0
failed=0
skipped=0
engine=
declare -A running=()

begin_checks() {
    mkdir -p "$CHECKS"
    rm -f "$CHECKS"/*
    begin_durations "$CHECKS/durations"
    trap end_checks EXIT
}

# verdict NAME STATUS [may skip]: counts it. 77: it cannot be made on this machine, which only some checks may say.
verdict() {
    local name=$1 status=$2
    if [ "$status" -eq 0 ]; then
        passed=$((passed + 1))
    elif [ "$status" -eq 77 ] && [ -n "${3:-}" ]; then
        skipped=$((skipped + 1))
        echo "skipped: $name"
    else
        failed=$((failed + 1))
        echo "failed: $name"
    fi
}

# check NAME COMMAND...
check() {
    local name=$1 status=0
    shift
    timed "$name" "$@" || status=$?
    verdict "$name" "$status"
}

# check_here NAME COMMAND...: one that a machine may not be able to make.
check_here() {
    local name=$1 status=0
    shift
    timed "$name" "$@" || status=$?
    verdict "$name" "$status" "may skip"
}

# beside NAME COMMAND...: the same in the background; `collect NAME` has its output and its verdict.
beside() {
    local name=$1 log
    log="$CHECKS/${1//[^a-z0-9]/-}"
    shift
    set -m # in a process group of its own, which end_checks can end as a whole
    (
        began=$SECONDS
        status=0
        "$@" >"$log.out" 2>&1 || status=$?
        echo "$status $((SECONDS - began))" >"$log.done"
    ) &
    running[$name]=$!
    set +m
}

# collect NAME: waits for it.
collect() {
    local name=$1 log status seconds
    log="$CHECKS/${1//[^a-z0-9]/-}"
    wait "${running[$name]}" || true
    unset "running[$name]"
    read -r status seconds <"$log.done" || { status=1; seconds=0; }
    echo "== $name"
    cat "$log.out"
    note_duration "$seconds" "$name (beside others)"
    verdict "$name" "$status" "may skip"
}

# run_tests COMMAND...: scripts/test with its arguments; its tests are counted with the checks.
run_tests() {
    local closing status=0 numbers=()
    closing=$(mktemp)
    CLOSING_LINE_FILE=$closing "$@" || status=$?
    sed 's/ s  / s    /' build/test-results/durations >>"$durations" 2>/dev/null || true
    read -r -a numbers <"$closing" || true
    rm -f "$closing"
    if [ ${#numbers[@]} -ne 6 ]; then
        echo "failed: scripts/test ended without its closing line"
        failed=$((failed + 1))
        return 0
    fi
    passed=$((passed + numbers[0]))
    failed=$((failed + numbers[2]))
    skipped=$((skipped + numbers[4]))
    # Everything that the tests need is installed here: a test that skips itself is one that did not run.
    if [ "${numbers[4]}" -ne 0 ]; then
        echo "failed: ${numbers[4]} tests were skipped"
        failed=$((failed + 1))
    fi
    if [ "$status" -ne 0 ] && [ "${numbers[2]}" -eq 0 ]; then
        echo "failed: scripts/test exited with $status"
        failed=$((failed + 1))
    fi
}

# ---- the tree ----

shell_scripts() {
    {
        grep -rlE '^#!.*\b(ba)?sh\b' scripts tests .ci
        find scripts -name '*.sh'
    } | grep -v __pycache__ | sort -u
}

run_shellcheck() {
    local files
    mapfile -t files < <(shell_scripts)
    shellcheck -x "${files[@]}"
}

# Only the compile commands are needed, no build.
run_clang_tidy() {
    cmake --preset dev >"$CHECKS/tidy-configure.log" 2>&1 || { cat "$CHECKS/tidy-configure.log"; return 1; }
    find common bridge workers tools -name '*.c' -print0 |
        xargs -0 -n 2 -P "$(nproc)" clang-tidy -p build/dev --quiet >"$CHECKS/tidy.log" 2>"$CHECKS/tidy.err" || {
        grep -E -A3 'warning:|error:' "$CHECKS/tidy.log" "$CHECKS/tidy.err" | head -n 100
        return 1
    }
}

# A secret or a build product that slipped in is found before it is pushed.
check_tree() {
    local found
    found=$(find . -path ./.git -prune -o -path ./build -prune -o \
        \( -name .env -o -name '*.pem' -o -name '*.key' -o -name '*.db' -o -name '*.o' \) -print) || return 1
    if [ -n "$found" ]; then
        echo "not for the repository: $found"
        return 1
    fi
}

static_checks() {
    check "shellcheck" run_shellcheck
    check "clang-tidy" run_clang_tidy
    check "include rules" tests/check_includes
    check "functions of at most 70 lines" tests/check_functions
    check "no verdict by the clock" tests/check_clock
    check "nothing in the tree that does not belong there" check_tree
}

# ---- the engine ----

# Where one is installed but does not run, it runs for as long as this does. A check that needs one says that it is missing.
begin_engine() {
    if ! command -v dockerd >/dev/null || [ "$(id -u)" -ne 0 ] || timeout 10 docker info >/dev/null 2>&1; then
        return 0
    fi
    dockerd >"$CHECKS/dockerd.log" 2>&1 &
    engine=$!
    for _ in $(seq 60); do
        ! timeout 10 docker info >/dev/null 2>&1 || break
        kill -0 "$engine" 2>/dev/null || break
        sleep 0.5
    done
}

end_checks() {
    local pid
    for pid in "${running[@]}"; do
        kill -TERM -- "-$pid" 2>/dev/null || true
        wait "$pid" || true
    done
    if [ -n "$engine" ]; then
        kill "$engine" 2>/dev/null || true
        wait "$engine" || true
    fi
}

# The closing line; whether nothing failed.
finish_checks() {
    if [ ${#running[@]} -gt 0 ]; then
        echo "failed: nobody has collected ${!running[*]}"
        failed=$((failed + 1))
    fi
    print_durations
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" -eq 0 ]
}
