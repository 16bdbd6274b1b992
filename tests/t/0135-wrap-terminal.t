#!/bin/sh
# At a terminal, under the job control of a shell, ephid-wrap is not there.
. "${srcdir:-.}/tests/lib.sh"
need python3
ephid-wrap true || bail 'ephid-wrap does not run'

# Says what it gets; "q" ends it. Its words are in brackets, for what is typed
# is echoed.
cat >"$tmp/talk.py" <<'EOT'
import os, signal, sys
count = {}
def say(words):
    os.write(1, ("[" + words + "]\n").encode())
def handle(n, frame):
    count[n] = count.get(n, 0) + 1
    say("%s %d" % (signal.Signals(n).name, count[n]))
    if n == signal.SIGWINCH:
        say("%dx%d" % tuple(os.get_terminal_size(0)))
for n in signal.SIGINT, signal.SIGWINCH, signal.SIGUSR1, *sys.argv[1:]:
    signal.signal(getattr(signal, n) if isinstance(n, str) else n, handle)
say("up %d %s" % (os.getpid(), os.tcgetpgrp(0) == os.getpgrp()))
while True:
    line = os.read(0, 100).decode().strip()
    if line == "q":
        sys.exit(7)
    say("read " + line)
EOT

cat >"$tmp/terminal.py" <<'EOT'
import os, re, signal, subprocess, sys, termios
from signal import *
from checks import *

SHELLS = {"bash": ["bash", "--norc", "--noprofile", "-i"],
          "zsh": ["zsh", "-f", "-i"]}
TALK = "%s %s/talk.py" % (sys.executable, TMP)
STOPPED = r"(?i)stopped|suspended"

class Shell(Terminal):
    def __init__(self, which):
        super().__init__(*SHELLS[which], env={
            **os.environ, "PS1": "P> ", "TERM": "dumb", "PROMPT_EOL_MARK": ""})
        self.which = which
        self.expect("P> ")

    def check(self, good, name, todo=False):
        ok(good, "%s: %s" % (self.which, name), self.seen, todo)

    def run(self, line):
        self.type(line + "\n")

    def ends(self, wanted, name):
        equal(self.status(), wanted, "%s: %s" % (self.which, name))

    def talk(self, *args):
        """Starts the talker; front's pid is that of its group."""
        self.run("ephid-wrap -- %s %s" % (TALK, " ".join(args)))
        up = self.expect(r"\[up (\d+) (\w+)\]")
        main = int(up[1])
        return os.getpgid(main), main, up[2]

    def stops(self):
        """Told at a prompt, for which Enter is typed."""
        return wait_for(lambda: self.run("") or self.expect(STOPPED, 0.1))

    def fg(self):
        """The foreground is another's then, and so is what is typed."""
        self.run("fg")
        wait_for(lambda: os.tcgetpgrp(self.fd) != self.pid)

    def status(self):
        self.run("echo st=$?")
        m = self.expect(r"st=(\d+)[\s\S]*?P> ")
        return m and int(m[1])

def jobs(which):
    t = Shell(which)

    # The terminal's signals are the command's, once.
    front, main, foreground = t.talk()
    t.check(foreground == "True", "the command is in the foreground")
    t.type("hello\n")
    t.check(t.expect(r"\[read hello\]"), "and reads the terminal")
    t.type("\x03")
    t.check(t.expect(r"\[SIGINT 1\]"), "^C arrives")
    # Of two that wait there is one: front must have taken the first.
    wait_for(lambda: re.search(r"ShdPnd:\s0+$", read("/proc/%d/status" % front),
                               re.M))
    os.kill(front, SIGINT)
    t.check(t.expect(r"\[SIGINT 2\]"), "and kill -INT")
    t.resize(31, 97)
    t.check(t.expect(r"\[SIGWINCH 1\]\s+\[97x31\]"), "a new size arrives")
    # Three of each would have been told of before this.
    os.kill(front, SIGUSR1)
    t.check(t.expect(r"\[SIGUSR1 1\]"), "a signal of no terminal")
    t.type("q\n")
    m = t.expect(r"([\s\S]*)P> ")
    t.check(m and "SIG" not in m[1], "nothing came twice")
    t.ends(7, "the status is the command's")
    t.run("ephid-wrap -- sleep 100")
    wait_for(lambda: os.tcgetpgrp(t.fd) != t.pid and
             child_of(child_of(os.tcgetpgrp(t.fd))))
    wait_for(lambda: read("/proc/%d/comm" % child_of(child_of(
        os.tcgetpgrp(t.fd)))) == "sleep\n")
    t.type("\x1c")
    t.expect("P> ")
    t.ends(128 + SIGQUIT, "^\\ ends it")

    # Stop and go.
    front, main, _ = t.talk()
    t.type("\x1a")
    t.check(t.expect(STOPPED) and t.expect("P> "), "^Z gives the shell back")
    t.check(stopped(front) and stopped(main), "with all of the job stopped")
    t.run("jobs")
    t.check(t.expect(STOPPED) and t.expect("P> "), "jobs knows it")
    t.run("bg")
    t.check(t.stops(), "in the background its reading stops it")
    t.check(wait_for(lambda: stopped(front) and stopped(main)), "as a whole")
    t.fg()
    t.type("again\n")
    t.check(t.expect(r"\[read again\]"), "fg lets it read")
    t.type("\x03")
    t.check(t.expect(r"\[SIGINT 1\]"), "and be interrupted")
    t.type("\x1a")
    t.check(t.expect(STOPPED) and t.expect("P> "), "^Z stops it again")
    t.fg()
    t.type("q\n")
    t.expect("P> ")
    t.ends(7, "and it ends as it likes")

    # Started in the background.
    t.run("ephid-wrap -- cat &")
    t.expect("P> ")
    t.check(t.stops(),
            "a background reader stops")
    # TODO: under load it stops by TTIN once more, after one fg in a hundred;
    # the cause is not found. Who sees that types fg again.
    for _ in range(3):
        t.fg()
        t.type("in front\n")
        came = t.expect(r"in front\s+in front", 5)
        if came:
            break
    t.check(came, "and reads in the foreground")
    t.type("\x04")
    t.expect("P> ")
    t.ends(0, "to its end")
    t.run("stty tostop; ephid-wrap -- sh -c 'echo ou''tput' &")
    t.expect("P> ")
    t.check(t.stops(),
            "with tostop a background writer stops")
    t.run("fg")
    t.check(t.expect("output"), "and writes in the foreground")
    t.expect("P> ")
    t.run("stty -tostop; ephid-wrap -- sh -c 'echo ou''tput' &")
    t.check(t.expect("output"), "without, it writes")

    # One that stops itself, as an editor or an agent's screen does.
    t.run("ephid-wrap -- sh -c 'kill -STOP $$; echo went o''n; exit 5'")
    if t.expect(STOPPED, 5):
        t.check(t.expect("P> "),
                "a command that stops alone gives the shell back")
        t.run("fg")
        t.check(t.expect("went on"), "and goes on")
        t.expect("P> ")
        t.ends(5, "to its end")
    else:
        t.check(False, "a command that stops alone gives the shell back")
        t.close()
        t = Shell(which)
    front, main, _ = t.talk("SIGTSTP")
    t.type("\x1a")
    t.check(t.expect(r"\[SIGTSTP 1\]"), "one that catches ^Z")
    t.type("still here\n")
    t.check(t.expect(r"\[read still here\]", 3), "stays in the foreground")
    t.check(not stopped(front), "and front with it")
    if stopped(front):
        t.fg()
    t.type("q\n")
    t.expect("P> ")

    # A shell inside.
    t.run("PS1='I''> ' ephid-wrap -- " + " ".join(SHELLS[which]))
    t.expect("I> ")
    t.run("sleep 100")
    wait_for(lambda: read("/proc/%d/comm" % os.tcgetpgrp(t.fd)) == "sleep\n")
    t.type("\x1a")
    t.check(t.expect(STOPPED) and t.expect("I> "), "a shell inside has jobs")
    t.run("kill %1; fg")
    t.expect("I> ")
    t.run("suspend -f")
    if t.expect(STOPPED, 5) and t.expect("P> ", 5):
        t.check(True, "and can be suspended")
        t.fg()
        t.run("exit 9")
        t.expect("P> ")
        t.ends(9, "and resumed")
    else:
        t.check(False, "and can be suspended")
        t.close()
        t = Shell(which)

    t.run("ephid-wrap -- yes | head -n 1; echo en''d")
    t.check(t.expect(r"y\s+end"), "a pipeline ends")
    t.expect("P> ")
    t.run("echo pi''ped | ephid-wrap -- cat | cat")
    t.check(t.expect("piped"), "and passes on")
    t.expect("P> ")

    # The window is closed: the shell tells its jobs, the terminal all.
    front, main, _ = t.talk()
    ident = dict(v.split("=", 1) for v in
                 read("/proc/%d/environ" % main).split("\0") if "=" in v
                 )["EPHID_ID"]
    ok(active(ident), which + ": live until the window is closed")
    guardian = child_of(front)
    os.close(t.fd)
    t.fd = -1
    ok(wait_for(lambda: gone(main)), which + ": which ends the command")
    ok(wait_for(lambda: gone(guardian) and gone(front)),
       which + ": and the run")
    ok(not active(ident), which + ": revoked")
    t.close()

def programs():
    with open(TMP + "/page", "w") as f:
        f.write("".join("line %d\n" % i for i in range(200)))
    for argv, last, keys in (
            (["less", TMP + "/page"], "line 2\\D", "q"),
            (["vim", "-u", "NONE", TMP + "/page"], "line 2\\D", ":q!\n")):
        if subprocess.run(["which", argv[0]], stdout=subprocess.DEVNULL
                          ).returncode:
            skip("no " + argv[0])
            continue
        t = Terminal("ephid-wrap", "--", *argv, env={**os.environ,
                                                     "TERM": "vt100"})
        ok(t.expect(last), argv[0] + " shows its file", t.seen)
        t.type(keys)
        equal(t.wait(), 0, "and takes its keys")
        t.close()

def modes():
    t = Terminal("sh", "-c", "stty -a >$TMPDIR/b; ephid-wrap -- stty -echo "
                 "-icanon min 3; stty -a >$TMPDIR/a; read x")
    wait_for(lambda: "min = 3" in read(TMP + "/a"))
    flags = termios.tcgetattr(t.fd)[3]
    equal(flags & (termios.ECHO | termios.ICANON), 0,
          "the terminal is left as the command left it")
    t.close()
    t = Terminal("sh", "-c", "stty -a >$TMPDIR/b; ephid-wrap true; "
                 "stty -a >$TMPDIR/a; echo >$TMPDIR/c; read x")
    wait_for(lambda: read(TMP + "/c"))
    equal(read(TMP + "/a"), read(TMP + "/b"), "and otherwise untouched")
    t.close()

def leader():
    """Nobody is there to continue what stops: ssh -t, docker -t, tmux."""
    t = Terminal("ephid-wrap", "--", *TALK.split())
    up = t.expect(r"\[up (\d+) (\w+)\]")
    main = int(up[1])
    equal(up[2], "True", "as the first of a session, in the foreground")
    t.type("\x1a")
    t.type("on\n")
    ok(t.expect(r"\[read on\]", 3), "^Z stops nothing, for nobody could go on",
       state(main))
    if stopped(main):
        os.kill(t.pid, SIGCONT)
        os.kill(main, SIGCONT)
    t.type("\x03")
    ok(t.expect(r"\[SIGINT 1\]"), "^C is heard")
    ok(os.getsid(child_of(t.pid)) != t.pid, "for the guardian is not of it")
    ident = [v for v in read("/proc/%d/environ" % main).split("\0")
             if v.startswith("EPHID_ID=")][0][9:]
    os.close(t.fd)
    t.fd = -1
    ok(wait_for(lambda: gone(main) and gone(t.pid)), "a hang-up ends it")
    ok(not active(ident), "and the identity")
    t.close()

for which in SHELLS:
    if subprocess.run(["which", which], stdout=subprocess.DEVNULL).returncode:
        skip("no " + which)
    else:
        jobs(which)
programs()
modes()
leader()
print("done")
EOT
checks python3 "$tmp/terminal.py"
