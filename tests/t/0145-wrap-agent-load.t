#!/bin/sh
# An agent that leaves servers, stubborn children and daemons behind, under
# each --stragglers.
. "${srcdir:-.}/tests/lib.sh"
if command -v node >/dev/null; then
	agent="node $tmp/agent.js"
elif command -v python3 >/dev/null; then
	agent="python3 $tmp/agent.py"
else
	skip_all 'neither node nor python3 is installed'
fi
mark=57721$$

# agent ROLE: main starts one of each other, and ends when all are up.
cat >"$tmp/agent.js" <<'EOT'
const { spawn } = require('child_process')
const fs = require('fs')
const [role, dir, mark] = process.argv.slice(2)
const up = (text) => {
	fs.writeFileSync(`${dir}/.${role}`, `${process.pid} ${text}\n`)
	fs.renameSync(`${dir}/.${role}`, `${dir}/${role}`)
}
const self = (name, options) =>
	spawn(process.argv[0], [process.argv[1], name, dir, mark], options).unref()
const roles = {
	main() {
		const apart = { detached: true, stdio: 'ignore' }
		self('server', apart)
		self('setsid', apart)
		self('stubborn', { stdio: 'ignore' })
		self('holder', { stdio: ['ignore', 'inherit', 'ignore'] })
		for (const name of ['double', 'witness'])
			spawn('sh', [`${dir}/../${name}`, dir, mark], apart).unref()
		const names = ['server', 'setsid', 'stubborn', 'holder', 'double',
			'witness']
		setInterval(() => {
			if (names.every((n) => fs.existsSync(`${dir}/${n}`)))
				process.exit(3)
		}, 10)
	},
	server() {
		const s = require('net').createServer((c) => c.end('served\n'))
		s.listen(0, '127.0.0.1', () => up(s.address().port))
	},
	setsid() { setInterval(() => {}, 1e6); up('') },
	stubborn() {
		process.on('SIGTERM', () => {})
		setInterval(() => {}, 1e6)
		up('')
	},
	holder() { setInterval(() => {}, 1e6); up('') },
}
roles[role]()
EOT
cat >"$tmp/agent.py" <<'EOT'
import os, signal, socket, subprocess, sys, time
role, where, mark = sys.argv[1:]
def up(text=""):
    with open(f"{where}/.{role}", "w") as f:
        f.write(f"{os.getpid()} {text}\n")
    os.rename(f"{where}/.{role}", f"{where}/{role}")
def me(name, **how):
    subprocess.Popen([sys.executable, sys.argv[0], name, where, mark], **how)
if role == "main":
    null = subprocess.DEVNULL
    apart = dict(start_new_session=True, stdin=null, stdout=null, stderr=null)
    me("server", **apart)
    me("setsid", **apart)
    me("stubborn", stdout=null)
    me("holder")
    for name in "double", "witness":
        subprocess.Popen(["sh", f"{where}/../{name}", where, mark], **apart)
    while not all(os.path.exists(f"{where}/{n}") for n in (
            "server", "setsid", "stubborn", "holder", "double", "witness")):
        time.sleep(0.01)
    os._exit(3)
if role == "server":
    s = socket.create_server(("127.0.0.1", 0))
    up(s.getsockname()[1])
    while True:
        c, _ = s.accept()
        c.sendall(b"served\n")
        c.close()
if role == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
up()
while True:
    signal.pause()
EOT
cat >"$tmp/double" <<'EOT'
(setsid sh -c '(trap "" HUP; echo $$ >$0/.double; mv $0/.double $0/double
    exec sleep $1) &' "$1" "$2" &)
EOT
# Looks, when it is asked to go, at what is left of the run.
cat >"$tmp/witness" <<'EOT'
look() {
	ephid-inspect --quiet "$EPHID_ID"
	echo "live $?"
	[ -e "$EPHID_TOKEN_FILE" ]; echo "file $?"
}
trap 'look >$1/saw; exit' TERM
echo "$EPHID_ID" >"$1/id"
echo "$EPHID_TOKEN_FILE" >"$1/token-file"
echo $$ >"$1/.witness"; mv "$1/.witness" "$1/witness"
while :; do sleep 0.05; done
EOT

marked() { grep -laz "[5]${mark#5}" /proc/[0-9]*/cmdline 2>/dev/null | wc -l; }
none() { [ "$(marked)" -eq 0 ]; }
live() { ephid-inspect --quiet "$(cat "$dir/id")"; }
read_port() { read -r _ port <"$dir/server"; }
served() { # is the server's port open?
	command -v curl >/dev/null || return "$1"
	[ "$(curl -s --http0.9 --noproxy '*' -m 5 "http://127.0.0.1:$port/")" = \
	    served ]
}
# pids of the roles; the double fork's shell became sleep under another pid.
end_all() {
	for role in server setsid stubborn holder witness; do
		read -r pid _ <"$dir/$role" && kill -KILL "$pid"
	done
	for p in $(grep -laz "[5]${mark#5}" /proc/[0-9]*/cmdline | cut -d/ -f3); do
		kill -KILL "$p"
	done
} 2>/dev/null
at_exit end_all
begin() { dir=$tmp/$1; mkdir "$dir"; }

# --- kill, as by default -----------------------------------------------
begin kill
before=$(date +%s%N)
# The holder has the pipe, so cat ends when that has.
timeout 60 sh -c "ephid-wrap -- $agent main $dir $mark
    echo \$? >$dir/status" </dev/null | cat
took=$((($(date +%s%N) - before) / 1000000))
is "$(cat "$dir/status")" 3 'kill: the status is the command'"'"'s'
is "$(marked)" 0 'nothing of it is left'
[ $took -ge 2000 ] && [ $took -lt 6000 ]
ok $? "the stubborn one had two seconds ($took ms)"
read_port
served 1; isnt $? 0 'the port is closed'
is "$(cat "$dir/saw")" 'live 1
file 1' 'when it was asked to go, the identity was revoked and the file gone'
live; is $? 1 'and so it is'

# --- wait ----------------------------------------------------------------
begin wait
ephid-wrap --stragglers wait -- $agent main "$dir" "$mark" </dev/null \
    >/dev/null 2>"$dir/err" &
front=$!
all_up() {
	for role in server setsid stubborn holder double witness; do
		[ -e "$dir/$role" ] || return 1
	done
}
over() { ! kill -0 $front 2>/dev/null; }
wait_for 10 all_up
command_of() { pgrep -f "agent.* main $dir " -P "$(pgrep -P $front)"; }
none_of() { [ -z "$(command_of)" ]; }
wait_for 10 none_of; ok $? 'wait: the command has ended'
live; ok $? 'the identity lives on'
[ -e "$(cat "$dir/token-file")" ]; ok $? 'and the token file'
read_port
served 0; ok $? 'the server serves'
read -r stubborn _ <"$dir/stubborn"
for role in server setsid holder witness; do
	read -r pid _ <"$dir/$role" && kill -KILL "$pid"
done
pgrep -fx "sleep $mark" | xargs kill -KILL
one_left() { [ "$(pgrep -f "$mark" -P "$(pgrep -P $front)" | wc -l)" -eq 1 ]; }
wait_for 10 one_left
live; ok $? 'to the last descendant'
over; isnt $? 0 'for which the wrapper waits'
kill -KILL "$stubborn"
wait $front; is $? 3 'then it returns the status'
live; is $? 1 'revoked'
[ ! -e "$(cat "$dir/token-file")" ]; ok $? 'and without the file'
[ ! -e "$dir/saw" ]; ok $? 'and nobody was asked to go'
like "$(cat "$dir/err")" 'ephid-wrap: waiting for what the command left: *' \
    'having said so'

# One that is told to end meanwhile waits no longer.
begin told
ephid-wrap --stragglers wait -- $agent main "$dir" "$mark" </dev/null \
    >/dev/null 2>&1 &
front=$!
wait_for 10 all_up
wait_for 10 none_of
kill -TERM $front
wait $front; is $? 3 'TERM ends the waiting, the status is known already'
is "$(marked)" 0 'and what it waited for'
live; is $? 1 'and the identity'

# --- leave -----------------------------------------------------------------
begin leave
before=$(date +%s%N)
run ephid-wrap --stragglers leave -- $agent main "$dir" "$mark" </dev/null
took=$((($(date +%s%N) - before) / 1000000))
is "$status" 3 'leave: the status'
live; is $? 1 'the identity is revoked'
[ ! -e "$(cat "$dir/token-file")" ]; ok $? 'and the file gone'
is "$(marked)" 6 'all are alive'
read_port
served 0; ok $? 'and serve'
[ ! -e "$dir/saw" ]; ok $? 'nobody was asked to go'
[ $took -lt 2000 ]; ok $? "nor waited for ($took ms)"
end_all
wait_for 5 none; ok $? 'and they can be ended'

# One that tidies up with programs of its own is let do so.
begin tidy
run ephid-wrap -- sh -c "sh -c 'trap \"sleep 0.3 && echo >$dir/tidied; exit\" TERM
    echo >$dir/up; while :; do sleep 0.05; done' &
    until [ -e $dir/up ]; do sleep 0.01; done"
[ -e "$dir/tidied" ]; ok $? 'what tidies up at TERM is not hindered'
