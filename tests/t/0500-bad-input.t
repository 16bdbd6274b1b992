#!/bin/sh
# Whatever is handed in wrong is refused in words, with status 2 where it
# makes no sense and 1 where it does not verify; never a crash, never a
# secret repeated.
. "${srcdir:-.}/tests/lib.sh"

ephid-mint --output "$tmp/good" --id-file "$tmp/id" || bail 'nothing is minted'
good=$(cat "$tmp/good") id=$(cat "$tmp/id")

# usage NAME CMD...
usage() {
	name=$1
	shift
	run "$@"
	is "$status" "${want:-2}" "$name"
	is "$out" '' "$name: nothing on stdout"
	isnt "$err" '' "$name: something on stderr"
}

for p in ephid-mint ephid-revoke ephid-inspect ephid-keygen ephid-wrap; do
	[ $p != ephid-wrap ] || want=125
	usage "$p: an unknown option" $p --no-such-option
	like "$err" "*$p --help*" "$p: which points to the help"
	run $p --help
	is "$status" 0 "$p --help"
	is "$err" '' "$p --help is not on stderr"
	isnt "$out" '' "$p --help is on stdout"
	run $p --version
	like "$out" "$p [0-9]*" "$p --version"
done
want=2
# bad_option NAME WORDS CMD...
bad_option() {
	name=$1 words=$2
	shift 2
	run "$@"
	is "$status" 2 "$name"
	like "$err" "*: $words;*" "$name: $words"
}
bad_option 'a letter of another program, last' "unknown option '-s'" \
    ephid-inspect -s
bad_option 'a letter of another program' "unknown option '-o'" \
    ephid-revoke -o x
bad_option 'an unknown letter amid others' "unknown option '-z'" \
    ephid-inspect --list -zq
bad_option 'an unknown letter of two bytes' "unknown option '-[?]'" \
    ephid-keygen "$(printf '\055\303\251')"
bad_option 'the beginning of several words' "unknown option '--stat'" \
    ephid-inspect --stat=ledger
bad_option 'a letter without its value' "option '-a' needs a value" \
    ephid-inspect -qa
bad_option 'a word without its value' "option '--audience' needs a value" \
    ephid-inspect --audience
bad_option 'a word with a value too many' "option '--list' takes no value" \
    ephid-inspect --list=secret

want=125
usage 'ephid-wrap: no command' ephid-wrap
usage 'ephid-wrap: no command after --' ephid-wrap --
usage 'ephid-wrap: a bad ttl' ephid-wrap --ttl x -- true
usage 'ephid-wrap: letters in one, the last unknown' ephid-wrap -nqz -- true
usage 'ephid-wrap: a word without its value' ephid-wrap --grace
usage 'ephid-wrap: a word with a value too many' ephid-wrap --dry-run=yes true
unlike "$err" '*yes*' 'ephid-wrap: which is not echoed'
want=2
for cmd in '' /nowhere/ ..nothing; do
	run ephid-wrap -- "$cmd"
	is "$status" 127 "ephid-wrap: '$cmd' is no command"
done
for cmd in / . .. "$tmp/"; do
	run ephid-wrap -- "$cmd"
	like "$status $err" "126 *$cmd*" "ephid-wrap: $cmd is none to run"
done

usage 'ttl: a word' ephid-mint --ttl soon
usage 'ttl: nothing' ephid-mint --ttl ''
usage 'ttl: negative' ephid-mint --ttl -5m
usage 'ttl: too big for any clock' ephid-mint --ttl 99999999999999999999d
usage 'ttl: under five seconds' ephid-mint --ttl 4999ms
usage 'audience: any' ephid-mint --audience '*'
usage 'audience: no URI' ephid-mint --audience acme
usage 'audience: a fragment' ephid-mint --audience 'https://a.example/#x'
usage 'audience: a line feed' ephid-mint --audience "https://a.example/
x"
usage 'two audiences for one token' ephid-mint -a https://a.example \
    -a https://b.example
usage 'scope: a quote' ephid-mint --scope 'a"b'
usage 'agent: nothing' ephid-mint --agent ''
usage 'agent: a way up' ephid-mint --agent ../root
usage 'form: unknown' ephid-mint --form saml
usage 'subject: unknown' ephid-mint --subject me
usage 'alg: none' ephid-mint --alg none
usage 'issuer: unknown' ephid-mint --issuer nobody
usage 'profile: unknown' ephid-mint --profile nobody
usage 'an operand where there is none' ephid-mint operand
usage 'task: over 256 bytes' ephid-mint --task "$(printf %0257d 0)"
usage 'sub over 127 bytes' ephid-mint --agent "$(printf %0120d 0)"
usage 'format: unknown' ephid-mint --format xml
run ephid-mint --agent 'a b;c'
like "$(payload "$out")" '*/agent/a-b-c/*' 'other bytes of an agent become -'

# operands
usage 'revoke: nothing selected' ephid-revoke
usage 'revoke: an empty root' ephid-revoke --root ''
usage 'revoke: an empty agent' ephid-revoke --agent ''
usage 'revoke: not an id' ephid-revoke 'x y'
usage 'a short suffix' ephid-revoke "$(printf %s "$id" | tail -c 5)"
for p in ephid-revoke ephid-inspect; do
	usage "$p: a token as an argument" $p "$good"
	unlike "$err" "*${good#*.*.}*" "$p: is not echoed"
	unlike "$err" "*$(printf %.40s "$good")*" "$p: not even in part"
done
run ephid-inspect --quiet "$id"
is "$status" 0 'and nothing of that revoked it'
run ephid-revoke 01ARZ3NDEKTSV4RRFFQ69G5FAV
is "$status" 1 'an id never seen is 1'
like "$err" "*$EPHID_HOME*" 'and the home is named'
run ephid-revoke --if-exists 01ARZ3NDEKTSV4RRFFQ69G5FAV
is "$status" 0 'or 0 with --if-exists'
run ephid-revoke --agent nobody-of-that-name
is "$status" 0 'a selector that matches nothing is 0'

# standard descriptors that the caller closed
run sh -c 'exec ephid-mint >&-'
is "$status" 3 'mint with stdout closed: the token went nowhere'
run sh -c 'exec ephid-inspect --list >&-'
is "$status" 3 'list with stdout closed'
run sh -c 'exec ephid-inspect --quiet "$1" >&- 2>&-' sh "$tmp/good"
is "$status" 0 'who prints nothing needs no stdout'
run sh -c 'exec ephid-mint --output "$1" >&-' sh "$tmp/elsewhere"
is "$status" 0 'nor who writes elsewhere'
ln -s "$tmp/elsewhere" "$tmp/link"
run ephid-mint --output "$tmp/link"
is "$status" 3 'a link is not the file that it leads to'
[ -L "$tmp/link" ]
ok $? 'and not replaced'
run sh -c 'exec ephid-revoke - <&-'
is "$status" 3 'ids from a stdin that is closed'
run sh -c 'exec ephid-mint --parent - <&-'
is "$status" 3 'a parent from a stdin that is closed'
for cmd in 'ephid-mint' 'ephid-inspect --list' 'ephid-keygen --jwks' \
    'ephid-revoke --help'; do
	run sh -c "exec $cmd >/dev/full"
	is "$status" 3 "$cmd: a full disk is no success"
done

# what is no text is not printed as if it were
ephid-mint --id-file "$tmp/odd.id" --agent odd >/dev/null
ephid-revoke --quiet --reason "$(printf 'a\377\300\257b')" "$(cat "$tmp/odd.id")"
for cmd in "ephid-inspect --json $(cat "$tmp/odd.id")" \
    "ephid-inspect --events"; do
	run $cmd
	printf '%s\n' "$out" | LC_ALL=C.UTF-8 iconv -f UTF-8 -t UTF-8 >/dev/null 2>&1
	ok $? "$cmd: prints UTF-8 whatever the ledger holds"
done

# tokens
# bad NAME WORD TEXT
bad() {
	printf %s "$3" >"$tmp/bad"
	run ephid-inspect --json "$tmp/bad"
	is "$status" 1 "$1"
	like "$out" "*\"valid\":false*\"reason\":\"$2\"*" "$1: $2"
	like "$out" '*"claims":null*' "$1: no claims"
}
h=${good%%.*} rest=${good#*.} p=${rest%%.*} s=${rest#*.}
b64() { base64 | tr -d '=\n' | tr '+/' '-_'; }
case $s in A*) s2=B${s#?} ;; *) s2=A${s#?} ;; esac
bad 'another signature' bad_signature "$h.$p.$s2"
bad 'no signature' '*' "$h.$p."
bad 'two parts' malformed "$h.$p"
bad 'four parts' malformed "$h.$p.$s.$s"
bad 'padding' malformed "$h.$p.$s=="
bad 'a space within' malformed "$h. $p.$s"
bad 'rubbish' malformed 'rubbish'
bad 'alg none' alg_not_allowed \
    "$(printf '{"alg":"none","typ":"at+jwt"}' | b64).$p."
bad 'alg HS256' alg_not_allowed "$(header "$good" |
    sed 's/ES256/HS256/' | b64).$p.$s"
bad 'no typ' wrong_type "$(header "$good" |
    sed 's/"typ":"at+jwt",\{0,1\}//; s/,}/}/' | b64).$p.$s"
bad 'a status list as a token' wrong_type "$(header "$good" |
    sed 's/at+jwt/statuslist+jwt/' | b64).$p.$s"
bad 'crit' wrong_type "$(header "$good" |
    sed 's/^{/{"crit":["x"],"x":1,/' | b64).$p.$s"
bad 'an unknown key' unknown_kid "$(header "$good" |
    sed 's/"kid":"...../"kid":"AAAAA/' | b64).$p.$s"
bad 'a name twice' malformed "$(header "$good" |
    sed 's/^{/{"alg":"none",/' | b64).$p.$s"
bad 'claims changed' bad_signature "$h.$(payload "$good" |
    sed 's/"depth":0/"depth":1/; s/"iat"/"iaT"/' | b64).$s"
printf %s "$(head -c 16384 /dev/zero | tr '\0' A).$p.$s" >"$tmp/bad"
run ephid-inspect "$tmp/bad"
is "$status" 1 'too long'
is "$out" '' 'too long: and not read to its end'
run ephid-inspect --quiet --audience https://other.example "$tmp/good"
is "$status" 1 'another audience'
run ephid-inspect "$tmp/no-such-file"
isnt "$status" 0 'a file that is not there'
run ephid-inspect "$tmp"
isnt "$status" 0 'a folder'
for what in 'head -c 300000 /dev/zero' true echo; do
	run sh -c "$what | ephid-inspect -"
	isnt "$status" 0 "'$what' on stdin verifies nothing"
done

# configuration: file, line and member
# config NAME PATTERN TEXT
config() {
	printf '%s\n' "$3" >"$EPHID_HOME/config.json"
	usage "config: $1" ephid-mint
	like "$err" "*$EPHID_HOME/config.json:$2" "config: $1 is found"
}
config 'an unknown member' '2: *audiance*did you mean audience*' \
    '{"profiles":{"reviewer":{
"audiance":"https://a.example"}}}'
config 'an audience' '1: profiles.p.audience: not an absolute URI*' \
    '{"profiles":{"p":{"audience":"foo"}}}'
config 'an audience in a list' '1: profiles.p.may-audience: has one *' \
    '{"profiles":{"p":{"may-audience":["https://a.example","foo"]}}}'
config 'a variable' '1: profiles.p.env: not a name for a variable*' \
    '{"profiles":{"p":{"env":"A-B"}}}'
config 'an unknown policy' '1: policy.max_tll*' '{"policy":{"max_tll":"5m"}}'
config 'a wrong type' '1: policy.max_depth*' '{"policy":{"max_depth":"two"}}'
printf '{"policy":{' >"$EPHID_HOME/config.json"
run ephid-mint
isnt "$status" 0 'config: cut short'
like "$err" "*config.json*" 'config: which is named'
printf '{"policy":{"max_depth":1,"max_depth":9}}' >"$EPHID_HOME/config.json"
run ephid-mint
isnt "$status" 0 'config: a member twice'
printf '{}' >"$EPHID_HOME/config.json"
chmod 666 "$EPHID_HOME/config.json"
run ephid-mint
isnt "$status" 0 'config: that others can write'
printf '{"comment":"x","policy":{"comment":"y"}}' >"$EPHID_HOME/config.json"
chmod 600 "$EPHID_HOME/config.json"
run ephid-mint
is "$status" 0 'config: comments are fine'
rm "$EPHID_HOME/config.json"

# home
chmod 770 "$EPHID_HOME"
run ephid-mint
isnt "$status" 0 'a home that others can write is refused'
chmod 700 "$EPHID_HOME"
: >"$tmp/file"
run ephid-mint --home "$tmp/file"
isnt "$status" 0 'a home that is a file'
usage 'an empty home' ephid-inspect --home '' --list

# Of several files each answer says of which it is.
ephid-mint --output "$tmp/good.token"
printf 'no.to.ken' >"$tmp/bad.token"
run ephid-inspect "$tmp/good.token" "$tmp/bad.token"
is "$status" 1 'the worst of two files is the status'
like "$err" "*ephid-inspect: $tmp/bad.token: malformed*" 'the bad one is named'
like "$out" "*operand: *$tmp/good.token*" 'and so is the good one'
run ephid-inspect --json "$tmp/bad.token" "$tmp/good.token"
like "$out" "*\"valid\":false*\"operand\":\"$tmp/bad.token\"*
*\"valid\":true*\"operand\":\"$tmp/good.token\"*" 'in JSON too'
