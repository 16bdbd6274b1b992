#!/bin/sh
# Who keeps the ledger locked holds up a revocation, but nothing else.
. "${srcdir:-.}/tests/lib.sh"
need sqlite3 mkfifo
mkfifo "$tmp/sql" "$tmp/go"

# lock, unlock: another process that writes.
lock() {
	rm -f "$tmp/locked"
	sqlite3 "$EPHID_HOME/ledger.db" <"$tmp/sql" >/dev/null &
	locker=$!
	exec 5>"$tmp/sql"
	printf 'BEGIN IMMEDIATE;\n.shell touch %s/locked\n' "$tmp" >&5
	wait_for 5 test -e "$tmp/locked" || bail 'the ledger is not locked'
}
unlock() { exec 5>&-; wait "$locker"; }
now_ms() { date +%s%3N; }

start() {
	rm -f "$tmp/up" "$tmp/told"
	ephid-wrap "$@" -- sh -c 'trap "date +%s%3N >$1/told; exit 3" TERM
	    sleep 314151 &
    echo $$ $EPHID_ID >$1/up.new; mv $1/up.new $1/up
	    while :; do sleep 0.02; done' sh "$tmp" 2>"$tmp/said" 5>&- &
	front=$!
	wait_for 10 test -s "$tmp/up" || bail 'the command did not start'
	read -r command id <"$tmp/up"
}
live() { ephid-inspect --quiet "$id"; }
revoked() { [ "$(sqlite3 -readonly "$EPHID_HOME/ledger.db" \
    "SELECT revoked_at > 0 FROM identity WHERE id = '$id'")" = 1 ]; }
gone() { ! grep -q '^State:.[^ZX]' "/proc/$command/status" 2>/dev/null; }

# It waits for the ledger to renew; a signal comes through all the same.
start --ttl 5s
lock
said() { grep -q 'cannot renew' "$tmp/said"; }
wait_for 8 said; ok $? 'a renewal does not wait long'
at=$(now_ms)
kill "$front"
wait_for 15 test -s "$tmp/told"
took=$(($(cat "$tmp/told") - at))
[ "$took" -lt 3000 ]; ok $? "the command is told of a signal ($took ms)"
unlock
wait "$front"
is "$?" 3 'and its status comes through'
revoked; ok $? 'revoked as soon as that could be'
is "$(cat "$tmp/said")" 'ephid-wrap: cannot renew, and tries again: ledger is busy' \
    'with nothing to add'

# Front is killed: the command does not live on until the ledger is free.
start
lock
at=$(now_ms)
kill -KILL "$front"
wait "$front" 2>/dev/null
wait_for 15 gone
took=$(($(now_ms) - at))
[ "$took" -lt 3000 ]; ok $? "without front the command is killed ($took ms)"
revoked; isnt $? 0 'though it could not be revoked yet'
unlock
wait_for 5 revoked; ok $? 'which comes when it can'

# The guardian is killed: what the command left does not live on either.
start
guardian=$(tr -d ' ' <"/proc/$front/task/$front/children")
left=$(cut -d ' ' -f 1 "/proc/$command/task/$command/children")
lock
at=$(now_ms)
kill -KILL "$guardian"
left_gone() { ! kill -0 "$left" 2>/dev/null; }
wait_for 15 left_gone
took=$(($(now_ms) - at))
[ "$took" -lt 3000 ]; ok $? "without its guardian nothing is left ($took ms)"
unlock
wait "$front"
is "$?" 125 'which is 125'
revoked; ok $? 'and revoked when that could be'
is "$(cat "$tmp/said")" \
    "ephid-wrap: the guardian was killed; run $id is revoked" 'in one line'

# Two signals: revoked at once if that can be, dead a second later in any case.
start --grace 60s
lock
at=$(now_ms)
kill -STOP "$command" # it does not hear the first one
heard() { grep -q '^ShdPnd:.0*$' "/proc/$front/status"; }
kill -TERM "$front"
wait_for 5 heard # one that waits and another are one
sleep 0.3        # and not the echo that timeout(1) makes
kill -TERM "$front"
wait_for 15 gone
took=$(($(now_ms) - at))
[ "$took" -lt 3300 ]; ok $? "the second signal's second is one ($took ms)"
unlock
wait "$front"
revoked; ok $? 'and revoked'
is "$(cat "$tmp/said")" '' 'without a word'
