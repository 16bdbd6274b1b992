#!/bin/sh
# Lineage comes from the presented token: inside a run a mint is its child; a
# dead, foreign or unknown parent has none, and a run cannot leave its tree by
# presenting nothing.
. "${srcdir:-.}/tests/lib.sh"

mint() { ephid-mint "$@"; }
mint --output "$tmp/p" --id-file "$tmp/p.id" || bail 'nothing is minted'
p=$(cat "$tmp/p.id")
parent_of() { payload "$1" | field parent; }

# where it is found
run env EPHID_TOKEN_FILE="$tmp/p" ephid-mint
is "$(parent_of "$out")" "$p" 'the parent is in EPHID_TOKEN_FILE'
run env EPHID_TOKEN="$(cat "$tmp/p")" ephid-mint
is "$(parent_of "$out")" "$p" 'or in EPHID_TOKEN'
mint --output "$tmp/q" --id-file "$tmp/q.id"
run env EPHID_TOKEN_FILE="$tmp/q" EPHID_TOKEN="$(cat "$tmp/p")" ephid-mint
is "$(parent_of "$out")" "$(cat "$tmp/q.id")" 'the file is preferred'
run env EPHID_TOKEN_FILE="$tmp/q" ephid-mint --parent "$tmp/p"
is "$(parent_of "$out")" "$p" 'and --parent to both'
run sh -c "ephid-mint --parent - <'$tmp/p'"
is "$(parent_of "$out")" "$p" 'which may be stdin'
run env EPHID_TOKEN_FILE="$tmp/q" ephid-mint --parent none
is "$(parent_of "$out")" '' "'none' makes a root"
is "$(payload "$out" | field txn)" "$(payload "$out" | field jti)" \
    'which is its own root'
run env EPHID_TOKEN_FILE="$tmp/q" ephid-mint
is "$(payload "$out" | field txn)" "$(cat "$tmp/q.id")" \
    'a child carries the root of its tree'
run env EPHID_TOKEN_FILE="$tmp/gone" ephid-mint
isnt "$status" 0 'a named file that is gone is no reason to mint a root'
is "$out" '' 'so there is no token'
like "$err" '*gone*' 'and it is named'

# inside a run
run ephid-wrap -- sh -c 'echo "$EPHID_ID" >"$0"; ephid-mint' "$tmp/id"
is "$status" 0 'a mint inside a run'
is "$(parent_of "$out")" "$(cat "$tmp/id")" 'is its child'
run ephid-inspect --quiet "$(payload "$out" | field jti)"
is "$status" 1 'and ended with it'
run ephid-wrap -- sh -c 'echo $EPHID_ID; ephid-wrap -- sh -c "
    echo \$EPHID_ID \$EPHID_ROOT; ephid-inspect --json \$EPHID_ID"'
set -- $out
is "$3" "$1" 'a run in a run has its root'
like "$out" "*\"parent\":\"$1\"*" 'and is its child'

inside='*started inside run *, which it must present*'
run ephid-wrap -- env -u EPHID_TOKEN -u EPHID_TOKEN_FILE ephid-mint
is "$status" 1 'a run that presents nothing gets no new root'
like "$err" "$inside" 'and is told what to do'
is "$out" '' 'and no token'
run ephid-wrap -- ephid-mint --parent none
is "$status" 1 "nor with --parent none"
run ephid-wrap -- sh -c 'sh -c "ephid-mint --parent none"; exit $?'
is "$status" 1 'nor from further below'
run ephid-wrap -- ephid-wrap --parent none -- true
is "$status" 125 'nor with ephid-wrap'
like "$err" "$inside" 'with the same words'
run ephid-wrap -- ephid-mint --parent none --home "$tmp/elsewhere"
is "$status" 0 'the ledger of another home has its own runs'
echo '{"policy":{"new_root_inside":true}}' >"$EPHID_HOME/config.json"
run ephid-wrap -- ephid-mint --parent none
is "$status" 0 'policy may allow it'
rm "$EPHID_HOME/config.json"

# the dead
ephid-revoke --quiet "$p"
run mint --parent "$tmp/p"
is "$status" 1 'a revoked parent bears no children'
like "$err" "*run $p was revoked at 20*" 'and it is said when'
unlike "$err" '*--parent*' 'and no way around it'
like "$(ephid-inspect --events "$p" | tail -n 1)" \
    "*\"event\":\"refused\"*\"root\":\"$p\"*" 'which is an event of its tree'
run ephid-wrap --parent "$tmp/p" -- touch "$tmp/ran"
is "$status" 125 'nor does it with ephid-wrap'
[ ! -e "$tmp/ran" ]; ok $? 'and nothing ran'
mint --parent "$tmp/q" --ttl 5m --output "$tmp/c" --id-file "$tmp/c.id"
ephid-revoke --quiet --only "$(cat "$tmp/q.id")"
run ephid-inspect --quiet "$tmp/c"
is "$status" 0 'a child spared by --only lives'
run env EPHID_TOKEN_FILE="$tmp/c" ephid-inspect --quiet
is "$status" 0 'and says so when it asks for itself'
run mint --parent "$tmp/c"
is "$status" 1 'but bears none, for its own parent is dead'
like "$err" "*run $(cat "$tmp/q.id") was revoked at 20*" 'which is named'

# the foreign
ephid-mint --home "$tmp/other" --output "$tmp/f"
run mint --parent "$tmp/f"
is "$status" 1 'a token of another home is no parent'
like "$err" '*parent token: wrong_issuer*' 'for its issuer'
like "$(ephid-inspect --events | tail -n 1)" '*"event":"refused"*' \
    'and that is an event'
run ephid-mint --home "$tmp/new" --parent "$tmp/f"
is "$status" 1 'nor where there is no home'
like "$err" '*wrong_issuer*' 'with the same word'
[ ! -e "$tmp/new" ]; ok $? 'and none is made'
run ephid-wrap --home "$tmp/new" --parent "$tmp/f" -- true
is "$status" 125 'nor with ephid-wrap'
[ ! -e "$tmp/new" ]; ok $? 'which makes none either'

# the broken
echo eyJhbGciOiJub25lIn0.e30. >"$tmp/none"
run mint --parent "$tmp/none"
is "$status" 1 'an unsigned token is no parent'
like "$err" '*parent token: *' 'and it is said what it was'
: >"$tmp/empty"
run mint --parent "$tmp/empty"
isnt "$status" 0 'nor is an empty file'
is "$out" '' 'no token'

run mint --parent "$(ephid-mint --parent none)"
is "$status" 2 'a token in the place of its file'
unlike "$out$err" '*eyJ*' 'is not repeated'
like "$err" '*looks like a token*' 'but named as what it is'

# the unknown: well signed, but the ledger has lost it
if command -v sqlite3 >/dev/null; then
	mint --output "$tmp/l" --id-file "$tmp/l.id"
	sqlite3 "$EPHID_HOME/ledger.db" "PRAGMA secure_delete = on;
	    DELETE FROM credential WHERE jti = '$(cat "$tmp/l.id")'" \
	    >/dev/null
	run mint --parent "$tmp/l"
	is "$status" 1 'a parent that the ledger does not know'
	like "$err" '*parent token: revoked*ledger does not know*' \
	    'counts as revoked'
else
	skip 2 'no sqlite3'
fi
