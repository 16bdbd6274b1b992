#!/bin/sh
# What bash offers for the last word of a line.
. "${srcdir:-.}/tests/lib.sh"
need bash
[ -r /usr/share/bash-completion/bash_completion ] ||
    skip_all 'bash-completion is not installed'

# Readline cuts words at = and : as well; the reply is for the last piece.
cat >"$tmp/ask.bash" <<'END'
. /usr/share/bash-completion/bash_completion
. "$srcdir/cmd/completions/ephid.bash"
compopt() { :; }
line=$1 rest=$1 prefix=
COMP_LINE=$1 COMP_POINT=${#1} COMP_TYPE=9 COMP_KEY=9 COMP_WORDS=()
while [[ $rest =~ ^\ *([=:]+|[^ =:]+) ]]; do
	COMP_WORDS+=("${BASH_REMATCH[1]}")
	rest=${rest#"${BASH_REMATCH[0]}"}
done
[[ $line == *[\ =:] ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
last=${line##* }
[[ $last == *=* ]] && prefix=${last%"${COMP_WORDS[COMP_CWORD]}"}
command=${COMP_WORDS[0]} # by its last part when it is a path
spec=$(complete -p "${command##*/}" 2>/dev/null) || {
	_completion_loader "$command"
	spec=$(complete -p "$command") || exit
}
spec=${spec##*-F }
"${spec%% *}" "$command" "${COMP_WORDS[COMP_CWORD]}" \
    "${COMP_WORDS[COMP_CWORD - 1]}"
for word in "${COMPREPLY[@]}"; do
	word=$prefix$word
	printf '%s\n' "${word% }"
done
END
offered() { $as bash --norc "$tmp/ask.bash" "$1" </dev/null; }
. "$srcdir/tests/completions.sh"

# In a terminal, where readline cuts the words and puts in what is offered;
# the line is then made one that says itself.
if command -v script >/dev/null; then
	cat >"$tmp/rc" <<-'END'
	. /usr/share/bash-completion/bash_completion
	. "$srcdir/cmd/completions/ephid.bash"
	bind 'set enable-bracketed-paste off'
	PS1=
	END
	typed() { # LINE: as it stands after its TABs
		printf '%s\001echo "[\005]"\nexit\n' "$1" |
		    script -qec "bash --rcfile $tmp/rc -i" /dev/null |
		    tr -d '\r' | sed -n 's/^\[\(.*\)\]$/\1/p'
	}
	tab=$(printf '\t')
	is "$(typed "ephid-mint --form fed$tab--ali$tab")" \
	    'ephid-mint --form federation --ali' 'a word is put in, and a blank'
	is "$(typed "ephid-revoke $(echo "$live" | cut -c1-20)$tab")" \
	    "ephid-revoke $live " 'an id'
	is "$(typed "ephid-wrap -qt 5m ephidtestcom$tab")" \
	    'ephid-wrap -qt 5m ephidtestcommand ' 'a command'
	is "$(typed "ephid-mint --form=o$tab")" 'ephid-mint --form=oauth ' \
	    'and what comes after ='
else
	skip 4 'no script'
fi
