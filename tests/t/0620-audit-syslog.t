#!/bin/sh
# "audit":"syslog" sends each event as one line, without secrets. The log's
# socket is ours, in a /dev of a mount namespace of our own.
. "${srcdir:-.}/tests/lib.sh"
[ "$(id -u)" -eq 0 ] || skip_all 'only root can make a /dev'
need unshare python3
mkdir "$tmp/dev"
for d in null zero full random urandom tty; do
	cp -a /dev/$d "$tmp/dev/$d" 2>/dev/null || skip_all 'no device can be made'
done
mkdir "$tmp/dev/shm"
unshare -m mount --bind "$tmp/dev" /dev 2>/dev/null ||
    skip_all 'no mount namespace can be made here'

cat >"$tmp/listen.py" <<'EOT'
import os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/dev/log")
if os.fork() == 0:
    os.execvp("sh", ["sh", sys.argv[1], sys.argv[2]])
os.wait()
s.setblocking(False)
try:
    while True:
        print(s.recv(65536).decode("utf-8", "replace").rstrip("\0\n"))
except BlockingIOError:
    pass
EOT
cat >"$tmp/acts" <<'EOT'
ephid-mint --agent logged --task "line
forged: yes" --output "$1/token" --id-file "$1/id"
ephid-mint --parent "$1/token" --scope too:wide
ephid-revoke --quiet --reason "two
lines" "$(cat "$1/id")"
ephid-wrap true
EOT
mkdir -p "$EPHID_HOME" && chmod 700 "$EPHID_HOME"
listen() {
	unshare -m sh -c "mount --bind '$tmp/dev' /dev &&
	    exec python3 '$tmp/listen.py' '$tmp/acts' '$tmp'" 2>/dev/null
}
echo '{"policy":{"audit":"syslog"}}' >"$EPHID_HOME/config.json"
run listen
log=$out
id=$(cat "$tmp/id")
like "$log" "*ephid-mint*minted*$id*" 'a mint is logged'
like "$log" '*ephid-mint*refused*too:wide*' 'and a refusal, with its reason'
like "$log" "*ephid-revoke*revoked*$id*" 'and a revocation'
like "$log" '*ephid-wrap*minted*ephid-wrap*revoked*' 'and a run from end to end'
unlike "$log" '*eyJ*' 'no token is'
is "$(printf '%s\n' "$log" | grep -vc '^<')" 0 'each event is one line'
rm -f "$tmp/dev/log" "$tmp/token" "$tmp/id"
rm "$EPHID_HOME/config.json"
run listen
is "$out" '' 'without the setting nothing is'
