#!/bin/sh
# Eight loops of runs on one ledger: each mints, ends and revokes as if it
# were alone, and whoever waits for another says nothing of it.
. "${srcdir:-.}/tests/lib.sh"
loops=8 runs=${CONTENTION_RUNS:-25}

ephid-wrap true || bail 'ephid-wrap does not run'
turns() { # N: says how many of its runs succeeded
	i=0 good=0
	while [ $i -lt "$runs" ]; do
		i=$((i + 1))
		ephid-wrap --task "$1-$i" -- true && good=$((good + 1))
	done >>"$tmp/$1.out" 2>>"$tmp/$1.err"
	echo $good >"$tmp/$1.good"
}
loop=0
while [ $loop -lt $loops ]; do
	loop=$((loop + 1))
	turns $loop &
done
wait
is "$(cat "$tmp"/*.good | sort | uniq -c | tr -s ' ')" " $loops $runs" \
    "$loops loops of $runs runs, and all succeed"
is "$(sort "$tmp"/*.err | uniq -c | head -n 5)" '' 'nothing on stderr'
is "$(cat "$tmp"/*.out)" '' 'nor on stdout'

# Looked at before anything sweeps: a dry run does not.
is "$(ephid-revoke --sweep --dry-run)" '' 'no run was left to sweep'
is "$(ls "$EPHID_HOME/runs")" '' 'nor a lock file'
is "$(ephid-inspect --list --json)" '' 'no identity is live'
is "$(ephid-inspect --list --state all --json | wc -l)" $((loops * runs + 1)) \
    'and each run had one'
for event in minted revoked; do
	is "$(ephid-inspect --events | grep -c "\"event\":\"$event\"")" \
	    $((loops * runs + 1)) "each was $event, once"
done
is "$(ephid-inspect --events | grep -c '"event":"swept"')" 0 \
    'by its own guardian, and by no sweep'
