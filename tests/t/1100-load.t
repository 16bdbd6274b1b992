#!/bin/sh
# Load: many runs at once, many in a row beside one that lives through them
# all, and eight writers of every kind on one ledger. Nobody hears of the
# others, nothing is lost, nothing is left, and nothing grows but the history.
#
# EPHID_FULL=1 takes 20000 runs in a row, and prints its figures.
# In a session of its own, so that its processes are known by it.
[ -n "${LOAD_SESSION:-}" ] || LOAD_SESSION=1 exec setsid -w sh "$0"
full=${EPHID_FULL:-} # lib.sh drops what is called EPHID_*
. "${srcdir:-.}/tests/lib.sh"
need mkfifo
umask 077
at_once=500 in_a_row=600 rounds=25
# With sanitizers all is several times as slow, and as large.
! grep -q __asan_init "$(program ephid-wrap)" || at_once=60 in_a_row=100 rounds=8
[ -z "$full" ] || in_a_row=20000 rounds=250

now_ms() { date +%s%3N; }
events() { ephid-inspect --events | grep -c "\"event\":\"$1\""; }
live() { ephid-inspect --list --json | wc -l; }
has_live() { [ "$(live)" -eq "$1" ]; }
kib() { sed -n "s/^$1:[^0-9]*\([0-9]*\).*/\1/p" "/proc/$2/status"; }
# What lies in home, in kibibytes: a WAL that is never cut is seen here.
size() { du -k "$EPHID_HOME/$1" | cut -f 1; }
# The guardian of a run, from its front.
guardian() { tr -d ' ' <"/proc/$1/task/$1/children"; }
# The most that a wrapper took, up to the start of its command.
peak() { ephid-wrap -- sh -c 'sed -n "s/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p" \
    /proc/$PPID/status'; }
said() { sort "$tmp/err" | uniq -c | head -n 5; }
# The states of those of our processes that are ephid's, dead ones too. A
# guardian may have a session of its own.
states() { cat /proc/[0-9]*/stat 2>/dev/null | sed -n \
    "s/^[0-9]* (ephid-[a-z]*) \([A-Z]\) [0-9]* [0-9]* $$ .*/\1/p" | tr -d '\n'; }

# --- at once: all of them live before the first may end ---------------
ephid-wrap true || bail 'ephid-wrap does not run'
mkfifo "$tmp/gate"
exec 8<>"$tmp/gate"
began=$(now_ms)
i=0 pids=
while [ $i -lt $at_once ]; do
	i=$((i + 1))
	ephid-wrap --task "at once" -- cat <"$tmp/gate" 8>&- 2>>"$tmp/err" &
	pids="$pids $!"
done
wait_for 120 has_live $at_once
ok $? "$at_once runs live at once"
diag "all of them after $(($(now_ms) - began)) ms"
is "$(said)" '' 'and none says a word'

run ephid-mint --task beside
is "$status|$err" '0|' 'one more is minted beside them'
ephid-revoke --quiet --task beside
run ephid-revoke --sweep --json
is "$status|$out" '0|{"swept":0}' 'a sweep spares them'

exec 8>&-
bad=0
for p in $pids; do wait "$p" || bad=$((bad + 1)); done
is "$bad" 0 'all end well'
n=$((at_once + 2))
is "$(ephid-revoke --sweep --dry-run)" '' 'none is left to sweep'
is "$(ls "$EPHID_HOME/runs")" '' 'nor a lock file'
is "$(live)" 0 'none is live'
is "$(events minted)|$(events revoked)|$(events swept)" \
    "$n|$n|0" 'each was minted once, and revoked once'
is "$(said)|$(states)" '|' 'without a word, or a process left'

# --- in a row, beside one that wakes with each commit of theirs --------
exec 8<>"$tmp/gate"
ephid-wrap --ttl 1h -- cat <"$tmp/gate" 8>&- >"$tmp/witness.out" 2>&1 &
witness=$!
wait_for 10 has_live 1 || bail 'ephid-wrap does not run'
loop() { # RUNS: how many failed
	i=0 bad=0
	while [ $i -lt "$1" ]; do
		i=$((i + 1))
		ephid-wrap true || bad=$((bad + 1))
	done 2>>"$tmp/err" 8>&-
	echo $bad >>"$tmp/bad"
}
loops() { # RUNS, two at a time
	loop $(($1 / 2)) &
	one=$!
	loop $(($1 / 2))
	wait $one
}
# The fewest of some looks: in the midst of one of its own it has more.
descriptors() { for _ in 1 2 3 4 5; do
	ls "/proc/$(guardian "$witness")/fd" 2>/dev/null | wc -l
	sleep 0.05
done | sort -n | head -n 1; }
resident() { kib VmRSS "$(guardian "$witness")"; }

loops 100 # to begin with, for caches fill
first_peak=$(peak) first_resident=$(resident) first_fds=$(descriptors)
began=$(now_ms)
loops $in_a_row
took=$(($(now_ms) - began))
last_peak=$(peak) last_resident=$(resident) last_fds=$(descriptors)
diag "$in_a_row in a row, two at a time: $took ms"
diag "peak of a wrapper: $first_peak, then $last_peak KiB"
diag "one that lives: $first_resident, then $last_resident KiB," \
    "$first_fds, then $last_fds descriptors"
diag "ledger $(size ledger.db) KiB, WAL $(size ledger.db-wal) KiB"
is "$(sort "$tmp/bad" | uniq -c | tr -s ' ')" ' 4 0' 'none fails'
is "$(said)" '' 'or says a word'
is "$(ls "$EPHID_HOME/runs" | wc -l)|$(states | tr -d S)" '1|' \
    'the one that lives is left, and nothing of the others'
n=$((at_once + in_a_row + 105))
is "$(events minted)|$(events revoked)|$(events swept)" \
    "$n|$((n - 1))|0" 'each was minted once, and revoked once'
[ "$last_peak" -lt $((first_peak + 1024)) ]
ok $? 'a wrapper takes no more memory than at first'
[ "$last_resident" -lt $((first_resident + 1024)) ]
ok $? 'nor does one that lives through it'
is "$last_fds" "$first_fds" 'or more descriptors'
[ "$(size ledger.db-wal)" -lt 8192 ]
ok $? 'the WAL was cut time and again'
exec 8>&-
wait "$witness"
is "$?|$(cat "$tmp/witness.out")" '0|' 'and it ends well'

# --- eight writers -----------------------------------------------------
# Each does one thing again and again; what fails or speaks is noted.
writer() { # NAME CMD...: `rounds' times
	name=$1 i=0
	shift
	while [ $i -lt "$rounds" ]; do
		i=$((i + 1))
		"$@" || echo "$name: status $?"
	done >"$tmp/$name.out" 2>"$tmp/$name.err"
}
mint() { ephid-mint --task keep --id-file "$tmp/kept" >/dev/null &&
    cat "$tmp/kept" >>"$tmp/kept.all" && echo >>"$tmp/kept.all"; }
mint_and_revoke() {
	ephid-mint --task short --id-file "$tmp/short" >"$tmp/token" &&
	    ephid-revoke --quiet "$(cat "$tmp/short")" || return
	# Revoked by us, it is so for all, at once.
	ephid-inspect --quiet - <"$tmp/token"
	[ $? -eq 1 ] || return 9
}
family() { ephid-wrap -- sh -c 'ephid-mint --ttl 1m --task child >/dev/null
    exec ephid-wrap --ttl 1m true'; }
began=$(now_ms)
writers=
for w in \
    'mint mint' \
    'revoke mint_and_revoke' \
    'task ephid-revoke --quiet --task child' \
    'wrap ephid-wrap true' \
    'family family' \
    'rotate ephid-keygen --quiet --rotate' \
    'list ephid-inspect --list --state all --json' \
    'sweep ephid-revoke --quiet --sweep'; do
	# shellcheck disable=SC2086
	writer $w &
	writers="$writers $!"
done
# shellcheck disable=SC2086
wait $writers
diag "eight writers of $rounds rounds: $(($(now_ms) - began)) ms"
is "$(cat "$tmp"/*.err | sort | uniq -c | head -n 5)" '' \
    'eight writers on one ledger: none says a word'
is "$(grep -h ': status' "$tmp"/*.out | sort | uniq -c)" '' 'and none fails'
is "$(live)" "$rounds" 'what was to stay is live, and nothing else'
is "$(sort -u "$tmp/kept.all" | grep -c .)" "$rounds" 'each with an id of its own'
is "$(ls "$EPHID_HOME/runs")|$(states)" '|' 'no lock file is left, no process'
if command -v sqlite3 >/dev/null; then
	is "$(sqlite3 "$EPHID_HOME/ledger.db" 'PRAGMA integrity_check')" ok \
	    'and the ledger is whole'
else
	skip 1 'sqlite3 is not installed'
fi
