#!/bin/sh
# ephid-wrap --dry-run shows what would be, as it then is, and does nothing.
. "${srcdir:-.}/tests/lib.sh"
need jq

# state FOLDER: all that is in it, but the ledger's shared memory, in which a
# reader has its locks
state() {
	(cd "$1" && find . -printf '%p %s %m\n' | sort &&
	    find . -type f ! -name '*-shm' -exec cksum {} + | sort)
}
# as_it_was NAME
as_it_was() {
	is "$(state "$EPHID_HOME")" "$before" "$1: the home is as it was"
}

# --- no home -----------------------------------------------------------------

run ephid-wrap --dry-run --scope repo:read -- touch "$tmp/ran"
is "$status" 0 'without a home'
like "$out" '*claims:*scope: *repo:read*' 'there are claims'
like "$err" '*nothing is minted*there is no home yet*' \
    'and words on what is not known yet'
[ ! -e "$EPHID_HOME" ] && [ ! -e "$tmp/ran" ]
ok $? 'no home is made, and nothing run'
run ephid-wrap -n --home "$tmp/not/there" -- true
is "$status $(ls "$tmp")" '0 ' 'nor folders above it'
printf 'no.to.ken' >"$tmp/token"
run ephid-wrap --parent "$tmp/token" -- true
said=$err
run ephid-wrap -n --parent "$tmp/token" -- true
is "$status $err" "125 $said" 'a parent without its home is refused as ever'
[ ! -e "$EPHID_HOME" ]
ok $? 'and no home made'

# --- a home without an issuer -----------------------------------------------

mkdir -m 700 "$EPHID_HOME"
echo '{"policy":{"audiences":[]}}' >"$EPHID_HOME/config.json"
ephid-wrap -a https://a.example -- true 2>/dev/null
is $? 125 'a home whose first mint was refused'
rm "$EPHID_HOME/config.json"
before=$(state "$EPHID_HOME")
run ephid-wrap -n --json -- true
like "$status $err" '0 *there is no issuer yet*' 'has no issuer'
is "$(printf %s "$out" | jq -r '.claims[0].iss')" https://new.ephid.invalid \
    'and another stands for it'
as_it_was 'an issuer is not made'

# --- what it shows is what is --------------------------------------------

export SECRET=verysecretvalue KEPT=keptsecretvalue EPHID_LEFTOVER=x
options='--scope repo:read --agent reviewer --task t -a https://a.example
    -a https://b.example --env MY_TOKEN --clean-env --keep KEPT'
# names FILE: of the variables in an output of env
names() { sed -n 's/^\([A-Za-z_][A-Za-z0-9_]*\)=.*/\1/p' "$1" | sort; }
env >"$tmp/env-of-caller"
# shellcheck disable=SC2086
run ephid-wrap $options -- sh -c 'ls "$EPHID_TOKEN_DIR" >"$1/ls"
    cp "$EPHID_TOKEN_DIR"/token* "$1"' sh "$tmp"
is "$status" 0 'a run'
# shellcheck disable=SC2086
ephid-wrap $options -- env >"$tmp/env" # of no shell, which would add to it
before=$(state "$EPHID_HOME")
# shellcheck disable=SC2086
run ephid-wrap -n --json $options -- sh -c 'echo "$1"' sh 'a  b' '' "it's"
is "$status $(printf '%s\n' "$out" | wc -l)" '0 1' 'and a dry one: one line'
as_it_was 'a dry run'
plan=$out
get() { printf '%s\n' "$plan" | jq -r "$@"; }
is "$(get .dry_run)" true 'which says so'
is "$(get .home)" "$EPHID_HOME" 'the home'
is "$(get -c .argv)" '["sh","-c","echo \"$1\"","sh","a  b","","it'\''s"]' \
    'the command, word by word'
is "$(get '.files[]' | sort)" "$(cat "$tmp/ls")" 'the files'
examples='del(.iat, .nbf, .exp, .jti, .sub, .txn, .ephid.id)'
for n in 0 1; do
	file=$tmp/token
	[ $n -eq 0 ] || file=$tmp/token-2
	is "$(get -cS ".claims[$n] | $examples")" \
	    "$(payload "$(cat "$file")" | jq -cS "$examples")" \
	    "the claims of credential $n, but for the examples"
	is "$(get -c ".claims[$n] | [.exp - .iat, .iat - .nbf, keys]")" \
	    "$(payload "$(cat "$file")" |
	    jq -c '[.exp - .iat, .iat - .nbf, keys]')" 'and those are alike'
done
is "$(get '.claims[1].sub')" "$(get '.claims[0].sub')" 'one sub for both'

sort "$tmp/env-of-caller" >"$tmp/a"
sort "$tmp/env" >"$tmp/b"
comm -13 "$tmp/a" "$tmp/b" >"$tmp/new"
names "$tmp/env-of-caller" >"$tmp/a"
names "$tmp/env" >"$tmp/b"
is "$(get '.environment.set[]' | sort)" "$(names "$tmp/new")" 'what is set'
is "$(get '.environment.removed[]' | sort)" "$(comm -23 "$tmp/a" "$tmp/b")" \
    'what is removed'
like "$plan" '*"MY_TOKEN"*"SECRET"*' 'by name'
unlike "$plan$err" '*secretvalue*' 'and never by value'

# --- for people ------------------------------------------------------------

run ephid-wrap -n -a https://a.example -a https://b.example --timeout 90 \
    -- sh -c 'echo "$1"' sh 'a  b' '' "it's"
like "$out" 'dry_run: yes
*claims:
  iss: *https://a.example*
  iss: *https://b.example*files: *token token-2 index.json*' 'a block'
is "$(printf '%s\n' "$out" | sed -n 's/^argv: *//p')" \
    "sh -c 'echo \"\$1\"' sh 'a  b' '' 'it'\\''s'" \
    'with the command as a shell would be given it'
like "$out" '*timeout: *1m30s*stragglers: *kill*' 'and the limits'
run ephid-wrap -n --quiet -- true
is "$status|$out|$err" '0||' '--quiet: the status alone'
run ephid-wrap -n -- no-such-command-here
is "$status" 0 'whether there is such a command is not looked at'
run sh -c 'exec ephid-wrap -n -- true >/dev/full'
is "$status" 125 'a full disk is no success'
run sh -c 'ephid-wrap -n --receipt "$1/r" --status-fd 9 -- true 9>"$1/events"' \
    sh "$tmp"
is "$status" 0 'with a receipt and events'
[ ! -e "$tmp/r" ] && [ ! -s "$tmp/events" ]
ok $? 'neither is written'
run ephid-wrap -n --receipt "$tmp/none/r" -- true
is "$status|$out" '125|' 'a receipt that cannot be written is refused'
as_it_was 'after all that'

# --- inside a run ------------------------------------------------------------

run ephid-wrap --scope 'a b' -a https://a.example --env OUTER -- sh -c '
    export EPHID_TOKEN EPHID_TOKEN_FILE OUTER
    ephid-wrap -n --json --scope a -- true; echo "$EPHID_ID"'
is "$status" 0 'a child'
child=$(printf '%s\n' "$out" | head -n 1) id=$(printf '%s\n' "$out" | tail -n 1)
is "$(printf %s "$child" | jq -r '.claims[0] | .ephid.parent, .txn, .scope')" \
    "$id
$id
a" 'is shown as one'
printf %s "$child" | jq -e '.environment.removed | index("OUTER")' >/dev/null
ok $? 'what holds the parent'\''s token goes'
unlike "$out$err" '*eyJ*' 'and no token is shown'

# refused NAME OPTION...: by the mint, and in the same words when dry
events() { ephid-inspect --events 2>/dev/null | wc -l; }
refused() {
	name=$1
	shift
	run ephid-wrap --scope a -a https://a.example -- sh -c '
	    ephid-inspect --events | wc -l
	    ephid-wrap -n "$@" -- true 2>"$0/dry"; echo $?
	    ephid-inspect --events | wc -l
	    ephid-wrap "$@" -- true 2>"$0/wet"; echo $?' "$tmp" "$@"
	is "$(printf '%s\n' "$out" | sed -n '2p;4p' | xargs)" '125 125' \
	    "$name is refused"
	is "$(sed 's/01[0-9A-Z]\{24\}/ID/g' "$tmp/dry")" \
	    "$(sed 's/01[0-9A-Z]\{24\}/ID/g' "$tmp/wet")" 'in the same words'
	is "$(printf '%s\n' "$out" | sed -n 3p)" \
	    "$(printf '%s\n' "$out" | sed -n 1p)" 'and leaves no event'
}
refused 'a wider scope' --scope 'a b'
refused 'another audience' -a https://b.example
refused 'another agent' --agent somebody
refused 'a root in a run' --parent none
run ephid-wrap -- sh -c 'ephid-revoke --quiet "$EPHID_ID"
    unset EPHID_TOKEN_FILE
    ephid-wrap -n -- true 2>"$0/dry"; echo $?
    ephid-wrap -- true 2>"$0/wet"; echo $?' "$tmp"
is "$(echo $out)" '125 125' 'the child of a revoked run is refused'
is "$(cat "$tmp/dry")" "$(cat "$tmp/wet")" 'in the same words'
like "$(cat "$tmp/dry")" '*was revoked*' 'which say why'

# --- policy, and strict -------------------------------------------------------

printf '{"policy":{"max_ttl":"10m","audiences":["https://ok.example"]}}' \
    >"$EPHID_HOME/config.json"
before=$(state "$EPHID_HOME")
run ephid-wrap -n -a https://a.example -- true
is "$status|$out" '125|' 'what policy forbids is refused'
like "$err" "*https://a.example*" 'by name'
run ephid-wrap -n --json --ttl 30m -- true
like "$status $err" '0 *token expires in 10m*' 'what policy cuts short is said'
is "$(printf %s "$out" | jq '.claims[0] | .exp - .iat')" 600 'and shown'
run ephid-wrap -n --strict --ttl 30m -- true
is "$status|$out" '125|' 'with --strict it is a failure'
run ephid-wrap -n --strict -- true
is "$status" 0 'and the words on what is not known are none'
as_it_was policy
rm "$EPHID_HOME/config.json"

# --- homes --------------------------------------------------------------------

# A run whose front and guardian were killed together is for a sweep.
ephid-wrap -- sh -c 'echo "$PPID" >"$1/new"; mv "$1/new" "$1/guardian"
    exec sleep 60' sh "$tmp" &
front=$!
wait_for 10 test -e "$tmp/guardian"
kill -STOP $front
kill -KILL "$(cat "$tmp/guardian")" $front
wait $front 2>/dev/null
before=$(state "$EPHID_HOME")
run ephid-wrap -n -- true
is "$status" 0 'where there is something to sweep'
as_it_was 'it is not swept'
run ephid-revoke --sweep
is "$out" 'swept 1' 'it was there'

ephid-keygen --set-url https://id.example/ephid >/dev/null
before=$(state "$EPHID_HOME")
run ephid-wrap -n -- true
like "$status $out $err" '0 *https://id.example/ephid*status list*' \
    'a published issuer'
as_it_was 'a published issuer'

old=$tmp/old
cp -R "$srcdir/tests/vectors/v1/home" "$old"
chmod -R u=rwX,go= "$old"
EPHID_HOME=$old
sum=$(cksum <"$old/ledger.db")
run ephid-wrap -n -- true
is "$status" 0 'a home of an older version'
is "$(cksum <"$old/ledger.db")" "$sum" 'is not migrated'
# PRAGMA user_version, which is the schema's, stands at byte 60.
printf '\0\0\0\143' | dd of="$old/ledger.db" bs=1 seek=60 conv=notrunc 2>/dev/null
run ephid-wrap -- true
said=$err
run ephid-wrap -n -- true
is "$status $err" "125 $said" 'one of a newer version is refused as ever'
like "$err" '*newer version of ephid*' 'in these words'

if can_as_user; then
	unset EPHID_HOME
	home=$user_home/.local/state/ephid
	as_user ephid-wrap -- true
	as_user chmod -R a-w "$home"
	run as_user ephid-wrap -n --json -- true
	is "$status" 0 'a home that cannot be written to'
	is "$(printf %s "$out" | jq -r .home)" "$home" 'is looked at'
	run as_user ephid-wrap -- true
	is "$status" 125 'though nothing could be run'
	as_user chmod -R u+w "$home"
else
	skip 3 'there is no other user to be'
fi
