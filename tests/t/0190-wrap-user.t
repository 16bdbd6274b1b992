#!/bin/sh
# --user: the command is another user in all respects, finds its token where
# nobody else does, and reaches neither key nor ledger.
. "${srcdir:-.}/tests/lib.sh"
need getent setpriv sqlite3 timeout

one_line() { [ "$(printf '%s\n' "$1" | wc -l)" -eq 1 ]; }

# Who is not root gets one line and no run.
if as_user true 2>/dev/null && can_as_user; then
	run as_user ephid-wrap --user nobody -- true
	is "$status|$err" \
	    '125|ephid-wrap: only root can run a command as another user' \
	    'an ordinary user cannot run as another'
	[ ! -e "$user_home/.local" ]
	ok $? 'and has no home made for it'
	# Not even as itself: there would be nothing to gain.
	run as_user ephid-wrap --user "$(as_user id -u)" -- true
	is "$status" 125 'nor as itself'
fi
no_more() { skip 1 "$*"; exit; }
[ "$(id -u)" -eq 0 ] || no_more 'not root'
as_user true 2>/dev/null || no_more 'a root that cannot become another user'

# Two ordinary users of this machine: one whose group is its own, and one
# whose group has others in it. as_user is a third.
users=$(getent passwd)
groups=$(getent group)
pick() { # alone|shared: a user of that kind
	printf '%s\n' "$groups" "$users" | awk -F: -v want="$1" '
	NF == 4 { group[$3] = $1; if ($4 != "" && $4 != $1) others[$3] = 1 }
	NF == 7 { n[$4]++; uid[$1] = $3; gid[$1] = $4; order[++k] = $1 }
	END {
		for (i = 1; i <= k; i++) {
			u = order[i]; g = gid[u]
			if (uid[u] == 0 || uid[u] == 1000 || g == 1000)
				continue
			own = group[g] == u && !others[g] && n[g] == 1
			if ((want == "alone") == own) { print u; exit }
		}
	}'
}
lone=$(pick alone) shared=$(pick shared)
lone=${lone:-$shared}
[ -n "$lone" ] || no_more 'no ordinary user but 1000'
home_of() { printf '%s\n' "$users" | sed -n "s/^$1:.*:\([^:]*\):[^:]*\$/\1/p"; }
shell_of() { printf '%s\n' "$users" | sed -n "s/^$1:.*:\([^:]*\)\$/\1/p"; }
db() { sqlite3 -readonly "$EPHID_HOME/ledger.db" "$1" 2>/dev/null; }
unrevoked() { db 'select count(*) from identity where revoked_at is null'; }
folders() { db 'select token_dir from identity where token_dir is not null' |
    while read -r d; do [ ! -e "$d" ] || echo "$d"; done; }

run ephid-wrap --user "$lone" -- true
[ "$status" -eq 0 ] || { lib_show; bail 'ephid-wrap --user does not run'; }
is "$err" '' 'nothing is said of a run as another user'

# --- who it is -------------------------------------------------------------
for user in $lone $shared; do
	run ephid-wrap --user "$user" -- sh -c 'id -u; id -g; id -G
	    grep -E "^(Uid|Gid|CapEff|CapPrm|CapInh|CapAmb)" /proc/self/status'
	u=$(id -u "$user") g=$(id -g "$user") none=0000000000000000
	is "$(printf '%s\n' "$out" | tr '\t' ' ' | sort)" "$(printf '%s\n' \
	    "$u" "$g" "$(id -G "$user")" "Uid: $u $u $u $u" \
	    "Gid: $g $g $g $g" "CapInh: $none" "CapPrm: $none" \
	    "CapEff: $none" "CapAmb: $none" | sort)" \
	    "$user: uid, gid, groups, and no capability"
done
run ephid-wrap --user "$(id -u "$lone")" -- id -un
is "$out" "$lone" 'a number is a uid'
run env MAIL=/var/mail/root XDG_RUNTIME_DIR=/run/user/0 OTHER=kept \
    ephid-wrap --user "$lone" -- env
is "$(printf '%s\n' "$out" |
    grep -E '^(HOME|USER|LOGNAME|SHELL|MAIL|XDG_[A-Z_]*|OTHER|EPHID_HOME)=' |
    sort)" "HOME=$(home_of "$lone")
LOGNAME=$lone
OTHER=kept
SHELL=$(shell_of "$lone")
USER=$lone" 'HOME, USER, LOGNAME, SHELL are its own, and no EPHID_HOME'
run ephid-wrap --user "$lone" -- setpriv --reuid=0 true
isnt "$status" 0 'it cannot become root again'
run setpriv --securebits +no_setuid_fixup ephid-wrap --user "$lone" -- true
case $err in
*'could become root again'*) is "$status" 125 'one that could is not run' ;;
*) skip 1 'no secure bits here' ;;
esac

# --- its token -------------------------------------------------------------
run ephid-wrap --user "$lone" --audience https://a.example \
    --audience https://b.example -- sh -c '
	[ "$(cat "$EPHID_TOKEN_FILE")" = "$EPHID_TOKEN" ] && echo same
	cat "$EPHID_TOKEN_DIR/token-2" >/dev/null && echo second
	grep -c "\"id\":\"$EPHID_ID\"" "$EPHID_TOKEN_DIR/index.json"
	touch "$EPHID_TOKEN_DIR/x" 2>/dev/null || echo closed
	rm -f "$EPHID_TOKEN_FILE" 2>/dev/null || echo stays'
is "$out|$status" 'same
second
1
closed
stays|0' 'it reads its token files and adds or removes none'

# A run in the background, that says where its folder is and waits.
mkfifo "$tmp/said"
mark=31415$$
alive() { grep -laz "[3]${mark#3}" /proc/[0-9]*/cmdline 2>/dev/null; }
kill_left() { # with a failure: what should have died
	for p in $(alive | cut -d/ -f3); do kill -KILL "$p" 2>/dev/null; done
}
at_exit kill_left
begin() { # USER
	ephid-wrap --user "$1" -- sh -c \
	    'echo "$$ $EPHID_TOKEN_DIR" >&3; exec 3>&-; exec sleep '$mark \
	    3>"$tmp/said" >"$tmp/out" 2>"$tmp/err" &
	front=$!
	read -r command dir <"$tmp/said"
	guardian=$(tr -d ' ' <"/proc/$front/task/$front/children")
}
end() { kill "$front"; wait "$front" 2>/dev/null; }
modes() { stat -c '%a %U %G' "$(dirname "$dir")" "$dir" "$dir/token" \
    "$dir/index.json"; }
# Neither the folder nor, by its name, a file can be read by this one.
is_closed_to() { # CMD...
	! "$@" ls "$dir" && ! "$@" cat "$dir/token" &&
	    ! "$@" cat "$dir/index.json" && ! "$@" ls "$(dirname "$dir")"
} >/dev/null 2>&1
as_group() { setpriv --reuid=1000 --regid="$(id -g "$1")" --clear-groups \
    -- cat "$dir/token" >/dev/null 2>&1; }

begin "$lone"
group=$(id -gn "$lone")
case $lone in
"$shared") ;;
*)
	is "$(modes)" "711 root root
750 root $group
400 $lone $group
400 $lone $group" "$lone: modes and owners"
	like "$dir" "/*/ephid-users/??????????????????????????" \
	    'the folder is called as the run'
	;;
esac
is_closed_to as_user
ok $? 'another user can neither list nor read'
as_group "$lone"
isnt $? 0 'nor can one in its group'
is "$(as_user stat -c %a "$dir/token" 2>/dev/null)" '' \
    'nor see that there is a file'
end
[ ! -e "$dir" ]
ok $? 'the folder is gone when the run is'

if [ -n "$shared" ]; then
	begin "$shared"
	group=$(id -gn "$shared")
	is "$(modes)" "711 root root
711 root root
400 $shared $group
400 $shared $group" "$shared: modes and owners"
	like "$dir" \
	    "/*/ephid-users/??????????????????????????-??????????????????????????" \
	    'the folder has a name that cannot be guessed'
	is_closed_to as_user
	ok $? 'another user can neither list nor read'
	as_group "$shared"
	isnt $? 0 'nor can one in its group'
	end
	[ ! -e "$dir" ]
	ok $? 'the folder is gone when the run is'
else
	skip 5 'no user whose group has others'
fi

# --- renewal ---------------------------------------------------------------
run ephid-wrap --user "$lone" --ttl 5s -- timeout 60 sh -c '
	until [ "$(cat "$EPHID_TOKEN_FILE")" != "$EPHID_TOKEN" ]; do
		sleep 0.1
	done
	stat -c "%a %U" "$EPHID_TOKEN_FILE" "$EPHID_TOKEN_DIR/index.json"'
is "$out|$status" "400 $lone
400 $lone|0" 'a renewed token is its own, too'

# --- what it does not reach ------------------------------------------------
for f in ledger.db keys runs .; do
	run ephid-wrap --user "$lone" -- ls "$EPHID_HOME/$f"
	isnt "$status" 0 "home: $f is closed to it"
done
run ephid-wrap --user "$lone" -- sh -c 'cat "$0"/keys/*.pem' "$EPHID_HOME"
is "$out" '' 'no key can be read'
run ephid-wrap --user "$lone" -- sh -c 'cat /proc/$PPID/environ;
    kill -KILL $PPID'
isnt "$status" 0 'it can neither read nor kill its guardian'
like "$err" '*ermission denied*ot permitted*' 'and is told so'
if [ "$(unrevoked)" != 0 ]; then
	fail 'all of these are revoked'
else
	pass 'all of these are revoked'
fi

# The programs must be where that user can run them.
if ephid-wrap --user "$lone" -- ephid-mint --version >/dev/null 2>&1; then
	for inner in 'ephid-mint' 'ephid-wrap true' 'ephid-inspect'; do
		# A private file for stdout: else ephid-mint warns of it.
		# shellcheck disable=SC2086
		(umask 077 && ephid-wrap --user "$lone" -- $inner \
		    >"$tmp/inner.out" 2>"$tmp/inner.err")
		isnt $? 0 "$inner inside fails"
		is "$(cat "$tmp/inner.out")" '' 'and prints nothing'
		said=$(cat "$tmp/inner.err")
		one_line "$said"
		ok $? 'but one line'
		why='run * was given no home, so it can mint no children'
		[ "$inner" != ephid-inspect ] || why="no home at '*'"
		like "$said" "${inner%% *}: $why" 'of what is wrong'
	done
	[ ! -e "$(home_of "$lone")/.local/state/ephid" ]
	ok $? 'and makes no home'
else
	skip 13 "$lone cannot run what was built"
fi

# --- ends ------------------------------------------------------------------
gone() { ! grep -q '^State:.[^ZX]' "/proc/$command/status" 2>/dev/null; }
# Front is stopped, for it would kill what the guardian left.
begin "$lone"
kill -STOP "$front"
kill -KILL "$guardian"
wait_for 3 gone
ok $? 'without its guardian the command of another user dies'
kill -CONT "$front"
wait "$front" 2>/dev/null
is $? 125 'and front exits 125'
is "$(unrevoked)" 0 'and the run is revoked'
[ ! -e "$dir" ]
ok $? 'and its folder is gone'

begin "$lone"
kill -KILL "$front"
wait "$front" 2>/dev/null
wait_for 3 gone
ok $? 'without front the command is ended'
revoked() { [ "$(unrevoked)" = 0 ] && [ ! -e "$dir" ]; }
wait_for 3 revoked
ok $? 'and the run revoked, and its folder gone'

# Both at once; again, when one lived long enough to revoke.
for user in $lone $shared; do
	tries=0
	until begin "$user"; kill -KILL "$front" "$guardian"
	    wait "$front" 2>/dev/null
	    wait_for 3 gone; wait_for 3 test ! -e "/proc/$guardian" ||
		wait_for 3 grep -q '^State:.[ZX]' "/proc/$guardian/status"
	    [ "$(unrevoked)" = 1 ] || [ $tries -eq 50 ]
	do tries=$((tries + 1)); done
	gone
	ok $? "$user: killed both, and the command is dead"
	[ -e "$dir/token" ]
	ok $? 'its token is left'
	run ephid-revoke --sweep
	is "$status|$(unrevoked)|$(folders)" '0|0|' 'a sweep ends run and folders'
done

# --- refusals --------------------------------------------------------------
rows=$(db 'select count(*) from identity')
for who in root 0 no-such-user '' -1 65534x; do
	run ephid-wrap --user "$who" -- true
	is "$status" 125 "user '$who' is refused"
	like "$err" "ephid-wrap: user '$who': *" 'by name'
	one_line "$err"
	ok $? 'in one line'
done
is "$(db 'select count(*) from identity')" "$rows" 'and nothing is minted'
printf '#!/bin/sh\n' >"$tmp/private"
chmod 700 "$tmp/private"
run ephid-wrap --user "$lone" -- "$tmp/private"
is "$status" 126 'what only root may run is not run'
run ephid-wrap --user "$lone" -- no-such-program
is "$status" 127 'what is not there is not found'
is "$(unrevoked)|$(folders)" '0|' 'and nothing is left of either'

# At no moment could another read it: it is given away before it has its name.
if command -v strace >/dev/null && strace -f -o "$tmp/trace" \
    -e trace=openat,fchmod,fchown,renameat,renameat2 \
    ephid-wrap --user "$lone" -- true 2>/dev/null; then
	u=$(id -u "$lone") g=$(id -g "$lone")
	is "$(sed -n '/"token\.[0-9a-f]*\.new", O_[^ ]*, 0/,/renameat/{
	    s/^[0-9 ]*//; s/ *=.*//; s/\.[0-9a-f]*\.new/.NEW/
	    s/([0-9]*, /(FD, /; s/renameat2*([^"]*"token.NEW".*/renamed/
	    p; }' "$tmp/trace")" \
	    "openat(FD, \"token.NEW\", O_WRONLY|O_CREAT|O_EXCL|O_NOFOLLOW|O_CLOEXEC, 0400)
fchmod(FD, 0400)
fchown(FD, $u, $g)
renamed" 'made 0400, given away, then named'
else
	skip 1 'no strace, or it may not trace'
fi
