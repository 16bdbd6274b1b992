#!/bin/sh
# A run outlives its ttl: renewed in time, through sleep, and dead at the end.
. "${srcdir:-.}/tests/lib.sh"
a=https://a.acme.example b=https://b.acme.example

# reader FOLDER: in the run; verifies both files each fifth of a second, until
# the folder has a file `stop'. A failure is a line in `bad'. The tokens that
# it saw are left in files named by their jti.
cat >"$tmp/reader" <<'EOT'
jti() { cut -d. -f2 "$1" | tr _- /+ | base64 -d 2>/dev/null |
    sed -n 's/.*"jti":"\([^"]*\)".*/\1/p'; }
until [ -e "$1/stop" ]; do
	ephid-inspect --quiet --audience https://a.acme.example \
	    "$EPHID_TOKEN_FILE" 2>>"$1/bad" || echo "a: $?" >>"$1/bad"
	ephid-inspect --quiet --audience https://b.acme.example \
	    "$EPHID_TOKEN_DIR/token-2" 2>>"$1/bad" || echo "b: $?" >>"$1/bad"
	cp "$EPHID_TOKEN_FILE" "$1/seen.$(jti "$EPHID_TOKEN_FILE")"
	[ $(($(date +%s) - began)) -lt 16 ] || : >"$1/stop"
	sleep 0.2
done
cp "$EPHID_TOKEN_FILE" "$1/last"; cp "$EPHID_TOKEN_DIR/token-2" "$1/last-2"
cp "$EPHID_TOKEN_DIR/index.json" "$1/index"
printf %s "$EPHID_TOKEN" >"$1/first"
EOT
mkdir "$tmp/three"
began=$(date +%s); export began
run ephid-wrap --ttl 5s -a "$a" -a "$b" -- sh "$tmp/reader" "$tmp/three"
is "$status|$err" '0|' 'a run of three times its ttl ends well'
[ ! -s "$tmp/three/bad" ]; ok $? 'its readers never saw an invalid token'
[ -s "$tmp/three/bad" ] && diag "$(head -n 5 "$tmp/three/bad")"
n=$(find "$tmp/three" -name "seen.*" | wc -l)
[ "$n" -ge 4 ] && [ "$n" -le 8 ]; ok $? "of $n tokens in turn"
run ephid-inspect "$tmp/three/last"
like "$status|$err" '1|*: revoked: *' 'the last is dead when it returns'
run ephid-inspect "$tmp/three/last-2"
like "$status|$err" '1|*: revoked: *' 'and that of the second audience'
run ephid-inspect "$tmp/three/first"
like "$status|$err" '1|*: expired: *' 'EPHID_TOKEN was never refreshed'
command -v jq >/dev/null && {
	is "$(jq -r '[.tokens[].audience] | join(" ")' "$tmp/three/index")" \
	    "$a $b" 'the index names both'
	id=$(jq -r .id "$tmp/three/index")
	is "$(ephid-inspect --events "$id" | jq -rs \
	    '[.[] | select(.event == "renewed")] | length')" $((n - 1)) \
	    'each renewal is an event'
	is "$(ephid-inspect --receipt --json "$id" |
	    jq -r '[.credentials[].revocation] | unique | join(" ")')" \
	    'done expired' 'the receipt has them all'
	is "$(ephid-inspect --receipt --json "$id" |
	    jq -r '.credentials | length')" $((2 * n)) 'one for each'
}

# renewed: the token file is not what it was.
renewed() { ! cmp -s "$1" "$tmp/before"; }
valid() { ephid-inspect --quiet "$1"; }

# children PID: its one child.
children() { tr -d ' ' <"/proc/$1/task/$1/children"; }

# start OPTION...: a run that says where its files are and waits for `go'.
mkfifo "$tmp/go"
front=
at_exit '[ -z "$front" ] || kill "$front" 2>/dev/null'
start() {
	rm -f "$tmp/up"
	ephid-wrap "$@" -- sh -c 'echo "$EPHID_ID $EPHID_TOKEN_FILE" >$1/up.new
	    mv $1/up.new $1/up; read -r x <$1/go' sh "$tmp" 2>"$tmp/said" &
	front=$!
	wait_for 10 test -s "$tmp/up" || bail 'the command did not start'
	read -r id file <"$tmp/up"
	at=$front
	guardian=$(children "$front")
	cp "$file" "$tmp/before"
}
finish() { echo >"$tmp/go"; wait "$front"; status=$?; }

# Asleep with its machine, as far as the guardian can tell: stopped past exp.
# Front too, for it wakes a guardian that was stopped.
asleep() {
	kill -STOP "$at"
	kill -STOP "$guardian"
	over() { ! ephid-inspect --quiet "$id"; }
	wait_for 15 over; ok $? "$1: asleep past its exp"
	run ephid-inspect "$id"
	like "$out" '*expired*' "$1: it has expired"
	ephid-revoke --sweep --quiet
	kill -CONT "$guardian" "$at"
	wait_for 5 valid "$file"; ok $? "$1: awake, it has a valid token again"
	run ephid-inspect --quiet "$id"
	is "$status" 0 "$1: and is active"
	finish
	run ephid-inspect "$id"
	like "$status|$out" '1|*revoked*' "$1: until its end"
}
start --ttl 5s
asleep plain
if unshare --time --boottime 400000 --monotonic 400000 true 2>/dev/null; then
	PATH=$PATH unshare --time --boottime 400000 --monotonic 400000 sh -c '
	    ephid-wrap --ttl 5s -- sh -c "echo \$EPHID_ID \$EPHID_TOKEN_FILE \
		>$1/up2.new; mv $1/up2.new $1/up2; read -r x <$1/go"' \
	    sh "$tmp" 2>"$tmp/said" &
	front=$!
	wait_for 10 test -s "$tmp/up2" || bail 'nothing starts in a namespace'
	read -r id file <"$tmp/up2"
	at=$front # unshare has become the shell, whose child is front
	[ "$(cat "/proc/$at/comm")" = ephid-wrap ] || at=$(children "$at")
	guardian=$(children "$at")
	asleep 'time namespace'
else
	skip 5 'no time namespaces here'
fi

# The folder went, as with a log-out: the next renewal makes it again.
start --ttl 6s
rm -r "${file%/*}"
wait_for 6 valid "$file"; ok $? 'a token folder that vanished is made again'
is "$(stat -c %a "${file%/*}") $(stat -c %a "$file")" '700 600' 'closed to others'
finish

# What cannot be written is tried again, and is one line.
start --ttl 6s
chmod 755 "${file%/*}"
dir=${file%/*}
if [ "$(id -u)" -eq 0 ] && mount -t tmpfs -o ro none "$dir" 2>/dev/null; then
	said() { grep -q 'cannot be handed out' "$tmp/said"; }
	wait_for 8 said; ok $? 'a folder that cannot be written to is told'
	umount "$dir"
	wait_for 6 renewed "$file"; ok $? 'and written to when it can be'
	is "$(grep -c 'handed out' "$tmp/said")" 1 'and told once'
else
	skip 3 'nothing can be mounted here'
fi
finish

# A ledger that refuses is asked again.
if command -v sqlite3 >/dev/null; then
	start --ttl 6s
	sqlite3 "$EPHID_HOME/ledger.db" "CREATE TRIGGER no BEFORE INSERT ON
	    credential BEGIN SELECT RAISE(ABORT, 'no'); END"
	said() { grep -q 'cannot renew' "$tmp/said"; }
	wait_for 8 said; ok $? 'a renewal that fails is told'
	sqlite3 "$EPHID_HOME/ledger.db" 'DROP TRIGGER no'
	wait_for 8 renewed "$file"; ok $? 'and comes when it can'
	is "$(grep -c 'renew' "$tmp/said")" 1 'told once'
	finish
	is "$status" 0 'the command does not mind'

	# Migrated beneath it by a newer version, which alone may mint then.
	start --ttl 6s
	version=$(sqlite3 "$EPHID_HOME/ledger.db" 'PRAGMA user_version')
	sqlite3 "$EPHID_HOME/ledger.db" 'PRAGMA user_version = 1000'
	said() { grep -q 'cannot renew.* newer version' "$tmp/said"; }
	wait_for 8 said; ok $? 'in a newer ledger nothing is renewed'
	cmp -s "$file" "$tmp/before"; ok $? 'and the token stays'
	finish
	sqlite3 "$EPHID_HOME/ledger.db" "PRAGMA user_version = $version"
	run ephid-inspect "$id"
	like "$status|$out" '1|*revoked*' 'but revoked'
else
	skip 7 'no sqlite3'
fi

# --max-life: no token beyond it, and it is said.
start --ttl 5s --max-life 8s
gone() { grep -q 'not renewed any more' "$tmp/said"; }
wait_for 10 gone; ok $? 'the end of max-life is told'
wait_for 5 over; ok $? 'the identity expires'
kill -0 "$front"; ok $? 'and the command goes on'
expires=$(payload "$(cat "$file")" | field exp)
began=$(payload "$(cat "$tmp/before")" | field iat)
is "$((expires - began))" 8 'the last token ends with max-life'
finish

# A child lives on with its parent, and is capped by it.
cat >"$tmp/nested" <<'EOT'
exec ephid-wrap --quiet --ttl 5s -- sh -c 'until [ -e $1/enough ]; do
    ephid-inspect --quiet "$EPHID_TOKEN_FILE" || echo no >>$1/childbad
    cp "$EPHID_TOKEN_FILE" $1/child; sleep 0.2; done' sh "$1"
EOT
ephid-wrap --ttl 5s -- sh "$tmp/nested" "$tmp" 2>"$tmp/said" &
front=$!
wait_for 10 test -s "$tmp/child"
cp "$tmp/child" "$tmp/before"
first=$(payload "$(cat "$tmp/before")" | field exp)
third() { [ "$(payload "$(cat "$tmp/child")" | field exp)" -gt $((first + 5)) ]
}
wait_for 15 third; ok $? 'a child is renewed after its parent, and again'
: >"$tmp/enough"
wait "$front"
is "$?" 0 'both end'
[ ! -e "$tmp/childbad" ]; ok $? 'the child never had an invalid token'

# A rotated key signs what is renewed.
start --ttl 6s
old=$(header "$(cat "$file")" | field kid)
ephid-keygen --rotate --now >/dev/null
wait_for 8 renewed "$file"
isnt "$(header "$(cat "$file")" | field kid)" "$old" \
    'a renewed token is signed by the key of its time'
valid "$file"; ok $? 'and verifies'
finish

# With its home gone, what it signed could not be revoked by anybody.
start --ttl 6s
mv "$EPHID_HOME" "$tmp/gone"
said() { grep -q 'cannot renew.*moved or removed' "$tmp/said"; }
wait_for 8 said; ok $? 'in a home that was moved nothing is renewed'
cmp -s "$file" "$tmp/before"; ok $? 'and the token stays'
finish
like "$status|$(cat "$tmp/said")" "0|*run $id is not revoked: *moved or removed*" \
    'that it is not revoked is said'
mv "$tmp/gone" "$EPHID_HOME"
ephid-revoke --sweep --quiet
run ephid-inspect "$id"
like "$status|$out" '1|*revoked*' 'a sweep does it, where the home is'
