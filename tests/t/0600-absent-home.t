#!/bin/sh
# Only mint, wrap and keygen make a home; whoever merely looks or revokes
# changes nothing where there is none, nor where it cannot be written.
. "${srcdir:-.}/tests/lib.sh"
id=01ARZ3NDEKTSV4RRFFQ69G5FAV

# absent NAME WANTED CMD...
absent() {
	name=$1 wanted=$2
	shift 2
	run "$@"
	is "$status" "$wanted" "$name: status $wanted"
	is "$out" '' "$name: nothing on stdout"
	like "$err" "*'$EPHID_HOME'*" "$name: the home is named"
	[ ! -e "$EPHID_HOME" ]; ok $? "$name: none was made"
}
absent 'inspect ID' 1 ephid-inspect $id
absent 'inspect --list' 1 ephid-inspect --list
absent 'inspect --tree' 1 ephid-inspect --tree
absent 'inspect --events' 1 ephid-inspect --events
absent 'revoke ID' 1 ephid-revoke $id
absent 'revoke --all' 1 ephid-revoke --all
absent 'revoke --sweep' 1 ephid-revoke --sweep
for cmd in 'ephid-mint --ttl x' 'ephid-mint --no-such-option' \
    'ephid-wrap --ttl x -- true' 'ephid-mint --help' 'ephid-wrap --version'
do
	run $cmd
	[ ! -e "$EPHID_HOME" ]; ok $? "'$cmd' makes none"
done

run ephid-mint
is "$status" 0 'mint makes one'
is "$(stat -c %a "$EPHID_HOME")" 700 'closed to others'
run ephid-inspect --list
is "$status" 0 'and now there is one to look at'
run ephid-wrap --home "$tmp/w" -- true
is "$status" 0 'wrap makes one'
[ -d "$tmp/w" ]; ok $? 'where it was told to'
run ephid-keygen --home "$tmp/k"
is "$status" 0 'keygen makes one'
[ -d "$tmp/k/keys" ]; ok $? 'with keys'
run env -u EPHID_HOME XDG_STATE_HOME="$tmp/state" HOME="$tmp/h" sh -c \
    '[ "$(id -u)" -eq 0 ] || ephid-mint'
[ "$(id -u)" -eq 0 ] || [ -d "$tmp/state/ephid" ]
ok $? 'without --home it is in the state folder'

# a home that cannot be written, as an ordinary user
can_as_user || { skip 6 'no ordinary user can be had'; exit 0; }
h=$user_home/h
as_user ephid-mint --home "$h" --output "$user_home/token" \
    --id-file "$user_home/id"
before=$(cd "$h" && find . | sort)
as_user chmod -R a-w "$h"
run as_user ephid-inspect --home "$h" --quiet "$user_home/token"
is "$status" 0 'a read-only home still verifies'
run as_user ephid-inspect --home "$h" --list
is "$status" 0 'and lists'
run as_user ephid-mint --home "$h"
isnt "$status" 0 'but mints nothing'
is "$out" '' 'no token'
run as_user ephid-revoke --home "$h" "$(cat "$user_home/id")"
isnt "$status" 0 'and revokes nothing'
is "$(cd "$h" && find . | sort)" "$before" 'and is as it was'
as_user chmod -R u+w "$h"
