#!/bin/sh
# The command sees the caller's descriptors, signals, group and terminal.
. "${srcdir:-.}/tests/lib.sh"
ephid-wrap true || bail 'ephid-wrap does not run'

cat >"$tmp/look" <<'EOT'
#!/bin/sh
# No pipe in here: the shell would open descriptors of its own.
ls -l /proc/self/fd >"$1.fds"
grep -E 'Sig(Blk|Ign|Cgt)|Shd' /proc/self/status >"$1.signals"
cut -d' ' -f5-8 /proc/self/stat >"$1.groups"
ulimit -a >"$1.limits"; umask >>"$1.limits"; pwd >>"$1.limits"
EOT
chmod +x "$tmp/look"
fds() { sed -n 's/.* \([0-9]*\) -> \(.*\)/\1 \2/p' "$1" |
    sed 's#/proc/[0-9]*#/proc/N#; s#tmp/[a-z]*\.fds#tmp/X.fds#'; }
compare() { # NAME
	is "$(fds "$tmp/with.fds")" "$(fds "$tmp/bare.fds")" "$1: descriptors"
	is "$(cat "$tmp/with.signals")" "$(cat "$tmp/bare.signals")" \
	    "$1: mask and dispositions"
	is "$(cat "$tmp/with.groups")" "$(cat "$tmp/bare.groups")" \
	    "$1: group, session and terminal"
	is "$(cat "$tmp/with.limits")" "$(cat "$tmp/bare.limits")" \
	    "$1: limits, umask, folder"
}

"$tmp/look" "$tmp/bare"; ephid-wrap "$tmp/look" "$tmp/with"
compare plain

exec 7<"$srcdir/tests/lib.sh" 9>"$tmp/nine"
"$tmp/look" "$tmp/bare"; ephid-wrap "$tmp/look" "$tmp/with"
compare 'open descriptors'

(trap '' HUP USR1 PIPE; "$tmp/look" "$tmp/bare"
ephid-wrap "$tmp/look" "$tmp/with")
compare 'ignored signals'

"$tmp/look" "$tmp/bare" <&- 7<&- 9>&-
ephid-wrap "$tmp/look" "$tmp/with" <&- 7<&- 9>&-
is "$(fds "$tmp/with.fds" | grep -v '/dev/null')" \
    "$(fds "$tmp/bare.fds" | grep -v '/dev/null')" 'a closed stdin'
exec 7<&- 9>&-

# ^C as a background job of a shell without job control: ignored.
(trap '' INT; ephid-wrap -- sh -c 'kill -INT $$; echo alive') >"$tmp/out"
is "$(cat "$tmp/out")" alive 'an ignored INT stays ignored'

run sh -c 'ephid-wrap -- yes | head -n 1'
is "$out" y 'a broken pipe ends the command and the run'
run timeout 20 sh -c "ephid-wrap -- sh -c 'sleep 1000 & echo done' | cat"
is "$status|$out" '0|done' 'nobody of ours holds a pipe open'

mkfifo "$tmp/nine.go"
# A writer must see that the command closed its stdin.
run timeout 20 sh -c "yes 2>/dev/null | ephid-wrap -- sh -c 'exec <&-
    echo closed; exec sleep 0'"
is "$out" closed 'nor the read end of stdin'

# Beyond the limit that the caller set after opening it, too.
if command -v bash >/dev/null; then
	run timeout 20 sh -c "bash -c 'exec 200>&1; ulimit -Sn 64
	    exec ephid-wrap -- bash -c \"exec 200>&- >&-; read <$tmp/nine.go\"
	    ' | { cat; echo >$tmp/nine.go; }"
	is "$status" 0 'nor a descriptor beyond the limit'
else
	skip 1 'no bash'
fi
