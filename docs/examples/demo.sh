#!/bin/sh
# A web server that foster keeps up: killed once, it comes back after its backoff, serves a page,
# and stops cleanly. Run by `make demo`; FOSTER names the binary.
set -eu
foster=${FOSTER:-foster}
port=${APP_PORT:-3217}
folder=$(mktemp -d)
log=$folder/foster.log
trap 'kill "$init" 2>/dev/null || :; rm -rf "$folder"' EXIT
echo "Hello from an app that foster keeps up." >"$folder/index.html"

say() { printf '\n-- %s\n' "$*"; }
fetch() { curl -s --retry 50 --retry-delay 0 --retry-connrefused --retry-max-time 20 \
    "http://127.0.0.1:$port/index.html"; }
lines() { grep -c "$1" "$log" || :; }
await() { # PATTERN COUNT: until the log has that many lines of this kind
    tries=0
    until [ "$(lines "$1")" -ge "$2" ]; do
        tries=$((tries + 1))
        [ "$tries" -lt 200 ] || { echo "no '$1' in the log:" && cat "$log" && exit 1; }
        sleep 0.1
    done
}

app='exec python3 -m http.server "$PORT" --bind "$HOST" >/dev/null 2>&1'
say "foster --app-port $port --wrap '$app'"
cd "$folder"
"$foster" --app-port "$port" --wrap "$app" 2>"$log" &
init=$!
fetch

say "kill -KILL the server: foster starts it again after 500 ms"
server=$(sed -n 's/.*(pid \([0-9]*\)) started.*/\1/p' "$log" | head -n 1)
kill -KILL "$server"
await 'started$' 2
fetch

say "kill -TERM foster: the server is stopped with it"
kill -TERM "$init"
status=0
wait "$init" || status=$?
cat "$log"
say "foster ended with status $status"
[ "$status" = 0 ] && [ "$(lines 'was killed by SIGKILL')" = 1 ] && [ "$(lines 'started$')" = 2 ]
