#!/bin/bash
# .ci/prerequisites.sh build|run|arm: names what this machine lacks, and installs it from the distribution: as root or with YES=1 at
# once, else after asking. What the distribution does not have is said in one line.
set -euo pipefail

# What must be there, and the Debian package that brings it: a command, or a file.
build="
	clang:clang
	llvm-strip:llvm
	gcc:gcc
	/usr/include/bpf/bpf_helpers.h:libbpf-dev
	/usr/include/linux/if_xdp.h:linux-libc-dev
	/usr/include/stdlib.h:libc6-dev
	/usr/include/zlib.h:zlib1g-dev
"
run="
	/usr/lib/$(uname -m)-linux-gnu/libbpf.so.1:libbpf1
	ip:iproute2
	ping:iputils-ping
	ethtool:ethtool
	unshare:util-linux
	pgrep:procps
	unbound:unbound
	postfix:postfix
	dig:bind9-dnsutils
	swaks:swaks
	/usr/share/perl5/IO/Socket/INET6.pm:libio-socket-inet6-perl
	tshark:tshark
"

arm="
	qemu-aarch64-static:qemu-user-static
	dpkg-deb:dpkg
"

case ${1:-} in
build) needed=$build ;;
run) needed=$build$run ;;
arm) needed=$arm ;;
*) echo "usage: $0 build|run|arm" >&2 && exit 2 ;;
esac

# Some of these live where an ordinary user's PATH does not reach.
PATH=$PATH:/usr/sbin:/sbin

missing=()
for entry in $needed; do
	thing=${entry%:*} package=${entry##*:}
	if [[ $thing == /* ]]; then
		[[ -e $thing ]] && continue
	else
		command -v "$thing" >/dev/null && continue
	fi
	[[ " ${missing[*]-} " == *" $package "* ]] || missing+=("$package")
done

if ! command -v dotnet >/dev/null || ! dotnet --list-sdks | grep -q '^10\.'; then
	echo "missing: the .NET 10 SDK (dotnet), which Debian 12 does not have: install it from Microsoft's packages and put it on PATH" >&2
	exit 1
fi

[[ ${#missing[@]} -gt 0 ]] || exit 0
echo "missing packages: ${missing[*]}" >&2

if ! command -v apt-get >/dev/null; then
	echo "they cannot be installed here: there is no apt-get; install what brings them on this distribution" >&2
	exit 1
fi
as_root=()
if [[ $(id -u) -ne 0 ]]; then
	if [[ ${YES:-} != 1 ]]; then
		if [[ ! -t 0 ]] || ! read -r -p "install them now (sudo apt-get install)? [y/N] " answer || [[ $answer != [yY]* ]]; then
			echo "not installed; as root, or with YES=1, they would be" >&2
			exit 1
		fi
	fi
	as_root=(sudo)
fi

# The services that come with some packages must not start: they are wanted as programs only.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
	trap '"${as_root[@]}" rm -f "$policy"' EXIT
	printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
	"${as_root[@]}" chmod 755 "$policy"
fi
install() {
	"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
# The lists of packages may be missing or older than the packages.
install 2>/dev/null || { "${as_root[@]}" apt-get update -qq && install; } || {
	echo "apt-get could not install: ${missing[*]}" >&2
	exit 1
}
echo "installed: ${missing[*]}" >&2
