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
offered() { bash --norc "$tmp/ask.bash" "$1" </dev/null; }
. "$srcdir/tests/completions.sh"
