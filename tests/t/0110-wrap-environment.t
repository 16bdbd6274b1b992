#!/bin/sh
# What the command finds in its environment, and what it does not.
. "${srcdir:-.}/tests/lib.sh"

export EPHID_LEFTOVER=x
TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
export TRACEPARENT
run ephid-wrap --scope 'repo:read' --env MY_TOKEN -- env
env_of_run=$out
value() { printf '%s\n' "$env_of_run" | sed -n "s/^$1=//p"; }

id=$(value EPHID_ID)
is "${#id}" 26 'EPHID_ID is an id'
is "$(value EPHID_ROOT)" "$id" 'a root is its own root'
is "$(value EPHID_HOME)" "$EPHID_HOME" 'EPHID_HOME is the home in use'
like "$(value EPHID_TOKEN)" 'ey*.*.*' 'EPHID_TOKEN is a token'
is "$(value MY_TOKEN)" "$(value EPHID_TOKEN)" 'and is under --env too'
is "$(value EPHID_LEFTOVER)" '' 'other EPHID_* are gone'
like "$(value EPHID_TOKEN_FILE)" "$(value EPHID_TOKEN_DIR)/*" \
    'the token file is in the token folder'
like "$(value TRACEPARENT)" '00-0af7651916cd43dd8448eb211c80319c-*-01' \
    'the trace goes on'
unlike "$(value TRACEPARENT)" '*b7ad6b7169203331*' 'in a span of its own'
run env TRACEPARENT=00-nonsense-01 ephid-wrap -- sh -c 'echo "$TRACEPARENT"'
like "$out" '00-????????????????????????????????-????????????????-0?' \
    'or a new one begins, where there is none to go on'
[ ! -e "$(value EPHID_TOKEN_DIR)" ]
ok $? 'and the folder is gone when the run is'
claims=$(payload "$(value EPHID_TOKEN)")
is "$(printf %s "$claims" | field jti)" "$id" 'jti is the id'
is "$(printf %s "$claims" | field scope)" repo:read 'scope is as asked'
like "$(printf %s "$claims" | field sub)" "spiffe://*/agent/env/run/$id" \
    'the agent is the command'

run ephid-wrap -- sh -c 'stat -c "%a %F" "$EPHID_TOKEN_DIR" \
    "$EPHID_TOKEN_FILE"; [ "$(cat "$EPHID_TOKEN_FILE")" = "$EPHID_TOKEN" ]'
is "$out|$status" '700 directory
600 regular file|0' 'folder 0700, file 0600, the same token'
run ephid-wrap -- sh -c 'ls "$EPHID_TOKEN_DIR"; cat "$EPHID_TOKEN_DIR/index.json"
    echo "$EPHID_ID"'
like "$out" 'index.json
token
{"id":"'"$(printf '%s\n' "$out" | tail -n 1)"'","tokens":?{"file":"token",*}
*' 'the token, and an index of what there is'
run ephid-wrap --no-env-token -- sh -c 'echo "${EPHID_TOKEN-none}";
    ephid-inspect --quiet'
is "$out|$status" 'none|0' '--no-env-token leaves the file'

run ephid-wrap -- ephid-inspect --json
is "$status" 0 'a run inspects its own identity'
like "$out" '*"valid":true*' 'and is valid'

# An outer token under another name made the inner mint possible.
run ephid-wrap --env OUTER -- ephid-wrap -- sh -c 'echo "${OUTER-gone}"'
is "$out" gone 'the inner command does not get the outer token'

run ephid-wrap -- sh -c 'tr -d "\0" <"/proc/$PPID/environ"'
is "$out" '' 'the guardian has wiped its environment'

as_user true && if [ "$(id -u)" -eq 0 ]; then
	run as_user ephid-wrap -- sh -c 'cat /proc/$PPID/environ; :'
	like "$err" '*Permission denied*' 'and its own user cannot read it'
	run as_user ephid-wrap -- sh -c 'echo $EPHID_HOME'
	is "$out" "$user_home/.local/state/ephid" "a user's home is beneath HOME"
fi

# What CI variables say is kept and shown as asserted, and is no claim.
export GITHUB_ACTIONS=true GITHUB_REPOSITORY=acme/shop GITHUB_RUN_ID=77
run ephid-wrap -- sh -c 'ephid-inspect --json "$EPHID_ID"'
like "$out" '*"asserted_origin":{*"ci":"github"*acme/shop*' \
    'the origin is asserted'
run ephid-wrap -- ephid-inspect --json
unlike "$out" '*acme/shop*' 'and no claim of the token'
run ephid-wrap -- sh -c 'ephid-inspect "$EPHID_ID"'
like "$out" '*asserted_origin:*acme/shop*' 'and is there for people'
