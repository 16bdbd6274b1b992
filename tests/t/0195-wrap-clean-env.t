#!/bin/sh
# --clean-env and --keep: what a command finds of its caller's environment.
. "${srcdir:-.}/tests/lib.sh"
ephid-wrap true || bail 'ephid-wrap does not run'

ours='EPHID_ID EPHID_ROOT EPHID_TOKEN EPHID_TOKEN_DIR EPHID_TOKEN_FILE TRACEPARENT'
names() { printf '%s\n' "$out" | sed 's/=.*//' | sort | tr '\n' ' '; }
value() { printf '%s\n' "$out" | sed -n "s/^$1=//p"; }
sorted() { printf '%s\n' "$@" | sort | tr '\n' ' '; }
wrap() { # the caller's environment is exactly this
	run env -i PATH="$PATH" EPHID_HOME="$EPHID_HOME" HOME=/h USER=u \
	    LOGNAME=l SHELL=/bin/s LANG=C LANGUAGE=en LC_ALL=C LC_TIME=C \
	    TERM=dumb COLORTERM=no TZ=UTC TMPDIR=/t SECRET=s AWS_KEY=a \
	    AWS_TOKEN=b NO_PROXY=c LCX=d HOMES=e EPHID_EXTRA=f Path=g \
	    TRACEPARENT=00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01 \
	    "$@"
}
base='PATH HOME USER LOGNAME SHELL LANG LANGUAGE LC_ALL LC_TIME TERM COLORTERM TZ TMPDIR'

wrap ephid-wrap --clean-env -- env
# shellcheck disable=SC2086
is "$(names)" "$(sorted $base $ours)" 'little but what a program needs'
is "$(value HOME)|$(value LC_TIME)|$(value TMPDIR)" '/h|C|/t' \
    'and that as the caller has it'
like "$(value TRACEPARENT)" '00-0af7651916cd43dd8448eb211c80319c-*' \
    'the trace goes on'
wrap ephid-wrap -- env
like " $(names)" '* AWS_KEY *EPHID_HOME *SECRET *' 'without it all is there'

wrap ephid-wrap --clean-env --keep 'AWS_*' --keep SECRET -- env
# shellcheck disable=SC2086
is "$(names)" "$(sorted $base $ours AWS_KEY AWS_TOKEN SECRET)" \
    '--keep adds what matches'
wrap ephid-wrap --clean-env --keep 'EPHID_*' -- env
# shellcheck disable=SC2086
is "$(names)" "$(sorted $base $ours)" 'but no EPHID_*'
wrap ephid-wrap --clean-env --keep '[!AS]*_?EY' --keep '?ath' -- env
# shellcheck disable=SC2086
is "$(names)" "$(sorted $base $ours Path)" 'patterns as of file names'
wrap ephid-wrap --clean-env --env MY_TOKEN --no-env-token -- env
# shellcheck disable=SC2086
is "$(names)" "$(sorted $base MY_TOKEN ${ours%% EPHID_TOKEN *} \
    EPHID_TOKEN_DIR EPHID_TOKEN_FILE TRACEPARENT)" \
    'with --env and --no-env-token'
run ephid-wrap --clean-env -- sh -c '[ -n "$(cat "$EPHID_TOKEN_FILE")" ]'
is "$status" 0 'the token file is there'

# The same from a profile, which the command line adds nothing to.
echo '{"profiles":{"lean":{"clean-env":true,"keep":["AWS_*"]}}}' \
    >"$EPHID_HOME/config.json"
wrap ephid-wrap --profile lean -- env
# shellcheck disable=SC2086
is "$(names)" "$(sorted $base $ours AWS_KEY AWS_TOKEN)" 'as a profile says'
rm "$EPHID_HOME/config.json"
run ephid-wrap --keep 'AWS_*' -- true
is "$status" 125 '--keep alone, which would keep what is kept, is refused'
like "$err" "ephid-wrap: option '--keep': *" 'by name'
for glob in '' 'A=b'; do
	run ephid-wrap --clean-env --keep "$glob" -- true
	is "$status" 125 "--keep '$glob' is refused"
done

# What made this mint possible goes, though --keep would have it.
run ephid-wrap --env OUTER -- ephid-wrap --clean-env --keep 'OUT*' -- \
    sh -c 'echo "${OUTER-gone}"'
is "$out" gone 'the outer token is not kept'

# A home that is found without EPHID_HOME is found here too.
if can_as_user; then
	run as_user ephid-wrap --clean-env -- sh -c \
	    'echo "${EPHID_HOME-none}" && ephid-mint --format json'
	is "$status" 0 'a command mints a child in the home of its user'
	like "$out" 'none
*"parent":"*"depth":1*' 'without being told where that is'
else
	skip 2 'no other user'
fi
run ephid-wrap --clean-env -- env HOME="$tmp/none" ephid-mint
isnt "$status" 0 'elsewhere it cannot mint'
[ ! -e "$tmp/none" ]
ok $? 'and no home is made'

# Names that stand twice, which no shell would hand on.
if command -v python3 >/dev/null; then
	python=$(python3 -c 'import sys; print(sys.executable)')
	cat >"$tmp/twice.py" <<'EOT'
# twice.py ENTRY... -- CMD...: runs CMD with these in front of ours.
import ctypes, os, sys
at = sys.argv.index("--")
own = [b"%s=%s" % kv for kv in os.environb.items()]
def array(items):
    return (ctypes.c_char_p * (len(items) + 1))(*items, None)
cmd = [os.fsencode(a) for a in sys.argv[at + 1:]]
env = [os.fsencode(a) for a in sys.argv[1:at]] + own
ctypes.CDLL(None).execve(cmd[0], array(cmd), array(env))
sys.exit("cannot run " + sys.argv[at + 1])
EOT
	wrapper=$(command -v ephid-wrap)
	twice() { run env -u PATH -u LANG "$python" "$tmp/twice.py" "$@"; }
	count() { printf '%s\n' "$out" | grep -c "^$1="; }
	ephid-mint --output "$tmp/first"
	first=$(cat "$tmp/first")
	twice "EPHID_TOKEN=$first" EPHID_TOKEN=x PATH=/usr/bin:/bin PATH=/x \
	    SECRET=1 SECRET=2 "OTHER=$first" OTHER=harmless -- \
	    "$wrapper" -- /usr/bin/env
	is "$(count EPHID_TOKEN)|$(count EPHID_ID)" '1|1' \
	    'EPHID_TOKEN twice: the command has one'
	unlike "$out" "*$first*" 'its own'
	is "$(count OTHER)" 0 "what holds the parent's token goes by its name"
	is "$(count PATH)|$(count SECRET)" '2|2' \
	    "what is the caller's stays as it is"
	parent=$(payload "$first" | field jti)
	is "$(payload "$(value EPHID_TOKEN)" | field parent)" "$parent" \
	    'the first counted'
	twice PATH=/usr/bin:/bin PATH=/x SECRET=1 SECRET=2 LANG=a LANG=b \
	    EPHID_TOKEN= EPHID_TOKEN=x EPHID_HOME=/x -- "$wrapper" --home \
	    "$EPHID_HOME" --parent none --clean-env -- env
	is "$(count SECRET)|$(count EPHID_TOKEN)|$(count EPHID_HOME)" '0|1|0' \
	    '--clean-env: all of a name go'
	is "$(printf '%s\n' "$out" | grep -E '^(PATH|LANG)=')" \
	    'PATH=/usr/bin:/bin
PATH=/x
LANG=a
LANG=b' 'or all stay'
else
	skip 7 'no python3'
fi
