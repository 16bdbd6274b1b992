# Completions of the ephid programs for fish.
#
# The options are those that the program's own --help names, so that nothing
# here goes stale: an argument in capitals is one that the option wants, and
# "a, b or c" after it are all the values there are. Whatever fails, fails
# without a word.

# "short long WANTED description" with tabs between them, for each option.
function __ephid_read_help -a program
    command -q $program
    and $program --help 2>/dev/null | string replace -rf \
        '^ +(?:-([A-Za-z]), )?--([a-z][a-z0-9-]*)(?: ([A-Z]+))? +(.*)$' \
        '$1\t$2\t$3\t$4'
end

# The long name of the option that ends the word and wants the next one. In a
# bundle such as -qt the first that wants an argument takes what follows it.
function __ephid_wanting -a word
    if string match -q -- '--*' $word
        set -l long (string sub -s 3 -- $word)
        string match -rq '\t'(string escape --style=regex -- $long)'\t[A-Z]' \
            -- $__ephid_options
        and echo $long
        return
    end
    set -l letters (string split '' -- (string sub -s 2 -- $word))
    for i in (seq (count $letters))
        for option in $__ephid_options
            set -l field (string split \t -- $option)
            if test "$field[1]" = "$letters[$i]" -a -n "$field[3]"
                test $i -eq (count $letters); and echo $field[2]
                return
            end
        end
    end
end

# The program NAME beside the one that is completed, with --home as it was
# given. fish would say that a command is unknown.
function __ephid_ask -a program name
    set -l ask (string replace -r 'ephid-[a-z]*$' $name -- $program)
    command -q $ask
    and $ask $__ephid_home $argv[3..] 2>&1 </dev/null
end

function __ephid_ids -a program state
    __ephid_ask $program ephid-inspect --list --state $state --json |
        string replace -rf \
        '^{"id":"([0-9A-Z]*)".*?"agent":"([A-Za-z0-9._/-]*)".*' '$1\t$2'
end

function __ephid_live_ids -a program
    __ephid_ids $program active
end

# A run is over when its receipt is wanted: the newest of all.
function __ephid_late_ids -a program
    __ephid_ids $program all | tail -n 100
end

function __ephid_kids -a program
    __ephid_ask $program ephid-keygen --list --json | string replace -rf \
        '^{"kid":"([\w-]*)","alg":"(\w*)","state":"(\w*)".*' '$1\t$2 $3'
end

# The refusal of a profile that is not there names those that are. Should
# there be one of this name, the bad --ttl is refused: nothing is minted.
function __ephid_profiles -a program
    __ephid_ask $program ephid-mint --profile '' --ttl - |
        string replace -rf "^.*: no profile ''; there are: " '' |
        string split ', ' | string match -r '^[A-Za-z0-9._-]+$'
end

# What may be the argument of an option, of which cur is there.
function __ephid_value -a program long cur
    set -l option (string match -- "*"\t$long\t"*" $__ephid_options)
    set -l field (string split \t -- $option[1])
    set -l choice (string match -r \
        '^([\w-]+(?:, [\w-]+)* or [\w-]+)(?: \(.*)?$' -- $field[4])
    if test -n "$field[3]" -a -n "$choice[2]"
        string replace -a ' or ' ', ' -- $choice[2] | string split ', '
        return
    end
    switch "$field[3],$long"
        case 'FILE,*'
            __fish_complete_path $cur
        case 'DIR,*'
            __fish_complete_directories $cur
        case 'ID,*'
            __ephid_live_ids $program
        case 'KID,*'
            __ephid_kids $program
        case '*,profile'
            __ephid_profiles $program
        case '*,user'
            __fish_complete_users
        case '*,keep'
            set -nx
    end
end

# The command of ephid-wrap with its arguments, an id, or a file, which has a
# slash in its name to be told from an id. The words are those before cur.
function __ephid_operand -a program skip cur
    set -l words $argv[4..]
    switch $program
        case '*ephid-wrap'
            set -l command $words[(math $skip + 1)..] $cur
            __fish_complete_subcommand --commandline \
                (string join ' ' -- (string escape -- $command[1..-2]) $cur)
        case '*ephid-keygen'
            contains -- --pem $words; and __ephid_kids $program
        case '*ephid-inspect' '*ephid-revoke'
            if string match -q '*/*' -- $cur; or contains -- --decode $words
                __fish_complete_path $cur
            else if contains -- --receipt $words
                __ephid_late_ids $program
            else if not contains -- --list $words
                __ephid_live_ids $program
            end
    end
end

function __ephid_complete
    set -l words (commandline -opc)
    set -l cur (commandline -ct)
    set -l program (string replace -r '^~/' $HOME/ -- $words[1])
    set -g __ephid_options (__ephid_read_help $program)
    set -g __ephid_home

    # As getopt_long() goes: to the first word that is no option.
    set -l i 2
    while test $i -le (count $words)
        switch $words[$i]
            case --
                __ephid_operand $program $i "$cur" $words
                return
            case '--home=*'
                set __ephid_home $words[$i]
            case -
                __ephid_operand $program (math $i - 1) "$cur" $words
                return
            case '-*'
                set -l long (__ephid_wanting $words[$i])
                if test -n "$long"
                    set i (math $i + 1)
                    if test $i -gt (count $words)
                        __ephid_value $program $long "$cur"
                        return
                    end
                    test $long = home
                    and set __ephid_home --home \
                        (string replace -r '^~/' $HOME/ -- $words[$i])
                end
            case '*'
                __ephid_operand $program (math $i - 1) "$cur" $words
                return
        end
        set i (math $i + 1)
    end
    switch "$cur"
        case '--*=*'
            set -l part (string split -m 1 = -- $cur)
            string replace -r '^' -- "$part[1]=" (__ephid_value $program \
                (string sub -s 3 -- $part[1]) "$part[2]")
        case '-*'
            for option in $__ephid_options
                set -l field (string split \t -- $option)
                test -n "$field[1]"; and printf '%s\t%s\n' -$field[1] $field[4]
                printf '%s\t%s\n' --$field[2] $field[4]
            end
        case '*'
            __ephid_operand $program (count $words) "$cur" $words
    end
end

# This file is installed under the name of each program, for fish looks for
# no other; whichever comes first defines all.
for program in ephid-inspect ephid-keygen ephid-mint ephid-revoke ephid-wrap
    complete -c $program -e
    complete -c $program -f -a '(__ephid_complete)'
end
