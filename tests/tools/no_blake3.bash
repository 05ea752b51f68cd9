# Sourced by tests of the build that have nothing to hash: in the place of
# BLAKE3's sources, which each would compile for itself, are empty ones.
# shellcheck shell=bash

# no_blake3 FOLDER: make them there, and let every `make` take them
no_blake3()
{
	local source
	mkdir "$1"
	for source in /usr/share/cargo/registry/blake3-*/c/*.[cS]; do
		: >"$1/${source##*/}"
	done
	export MAKEFLAGS="BLAKE3_DIR=$1"
}
