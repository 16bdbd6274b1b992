#!/bin/sh
# A full disk: one line, the documented status, nothing live.
. "${srcdir:-.}/tests/lib.sh"
[ "$(id -u)" -eq 0 ] || skip_all 'only root can mount a small disk'
mkdir "$tmp/small"
mount -t tmpfs -o size=600k,mode=0755 tmpfs "$tmp/small" 2>/dev/null ||
    skip_all 'a tmpfs cannot be mounted here'
at_exit "umount $tmp/small"
EPHID_HOME=$tmp/small/home

run ephid-wrap true
is "$status" 0 'it works while there is room'
dd if=/dev/zero of="$tmp/small/fill" bs=4k 2>/dev/null
run ephid-wrap -- echo started
is "$status" 125 'wrap on a full disk is 125'
is "$out" '' 'and starts nothing'
is "$(printf '%s\n' "$err" | wc -l)" 1 'with one line'
run ephid-mint
is "$status" 3 'mint is 3'
is "$out" '' 'and prints no token'
rm "$tmp/small/fill"
run ephid-wrap true
is "$status" 0 'with room again it works'
run ephid-inspect --list
is "$out" '' 'and nothing live was left'

# The disk fills while the command runs: the revocation fails, and says so.
run ephid-wrap --quiet -- sh -c "dd if=/dev/zero of=$tmp/small/fill bs=4k 2>/dev/null
    exit 5"
case $status in
5) case $err in
   *'is not revoked'*) pass 'a failed revocation keeps the status and is said, quiet or not' ;;
   *) pass 'the revocation found room' ;;
   esac ;;
*) fail "status $status: $err" ;;
esac
rm -f "$tmp/small/fill"
ephid-revoke --sweep >/dev/null 2>&1
run ephid-inspect --list
is "$out" '' 'and the next sweep makes up for it'

: >"$tmp/one"
run sh -c 'ephid-mint --help >/dev/full'
is "$status" 3 'help that reaches nobody is not success'

# A damaged ledger is one thing to say, not three.
run ephid-wrap true
dd if=/dev/urandom of="$EPHID_HOME/ledger.db" bs=4096 seek=1 count=8 \
    conv=notrunc 2>/dev/null
rm -f "$EPHID_HOME/ledger.db-wal" "$EPHID_HOME/ledger.db-shm"
run ephid-wrap -- echo started
is "$status|$out" '125|' 'on a damaged ledger nothing starts'
is "$(printf '%s\n' "$err" | wc -l)" 1 'and that is one line'
like "$err" "ephid-wrap: ledger *malformed" 'which names the ledger'
run ephid-inspect --list
is "$status" 3 'to look at it fails as well'
