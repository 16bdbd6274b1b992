#!/bin/sh
# Chains of processes, each of which forks the next and exits: they leave more
# dead than can be looked at one by one, and are ended before they end.
. "${srcdir:-.}/tests/lib.sh"
hares=$(dirname "$(program ephid-wrap)")/tests/hares
[ -x "$hares" ] || skip_all 'tests/hares is not built'
length=1500 # sixteen of them are less than there are pids

race() { # CHAINS: front is killed, so that no grace comes between
	ephid-wrap -- sh -c 'read -r _ _ _ front _ </proc/$PPID/stat
	    exec "$0" "$1" "$2" "$front"' \
	    "$hares" "$1" $length >"$tmp/out" 2>"$tmp/err" &
	wait $! 2>/dev/null
	wait_for 30 ended
}
# No lock is held any more: the guardian has gone, after all that it ended.
ended() { [ -z "$(ls "$EPHID_HOME/runs")" ] && ! running; }
running() { grep -qs '^[0-9]* (hares) [^Z]' /proc/[0-9]*/stat; }

ephid-wrap true || bail 'ephid-wrap does not run'
for chains in 1 4 16; do
	race $chains; ok $? "$chains: they end"
	is "$(cat "$tmp/out")" '' "$chains: and none came to its end"
	is "$(cat "$tmp/err")" '' "$chains: without a word"
	is "$(ephid-inspect --list --json)" '' "$chains: nothing is live"
done
