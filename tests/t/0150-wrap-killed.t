#!/bin/sh
# kill -9 of front, of guardian, of front's group at random moments: revoked
# within a second, nothing alive within three. Both at once: the next ephid
# program sweeps. The ledger is read with sqlite3, for ephid-inspect sweeps.
. "${srcdir:-.}/tests/lib.sh"
need sqlite3 setsid
rounds=${KILL_ROUNDS:-100}
mark=27182$$

ephid-wrap true || bail 'ephid-wrap does not run'
db() { sqlite3 -readonly "$EPHID_HOME/ledger.db" "$1" 2>/dev/null; }
unrevoked() { db 'select count(*) from identity where revoked_at is null'; }
none_live() { [ "$(unrevoked)" = 0 ]; }
alive() { grep -laz "[2]${mark#2}" /proc/[0-9]*/cmdline 2>/dev/null; }
none_alive() { [ -z "$(alive)" ]; }
guardian_of() { tr -d ' ' <"/proc/$1/task/$1/children" 2>/dev/null; }
folders() { db 'select token_dir from identity where token_dir is not null' |
    while read -r d; do [ ! -e "$d" ] || echo "$d"; done; }

# The victim leaves children in sessions of their own.
begin() {
	setsid ephid-wrap -- sh -c \
	    "setsid sleep $mark & sleep $mark & sleep $mark" 2>/dev/null &
	front=$!
}
# A moment in the first 30 ms or so, from before the mint to long after it.
moment() { sleep "$(printf '0.%03d' $(($1 * 7919 % 31)))"; } # ROUND
late() { # WHAT: the state when a promise was not kept
	diag "round $round, $1: $(unrevoked) live; $(alive | tr '\n' ' ')"
}

campaign() { # NAME KILLER
	lost=0 orphans=0 round=0
	while [ $round -lt "$rounds" ]; do
		round=$((round + 1))
		begin
		moment $round
		$2
		wait_for 1 none_live || { lost=$((lost + 1)); late revoked; }
		wait_for 3 none_alive || { orphans=$((orphans + 1)); late alive; }
		wait "$front" 2>/dev/null
	done
	is $lost 0 "$1: revoked within a second, $rounds times"
	is $orphans 0 "$1: nothing alive within three"
}
kill_front() { kill -KILL "$front" 2>/dev/null; }
kill_group() { kill -KILL "-$front" 2>/dev/null || kill_front; }
kill_guardian() {
	g=$(guardian_of "$front")
	# shellcheck disable=SC2086
	if [ -n "$g" ]; then kill -KILL $g 2>/dev/null; else kill_front; fi
}
campaign front kill_front
campaign guardian kill_guardian
campaign "front's group" kill_group
is "$(folders)" '' 'no token folder is left'

begin
wait_for 5 test -n "$(alive)" || :
until [ -n "$(alive)" ] && [ "$(unrevoked)" = 1 ]; do :; done
kill -KILL "$(guardian_of "$front")"
wait "$front"; is $? 125 'without its guardian, front exits 125'

begin
until [ -n "$(alive)" ] && [ "$(unrevoked)" = 1 ]; do :; done
echo '{"policy":' >"$EPHID_HOME/config.json"
kill -KILL "$(guardian_of "$front")"
wait "$front"
is "$(unrevoked)" 0 'and revokes, though the configuration was broken meanwhile'
rm "$EPHID_HOME/config.json"

# An exec can hang, in a file system that does not answer. Here it waits for
# strace, which holds up the one of that path.
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
	strace -f -o /dev/null -P /bin/true -e trace=execve \
	    -e inject=execve:delay_enter=8000000 sh -c \
	    'echo $$ >$1/front.pid; exec ephid-wrap -- /bin/true' sh "$tmp" \
	    2>/dev/null &
	strace=$!
	held() { [ "$(unrevoked)" = 1 ]; }
	wait_for 25 held; ok $? 'a command that is held up in its exec'
	kill -KILL "$(cat "$tmp/front.pid")"
	none() { [ "$(unrevoked)" = 0 ]; }
	wait_for 2 none; ok $? 'does not keep its guardian from revoking'
	wait "$strace" 2>/dev/null
else
	skip 2 'no strace'
fi

# Gone, or as good as: not every container's init reaps what comes to it.
gone() { ! grep -q '^State:.[^ZX]' "/proc/$1/status" 2>/dev/null; }

# Both at once. Stopping them first would not do: the death of either orphans
# the other's process group, and the kernel continues those. So it is a race,
# run again when one of them lived long enough to revoke, as it should.
kill_both() {
	begin
	until [ -n "$(alive)" ] && [ "$(unrevoked)" = 1 ]; do :; done
	g=$(guardian_of "$front")
	# shellcheck disable=SC2086
	kill -KILL "$front" $g
	wait "$front" 2>/dev/null
	wait_for 5 gone "${g% }" # nobody else waits for it
	[ "$(unrevoked)" = 1 ]
}
swept_by() { # NAME CMD...
	name=$1; shift
	tries=0
	until kill_both || [ $tries -eq 50 ]; do tries=$((tries + 1)); done
	is "$(unrevoked)" 1 "$name: nobody was there to revoke"
	[ "$(unrevoked)" = 1 ] ||
	    diag "guardian '$g': $(db 'select kind, why, program, pid
		from event order by seq desc limit 4')"
	"$@" >/dev/null 2>&1
	is "$(unrevoked)" "${after:-0}" "$name: swept by the next program"
	for p in $(alive | cut -d/ -f3); do kill -KILL "$p" 2>/dev/null; done
}
swept_by inspect ephid-inspect --list
swept_by revoke ephid-revoke --sweep
swept_by keygen ephid-keygen --list
swept_by wrap ephid-wrap true
after=1 swept_by mint ephid-mint
ephid-revoke --all >/dev/null
# Killed between revoking and removing: only a full sweep looks for that.
ephid-revoke --sweep >/dev/null
is "$(folders)" '' 'and no token folder is left'
is "$(db 'pragma integrity_check')" ok 'the ledger is sound'
