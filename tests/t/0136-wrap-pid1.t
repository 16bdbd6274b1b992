#!/bin/sh
# As the first process of a container, and where /proc is another's.
. "${srcdir:-.}/tests/lib.sh"
need python3 unshare
if unshare -pf true 2>/dev/null; then
	apart='unshare -pf'
elif unshare -rpf true 2>/dev/null; then
	apart='unshare -rpf'
else
	skip_all 'no PID namespace can be made here'
fi
ephid-wrap true || bail 'ephid-wrap does not run'

# The kernel lets no first process die of a signal of its own.
cat >"$tmp/first.py" <<'EOT'
import os, signal, subprocess, sys
from signal import *
from checks import *

apart = sys.argv[1:]
first = [*apart, "ephid-wrap", "--quiet", "--"]

def status_of(*argv):
    p = subprocess.Popen([*first, *argv])
    return os.waitpid(p.pid, 0)[1]

for n in 0, 1, 127, 128, 255:
    equal(status_of("sh", "-c", "exit %d" % n), n << 8, "exit %d" % n)
for n in range(1, 65):
    if n in (SIGCHLD, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU, SIGURG,
             SIGWINCH) or ignored(n):
        continue
    equal(status_of("sh", "-c", "kill -%d $$" % n), 128 + n << 8,
          "death by signal %d is %d" % (n, 128 + n))

# docker stop: TERM from outside, to a first process that must hear it.
p = subprocess.Popen([*first, "sh", "-c", "trap 'exit 9' TERM; echo up; "
                      "while :; do sleep 0.05; done"], stdout=subprocess.PIPE)
p.stdout.readline()
os.kill(child_of(p.pid), SIGTERM)
equal(p.wait(), 9, "TERM from outside reaches the command")

# A stopped one hears TERM as well: front cannot stop with it here.
p = subprocess.Popen([*first, "sh", "-c", "trap 'exit 8' TERM; echo up; "
                      "while :; do kill -STOP $$; done"],
                     stdout=subprocess.PIPE)
p.stdout.readline()
front = child_of(p.pid)
main = child_of(child_of(front))
wait_for(lambda: stopped(main))
os.kill(front, SIGTERM)
equal(p.wait(), 8, "and wakes a stopped one")

# docker run -t
t = Terminal(*apart, "--mount-proc", "ephid-wrap", "-q", "--", "cat")
t.type("one\n")
ok(t.expect(r"one\s+one"), "on a terminal it reads")
t.type("\x1a")
t.type("two\n")
ok(t.expect(r"two\s+two", 3), "^Z does not stop it for good")
t.type("\x03")
status = t.wait()
ok(status is not None, "^C ends it", t.seen)
t.close()
print("done")
EOT
# shellcheck disable=SC2086
checks python3 "$tmp/first.py" $apart

# /proc of an outer namespace has other numbers for the same processes.
mark=16180$$
marked() { grep -laz "[1]${mark#1}" /proc/[0-9]*/cmdline 2>/dev/null; }
for how in '' --mount-proc; do
	run $apart $how sh -c "ephid-wrap -q -- sh -c '
	    (setsid sleep $mark & sleep $mark &)
	    until pgrep -fx \"sleep $mark\" >/dev/null; do :; done; exit 4'
	    status=\$?; pgrep -afx 'sleep $mark'; exit \$status"
	is "$status|$out" '4|' "stragglers end, ${how:-/proc of another}"
	is "$err" '' 'without a word'
done
run $apart sh -c "sleep $mark & s=\$!
    ephid-wrap -- sh -c 'setsid sleep 1000 & exit 3'; e=\$?
    kill \$s && exit \$e"
is "$status" 3 'and nobody else does'

run $apart sh -c 'ephid-wrap -- sh -c "echo \$EPHID_ID
    ephid-wrap -- sh -c \"echo \\\$EPHID_ROOT\""; :'
is "$(printf '%s\n' "$out" | uniq | wc -l)" 1 'a run inside is a child'
# Its parent is not looked for among strangers.
run $apart sh -c 'ephid-wrap -- sh -c "unset EPHID_TOKEN EPHID_TOKEN_FILE
    ephid-mint"; echo $?'
like "$err" '*started inside run *' 'which it must be, there as anywhere'
is "$(marked)" '' 'nothing is left'
