#!/bin/sh
# What fish offers for the last word of a line.
. "${srcdir:-.}/tests/lib.sh"
need fish

offered() {
	$as fish -c 'source $srcdir/cmd/completions/ephid.fish
	    complete -C $argv[1]' -- "$1" </dev/null | cut -f1
}
. "$srcdir/tests/completions.sh"
