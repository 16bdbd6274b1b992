#!/bin/sh
# What a power cut leaves. The order of writes and syncs is read from a trace:
# a mint is on the disk before its token leaves, a revocation before anything
# else is ended. Then a ledger is cut at each frame of its WAL. Below a synced
# commit that is no power cut's doing but a restore's: the witness tells, and
# all that was live is revoked.
. "${srcdir:-.}/tests/lib.sh"
need sqlite3

ground=$(mktemp -d /dev/shm/ephid-test.XXXXXX 2>/dev/null) || ground=$tmp
at_exit "rm -rf '$ground'"
XDG_RUNTIME_DIR=$ground/runtime
EPHID_HOME=$ground/home
export XDG_RUNTIME_DIR
mkdir -m 700 "$XDG_RUNTIME_DIR"
ephid-wrap true || bail 'ephid-wrap does not run'

# --- the order ------------------------------------------------------------

# trace CMD...: its output is in $tmp/out.
trace() {
	strace -f -y -qq -s 5000 -o "$tmp/trace" -e signal=none -e \
	    trace=pwrite64,write,fdatasync,fsync,unlinkat,pidfd_send_signal,exit_group \
	    "$@" >"$tmp/out" 2>&1
}
# What happened to the run, in order, repeated words as one: "committed" when
# the sync of WAL pages with its id has come back, and what follows from it as
# it begins, after "dirty" when pages were not yet synced.
order() { # ID
	awk -v id="$1" '
	function say(word) {
		if (dirty && word != "committed") word = "dirty " word
		if (word != last) printf "%s ", word
		last = word
	}
	function synced() {
		dirty = 0
		if (with_id) say("committed")
		with_id = 0
	}
	NR == 1 { first = $1 }
	/ pwrite64\([0-9]*<[^>]*ledger.db-wal>.*, 4096, / {
		dirty = 1
		if (index($0, id)) with_id = 1
	}
	/ f(data)?sync\([0-9]*<[^>]*ledger.db-wal>/ {
		if (/ = 0$/) synced(); else waits[$1] = 1
	}
	/ <... f(data)?sync resumed>/ {
		if (waits[$1] && / = 0$/) synced()
		waits[$1] = 0
	}
	/ write\([0-9]*<[^>]*\/token[^>]*>, "ey/ { say("token") }
	/ write\(1<[^>]*>, "ey/ { say("token") }
	/ write\(1<[^>]*>, "revoked/ { say("told") }
	/ unlinkat\(.*"token"/ { say("removed") }
	/ pidfd_send_signal\(/ { say("killed") }
	/ exit_group\(/ { if ($1 == first) say("ended") }
	END { print "" }' "$tmp/trace"
}

check_order() {
	trace ephid-wrap -- sh -c 'sleep 1000 & echo "$EPHID_ID"'
	is "$(order "$(cat "$tmp/out")")" \
	    'committed token committed removed killed ended ' \
	    'wrap: mint, token; revocation, removal, stragglers, end'
	trace ephid-wrap --ttl 5 -- sh -c 'echo "$EPHID_ID"; sleep 4'
	is "$(order "$(cat "$tmp/out")")" \
	    'committed token committed token committed removed ended ' \
	    'and a renewed token is committed as well before it is there'
	trace ephid-wrap --quiet --stragglers wait -- \
	    sh -c 'sleep 0.2 & echo "$EPHID_ID"'
	is "$(order "$(cat "$tmp/out")")" \
	    'committed token committed removed ended ' \
	    'waiting for stragglers changes nothing of it'
	trace ephid-mint --id-file "$tmp/id"
	id=$(cat "$tmp/id")
	is "$(order "$id")" 'committed token ended ' 'mint: commit, token'
	trace ephid-revoke "$id"
	is "$(order "$id")" 'committed told ended ' 'revoke: commit, word, end'
}
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
	check_order
else
	skip 5 'strace may not trace here'
fi

# --- the cut --------------------------------------------------------------

# A reader of the ledger as it is keeps everybody from moving the WAL into it.
mkfifo "$tmp/go"
sqlite3 -readonly "$EPHID_HOME/ledger.db" >"$tmp/reading" <<EOT &
begin; select 'reading' from meta limit 1;
.shell read -r line <$tmp/go
EOT
reader=$!
wait_for 10 test -s "$tmp/reading" || bail 'the reader does not read'

# Each commit with the size of the WAL and the witness that it left.
: >"$ground/commits"
committed() { # WHAT IS LIVE
	echo "$(wc -c <"$EPHID_HOME/ledger.db-wal") $*" >>"$ground/commits"
	n=$(wc -l <"$ground/commits")
	cp "$EPHID_HOME/witness" "$ground/witness.$n"
}
mint() { ephid-mint --output "$ground/$1" --id-file "$ground/$1.id"; }
mint a && committed a
mint b && committed a b
ephid-revoke --quiet "$(cat "$ground/a.id")" && committed b
mint c && committed b c
ephid-wrap -- cp "$ground/c" "$ground/d" && committed b c # its mint as well
ephid-revoke --quiet "$(cat "$ground/c.id")" && committed b
mint e && committed b e
cp -a "$EPHID_HOME" "$ground/whole"
echo >"$tmp/go"
wait $reader

wal=$(wc -c <"$ground/whole/ledger.db-wal")
page=$(sqlite3 "$EPHID_HOME/ledger.db" 'pragma page_size')
frames=$(((wal - 32) / (page + 24)))
newest=$(wc -l <"$ground/commits")
is $((32 + frames * (page + 24))) "$wal" "the WAL has $frames whole frames"

# cut BYTES WITNESS: home as a cut there leaves it; $live is what the last
# commit in it said, and $commit which one that is.
cut() {
	rm -rf "$EPHID_HOME"
	cp -a "$ground/whole" "$EPHID_HOME"
	rm -f "$EPHID_HOME/ledger.db-shm"
	truncate -s "$1" "$EPHID_HOME/ledger.db-wal"
	[ -z "$2" ] || cp "$2" "$EPHID_HOME/witness"
	commit=0 live=''
	while read -r size words; do
		[ "$size" -gt "$1" ] || { commit=$((commit + 1)); live=$words; }
	done <"$ground/commits"
}
broke() { diag "cut at byte $at, commit $commit: $*"; broken=$((broken + 1)); }
is_valid() { ephid-inspect --quiet "$ground/$1" 2>/dev/null; }
check_tokens() { # those that live
	for t in a b c e; do
		case " $* " in
		*" $t "*) is_valid $t || broke "$t should live" ;;
		*) ! is_valid $t || broke "$t lives" ;;
		esac
	done
}
check_integrity() {
	i=$(sqlite3 "$EPHID_HOME/ledger.db" 'pragma integrity_check' 2>&1)
	[ "$i" = ok ] || broke "the ledger: $i"
}
check_use() {
	mint new 2>"$tmp/words" || broke "no mint: $(cat "$tmp/words")"
	[ ! -s "$tmp/words" ] || broke "said again: $(cat "$tmp/words")"
	is_valid new || broke 'what is minted afterwards is not valid'
	check_integrity
}
# Who comes first is another each time.
first() {
	case $((cuts % 5)) in
	0) ephid-inspect --list ;;
	1) ephid-revoke --sweep ;;
	2) ephid-wrap true ;;
	3) ephid-keygen --list ;;
	4) ephid-mint ;;
	esac >/dev/null 2>"$tmp/words"
	check_integrity
}

broken=0 at=32 cuts=0
while [ $at -le "$wal" ]; do
	for torn in 0 24 $((page / 2)); do
		[ $((at + torn)) -le "$wal" ] || continue
		cut $((at + torn)) ''
		first
		if [ $commit -eq "$newest" ]; then
			[ ! -s "$tmp/words" ] || broke "says $(cat "$tmp/words")"
			check_tokens $live
		else
			grep -q 'restored from' "$tmp/words" ||
			    broke "nobody notices: $(cat "$tmp/words")"
			check_tokens
		fi
		check_use
		cuts=$((cuts + 1))
	done
	at=$((at + page + 24))
done
is $broken 0 "$cuts cuts below a commit: noticed, said once, all is revoked"

# A power cut: the commit that was under way was not synced, nor had it its
# witness. What was committed holds, and nothing else is revoked for it.
broken=0 cuts=0 k=0
while read -r at _; do
	k=$((k + 1))
	for torn in 0 $((page / 2)) $((2 * (page + 24))); do
		[ $((at + torn)) -le "$wal" ] || continue
		cut $((at + torn)) "$ground/witness.$k"
		first
		[ ! -s "$tmp/words" ] || broke "says $(cat "$tmp/words")"
		check_tokens $live
		check_use
		cuts=$((cuts + 1))
	done
done <"$ground/commits"
is $broken 0 "$cuts cuts of what was under way: nothing else is lost"
