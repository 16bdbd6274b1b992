#!/bin/sh
# A receipt says what a run held and how each credential ended: composed from
# the ledger by its id, or read from a file, which proves nothing and is shown
# as unsigned. Nothing else is taken for one, nor it for anything else.
. "${srcdir:-.}/tests/lib.sh"

mint() { # NAME OPTION...: a token in $tmp/NAME and its id in $tmp/NAME.id
	mint_name=$1
	shift
	ephid-mint --output "$tmp/$mint_name" --id-file "$tmp/$mint_name.id" \
	    "$@" || bail "no mint: $mint_name"
}
id_of() { cat "$tmp/$1.id"; }

# --- from the ledger

mint root --agent lead --scope 'repo:read pr:write' --task 'review pr 7' \
    --audience https://mcp.example
mint child --parent "$tmp/root" --scope repo:read --ttl 5m \
    --audience https://mcp.example
run ephid-inspect --receipt "$(id_of root)"
is "$status" 1 'a run that lives is not over'
like "$out" '*state:*active*revocation: none*' 'and its receipt says so'
unlike "$out" '*unsigned*' 'the ledger needs no signature'

run ephid-revoke --reason 'seen enough' "$(id_of root)"
is "$status" 0 'it is revoked'
run ephid-inspect --json --receipt "$(id_of root)"
is "$status" 0 'then it is over'
like "$out" "{\"receipt\":1,\"id\":\"$(id_of root)\",\"root\":\"$(id_of root)\",\"parent\":null,\"agent\":\"lead\",\"task\":\"review pr 7\",\"scope\":\"repo:read pr:write\",\"state\":\"revoked\",\"issued_at\":\"20*Z\",\"ended_at\":null,\"exit_status\":null,\"signal\":null,\"revoked_at\":\"20*Z\",\"reason\":\"seen enough\",\"credentials\":[[]{\"jti\":\"$(id_of root)\",\"issuer\":\"local\",\"form\":\"oauth\",\"audience\":\"https://mcp.example\",\"issued_at\":\"20*Z\",\"expires_at\":\"20*Z\",\"revocation\":\"done\",\"revoked_at\":\"20*Z\"}]}" \
    'in a line whose members have an order'
is "$(printf '%s\n' "$out" | wc -l)" 1 'and one line'
unlike "$out" '*"iss":*' 'it names no iss'
unlike "$out" '*"aud":*' 'and no aud'
unlike "$out" '*eyJ*' 'nor any secret'
run ephid-inspect --json --receipt "$(id_of child)"
is "$status" 0 'its child ended with it'
like "$out" "*\"root\":\"$(id_of root)\",\"parent\":\"$(id_of root)\",\"agent\":\"lead\"*\"revocation\":\"done\"*" \
    'and names its parent'
run ephid-inspect --quiet --receipt "$(id_of root)"
is "$status,$out$err" 0, '--quiet answers by status alone'
end=$(id_of root | sed 's/.*\(.\{12\}\)$/\1/' | tr '[:upper:]' '[:lower:]')
run ephid-inspect --json --receipt "$end"
like "$out" "*\"id\":\"$(id_of root)\"*" 'the end of an id is enough'

run ephid-inspect --receipt 01KB0000000000000000000000
is "$status" 1 'an id never seen is a no'
like "$err" "ephid-inspect: 01KB0000000000000000000000: not found in home *" \
    'that names the home'
is "$out" '' 'and prints nothing'

mint live
run ephid-inspect --json --receipt - <<-END
	$(id_of root)
	$(id_of live)
END
is "$status" 1 'of ids on stdin the worst is told'
is "$(printf '%s\n' "$out" | grep -c '"receipt":1')" 2 'and all are shown'
run ephid-inspect --receipt - </dev/null
is "$status" 1 'an empty stdin is no yes'
run ephid-inspect --receipt - <"$tmp/live"
is "$status" 2 'a token on stdin is refused'
like "$err" '*a token has no receipt*' 'in so many words'
unlike "$out$err" '*eyJ*' 'and not echoed'

# --- of a run that ended

wrap() { run ephid-wrap --receipt "$tmp/wrap.json" "$@"; }
of() { field "$1" <"$tmp/wrap.json"; } # of the run, not its credentials
wrap --audience https://a.example --audience https://b.example -- \
    sh -c 'ephid-inspect --quiet --receipt "$EPHID_ID"; echo $?; exit 7'
is "$status,$out" 7,1 'while it runs its own receipt is a no'
like "$(cat "$tmp/wrap.json")" '{"receipt":1,*"state":"revoked",*,"ended_at":"20*Z","exit_status":7,"signal":null,"revoked_at":*"reason":"the command ended","credentials":*"audience":"https://a.example"*"revocation":"done"*"audience":"https://b.example"*"revocation":"done"*' \
    'then it has the status and all that the run held'
is "$(wc -l <"$tmp/wrap.json")" 1 'in a line'
is "$(stat -c %a "$tmp/wrap.json")" 600 'for nobody else'
is "$(cat "$tmp/wrap.json")" \
    "$(ephid-inspect --json --receipt "$(of id)")" \
    'as the ledger has it, too'
run ephid-inspect --quiet --home "$tmp/absent" --receipt "$tmp/wrap.json"
is "$status" 0 'anywhere'
first=$(of id)
wrap sh -c 'kill -TERM $$'
isnt "$(of id)" "$first" 'the next run replaces it'
is "$(of exit_status),$(of signal)" null,TERM 'a signal has its name'
is "$(of timed_out)" '' 'and is no time limit'
wrap --timeout 50ms sleep 60
is "$status" 124 'a run out of time'
like "$(cat "$tmp/wrap.json")" '*"ended_at":"20*,"timed_out":true,"revoked_at":*' \
    'says so'
wrap "$tmp/nothing"
is "$status" 127 'a command that is not there'
like "$(cat "$tmp/wrap.json")" '*"state":"revoked"*"revocation":"done"*' \
    'has a receipt, for it was minted for'

# A command may put a link there, when it can write to the folder and we are
# root. What that leads to, a disk perhaps, is not written to.
mkfifo "$tmp/other"
exec 4<>"$tmp/other"
run ephid-wrap --receipt "$tmp/later" -- ln -s "$tmp/other" "$tmp/later"
[ -f "$tmp/later" ] && [ ! -L "$tmp/later" ]
ok $? 'a link that the command put there is replaced'
is "$(dd if="$tmp/other" iflag=nonblock bs=4096 count=1 2>/dev/null)" '' \
    'and not followed'
run ephid-wrap --receipt "$tmp/other" -- true
like "$(head -n 1 <&4)" '{"receipt":1,*' 'a pipe is written to'
exec 4<&-

# Nobody saw the end of one whose front and guardian were killed.
ephid-wrap -- sh -c "echo \$EPHID_ID >$tmp/killed; exec sleep 60" 2>/dev/null &
front=$!
wait_for 10 test -s "$tmp/killed" || bail 'the run did not start'
guardian=$(tr -d ' ' <"/proc/$front/task/$front/children")
kill -STOP "$front" && kill -KILL "$guardian" "$front"
wait "$front" 2>/dev/null
swept() { # once the kernel is done with the two
	ephid-revoke --quiet --sweep
	ephid-inspect --quiet --receipt "$(cat "$tmp/killed")"
}
wait_for 10 swept
ok $? 'a run that was swept is over'
run ephid-inspect --json --receipt "$(cat "$tmp/killed")"
like "$out" '*"ended_at":null,"exit_status":null,"signal":null,"revoked_at":"20*"reason":"swept: *"revocation":"done"*' \
    'and its receipt says what is known'

# --- what a ledger of version 1 has, which knows of no ends

frozen=$srcdir/tests/vectors/v1
cp -R "$frozen/home" "$tmp/v1"
chmod -R u=rwX,go= "$tmp/v1"
for name in expired revoked; do
	run ephid-inspect --home "$tmp/v1" --json --receipt \
	    "$(cat "$frozen/tokens/$name.id")"
	is "$status" 0 "the frozen $name run is over"
	like "$out" "*\"state\":\"$name\"*\"ended_at\":null*" 'as it was'
done
run ephid-inspect --home "$tmp/v1" --json --receipt \
    "$(cat "$frozen/tokens/expired.id")"
like "$out" '*"revocation":"expired","revoked_at":null*' \
    'what expired by itself was not revoked'
if can_as_user; then
	cp -R "$frozen/home" "$user_home/v1"
	chmod -R u=rwX,go= "$user_home/v1"
	[ "$(id -u)" -ne 0 ] || chown -R 1000:1000 "$user_home/v1"
	chmod 500 "$user_home/v1"
	run as_user ephid-inspect --home "$user_home/v1" --json --receipt \
	    "$(cat "$frozen/tokens/revoked.id")"
	is "$status" 0 'a home that cannot be written is read as it is'
	like "$out" '*"reason":"a revocation to keep"*' 'and has its receipts'
	chmod 700 "$user_home/v1"
else
	skip 2 'cannot become another user'
fi

# --- from a file

file=$tmp/receipt.json
ephid-inspect --json --receipt "$(id_of root)" >"$file"
run ephid-inspect --home "$tmp/absent" --receipt "$file"
is "$status" 0 'a file needs no home'
like "$out" "*unsigned:*yes*id:*$(id_of root)*revocation: done*" \
    'and is shown as unsigned'
unlike "$out$err" '*verified*' 'and never as verified'
[ ! -e "$tmp/absent" ]; ok $? 'no home is made'
run ephid-inspect --home "$tmp/absent" --json --receipt "$file"
is "$out" "$(sed 's/"receipt":1,/&"unsigned":true,/' "$file")" \
    'so it is with --json'
ephid-inspect --json --receipt "$(id_of live)" >"$tmp/live.json"
run ephid-inspect --quiet --receipt "$tmp/live.json"
is "$status,$out$err" 1, 'the receipt of a run that lived is a no'
mkfifo "$tmp/pipe"
cat "$file" >"$tmp/pipe" &
run ephid-inspect --receipt "$tmp/pipe"
is "$status" 0 'a pipe will do'
wait

# What a file says of itself, or says beyond what a receipt has, is not shown.
sed 's/"id"/"unsigned":false,"verified":true,"signature":"x",&/' "$file" \
    >"$tmp/boast"
run ephid-inspect --json --receipt "$tmp/boast"
is "$out" "$(sed 's/"receipt":1,/&"unsigned":true,/' "$file")" \
    'a boast is not repeated'
sed 's/"review pr 7"/"\\u001b[31mred"/' "$file" >"$tmp/colour"
run ephid-inspect --receipt "$tmp/colour"
like "$out" '*task:*[?][[]31mred*' 'nor does it drive a terminal'

refused() { # STATUS PATTERN NAME FILE
	run ephid-inspect --json --receipt "$4"
	is "$status" "$1" "$3"
	like "$err" "$2" 'and told why'
	is "$(printf '%s\n' "$err" | wc -l),$out" 1, 'in a line'
}
refused 1 "*: cannot read '$tmp/none': no such file" 'no file' "$tmp/none"
refused 3 "*: cannot read '$tmp/': *" 'a folder' "$tmp/"
refused 1 "*: '$tmp/root': a token, not a receipt" 'a token' "$tmp/root"
: >"$tmp/bad"
refused 1 "*: '$tmp/bad': not a receipt: line 1: *" 'an empty file' "$tmp/bad"
payload "$(cat "$tmp/root")" >"$tmp/bad"
refused 1 "*: '$tmp/bad': not a receipt" 'the claims of a token' "$tmp/bad"
head -c 200 "$file" >"$tmp/bad"
refused 1 "*: '$tmp/bad': not a receipt: line 1: *" 'a cut file' "$tmp/bad"
cat "$file" "$file" >"$tmp/bad"
refused 1 "*: '$tmp/bad': not a receipt: line 2: *" 'two of them' "$tmp/bad"
sed 's/"receipt":1/"receipt":2/' "$file" >"$tmp/bad"
refused 1 "*: '$tmp/bad': a receipt of a newer version of ephid" \
    'one of a later version' "$tmp/bad"
sed 's/"revocation":"done"/"revocation":"surely"/' "$file" >"$tmp/bad"
refused 1 "*: '$tmp/bad': not a receipt: revocation is *" 'another word' \
    "$tmp/bad"
sed 's/"root"/"id":"x",&/' "$file" >"$tmp/bad"
refused 1 "*: '$tmp/bad': not a receipt: line 1: *" 'a name twice' "$tmp/bad"
head -c 17000000 /dev/zero | tr '\0' ' ' >"$tmp/bad"
refused 1 "*: '$tmp/bad': *" 'one without end' "$tmp/bad"

cd "$tmp" || exit 99
run ephid-inspect --receipt receipt.json
is "$status" 2 'a file has a slash in its name, to be told from an id'

# --- the other way round: it passes for nothing else

run ephid-inspect "$file"
is "$status" 1 'a receipt is no token'
like "$err" '*malformed*' 'but malformed'
run ephid-revoke "$file"
is "$status" 1 'and revokes nothing'
run env EPHID_TOKEN_FILE="$file" ephid-mint
is "$status" 1 'and bears no children'
is "$out" '' 'of any kind'

# --- usage

for line in --receipt '--receipt a b' '--receipt --list' '--tree --receipt x' \
    '--receipt --audience https://x x' '--receipt --state all x'; do
	# shellcheck disable=SC2086
	run ephid-inspect $line
	is "$status" 2 "ephid-inspect $line: a usage error"
	is "$out" '' 'and nothing else'
done
run ephid-inspect --receipt "$(cat "$tmp/root")"
is "$status" 2 'a token as an argument is refused'
unlike "$out$err" '*eyJ*' 'and not echoed'

# A file in this folder is no id.
echo '{}' >"$tmp/run.json"
run sh -c "cd '$tmp' && ephid-inspect --receipt run.json"
is "$status|$err" '2|ephid-inspect: a file is named with a slash: ./run.json' \
    'a file without a slash is told where it belongs'
