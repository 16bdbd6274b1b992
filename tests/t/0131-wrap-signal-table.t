#!/bin/sh
# What becomes of each signal that is sent to ephid-wrap.
. "${srcdir:-.}/tests/lib.sh"
need python3
ephid-wrap true || bail 'ephid-wrap does not run'

# Writes down each signal it gets, with how it was sent and its value. TERM
# ends it, 0.2 s later with `slow', which tells a second one from none.
cat >"$tmp/record.py" <<'EOT'
import ctypes, os, signal, sys, time

libc = ctypes.CDLL(None)
log = open(sys.argv[1], "w", buffering=1)
every = set(range(1, 65)) - {32, 33}
signal.pthread_sigmask(signal.SIG_SETMASK, every)
mask = (ctypes.c_ulong * 16)(*[2 ** 64 - 1] * 16)
info = ctypes.create_string_buffer(128)
log.write("up %s\n" % os.environ.get("EPHID_ID", "-"))
while True:
    n = libc.sigwaitinfo(mask, info)
    if n < 1:
        continue
    code = int.from_bytes(info[8:12], "little", signed=True)
    value = int.from_bytes(info[24:28], "little") if code == -1 else 0
    log.write("%d %d %d\n" % (n, code, value))
    if n == signal.SIGUSR2:
        os._exit(0)
EOT

cat >"$tmp/table.py" <<'EOT'
import ctypes, os, signal, subprocess, sys
from signal import *
from checks import *

log = TMP + "/log"
libc = ctypes.CDLL(None, use_errno=True)

def end_of(p):
    """As p.wait(), but one that hangs is killed: -9."""
    if not wait_for(lambda: p.poll() is not None, 10):
        os.kill(p.pid, SIGKILL)
    return p.wait()

class Run:
    """The recorder beneath ephid-wrap, up and running."""
    def __init__(self, *options, before=None):
        if os.path.exists(log):
            os.unlink(log)
        self.p = subprocess.Popen(
            ["ephid-wrap", "--grace", "1h", *options, "--",
             sys.executable, TMP + "/record.py", log], preexec_fn=before)
        self.front = self.p.pid
        if not wait_for(lambda: read(log).endswith("\n")):
            print("# the recorder did not start")
            sys.exit(1)
        self.id = read(log).split()[1]
        self.guardian = child_of(self.front)
        self.main = child_of(self.guardian)
    def got(self):
        return [tuple(map(int, l.split())) for l in read(log).split("\n")[1:-1]]
    def numbers(self):
        return [n for n, _, _ in self.got()]
    def send(self, n):
        os.kill(self.front, n)
    def takes(self, n):
        """It is handed on: waits until it has come."""
        had = len(self.got())
        self.send(n)
        return wait_for(lambda: len(self.got()) > had, 2)
    def end(self):
        """USR2 goes the same way, so nothing is on the way behind it."""
        self.send(SIGUSR2)
        return end_of(self.p)

def name(n):
    try:
        return Signals(n).name
    except ValueError:
        return "signal %d" % n

# --- each, once --------------------------------------------------------
r = Run()
alone = [SIGUSR1, SIGWINCH, SIGALRM, SIGPIPE, SIGCONT, SIGURG, SIGIO, SIGPROF,
         SIGVTALRM, SIGXCPU, SIGXFSZ, SIGPWR, SIGSTKFLT,
         *range(34, 65)]
for n in alone:
    r.takes(n)
ended = r.end()
for n in alone:
    equal(r.numbers().count(n), 1, name(n) + " arrives once")
equal((ended, len(r.got())), (0, len(alone) + 1), "and nothing else does")

r = Run()
r.takes(SIGTSTP)
r.takes(SIGCONT)
r.end()
equal(r.numbers(), [SIGTSTP, SIGCONT, SIGUSR2], "TSTP arrives once, and CONT")

for n in SIGTERM, SIGINT, SIGHUP, SIGQUIT:
    r = Run()
    ok(r.takes(n), name(n) + " arrives")
    ok(active(r.id), "and ends nothing by itself")
    r.end()
    equal(r.numbers(), [n, SIGUSR2], "and came once")

# CHLD is front's own affair: it has children that the command knows not of.
r = Run()
r.send(SIGCHLD)
r.end()
equal(r.numbers(), [SIGUSR2], "CHLD is not handed on")

# --- queued ------------------------------------------------------------
r = Run()
os.kill(r.main, SIGSTOP)
wait_for(lambda: stopped(r.main))
for i in range(20):
    libc.sigqueue(r.front, SIGRTMIN + 3, ctypes.c_void_p(100 + i))
os.kill(r.main, SIGCONT)
os.kill(r.front, SIGCONT)
wait_for(lambda: len([g for g in r.got() if g[0] == SIGRTMIN + 3]) == 20, 5)
r.end()
queued = [g for g in r.got() if g[0] == SIGRTMIN + 3]
equal(len(queued), 20, "real-time signals queue, none is lost")
equal([v for _, _, v in queued], list(range(100, 120)),
      "each with its value, in order")

# --- what the caller ignored, blocked, or had set ------------------------
r = Run(before=lambda: [signal.signal(s, SIG_IGN)
                        for s in (SIGHUP, SIGINT, SIGUSR1, SIGTSTP)])
for n in SIGHUP, SIGINT, SIGUSR1, SIGTSTP:
    r.send(n)
r.end()
equal(r.numbers(), [SIGUSR2], "what the caller ignored is ignored")

r = Run(before=lambda: signal.pthread_sigmask(SIG_BLOCK, {SIGTERM, SIGUSR1}))
ok(r.takes(SIGUSR1) and r.takes(SIGTERM), "what it blocked is handed on")
r.end()

def alarm():
    setitimer(ITIMER_REAL, 0.3)
r = Run(before=alarm)
ok(wait_for(lambda: SIGALRM in r.numbers(), 5),
   "an alarm set before the exec rings at the command")
r.end()

p = subprocess.Popen(["ephid-wrap", "--", "sh", "-c", "exit 23"],
                     preexec_fn=lambda: signal.signal(SIGCHLD, SIG_IGN))
equal(end_of(p), 23, "with CHLD ignored the status comes through")

# One that was pending when the caller became ephid-wrap.
def pending():
    signal.pthread_sigmask(SIG_BLOCK, {SIGUSR1})
    os.kill(os.getpid(), SIGUSR1)
r = Run(before=pending)
ok(wait_for(lambda: SIGUSR1 in r.numbers(), 5), "a pending signal arrives")
r.end()

# --- stops --------------------------------------------------------------
# The waiter sees of ephid-wrap what it would see of the command.
def told(p, flags, seconds=5):
    """The next stop or continuation of a child, 0 if none comes."""
    seen = []
    def look():
        pid, status = os.waitpid(p.pid, flags | os.WNOHANG)
        if pid:
            seen.append(status)
        return pid
    return seen[0] if wait_for(look, seconds) else 0

def job(command, **how):
    p = subprocess.Popen(["ephid-wrap", "--", *command],
                         preexec_fn=os.setpgrp, **how)
    wait_for(lambda: child_of(p.pid) and child_of(child_of(p.pid)) and
             "ephid" not in read("/proc/%d/comm" % child_of(child_of(p.pid))))
    return p, child_of(child_of(p.pid))

p, main = job(["sleep", "100"])
os.kill(p.pid, SIGTSTP)
status = told(p, os.WUNTRACED)
ok(os.WIFSTOPPED(status) and stopped(main), "TSTP stops front and command")
equal(os.WSTOPSIG(status) if status else 0, SIGTSTP, "by TSTP")
os.kill(p.pid, SIGCONT)
ok(os.WIFCONTINUED(told(p, os.WCONTINUED)) and
   wait_for(lambda: not stopped(main)), "and CONT wakes both")
os.kill(main, SIGSTOP)
ok(os.WIFSTOPPED(told(p, os.WUNTRACED)),
   "front stops when the command is stopped")
os.kill(main, SIGCONT)
ok(os.WIFCONTINUED(told(p, os.WCONTINUED)), "and goes on when it does")
ok(wait_for(lambda: state(p.pid) == "S"), "and is no more stopped")
os.kill(main, SIGSTOP)
wait_for(lambda: stopped(p.pid))
os.kill(main, SIGKILL)
equal(end_of(p), -SIGKILL, "the end of a stopped command is told")

p, main = job(["sh", "-c", "trap 'exit 3' TERM; kill -STOP $$; exit 4"])
wait_for(lambda: stopped(main) and stopped(p.pid))
os.kill(p.pid, SIGTERM)
os.kill(p.pid, SIGCONT)
equal(end_of(p), 3, "TERM and CONT end a stopped command, as it likes")

# One that catches TSTP to tidy up is stopped when it has, not before.
p, main = job([sys.executable, "-c",
               "import os, signal, time\n"
               "def tidy(n, f):\n"
               "    os.write(1, b'tidy')\n"
               "    time.sleep(0.3)\n"
               "    os.write(1, b'done')\n"
               "    os.kill(os.getpid(), signal.SIGSTOP)\n"
               "    os._exit(6)\n"
               "signal.signal(signal.SIGTSTP, tidy)\n"
               "os.write(1, b'up')\n"
               "while True: time.sleep(1)\n"], stdout=subprocess.PIPE)
os.read(p.stdout.fileno(), 2)
os.kill(p.pid, SIGTSTP)
os.read(p.stdout.fileno(), 4)
ok(not stopped(p.pid), "front does not stop before the command has")
ok(os.WIFSTOPPED(told(p, os.WUNTRACED)), "but when it has")
equal(os.read(p.stdout.fileno(), 100), b"done", "after its last words")
os.killpg(p.pid, SIGCONT)
equal(end_of(p), 6, "and the group goes on")

# --- front is stopped itself ---------------------------------------------
r = Run()
os.kill(r.front, SIGSTOP)
wait_for(lambda: stopped(r.front))
ok(active(r.id), "SIGSTOP of front ends nothing")
os.kill(r.main, SIGUSR2)
ok(wait_for(lambda: not active(r.id)),
   "the end of the command revokes all the same")
equal(end_of(r.p), 0, "and is told, though nobody continues front")
print("done")
EOT
checks python3 "$tmp/table.py"
