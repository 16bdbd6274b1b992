#!/bin/sh
# A sweep never ends a live run, not even one in another PID namespace.
. "${srcdir:-.}/tests/lib.sh"
need unshare
[ "$(id -u)" -eq 0 ] && unshare -pf true 2>/dev/null ||
    skip_all 'no PID namespace can be made here'

mkfifo "$tmp/go"
unshare -pf --mount-proc ephid-wrap -- sh -c \
    "echo \$EPHID_ID >$tmp/id; read -r line <$tmp/go; exec ephid-inspect -q" &
run_pid=$!
wait_for 10 test -s "$tmp/id" || bail 'the run did not start'
id=$(cat "$tmp/id")
run ephid-revoke --sweep
is "$status" 0 'a sweep from outside'
run ephid-inspect --quiet "$id"
is "$status" 0 'spares the run inside'
unshare -pf --mount-proc ephid-revoke --sweep
run ephid-inspect --quiet "$id"
is "$status" 0 'and so does one from a third namespace'
# A group that is outside of the namespace has no number inside.
group='cut -d" " -f5,8 /proc/self/stat'
run unshare -pf --mount-proc sh -c "$group"
bare=$out
run unshare -pf --mount-proc ephid-wrap -- sh -c "$group"
is "$out" "$bare" 'a command stays in a group that has no number here'
# As the first process of a container, front is the last parent of all.
if command -v nsenter >/dev/null; then
	front=$(pgrep -x -P $run_pid ephid-wrap)
	nsenter -t "$front" -p sh -c 'sleep 0.1 & exit 0'
	strays() { ps -o pid= --ppid "$front" | wc -l; }
	alone() { [ "$(strays)" -eq 1 ]; }
	wait_for 5 alone; ok $? 'and buries who has no other'
else
	skip 1 'no nsenter'
fi
echo >"$tmp/go"
wait $run_pid
is $? 0 'the run was valid to its end'
run ephid-inspect --quiet "$id"
is "$status" 1 'and is revoked after it'
