#!/bin/sh
# A web server that foster keeps running: killed once, it comes back after its backoff, serves a
# page, and stops cleanly. Run by `make demo`; FOSTER names the binary, APP_PORT a port (else a free
# one is chosen).
set -eu
fail() { printf 'demo: %s\n' "$*" >&2; exit 1; }
say() { printf '\n-- %s\n' "$*"; }

foster=$(command -v "${FOSTER:-foster}") || fail "there is no program ${FOSTER:-foster}: make build"
case $foster in /*) ;; *) foster=$PWD/$foster ;; esac
for program in python3 curl; do
    command -v "$program" >/dev/null || fail "there is no $program: .ci/install demo"
done
# A free port, or whether the given one is free.
port=$(python3 -c 'import socket, sys
free = socket.socket()
free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
try: free.bind(("127.0.0.1", int(sys.argv[1])))
except (OSError, OverflowError, ValueError) as error: sys.exit(f"127.0.0.1:{sys.argv[1]}: {error}")
print(free.getsockname()[1])' "${APP_PORT:-0}") ||
    fail "port $APP_PORT cannot be had: unset APP_PORT for a free one"

folder=$(mktemp -d)
log=$folder/foster.log
foster_pid=
leave() {
    [ -z "$foster_pid" ] || kill "$foster_pid" 2>/dev/null || :
    wait
    rm -rf "$folder"
}
trap leave EXIT
# dash does not run an EXIT trap when a signal ends it.
trap 'exit 130' INT
trap 'exit 143' TERM HUP

runs() { grep -c ' started' "$log" || :; }
await() { # WHAT COMMAND...: until it succeeds, as long as foster runs and 15 s are not over
    what=$1
    shift
    tries=0
    until "$@"; do
        if ! kill -0 "$foster_pid" 2>/dev/null; then
            status=0 && wait "$foster_pid" || status=$?
            foster_pid=
            fail "$what: foster has ended before, with status $status; it says why above"
        fi
        tries=$((tries + 1))
        [ "$tries" -lt 150 ] || fail "$what: not within 15 s; what foster said stands above"
        sleep 0.1
    done
}
fetches() { curl -sf --noproxy '*' --max-time 5 "http://127.0.0.1:$port/index.html"; }
is_up_again() { [ "$(runs)" -ge 2 ]; }

echo "Hello from an app that foster keeps up." >"$folder/index.html"
app='exec python3 -m http.server "$PORT" --bind "$HOST" >/dev/null'
say "foster --max-restarts 1 --app-port $port --name web --wrap '$app'"
cd "$folder"
# The output of foster and the server is shown live, and read here.
mkfifo said
tee "$log" <said >&2 &
"$foster" --max-restarts 1 --app-port "$port" --name web --wrap "$app" 2>said &
foster_pid=$!
await "a page from the server" fetches

say "kill -KILL the server: foster starts it again after 500 ms"
server=$(sed -n 's/.*pid \([0-9]*\).* started.*/\1/p; s/.* started.*pid \([0-9]*\).*/\1/p' "$log" | head -n 1)
kill -KILL "$server" || fail "the server is gone before it was killed"
await "the second start" is_up_again
await "a page from the server that was started again" fetches

say "kill -TERM foster: the server is stopped with it"
kill -TERM "$foster_pid"
status=0 && wait "$foster_pid" || status=$?
foster_pid=
# The last line is written once tee has ended.
wait
say "foster ended with status $status"
[ "$status" = 0 ] || fail "that should be 0"
[ "$(grep -c SIGKILL "$log")" = 1 ] && [ "$(runs)" = 2 ] ||
    fail "the server should have started twice, and been killed once"
