#!/bin/sh
# One home and several PID namespaces, a time namespace, two users; a home on
# a file system that is refused; a process that refuses our signals; and an
# upgrade beneath runs that go on.
#
# With EPHID_FULL=1 the release before is built and run on a ledger of today's;
# without it a ledger of tomorrow's stands for that.
full=${EPHID_FULL:-} # lib.sh drops what is called EPHID_*
. "${srcdir:-.}/tests/lib.sh"
need sqlite3
ephid-wrap true || bail 'ephid-wrap does not run'
root=false
[ "$(id -u)" -ne 0 ] || root=true

db() { sqlite3 "$EPHID_HOME/ledger.db" ".timeout 5000" "$1" 2>&1; }
held() { db "select $2 from identity where id = '$(cat "$tmp/$1")'"; }
revoked() { [ -n "$(held "$1" revoked_at)" ]; }
ends_of() { cat "/proc/$1/task/$1/children" 2>/dev/null; }
# begin NAME CMD...: a run whose command waits for `go NAME'. CMD is what comes
# before its arguments; $begun is the process of CMD.
begin() {
	begin_name=$1
	shift
	rm -f "$tmp/$begin_name"
	[ -p "$tmp/$begin_name.go" ] || mkfifo "$tmp/$begin_name.go"
	# shellcheck disable=SC2016
	"$@" -- sh -c 'echo "$EPHID_ID" >"$1.new" && mv "$1.new" "$1"
	    read -r x <"$1.go"; exit 5' sh "$tmp/$begin_name" \
	    2>"$tmp/$begin_name.said" &
	begun=$!
	wait_for 20 test -s "$tmp/$begin_name" ||
	    bail "$begin_name did not start: $(cat "$tmp/$begin_name.said")"
}
go() { echo >"$tmp/$1.go"; wait "$2"; status=$?; }

# --- PID namespaces ------------------------------------------------------
# Each numbers from 1, so all holders are called the same.

if $root && unshare -pf true 2>/dev/null; then
	apart='unshare -pf --mount-proc --kill-child'
	begin a $apart ephid-wrap; a=$begun
	begin b $apart ephid-wrap --on-revoke kill; b=$begun
	is "$(held a holder_pid)" "$(held b holder_pid)" \
	    'two holders in two containers have one pid'
	isnt "$(held a holder_pidns)" "$(held b holder_pidns)" \
	    'of two namespaces'
	in_b="nsenter -p -m -t $(ends_of "$b")"
	run $in_b ephid-revoke --sweep
	is "$status" 0 'a sweep in one'
	run ephid-inspect --list --json
	is "$(printf '%s\n' "$out" | grep -c '"state":"active"')" 2 \
	    'spares itself and the other'
	run $in_b ephid-inspect --quiet "$(cat "$tmp/a")"
	is "$status" 0 'and sees it live'
	run $in_b ephid-mint --parent none
	like "$out" 'ey*' 'who is in neither run mints a root'
	# There nobody is left who could revoke.
	kill -KILL "$(ends_of "$a")"
	wait "$a" 2>/dev/null
	run $in_b ephid-revoke --sweep
	revoked a; ok $? 'of one that was killed it finds the end'
	revoked b; is $? 1 'and still not its own'
	run $apart ephid-revoke "$(cat "$tmp/b")"
	is "$status" 0 'revoked from a third'
	wait "$b"
	is $? 143 'it is noticed in the second, and --on-revoke heeded'
	ephid-revoke --all >/dev/null
else
	skip 10 'no PID namespace can be made here'
fi

# --- a time namespace ----------------------------------------------------
# The boot clock is another there, and with it each start time in /proc.

if $root && unshare --time --boottime 1000000 -f true 2>/dev/null; then
	later='unshare --time --boottime 1000000 -f'
	begin t $later ephid-wrap; t=$begun
	begin u ephid-wrap; u=$begun
	run ephid-revoke --sweep
	run $later ephid-revoke --sweep
	revoked t; is $? 1 'a run in another time is not swept'
	revoked u; is $? 1 'nor one that is seen from there'
	go t "$t"
	is "$status" 5 'it ends as any other'
	revoked t; ok $? 'and is revoked'
	go u "$u"
	began=$(date +%s%3N)
	run $later ephid-wrap --timeout 300ms sleep 20
	is "$status" 124 'a time limit is kept there'
	[ $(($(date +%s%3N) - began)) -lt 8000 ]; ok $? 'when it is over'
else
	skip 6 'no time namespace can be made here'
fi

# --- two users -----------------------------------------------------------

refuses() { # WORDS CMD...: every program, with CMD before it
	refuses_words=$1
	shift
	for refused in 'ephid-mint' 'ephid-wrap echo ran' 'ephid-revoke --all' \
	    'ephid-revoke --sweep' 'ephid-inspect --list' 'ephid-keygen --list'
	do
		# shellcheck disable=SC2086
		run "$@" $refused
		wanted=3
		case $refused in *wrap*) wanted=125 ;; esac
		is "$status|$out" "$wanted|" "$refused is refused"
		like "$err" "ephid-*: $refuses_words" 'by name'
	done
}
listing() { find "$1" -exec stat -c '%n %u %a %s %Y' {} + | sort; }

if $root && can_as_user; then
	chmod 755 "$EPHID_HOME"
	listing "$EPHID_HOME" >"$tmp/before"
	refuses "home '$EPHID_HOME' belongs to uid 0, not to uid 1000" \
	    as_user env EPHID_HOME="$EPHID_HOME"
	listing "$EPHID_HOME" >"$tmp/after"
	cmp -s "$tmp/before" "$tmp/after"; ok $? 'and leaves no trace'
	as_user ephid-mint >/dev/null || bail 'a user cannot mint'
	theirs=$user_home/.local/state/ephid
	run env EPHID_HOME="$theirs" ephid-revoke --sweep
	is "$status" 3 'root is refused, too'
	like "$err" "*home '$theirs' belongs to uid 1000, not to uid 0" \
	    'where it is another'"'"'s'
	# A container without root is that user, whatever it is called inside.
	if as_user unshare -Urpf --mount-proc true 2>/dev/null; then
		chmod 777 "$tmp"
		begin n as_user unshare -Urpf --mount-proc env \
		    EPHID_HOME="$theirs" ephid-wrap; n=$begun
		as_user ephid-revoke -q --sweep
		run as_user ephid-inspect --quiet "$(cat "$tmp/n")"
		is "$status" 0 'the same user in a user namespace is no other'
		go n "$n"
		run as_user ephid-inspect --quiet "$(cat "$tmp/n")"
		is "$status" 1 'and the end there is seen here'
	else
		skip 2 'no user namespace can be made here'
	fi
else
	skip 17 'no other user'
fi

# --- file systems --------------------------------------------------------

# FUSE, really: a file system of one empty folder, answered by hand. As
# fuse(4) has it; `mute' does not answer statfs(2).
cat >"$tmp/fuse.py" <<'EOT'
import ctypes, errno, os, struct, subprocess, sys

INIT, GETATTR, OPENDIR, STATFS, FORGET = 26, 3, 27, 17, 2
EMPTY = {29, 34, 38}  # RELEASEDIR, ACCESS, DESTROY

def answer(op, mute):
    if op == INIT:
        return 0, struct.pack("=4I2H2I2H8I", 7, 31, 4096, 0, 8, 8, 4096, 1,
                              1, 0, *[0] * 8)
    if op == GETATTR:
        return 0, struct.pack("=QII6Q10I", 1, 0, 0, 1, 0, 0, 0, 0, 0,
                              0, 0, 0, 0o40700, 2, 0, 0, 0, 4096, 0)
    if op == OPENDIR:
        return 0, struct.pack("=QII", 0, 0, 0)
    if op == STATFS and not mute:
        return 0, struct.pack("=5Q10I", 1, 1, 1, 1, 1, 4096, 255, 4096,
                              *[0] * 7)
    if op in EMPTY:
        return 0, b""
    return -(errno.EIO if op == STATFS else
             errno.ENOENT if op == 1 else errno.ENOSYS), b""

def serve(fd, mute):
    while True:
        try:
            req = os.read(fd, 65536 + 4096)
            op, unique = struct.unpack("=4xIQ", req[:16])
            if op == FORGET:
                continue
            error, body = answer(op, mute)
            os.write(fd, struct.pack("=IiQ", 16 + len(body), error, unique)
                     + body)
        except OSError as e:
            if e.errno != errno.ENOENT:  # one was withdrawn
                return

where, how = sys.argv[1:3]
fd = os.open("/dev/fuse", os.O_RDWR)
libc = ctypes.CDLL(None, use_errno=True)
if libc.mount(b"ephid-test", where.encode(), b"fuse", 6,
              b"fd=%d,rootmode=40700,user_id=0,group_id=0" % fd) != 0:
    sys.exit("mount: " + os.strerror(ctypes.get_errno()))
if os.fork() == 0:
    serve(fd, how == "mute")
    os._exit(0)
os.close(fd)
status = subprocess.run(sys.argv[3:]).returncode
libc.umount2(where.encode(), 2)
sys.exit(status)
EOT
mkdir -m 700 "$tmp/mnt"
fuse() { # answering|mute CMD...
	unshare -m python3 "$tmp/fuse.py" "$tmp/mnt" "$@"
}
if $root && [ -e /dev/fuse ] && command -v python3 >/dev/null &&
    fuse answering true 2>/dev/null; then
	is "$(fuse answering stat -f -c %T "$tmp/mnt")" fuseblk \
	    'a file system in user space'
	refuses "home '$tmp/mnt' is on FUSE, whose locks cannot be trusted" \
	    env EPHID_HOME="$tmp/mnt" unshare -m python3 "$tmp/fuse.py" \
	    "$tmp/mnt" answering
	run env EPHID_HOME="$tmp/mnt" unshare -m python3 "$tmp/fuse.py" \
	    "$tmp/mnt" mute ephid-mint -q
	is "$status|$out" '3|' 'nor is one trusted that does not say what it is'
	like "$err" "*cannot tell the file system of home '$tmp/mnt': *" \
	    'which is said'
else
	skip 15 'FUSE cannot be mounted here'
fi

# The others, with a statfs(2) that is faked: what is proved is the check.
cat >"$tmp/fake.c" <<'EOT'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/vfs.h>

int fstatfs(int fd, struct statfs *out)
{
	int (*real)(int, struct statfs *) =
	    (int (*)(int, struct statfs *))dlsym(RTLD_NEXT, "fstatfs");
	int result = real(fd, out);

	if (result == 0 && getenv("FAKE_STATFS") != NULL)
		out->f_type = (__typeof__(out->f_type))
		    strtoul(getenv("FAKE_STATFS"), NULL, 16);
	return result;
}
int fstatfs64(int, struct statfs64 *)
    __attribute__((alias("fstatfs")));
EOT
if cc -w -shared -fPIC -o "$tmp/fake.so" "$tmp/fake.c" -ldl 2>/dev/null &&
    [ "$(LD_PRELOAD=$tmp/fake.so ephid-mint --version 2>&1)" = \
	"$(ephid-mint --version)" ]; then
	for type in 6969:NFS 517b:SMB ff534d42:SMB fe534d42:SMB \
	    01021997:9p 65735546:FUSE; do
		run env LD_PRELOAD="$tmp/fake.so" FAKE_STATFS="${type%:*}" \
		    ephid-mint -q
		is "$status|$out|$err" "3||ephid-mint: home '$EPHID_HOME' is \
on ${type#*:}, whose locks cannot be trusted" "faked: ${type%:*}"
	done
	run env LD_PRELOAD="$tmp/fake.so" FAKE_STATFS=ef53 ephid-mint
	is "$status" 0 'faked: a disk is none of them'
else
	skip 7 'nothing can be preloaded here'
fi

# --- a process that refuses our signals ----------------------------------
# A program as sudo and su are, in the hands of an ordinary user.

cat >"$tmp/privileged.c" <<'EOT'
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return 1; /* nosuid */
	if (argc < 3)
		return 0;
	/* Says who it is; ends when it was forgotten. */
	dprintf(open(argv[1], O_WRONLY | O_CREAT, 0644), "%d\n", (int)getpid());
	alarm((unsigned)atoi(argv[2]));
	pause();
	return 0;
}
EOT
privileged=$tmp/privileged
if $root && can_as_user && cc -w -o "$privileged" "$tmp/privileged.c" &&
    chmod 755 "$tmp" && chmod 4755 "$privileged" && as_user "$privileged"
then
	straggle="$privileged $user_home/up 60 &
	    until [ -s $user_home/up ]; do :; done"
	as_user mkdir "$user_home/out"
	# is_named NAME: and who it was is ended by root.
	is_named() {
		pid=$(cat "$user_home/up")
		is "$(printf '%s\n' "$err" | tail -n 1)" \
		    "ephid-wrap: left running: pid $pid (privileged)" \
		    "$1: it is named"
		kill -0 "$pid"; ok $? "$1: and runs on"
		kill -KILL "$pid"
		rm -f "$user_home/up"
	}
	began=$(date +%s%3N)
	run as_user ephid-wrap --receipt "$user_home/out/r" -- sh -c \
	    "$straggle; exit 4"
	is "$status" 4 'a straggler of root: the status is the command'"'"'s'
	[ $(($(date +%s%3N) - began)) -lt 1500 ]
	ok $? 'a straggler of root: nobody waits for it'
	like "$(cat "$user_home/out/r")" \
	    "*\"left\":\"pid $(cat "$user_home/up") (privileged)\"*" \
	    'a straggler of root: the receipt has it'
	is_named 'a straggler of root'
	run as_user ephid-wrap -- sh -c \
	    "$straggle; (trap '' TERM; exec sleep 60.$$) & exit 4"
	is "$status" 4 'among others'
	is_named 'among others, which end'
	is "$(pgrep -fx "sleep 60.$$")" '' 'among others: those are gone'

	# Waited for, it is waited for until somebody has enough.
	as_user timeout 20 ephid-wrap --stragglers wait -- \
	    sh -c "$straggle" 2>"$tmp/said" &
	waits=$!
	wait_for 10 test -s "$user_home/up" || bail 'it did not start'
	front=$(ends_of $waits)
	kill -TERM "${front% }"
	wait $waits
	is $? 0 'waited for: a signal ends the wait'
	err=$(cat "$tmp/said")
	is_named 'waited for'

	# The command itself is not left alone: its end is ours.
	as_user ephid-wrap --timeout 200ms --grace 100ms -- "$privileged" \
	    "$user_home/up" 60 2>"$tmp/said" &
	front=$!
	wait_for 10 grep -q 'cannot be ended' "$tmp/said"
	pid=$(cat "$user_home/up")
	is "$(tail -n 1 "$tmp/said")" "ephid-wrap: the command cannot be ended, and \
is waited for: pid $pid (privileged) refuses our signals" \
	    'a command of root: it is named'
	run as_user ephid-inspect --list --json --agent privileged
	is "$out" '' 'a command of root: it has no identity any more'
	kill -KILL "$pid"
	wait $front
	is $? 124 'a command of root: its time was over'
else
	skip 15 'nothing setuid can be made here'
fi

# --- an upgrade ----------------------------------------------------------
# Runs of one release go on while a later one migrates the ledger beneath them.

ephid-revoke --all >/dev/null
gone() { ! grep -q '^State:.[^ZX]' "/proc/$1/status" 2>/dev/null; }
# lose CMD...: a run that nobody holds. Both are killed at once, and once more
# where one of them was quick enough to revoke.
lose() {
	for try in 1 2 3 4 5 6 7 8 9 10; do
		begin lost "$@"
		# shellcheck disable=SC2046
		kill -KILL "$begun" $(ends_of "$begun")
		wait "$begun" 2>/dev/null
		wait_for 2 gone "$(held lost holder_pid)"
		revoked lost || return 0
	done
	diag "it was revoked each time, $try times"
}
# upgrade NAME FOLDER CMD...: the programs in FOLDER are the old release's,
# and CMD migrates the ledger. $renews: whether the old ones do.
upgrade() {
	name=$1 old=$2
	shift 2
	lose "$old/ephid-wrap"
	begin going "$old/ephid-wrap"; going=$begun
	$renews && { begin renewing "$old/ephid-wrap" --ttl 5s; renewing=$begun; }
	"$old/ephid-mint" -q --id-file "$tmp/minted" --output "$tmp/token"
	"$@" >/dev/null
	after=$(db 'pragma user_version')
	rows=$(db 'select count(*) from identity')
	newer="home '$EPHID_HOME' is of a newer version of ephid, which must \
mint here"
	run "$old/ephid-mint" -q
	is "$status|$out|$err" "3||ephid-mint: $newer" "$name: it does not mint"
	run "$old/ephid-wrap" echo ran
	is "$status|$out|$err" "125||ephid-wrap: $newer" "$name: nor run"
	is "$(db 'select count(*) from identity')" "$rows" \
	    "$name: and records nothing"
	run "$old/ephid-inspect" --quiet "$(cat "$tmp/minted")"
	is "$status" 0 "$name: what was minted is read"
	run "$old/ephid-revoke" "$(cat "$tmp/minted")"
	is "$status" 0 "$name: and revoked"
	revoked minted; ok $? "$name: as the ledger says"
	run "$old/ephid-revoke" --sweep
	revoked lost; ok $? "$name: what nobody holds is swept"
	revoked going; is $? 1 "$name: what is held is not"
	go going "$going"
	is "$status" 5 "$name: a run that was there ends as it would"
	revoked going; ok $? "$name: and is revoked"
	is "$(cat "$tmp/going.said")" '' "$name: without a word"
	is "$(db 'pragma user_version')" "$after" \
	    "$name: the ledger is not put back"
	is "$(db 'pragma integrity_check')" ok "$name: and is sound"
	$renews || return 0
	# At two thirds of its life, a second later, and two after that.
	wait_for 10 test -s "$tmp/renewing.said"
	is "$(cat "$tmp/renewing.said")" \
	    "ephid-wrap: cannot renew, and tries again: $newer" \
	    "$name: one that is to be renewed is not"
	twice() { [ "$(wc -l <"$tmp/renewing.said")" -gt 1 ]; }
	wait_for 2 twice
	is $? 1 "$name: which is said once"
	go renewing "$renewing"
	is "$status" 5 "$name: and goes on to its end"
	revoked renewing; ok $? "$name: which is a revocation, too"
}
now=$(dirname "$(program ephid-wrap)")
tomorrow() { db "pragma user_version = $(($(db 'pragma user_version') + 1))"; }
renews=true
upgrade 'this release, then a later one' "$now" tomorrow

# The release before is built from its sources, where they are at hand.
release=db3f66f
build_release() {
	mkdir "$tmp/old" &&
	git -C "$srcdir" archive "$release" | tar -xC "$tmp/old" &&
	cd "$tmp/old" && scripts/bootstrap && ./configure -q && make -s -j2
}
if [ -z "$full" ]; then
	diag 'the release before is built with EPHID_FULL=1'
elif ! git -C "$srcdir" cat-file -e "$release^{commit}" 2>/dev/null; then
	skip 1 "no sources of $release"
elif (build_release) >"$tmp/log" 2>&1; then
	EPHID_HOME=$tmp/second renews=false
	upgrade 'the release before, then this one' "$tmp/old" \
	    ephid-mint -q --output "$tmp/new"
	lose ephid-wrap
	begin today ephid-wrap; today=$begun
	run "$tmp/old/ephid-revoke" --sweep
	revoked lost; ok $? 'it sweeps what is of this one'
	revoked today; is $? 1 'and spares what lives'
	run "$tmp/old/ephid-revoke" "$(cat "$tmp/today")"
	go today "$today"
	revoked today; ok $? 'and revokes it'
else
	fail "$release is built"
	diag "$(tail -n 20 "$tmp/log")"
fi
