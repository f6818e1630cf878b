#!/bin/bash
# tests/lab.sh COMMAND…: runs COMMAND where network namespaces, mounts, BPF pins and processes may be made freely and nothing stays
# behind, whatever happens: in mount, PID and IPC namespaces of its own, with a private /run, /dev/shm and $TMPDIR. The exit code is
# the command's; SIGINT, SIGTERM and SIGHUP are passed on to it, so that it can end in order; when this script is killed, all of it dies.
#
# The command sees: LAB_HOLDER      the process, as seen from outside, whose namespaces `nsenter -t $LAB_HOLDER -m` enters
#                   LAB_BPFFS       a mounted bpffs that is the lab's own
#                   LAB_REPOSITORY  the repository's folder
set -euo pipefail

self=$(readlink -f -- "${BASH_SOURCE[0]}")

say_and_end() {
	echo "tests/lab.sh: $1" >&2
	exit 125
}

# The second half: inside the namespaces, as their first process.
inside() {
	mount -t tmpfs -o mode=0755 lab-run /run
	mount -t tmpfs -o mode=1777 lab-shm /dev/shm
	mount -t tmpfs -o mode=1777 lab-tmp "$TMPDIR"
	mkdir -p /run/netns /run/lock "$LAB_BPFFS"
	mount -t bpf lab-bpf "$LAB_BPFFS"

	# A link into the /run that has just been hidden would dangle, and the lab binds its own files over resolv.conf.
	local resolver
	resolver=$(readlink -m /etc/resolv.conf)
	if [[ $resolver == /run/* && ! -e $resolver ]]; then
		mkdir -p "${resolver%/*}"
		: >"$resolver"
	fi

	# Postfix's queue is shared by several users; the caller's umask is no business of the lab's.
	umask 022

	# A process 1 without handlers would never see these; the command has them by itself, from the terminal or the outer half.
	trap : INT TERM HUP
	local status=0
	"$@" || status=$?
	exit "$status"
}

if [[ ${1:-} == --inside ]]; then
	shift
	inside "$@"
fi

[[ $# -gt 0 ]] || say_and_end "name the command to run, as in: tests/lab.sh ip link"

if [[ $(id -u) -ne 0 ]]; then
	command -v sudo >/dev/null || say_and_end "needs root (network namespaces, XDP), and there is no sudo here (Debian package sudo)"
	exec sudo --preserve-env env "PATH=$PATH" "$self" "$@"
fi

for needed in unshare:util-linux setpriv:util-linux mount:mount pgrep:procps; do
	command -v "${needed%:*}" >/dev/null || say_and_end "${needed%:*} is missing (Debian package ${needed#*:})"
done

LAB_REPOSITORY=${self%/tests/lab.sh}
TMPDIR=$LAB_REPOSITORY/out/tmp
LAB_BPFFS=/run/cookiexdp-bpf
# The runtime's diagnostic sockets would outlive a killed process.
DOTNET_EnableDiagnostics=0
export LAB_REPOSITORY LAB_BPFFS TMPDIR DOTNET_EnableDiagnostics
mkdir -p "$TMPDIR"

# A background job of a script ignores SIGINT and reads /dev/null: both are put back, so that a terminal works as in the foreground.
# The parent-death signal covers a kill -9 of this script; --kill-child takes the rest along.
(
	export LAB_HOLDER=$BASHPID
	exec env --default-signal=INT,QUIT setpriv --pdeathsig KILL \
		unshare --mount --pid --ipc --fork --kill-child --mount-proc -- "$self" --inside "$@"
) <&0 &
holder=$!

# unshare itself holds signals back; the command is the child of its child.
pass_on() {
	interrupted=yes
	local first
	first=$(pgrep -P "$holder") || return 0
	pkill "-$1" -P "$first" || true
}
trap 'pass_on INT' INT
trap 'pass_on TERM' TERM
trap 'pass_on HUP' HUP

status=0
while
	interrupted=
	status=0
	wait "$holder" || status=$?
	[[ $interrupted ]]
do :; done
exit "$status"
