#!/bin/sh
# Start-up discipline: the number of syncs decides the speed on most disks.
. "${srcdir:-.}/tests/lib.sh"
need strace
strace -f -o /dev/null true 2>/dev/null || skip_all 'strace may not trace here'

ephid-wrap true # the first use makes the home, the key and the ledger
syncs() {
	strace -f -qq -e trace=fsync,fdatasync -o "$tmp/trace" "$@"
	grep -cE '(fsync|fdatasync)\(' "$tmp/trace"
}
n=$(syncs ephid-wrap true)
[ "$n" -le 6 ]; ok $? "a wrap syncs at most 6 times ($n)"
[ "$n" -ge 2 ]; ok $? 'and not less often than twice: mint and revocation'

mkfifo "$tmp/go"
ephid-wrap -- sh -c "echo up >$tmp/up; read -r line <$tmp/go" &
holder=$!
wait_for 10 test -s "$tmp/up" || bail 'the holder did not start'
n=$(syncs ephid-wrap true)
[ "$n" -le 3 ]; ok $? "while another program holds the ledger, 3 times ($n)"
echo >"$tmp/go"; wait $holder
