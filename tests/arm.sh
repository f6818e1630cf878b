#!/bin/bash
# Runs the tests of the cookie's forms as an ARM processor would: with ArmAes and its instructions, emulated by QEMU. .NET itself comes from its
# package for linux-arm64, and the few libraries that it wants from Debian's packages for that architecture, unpacked under out/.
set -euo pipefail
cd "$(dirname "$0")/.."
.ci/prerequisites.sh arm

root=out/arm
packages="libc6 libgcc-s1 libstdc++6 libssl3 zlib1g"
if [[ ! -e $root/complete ]]; then
	rm -rf $root && mkdir -p $root/lists/partial $root/packages
	options=(-qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o "Dir::State::Lists=$PWD/$root/lists" -o Dir::State::status=/dev/null
		-o APT::Sandbox::User=root -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=)
	apt-get "${options[@]}" update
	# shellcheck disable=SC2086 # a list
	(cd $root/packages && apt-get "${options[@]}" download $packages)
	for package in $root/packages/*.deb; do
		dpkg-deb -x "$package" $root/system
	done
	touch $root/complete
fi

dotnet publish tests/CookieXdp.Cookies.Tests -c Release -r linux-arm64 --self-contained --verbosity quiet -nodeReuse:false -o out/publish/arm-tests
# The emulator has no use for a page that is writable here and executable there, nor for compiling everything twice.
QEMU_LD_PREFIX=$PWD/$root/system DOTNET_EnableWriteXorExecute=0 DOTNET_TieredCompilation=0 DOTNET_GCHeapHardLimit=0x20000000 \
	timeout --foreground --kill-after=30 600 qemu-aarch64-static -cpu max -E "LD_LIBRARY_PATH=$PWD/$root/system/usr/lib/aarch64-linux-gnu:$PWD/$root/system/lib/aarch64-linux-gnu" \
	out/publish/arm-tests/CookieXdp.Cookies.Tests -noColor -class '*Ff1OracleTests' -class '*KnownAnswerTests' -class '*BatchTests' "$@"
