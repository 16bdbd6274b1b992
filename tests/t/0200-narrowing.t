#!/bin/sh
# A child has at most what its parent has, in everything a verifier may
# decide on. Each way of cheating is refused with words of its own, and the
# refusal is an event; its honest twin is minted.
. "${srcdir:-.}/tests/lib.sh"
held=https://mcp.acme.example
given=https://handed-on.acme.example
other=https://other.acme.example

run ephid-mint --agent reviewer --scope 'repo:read pr:comment' \
    --audience $held --may-audience $given --ttl 10m \
    --output "$tmp/parent" --id-file "$tmp/parent-id"
[ "$status" -eq 0 ] || bail "no parent: $err"
parent=$(cat "$tmp/parent-id")

refusals() { ephid-inspect --events | grep -c '"event":"refused"'; }
minted() { ephid-inspect --events | grep -c '"event":"minted"'; }
child() { ephid-mint --parent "$tmp/parent" "$@"; }

# refused NAME PATTERN ARG...: nothing is minted, and it is told and recorded
refused() {
	name=$1 pattern=$2
	shift 2
	before=$(refusals) had=$(minted)
	run child "$@"
	is "$status" 1 "$name: refused"
	is "$out" '' "$name: no token"
	like "$err" "$pattern" "$name: with its own words"
	is "$(refusals)" $((before + 1)) "$name: the refusal is an event"
	is "$(minted)" "$had" "$name: nothing was minted"
}
# allowed NAME CLAIM-PATTERN ARG...
allowed() {
	name=$1 pattern=$2
	shift 2
	run child "$@"
	is "$status" 0 "$name: minted"
	like "$(payload "$out")" "$pattern" "$name: and says so"
}

# scope
refused 'a wider scope' "*scope 'repo:write'*repo:read pr:comment*" \
    --scope 'repo:read repo:write'
refused 'a prefix of a scope' "*scope 'repo'*" --scope repo
refused 'a scope in another case' "*scope 'REPO:READ'*" --scope REPO:READ
refused 'a wildcard' "*scope '\*'*" --scope '*'
allowed 'a part of the scope' '*"scope":"pr:comment"*' --scope pr:comment
allowed 'the same scope in another order' \
    '*"scope":"pr:comment repo:read"*' --scope 'pr:comment repo:read'
run child
unlike "$(payload "$out")" '*repo:read*' "no --scope is no scope, not the parent's"

# audience
refused 'another audience' "*audience '$other'*" --audience $other
refused 'one with a slash more' "*audience '$held/'*" --audience $held/
refused 'another audience to hand on' "*audience '$other'*" \
    --may-audience $other
allowed "the parent's audience" "*\"aud\":\"$held\"*" --audience $held
allowed 'one that it was given for children' "*\"aud\":\"$given\"*" \
    --audience $given

# agent
refused 'another agent' "*agent 'deployer'*reviewer*" --agent deployer
refused 'an agent with the name as a prefix' "*agent 'reviewer2'*" \
    --agent reviewer2
allowed 'an agent beneath it' '*/agent/reviewer/lint/run/*' \
    --agent reviewer/lint
allowed 'no agent named is the same agent' '*/agent/reviewer/run/*'

# subject
refused 'a subject without /run/' '*drops /run/*reviewer*' --subject agent
refused 'a federation token without /run/' '*drops /run/*' \
    --form federation --subject agent
refused 'the same, as the form has it' \
    '*federation drops /run/*--subject run keeps it*' --form federation
allowed 'a federation token of its own run' '*/agent/reviewer/run/*' \
    --form federation --subject run
run ephid-mint --parent none --agent reviewer --form federation
unlike "$(payload "$out")" '*"sub":"*/run/*' 'a root may drop it'

# life: capped by the parent's, and said
run child --ttl 50m
is "$status" 0 'a longer life is minted'
like "$err" '*expires with its parent at *' 'but cut short, which is said'
is "$(payload "$out" | field exp)" "$(payload "$(cat "$tmp/parent")" | field exp)" \
    "and ends when the parent's does"
run child --ttl 50m --strict
is "$status" 1 '--strict makes a failure of that'
is "$out" '' 'without a token'
run child --ttl 1m
unlike "$err" '*expires with*' 'a shorter one needs no words'
run child --ttl 4s
is "$status" 2 'less than 5 seconds makes no sense'
ephid-mint --parent none --ttl 6s --output "$tmp/brief"
too_late() { # each that came in time is ended, for their number is limited
	! ephid-mint --parent "$tmp/brief" --output "$tmp/x" \
	    --id-file "$tmp/x.id" 2>"$tmp/words" ||
	    ! ephid-revoke --quiet "$(cat "$tmp/x.id")"
}
wait_for 10 too_late
like "$(cat "$tmp/words")" '*expires at *, in less than 5 seconds*' \
    'nor does what is left of a parent of which less than that is left'

# depth and number: the policy of home
cat >"$EPHID_HOME/config.json" <<'END'
{"policy":{"max_depth":2,"max_children":3,"max_ttl":"30m",
 "audiences":["https://*"],"scopes":["repo:*"],"agents":["reviewer*"]}}
END
mint() { ephid-mint --agent reviewer "$@"; }
mint --scope repo:read --output "$tmp/0" --parent none
mint --parent "$tmp/0" --output "$tmp/1"
mint --parent "$tmp/1" --output "$tmp/2"
ok $? 'a grandchild at the depth that policy allows'
run mint --parent "$tmp/2"
is "$status" 1 'but none of its own'
like "$err" '*max_depth 2*' 'for the depth'
mint --parent "$tmp/0" --output "$tmp/x" &&
    mint --parent "$tmp/0" --output "$tmp/x"
ok $? 'three children'
run mint --parent "$tmp/0"
is "$status" 1 'but not a fourth'
like "$err" '*3 live children*max_children*' 'for the number'
run mint --parent none --scope pr:comment
is "$status" 1 'policy bounds roots, too: scope'
like "$err" "*scope 'pr:comment'*policy*" 'with words'
run ephid-mint --parent none --agent deployer
is "$status" 1 'agent'
like "$err" "*agent 'deployer'*policy*" 'with words'
run mint --parent none --audience urn:acme:mcp
is "$status" 1 'audience'
like "$err" "*audience 'urn:acme:mcp'*policy*" 'with words'
run mint --parent none --ttl 50m --json
is "$(printf %s "$out" | field expires_in)" 1800 'and ttl, by capping it'
like "$err" '*the most that policy allows*' 'which is said'

cat >"$EPHID_HOME/config.json" <<'END'
{"policy":{"may_spawn":["deployer"],"subject_agent":["reviewer"]}}
END
allowed 'an agent that policy lets anybody spawn' '*/agent/deployer/run/*' \
    --agent deployer
run child --form federation --subject agent
is "$status" 0 'a child whose agent policy lets drop /run/'
unlike "$(payload "$out")" '*"sub":"*/run/*' 'does'
refused 'another agent, still' "*agent 'releaser'*" --agent releaser
is "$(ephid-inspect --events "$parent" | grep -c '"event":"refused"')" \
    "$(ephid-inspect --events | grep '"event":"refused"' |
	grep -c "\"id\":\"$parent\"")" 'refusals are in the events of the parent'
