"""checks - what the python parts of tests/t share: checks that lib.sh counts
(see `checks' there), /proc, and a terminal to type at."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time

TMP = os.environ["TMPDIR"]


def ok(good, name, detail=None, todo=False):
    """With `todo' one that fails is known to."""
    print(("ok " if good else "todo " if todo else "not ok ") + name)
    if not good and detail is not None:
        for line in str(detail).split("\n"):
            print("# " + line)
    sys.stdout.flush()
    return good


def equal(got, wanted, name, todo=False):
    return ok(got == wanted, name,
              "got:    %r\nwanted: %r" % (got, wanted), todo)


def skip(why):
    print("skip " + why)


def wait_for(condition, seconds=10):
    """Polls an event; True when it came."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def read(path):
    try:
        with open(path) as f:
            return f.read()
    except OSError:
        return ""


def state(pid):
    """The letter of /proc, '' when it is gone."""
    return read("/proc/%d/stat" % pid).rpartition(")")[2][1:2]


def stopped(pid):
    return state(pid) == "T"


def gone(pid):
    return state(pid) in ("", "Z", "X")


def ignored(n):
    """Whether the caller ignores it: make(1) leaves libc's 32 and 33 so."""
    mask = re.search(r"SigIgn:\s*(\w+)", read("/proc/self/status"))
    return int(mask.group(1), 16) >> (n - 1) & 1


def child_of(pid):
    """Its one child: front's guardian, the guardian's command."""
    found = read("/proc/%d/task/%d/children" % (pid, pid)).split()
    return int(found[0]) if found else 0


def active(ident):
    """Whether the identity is live, without the sweep of a look."""
    return (
        subprocess.run(["ephid-inspect", "--quiet", ident]).returncode == 0
    )


class Terminal:
    """A program on a pty of its own, whose session it leads."""

    def __init__(self, *argv, env=None):
        self.seen = ""
        self.argv = argv
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            for s in range(1, signal.NSIG):
                if s not in (signal.SIGKILL, signal.SIGSTOP, 32, 33):
                    signal.signal(s, signal.SIG_DFL)
            os.execvpe(argv[0], argv, env or os.environ)
        self.resize(24, 80)

    def resize(self, rows, columns):
        fcntl.ioctl(
            self.fd,
            termios.TIOCSWINSZ,
            struct.pack("HHHH", rows, columns, 0, 0),
        )

    def type(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern, seconds=10):
        """What was shown up to the pattern, which is then done with."""
        end = time.monotonic() + seconds
        while True:
            m = re.search(pattern, self.seen)
            if m:
                self.seen = self.seen[m.end():]
                return m
            left = end - time.monotonic()
            if left <= 0:
                return None
            if select.select([self.fd], [], [], left)[0]:
                try:
                    got = os.read(self.fd, 65536)
                except OSError:
                    return None
                self.seen += got.decode(errors="replace")

    def wait(self, seconds=10):
        """The wait status; None when it does not end."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            # An output that nobody reads would hold it up.
            self.expect(r"(?!)", 0.02)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.pid = 0
                return status
        return None

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            self.pid = 0
