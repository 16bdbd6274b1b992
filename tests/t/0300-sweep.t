#!/bin/sh
# What a dead holder left is swept: its identity and all beneath it revoked,
# its files removed. Live runs, and what was minted by hand, are not touched.
. "${srcdir:-.}/tests/lib.sh"

guardian_of() { cat "/proc/$1/task/$1/children" 2>/dev/null; }
state() { ephid-inspect --json "$1" | field state; }
epoch() { ephid-inspect --events | wc -l; }
stop=$tmp/stop
mkfifo "$stop"

# begin NAME: a run that lasts until the fifo says so. Its id, the folder of
# its token and its child are in files called NAME.*
begin() {
	ephid-wrap -- sh -c '
		ephid-mint --output "$0.child" --id-file "$0.child-id"
		dirname "$EPHID_TOKEN_FILE" >"$0.dir"
		echo "$EPHID_ID" >"$0.id"
		read -r line <"$1"' "$tmp/$1" "$stop" &
	front=$!
	wait_for 10 test -s "$tmp/$1.id" || bail 'the run did not start'
}
# Front and guardian at once, stopped first so that neither sees the other go.
kill_both() {
	guardian=$(guardian_of "$1")
	kill -STOP "$1" "$guardian"
	kill -KILL "$1" "$guardian"
	wait "$1" 2>/dev/null
}

ephid-mint --output "$tmp/hand" --id-file "$tmp/hand.id"
run ephid-revoke --sweep
is "$status" 0 'a sweep with nothing to do'
begin live; live_front=$front
begin dead; dead_front=$front
dead=$(cat "$tmp/dead.id") live=$(cat "$tmp/live.id")
before=$(epoch)
run ephid-revoke --sweep
is "$status" 0 'a sweep with live runs only'
is "$(epoch)" "$before" 'writes nothing'

kill_both "$dead_front"
[ -d "$(cat "$tmp/dead.dir")" ]; ok $? 'the dead run left its token folder'
[ -e "$EPHID_HOME/runs/$dead" ]; ok $? 'and its lock file'
run ephid-revoke --sweep
is "$status" 0 'a sweep'
is "$(state "$dead")" revoked 'revokes what died'
is "$(state "$(cat "$tmp/dead.child-id")")" revoked 'with its child'
is "$(state "$live")" active 'and not the run that lives'
is "$(state "$(cat "$tmp/live.child-id")")" active 'nor its child'
is "$(state "$(cat "$tmp/hand.id")")" active 'nor what was minted by hand'
[ ! -e "$(cat "$tmp/dead.dir")" ]; ok $? 'the token folder is gone'
[ ! -e "$EPHID_HOME/runs/$dead" ]; ok $? 'and the lock file'
[ -d "$(cat "$tmp/live.dir")" ]; ok $? 'that of the living is not'
run ephid-inspect --quiet "$tmp/dead.child"
is "$status" 1 'the token of the dead one is refused'
run ephid-inspect --quiet "$tmp/live.child"
is "$status" 0 'that of the living is not'
swept=$(ephid-inspect --events "$dead" | grep '"event":"swept"')
like "$swept" "*swept: its holder was gone*" 'it is an event with its cause'
like "$(ephid-inspect --json "$dead")" '*"reason":"swept: its holder was gone"*' \
    'and the reason of the identity'
before=$(epoch)
run ephid-revoke --sweep
is "$(epoch)" "$before" 'a second sweep finds nothing'

# every program sweeps in passing
begin second
kill_both "$front"
ephid-mint --parent none >/dev/null 2>&1
is "$(state "$(cat "$tmp/second.id")")" revoked 'a mint sweeps in passing'

# what was never minted
id=01ARZ3NDEKTSV4RRFFQ69G5FAV
: >"$EPHID_HOME/runs/$id"
run ephid-revoke --sweep
[ ! -e "$EPHID_HOME/runs/$id" ]; ok $? 'a lock without a run is removed'
if command -v flock >/dev/null; then
	: >"$EPHID_HOME/runs/$id"
	flock "$EPHID_HOME/runs/$id" ephid-revoke --quiet --sweep
	[ -e "$EPHID_HOME/runs/$id" ]
	ok $? 'but not while somebody holds it: it is about to mint'
else
	skip 1 'no flock'
fi

# a hostile or broken ledger row removes nothing but a run's folder
if command -v sqlite3 >/dev/null; then
	begin third
	mkdir "$tmp/precious"
	: >"$tmp/precious/token"
	sqlite3 "$EPHID_HOME/ledger.db" "UPDATE identity SET token_dir =
	    '$tmp/precious' WHERE id = '$(cat "$tmp/third.id")'" >/dev/null
	kill_both "$front"
	ephid-revoke --sweep 2>/dev/null
	is "$(state "$(cat "$tmp/third.id")")" revoked \
	    'a row with a bad path is swept'
	[ -e "$tmp/precious/token" ]; ok $? 'but that path is let be'
	rm -rf "$(cat "$tmp/third.dir")"
else
	skip 2 'no sqlite3'
fi

# an age at which the clock was 0 is no age, and selects nothing
now=$(date +%s)
for age in $((now - 1)) "$now" $((now + 1)) 9000000000; do
	ephid-revoke --quiet --older-than "$age"
done
is "$(state "$live")" active 'older than the clock is nobody'

# The living one ends by itself.
echo go >"$stop"
wait "$live_front"
is $? 0 'the live run ended well'
is "$(state "$live")" revoked 'and was revoked'
