#!/bin/sh
# A member of a profile does what the long option of its name does, and the
# option goes before it.
. "${srcdir:-.}/tests/lib.sh"
ephid-mint --output "$tmp/root" >/dev/null || bail 'ephid-mint does not run'

# profile JSON: the members of p
profile() { printf '{"profiles": {"p": {%s}}}' "$1" >"$EPHID_HOME/config.json"; }

# rehearse OPTION...: what would be, with ids and times made alike.
rehearse() {
	ephid-wrap --dry-run --json "$@" -- true 2>/dev/null |
	    sed 's/01[0-9A-Z]\{24\}/ID/g; s/:[0-9]\{10\}/:TIME/g'
}
# same JSON OPTIONS OTHER: the same in a profile as on the line, and OTHER on
# the line is as if there were no profile.
same() {
	member=$(echo "$1" | sed 's/.*"\([a-z-]*\)": .*/\1/')
	eval "set -- \"\$1\" $2 -- $3"
	json=$1 given='' other='' to=given
	shift
	for word; do
		if [ "$word" = -- ]; then to=other; else
			eval "$to=\"\$$to '\$word'\""
		fi
	done
	profile "$json"
	with=$(rehearse --profile p)
	above=$(eval "rehearse --profile p $other")
	rm "$EPHID_HOME/config.json"
	is "$with" "$(eval "rehearse $given")" "$member, as on the line"
	isnt "$with" "$(rehearse)" "$member makes a difference"
	[ -z "$other" ] ||
	    is "$above" "$(eval "rehearse $other")" "$member gives way"
}
a=https://a.example b=https://b.example
same '"audience": "'$a'"' "-a $a" "-a $b"
same '"audience": ["'$a'", "'$b'"]' "-a $a -a $b" "-a $b"
same '"scope": "x y"' '--scope "x y"' '--scope z'
same '"scope": ["x", "y"]' '--scope "x y"' '--scope z'
same '"ttl": "7m"' '--ttl 7m' '--ttl 8m'
same '"ttl": 420' '--ttl 420' '--ttl 8m'
same '"agent": "x"' '--agent x' '--agent y'
same '"task": "x y"' '--task "x y"' '--task y'
same '"form": "federation"' '--form federation' '--form oauth --subject agent'
same '"subject": "agent"' '--subject agent' '--subject run'
same '"max-life": "1h"' '--max-life 1h' '--max-life 2h'
same '"timeout": "1h"' '--timeout 1h' '--timeout 2h'
same '"grace": "3s"' '--grace 3s' '--grace 4s'
same '"stragglers": "wait"' '--stragglers wait' '--stragglers leave'
same '"on-revoke": "kill"' '--on-revoke kill' '--on-revoke keep'
same '"env": "ONE"' '--env ONE' '--env TWO'
same '"no-env-token": true' '--no-env-token' ''
export KEPT=1 KEPT_TOO=1
same '"clean-env": true' '--clean-env' ''
same '"clean-env": true, "keep": "KEPT"' '--clean-env --keep KEPT' \
    '--clean-env --keep "KEPT_*"'
same '"clean-env": true, "keep": ["KEPT", "KEPT_TOO"]' \
    '--clean-env --keep "KEPT*"' '--clean-env --keep KEPT'
same '"receipt": "'"$tmp/r"'"' "--receipt $tmp/r" "--receipt $tmp/s"
if [ "$(id -u)" -eq 0 ]; then
	same '"user": "1"' '--user 1' '--user 2'
else
	skip 3 'only root can be another user'
fi
profile '"dry-run": true'
run ephid-wrap -p p -- touch "$tmp/owned"
like "$status $out" "0 *claims*" 'dry-run'
[ ! -e "$tmp/owned" ]; ok $? 'runs nothing'

# What a rehearsal does not show.
profile '"status-fd": 5'
ephid-wrap -p p -- true 5>"$tmp/five"
like "$(tail -n 1 "$tmp/five")" '{"event":"done",*' 'status-fd'
profile '"alg": "Ed25519"'
like "$(header "$(ephid-mint -p p)")" '*"alg":"Ed25519"*' 'alg'
profile '"may-audience": ["'$a'"], "agent": "x"'
ephid-mint -p p --output "$tmp/parent"
run ephid-mint --parent "$tmp/parent" --audience $a
is "$status" 0 'may-audience'
run ephid-mint --parent "$tmp/parent" --audience $b
is "$status" 1 'and no other'
profile '"parent": "'"$tmp/parent"'"'
like "$(payload "$(ephid-mint -p p)")" '*"parent":"*' 'parent, a file'
profile '"parent": "none"'
run env EPHID_TOKEN_FILE="$tmp/parent" ephid-mint -p p
unlike "$(payload "$out")" '*"parent":"*' 'parent, none'
profile '"issuer": "elsewhere"'
run ephid-mint -p p
is "$status $out" '2 ' 'issuer: there is but one'
profile '"issuer": "elsewhere"'
run ephid-mint -p p --issuer local
is "$status" 0 'which the line can say'
profile '"strict": true'
ephid-mint -p p >"$tmp/readable" 2>/dev/null
isnt $? 0 'strict: what others can read is a failure'
profile '"strict": false'
ephid-mint -p p >"$tmp/readable" 2>/dev/null
is $? 0 'and not without'
profile '"format": "header"'
run ephid-mint -p p
like "$out" 'Authorization: Bearer ey*' 'format'
run ephid-mint -p p --format token
like "$out" 'ey*' 'of which the line says another'
run ephid-mint -p p --json
like "$out" '{*"token":"ey*' 'as --json does'
profile '"output": "'"$tmp/o"'", "id-file": "'"$tmp/i"'"'
run ephid-mint -p p
is "$status$out" 0 'output: nothing on stdout'
is "$(payload "$(cat "$tmp/o")" | field id)" "$(cat "$tmp/i")" 'and id-file'
for member in '"for"' '"with"'; do
	profile "$member: [\"x\"]"
	run ephid-wrap -p p -- true
	like "$status $err" "125 *the profile has *" "$member is of a later version"
done

# Which profile it is.
profile '"agent": "of-the-profile"'
like "$(EPHID_PROFILE=p rehearse)" '*/of-the-profile/*' 'EPHID_PROFILE names it'
like "$(EPHID_PROFILE='' rehearse)" '*/agent/true/*' 'an empty one none'
run env EPHID_PROFILE=no ephid-wrap -p p -- true
is "$status" 0 'the option goes before it'
run env EPHID_PROFILE=no ephid-mint
is "$status $err" "2 ephid-mint: no profile 'no'; there are: p" \
    'one that is not there is an error'

for member in $(sed -n '/ profile_members\[\] = {/,/^};/s/^ *{"\([a-z-]*\)".*/\1/p' \
    "$srcdir/common/settings.c"); do
	grep -qF "\"$member\"" "$srcdir/tests/t/0535-profiles.t" ||
	    echo "$member"
done >"$tmp/untested"
is "$(cat "$tmp/untested")" '' 'that was all of them'
