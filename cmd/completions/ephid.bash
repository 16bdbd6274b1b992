# shellcheck shell=bash
# Completions of the ephid programs for bash, with bash-completion.
#
# The options are those that the program's own --help names, so that nothing
# here goes stale: an argument in capitals is one that the option wants, and
# "a, b or c" after it are all the values there are. Whatever fails, fails
# without a word.

# _ephid_read_help PROGRAM: fills the caller's opts, wants and values.
_ephid_read_help()
{
	local line short long
	local option='^ +(-([A-Za-z]), )?--([a-z][a-z0-9-]*)( ([A-Z]+))? +(.*)$'
	local choice='^([A-Za-z0-9-]+(, [A-Za-z0-9-]+)* or [A-Za-z0-9-]+)( \(.*)?$'

	while IFS= read -r line; do
		[[ $line =~ $option ]] || continue
		short=${BASH_REMATCH[2]:+-${BASH_REMATCH[2]}}
		long=--${BASH_REMATCH[3]}
		opts+=(${short:+"$short"} "$long")
		wants[$long]=${BASH_REMATCH[5]}
		[[ $short ]] && names[$short]=$long
		if [[ ${wants[$long]} && ${BASH_REMATCH[6]} =~ $choice ]]; then
			line=${BASH_REMATCH[1]//,/}
			values[$long]=${line/ or / }
		fi
	done < <("$1" --help 2>/dev/null)
}

# The long name of the option that ends WORD and wants the next one. In a
# bundle such as -qt the first that wants an argument takes what follows it.
_ephid_wanting()
{
	local word=$1 i long

	if [[ $word == --* ]]; then
		[[ ${wants[$word]} ]] && printf %s "$word"
		return
	fi
	for ((i = 1; i < ${#word}; i++)); do
		long=${names[-${word:i:1}]}
		[[ $long && ${wants[$long]} ]] || continue
		((i == ${#word} - 1)) && printf %s "$long"
		return
	done
}

# The program beside the one that is completed, with --home as it was given.
_ephid_ask()
{
	"${program%ephid-*}$1" "${home[@]}" "${@:2}" 2>&1 </dev/null
}

# _ephid_ids STATE
_ephid_ids()
{
	_ephid_ask ephid-inspect --list --state "$1" --json |
	    sed -n 's/^{"id":"\([0-9A-Z]*\)".*/\1/p'
}

# A run is over when its receipt is wanted: the newest of all.
_ephid_late_ids()
{
	_ephid_ids all | tail -n 100
}

_ephid_kids()
{
	_ephid_ask ephid-keygen --list --json |
	    sed -n 's/^{"kid":"\([A-Za-z0-9_-]*\)".*/\1/p'
}

# The refusal of a profile that is not there names those that are. Should
# there be one of this name, the bad --ttl is refused: nothing is minted.
_ephid_profiles()
{
	_ephid_ask ephid-mint --profile '' --ttl - |
	    sed -n "s/^.*: no profile ''; there are: //p" |
	    sed 's/, /\n/g' | grep -x '[A-Za-z0-9._-]*'
}

# _ephid_reply WORDS: those that begin as the word does. compgen expands them,
# so they are letters, digits, dots, dashes and underlines alone.
_ephid_reply()
{
	mapfile -t COMPREPLY < <(compgen -W "$1" -- "$cur")
}

# _ephid_value OPTION: what may be its argument.
_ephid_value()
{
	if [[ ${values[$1]} ]]; then
		_ephid_reply "${values[$1]}"
		return
	fi
	case ${wants[$1]},$1 in
	FILE,*) _filedir ;;
	DIR,*) _filedir -d ;;
	ID,*) _ephid_reply "$(_ephid_ids active)" ;;
	KID,*) _ephid_reply "$(_ephid_kids)" ;;
	*,--profile) _ephid_reply "$(_ephid_profiles)" ;;
	*,--user) mapfile -t COMPREPLY < <(compgen -u -- "$cur") ;;
	*,--keep) mapfile -t COMPREPLY < <(compgen -e -- "$cur") ;;
	esac
}

# _ephid_operand FIRST: the command of ephid-wrap with its arguments, an id,
# or a file, which has a slash in its name to be told from an id.
_ephid_operand()
{
	local i=$1 k n=0 whole seen=" ${words[*]:1:$1} "

	case ${program##*/} in
	ephid-wrap)
		# Here words are whole; in COMP_WORDS they are cut at = and :.
		for ((k = 0; k < i; k++, n++)); do
			whole=${COMP_WORDS[n]}
			while [[ $whole != "${words[k]}" ]] &&
			    ((n < COMP_CWORD)); do
				whole+=${COMP_WORDS[++n]}
			done
		done
		_command_offset "$n" ;;
	ephid-keygen)
		[[ $seen == *' --pem '* ]] && _ephid_reply "$(_ephid_kids)" ;;
	ephid-inspect|ephid-revoke)
		if [[ $cur == */* || $seen == *' --decode '* ]]; then
			_filedir
		elif [[ $seen == *' --receipt '* ]]; then
			_ephid_reply "$(_ephid_late_ids)"
		elif [[ $seen != *' --list '* ]]; then
			_ephid_reply "$(_ephid_ids active)"
		fi ;;
	esac
}

_ephid()
{
	local cur words cword program i long
	local -a opts=() home=()
	local -A names=() wants=() values=()

	_get_comp_words_by_ref -n =: cur words cword || return
	program=${1/#\~\//$HOME/}
	_ephid_read_help "$program"
	# As getopt_long() goes: to the first word that is no option.
	for ((i = 1; i < cword; i++)); do
		[[ ${words[i]} == -- ]] && { _ephid_operand $((i + 1)); return; }
		[[ ${words[i]} == -?* ]] || { _ephid_operand $i; return; }
		[[ ${words[i]} == --home=* ]] &&
		    home=("${words[i]}")
		long=$(_ephid_wanting "${words[i]}")
		[[ $long ]] || continue
		if ((++i == cword)); then
			_ephid_value "$long"
			__ltrim_colon_completions "$cur"
			return
		fi
		[[ $long == --home ]] &&
		    home=(--home "${words[i]/#\~\//$HOME/}")
	done
	case $cur in
	--*=*)
		long=${cur%%=*} cur=${cur#*=}
		[[ ${wants[$long]} ]] && _ephid_value "$long" ;;
	-*)
		_ephid_reply "${opts[*]}" ;;
	*)
		_ephid_operand "$cword" ;;
	esac
}
complete -F _ephid ephid-inspect ephid-keygen ephid-mint ephid-revoke ephid-wrap
