#!/bin/sh
# What the command leaves running ends with the run.
. "${srcdir:-.}/tests/lib.sh"
mark=31415$$
# Processes whose argument is the mark; [3] keeps grep from finding itself.
marked() { grep -laz "[3]${mark#3}" /proc/[0-9]*/cmdline 2>/dev/null |
    wc -l; }

zoo() { # NAME SCRIPT
	run timeout 30 ephid-wrap -- sh -c "$2"
	is "$status" 0 "$1: the run ends well"
	is "$(marked)" 0 "$1: and takes it along"
}
zoo 'background' "sleep $mark &"
zoo 'nohup' "nohup sleep $mark >/dev/null 2>&1 &"
zoo 'setsid' "setsid sleep $mark & "
zoo 'double fork' "(setsid sh -c '(sleep $mark &) ; (sleep $mark &)' &)"
zoo 'closed descriptors' "sleep $mark <&- >&- 2>&- &"
zoo 'TERM ignored' "(trap '' TERM; exec sleep $mark) &"
zoo 'stopped' "sleep $mark & kill -STOP \$!"
zoo 'a tree that ignores TERM' \
    "(trap '' TERM; sh -c 'sleep $mark & sleep $mark & wait' & wait) &"

# One that keeps its own orphans.
cat >"$tmp/reaper.py" <<'EOT'
import ctypes, os, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) # PR_SET_CHILD_SUBREAPER
os.system("trap '' TERM; (setsid sleep %s &)" % sys.argv[1])
time.sleep(1000)
EOT
if command -v python3 >/dev/null; then
	zoo 'a subreaper of its own' "python3 $tmp/reaper.py $mark & sleep 0.3"
else
	skip 2 'no python3'
fi

# A chain of forks that races the killer, bounded by itself.
cat >"$tmp/chain" <<'EOT'
n=${2:-0}; [ "$n" -lt 4000 ] && { trap '' TERM; sh "$0" "$1" $((n + 1)) & }
EOT
zoo 'a fork chain' "sh $tmp/chain $mark & :"

# What the command made of its token folder.
run ephid-wrap -- sh -c 'chmod 777 "$EPHID_TOKEN_DIR"; echo "$EPHID_TOKEN_DIR"'
[ -n "$out" ] && [ ! -e "$out" ]; ok $? 'open to others, it is removed as well'
run ephid-wrap -- sh -c 'rm -r "$EPHID_TOKEN_DIR"; : >"$EPHID_TOKEN_DIR"
    echo "$EPHID_TOKEN_DIR"'
is "$status|$err" '0|' 'something else in its place'
[ -n "$out" ] && [ ! -e "$out" ]; ok $? 'is removed, too'

# What it mounted there is not for us to empty.
if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
	cat >"$tmp/mounts" <<'EOT'
precious=${EPHID_TOKEN_DIR%/*}/precious
mkdir -m 700 "$precious" "$EPHID_TOKEN_DIR/mounted"
echo >"$precious/file"
mount --bind "$precious" "$EPHID_TOKEN_DIR/mounted" && echo "$precious"
EOT
	run unshare -m ephid-wrap -- sh "$tmp/mounts"
	[ -n "$out" ] && [ -e "$out/file" ]; ok $? 'what it mounted there is let be'
	rm -r "$out"
	ephid-revoke --quiet --sweep
	# shellcheck disable=SC2016
	run unshare -m ephid-wrap -- sh -c 'sleep "$0" & echo $!
	    umount -l /proc' $mark
	like "$err" '*cannot end what the command left: *' \
	    'what cannot be found is not passed over in silence'
	kill -KILL "$out"
else
	skip 2 'nothing can be mounted here'
fi

# Its pid may be a straggler's by now, who is not waited for in its place.
cat >"$tmp/reuse" <<'EOT'
m=$$
(until [ ! -e /proc/$m ]; do :; done
    echo $((m - 1)) >/proc/sys/kernel/ns_last_pid
    sleep 314152 & echo "$! $m" >$1/reused) &
EOT
cat >"$tmp/outer" <<'EOT'
ephid-wrap --stragglers wait -- sh "$1/reuse" "$1" &
until [ -s "$1/reused" ]; do sleep 0.02; done
kill $!
wait $!
EOT
if [ "$(id -u)" -eq 0 ] && unshare -pf --mount-proc true 2>/dev/null; then
	run timeout -k 1 10 unshare -pf --kill-child --mount-proc \
	    sh "$tmp/outer" "$tmp"
	read -r straggler main <"$tmp/reused"
	[ "$straggler" = "$main" ] || diag 'another process took the pid'
	is "$status" 0 'a pid that is used again holds nobody up'
else
	skip 1 'no PID namespaces here'
fi

# Another user's process cannot be signalled by an ordinary run.
run timeout 30 ephid-wrap -- sh -c 'sleep 0 & exit 4'
is "$status" 4 'the status is the command'"'"'s all the same'

# Children that front had before it was front are not ours.
run timeout 30 sh -c "sleep $mark & echo \$!; exec ephid-wrap -- true"
[ -n "$out" ] && kill -0 "$out" 2>/dev/null
ok $? 'a child of the caller is spared'
kill -KILL "$out"
