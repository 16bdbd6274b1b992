#!/bin/sh
# Each option of ephid-wrap does what it says, in a profile as on the line, and
# what makes no sense is refused before anything is made.
. "${srcdir:-.}/tests/lib.sh"
need jq

# --- refused ---------------------------------------------------------------

# refused NAME WORDS OPTION...: with 125, one line, and no home
refused() {
	name=$1 words=$2
	shift 2
	run ephid-wrap "$@" -- touch "$tmp/ran"
	is "$status|$out" '125|' "refused: $name"
	like "$err" "ephid-wrap: $words" "$name: in words"
	is "$(printf '%s\n' "$err" | wc -l)" 1 "$name: on one line"
	[ ! -e "$EPHID_HOME" ] && [ ! -e "$tmp/ran" ]
	ok $? "$name: nothing was made or run"
}
hint="*; see 'ephid-wrap --help'"
refused 'ttl: a word' "option '--ttl': $hint" --ttl soon
refused 'ttl: under 5s' "option '--ttl': less than 5s$hint" --ttl 4s
refused 'max-life: a word' "option '--max-life': $hint" --max-life soon
refused 'max-life: under 5s' "option '--max-life': less than 5s$hint" \
    --max-life 4999ms
refused 'timeout' "option '--timeout': $hint" --timeout soon
refused 'timeout: negative' "option '--timeout': $hint" --timeout -1
refused 'grace' "option '--grace': $hint" --grace 1y
refused 'stragglers' "option '--stragglers': not kill, wait or leave$hint" \
    --stragglers none
refused 'on-revoke' "option '--on-revoke': neither 'keep' nor 'kill'$hint" \
    --on-revoke end
for name in PATH HOME SHELL USER LOGNAME LD_PRELOAD EPHID_ID TRACEPARENT; do
	refused "env $name" "env '$name': has a meaning of its own$hint" \
	    --env $name
done
refused 'env: a number' "env '1A': not a name for a variable$hint" --env 1A
refused 'env: nothing' "env '': not a name for a variable$hint" --env ''
refused 'keep alone' "option '--keep': goes with '--clean-env'$hint" --keep A
refused 'keep: nothing' "option '--keep': not a pattern *$hint" \
    --clean-env --keep A --keep ''
refused 'keep: a value' "option '--keep': not a pattern *$hint" \
    --clean-env --keep A=b
unlike "$err" '*A=b*' 'keep: which is not repeated'
refused 'user: unknown' "user 'no-such-user': no such user$hint" --user no-such-user
refused 'user: root' "user 'root': not an ordinary user$hint" --user root
refused 'receipt: nothing' "cannot write '': *" --receipt ''
refused 'receipt: a folder' "cannot write '$tmp': not a file" --receipt "$tmp"
refused 'receipt: no folder' "cannot write '$tmp/none/r': No such *" \
    --receipt "$tmp/none/r"
ln -s nowhere "$tmp/link"
refused 'receipt: a link' "cannot write '$tmp/link': not a file" \
    --receipt "$tmp/link"
refused 'receipt: stdout' "option '--receipt': not standard output*$hint" \
    --receipt -
refused 'receipt: a pipe without a name' "cannot write '/dev/fd/9': *" \
    --receipt /dev/fd/9 9<<EOF
$(head -c 10 /dev/zero | tr '\0' x)
EOF
for fd in x '' -1 3x 99999999999; do
	refused "status-fd '$fd'" "option '--status-fd': not a number$hint" \
	    --status-fd "$fd"
done
refused 'status-fd: closed' "status-fd 9: not open for writing$hint" \
    --status-fd 9
refused 'status-fd: to be read' "status-fd 9: not open for writing$hint" \
    --status-fd 9 9</dev/null
refused 'status-fd: stdin' "status-fd 0: not open for writing$hint" \
    --status-fd 0
refused 'issuer' "no issuer 'vault'; there is local$hint" --issuer vault
refused 'task: too long' 'task: *' --task "$(printf %0300d 0)"
refused 'an audience twice' "audience 'https://a.example': given twice$hint" \
    -a https://a.example -a https://b.example -a https://a.example
set --
for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17; do
	set -- "$@" -a "https://$n.example"
done
refused '17 audiences' "17 audiences: the most is 16*" "$@"
refused 'an option of a later version' "unknown option '--with'$hint" \
    --with vault
run sh -c 'exec ephid-wrap --status-fd 1 -- true >&-'
is "$status" 125 'status-fd 1, which is closed'
run sh -c 'exec ephid-wrap --status-fd 2 -- true 2>&-'
is "$status" 125 'status-fd 2, which is closed'
if [ "$(id -u)" -eq 0 ] && can_as_user; then
	run as_user ephid-wrap --user nobody -- true
	is "$status|$err" \
	    '125|ephid-wrap: only root can run a command as another user' \
	    'user: only for root'
else
	skip 1 'there is no other user to be'
fi

# --- in a profile --------------------------------------------------------

mkdir -m 700 "$EPHID_HOME"
config() { printf '%s\n' "$1" >"$EPHID_HOME/config.json"; }
for member in '"for":"anthropic"' '"with":["vault"]'; do
	config "{\"profiles\":{\"p\":{$member}}}"
	run ephid-wrap -p p -- touch "$tmp/ran"
	name=${member%%:*}
	is "$status" 125 "a profile with $name is refused"
	like "$err" "*'$(echo "$name" | tr -d \")'*" 'by name'
	[ ! -e "$tmp/ran" ]
	ok $? 'and nothing is run'
	run ephid-mint -p p
	is "$status|$out" '1|' 'ephid-mint refuses it, too'
done
is "$(ls "$EPHID_HOME")" config.json 'nor made'

cat >"$EPHID_HOME/config.json" <<EOF
{"policy":{"max_life":"2h"},
 "profiles":{"p":{"max-life":3600,"timeout":"1m30s","grace":"500ms",
  "stragglers":"wait","on-revoke":"kill","env":"MY_TOKEN",
  "no-env-token":true,"clean-env":true,"keep":["KEPT_*","ALSO"],
  "receipt":"$tmp/p.receipt","issuer":"local","task":"of the profile",
  "audience":["https://a.example","https://b.example"],
  "dry-run":true},
  "keep":{"keep":"A"},"fd":{"status-fd":9},"number":{"grace":3}}}
EOF
# limits OPTION...: what they come to, as --dry-run has it
limits() {
	ephid-wrap --dry-run --json "$@" -- true 2>"$tmp/words" | jq -c '.limits |
	    [.ttl, .max_life, .timeout, .grace, .stragglers, .on_revoke]'
}
is "$(limits)" '["15m","2h",null,"2s","kill","keep"]' 'the defaults'
is "$(limits -p p)" '["15m","1h","1m30s","500ms","wait","kill"]' \
    'the profile goes before them'
is "$(limits -p p --max-life 30m --timeout 0 --grace 0 --stragglers leave \
    --on-revoke keep --ttl 7s)" '["7s","30m",null,"0s","leave","keep"]' \
    'and the line before the profile'
is "$(limits -p number)" '["15m","2h",null,"3s","kill","keep"]' \
    'a bare number is seconds'
is "$(limits --max-life 5s)" '["5s","5s",null,"2s","kill","keep"]' \
    'max-life bounds the first token, too'
is "$(limits --max-life 3h)" '["15m","2h",null,"2s","kill","keep"]' \
    'policy bounds max-life'
like "$(cat "$tmp/words")" '*renewed for 2h, the most that policy allows, not for 3h*' \
    'which is said'
export KEPT_A=1 ALSO=1 NOT_KEPT=1
run ephid-wrap -p p --json -- true
is "$(printf %s "$out" | jq -c '[.claims[] | .aud]')" \
    '["https://a.example","https://b.example"]' 'audiences of the profile'
is "$(printf %s "$out" | jq -r '.claims[0].ephid.task, .receipt')" \
    "of the profile
$tmp/p.receipt" 'and its task and receipt'
has() { printf %s "$out" | jq -e ".environment.$1 | index(\"$2\")" >/dev/null; }
has set MY_TOKEN && ! has set EPHID_TOKEN && has removed NOT_KEPT &&
    ! has removed KEPT_A && ! has removed ALSO
ok $? 'and env, no-env-token, clean-env and keep'
is "$(ephid-wrap -p p --json --env OTHER --keep NOT_* -a https://c.example \
    -- true 2>/dev/null | jq -c '[(.environment |
    (.set | index("OTHER") != null, index("MY_TOKEN") == null),
    (.removed | index("NOT_KEPT") == null, index("ALSO") != null)),
    .claims[].aud]')" '[true,true,true,true,"https://c.example"]' \
    'all of which the line can set anew'
run ephid-wrap -p keep -- true
is "$status" 125 'keep needs clean-env in a profile, too'
run ephid-wrap -p fd -- true
like "$status $err" '125 *status-fd 9: not open for writing*' \
    'status-fd in a profile'
run sh -c 'ephid-wrap -p fd -- true 9>"$1"' sh "$tmp/events"
like "$status $(cat "$tmp/events")" '0 *"event":"done"*' 'and it is taken'
rm "$EPHID_HOME/config.json"

# --- a scope in pieces --------------------------------------------------

run ephid-wrap -s b --scope 'a c' -- sh -c 'cat "$EPHID_TOKEN_FILE"'
is "$(payload "$out" | jq -r .scope)" 'b a c' 'scopes add up'

# --- several audiences ---------------------------------------------------

run ephid-wrap -a https://a.example -a https://b.example -a https://c.example \
    --env SECOND_NAME -- sh -c 'cp "$EPHID_TOKEN_DIR"/* "$1"
	stat -c "%a %n" "$EPHID_TOKEN_DIR"/*
	printf "%s\n" "$EPHID_TOKEN" >"$1/env"
	printf "%s\n" "$SECOND_NAME" >"$1/second"
	for f in "$EPHID_TOKEN_DIR"/token*; do
		ephid-inspect --quiet "$f" || echo "$f is not valid"
	done' sh "$tmp"
is "$status" 0 'three audiences'
is "$(printf '%s\n' "$out" | sed 's,/.*/,,')" '600 index.json
600 token
600 token-2
600 token-3' 'a file for each, and an index, all 0600 and valid'
is "$(jq -r '.tokens[] | .file + " " + .audience' "$tmp/index.json")" \
    'token https://a.example
token-2 https://b.example
token-3 https://c.example' 'the index says which is whose'
is "$(jq -r '.tokens[].expires_at' "$tmp/index.json" | sort -u | wc -l)" 1 \
    'and until when'
for f in token token-2 token-3; do
	is "$(payload "$(cat "$tmp/$f")" | jq -r .aud)" \
	    "$(jq -r '.tokens[] | select(.file == "'$f'").audience' \
	    "$tmp/index.json")" "$f is for it"
	run ephid-inspect "$tmp/$f"
	like "$status $err" '1 *revoked*' "$f is revoked with the run"
done
is "$(cat "$tmp/env" "$tmp/second" | sort -u)" "$(cat "$tmp/token")" \
    'the first is that of EPHID_TOKEN, and of --env'
is "$(for f in token token-2 token-3; do
	payload "$(cat "$tmp/$f")" | jq -r .jti
done | sort -u | wc -l)" 3 'each has a jti of its own'
is "$(payload "$(cat "$tmp/token")" | jq -r .jti)" \
    "$(jq -r .id "$tmp/index.json")" 'and the first that of the run'

# --- time ------------------------------------------------------------------

run ephid-wrap --timeout 200ms -- sleep 60
is "$status" 124 'a command that TERM ends in time: 124'
run ephid-wrap --timeout 200ms --grace 100ms -- sh -c 'trap "" TERM
    while :; do sleep 0.1; done'
is "$status" 124 'one that ignores TERM: 124'
run ephid-wrap --timeout 200ms --grace 1m --receipt "$tmp/r" -- sh -c '
    trap "ephid-inspect --quiet; echo \$? >\"\$1\"; exit 0" TERM
    while :; do sleep 0.1; done' sh "$tmp/in-grace"
is "$status" 124 'one that ends well in its grace: 124'
is "$(cat "$tmp/in-grace")" 0 'and has its identity in it'
is "$(jq -c '[.timed_out, .exit_status]' "$tmp/r")" '[true,0]' \
    'the receipt has both'
run ephid-wrap --timeout 1m -- sh -c 'exit 7'
is "$status" 7 'in time: its own status'
run ephid-wrap --timeout 0 -- sh -c 'exit 8'
is "$status" 8 '0 is no limit'

# A grace of a minute would not end in this test.
printf '{"profiles":{"p":{"grace":"1m"}}}' >"$EPHID_HOME/config.json"
ephid-wrap -p p --grace 100ms -- sh -c 'trap "" TERM; : >"$1"
    while :; do sleep 0.1; done' sh "$tmp/up" &
wait_for 10 test -e "$tmp/up"
kill -TERM $!
wait $!
is $? 137 'after --grace it is killed'

# --- ends --------------------------------------------------------------------

rm -f "$tmp/late"
late='(trap "" HUP; sleep 0.3; : >"$1") & :'
run ephid-wrap --stragglers wait -- sh -c "$late" sh "$tmp/late"
[ "$status" -eq 0 ] && [ -e "$tmp/late" ]
ok $? 'stragglers wait: it waits for the last of them'
rm -f "$tmp/late"
run ephid-wrap --stragglers leave -- sh -c "$late" sh "$tmp/late" >/dev/null
is "$status" 0 'stragglers leave'
wait_for 10 test -e "$tmp/late"
ok $? 'they go on'
run ephid-wrap --stragglers kill -- sh -c 'sleep 60 & echo $!'
[ "$status" -eq 0 ] && ! kill -0 "$out" 2>/dev/null
ok $? 'stragglers kill'
run ephid-wrap --on-revoke kill -- sh -c 'ephid-revoke --quiet "$EPHID_ID"
    exec sleep 60'
is "$status" 143 'on-revoke kill: it ends by TERM'
run ephid-wrap --on-revoke keep -- sh -c 'ephid-revoke --quiet "$EPHID_ID"
    exit 9'
is "$status" 9 'on-revoke keep: it goes on'

# What happens as it was asked for is said, and is no warning.
run ephid-wrap --strict --timeout 100ms -- sleep 60
is "$status|$err" \
    '124|ephid-wrap: the time limit is over: the command is ended' \
    'a time limit is told'
run ephid-wrap --quiet --timeout 100ms -- sleep 60
is "$status|$err" '124|' 'but not with --quiet'
run ephid-wrap --strict --stragglers wait -- sh -c 'sleep 0.3 & :'
like "$status|$err" \
    '0|ephid-wrap: waiting for what the command left: pid * (*)' \
    'and what is waited for'
run ephid-wrap --receipt "$tmp/r" --timeout 100ms -- sleep 60
is "$(jq -r '"\(.reason) \(.timed_out)"' "$tmp/r")" \
    'its time limit was over true' 'the receipt has the limit for a reason'
run ephid-wrap --on-revoke kill -- sh -c 'ephid-revoke --quiet "$EPHID_ID"
    exec sleep 60'
like "$err" '*was revoked*
*the command was ended with run *, which was revoked*' \
    'who was ended for a revocation is told so last'
run ephid-wrap --strict -- sh -c 'sleep 1.1; exec ephid-wrap --strict true'
is "$status|$err" '0|' 'a child that asked for no ttl has no reason to complain'
run ephid-wrap --ttl 1m -- ephid-wrap --ttl 2m true
like "$err" '*token expires with its parent at *, not in 2m' 'who did has'

# --- reports -----------------------------------------------------------------

echo old >"$tmp/r"
chmod 644 "$tmp/r"
run ephid-wrap --task x --receipt "$tmp/r" -- sh -c 'echo "$EPHID_ID"; exit 3'
is "$(jq -r '.id, .exit_status, .state, .task' "$tmp/r")" "$out
3
revoked
x" 'a receipt'
is "$(stat -c %a "$tmp/r") $(wc -l <"$tmp/r")" '600 1' \
    'replaces what was there, 0600, one line'
run ephid-wrap --receipt "$tmp/r" -- no-such-command-here
is "$status $(jq -r .reason "$tmp/r")" '127 the command did not start' \
    'of a run that did not start, too'
mkfifo "$tmp/fifo"
timeout 20 cat "$tmp/fifo" >"$tmp/read" &
run ephid-wrap --receipt "$tmp/fifo" -- true
wait $!
is "$(jq -r .receipt "$tmp/read")" 1 'into a pipe'

# events FILE: the names, in order
events() { jq -r .event "$1" | tr '\n' ' '; }
run sh -c 'ephid-wrap --status-fd 9 -- sh -c "echo \$EPHID_ID
    ls -l /proc/\$\$/fd | grep -c events; exit 4" 9>"$1"' sh "$tmp/events"
is "$status" 4 'status-fd: the status is the command'\''s'
is "$(events "$tmp/events")" 'minted started exited revoked done ' 'the events'
is "$(jq -r .id "$tmp/events" | sort -u)
0" "$out" 'all of that run, and the command has not got the descriptor'
is "$(jq -c 'select(.event == "exited" or .event == "done").status' \
    "$tmp/events")" '4
4' 'with the status'
is "$(jq -r 'select(.event == "revoked").reason' "$tmp/events")" \
    'the command ended' 'and the reason'
is "$(jq -r .time "$tmp/events" | grep -vcE \
    '^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$')" 0 'and the time'
run sh -c 'ephid-wrap --status-fd 9 -- sh -c "kill -USR1 \$\$" 9>"$1"' \
    sh "$tmp/events"
is "$(jq -c 'select(.event == "exited" or .event == "done").signal' \
    "$tmp/events")" '"USR1"
"USR1"' 'a signal that ended it has its name'
run sh -c 'ephid-wrap --status-fd 9 -- no-such-command-here 9>"$1"' \
    sh "$tmp/events"
is "$(events "$tmp/events")$(jq -s '.[-1].status' "$tmp/events")" \
    'minted revoked done 127' 'of a command that is not there'
run sh -c 'ephid-wrap --status-fd 9 -- sh -c "sleep 60 & :" 9>"$1"' \
    sh "$tmp/events"
is "$(events "$tmp/events")" 'minted started exited revoked stragglers done ' \
    'stragglers are one'
is "$(jq -c 'select(.event == "stragglers") | [.policy, .count]' \
    "$tmp/events")" '["kill",1]' 'with what becomes of them'
run sh -c 'ephid-wrap --timeout 100ms --status-fd 9 -- sleep 60 9>"$1"' \
    sh "$tmp/events"
is "$(jq -c 'select(.event == "exited" or .event == "done") |
    [.status, .signal]' "$tmp/events")" '[null,"TERM"]
[124,null]' 'a time limit: how the command ended, and how we did'
run ephid-wrap --status-fd 1 -- echo words
is "$(printf '%s\n' "$out" | grep -c '^{"event":')" 5 'events on stdout'
is "$(printf '%s\n' "$out" | grep -cx words)" 1 'where the command is, too'
run ephid-wrap --status-fd 2 -- sh -c 'echo words >&2'
is "$(printf '%s\n' "$err" | grep -c '^{"event":')" 5 'events on stderr'
is "$(printf '%s\n' "$err" | grep -cx words)" 1 'where the command is, too'
run sh -c '{ ephid-wrap --status-fd 9 -- sh -c "exit 5" 9>&1 >/dev/null
    echo $? >"$1"; } | true' sh "$tmp/status"
is "$(cat "$tmp/status")" 5 'a reader that is gone is no matter'

# --- strict ------------------------------------------------------------------

printf '{"policy":{"max_ttl":"10m","max_life":"1h"}}' >"$EPHID_HOME/config.json"
rm -f "$tmp/ran" "$tmp/events"
run ephid-wrap --ttl 30m -- touch "$tmp/ran"
like "$status $err" '0 *token expires in 10m, the most that policy allows*' \
    'a warning is said'
[ -e "$tmp/ran" ]
ok $? 'and the command runs'
rm "$tmp/ran"
for quiet in --strict --quiet; do
	run sh -c 'f=$1; shift; ephid-wrap --strict "$@" 9>"$f"' sh \
	    "$tmp/events" $quiet --status-fd 9 --ttl 30m -- touch "$tmp/ran"
	is "$status" 125 "$quiet: with --strict it is a failure"
	like "$err" '*expires in 10m*
*a warning, and --strict: the command was not run' 'said so, and why'
	[ ! -e "$tmp/ran" ]
	ok $? 'and the command does not run'
	is "$(events "$tmp/events")" 'minted revoked done ' \
	    'what was minted is revoked'
done
run sh -c 'ephid-wrap --status-fd 9 -- /none/such 9>"$1"' sh "$tmp/events"
is "$(jq -r 'select(.event == "done") | "\(.status) \(.reason)"' "$tmp/events")" \
    '127 /none/such: command not found' 'why nothing ran is an event, too'
run sh -c 'ephid-wrap --strict --max-life 2h --status-fd 9 \
    -- touch "$2" 9>"$1"' sh "$tmp/events" "$tmp/ran"
like "$status $err" '125 *renewed for 1h*--strict*' 'so is one about max-life'
[ ! -s "$tmp/events" ] && [ ! -e "$tmp/ran" ]
ok $? 'and nothing was minted'
run ephid-inspect --list --json
is "$out" '' 'nothing is left live'
