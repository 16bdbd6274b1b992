#!/bin/sh
# What zsh offers for the last word of a line.
. "${srcdir:-.}/tests/lib.sh"
need zsh
zsh -fc 'zmodload zsh/zpty' 2>/dev/null || skip_all 'zsh has no zpty'

# In the terminal: TAB notes each match that is added, and then that it ended.
cat >"$tmp/inner.zsh" <<'END'
PS1=
fpath=($srcdir/cmd/completions $fpath)
autoload -U compinit
compinit -u -d $offers.zcompdump
compadd() {
	local -a hits
	if [[ " ${(pj: :)@[1,(i)(-|--)]}" == *' '-[OAD]* ]]; then
		builtin compadd "$@"
		return
	fi
	builtin compadd -O hits "$@"
	# What is on the line before, as in --form=f or ./f, is no part of it.
	hits=($IPREFIX${@[$((${@[(i)-p]} + 1))]}$^hits)
	(($#hits)) && print -rl -- $hits >>$offers
	builtin compadd "$@"
}
ask() {
	zle complete-word
	: >$offers.done
}
zle -N ask
bindkey '^I' ask
: >$offers.done
END
cat >"$tmp/ask.zsh" <<'END'
zmodload zsh/zpty
zmodload zsh/zselect
await() { # until the other side says so, or 20 seconds
	local -i n=2000
	until [[ -e $offers.done ]]; do
		((n-- > 0)) || exit 1
		zselect -t 1
	done
	rm -f $offers.done
}
export offers=$2
rm -f $offers $offers.done
zpty -b z zsh -f -i
zpty -w z "stty -echo; source $tmp/inner.zsh"
await
zpty -w -n z "$1"$'\t'
await
zpty -d z
[[ ! -e $offers ]] || cat $offers
END
export tmp
offered() { $as zsh -f "$tmp/ask.zsh" "$1" "$(scratch)/offers" </dev/null; }
. "$srcdir/tests/completions.sh"
