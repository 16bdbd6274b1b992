#!/bin/sh
# ephid-wrap ends as its command did, and nothing stays live behind it.
. "${srcdir:-.}/tests/lib.sh"

live() { ephid-inspect --list --state active --json 2>/dev/null | wc -l; }

for n in 0 1 2 63 124 125 126 127 128 255; do
	run ephid-wrap -- sh -c "exit $n"
	is "$status" "$n" "exit $n comes through"
done
is "$err" '' 'without a word on stderr'
run ephid-wrap sh -c 'echo out; echo err >&2; cat' </dev/null
is "$out|$err" 'out|err' 'stdout and stderr are the command'"'"'s'
run sh -c 'echo in | ephid-wrap cat'
is "$out" in 'and so is stdin'

# A shell would say 128+n of an exit as well: who waits here sees which it was.
cat >"$tmp/deaths.py" <<'EOT'
import os, resource, signal, subprocess, tempfile
from checks import *

survived = {signal.SIGCHLD, signal.SIGCONT, signal.SIGSTOP, signal.SIGTSTP,
            signal.SIGTTIN, signal.SIGTTOU, signal.SIGURG, signal.SIGWINCH}
deadly = [n for n in range(1, 65) if n not in survived and not ignored(n)]
where = tempfile.mkdtemp()
_, most = resource.getrlimit(resource.RLIMIT_CORE)

def prepare():
    resource.setrlimit(resource.RLIMIT_CORE, (most, most))

def status_of(n, *wrap):
    p = subprocess.Popen([*wrap, "sh", "-c", "kill -%d $$" % n], cwd=where,
                         preexec_fn=prepare)
    return os.waitpid(p.pid, 0)[1]

for n in deadly:
    bare, status = status_of(n), status_of(n, "ephid-wrap", "--")
    equal((os.WIFSIGNALED(status), os.WTERMSIG(status)), (True, n),
          "the wrapper dies of signal %d as the command does" % n)
    if os.WCOREDUMP(bare):
        ok(not os.WCOREDUMP(status), "but leaves no second core")
print("done")
EOT
if command -v python3 >/dev/null; then
	checks python3 "$tmp/deaths.py"
else
	skip 1 'no python3'
fi

run ephid-wrap -- "$tmp/no such command"
is "$status" 127 'a missing command is 127'
like "$err" "ephid-wrap: $tmp/no such command: command not found" 'and named'
run ephid-wrap -- no-such-command-anywhere
is "$status" 127 'missing on PATH as well'
run ephid-wrap -- "$tmp"
is "$status" 126 'a folder is 126'
echo 'echo plain' >"$tmp/plain"
run ephid-wrap -- "$tmp/plain"
is "$status" 126 'a file that is not executable is 126'
like "$err" 'ephid-wrap: cannot run *plain: Permission denied' 'and why'
chmod +x "$tmp/plain"
run ephid-wrap -- "$tmp/plain"
is "$status|$out" '0|plain' 'a script without #! runs, as for a shell'

run ephid-wrap --no-such-option -- true
is "$status" 125 'an unknown option is 125'
run ephid-wrap
is "$status" 125 'and so is no command'
like "$err" 'ephid-wrap: no command to run*' 'in one line'
run ephid-wrap --ttl 2h -- true
like "$err" '*token expires in 1h, the most that policy allows, not in 2h' \
    'a ttl that policy shortens is told'
run ephid-wrap --ttl soon -- true
is "$status" 125 'and a bad duration'
run ephid-wrap --audience 'no uri' -- true
is "$status" 125 'and a bad audience'
run ephid-wrap --env 'A=B' -- true
is "$status" 125 'and a bad name'

is "$(live)" 0 'no identity is left alive by any of these'
is "$(ls "$EPHID_HOME/runs")" '' 'and no lock file'

# systemd's ProcSubset=pid hides what is not of processes.
if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
	run unshare -m sh -c 'mount -t tmpfs none /proc/sys &&
	    exec ephid-wrap -- sh -c "exit 6"'
	is "$status|$err" '6|' 'a /proc without sys'
else
	skip 1 'nothing can be mounted here'
fi

# It was the run's own end that revoked: whoever looks here sweeps first, and
# would make up for a guardian that did nothing.
run ephid-inspect --events
like "$out" '*"event":"revoked"*' 'the ends of the runs revoked them'
unlike "$out" '*"event":"swept"*' 'and no sweep had to'
