#!/usr/bin/env bats
# Goal: the next backup costs what changed: no file that did not change is
# opened, and nothing that the store has is sent.

load ../lib/scenario

setup()
{
	scenario_begin
	mkdir -p work/{docs,src,deep/er/still}
	for i in {1..300}; do
		head -c $((i * 37)) /dev/urandom >"work/src/source-$i"
		echo "$i" >"work/docs/source-tiny-$i"
	done
	for i in 1 2 3; do
		head -c 3000000 /dev/urandom >"work/deep/source-large-$i"
	done
	cp work/src/source-7 work/deep/er/still/source-x
	scenario_serve store
	scenario_proxy wire
	shash register --dir work --url "$proxy_url" \
	    --invitation "$(shash invite --store_dir store)"
	# Younger than 2 s means that it may still change unseen.
	sleep 2.2
	shash backup --dir work
	[ "$(scenario_wire wire)" -gt 9000000 ]
}

teardown()
{
	scenario_end
}

# traced: back up; sets $opens, the source files that it opened, $grown and
# $sent, in bytes
traced()
{
	local stored wire
	stored=$(scenario_store_bytes store)
	wire=$(scenario_wire wire)
	scenario_strace -ttt -e trace=open,openat,openat2,open_by_handle_at \
	    shash backup --dir work >key 2>err
	opens=$(grep -Ec '"[^"]*source-[^"]*"' trace || true)
	grown=$(($(scenario_store_bytes store) - stored))
	sent=$(($(scenario_wire wire) - wire))
	echo "opened $opens, store grew by $grown, $sent bytes sent"
}

# young FILE: it was so young when the traced backup opened it that it cannot
# have been trusted
young()
{
	awk -v made="$(stat -c %.9Z "$1")" -v name="${1##*/}\"" '
	    index($0, name) { exit !($2 - made < 1.9) }' trace
}

# traced_young TEXT: write it into a file and back up, until the backup was
# quick enough for the file to be young when it was read
traced_young()
{
	local i
	for i in {1..40}; do
		printf '%s' "$1" >work/src/source-young
		traced
		! young work/src/source-young || return 0
	done
	return 1
}

# right: the newest snapshot is the directory
right()
{
	[ "$(cat key)" = "$("$tests_lib/address.py" work)" ]
	rm -rf copy
	shash restore --dir work --dest copy
	scenario_same work copy
}

@test "nothing changed: no file is opened, one snapshot is stored" {
	traced
	[ "$opens" -eq 0 ]
	[ "$grown" -lt 8192 ]
	[ "$grown" -gt 100 ]
	[ "$sent" -lt 65536 ]
	right
	traced
	[ "$opens" -eq 0 ]
	right
}

@test "a changed file is the only one that is opened" {
	echo changed >>work/src/source-100
	traced
	[ "$opens" -gt 0 ]
	[ "$(grep -Eo 'source-[a-z0-9-]*' trace | sort -u)" = source-100 ]
	[ "$grown" -lt 200000 ]
	right
}

@test "files that came, went and changed their mode" {
	rm work/src/source-1 work/docs/source-tiny-9
	echo new >work/docs/source-new
	chmod 600 work/src/source-2
	mkdir work/fresh
	ln -s nowhere work/fresh/link
	traced
	[ "$(grep -Eo 'source-[a-z0-9-]*' trace | sort -u | wc -l)" -le 2 ]
	[ "$grown" -lt 300000 ]
	[ "$sent" -lt 400000 ]
	right
}

@test "a renamed directory opens no file" {
	mv work/src work/deep/renamed
	mv work/deep/er/still work/standing
	traced
	[ "$opens" -eq 0 ]
	[ "$grown" -lt 200000 ]
	right
}

@test "same size, same time: the change is still seen" {
	touch -r work/src/source-50 stamp
	size=$(stat -c %s work/src/source-50)
	head -c "$size" /dev/urandom >work/src/source-50
	touch -r stamp work/src/source-50
	traced
	right
}

@test "changed again and again within the clock's tick" {
	for i in 1 2 3 4 5; do
		printf '%05d' "$i" >work/src/source-fast
		traced
		right
	done
}

@test "another file of the same inode, size and time" {
	scenario_root
	# With a journal ext4 gives the number of a removed file at once; the
	# mount is this test's own, and ends with its processes.
	truncate -s 32M disk
	mkfs.ext4 -q disk
	declare -f scenario_same scenario_facts >functions
	unshare --mount bash -e -c '
		. ./functions
		mkdir fresh
		mount -o loop disk fresh
		mkdir fresh/work
		echo steady >fresh/work/other
		head -c 5000 /dev/urandom >fresh/work/file
		shash register --dir fresh/work --url "$0" --invitation "$1"
		sleep 2.2
		shash backup --dir fresh/work
		touch -r fresh/work/file stamp
		inode=$(stat -c %i fresh/work/file)
		rm fresh/work/file
		head -c 5000 /dev/urandom >fresh/work/file
		touch -r stamp fresh/work/file
		[ "$(stat -c %i fresh/work/file)" -eq "$inode" ]
		shash backup --dir fresh/work
		shash restore --dir fresh/work --dest copy
		scenario_same fresh/work copy' \
	    "$url" "$(shash invite --store_dir store)"
}

# clock_apart SECONDS: from now on the client's machine has a clock that is so
# far ahead of that of the file system
clock_apart()
{
	local asan
	cat >clock.c <<-'C'
	#define _GNU_SOURCE
	#include <dlfcn.h>
	#include <stdlib.h>
	#include <time.h>
	int
	clock_gettime(clockid_t id, struct timespec *ts)
	{
		int (*real)(clockid_t, struct timespec *);
		int ret;

		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
		ret = real(id, ts);
		if (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)
			ts->tv_sec += atoi(getenv("CLOCK_APART"));
		return ret;
	}
	C
	"${CC:-cc}" -shared -fPIC -o clock.so clock.c -ldl
	export CLOCK_APART=$1
	# Of shash alone; a sanitizer's library comes first.
	asan=$(ldd "$SHASH" | awk '/libasan/ { print $3 }')
	mkdir -p apart
	cat >apart/shash <<-END
	#!/bin/sh
	LD_PRELOAD="$asan $PWD/clock.so" exec "$SHASH" "\$@"
	END
	chmod +x apart/shash
	PATH=$PWD/apart:$PATH
}

@test "the clocks of machine and file system are apart" {
	local apart
	for apart in 3600 -3600; do
		clock_apart "$apart"
		traced_young one
		# The canary: the client's clock is the other one.
		shash snapshots --dir work --json | tail -n 1 >last
		[ "$(jq '.start_ns - .receive_ns | fabs > 3e12' last)" = true ]
		# Too young to be trusted, by the file system's clock; then the
		# same size within its tick, for all that stat can tell.
		traced
		[ "$(grep -Eo 'source-[a-z0-9-]*' trace | sort -u)" = \
		    source-young ]
		traced_young two
		right
		sleep 2.2
		traced
		[ "$opens" -ge 1 ]
		right
		# Old enough now.
		traced
		[ "$opens" -eq 0 ]
		right
	done
}

@test "a byte in a large file costs a chunk" {
	# Large enough for what chunks may be: of 1 MiB when no content ends
	# them earlier, and those behind such a one may change, too.  Six in a
	# row have that in one of 10^12 vaults.
	head -c 14000000 /dev/urandom >work/deep/source-large-2
	head -c 14000000 /dev/urandom >work/deep/source-large-3
	sleep 2.2
	shash backup --dir work
	scenario_flip work/deep/source-large-2 1500000
	traced
	[ "$(grep -Eo 'source-[a-z0-9-]*' trace | sort -u)" = source-large-2 ]
	[ "$grown" -lt 6500000 ]
	[ "$sent" -lt 6600000 ]
	right
	{ printf Y && cat work/deep/source-large-3; } >new
	cat new >work/deep/source-large-3
	traced
	[ "$grown" -lt 6500000 ]
	right
}

@test "what another snapshot of the vault has is not sent again" {
	cp -a work other
	rm -r other/.shamo
	shash register --dir other --url "$proxy_url" \
	    --invitation "$(shash invite --store_dir store)"
	before=$(scenario_store_bytes store)
	wire=$(scenario_wire wire)
	shash backup --dir other
	[ $(($(scenario_store_bytes store) - before)) -lt 16384 ]
	[ $(($(scenario_wire wire) - wire)) -lt 400000 ]
	shash restore --dir other --dest copy
	scenario_same other copy
}

@test "a cache is never believed more than the store" {
	# The store goes back to what it was before the last backup.
	scenario_stop
	cp -a store before
	scenario_serve_at store "$port"
	head -c 2000000 /dev/urandom >work/src/source-later
	shash backup --dir work
	scenario_stop
	rm -rf store
	mv before store
	scenario_serve_at store "$port"
	traced
	grep -q 'rolled back' err
	right
	traced
	! grep -q 'rolled back' err || false
	scenario_stop
	shash verify --store_dir store
}
