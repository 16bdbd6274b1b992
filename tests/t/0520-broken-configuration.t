#!/bin/sh
# A typing error in config.json stops what is new, and never what ends.
. "${srcdir:-.}/tests/lib.sh"

run ephid-mint --agent kept --id-file "$tmp/id"
is "$status" 0 'an identity'
echo '{"policy":{"tttl":1}}' >"$EPHID_HOME/config.json"
run ephid-mint
is "$status" 2 'a wrong member stops a mint'
like "$err" "ephid-mint: $EPHID_HOME/config.json:1: policy.tttl: unknown*" \
    'which names file, line and member'
run ephid-wrap true
is "$status" 125 'and a run'
run ephid-revoke "$(cat "$tmp/id")"
is "$status" 0 'but no revocation'
like "$err" '*config.json:1:*; revoking without it' 'which says so'
like "$out" "revoked $(cat "$tmp/id")*" 'and revokes'
run ephid-revoke --sweep
is "$status" 0 'nor a sweep'

echo '{"profiles":{"p":{"grace":1,"env":"IT","no-env-token":true}}}' \
    >"$EPHID_HOME/config.json"
# shellcheck disable=SC2016
run ephid-wrap -p p -- sh -c 'echo "${IT%%.*} ${EPHID_TOKEN-none}"'
like "$out" 'ey* none' "a profile has ephid-wrap's own options"
for name in EPHID_HOME LD_PRELOAD PATH; do
	run ephid-wrap --env $name -- true
	is "$status" 125 "a token is not exported as $name"
done
run ephid-revoke --reason "$(printf 'a\377b')" --all
is "$status" 2 'a reason is UTF-8'
run ephid-revoke --reason "$(printf %0300d 0)" --all
is "$status" 2 'and no novel'
