# shellcheck shell=bash
# What the scripts share; sourced, never run.

die() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# cannot WHY: ends with status 77, what there is to do not being possible here. WHY is one line.
cannot() {
    echo "${0##*/}: not done: $*"
    exit 77
}

# lacks WHY: as cannot, for what scripts/install-deps brings: where CI is set that is a failure.
lacks() {
    [ -z "${CI:-}" ] || die "$*"
    cannot "$@"
}

# quietly LOG COMMAND...: what it prints goes to the log; shows the end of it if it fails.
quietly() {
    local log=$1
    shift
    "$@" >"$log" 2>&1 || {
        tail -n 40 "$log" >&2
        die "$1 failed; the whole log: $log"
    }
}

# mirror: prints the Debian mirror that this machine installs from, as apt knows it (old and new style of sources).
# shellcheck disable=SC2016 # apt expands $(SITE)
mirror() {
    apt-get indextargets --format '$(SITE)' 'Created-By: Packages' 2>/dev/null | grep -E '/debian/?$' | head -n 1
}

# free_ports N: prints N TCP ports that were free on 127.0.0.1 a moment ago, one a line.
free_ports() {
    perl -MIO::Socket::INET -e '
        my @held = map { IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 0, Listen => 1) or die "$!\n" }
            1 .. $ARGV[0];
        print $_->sockport, "\n" for @held;' "$1"
}

# random_secret: 32 hex digits.
random_secret() {
    od -An -N16 -tx1 /dev/urandom | tr -d ' \n'
}

# alive PID: whether the process is there and no zombie.
alive() {
    local state
    state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$1/status" 2>/dev/null) || return 1
    [ -n "$state" ] && [ "$state" != Z ]
}

# stop_pid PID SECONDS: SIGTERM, then SIGKILL when the time is over. Waits until it is gone.
stop_pid() {
    local pid=$1 tenths=$(($2 * 10))
    kill -TERM "$pid" 2>/dev/null || true
    while alive "$pid" && [ "$tenths" -gt 0 ]; do
        sleep 0.1
        tenths=$((tenths - 1))
    done
    if alive "$pid"; then
        kill -KILL "$pid" 2>/dev/null || true
    fi
    wait "$pid" 2>/dev/null || true
}

# start_child LOG COMMAND...: starts it out of reach of Ctrl-C (whoever starts it stops it), killed should this script die
# without a chance to stop it. Sets `child` to its pid.
# shellcheck disable=SC2034 # child is read by those who source this
start_child() {
    local log=$1
    shift
    : >>"$log" # there to be read before the child has opened it
    setsid setpriv --pdeathsig KILL "$@" </dev/null >>"$log" 2>&1 &
    child=$!
}

# port_answers PORT: whether something accepts connections there.
port_answers() {
    (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# amqp_answers PORT: whether a broker starts the AMQP 0-9-1 handshake there (its first frame is a method frame: 1).
# shellcheck disable=SC2016 # the inner shell expands $1
amqp_answers() {
    timeout 2 bash -c '
        exec 3<>"/dev/tcp/127.0.0.1/$1" && printf "AMQP\0\0\011\001" >&3 &&
            [ "$(head -c 1 <&3 | od -An -tx1 | tr -d " ")" = 01 ]' amqp_answers "$1" 2>/dev/null
}

# log_line_value FILE TEXT PID SECONDS: waits for a line of FILE that holds TEXT and prints the word behind it. Fails when PID is
# gone or the time is over.
log_line_value() {
    local file=$1 text=$2 pid=$3 tenths=$(($4 * 10)) value
    while [ "$tenths" -gt 0 ]; do
        value=$(sed -n "s/.*${text} \([^ \"]*\).*/\1/p" "$file" | head -n 1)
        if [ -n "$value" ]; then
            echo "$value"
            return 0
        fi
        alive "$pid" || return 1
        sleep 0.1
        tenths=$((tenths - 1))
    done
    return 1
}

# leave_sudo ROOT SCRIPT ARGUMENT...: under sudo only apt needs root. Installs the packages, then goes on as the user who
# called, so that no file in the tree belongs to root.
leave_sudo() {
    local root=$1 user_home
    shift
    if [ "$(id -u)" -ne 0 ] || [ "${SUDO_UID:-0}" = 0 ]; then
        return 0
    fi
    "$root/scripts/install-deps" build run test
    user_home=$(getent passwd "$SUDO_UID" | cut -d: -f6)
    exec env -u SUDO_UID -u SUDO_GID -u SUDO_USER HOME="${user_home:-/tmp}" \
        setpriv --reuid "$SUDO_UID" --regid "$SUDO_GID" --init-groups "$@"
}

# need_engine: a Docker engine with Compose, or `cannot`.
need_engine() {
    command -v docker >/dev/null || cannot "docker is not installed"
    docker compose version >/dev/null 2>&1 || cannot "docker has no Compose plugin"
    timeout 120 docker info >/dev/null 2>&1 || cannot "docker is installed, but no engine answers"
}

# need_images IMAGE...: pulled if they are not here, or `cannot`.
need_images() {
    local image
    for image; do
        docker image inspect "$image" >/dev/null 2>&1 || timeout 600 docker pull -q "$image" >/dev/null 2>&1 ||
            cannot "the image $image is not here, and no registry gives it"
    done
}

# ---- how long each part takes ----

durations=

# begin_durations FILE: it takes a line of every `timed` from here on, for print_durations.
begin_durations() {
    durations=$1
    : >"$durations"
}

# note_duration SECONDS TEXT: for print_durations, or at once where nobody has begun.
note_duration() {
    local line
    line=$(printf '%6d s  %s' "$1" "$2")
    if [ -n "$durations" ]; then
        echo "$line" >>"$durations"
    else
        echo "$line"
    fi
}

# timed TEXT COMMAND...: says what runs, then how long it took. The exit status is the command's.
timed() {
    local text=$1 from=$SECONDS status
    shift
    echo "== $text"
    "$@" # not behind || or if: there set -e would have no effect in it
    status=$?
    note_duration $((SECONDS - from)) "$text"
    return "$status"
}

print_durations() {
    echo "== How long it took"
    cat "$durations"
    printf '%6d s  %s\n' "$SECONDS" "in all"
}
