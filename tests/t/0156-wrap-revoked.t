#!/bin/sh
# Revoked from outside: noticed within a second, and without polling.
. "${srcdir:-.}/tests/lib.sh"
mkfifo "$tmp/go"
front=
at_exit '[ -z "$front" ] || kill "$front" 2>/dev/null'

# start OPTION...: a run that says where its token is and waits for `go'.
start() {
	rm -f "$tmp/up"
	ephid-wrap "$@" -- sh -c 'echo "$EPHID_ID $EPHID_TOKEN_FILE" >$1/up.new
	    mv $1/up.new $1/up; read -r x <$1/go; exit 6' sh "$tmp" \
	    2>"$tmp/said" 3>"$tmp/events" &
	front=$!
	wait_for 10 test -s "$tmp/up" || bail 'the command did not start'
	read -r id file <"$tmp/up"
	guardian=$(cat "/proc/$front/task/$front/children")
	guardian=${guardian% }
}
finish() { echo >"$tmp/go"; wait "$front"; status=$?; }
no_files() { [ ! -e "${file%/*}" ]; }
# now_ms; took FROM: milliseconds.
now_ms() { date +%s%3N; }

start --status-fd 3
ephid-revoke --reason 'it misbehaved' "$id" >/dev/null
at=$(now_ms)
wait_for 5 no_files; ok $? 'its token files go'
took=$(($(now_ms) - at))
[ "$took" -lt 1000 ]; ok $? "within a second ($took ms)"
said() { grep -q revoked "$tmp/said" && grep -q '"revoked"' "$tmp/events"; }
wait_for 5 said
is "$(cat "$tmp/said")" "ephid-wrap: run $id was revoked: it misbehaved" \
    'it is said, with the reason'
like "$(grep '"revoked"' "$tmp/events")" \
    "*\"id\":\"$id\"*\"reason\":\"it misbehaved\"*" 'and an event'
kill -0 "$front"; ok $? 'the command goes on'
# ticks: of the guardian, in user and in kernel mode. At most a tenth of one CPU
# is what counts as rest, for others' commits wake it.
ticks() { cut -d ' ' -f 14,15 "/proc/$guardian/stat" | tr ' ' +; }
rests() { was=$(($(ticks))); sleep 1; [ $(($(ticks) - was)) -lt 10 ]; }
rests; ok $? 'and its guardian rests'
finish
is "$status" 6 'and its status is told'
is "$(grep -c '"revoked"' "$tmp/events")" 1 'one event is enough'
like "$(tail -n 1 "$tmp/events")" '*"event":"done"*"status":6*' 'done comes last'
run ephid-inspect --receipt "$id"
like "$out" '*it misbehaved*' 'the reason stays the first one'
like "$out" '*6*' 'and the receipt has the status'

# Others' commits are not ours.
start
ephid-mint >/dev/null
run ephid-inspect --quiet "$id"
[ -e "$file" ]; ok $? 'what others do touches nothing'

# Idle it sleeps: no wake-up in two seconds. (The first look after the start
# comes of itself.)
switches() { sed -n 's/^voluntary_ctxt_switches:.//p' "/proc/$guardian/status"; }
quiet() { was=$(switches); sleep 1; [ "$(switches)" = "$was" ]; }
wait_for 10 quiet; ok $? 'it comes to rest'
was=$(switches); sleep 2
is "$(switches)" "$was" 'and does not wake while nothing happens'
finish

# Ended by a second signal it waits for the command, and for nothing else.
rm -f "$tmp/up"
ephid-wrap --grace 10s -- sh -c 'trap : TERM
    echo "$EPHID_ID $EPHID_TOKEN_FILE" >$1/up.new; mv $1/up.new $1/up
    while :; do sleep 0.05; done' sh "$tmp" 2>/dev/null &
front=$!
wait_for 10 test -s "$tmp/up" || bail 'the command did not start'
read -r id file <"$tmp/up"
guardian=$(cat "/proc/$front/task/$front/children")
guardian=${guardian% }
rests || diag 'it did not come to rest'
kill "$front"
revoked() { ! ephid-inspect --quiet "$id"; }
until revoked; do kill "$front"; sleep 0.1; done
ephid-mint >/dev/null
was=$(($(ticks))); sleep 0.5
[ $(($(ticks) - was)) -lt 10 ]; ok $? 'and rests while it does'
wait "$front"

# Revoked and over before anybody could notice.
run ephid-wrap --status-fd 4 --strict -- \
    sh -c 'ephid-revoke --quiet --reason quick "$EPHID_ID"; exit 3' \
    4>"$tmp/events"
is "$(grep '"revoked"' "$tmp/events" | field reason)" quick \
    'who revoked it last is not whom the event names'
like "$err" '*was revoked: quick
*--strict: the status is 125' 'it is said at the end, and what it does'
is "$status" 125 'and under --strict it is a failure'

# The guardian cannot say it any more, and front does.
start --status-fd 3
ephid-revoke --quiet --reason first "$id"
kill -KILL "$guardian"
wait "$front"
is "$?" 125 'a run without its guardian'
is "$(grep '"revoked"' "$tmp/events" | tail -n 1 | field reason)" first \
    'has the reason for which it was revoked'

# The longest reason there is, which JSON makes six times as long.
if command -v jq >/dev/null; then
	long=$(head -c 256 /dev/zero | tr '\0' '\1')
	ephid-wrap --status-fd 4 -- \
	    sh -c 'ephid-revoke --quiet --reason "$1" "$EPHID_ID"' sh "$long" \
	    2>/dev/null 4>"$tmp/events"
	is "$(jq -r 'select(.event == "revoked").reason' "$tmp/events")" \
	    "$long" 'the longest reason is told whole'
else
	skip 1 'no jq'
fi

# Revoked, though its files stay.
if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
	run unshare -m sh -c 'ephid-wrap --status-fd 4 --strict -- sh -c "
	    mount -t tmpfs none \$EPHID_TOKEN_DIR && exit 5"' 4>"$tmp/events"
	is "$(grep '"revoked"' "$tmp/events" | field reason)" \
	    'the command ended' 'an event says that it is revoked'
	is "$(printf '%s\n' "$err" | grep -c 'token files are not removed')" 1 \
	    'one line that its files are there'
	is "$status" 125 'and under --strict it is a failure'
	run ephid-revoke --sweep
	is "$status" 0 'a sweep removes what was in the way'
else
	skip 4 'nothing can be mounted here'
fi

# A tree that is revoked ends every run in it.
start
PARENT=$file
cat >"$tmp/child" <<'EOT'
exec ephid-wrap --on-revoke kill -- sh -c 'echo "$EPHID_TOKEN_FILE" >$1/c.new
    mv $1/c.new $1/child.up; exec sleep 1000' sh "$1"
EOT
EPHID_TOKEN_FILE=$PARENT sh "$tmp/child" "$tmp" 2>"$tmp/child.said" &
child=$!
wait_for 10 test -s "$tmp/child.up"
ephid-revoke --quiet "$id"
wait "$child"
is "$?" 143 'a child that was asked to end with its identity does'
like "$(cat "$tmp/child.said")" '*was revoked*' 'having said why'
wait_for 2 no_files; ok $? 'the parent loses its files'
finish

# One that is spared when its parent is revoked keeps what it has, while that
# lasts, and gets no more.
start
cat >"$tmp/spared" <<'EOT'
exec ephid-wrap --ttl 5s --on-revoke kill --status-fd 4 -- sh -c '
    echo "$EPHID_ID" >$1/s.new; mv $1/s.new $1/spared.up
    until [ -e $1/spared.go ]; do sleep 0.05; done
    ephid-inspect --quiet "$EPHID_TOKEN_FILE"' sh "$1"
EOT
EPHID_TOKEN_FILE=$file sh "$tmp/spared" "$tmp" 2>"$tmp/child.said" \
    4>"$tmp/child.events" &
child=$!
wait_for 10 test -s "$tmp/spared.up"
ephid-revoke --quiet --only "$id"
spared=$(cat "$tmp/spared.up")
said() { grep -q "not renewed any more: .* was revoked" "$tmp/child.said"; }
wait_for 5 said; ok $? 'a spared child is told that it is not renewed'
: >"$tmp/spared.go"
wait "$child"
is "$?" 0 'and its token is valid, and where it was'
is "$(grep -c revoked "$tmp/child.said")" 1 'told once'
like "$(grep '"revoked"' "$tmp/child.events")" "*\"id\":\"$spared\"*ended\"*" \
    'it is revoked when it ends'
finish

# --on-revoke kill: TERM, its grace, KILL.
start --on-revoke kill --grace 300ms
ephid-revoke --quiet "$id"
wait "$front"
is "$?" 143 'with --on-revoke kill the command is ended'
rm -f "$tmp/up"
ephid-wrap --on-revoke kill --grace 300ms -- sh -c 'trap "" TERM
    echo "$EPHID_ID" >$1/up.new; mv $1/up.new $1/up
    while :; do sleep 0.05; done' sh "$tmp" 2>/dev/null &
front=$!
wait_for 10 test -s "$tmp/up"
ephid-revoke --quiet "$(cat "$tmp/up")"
wait "$front"
is "$?" 137 'and killed, if it does not go'

# --strict: a run that lost its identity is a failure.
start --strict
ephid-revoke --quiet "$id"
wait_for 5 no_files
finish
is "$status" 125 'under --strict that is a failure'

# Without inotify it looks once a second.
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
	rm -f "$tmp/up"
	strace -f -o /dev/null -e inject=inotify_init1:error=EMFILE \
	    -e trace=inotify_init1 ephid-wrap -- sh -c \
	    'echo "$EPHID_ID $EPHID_TOKEN_FILE" >$1/up.new; mv $1/up.new $1/up
	    read -r x <$1/go' sh "$tmp" 2>/dev/null &
	front=$!
	wait_for 20 test -s "$tmp/up"
	read -r id file <"$tmp/up"
	ephid-revoke --quiet "$id"
	wait_for 4 no_files; ok $? 'where nothing can be watched it looks'
	finish
else
	skip 1 'no strace'
fi
