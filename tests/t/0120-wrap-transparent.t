#!/bin/sh
# The command sees the caller's descriptors, signals, group and terminal.
. "${srcdir:-.}/tests/lib.sh"
# A sanitizer would take these for itself, ignored or not.
ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}handle_segv=0:handle_sigbus=0
ASAN_OPTIONS=$ASAN_OPTIONS:handle_sigfpe=0:handle_sigill=0:handle_abort=0
export ASAN_OPTIONS
ephid-wrap true || bail 'ephid-wrap does not run'

cat >"$tmp/look" <<'EOT'
#!/bin/sh
# No pipe in here: the shell would open descriptors of its own.
ls -l /proc/self/fd >"$1.fds"
grep -E 'Sig(Blk|Ign|Cgt)|Shd' /proc/self/status >"$1.signals"
cut -d' ' -f5-8 /proc/self/stat >"$1.groups"
ulimit -a >"$1.limits"; umask >>"$1.limits"; pwd >>"$1.limits"
EOT
chmod +x "$tmp/look"
fds() { sed -n 's/.* \([0-9]*\) -> \(.*\)/\1 \2/p' "$1" |
    sed 's#/proc/[0-9]*#/proc/N#; s#tmp/[a-z]*\.fds#tmp/X.fds#'; }
compare() { # NAME
	is "$(fds "$tmp/with.fds")" "$(fds "$tmp/bare.fds")" "$1: descriptors"
	is "$(cat "$tmp/with.signals")" "$(cat "$tmp/bare.signals")" \
	    "$1: mask and dispositions"
	is "$(cat "$tmp/with.groups")" "$(cat "$tmp/bare.groups")" \
	    "$1: group, session and terminal"
	is "$(cat "$tmp/with.limits")" "$(cat "$tmp/bare.limits")" \
	    "$1: limits, umask, folder"
}

"$tmp/look" "$tmp/bare"; ephid-wrap "$tmp/look" "$tmp/with"
compare plain

exec 7<"$srcdir/tests/lib.sh" 9>"$tmp/nine"
"$tmp/look" "$tmp/bare"; ephid-wrap "$tmp/look" "$tmp/with"
compare 'open descriptors'

(trap '' HUP USR1 PIPE; "$tmp/look" "$tmp/bare"
ephid-wrap "$tmp/look" "$tmp/with")
compare 'ignored signals'

"$tmp/look" "$tmp/bare" <&- 7<&- 9>&-
ephid-wrap "$tmp/look" "$tmp/with" <&- 7<&- 9>&-
is "$(fds "$tmp/with.fds" | grep -v '/dev/null')" \
    "$(fds "$tmp/bare.fds" | grep -v '/dev/null')" 'a closed stdin'
exec 7<&- 9>&-

# ^C as a background job of a shell without job control: ignored.
(trap '' INT; ephid-wrap -- sh -c 'kill -INT $$; echo alive') >"$tmp/out"
is "$(cat "$tmp/out")" alive 'an ignored INT stays ignored'

run sh -c 'ephid-wrap -- yes | head -n 1'
is "$out" y 'a broken pipe ends the command and the run'
run timeout 20 sh -c "ephid-wrap -- sh -c 'sleep 1000 & echo done' | cat"
is "$status|$out" '0|done' 'nobody of ours holds a pipe open'

mkfifo "$tmp/nine.go"
# A writer must see that the command closed its stdin.
run timeout 20 sh -c "yes 2>/dev/null | ephid-wrap -- sh -c 'exec <&-
    echo closed; exec sleep 0'"
is "$out" closed 'nor the read end of stdin'

# Beyond the limit that the caller set after opening it, too.
if command -v bash >/dev/null; then
	run timeout 20 sh -c "bash -c 'exec 200>&1; ulimit -Sn 64
	    exec ephid-wrap -- bash -c \"exec 200>&- >&-; read <$tmp/nine.go\"
	    ' | { cat; echo >$tmp/nine.go; }"
	is "$status" 0 'nor a descriptor beyond the limit'
else
	skip 1 'no bash'
fi

# --- all that /proc and prctl(2) tell of a process -----------------------
command -v python3 >/dev/null || { skip 1 'no python3'; exit 0; }
cat >"$tmp/probe.py" <<'EOT'
import ctypes, json, os, sys
libc = ctypes.CDLL(None)
got = {}
def prctl(name, option, *args):
    got[name] = libc.prctl(
        option, *(ctypes.c_ulong(a) for a in args or [0] * 4))
prctl("dumpable", 3)
prctl("keepcaps", 7)
prctl("securebits", 27)
prctl("timer slack", 30)
prctl("machine checks", 34)
prctl("no new privileges", 39, 0, 0, 0, 0)
prctl("huge pages off", 42, 0, 0, 0, 0)
for option, name in (52, "speculation"), (58, "I/O flusher"):
    prctl(name, option, 0, 0, 0, 0)
got["personality"] = libc.personality(0xffffffff)
got["ioprio"] = libc.syscall(252, 1, 0)
got["scheduler"] = os.sched_getscheduler(0)
got["nice"] = os.getpriority(os.PRIO_PROCESS, 0)
got["affinity"] = sorted(os.sched_getaffinity(0))
for name in ("cgroup", "comm", "coredump_filter", "limits", "loginuid",
             "mountinfo", "oom_score_adj", "sessionid", "setgroups",
             "uid_map"):
    try:
        got[name] = open("/proc/self/" + name).read()
    except OSError as e:
        got[name] = e.errno
for name in "cwd", "root", "exe":
    got[name] = os.readlink("/proc/self/" + name)
for name in sorted(os.listdir("/proc/self/ns")):
    got["ns " + name] = os.readlink("/proc/self/ns/" + name)
for line in open(sys.argv[2]):
    name, _, value = line.partition(":")
    if name in ("Umask", "Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp",
                "THP_enabled", "SigPnd", "ShdPnd", "Cpus_allowed",
                "Mems_allowed") or name[:3] in ("Cap", "Sig", "Spe"):
        if name != "SigQ":
            got[name] = value.strip()
got["arguments"] = open("/proc/self/cmdline", "rb").read().hex()
got["environment"] = [
    v.hex() for v in open("/proc/self/environ", "rb").read().split(b"\0")
    if not v.startswith((b"EPHID_", b"TRACEPARENT="))]
with open(sys.argv[1], "w") as f:
    json.dump(got, f)
EOT
cat >"$tmp/callers.py" <<'EOT'
import ctypes, json, os, resource, signal, subprocess, sys
from checks import *

libc = ctypes.CDLL(None, use_errno=True)
path = subprocess.run(["sh", "-c", "command -v ephid-wrap"],
                      stdout=subprocess.PIPE, text=True).stdout.strip()
status = TMP + "/status"
# A shell and python have signals of their own: cat has not.
commands = (["/bin/cat", "/proc/self/status"],
            [sys.executable, TMP + "/probe.py", TMP + "/got", status])

def execute(argv, environment):
    libc.execve(argv[0].encode(),
                (ctypes.c_char_p * (len(argv) + 1))(
                    *[a.encode() for a in argv], None),
                (ctypes.c_char_p * (len(environment) + 1))(*environment, None))

def seen(prepare, environment, *wrap):
    for argv in commands:
        pid = os.fork()
        if pid == 0:
            try:
                if argv == commands[0]:
                    os.dup2(os.open(status, os.O_WRONLY | os.O_CREAT |
                                    os.O_TRUNC, 0o666), 1)
                prepare()
                execute([*wrap, *argv], environment)
            finally:
                os._exit(99)
        end = os.waitpid(pid, 0)[1]
        if end:
            return {"status": end}
    with open(TMP + "/got") as f:
        return json.load(f)

plain = [b"%s=%s" % v for v in os.environb.items() if v[0] != b"_"]

def sigset(call, mask):
    raw = ctypes.c_ulong(mask)
    libc.syscall(14, 2, ctypes.byref(raw), None, 8)

def same(name, prepare, environment=plain):
    bare = seen(prepare, environment)
    wrapped = seen(prepare, environment, path, "--")
    differ = [k for k in {*bare, *wrapped} if bare.get(k) != wrapped.get(k)]
    ok(not differ, "as without us: " + name, "\n".join(
        "%s: %s, not %s" % (k, wrapped.get(k), bare.get(k)) for k in differ))
    return bare

def value(path, text):
    def write():
        with open(path, "w") as f:
            f.write(text)
    return write

def limits():
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 200))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 22))
    resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 1 << 24))
    resource.setrlimit(resource.RLIMIT_CPU, (100, 200))

def ignore_all():
    for n in range(1, 65):
        try:
            signal.signal(n, signal.SIG_IGN)
        except (OSError, ValueError):
            pass

def root_too():
    libc.prctl(28, 0x3f, 0, 0, 0)

same("anything", lambda: None)
same("limits", limits)
same("umask and folder", lambda: (os.umask(0o137), os.chdir("/")))
same("nice", lambda: os.nice(7))
same("one processor", lambda: os.sched_setaffinity(0, {0}))
same("batch scheduling", lambda: os.sched_setscheduler(
    0, os.SCHED_BATCH, os.sched_param(0)))
same("idle I/O", lambda: libc.syscall(251, 1, 0, 3 << 13))
same("oom_score_adj", value("/proc/self/oom_score_adj", "321"))
same("coredump_filter", value("/proc/self/coredump_filter", "0x7"))
same("timer slack", lambda: libc.prctl(29, 1234567, 0, 0, 0))
same("no randomization", lambda: libc.personality(0x0040000))
same("no new privileges", lambda: libc.prctl(38, 1, 0, 0, 0))
same("no huge pages", lambda: libc.prctl(41, 1, 0, 0, 0))
same("all signals ignored", ignore_all)
same("all signals blocked", lambda: sigset(2, 2 ** 64 - 1))
same("some of each", lambda: (sigset(2, 0x8000000480004603),
                              signal.signal(signal.SIGTERM, signal.SIG_IGN),
                              signal.signal(signal.SIGTTOU, signal.SIG_IGN),
                              signal.signal(signal.SIGCHLD, signal.SIG_IGN)))
same("odd names in the environment", lambda: None, plain + [
    b"NOTHING", b"TWICE=1", b"TWICE=2", b"=empty", b"BYTES=\xff\xfe\x80",
    b"EMPTY=", b"LINES=a\nb", b"E=" + b"x" * 100000])
if os.getuid() == 0:
    same("securebits", root_too)
    same("other ids", lambda: (os.setgroups([5, 6]), os.setgid(0)))
    same("a cgroup and a session of their own", os.setsid)
print("done")
EOT
checks python3 "$tmp/callers.py"
