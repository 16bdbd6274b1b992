#!/bin/sh
# What stops jobs: GitHub's runner, GitLab's, docker stop, systemd. Each is
# done here as it does it, to ephid-wrap itself and to one beneath a shell or
# an init; what survives is said in ephid(7), ENDING. The ledger is read with
# sqlite3, for our programs sweep.
#
# How long each waits between its signals is its own affair, and short here;
# EPHID_FULL=1 waits as long as they do.
full=${EPHID_FULL:-} # lib.sh drops what is called EPHID_*
. "${srcdir:-.}/tests/lib.sh"
need python3 sqlite3 bash
export full
ephid-wrap true || bail 'ephid-wrap does not run'

# The agent: a tame one ends with the signals that it gets; a stubborn one and
# all that it starts ignore them. The last of its children has left session
# and environment behind, so that nothing ties it to the job.
cat >"$tmp/agent" <<'EOT'
[ "$1" = tame ] || trap '' INT TERM HUP
sleep "$3" &
env -i "$(command -v setsid)" "$(command -v sleep)" "$3" &
echo "$EPHID_ID $EPHID_TOKEN_DIR" >"$2.new" && mv "$2.new" "$2"
wait
sleep "$3"
EOT

cat >"$tmp/killers.py" <<'EOT'
import atexit, glob, os, shutil, signal, subprocess, sys, time
from signal import SIGCONT, SIGINT, SIGKILL, SIGTERM
from checks import *

FULL = bool(os.environ["full"])
GRACE = "2s" if FULL else "500ms"
HOME = os.environ["EPHID_HOME"]
MARK = "1732%d" % os.getpid()
ROOT = os.geteuid() == 0
UP = TMP + "/up"

def db(sql):
    return subprocess.run(["sqlite3", "-readonly", HOME + "/ledger.db", sql],
                          capture_output=True, text=True).stdout.strip()

def alive():
    """Whoever has the mark as an argument, and is no zombie."""
    return [p for p in map(int, filter(str.isdigit, os.listdir("/proc")))
            if MARK in read("/proc/%d/cmdline" % p).split("\0")
            and not gone(p)]

class Job:
    """A run whose command is up: `entry' is what the killer started, and
    `before' and `after' stand around ephid-wrap in its arguments."""
    def __init__(self, kind, before=(), script=None, env=None, setup=None):
        if os.path.exists(UP):
            os.unlink(UP)
        wrap = ["ephid-wrap", "-q", "--grace", GRACE, "--",
                "sh", TMP + "/agent", kind, UP, MARK]
        if script:
            step = TMP + "/step"
            with open(step, "w") as f:
                f.write(script % " ".join(wrap))
            wrap = []
        self.p = subprocess.Popen([*before, *wrap], preexec_fn=setup,
                                  env={**os.environ, **(env or {})},
                                  stdin=subprocess.DEVNULL,
                                  stdout=subprocess.DEVNULL)
        self.entry = self.p.pid
        if not wait_for(lambda: os.path.exists(UP), 20):
            print("# the run did not start")
            sys.exit(1)
        self.id, self.folder = read(UP).split()
        self.guardian = int(db("select holder_pid from identity where id = '"
                               + self.id + "'"))

    def revoked(self):
        return db("select revoked_at from identity where id = '%s'"
                  % self.id) != ""
    def why(self):
        return db("select reason from identity where id = '%s'" % self.id)
    def over(self):
        return self.p.poll() is not None
    def exits(self, seconds):
        return wait_for(self.over, seconds)
    def left(self):
        return alive() + [p for p in [self.front()] if p and not gone(p)]
    def front(self):
        for p in filter(str.isdigit, os.listdir("/proc")):
            line = read("/proc/%s/cmdline" % p)
            if line.startswith("ephid-wrap\0") and MARK in line:
                return int(p)

    def ends(self, name, seconds=5):
        """The last words on each job that was not killed as a whole."""
        ok(wait_for(self.revoked, 1), name + ": revoked", db(
            "select id, reason from identity where revoked_at is null"))
        ok(wait_for(lambda: not self.left(), seconds),
           name + ": nothing is left running", self.left())
        ok(not os.path.exists(self.folder), name + ": nor a token file")
        self.p.wait(20)

    def swept(self, name):
        """And on those that were."""
        ok(wait_for(lambda: not alive(), 3), name + ": nothing runs", alive())
        self.p.wait(20)
        ok(not self.revoked(), name + ": there was nobody to revoke")
        subprocess.run(["ephid-revoke", "-q", "--sweep"])
        ok(self.revoked() and not os.path.exists(self.folder),
           name + ": the next sweep does, and takes the token file")

# --- GitHub's runner ---------------------------------------------------
# The step's process gets INT, TERM after 7.5 s, KILL after another 2.5; none
# of what it started does. When the job ends whatever has the job's variable
# in its environment is killed, as one look at /proc finds it.

def found_by_runner(user, ident):
    """In one look, by a runner of that user."""
    got = subprocess.run(
        [*user, "sh", "-c", "grep -lz '^RUNNER_TRACKING_ID=%s$' "
         "/proc/[0-9]*/environ 2>/dev/null" % ident],
        capture_output=True, text=True).stdout.split()
    return [int(p.split("/")[2]) for p in got]

def cancel(job):
    """How long after the TERM it was revoked, None when it was before."""
    os.kill(job.entry, SIGINT)
    if job.exits(7.5 if FULL else 0.5):
        return
    os.kill(job.entry, SIGTERM)
    end = time.monotonic() + 2.5
    at = None
    while time.monotonic() < end and not job.over():
        if at is None and job.revoked():
            at = time.monotonic() - (end - 2.5)
        time.sleep(0.02)
    if not job.over():
        os.kill(job.entry, SIGKILL)
    return at

def clean_up(job, user, ident):
    found = found_by_runner(user, ident)
    for p in found:
        try:
            os.kill(p, SIGKILL)
        except ProcessLookupError:
            pass
    return found

def github(who, user):
    ident = "github_%s_%d" % (who, os.getpid())
    env = {"RUNNER_TRACKING_ID": ident}

    name = "GitHub, %s: ephid-wrap as the step" % who
    job = Job("tame", user, env=env)
    ok(job.guardian not in found_by_runner(user, ident),
       name + ": the guardian cannot be found by its environment")
    cancel(job)
    ok(job.over(), name + ": ends with INT")
    job.ends(name)

    name = "GitHub, %s: a stubborn one" % who
    job = Job("stubborn", user, env=env)
    at = cancel(job)
    ok(at is not None and at < 1, name + ": revoked as the TERM came", at)
    equal(job.why(), "ended by a second signal", name + ": which was second")
    clean_up(job, user, ident)
    job.ends(name)

    name = "GitHub, %s: below bash" % who
    job = Job("stubborn", [*user, "bash", "-e", TMP + "/step"],
              script="%s\necho after\n", env=env)
    cancel(job)
    ok(job.over() and not job.revoked(),
       name + ": no signal comes before the kill")
    found = clean_up(job, user, ident)
    ok(len(found) > 0 and job.guardian not in found,
       name + ": which does not find the guardian", found)
    job.ends(name)

def github_at_the_mint():
    """Until it has minted, the guardian can be found, by root."""
    ident = "github_mint_%d" % os.getpid()
    had = db("select count(*) from identity")
    writer = subprocess.Popen(["sqlite3", HOME + "/ledger.db"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                              text=True)
    writer.stdin.write("begin immediate; select 'held';\n")
    writer.stdin.flush()
    writer.stdout.readline()
    p = subprocess.Popen(["ephid-wrap", "-q", "sleep", MARK],
                         env={**os.environ, "RUNNER_TRACKING_ID": ident})
    wait_for(lambda: child_of(p.pid), 5)
    both = {p.pid, child_of(p.pid)}
    if read("/proc/%d/environ" % p.pid):
        ok(wait_for(lambda: both == set(found_by_runner([], ident))),
           "GitHub: both are found before the mint", both)
    else:
        skip("both are closed to us")
    for pid in both:
        os.kill(pid, SIGKILL)
    p.wait()
    writer.communicate("rollback;\n")
    equal(db("select count(*) from identity"), had,
          "GitHub: and nothing was minted")
    subprocess.run(["ephid-revoke", "-q", "--sweep"])
    equal(os.listdir(HOME + "/runs"), [], "GitHub: a sweep takes the lock")

# --- GitLab's runner, shell executor -----------------------------------
# A shell in a group of its own; TERM to the group, and KILL after a time.

def own_group():
    os.setpgid(0, 0)

def gitlab(job, seconds):
    os.killpg(job.entry, SIGTERM)
    end = time.monotonic() + seconds
    while time.monotonic() < end and (job.p.poll() is None or job.front()):
        time.sleep(0.02)
    try:
        os.killpg(job.entry, SIGKILL)
    except ProcessLookupError:
        pass

def test_gitlab():
    shell = ["bash", TMP + "/step"]
    job = Job("tame", shell, script="%s\necho after\n", setup=own_group)
    gitlab(job, 5)
    job.ends("GitLab")
    job = Job("stubborn", shell, script="%s\necho after\n", setup=own_group)
    gitlab(job, 600 if FULL else 6)
    equal(job.why(), "ended by a signal and its grace was over",
          "GitLab: a stubborn command has its grace")
    job.ends("GitLab, a stubborn command")
    # What the shell ignores ephid-wrap does, too.
    job = Job("stubborn", shell, script="trap '' TERM\n%s\necho after\n",
              setup=own_group)
    gitlab(job, 0.5)
    job.ends("GitLab, a stubborn script")
    equal(db("select pid from event where kind = 'revoked' and id = '%s'"
             % job.id), str(job.guardian), "GitLab: by the guardian")

# --- docker stop -------------------------------------------------------
# TERM to the first process, and after 10 s KILL to all.

def docker(*argv, kind, script=None):
    return Job(kind, ["unshare", "-pf", "--mount-proc", "--kill-child",
                      "setsid", *argv], script=script)

def stop(job, seconds=10):
    """Seconds until it is over."""
    first, begin = child_of(job.entry), time.monotonic()
    os.kill(first, SIGTERM)
    if not job.exits(seconds):
        os.kill(first, SIGKILL)
    job.p.wait()
    return time.monotonic() - begin

def test_docker():
    job = docker(kind="tame")
    stop(job)
    equal(job.p.returncode, 143, "docker stop: ephid-wrap as PID 1 exits 143")
    job.ends("docker stop")
    job = docker(kind="stubborn")
    took = stop(job)
    equal(job.p.returncode, 137, "docker stop: 137, when it is stubborn")
    ok(took < 9, "docker stop: within the 10 s", took)
    job.ends("docker stop, a stubborn one")
    if shutil.which("tini"):
        job = docker("tini", "--", kind="tame")
        stop(job)
        equal(job.p.returncode, 143, "docker stop: below an init 143, too")
        job.ends("docker stop, below an init")
    else:
        skip("no tini")
    # A shell as PID 1 gets no TERM at all.
    for _ in range(10):
        job = docker("sh", TMP + "/step", kind="tame",
                     script="%s\necho after\n")
        stop(job, 10 if FULL else 0.3)
        if not job.revoked():
            break
    job.swept("docker stop, below a shell")

    for _ in range(10):
        job = docker(kind="tame")
        os.kill(child_of(job.entry), SIGKILL)
        job.p.wait()
        if not job.revoked():
            break
    job.swept("docker kill")

# --- systemd -----------------------------------------------------------

class Cgroup:
    """Of version 2, or, where there is none to write to, whoever descends
    from the first process."""
    def __init__(self):
        self.path = None
        for line in read("/proc/mounts").split("\n"):
            f = line.split()
            if len(f) > 2 and f[2] == "cgroup2":
                path = "%s/ephid-test-%d" % (f[1], os.getpid())
                try:
                    os.mkdir(path)
                except OSError:
                    continue
                self.path = path
                break
    def enter(self):
        if self.path:
            with open(self.path + "/cgroup.procs", "w") as f:
                f.write("0")
    def members(self, main):
        if self.path:
            return list(map(int, read(self.path + "/cgroup.procs").split()))
        found = [main]
        for p in found:
            for c in glob.glob("/proc/%d/task/*/children" % p):
                found += map(int, read(c).split())
        return found
    def signal(self, sig, main):
        if sig == SIGKILL and self.path and \
                os.path.exists(self.path + "/cgroup.kill"):
            with open(self.path + "/cgroup.kill", "w") as f:
                f.write("1")
            return
        for p in self.members(main):
            try:
                os.kill(p, sig)
            except ProcessLookupError:
                pass
    def remove(self):
        if self.path:
            wait_for(lambda: not self.members(0))
            os.rmdir(self.path)

def systemctl_stop(job, mode, group, seconds=6):
    """As systemd.kill(5) says of KillMode=."""
    everybody = group.members(job.entry)
    if mode == "control-group":
        group.signal(SIGTERM, job.entry)
        group.signal(SIGCONT, job.entry)
        wait_for(lambda: job.over() and all(map(gone, everybody)), seconds)
    else:
        os.kill(job.entry, SIGTERM)
        os.kill(job.entry, SIGCONT)
        job.exits(seconds)
    late = not job.over()
    if mode != "process":
        if group.path:
            group.signal(SIGKILL, job.entry)
        else:
            for p in everybody:
                if not gone(p):
                    os.kill(p, SIGKILL)
    elif late:
        os.kill(job.entry, SIGKILL)
    return not late

def test_systemd():
    group = Cgroup()
    print("# cgroup: %s" % group.path)
    shell = ["sh", TMP + "/step"]
    below = "%s\necho after\n"
    for mode in ("control-group", "mixed", "process"):
        name = "KillMode=" + mode
        job = Job("stubborn", setup=group.enter)
        ok(systemctl_stop(job, mode, group),
           name + ": ephid-wrap ends in its time")
        equal(job.why(), "ended by a signal and its grace was over",
              name + ": with its grace")
        job.ends(name)

    name = "KillMode=control-group, below a shell"
    job = Job("tame", shell, script=below, setup=group.enter)
    systemctl_stop(job, "control-group", group)
    job.ends(name)

    for _ in range(10):
        job = Job("tame", shell, script=below, setup=group.enter)
        systemctl_stop(job, "mixed", group)
        if not wait_for(job.revoked, 0.3):
            break
    job.swept("KillMode=mixed, below a shell")

    name = "KillMode=process, below a shell"
    job = Job("tame", shell, script=below, setup=group.enter)
    systemctl_stop(job, "process", group)
    ok(job.over() and job.front() and alive() and not job.revoked(),
       name + ": the run goes on")
    os.kill(job.front(), SIGTERM)
    job.ends(name + ", until somebody ends it")

    for _ in range(10):
        job = Job("tame", setup=group.enter)
        group.signal(SIGKILL, job.entry)
        if not wait_for(job.revoked, 0.3):
            break
    job.swept("systemctl kill -s KILL")
    group.remove()

@atexit.register
def leave_nothing():
    for p in alive():
        os.kill(p, SIGKILL)

who, user = sys.argv[1], sys.argv[2:]
if who == "user":
    github(who, user)
else:
    github(who, [])
    github_at_the_mint()
    test_gitlab()
    test_systemd()
    if ROOT and subprocess.run(["unshare", "-pf", "true"]).returncode == 0:
        test_docker()
    else:
        skip("no PID namespace can be made here")
print("done")
EOT
if [ "$(id -u)" -ne 0 ]; then
	checks python3 "$tmp/killers.py" 'its user'
else
	checks python3 "$tmp/killers.py" root
fi

# GitHub's runner is mostly an ordinary user, to whom ephid-wrap is closed: it
# can kill what it started, and reads neither environment.
if [ "$(id -u)" -eq 0 ] && can_as_user; then
	EPHID_HOME=$user_home/home
	chmod 711 "$tmp"
	export EPHID_HOME
	TMPDIR=$user_home
	cp "$tmp/agent" "$user_home"
	checks python3 "$tmp/killers.py" user setpriv --reuid=1000 \
	    --regid=1000 --clear-groups env "HOME=$user_home"
else
	skip 1 'no other user'
fi
