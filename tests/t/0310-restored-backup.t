#!/bin/sh
# A ledger put back from a backup has forgotten revocations. It must not
# bring anything back to life: what it holds live is revoked, and said once.
. "${srcdir:-.}/tests/lib.sh"

db=$EPHID_HOME/ledger.db
back_up() { mkdir "$1" && cp -p "$db"* "$1"; }
restore() { rm -f "$db"*; cp -p "$1"/ledger.db* "$EPHID_HOME"; }

ephid-mint --output "$tmp/ended" --id-file "$tmp/ended.id" ||
    bail 'nothing is minted'
ephid-mint --output "$tmp/other" --id-file "$tmp/other.id"
back_up "$tmp/backup"
ephid-revoke --quiet "$(cat "$tmp/ended.id")"
ephid-mint --output "$tmp/later" --id-file "$tmp/later.id"
run ephid-inspect --quiet "$tmp/ended"
is "$status" 1 'it is revoked'
run ephid-inspect --quiet "$tmp/other"
is "$status" 0 'and the other is not'

restore "$tmp/backup"
run ephid-inspect "$tmp/ended"
is "$status" 1 'after a restore it is still revoked'
like "$err" '*restored from*' 'and the restore is said'
run ephid-inspect "$tmp/ended"
unlike "$err" '*restored from*' 'once'
run ephid-inspect --json "$tmp/other"
is "$status" 1 'what else was live is revoked too'
like "$out" '*"reason":"revoked"*' 'with that word'
run ephid-inspect --json "$tmp/later"
is "$status" 1 'and so is a token that the ledger has forgotten'
like "$out" '*"reason":"revoked"*' 'with the same word'
run ephid-mint --parent "$tmp/later"
is "$status" 1 'which bears no children'
like "$(ephid-inspect --events)" '*"event":"restored"*' 'it is an event'

ephid-mint --output "$tmp/new" 2>"$tmp/words"
run ephid-inspect --quiet "$tmp/new"
is "$status" 0 'what is minted afterwards is good'
is "$(cat "$tmp/words")" '' 'and nothing more is said'

# A mint may be the first to meet it.
rm -rf "$tmp/backup"
back_up "$tmp/backup"
ephid-revoke --quiet --all
restore "$tmp/backup"
run ephid-mint --parent "$tmp/new"
is "$status" 1 'a parent from before a restore is dead'
like "$err" '*was revoked at*' 'and that is why'
run ephid-inspect --quiet "$tmp/new"
is "$status" 1 'also for everybody else'

# The witness alone going back, or missing, takes nothing.
ephid-mint --output "$tmp/last"
rm -f "$EPHID_HOME/witness"
run ephid-inspect --quiet "$tmp/last"
is "$status" 0 'without a witness nothing is revoked'
ephid-mint >/dev/null
[ -s "$EPHID_HOME/witness" ]; ok $? 'and the next mint leaves a new one'
echo rubbish >"$EPHID_HOME/witness"
run ephid-inspect --quiet "$tmp/last"
is "$status" 0 'nor with one that is rubbish'
