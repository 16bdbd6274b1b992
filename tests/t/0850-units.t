#!/bin/sh
# make install puts systemd's units in place, for the system and for a user;
# systemd takes them as they are, and what they start sweeps.
. "${srcdir:-.}/tests/lib.sh"
need make
build=$(dirname "$(program ephid-revoke)")
[ -f "$build/Makefile" ] || skip_all 'ephid-revoke is not in a build folder'
unset MAKEFLAGS MAKELEVEL MFLAGS
XDG_RUNTIME_DIR=$tmp
export XDG_RUNTIME_DIR

dest=$tmp/dest
into() { make -s -C "$build" DESTDIR="$dest" "$@" >"$tmp/make.log" 2>&1; }
install_fails() { diag "$(tail -n 20 "$tmp/make.log")"; }
into install; ok $? "make install"
units=$(find "$dest" -name 'ephid-sweep.*' | sort)
is "$(echo "$units" | sed 's|.*/systemd/||')" 'system/ephid-sweep.service
system/ephid-sweep.timer
user/ephid-sweep.service
user/ephid-sweep.timer' 'installs a service and a timer of each kind'

# Leaves a copy for systemd to verify, which names the program where it is.
looks() { # system|user
	unit=$(echo "$units" | grep "/$1/ephid-sweep.service")
	command=$(sed -n 's/^ExecStart=//p' "$unit")
	like "$command" '/*/ephid-revoke --sweep --quiet' "$1: it sweeps"
	[ -x "$dest${command%% *}" ]
	ok $? "$1: by the program that was installed"
	! grep -n '@[a-z]*@\|\${' "$unit"
	ok $? "$1: no variable is left"
	mkdir "$tmp/$1"
	cp "${unit%/*}"/* "$tmp/$1"
	sed -i "s|^ExecStart=|&$dest|" "$tmp/$1/ephid-sweep.service"
}
verify() { # system|user
	run systemd-analyze "--$1" --man=no verify \
	    "$tmp/$1/ephid-sweep.service" "$tmp/$1/ephid-sweep.timer"
	is "$status$err" 0 "$1: systemd-analyze verify is content"
}
looks system
looks user
printf '[Service]\nExecStart=/bin/true\n' >"$tmp/plain.service"
if systemd-analyze verify --man=no "$tmp/plain.service" 2>"$tmp/why"; then
	verify system
	verify user
	run systemd-analyze security --offline=true --threshold=20 --no-pager \
	    "$tmp/system/ephid-sweep.service"
	is "$status" 0 'system: systemd-analyze security says 2.0 or less'
else
	skip 3 "systemd-analyze does not run: $(head -n 1 "$tmp/why")"
fi

# What they start: nothing is wrong where there is no home, and a dead run is
# ended without a word.
is "$(echo "$units" | grep service | xargs grep -h ^SuccessExitStatus)" \
    'SuccessExitStatus=1
SuccessExitStatus=1' 'status 1 is no failure of the unit'
# shellcheck disable=SC2086
sweep() { run "$dest${command%% *}" ${command#* }; }
sweep
is "$status$out$err" 1 'which an absent home is'
[ ! -e "$EPHID_HOME" ]; ok $? 'and stays'

# Both at once, again when one of them lived long enough to revoke.
dies() {
	rm -f "$tmp/id"
	ephid-wrap -- sh -c 'echo "$EPHID_ID" >"$0"; exec sleep 60' "$tmp/id" &
	front=$!
	wait_for 10 test -s "$tmp/id" || bail 'the run did not start'
	# shellcheck disable=SC2046
	kill -KILL $front $(cat "/proc/$front/task/$front/children")
	wait $front 2>/dev/null
	ephid-revoke --sweep --dry-run | grep -q "$(cat "$tmp/id")"
}
tries=0
until dies; do
	tries=$((tries + 1))
	[ $tries -lt 50 ] || bail 'no run died unrevoked'
done
sweep
is "$status$out$err" 0 'it sweeps without a word'
is "$(ephid-revoke --sweep --dry-run)" '' 'and nothing is left to sweep'
is "$(ephid-inspect --json "$(cat "$tmp/id")" | field state)" revoked \
    'the dead run is revoked'

into uninstall; ok $? 'make uninstall' || install_fails
is "$(find "$dest" ! -type d)" '' 'removes all that was installed'
into install systemdsystemunitdir=/lib/x systemduserunitdir=/lib/y
is "$(cd "$dest" && find . -name 'ephid-sweep.*' | sort)" \
    './lib/x/ephid-sweep.service
./lib/x/ephid-sweep.timer
./lib/y/ephid-sweep.service
./lib/y/ephid-sweep.timer' 'their folders can be others'
