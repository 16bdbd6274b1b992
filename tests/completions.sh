# shellcheck shell=sh disable=SC2154
# completions.sh - what must be offered, whichever the shell.
#
# A test sources lib.sh, says how its shell is asked, and then sources this:
#
#	offered() { $as ...; }	prints what may stand for the last word of the
#				line $1, one a line; as whole words
#	. "$srcdir/tests/completions.sh"
#
# $as is nothing, or as_user; a file that the shell writes is in $(scratch).

# offers LINE WORDS NAME: these and no others, in any order.
offers() {
	is "$(offered "$1" | sort -u)" \
	    "$(printf '%s' "$2" | tr ' ' '\n' | sort -u)" "$3"
}
among() { # LINE WORD NAME
	offered "$1" | grep -qxF -e "$2"
	ok $? "$3"
}
not_among() { # LINE WORD NAME
	! offered "$1" | grep -qxF -e "$2"
	ok $? "$3"
}

as=
scratch() { if [ -n "$as" ]; then echo "$user_home"; else echo "$tmp"; fi; }
export PATH="$PATH:$tmp/bin"
mkdir "$tmp/bin" "$tmp/work" "$tmp/work/sub"
cd "$tmp/work" || bail 'no folder to work in'
: >file

# Where there is no home, none is made, and nothing is said.
for line in 'ephid-revoke ' 'ephid-inspect --root ' 'ephid-keygen --retire ' \
    'ephid-mint --profile '; do
	is "$(offered "$line" 2>&1)" '' \
	    "without a home, '$line' has nothing"
done
[ ! -e "$EPHID_HOME" ]
ok $? 'and no home was made'

for program in inspect keygen mint revoke wrap; do
	program=ephid-$program
	is "$( (offered "$program -"; offered "$program --") |
	    grep '^--.' | sort -u)" \
	    "$("$program" --help | grep -oE '(^|[^-a-z])--[a-z][a-z0-9-]+' |
	    sed 's/^[^-]*//' | sort -u)" "$program: the options of --help, all"
done
among 'ephid-mint -' -a 'short ones too'
offers 'ephid-mint --fo' '--form --format' 'of which some begin so'
offers 'ephid-mint --nosuch' '' 'or none'
offers 'ephid-revoke AAAAAA --rea' '' 'and none after an operand'

offers 'ephid-mint --form ' 'oauth federation' '--form'
offers 'ephid-mint --form f' 'federation' 'and the beginning of one'
offers 'ephid-mint --form=f' '--form=federation' 'and --form='
offers 'ephid-mint --format ' 'token json env header' '--format'
offers 'ephid-mint --alg ' 'ES256 RS256 Ed25519' '--alg'
offers 'ephid-keygen --alg ' 'ES256 RS256 Ed25519' 'that of ephid-keygen'
offers 'ephid-wrap --subject ' 'run agent' '--subject'
offers 'ephid-inspect --status ' 'ledger none' '--status'
offers 'ephid-inspect --status-policy ' 'require prefer skip' \
    '--status-policy'
offers 'ephid-inspect --list --state ' 'active revoked expired all' '--state'
offers 'ephid-wrap --stragglers ' 'kill wait leave' '--stragglers'
offers 'ephid-wrap --on-revoke k' 'keep kill' '--on-revoke'
offers 'ephid-mint --ttl ' '' 'a duration is for the user to say'
offers 'ephid-wrap --status-fd ' '' 'so is a number'
among 'ephid-wrap --user ro' root '--user: a user'
not_among 'ephid-wrap --user fi' file 'and no file'
export EPHIDTEST_KEPT=1
offers 'ephid-wrap --clean-env --keep EPHIDTEST' EPHIDTEST_KEPT \
    '--keep: a variable'

among 'ephid-mint --output fi' file '--output: a file'
among 'ephid-mint -qo fi' file 'as the last of a bundle'
among 'ephid-inspect --jwks fi' file '--jwks: a file'
among 'ephid-mint --parent ' file '--parent: a file'
among 'ephid-wrap --receipt fi' file '--receipt: a file'
offers 'ephid-inspect ./fi' ./file 'an operand with a slash: a file'
offers 'ephid-inspect fi' '' 'without: none, it would be taken for an id'
among 'ephid-inspect --decode fi' file 'but for --decode'
is "$(offered 'ephid-mint --home ' | tr -d / | sort -u)" sub \
    '--home: a folder, no file'

ephid-mint --agent live --id-file "$tmp/live" --output "$tmp/token"
ephid-mint --agent dead --id-file "$tmp/dead" --format json | cat >/dev/null
live=$(cat "$tmp/live")
ephid-revoke --quiet "$(cat "$tmp/dead")"
offers 'ephid-revoke 0' "$live" 'ephid-revoke: what is live'
offers 'ephid-inspect 0' "$live" 'ephid-inspect'
offers 'ephid-inspect --tree 0' "$live" 'for --tree'
offers 'ephid-inspect --events 0' "$live" 'for --events'
offers 'ephid-inspect --list --root ' "$live" 'for --list --root'
offers 'ephid-inspect --receipt 0' "$live $(cat "$tmp/dead")" \
    'for --receipt what is over, too'
offers 'ephid-inspect --receipt ./fi' ./file 'or a file'
offers 'ephid-revoke --root ' "$live" 'for --root'
offers 'ephid-revoke -- ' "$live" 'after --'
offers "ephid-revoke $live 0" "$live" 'after another'
offers 'ephid-mint 0' '' 'ephid-mint takes none'
offers "ephid-revoke --home $tmp/none 0" '' 'another home has others'
offers "ephid-revoke --home=$tmp/none 0" '' 'with = too'
home=$EPHID_HOME EPHID_HOME=$tmp/none
offers "ephid-revoke --home $home 0" "$live" 'the one that is named is asked'
EPHID_HOME=$home
[ ! -e "$tmp/none" ]
ok $? 'and is not made'

ephid-mint --home "$HOME/h" --id-file "$tmp/other" --output "$tmp/token"
offers 'ephid-revoke --home ~/h 0' "$(cat "$tmp/other")" 'as ~/h as well'

# A program that is named by its path is asked itself, and so are those beside.
mkdir "$tmp/beside"
for program in inspect mint revoke; do
	ln -s "$(command -v ephid-$program)" "$tmp/beside/ephid-$program"
done
offers "$tmp/beside/ephid-mint --fo" '--form --format' 'by its path'
offers '../beside/ephid-revoke 0' "$live" 'and those beside it'
offers '../beside/ephid-keygen --retire ' '' 'that is not there'
for line in './ephid-mint --fo' './ephid-revoke '; do
	is "$(offered "$line" 2>&1)" '' "no program: nothing for '$line'"
done

kid=$(ephid-keygen --list --json | field kid)
offers 'ephid-keygen --retire ' "$kid" '--retire: a kid'
offers 'ephid-keygen --pem ' "$kid" '--pem: a kid'
offers 'ephid-keygen x' '' 'no operand elsewhere'

cat >"$EPHID_HOME/config.json" <<'END'
{"profiles": {"deploy": {"ttl": "10m"}, "review": {}, "$(touch owned)": {}}}
END
before=$(ephid-inspect --list --state all --json | wc -l)
offers 'ephid-mint --profile ' 'deploy review' '--profile: those there are'
offers 'ephid-wrap -p d' 'deploy' 'with -p'
[ ! -e owned ]
ok $? 'a name of one is no code'
echo '{"profiles": {"": {}}}' >"$EPHID_HOME/config.json"
offers 'ephid-mint --profile ' '' 'nor is one without a name'
is "$(ephid-inspect --list --state all --json | wc -l)" "$before" \
    'and none was used'
rm "$EPHID_HOME/config.json"

printf '#!/bin/sh\n' >"$tmp/bin/ephidtestcommand"
chmod +x "$tmp/bin/ephidtestcommand"
for line in 'ephid-wrap ' 'ephid-wrap -- ' 'ephid-wrap -qt 5m ' \
    'ephid-wrap --ttl 5m --audience=https://a.example/x --strict '; do
	among "${line}ephidtestcom" ephidtestcommand "a command after '$line'"
	offers "${line}ephid-mint --form " 'oauth federation' \
	    'and what it takes itself'
done
offers 'ephid-wrap ephid-wrap -q -- ephid-mint --fo' '--form --format' \
    'a wrap in a wrap'
not_among 'ephid-wrap --task ephidtestcom' ephidtestcommand \
    'the argument of an option is no command'

# Completing writes nothing: neither into a home where nothing is to be swept,
# nor into one that cannot be written to.
# SQLite's table of locks (-shm) is.
state_of() {
	(cd "$1" && find . ! -name '*-shm' -printf '%p %m %s %T@\n' | sort)
}
before=$(state_of "$EPHID_HOME")
for line in 'ephid-revoke 0' 'ephid-inspect --receipt 0' \
    'ephid-keygen --retire ' 'ephid-wrap --profile ' 'ephid-mint --'; do
	offered "$line" >/dev/null
done
is "$(state_of "$EPHID_HOME")" "$before" 'nothing is written in a home'
if can_as_user; then
	h=$user_home/h
	as_user ephid-mint --home "$h" --id-file "$user_home/id" \
	    --output "$user_home/token"
	as_user sh -c 'echo "{\"profiles\": {\"deploy\": {}}}" >"$1/config.json"' \
	    - "$h"
	as_user chmod -R a-w "$h"
	before=$(state_of "$h")
	as=as_user
	offers "ephid-revoke --home $h 0" "$(cat "$user_home/id")" \
	    'one that cannot be written to has ids'
	offers "ephid-mint --home $h --profile " deploy 'and profiles'
	kid=$(as_user ephid-keygen --home "$h" --list --json | field kid)
	offers "ephid-keygen --home $h --retire " "$kid" 'and keys'
	as=
	is "$(state_of "$h")" "$before" 'and is as it was'
	as_user chmod -R u+w "$h"
else
	skip 4 'no ordinary user can be had'
fi
