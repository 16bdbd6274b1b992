#!/bin/sh
# Signals reach the command once; grace; the second one; the identity's end.
. "${srcdir:-.}/tests/lib.sh"

# start SCRIPT: a wrapped sh in a group of its own; waits until it says so.
start() {
	rm -f "$tmp/up" "$tmp/got"
	env --default-signal=INT setsid ephid-wrap ${options-} -- sh -c "$1" sh "$tmp" \
	    2>"$tmp/said" &
	front=$!
	wait_for 10 test -s "$tmp/up" || bail 'the command did not start'
	id=$(cat "$tmp/up")
}
active() { ephid-inspect --quiet "$id"; }
finish() { wait "$front"; status=$?; }

start 'trap "echo TERM >>$1/got; exit 7" TERM
    echo $EPHID_ID >$1/up; while :; do sleep 0.05; done'
kill -TERM "$front"; finish
is "$status|$(cat "$tmp/got")" '7|TERM' 'TERM reaches the command, once'
active; is "$?" 1 'and its end is the end of the identity'

start 'trap "echo USR1 >>$1/got" USR1; trap "exit 3" USR2
    echo $EPHID_ID >$1/up; while :; do sleep 0.05; done'
kill -USR1 "$front"
wait_for 5 test -s "$tmp/got"; ok $? 'USR1 is handed on'
active; ok $? 'and ends nothing'
kill -USR2 "$front"; finish
is "$status" 3 'USR2 too'

options='--grace 200ms'
start 'trap "echo TERM >>$1/got" TERM
    echo $EPHID_ID >$1/up; while :; do sleep 0.05; done'
kill -TERM "$front"; finish
is "$status" 137 'after the grace it is killed'
is "$(cat "$tmp/got")" TERM 'having had its chance'
active; is "$?" 1 'and the identity is revoked'
options=

# timeout(1) tells us and then our group, which is one signal all the same.
if command -v timeout >/dev/null; then
	echo 0 >"$tmp/twice"
	for n in 1 2 3 4 5 6 7 8 9 10; do
		timeout 0.1 ephid-wrap -- sh -c 'trap "sleep 0.1; exit" TERM
		    echo "$EPHID_ID" >$1/timed; while :; do sleep 0.02; done' \
		    sh "$tmp"
		ephid-inspect --receipt --json "$(cat "$tmp/timed")" |
		    grep -q 'second signal' && echo $n >"$tmp/twice"
	done
	is "$(cat "$tmp/twice")" 0 'the TERM of timeout(1) is no second signal'
else
	skip 1 'no timeout(1)'
fi

# Who was asked to end has its grace to tidy up in, and not to be stopped in.
options='--grace 20s'
start 'trap "echo TERM >>$1/got" TERM
    echo "$EPHID_ID $$" >$1/up; n=0
    while [ ! -e $1/enough ]; do n=$((n + 1)); echo $n >$1/n; sleep 0.05; done'
kill -TERM "$front"
wait_for 5 test -s "$tmp/got"
kill -STOP "${id#* }"
was=$(cat "$tmp/n")
goes_on() { [ "$(cat "$tmp/n")" -gt $((was + 2)) ]; }
wait_for 5 goes_on; ok $? 'in its grace a command does not stay stopped'
: >"$tmp/enough"; finish
is "$status" 0 'and ends as it likes'
options=

# INT starts no timer; the second signal revokes at once.
start 'trap "echo INT >>$1/got" INT; trap "echo TERM >>$1/got" TERM
    echo $EPHID_ID >$1/up; while :; do sleep 0.05; done'
kill -INT "$front"
wait_for 5 grep -q INT "$tmp/got"; ok $? 'INT is handed on'
active; ok $? 'and the identity lives on'
before=$(date +%s%N)
kill -TERM "$front"
revoked() { ! active; }
wait_for 2 revoked; ok $? 'a second signal revokes at once'
finish
took=$((($(date +%s%N) - before) / 1000000))
[ "$took" -ge 900 ] && [ "$took" -lt 5000 ]
ok $? "and leaves the command a second (${took} ms)"
is "$status" 137 'then kills it'

# A command that stops by itself at a signal to the group gets it twice at
# most; front is not killed by it.
start 'trap "exit 9" INT; echo $EPHID_ID >$1/up; while :; do sleep 0.05; done'
kill -INT "-$front"; finish
is "$status" 9 'a signal to the whole group'
active; is "$?" 1 'revokes as any end does'

run sh -c 'ephid-wrap -- sh -c "kill -STOP \$\$" & w=$!
    until grep -q "^State:.T" /proc/*/status 2>/dev/null; do :; done
    kill -KILL $w'
ok 0 'a stopped command does not outlive a killed front'

# A guardian that was stopped hears nothing, and front would wait for it.
mkfifo "$tmp/go"
start 'echo $EPHID_ID >$1/up; read -r line <$1/go; exit 5'
kill -STOP "$(cat "/proc/$front/task/$front/children")"
echo >"$tmp/go"
gone() { ! kill -0 "$front" 2>/dev/null; }
wait_for 10 gone; ok $? 'a stopped guardian is woken'
kill -CONT "$(cat "/proc/$front/task/$front/children" 2>/dev/null)" 2>/dev/null
finish
is "$status" 5 'and the status is told'

command -v sqlite3 >/dev/null || { skip 7 'no sqlite3'; exit 0; }
db=$EPHID_HOME/ledger.db

# A revocation that failed is tried again at the end.
start 'trap "" INT TERM; echo $EPHID_ID >$1/up; while :; do sleep 0.05; done'
sqlite3 "$db" "CREATE TRIGGER no BEFORE UPDATE ON identity
    WHEN julianday('now') < $(sqlite3 "$db" "SELECT julianday('now') + 0.6 / 86400")
    BEGIN SELECT RAISE(ABORT, 'no'); END"
kill -INT "$front"; kill -TERM "$front"
finish
sqlite3 "$db" 'DROP TRIGGER no'
is "$(sqlite3 "$db" "SELECT reason FROM identity WHERE id = '$id'")" \
    'ended by a signal and its grace was over' \
    'a revocation that fails is tried again'
is "$(cat "$tmp/said")" '' 'and not told, since it succeeds'

# lock: holds the ledger until `release' is written to. Front then waits for
# the guardian, who waits for us.
mkfifo "$tmp/keys" "$tmp/release"
lock() {
	rm -f "$tmp/locked"
	sqlite3 "$db" 'BEGIN IMMEDIATE' \
	    ".shell touch $tmp/locked; read -r x <$tmp/release" COMMIT &
	holder=$!
	wait_for 10 test -e "$tmp/locked" || bail 'the ledger is not locked'
}
waits() { [ -n "$(cat "/proc/$front/task/$front/children")" ] &&
    grep -q '^State:.S' "/proc/$front/status"; }

# Who kills front before the command is there does not want it any more.
lock
ephid-wrap -- sh -c "echo >$tmp/ran" 2>/dev/null &
front=$!
wait_for 10 waits
guardian=$(cat "/proc/$front/task/$front/children")
kill -KILL "$front"
wait "$front" 2>/dev/null
echo >"$tmp/release"
wait "$holder" 2>/dev/null
over() { ! kill -0 "$guardian" 2>/dev/null; }
wait_for 10 over
[ ! -e "$tmp/ran" ]; ok $? 'without front, no command is started'
is "$(sqlite3 "$db" 'SELECT COUNT(*) FROM identity WHERE live = 1')" 0 \
    'and nothing live is left'

# What the terminal made before the command was there reached nobody.
command -v script >/dev/null || { skip 3 'no script'; exit 0; }
lock
env --default-signal=INT,QUIT script -qefc "echo \$\$ >$tmp/pid; exec ephid-wrap -- sh -c \
    'sleep 3; echo >$tmp/survived'" /dev/null <"$tmp/keys" >/dev/null &
script=$!
exec 8>"$tmp/keys"
wait_for 10 test -s "$tmp/pid"
front=$(cat "$tmp/pid")
switches() { grep '^voluntary' "/proc/$front/status"; }
woke() { [ "$(switches)" != "$before" ]; }
wait_for 10 waits; ok $? 'a run waits for the ledger'
before=$(switches)
printf '\003' >&8
wait_for 5 woke; ok $? 'the terminal interrupts it'
echo >"$tmp/release"
wait "$holder" "$script" 2>/dev/null
[ ! -e "$tmp/survived" ]; ok $? 'which is not lost on the command'

# It was the run's own end that revoked: whoever looks here sweeps first, and
# would make up for a guardian that did nothing.
run ephid-inspect --events
like "$out" '*"event":"revoked"*' 'the ends of the runs revoked them'
unlike "$out" '*"event":"swept"*' 'and no sweep had to'
