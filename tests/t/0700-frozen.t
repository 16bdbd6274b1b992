#!/bin/sh
# What version 0.1.0 wrote is still understood: its ledger is read, listed,
# drawn, revoked, swept and minted into, and its tokens are verified. The
# home is in tests/vectors/v1, whose README says what is in it.
. "${srcdir:-.}/tests/lib.sh"

frozen=$srcdir/tests/vectors/v1
db=$EPHID_HOME/ledger.db
url=https://frozen-test-data.example/ephid

# Git and tar keep neither the modes nor, in a release, the right to write.
thaw() {
	rm -rf "$EPHID_HOME"
	cp -R "$frozen/home" "$EPHID_HOME"
	chmod -R u=rwX,go= "$EPHID_HOME"
}
id() { cat "$frozen/tokens/$1.id"; }
tokens() { (cd "$frozen/tokens" && ls ./*.jwt) | sed 's,^\./,,;s,\.jwt$,,'; }
state() { ephid-inspect --json "$1" | field state; }

thaw
before=$(cksum <"$db")

# reading
run ephid-inspect --list --state all --json
is "$status" 0 'the frozen ledger is listed'
is "$(printf '%s\n' "$out" | wc -l)" 13 'all of it'
like "$out" "*\"id\":\"$(id child)\",\"root\":\"$(id root)\",\"parent\":\"$(id root)\",\"depth\":1,\"agent\":\"test-data/child\",*\"scope\":\"repo:read\"*" \
    'a child with its parent, agent and scope'
printf '%s\n' "$out" |
    grep -qF '"task":"a grandchild, gänsefüßchen \"quoted\" \\ 😀"'
ok $? 'a task comes back byte by byte'
run ephid-inspect --tree "$(id grandchild)"
is "$status" 0 'its tree is drawn'
like "$out" "$(id root)*$(id child)*$(id grandchild)*" \
    'from the root to the leaf'
run ephid-inspect --json "$(id revoked)"
is "$status" 1 'a revoked one is not good'
like "$out" '*"state":"revoked"*"revoked_at":"2026-01-01T12:00:*Z","reason":"a revocation to keep"*' \
    'when and why is known'
is "$(state "$(id expired)")" expired 'an expired one is expired'
run ephid-inspect --events
is "$status" 0 'the events are read'
# A sweep in passing may have added that it ended the dead wrapped run.
is "$(printf '%s\n' "$out" | grep -c '"time":"2026-01-01T')" 17 'all of them'
like "$out" '*"event":"minted"*"event":"delegated"*"event":"revoked"*"event":"expired-unrevoked"*' \
    'each kind by its name'
like "$(ephid-keygen --list --json)" '*"state":"retir*' 'so are the keys'

# Tokens. A signature is looked at before a claim: that which is said to be
# expired verified.
for name in $(tokens); do
	token=$frozen/tokens/$name.jwt
	run ephid-inspect --json --jwks "$frozen/jwks.json" --iss "$url" \
	    "$token"
	is "$status" 1 "$name: not good any more"
	like "$out" '*"reason":"expired"*' "$name: its signature verifies"
	run ephid-inspect --decode --json "$token"
	is "$status" 0 "$name: decoded"
	like "$out" "*\"iss\":\"$url\"*" "$name: and its issuer read"
	run ephid-inspect --json "$token"
	is "$status" 1 "$name: refused by the ledger too"
done
t=$(cat "$frozen/tokens/RS256-oauth.jwt")
case $t in *A) t=${t%?}Q ;; *) t=${t%?}A ;; esac
printf '%s\n' "$t" >"$tmp/tampered"
run ephid-inspect --json --jwks "$frozen/jwks.json" --iss "$url" \
    "$tmp/tampered"
like "$out" '*"reason":"bad_signature"*' 'the frozen keys do refuse'
run ephid-inspect --json "$frozen/tokens/ES256-oauth.jwt"
like "$out" '*"reason":"expired"*' 'the ledger says expired'

# revoking, where all is expired: already gone is success
run ephid-revoke "$(id root)"
is "$status" 0 'the frozen root may be revoked'
run ephid-revoke --root "$(id child)"
is "$status" 0 'or its whole tree'
run ephid-inspect --events
unlike "$out" '*restored*' 'its ledger and witness are of one time'

# sweeping
thaw
is "$(cksum <"$db")" "$before" 'thawed again'
lock=$(ls "$EPHID_HOME/runs")
[ -n "$lock" ]; ok $? 'a run was killed with its guardian'
run ephid-revoke --sweep
is "$status" 0 'it is swept'
is "$(ls "$EPHID_HOME/runs")" '' 'and leaves no lock file'
run ephid-inspect --quiet "$lock"
is "$status" 1 'nor anything good'

# minting
thaw
for alg in ES256 RS256 Ed25519; do
	run ephid-mint --alg $alg --output "$tmp/new"
	is "$status" 0 "$alg: new mints work in it"
	run ephid-inspect --json "$tmp/new"
	is "$status" 0 "$alg: and are good"
	like "$out" "*\"iss\":\"$url\"*" "$alg: of the same issuer"
	run ephid-inspect --quiet --jwks "$frozen/jwks.json" --iss "$url" \
	    "$tmp/new"
	is "$status" 0 "$alg: signed with the frozen key"
done
run ephid-mint --parent "$frozen/tokens/root.jwt"
is "$status" 1 'a frozen parent bears no children'
is "$out" '' 'so none is printed'
run ephid-wrap -- sh -c 'ephid-inspect --quiet && echo "$EPHID_ID"'
is "$status" 0 'a run works in it'
is "$(state "$out")" revoked 'and ends'
run ephid-keygen --rotate --now
is "$status" 0 'its key can be rotated'

# Live rows of that time, by moving their end: the schema is what is frozen.
if ! command -v sqlite3 >/dev/null; then
	skip 15 'no sqlite3'
	exit 0
fi
version() { sqlite3 "$db" 'PRAGMA user_version'; }
thaw
is "$(version)" 1 'the frozen ledger is of version 1'
run ephid-inspect --list --state all --json
is "$status" 0 'whoever may write to it'
is "$(version)" 2 'migrates it'
is "$(printf '%s\n' "$out" | wc -l)" 13 'and loses nothing'
thaw
sqlite3 "$db" "UPDATE identity SET expires_at = strftime('%s', 'now') + 600
    WHERE live = 1; UPDATE credential SET
    expires_at = strftime('%s', 'now') + 600;" || bail 'sqlite3 failed'
is "$(state "$(id grandchild)")" active 'a frozen row may live'
run ephid-revoke --dry-run --agent test-data/child
is "$status" 0 'a dry run over frozen rows'
like "$out" "*$(id child)*$(id grandchild)*" 'names what it would revoke'
is "$(state "$(id child)")" active 'and does not'
run ephid-revoke "$(id child)"
is "$status" 0 'a frozen child is revoked'
is "$(state "$(id grandchild)")" revoked 'with what is beneath it'
is "$(state "$(id root)")" active 'and not its parent'
is "$(state "$lock")" revoked 'the killed run was swept in passing'
run ephid-revoke --quiet --all
is "$(ephid-inspect --list --json)" '' 'all are revoked'
run ephid-revoke --sweep
is "$status" 0 'a sweep follows'
is "$(ls "$EPHID_HOME/runs")" '' 'and tidies'
