#!/bin/sh
# Each system call fails once, with each error that it can have: in front, in
# the guardian, in ephid-mint and in ephid-revoke. Then
#
#   a command that ran had an identity, which is revoked; or stderr says that
#   it is not, and the next sweep makes up for it
#   a token that was printed is one that the ledger knows
#   what failed is told, with the documented status
#   what is not told did not fail: nothing is left, not even for a sweep
#   nobody hangs, spins or crashes
#
# EPHID_FULL=1 takes every call; without it the first three of a kind, and
# from there on every 8th.
full=${EPHID_FULL:-} # lib.sh drops what is called EPHID_*
. "${srcdir:-.}/tests/lib.sh"
need sqlite3
fault=$(dirname "$(program ephid-wrap)")/tests/fault
[ -x "$fault" ] || skip_all 'tests/fault is not built'
"$fault" -o /dev/null true 2>"$tmp/words" || skip_all "$(cat "$tmp/words")"

# What can come back from which call. Of fcntl(2) only locks are meant, which
# somebody else holds.
# What loads the programs, before their first prctl(2), is not ours to judge.
errors() { cat <<'EOT'
EIO openat read pread64 pwrite64 write fdatasync fsync ftruncate close
EIO getdents64 newfstatat mkdir mkdirat unlinkat renameat fchmod fchown access
ENOSPC openat pwrite64 write fdatasync fsync ftruncate mkdir mkdirat renameat
ENOSPC inotify_add_watch
EMFILE openat openat2 dup pipe2 socket socketpair inotify_init1 signalfd4
EMFILE timerfd_create pidfd_open
EAGAIN clone fcntl read recvfrom connect rt_sigtimedwait
EINTR openat read pread64 pwrite64 write fdatasync fsync close
EINTR poll wait4 waitid recvfrom sendto connect rt_sigtimedwait dup2
EINTR nanosleep clock_nanosleep getrandom
ENOMEM openat read newfstatat mmap munmap mprotect brk clone poll getdents64
ENOMEM mkdir mkdirat socketpair inotify_init1 inotify_add_watch pidfd_open
ENOMEM pipe2 signalfd4 timerfd_create prctl fcntl sendto recvfrom
EOT
}

# Thousands of syncs: in memory, where it can be.
ground=$(mktemp -d /dev/shm/ephid-test.XXXXXX 2>/dev/null) || ground=$tmp
at_exit "rm -rf '$ground'"
XDG_RUNTIME_DIR=$ground/runtime
EPHID_HOME=$ground/home
export XDG_RUNTIME_DIR
mkdir -m 700 "$XDG_RUNTIME_DIR"
mark=14142$$
ephid-wrap true || bail 'ephid-wrap does not run'
before=$(sqlite3 "$EPHID_HOME/ledger.db" 'select id from identity')
cp -a "$EPHID_HOME" "$ground/ready"
ephid-mint --id-file "$ground/id" --output "$ground/token" || bail 'no mint'
victim=$(cat "$ground/id")
mv "$EPHID_HOME" "$ground/held"

# Processes whose argument is the mark; [1] keeps grep from finding itself.
alive() { grep -laz "[1]${mark#1}" /proc/[0-9]*/cmdline 2>/dev/null; }
db() { sqlite3 -readonly "$EPHID_HOME/ledger.db" "$1" 2>&1; }
is_empty() { # FOLDER
	for entry in "$1"/*; do [ ! -e "$entry" ] || return 1; done
}
# For each identity that is new 1 when it lives, 0 when it was revoked, with +
# when the end of its command is known; then whether the ledger is sound.
look() {
	state=$(db "select (revoked_at is null) ||
	    case when outcome.identity is null then '' else '+' end
	    from identity left join outcome on outcome.identity = id
	    where id > '$before'; pragma integrity_check" | tr '\n' ' ')
}
says() { grep -q "$1" "$ground/words"; }
is_silent() { [ ! -s "$ground/words" ]; }
broke() { # WHAT: a promise was not kept at this point
	diag "$who, $error of $call $n: $*; status $status, ledger $state"
	diag "  $(tr '\n' '|' <"$ground/words")"
	broken=$((broken + 1))
}

# One run of COMMAND in which a call fails; false when none came to it.
spoiled() { # FROM WHO COMMAND...
	rm -rf "$EPHID_HOME"
	cp -a "$1" "$EPHID_HOME"
	rm -f "$ground/ran"
	who_=$2
	shift 2
	"$fault" -t 10 -w "$who_" -a prctl -e "$error:$n:$call" \
	    -o "$ground/report" "$@" >"$ground/out" 2>"$ground/words"
	status=$?
	reached='' calls=0 front='' guardian=''
	read -r reached _ _ calls front guardian <"$ground/report" || :
	look
	[ "$status" -ne 142 ] || broke 'it hangs'
	case $front:$guardian in
	1[3-9][0-9]:*|*:1[2-9][0-9]) broke "it crashes ($front $guardian)" ;;
	esac
	# Who finds no list of children in /proc looks at every process.
	[ "${calls:-0}" -lt 1500 ] || [ "$call" = access ] ||
	    broke "it spins, or waits: $calls calls"
	case $state in
	*'ok ') ;;
	*) broke 'the ledger is damaged' ;;
	esac
	[ "$reached" = yes ]
}
# A lock file that could not be removed, or was not seen to be there, is a
# sweep's to find and nobody's to read about.
is_bookkeeping() { [ "$call" = unlinkat ] || [ "$call" = newfstatat ]; }

wrap() {
	spoiled "$ground/ready" "$who" ephid-wrap -- \
	    sh -c "sleep $mark & echo >$ground/ran; exit 3" || return 1
	for p in $(alive | cut -d/ -f3); do
		broke "left running: $p"
		kill -KILL "$p"
	done
	if [ -e "$ground/ran" ]; then after_a_run; else after_no_run; fi
	if is_silent; then
		is_empty "$EPHID_HOME/runs" || is_bookkeeping ||
		    broke 'a lock file, and silence'
		is_empty "$XDG_RUNTIME_DIR/ephid" ||
		    broke 'a token folder, and silence'
	fi
	ephid-revoke --quiet --sweep || broke 'a sweep fails'
	look
	case $state in
	'ok '|0*) ;;
	*) broke 'alive after a sweep' ;;
	esac
	is_empty "$EPHID_HOME/runs" || broke 'a lock file after a sweep'
	is_empty "$XDG_RUNTIME_DIR/ephid" || {
		broke 'a token folder after a sweep'
		rm -rf "$XDG_RUNTIME_DIR/ephid"
	}
}
after_a_run() {
	# What did not hear that it started ends it.
	[ "$status" -eq 3 ] || says 'cannot start' ||
	    broke 'the status is not the command'"'"'s'
	case $state in
	'0+ ok ') ;;
	'0 ok ') says 'receipt of run' || broke 'its end is not recorded' ;;
	1*) says 'is not revoked' || broke 'it lives, and nobody says so' ;;
	*) broke 'it ran without an identity' ;;
	esac
}
after_no_run() {
	[ "$status" -eq 125 ] || broke 'nothing ran: not 125'
	is_silent && broke 'nothing ran, and nobody says why'
	case $state in
	'ok '|0*) ;;
	*) says 'is not revoked' || broke 'it lives, and nobody says so' ;;
	esac
}

mint() {
	spoiled "$ground/ready" only ephid-mint || return 1
	judge_mint "$(cat "$ground/out")"
}
mint_to_file() {
	rm -f "$ground/file"*
	spoiled "$ground/ready" only ephid-mint --id-file "$ground/file.id" \
	    --output "$ground/file" || return 1
	token=
	[ ! -e "$ground/file" ] || token=$(cat "$ground/file")
	judge_mint "$token"
	for draft in "$ground"/file*.new; do
		[ ! -e "$draft" ] || broke "it leaves $draft"
	done
}
judge_mint() { # TOKEN
	token=$1
	id=$(db "select id from identity where id > '$before'")
	if [ -n "$token" ]; then
		case $(payload "$token") in
		*"\"jti\":\"$id\""*) ;;
		*) broke 'it printed a token that the ledger does not know' ;;
		esac
	fi
	case $status:$state in
	0:'1 ok ') [ -n "$token" ] || broke 'success, and no token' ;;
	3:'ok '|3:0*) ;;
	# At exit stdout is closed again; when the token was written the first
	# time had asked already, and somebody has it.
	3:1*) says 'is not revoked' ||
	    { [ "$call" = close ] && [ -n "$token" ]; } || broke 'it lives, and nobody has it' ;;
	*) broke 'the status is not 3' ;;
	esac
	[ "$status" -eq 0 ] || ! is_silent || broke 'it fails, and is silent'
}

revoke() {
	spoiled "$ground/held" only ephid-revoke "$victim" || return 1
	case $status:$state in
	0:'0 ok ') ;;
	3:*) ! is_silent || broke 'it fails, and is silent' ;;
	*) broke 'lost, and not told with 3' ;;
	esac
	ephid-revoke --quiet "$victim" || broke 'once more fails too'
	look
	[ "$state" = '0 ok ' ] || broke 'it lives'
}

step=8
[ -z "$full" ] || step=1
errors >"$ground/errors"
# With sanitizers all is several times as slow, and their own memory, which
# they get as they go, is not ours to take away. They do not look for leaks
# when they are traced.
if grep -q __asan_init "$(program ephid-wrap)"; then
	[ -n "$full" ] || step=29
	errors | sed 's/ mmap munmap mprotect//' >"$ground/errors"
	ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}detect_leaks=0
	export ASAN_OPTIONS
fi
walk() { # ACT WHO
	who=$2 broken=0 total=0 	start=$(($(od -An -N2 -tu2 /dev/urandom) % step + 1))
	diag "$who: calls 1, 2, 3, $((3 + start)) and so on in steps of $step"
	while read -r error rest; do
		for call in $rest; do
			n=1
			while $1; do
				total=$((total + 1))
				case $n in
				1|2) n=$((n + 1)) ;;
				3) n=$((3 + start)) ;;
				*) n=$((n + step)) ;;
				esac
			done
		done
	done <"$ground/errors"
	is $broken 0 "$who: $total faults"
}
walk wrap front
walk wrap guardian
walk mint ephid-mint
walk mint_to_file 'ephid-mint --output'
walk revoke ephid-revoke
