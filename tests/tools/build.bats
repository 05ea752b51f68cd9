#!/usr/bin/env bats
# The Makefile and set_devenv.sh, on a small tree of their own.

setup()
{
	repo=$BATS_TEST_DIRNAME/../..
	tree=$(mktemp -d)
	mkdir -p "$tree"/{src/base,src/hash,src/cli,man,tests/unit}
	cp -r "$repo/Makefile" "$repo/set_devenv.sh" "$repo/tools" \
	    "$repo/completions" "$tree"
	cd "$tree"
	unset BUILD MAKEFLAGS MAKELEVEL CC CFLAGS SHASH RESULTS
	cat >src/base/twig.h <<'END'
#define TWIGS 1
int twig_count(void);
END
	cat >src/base/twig.c <<'END'
#include "base/twig.h"
int
twig_count(void)
{
	return TWIGS;
}
END
	cat >src/hash/leaf.c <<'END'
#include <blake3.h>
const char *leaf_version(void);
const char *
leaf_version(void)
{
	return blake3_version();
}
END
	cat >src/cli/main.c <<'END'
#include <stdio.h>
#include "base/twig.h"
const char *leaf_version(void);
int
main(void)
{
	return printf("%d %s\n", twig_count(), leaf_version()) < 0;
}
END
	echo '.Dd' >man/shash.1
	echo '.Dd' >man/shash-leaf.1
}

teardown()
{
	cd /
	rm -rf "$tree"
}

@test "make builds the program and the library" {
	make -s
	run build/shash
	[[ $output == "1 1."* ]]
	run nm build/libhashstore.a
	[[ $output == *"T twig_count"* ]]
	[[ $output != *"T main"* ]]
}

@test "make does nothing the second time" {
	make -s
	run make
	echo "$output"
	[[ $output != *CC* && $output != *LD* ]]
}

@test "a changed header rebuilds what includes it" {
	make -s
	sed -i 's/TWIGS 1/TWIGS 2/' src/base/twig.h
	make -s
	run build/shash
	[[ $output == "2 "* ]]
}

@test "a changed flag rebuilds" {
	make -s
	run make OPT=-O1
	[[ $output == *"CC   build/obj/base/twig.o"* ]]
}

@test "a source that went away leaves the library" {
	printf 'int bud;\n' >src/base/bud.c
	make -s
	rm src/base/bud.c
	make -s
	run nm build/libhashstore.a
	[[ $output != *bud* ]]
}

@test "an empty tree builds an empty library" {
	rm -r src/*/
	run make
	echo "$output"
	[ "$status" -eq 0 ]
	[ -e build/libhashstore.a ]
	[ ! -e build/shash ]
}

@test "warnings are errors" {
	printf 'int bud(void)\n{\n\tint x;\n\treturn x;\n}\n' >src/base/bud.c
	run make
	[ "$status" -ne 0 ]
}

@test "another build folder, another compiler" {
	make -s CC=clang BUILD=build/clang
	run build/clang/shash
	[[ $output == "1 "* ]]
	[ ! -e build/shash ]
}

@test "sanitizers stop the program at a fault" {
	printf '#include <limits.h>\n%s\n%s\n' 'int twig_count(void);' \
	    'int twig_count(void) { volatile int x = INT_MAX; return x + 1; }' \
	    >src/base/twig.c
	make -s SAN=address,undefined BUILD=build/san
	run build/san/shash
	[ "$status" -ne 0 ]
	[[ $output == *'signed integer overflow'* ]]
}

@test "the program is position independent, its relocations read-only" {
	make -s
	run readelf -hldW build/shash
	[[ $output == *'DYN (Position'* ]]
	[[ $output == *GNU_RELRO* ]]
	[[ $output == *BIND_NOW* ]]
	[[ $output =~ GNU_STACK\ .*\ RW\  ]]
}

@test "a missing BLAKE3 names its package" {
	run make BLAKE3_PKG=no BLAKE3_DIR=
	[ "$status" -ne 0 ]
	[[ $output == *librust-blake3-dev* ]]
}

@test "missing libraries name the script that installs them" {
	run make PKG_CONFIG=false
	[ "$status" -ne 0 ]
	[[ $output == *set_devenv.sh* ]]
}

@test "install and uninstall leave nothing behind" {
	make -s install PREFIX=/opt/hs DESTDIR="$tree/root"
	[ -x root/opt/hs/bin/shash ]
	[ -e root/opt/hs/share/man/man1/shash.1 ]
	[ -e root/opt/hs/share/man/man1/shash-leaf.1 ]
	share=root/opt/hs/share
	cmp completions/shash.bash $share/bash-completion/completions/shash
	cmp completions/_shash $share/zsh/site-functions/_shash
	cmp completions/shash.fish $share/fish/vendor_completions.d/shash.fish
	make -s uninstall PREFIX=/opt/hs DESTDIR="$tree/root"
	[ -z "$(find root -type f)" ]
}

@test "help lists every target that has a description" {
	run make help
	[ "$status" -eq 0 ]
	for target in all check quickstart tidy install uninstall clean; do
		[[ $output == *"  $target "* ]]
	done
	[ "$(awk 'length > 80' <<<"$output")" = '' ]
}

@test "clean removes what was built" {
	make -s
	make -s clean
	[ ! -e build ]
}

@test "set_devenv.sh says and does nothing when all is there" {
	run ./set_devenv.sh
	[ "$status" -eq 0 ]
	[ -z "$output" ]
}

@test "set_devenv.sh without root and sudo ends in one line" {
	mkdir bin
	printf '#!/bin/sh\nexit 1\n' >bin/dpkg-query
	printf '#!/bin/sh\necho 1000\n' >bin/id
	chmod +x bin/*
	PATH=$PWD/bin run /bin/bash set_devenv.sh
	[ "$status" -eq 1 ]
	[ "${#lines[@]}" -eq 1 ]
	[[ $output == 'set_devenv.sh: need root or sudo'* ]]
}

@test "set_devenv.sh installs through sudo what is missing" {
	mkdir bin
	cat >bin/dpkg-query <<'END'
#!/bin/bash
for name in "${@:3}"; do
	[ "$name" = bats ] || echo "$name installed"
done
END
	printf '#!/bin/sh\necho 1000\n' >bin/id
	printf '#!/bin/sh\necho "sudo $*"\n' >bin/sudo
	chmod +x bin/*
	PATH=$PWD/bin:$PATH run ./set_devenv.sh
	[ "$status" -eq 0 ]
	[[ ${lines[0]} == *'installing bats' ]]
	[[ ${lines[1]} == 'sudo env DEBIAN_FRONTEND=noninteractive'*update ]]
	[[ ${lines[2]} == *'install --no-install-recommends bats' ]]
}
