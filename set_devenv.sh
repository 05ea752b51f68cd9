#!/bin/bash
# Installs what building, testing and watching hashstore need on Debian 12,
# as root or through sudo.  Says nothing and changes nothing when it is there.
set -euo pipefail

packages=(
	# build
	gcc clang make pkg-config binutils libc6-dev
	libzstd-dev libsodium-dev libssl-dev liblmdb-dev libmicrohttpd-dev
	libcurl4-openssl-dev libjansson-dev librust-blake3-dev
	# test
	libcmocka-dev bats libclang-rt-14-dev valgrind b3sum rsync attr acl
	strace inotify-tools curl zstd xz-utils e2fsprogs util-linux procps
	python3 python3-nacl openssl
	diffutils git zsh fish jq libcap2-bin
	# tidy
	clang-format clang-tidy cppcheck shellcheck mandoc
	# package
	dpkg-dev fakeroot lintian systemd
)

missing=()
declare -A have=()
while read -r name status; do
	[ "$status" = installed ] && have[$name]=1
done < <(dpkg-query -W -f '${Package} ${db:Status-Status}\n' \
	"${packages[@]}" 2>/dev/null || true)
for name in "${packages[@]}"; do
	[ -n "${have[$name]:-}" ] || missing+=("$name")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" -eq 0 ]; then
	root=()
elif command -v sudo >/dev/null; then
	root=(sudo)
else
	echo "set_devenv.sh: need root or sudo to install: ${missing[*]}" >&2
	exit 1
fi

echo "set_devenv.sh: installing ${missing[*]}"
apt=("${root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q -y
	-o Dpkg::Use-Pty=0)
"${apt[@]}" update
"${apt[@]}" install --no-install-recommends "${missing[@]}"
