#!/bin/sh
# Where a token is not: in no argument, no word, no event, no receipt, no page of
# the ledger or its WAL, no core, and in nobody's memory or environment but the
# command's. Front and guardian are closed to their own user.
. "${srcdir:-.}/tests/lib.sh"
mkfifo "$tmp/go"
front=
at_exit '[ -z "$front" ] || kill "$front" 2>/dev/null'

# start OPTION...: a run that shows its token to this test, and waits for `go'.
start() {
	rm -f "$tmp/up"
	ephid-wrap "$@" -- sh -c 'cp "$EPHID_TOKEN_FILE" $1/token
	    echo "$EPHID_ID $EPHID_TOKEN_FILE" >$1/up.new; mv $1/up.new $1/up
	    read -r x <$1/go' sh "$tmp" 2>"$tmp/said" 3>"$tmp/events" &
	front=$!
	wait_for 10 test -s "$tmp/up" || bail 'the command did not start'
	read -r id file <"$tmp/up"
	guardian=$(tr -d ' ' <"/proc/$front/task/$front/children")
	token=$(cat "$tmp/token")
	secret=${token##*.} # the signature; what is before it is no secret
}
finish() { echo >"$tmp/go"; wait "$front"; front=; }
has_secret() { grep -qaF -e "$secret" "$@"; }

printf '{"policy":{"max_ttl":"10m"}}' >"$tmp/config"
ephid-mint >/dev/null
cp "$tmp/config" "$EPHID_HOME/config.json"
chmod 600 "$EPHID_HOME/config.json"
start --ttl 30m --max-life 1h --status-fd 3 --receipt "$tmp/receipt" \
    --env OTHER_NAME --task secrets --timeout 1h

# --- while it runs ---------------------------------------------------------
has_secret "$file"; ok $? 'it is in its file, which this test would see'
cat /proc/[0-9]*/cmdline >"$tmp/arguments" 2>/dev/null
has_secret "$tmp/arguments"; is $? 1 'in no argument'
has_secret "$tmp/said"; is $? 1 'in no word'
grep -q 'expires in 10m' "$tmp/said"; ok $? 'though there were some'
has_secret "$tmp/events"; is $? 1 'in no event'
grep -rlaF -e "$secret" "$EPHID_HOME" >"$tmp/found"
is "$(cat "$tmp/found")" '' 'in no file of the home, the WAL among them'
key=$(cat "$EPHID_HOME"/keys/*.pem | sed -n '/PRIVATE/,/PRIVATE/p' | sed -n 2p)
[ -n "$key" ]; ok $? 'a private key is in its file'
is "$(grep -rlaF -e "$key" "$EPHID_HOME" | grep -c -v 'keys/')" 0 \
    'and in no other'

# For root nothing is closed, and so it sees what is there to be seen.
if [ "$(id -u)" -eq 0 ]; then
	for p in "$front" "$guardian"; do
		has_secret "/proc/$p/environ"; is $? 1 'in no environment of ours'
	done
fi
if [ "$(id -u)" -eq 0 ] && command -v python3 >/dev/null; then
	cat >"$tmp/memory.py" <<'EOT'
import re, sys
secret = sys.stdin.read().strip().encode()
for pid in sys.argv[1:]:
    found = 0
    for line in open("/proc/%s/maps" % pid):
        m = re.match(r"(\w+)-(\w+) r", line)
        if not m or "[v" in line:
            continue
        start, end = int(m.group(1), 16), int(m.group(2), 16)
        if end - start > 1 << 30:
            continue # a sanitizer's shadow
        with open("/proc/%s/mem" % pid, "rb", 0) as mem:
            try:
                mem.seek(start)
                found += mem.read(end - start).count(secret)
            except (OSError, OverflowError):
                pass
    print(found)
EOT
	command=$(tr -d ' ' <"/proc/$guardian/task/$guardian/children")
	printf %s "$secret" | python3 "$tmp/memory.py" "$command" >"$tmp/n"
	isnt "$(cat "$tmp/n")" 0 'a look into memory finds it in the command'
	printf %s "$secret" | python3 "$tmp/memory.py" "$front" "$guardian" \
	    >"$tmp/n"
	is "$(tr '\n' ' ' <"$tmp/n")" '0 0 ' 'and in neither front nor guardian'
fi
finish
has_secret "$tmp/receipt"; is $? 1 'in no receipt'
ephid-inspect --events --json >"$tmp/all"
ephid-inspect --receipt "$id" >>"$tmp/all"
ephid-inspect --list --state all --json >>"$tmp/all"
has_secret "$tmp/all"; is $? 1 'in nothing that is shown later'
[ ! -e "$file" ]; ok $? 'and its file is gone'

# --- closed to the same user ---------------------------------------------------
if can_as_user; then
	cat >"$tmp/peek" <<'EOT'
ephid-wrap -q -- sh -c '
	guardian=$PPID
	front=$(sed -n "s/^PPid:.//p" /proc/$guardian/status)
	for p in $guardian $front; do
		for what in environ mem maps fd/0; do
			cat /proc/$p/$what >/dev/null 2>&1 && echo "$what of $p"
		done
	done; echo looked'
EOT
	chmod 755 "$tmp" "$lib_dir" 2>/dev/null
	run as_user sh "$tmp/peek"
	is "$out" looked 'environment, memory and files are closed to the command'
else
	skip 1 'no other user here'
fi

# --- no core ---------------------------------------------------------------------
case $(cat /proc/sys/kernel/core_pattern 2>/dev/null) in
*[/\|]*) skip 2 'cores go elsewhere here' ;;
*)
	mkdir "$tmp/cores"
	cd "$tmp/cores" || exit 99
	# shellcheck disable=SC3045
	ulimit -c unlimited 2>/dev/null
	sh -c 'kill -SEGV $$' 2>/dev/null
	[ -n "$(ls)" ] || diag 'nobody leaves a core here'
	rm -f ./*
	start
	kill -SEGV "$guardian"
	wait "$front" 2>/dev/null; front=
	is "$(ls)" '' 'a guardian that crashes leaves no core'
	start
	kill -SEGV "$front"
	wait "$front" 2>/dev/null; front=
	is "$(ls)" '' 'nor does front'
	cd / ;;
esac

# --- what ephid-mint says --------------------------------------------------------
run ephid-mint --ttl 30m --task 'a task' --output "$tmp/minted"
secret=$(sed 's/.*\.//' "$tmp/minted")
unlike "$out$err" "*$secret*" 'with --output the token is nowhere else'
is "$(stat -c %a "$tmp/minted")" 600 'and nobody else can read it'
run sh -c 'ephid-inspect "$(cat "$1")"' sh "$tmp/minted"
is "$status" 2 'as an argument it is refused'
unlike "$out$err" "*$secret*" 'and not repeated'
run sh -c 'ephid-mint --parent "$(cat "$1")"' sh "$tmp/minted"
unlike "$out$err" "*$secret*" 'nor where a file was wanted'
