# shellcheck shell=sh disable=SC2034
# lib.sh - what every test in tests/t begins with.
#
#	#!/bin/sh
#	. "${srcdir:-.}/tests/lib.sh"
#	plan 3
#	run ephid-mint --scope repo:read
#	is "$status" 0 'mint exits 0'
#	like "$out" 'ey*.*.*' 'and prints a token'
#	run ephid-inspect x; not_ok_when "$status" 0 'rubbish is refused'
#
# One file proves one behaviour and prints TAP.  It gets a home, a TMPDIR and
# a HOME of its own that are gone when it ends, and an environment without
# EPHID_* or the marks of a CI system.  The programs are those on PATH, where
# make check puts the build folder first; by hand: PATH=$build:$PATH.

set -u
umask 022
LC_ALL=C
export LC_ALL

for lib_name in $(env | sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p'); do
	case $lib_name in
	EPHID_*|CI|CI_*|GITHUB_*|GITLAB_*|RUNNER_*|ACTIONS_*|BUILDKITE*|\
	CIRCLE*|JENKINS_*|TF_BUILD|BUILD_*|JOB_NAME|NO_COLOR|XDG_*)
		unset "$lib_name" ;;
	esac
done

srcdir=$(cd "${srcdir:-.}" && pwd)
lib_dir=$(mktemp -d "${TMPDIR:-/tmp}/ephid-test.XXXXXX") || exit 99
mkdir "$lib_dir/tmp" "$lib_dir/home-of-user"
EPHID_HOME=$lib_dir/home
TMPDIR=$lib_dir/tmp
HOME=$lib_dir/home-of-user
tmp=$TMPDIR # scratch for the test itself
export srcdir EPHID_HOME TMPDIR HOME

# at_exit CMD: one more thing to do before the folders are removed.
lib_at_exit=
at_exit() { lib_at_exit="$*; $lib_at_exit"; }
lib_end() {
	lib_rc=$?
	trap - EXIT
	eval "$lib_at_exit"
	cd / && rm -rf "$lib_dir"
	[ -z "$lib_plan" ] && printf '1..%d\n' "$lib_n"
	[ "$lib_rc" -eq 0 ] && [ "$lib_failed" -gt 0 ] && lib_rc=1
	exit "$lib_rc"
}
lib_plan='' lib_n=0 lib_failed=0
trap lib_end EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

# plan N, or none at all: the count is then printed at the end.
plan() { lib_plan=$1; printf '1..%d\n' "$1"; }
skip_all() { echo "1..0 # SKIP $*"; lib_plan=0; exit 0; }
bail() { echo "Bail out! $*"; exit 99; }
diag() { printf '%s\n' "$*" | sed 's/^/# /'; }
pass() { lib_n=$((lib_n + 1)); printf 'ok %d - %s\n' $lib_n "$*"; }
fail() {
	lib_n=$((lib_n + 1)) lib_failed=$((lib_failed + 1))
	printf 'not ok %d - %s\n' $lib_n "$*"
	return 0
}
# skip COUNT WHY
skip() {
	lib_k=$1
	shift
	while [ "$lib_k" -gt 0 ]; do
		lib_n=$((lib_n + 1)) lib_k=$((lib_k - 1))
		printf 'ok %d # SKIP %s\n' $lib_n "$*"
	done
}

# ok STATUS NAME: ok $? 'it worked'
ok() {
	if [ "$1" -eq 0 ]; then pass "$2"; else fail "$2"; diag "status $1"; fi
}
not_ok_when() { # STATUS UNWANTED NAME
	if [ "$1" -ne "$2" ]; then pass "$3"
	else fail "$3"; diag "status $1"; lib_show; fi
}
is() { # GOT WANTED NAME
	if [ "$1" = "$2" ]; then pass "$3"
	else fail "$3"; diag "got:    $1"; diag "wanted: $2"; lib_show; fi
}
isnt() { # GOT UNWANTED NAME
	if [ "$1" != "$2" ]; then pass "$3"
	else fail "$3"; diag "got:    $1"; lib_show; fi
}
like() { # GOT PATTERN NAME: the pattern is that of `case', all of it
	# shellcheck disable=SC2254
	case $1 in
	$2) pass "$3" ;;
	*) fail "$3"; diag "got:  $1"; diag "like: $2"; lib_show ;;
	esac
}
unlike() { # GOT PATTERN NAME
	# shellcheck disable=SC2254
	case $1 in
	$2) fail "$3"; diag "got:    $1"; diag "unlike: $2"; lib_show ;;
	*) pass "$3" ;;
	esac
}

# run CMD...: sets $status, $out and $err.
status=0 out='' err='' lib_ran=''
run() {
	lib_ran=$*
	"$@" >"$lib_dir/out" 2>"$lib_dir/err" && status=0 || status=$?
	out=$(cat "$lib_dir/out")
	err=$(cat "$lib_dir/err")
}
# What was run last, shown with a failure. Tokens are cut: logs are public.
lib_show() {
	[ -n "$lib_ran" ] || return 0
	diag "ran: $lib_ran"
	diag "status $status"
	diag "stdout: $out" | sed 's/\(eyJ[A-Za-z0-9_-]\{8\}\)[A-Za-z0-9_.-]*/\1.../g'
	diag "stderr: $err" | sed 's/\(eyJ[A-Za-z0-9_-]\{8\}\)[A-Za-z0-9_.-]*/\1.../g'
}

# program NAME: where it is; the test ends as skipped when it is missing.
program() { command -v "$1" || return 1; }
need() {
	for lib_p; do
		command -v "$lib_p" >/dev/null 2>&1 ||
		    skip_all "$lib_p is not installed"
	done
}

# as_user CMD...: as an ordinary user, for root passes every permission. Its
# HOME is $user_home and its ephid home is beneath it. When we are ordinary
# ourselves, as we are.
user_home=$lib_dir/user
mkdir "$user_home"
if [ "$(id -u)" -eq 0 ]; then
	chmod 755 "$lib_dir"
	chown 1000:1000 "$user_home"
fi
as_user() {
	if [ "$(id -u)" -eq 0 ]; then
		setpriv --reuid=1000 --regid=1000 --clear-groups \
		    env -u EPHID_HOME HOME="$user_home" TMPDIR="$user_home" \
		    USER=user LOGNAME=user "$@"
	else
		env -u EPHID_HOME HOME="$user_home" TMPDIR="$user_home" "$@"
	fi
}
can_as_user() {
	[ "$(id -u)" -ne 0 ] || { command -v setpriv >/dev/null 2>&1 &&
	    as_user ephid-mint --version >/dev/null 2>&1; }
}

# wait_for SECONDS CMD...: polls an event; it is not a sleep that hopes.
wait_for() {
	lib_until=$(($(date +%s%3N) + $1 * 1000))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s%3N)" -lt "$lib_until" ] || return 1
		sleep 0.02
	done
}

# checks CMD...: runs a program that makes checks of its own, in lines "ok NAME",
# "not ok NAME", "todo NAME" (not yet), "skip WHY", "# WORDS", and "done" at last.
# In python: tests/checks.py.
checks() {
	lib_ended=no lib_ran=
	PYTHONPATH=$srcdir/tests PYTHONDONTWRITEBYTECODE=1 "$@" >"$lib_dir/checks" 2>&1
	while IFS= read -r lib_line; do
		case $lib_line in
		'ok '*) pass "${lib_line#ok }" ;;
		'not ok '*) fail "${lib_line#not ok }" ;;
		'todo '*)
			lib_n=$((lib_n + 1))
			echo "not ok $lib_n - ${lib_line#todo } # TODO" ;;
		'skip '*) skip 1 "${lib_line#skip }" ;;
		done) lib_ended=yes ;;
		*) diag "${lib_line#\# }" ;;
		esac
	done <"$lib_dir/checks"
	[ $lib_ended = yes ] || fail "$1 ended before its checks did"
}

# field NAME: the first such string or number of the JSON text on stdin.
field() {
	sed -n 's/.*"'"$1"'":"\{0,1\}\([^",}]*\).*/\1/p' | head -n 1
}

# payload TOKEN, header TOKEN: the JSON inside, unverified.
lib_unb64() {
	lib_s=$(printf %s "$1" | tr '_-' '/+')
	while [ $((${#lib_s} % 4)) -ne 0 ]; do lib_s=$lib_s=; done
	printf %s "$lib_s" | base64 -d
}
header() { lib_unb64 "${1%%.*}"; }
payload() { lib_t=${1#*.}; lib_unb64 "${lib_t%%.*}"; }
