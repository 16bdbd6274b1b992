#!/bin/sh
# scripts/run says in one line why it cannot build, where it cannot.
. "${srcdir:-.}/tests/lib.sh"
plan 5

mkdir -p "$tmp/bin" "$tmp/top/scripts" "$tmp/top/.build/run"
cp "$srcdir/scripts/run" "$tmp/top/scripts/run"
for p in dirname id env mkdir; do
	ln -s "$(command -v $p)" "$tmp/bin/$p"
done
run env PATH="$tmp/bin" /bin/sh "$tmp/top/scripts/run" -- true
is "$status" 1 'without apt-get it cannot install'
like "$err" 'run: there is no apt-get to install *libssl-dev*' \
    'and says what to install'

# As if all were there, in a checkout that somebody else built.
for p in autoreconf automake make gcc pkg-config; do
	ln -s /bin/true "$tmp/bin/$p"
done
can_as_user || { skip 3 'no ordinary user can be had'; exit 0; }
chmod 555 "$tmp/top/.build/run"
chmod 755 "$tmp" "$tmp/bin" "$tmp/top" "$tmp/top/scripts"
run as_user env PATH="$tmp/bin" /bin/sh "$tmp/top/scripts/run" -- true
is "$status" 1 'in a folder of another it cannot build'
is "$err" "run: cannot write to $tmp/top/.build/run" 'and says so'
is "$out" '' 'and nothing else'
chmod 755 "$tmp/top/.build/run"
