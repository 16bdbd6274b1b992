#!/bin/sh
# Keys: made at first use, rotated without a token being lost, retired with
# everything they signed; private halves are 0600 and gone when unused.
. "${srcdir:-.}/tests/lib.sh"

kid_of() { header "$1" | field kid; }
alg_of() { header "$1" | field alg; }
keys() { ephid-keygen --list --json; }
state_of() { keys | grep "\"kid\":\"$1\"" | field state; }

umask 000
run ephid-mint
is "$status" 0 'the first mint makes a key'
umask 022
first=$out kid1=$(kid_of "$out")
is "$(alg_of "$first")" ES256 'which is ES256'
is ${#kid1} 43 'called by its thumbprint'
is "$(stat -c %a "$EPHID_HOME")" 700 'home is 0700, whatever the umask'
is "$(stat -c %a "$EPHID_HOME/keys/$kid1.pem")" 600 'the private half 0600'
is "$(stat -c %a "$EPHID_HOME/ledger.db")" 600 'and the ledger'
is "$(state_of "$kid1")" active 'it is listed as active'
is "$(kid_of "$(ephid-mint)")" "$kid1" 'and signs what comes next'

# other algorithms
for alg in RS256 Ed25519; do
	run ephid-mint --alg $alg
	is "$status" 0 "$alg mints"
	is "$(alg_of "$out")" $alg 'and says so'
	printf %s "$out" >"$tmp/token"
	run ephid-inspect --quiet "$tmp/token"
	is "$status" 0 'and verifies'
done
run ephid-mint --alg HS256
is "$status" 2 'HS256 is refused'

# what is printed
run ephid-keygen --jwks
is "$status" 0 'the public set'
like "$out" "*\"keys\":*\"kid\":\"$kid1\"*" 'has the key'
unlike "$out" '*"d":*' 'and no private half'
run ephid-keygen --pem -- "$kid1" # one in 64 begins with a "-"
like "$out" '-----BEGIN PUBLIC KEY-----*' 'a public PEM'
unlike "$out" '*PRIVATE*' 'is public'
run ephid-keygen --pem ../../../etc/passwd
isnt "$status" 0 'a kid is not a path'
is "$out" '' 'and opens nothing'

# rotation before anything was published
printf %s "$first" >"$tmp/first"
run ephid-keygen --rotate
is "$status" 0 'rotate'
second=$(ephid-mint) kid2=$(kid_of "$second")
isnt "$kid2" "$kid1" 'another key signs at once, for nobody has the old set'
run ephid-inspect --quiet "$tmp/first"
is "$status" 0 'what the old one signed is still good'
is "$(state_of "$kid1")" retiring 'for it is retiring'
[ ! -e "$EPHID_HOME/keys/$kid1.pem" ]; ok $? 'its private half is deleted'
[ -e "$EPHID_HOME/keys/$kid1.pub.pem" ]; ok $? 'its public half kept'
like "$(ephid-keygen --jwks)" "*$kid1*" 'and published'

# retiring
printf %s "$second" >"$tmp/second"
run ephid-keygen --retire "$kid2"
is "$status" 0 'retire the active key'
[ ! -e "$EPHID_HOME/keys/$kid2.pem" ]
ok $? 'its private half is deleted at once'
run ephid-inspect --quiet "$tmp/second"
is "$status" 1 'what it signed is refused'
unlike "$(ephid-keygen --jwks)" "*$kid2*" 'it is published no more'
run ephid-mint
is "$status" 0 'another one signs'
isnt "$(kid_of "$out")" "$kid2" 'in its place'
printf %s "$out" >"$tmp/third"
run ephid-inspect --quiet "$tmp/third"
is "$status" 0 'and is believed'
run ephid-keygen --retire "$kid1"
is "$status" 0 'a retiring key can be retired'
run ephid-inspect --quiet "$tmp/first"
is "$status" 1 'and ends what it signed'
run ephid-keygen --retire nokidofours
is "$status" 1 'an unknown one cannot'

# the issuer's URL
run ephid-keygen --set-url http://id.acme.example
is "$status" 2 'a URL that is not https is refused'
for bad in https://id.acme.example/ https://ID.acme.example \
    'https://id.acme.example?x' https://u@id.acme.example; do
	run ephid-keygen --set-url "$bad"
	is "$status" 2 "'$bad' is refused"
done
run ephid-keygen --set-url https://id.acme.example/ephid
[ "$status" -eq 0 ] || run ephid-keygen --force \
    --set-url https://id.acme.example/ephid
is "$status" 0 'a good one is taken'
run ephid-mint
is "$(payload "$out" | field iss)" https://id.acme.example/ephid \
    'and is the issuer, byte for byte'
like "$(payload "$out")" '*"sub":"spiffe://id.acme.example/agent/*' \
    'its host the trust domain'
like "$(payload "$out")" '*"status_list":*"uri":"https://id.acme.example/ephid/*' \
    'and tokens say where their status is'

# rotation once it is published: verifiers get the key before its first use
kid3=$(kid_of "$(ephid-mint)")
run ephid-keygen --rotate
is "$status" 0 'rotate when published'
is "$(kid_of "$(ephid-mint)")" "$kid3" 'the old key signs on'
next=$(keys | grep '"state":"next"' | field kid)
is ${#next} 43 'the next one waits'
like "$(ephid-keygen --jwks)" "*$next*" 'and is published'
run ephid-keygen --rotate
is "$status" 1 'one next key is enough'
run ephid-keygen --retire "$next"
is "$status" 0 'it can be retired unused'
is "$(kid_of "$(ephid-mint)")" "$kid3" 'which changes nothing'
run ephid-keygen --rotate --now
is "$status" 0 'rotate at once'
printf %s "$(ephid-mint)" >"$tmp/fourth"
isnt "$(kid_of "$(cat "$tmp/fourth")")" "$kid3" '--now skips the wait'
run ephid-inspect --quiet "$tmp/fourth"
is "$status" 0 'and what it signs verifies'

# A private half that cannot be removed keeps nothing alive that it signed.
ephid-mint --output "$tmp/fifth" --id-file "$tmp/fifth.id"
kid5=$(kid_of "$(cat "$tmp/fifth")")
rm "$EPHID_HOME/keys/$kid5.pem"
mkdir "$EPHID_HOME/keys/$kid5.pem"
run ephid-keygen --retire "$kid5"
is "$status" 3 'retiring a key whose file will not go fails'
like "$(ephid-inspect --json "$(cat "$tmp/fifth.id")")" '*"state":"revoked"*' \
    'but what it signed is revoked'
rmdir "$EPHID_HOME/keys/$kid5.pem"

# One transaction, which the witness counts: no crash can come between the new
# URL or the retired key and the revocations that go with it.
epoch() { cut -c1-20 "$EPHID_HOME/witness" | sed "s/^0*//"; }
ephid-mint >/dev/null
before=$(epoch)
run ephid-keygen --set-url https://other.example/ephid --force
is "$status" 0 'the URL is changed by force'
like "$err" '*revoked' 'what lived under the old one is revoked'
is "$(epoch)" $((before + 1)) 'in one transaction'
kid6=$(kid_of "$(ephid-mint)")
before=$(epoch)
run ephid-keygen --retire "$kid6"
like "$err" '*1 identity revoked' 'a retired key ends what it signed'
is "$(epoch)" $((before + 1)) 'in one transaction, too'
