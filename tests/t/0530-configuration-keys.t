#!/bin/sh
# Every member that config.json may have is in ephid(7), and every one that
# ephid(7) has is taken; what is none, or of the wrong type, is refused by
# file, line and member. Both sides are read: the tables of settings.c, and
# the manual's lists.
. "${srcdir:-.}/tests/lib.sh"
settings=$srcdir/common/settings.c
manual=$srcdir/man/ephid.7

# table NAME: the lines "member TYPE" of a table in settings.c.
table() {
	sed -n "/ $1\[\] = {/,/^};/p" "$settings" |
	    sed -n 's/^ *{"\([a-z_-]*\)", TYPE_\([A-Z_]*\)}.*/\1 \2/p'
}
# manual_of SECTION: what the lists beneath its heading have as items.
manual_of() {
	sed -n "/^\.Ss $1\$/,/^\.S[hs] issuers/p" "$manual" |
	    awk 'NR > 1 && /^\.S/ { exit } { print }' |
	    sed -n 's/^\.It Li //p' | sed 's/ , /\n/g'
}
table policy_members >"$tmp/policy"
table profile_members >"$tmp/profiles"
sed -n '/sections\[\] = {/,/^};/s/^ *{"\([a-z]*\)".*/\1/p' "$settings" |
    sort >"$tmp/sections"
[ "$(wc -l <"$tmp/policy")" -ge 15 ] && [ "$(wc -l <"$tmp/profiles")" -ge 30 ]
ok $? 'the tables were found'

for section in policy profiles; do
	is "$(manual_of $section | sort)" \
	    "$(cut -d' ' -f1 "$tmp/$section" | sort)" \
	    "ephid(7) has the members of $section, and no others"
done
is "$(sed -n '/^Each file has these sections/,/^\.Bd/s/^\.Li \([a-z]*\).*/\1/p' \
    "$manual" | sort)" "$(cat "$tmp/sections")" 'and the sections'

# Each long option can stand in a profile, but for those that find it or ask.
for program in ephid-mint ephid-wrap; do
	$program --help | sed -n 's/^ *\(-[a-zA-Z], \)\{0,1\}--\([a-z-]*\).*/\2/p'
done | grep -vxE 'profile|home|json|quiet|help|version' | sort -u >"$tmp/options"
# Those of issuers that this version has not can stand there already.
cut -d' ' -f1 "$tmp/profiles" | grep -vxE 'for|with' | sort >"$tmp/members"
is "$(cat "$tmp/members")" "$(cat "$tmp/options")" \
    'the members of a profile are the long options'

# TYPE_FORM and its like: --help's "a, b or c" are the words.
words() { # OPTION
	for program in ephid-mint ephid-wrap; do
		$program --help
	done | sed -n "s/^ *--$1 [A-Z]*  *//p" | head -n 1 |
	    sed 's/ (.*//; s/,//g; s/ or / /'
}
values() { # MEMBER TYPE: sets good and bad, and what is said of bad
	case $2 in
	TTL) good='"15m" 900' bad='"soon" 1.5 "2h"' says='*' ;;
	DURATION) good='"1d" 10' bad='"soon" -1 true' says='not a duration*' ;;
	COUNT) good='0 3' bad='"3" 1.5 -1' says='not a whole number' ;;
	FLAG) good='true false' bad='"true" 1' says='not true or false' ;;
	LIST) good='[] ["a"]' bad='"a" [1]' says='not a list of strings' ;;
	TEXT) good='"a"' bad='1 ["a"]' says='not a string' ;;
	TEXTS) good='"a" ["a","b"]' bad='1 [1]' says='not a string or a list*' ;;
	URIS) good='"https://a" ["https://a","spiffe://b/c"]' bad='1 [1] "a"'
		says='*not a*' ;;
	VARIABLE) good='"GH_TOKEN"' bad='1 "" "A-B"' says='not a name for *' ;;
	AUDIT) good='"syslog" "none"' bad='"loud" 1' says='not "*" or "*"' ;;
	*)
		good=$(words "$1" | sed 's/[^ ]*/"&"/g')
		bad='"" "no-such" 1' says='not "*" or "*"' ;;
	esac
}

# The member stands in line 3. ephid-mint reads the file and uses no profile.
file=$EPHID_HOME/config.json
ephid-mint >/dev/null
given() { # SECTION MEMBER VALUE
	printf '{"%s": {"comment": "of one",\n%s\n"%s": %s%s}}\n' "$1" \
	    "$([ "$1" = policy ] || echo '"p": {')" "$2" "$3" \
	    "$([ "$1" = policy ] || echo '}')" >"$file"
	run ephid-inspect --list
	[ "$status" -ne 2 ] || err=${err#"ephid-inspect: $file:"}
}
place() { [ "$1" = policy ] && echo "3: policy.$2" || echo "3: $1.p.$2"; }
for section in policy profiles; do
	while read -r member type; do
		values "$member" "$type"
		at=$(place $section "$member")
		wrong=
		for value in $good; do
			given $section "$member" "$value"
			[ "$status" -eq 0 ] || wrong="$wrong $value: $err"
		done
		is "$wrong" '' "$section.$member takes $good"
		for value in $bad; do
			given $section "$member" "$value"
			# shellcheck disable=SC2254
			case $status$err in
			2"$at: "$says) ;;
			*) wrong="$wrong $value: $err" ;;
			esac
		done
		is "$wrong" '' "$section.$member refuses $bad"
		other=${member%"${member#?}"}$member # its first letter twice
		given $section "$other" 1
		is "$status $err" "2 $(place $section "$other"): unknown; did you mean $member?" \
		    "$section.$other is none"
	done <"$tmp/$section"
done
while read -r section; do
	echo "{\"comment\": [\"a\", \"b\"], \"$section\": {}}" >"$file"
	run ephid-inspect --list
	is "$status" 0 "a section $section"
	printf '{\n"%sx": {}}' "$section" >"$file"
	run ephid-inspect --list
	is "$status $err" "2 ephid-inspect: $file:2: ${section}x: unknown; did you mean $section?" \
	    "and none ${section}x"
	printf '{\n"%s": []}' "$section" >"$file"
	run ephid-inspect --list
	is "$status $err" "2 ephid-inspect: $file:2: $section: not an object" \
	    'which is no list'
done <"$tmp/sections"

# refused TEXT ERROR NAME
refused() {
	printf "$1" >"$file"
	run ephid-mint
	like "$status $err" "2 ephid-mint: $file:$2" "$3"
}
refused '{"policy": {"ttl": "1m",\n"ttl": "2m"}}' '2: ttl: the same name twice*' \
    'a member twice'
refused '{"policy": {\n"ttl": ' '2: *' 'a file that is cut'
refused '{"policy": {}}\n}' '2: *' 'and one that goes on'
refused '[]' '1: not an object' 'a list'
refused '{"profiles": {\n"p": "15m"}}' '2: profiles.p: not an object' \
    'a profile that is none'
refused '{"policy": {\n"comment": 1}}' '2: policy.comment: *' 'a comment that is none'
refused '{"policy": {\n"zzzzzzzz": 1}}' '2: policy.zzzzzzzz: unknown' \
    'and like none there is: no guess'
rm "$file"
run ephid-mint
is "$status" 0 'without it all is well'
