#!/bin/sh
# SIGKILL of front, and of guardian, as it enters its first system call, its
# second, and so on until a run is over before its turn comes. Whoever is left
# ends the run: when both are gone nothing is live, nothing runs, no token
# file and no lock is left. The ledger is read with sqlite3, for our programs
# sweep.
#
# Two things are a sweep's. Front, killed before it forks the guardian, leaves
# a lock file, and nothing was minted. And where both are killed at once there
# is nobody left: what was minted lives until the sweep, and what the command
# left runs on.
#
# What is slow is walked with EPHID_FULL=1; without it every 7th call is, from
# a random one.
full=${EPHID_FULL:-} # lib.sh drops what is called EPHID_*
. "${srcdir:-.}/tests/lib.sh"
need sqlite3
fault=$(dirname "$(program ephid-wrap)")/tests/fault
[ -x "$fault" ] || skip_all 'tests/fault is not built'
"$fault" -o /dev/null true 2>"$tmp/words" || skip_all "$(cat "$tmp/words")"

# Thousands of syncs: in memory, where it can be.
ground=$(mktemp -d /dev/shm/ephid-test.XXXXXX 2>/dev/null) || ground=$tmp
at_exit "rm -rf '$ground'"
XDG_RUNTIME_DIR=$ground/runtime
EPHID_HOME=$ground/home
export XDG_RUNTIME_DIR
mkdir -m 700 "$XDG_RUNTIME_DIR"
mark=16180$$
ephid-wrap true || bail 'ephid-wrap does not run'
before=$(sqlite3 "$EPHID_HOME/ledger.db" 'select id from identity')
mv "$EPHID_HOME" "$ground/ready"

# Processes whose argument is the mark; [1] keeps grep from finding itself.
alive() { grep -laz "[1]${mark#1}" /proc/[0-9]*/cmdline 2>/dev/null; }
db() { sqlite3 -readonly "$EPHID_HOME/ledger.db" "$1" 2>&1; }
is_empty() { # FOLDER
	for entry in "$1"/*; do [ ! -e "$entry" ] || return 1; done
}
# For each identity of this run 1 when it lives, 0 when it was revoked; then
# what the ledger says of its soundness.
rows() {
	[ -s "$EPHID_HOME/ledger.db" ] || return 0
	db 'select name from sqlite_master' | grep -qx identity &&
	    db "select revoked_at is null from identity where id > '$before'"
	db 'pragma integrity_check'
}
broke() { # WHAT: a promise was not kept at this point
	diag "$who, call $n ($call): $*"
	broken=$((broken + 1))
}

# One run that is killed at its call $n; false when it was over before that.
point() {
	rm -rf "$EPHID_HOME"
	[ -z "$from" ] || cp -a "$from" "$EPHID_HOME"
	rm -f "$ground/ran"
	"$fault" -t 10 -w "$who" "$how" "$n" -o "$ground/report" ephid-wrap -- \
	    sh -c "sleep $mark & echo >$ground/ran; exit 3" 2>"$ground/words"
	status=$?
	reached='' call='' ms=0
	read -r reached call ms _ <"$ground/report" || :
	state=$(rows | tr '\n' ' ')
	if [ "$how" = -K ]; then left_to_a_sweep; else left_at_once; fi
	[ "$reached" = yes ]
}
left_at_once() {
	case $state in
	''|'ok '|'0 ok ') ;;
	*) broke "the ledger: $state" ;;
	esac
	[ ! -e "$ground/ran" ] || [ "$state" = '0 ok ' ] ||
	    broke "a command ran with no identity: $state"
	[ "$ms" -lt 1000 ] || broke "it took $ms ms"
	[ -z "$(alive)" ] || broke "left running: $(alive | tr '\n' ' ')"
	is_empty "$XDG_RUNTIME_DIR/ephid" || broke 'a token folder is left'
	is_empty "$EPHID_HOME/runs" || left_a_lock
	right_status || broke "status $status: $(cat "$ground/words")"
}
left_a_lock() {
	left=$((left + 1))
	case $who:$state in
	front:|front:'ok ') ;;
	*) broke 'a lock file is left' ;;
	esac
	sweep
	[ ! -s "$EPHID_HOME/ledger.db" ] || is_empty "$EPHID_HOME/runs" ||
	    broke 'and outlasts a sweep'
}
# Killed it is 137. A front that is left says 125 and why, or had heard already
# how the command ended.
right_status() {
	case $who:$reached:$status in
	front:yes:137|*:no:3) ;;
	guardian:yes:3) [ ! -s "$ground/words" ] ;;
	guardian:yes:125) grep -q 'guardian was killed' "$ground/words" ;;
	*) false ;;
	esac
}
sweep() { ephid-revoke --quiet --sweep 2>"$ground/words"; }
left_to_a_sweep() {
	for p in $(alive | cut -d/ -f3); do kill -KILL "$p" 2>/dev/null; done
	case $state in
	''|'ok '|'0 ok ') ;;
	'1 ok ') left=$((left + 1)) ;;
	*) broke "the ledger: $state" ;;
	esac
	sweep || [ -z "$state" ] || broke "the sweep: $(cat "$ground/words")"
	state=$(rows | tr '\n' ' ')
	case $state in
	'') return 0 ;; # killed before there was a ledger
	'ok '|'0 ok ') ;;
	*) broke "the ledger after a sweep: $state" ;;
	esac
	is_empty "$XDG_RUNTIME_DIR/ephid" || broke 'a sweep left a token folder'
	is_empty "$EPHID_HOME/runs" || broke 'a sweep left a lock file'
}

walk() { # HOW WHO STEP FROM NAME
	how=$1 who=$2 from=$4 broken=0 left=0
	n=$(($(od -An -N2 -tu2 /dev/urandom) % $3 + 1))
	diag "$5: $who, from call $n in steps of $3"
	while point; do n=$((n + $3)); done
	is $broken 0 "$5: $who killed at each of $((n / $3)) calls"
	diag "$5: $left times a sweep had something to do"
}
every=1 step=7
[ -z "$full" ] || step=1
# With sanitizers all is several times as slow.
[ -n "$full" ] || ! grep -q __asan_init "$(program ephid-wrap)" ||
    every=7 step=29
for victim in front guardian; do
	walk -k $victim $every "$ground/ready" 'a run'
	walk -k $victim $step '' 'a first run'
	walk -K $victim $step "$ground/ready" 'both at once'
done
