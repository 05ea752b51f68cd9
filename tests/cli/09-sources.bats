#!/usr/bin/env bats
# Goal: a source that cannot be read, or does not hold still, costs itself
# only: it is named, the rest is backed up, and nothing pretends.

load ../lib/scenario

setup()
{
	scenario_begin
	scenario_nobody install -d nobody/work/sub/deep nobody/work/closed
	cd nobody/work
	echo readable >file
	echo secret >sub/unreadable
	echo inside >closed/file
	head -c 300000 /dev/urandom >sub/large
	chmod 000 sub/unreadable
	cd "$folder"
	[ "$EUID" -ne 0 ] || chown -R 65534:65534 nobody/work
	chmod 000 nobody/work/closed
	scenario_serve store
	scenario_nobody shash register --dir nobody/work --url "$url" \
	    --invitation "$(shash invite --store_dir store)"
}

teardown()
{
	scenario_end
}

@test "what cannot be read is named; the rest restores" {
	exits 3 scenario_nobody shash backup --dir nobody/work
	grep -Exq 'X[0-9a-f]{64}' out
	says 'sub/unreadable'
	says 'closed'
	[ "$(grep -c 'ermission' err)" -eq 2 ]
	exits 0 scenario_nobody shash restore --dir nobody/work \
	    --dest nobody/copy
	cmp nobody/work/file nobody/copy/file
	cmp nobody/work/sub/large nobody/copy/sub/large
	[ ! -s nobody/copy/sub/unreadable ]
	[ ! -e nobody/copy/closed/file ]
	# It is not a matter of a cache: the next backup says it again.
	exits 3 scenario_nobody shash backup --dir nobody/work
	says 'sub/unreadable'
	says 'closed'
	chmod 700 nobody/work/closed
	chmod 600 nobody/work/sub/unreadable
	exits 0 scenario_nobody shash backup --dir nobody/work
	[ "$(cat out)" = "$("$tests_lib/address.py" nobody/work)" ]
	exits 0 scenario_nobody shash restore --dir nobody/work \
	    --dest nobody/copy2
	scenario_same nobody/work nobody/copy2
}

@test "scan names what it cannot read and does not pretend" {
	exits 3 scenario_nobody shash scan --dir nobody/work
	says 'sub/unreadable'
	says 'closed'
}

@test "sockets and .shamo do not exist" {
	chmod 700 nobody/work/closed
	chmod 600 nobody/work/sub/unreadable
	expected=$("$tests_lib/address.py" nobody/work)
	python3 -c 'import socket, sys
socket.socket(socket.AF_UNIX).bind(sys.argv[1])' nobody/work/sub/socket
	mkdir nobody/work/sub/.shamo
	echo x >nobody/work/sub/.shamo/x
	echo x >nobody/work/sub/deep/.shamo
	[ "$EUID" -ne 0 ] || chown -R 65534:65534 nobody/work
	exits 0 scenario_nobody shash backup --dir nobody/work
	says '^skipped 1 socket$'
	[ "$(cat out)" = "$expected" ]
	exits 0 scenario_nobody shash restore --dir nobody/work \
	    --dest nobody/copy
	[ ! -e nobody/copy/sub/socket ]
	[ -z "$(find nobody/copy -name .shamo)" ]
	[ "$(scenario_nobody shash scan --dir nobody/copy)" = "$expected" ]
}

@test "a file that changes while it is read" {
	mkdir work
	scenario_register work
	head -c 4000000 /dev/urandom >work/log
	echo still >work/still
	run=(shash backup --dir work)
	scenario_meanwhile read,pread64 each "$folder/work/log" work/log \
	    eval 'echo more >>work/log'
	[ "$rc" -eq 3 ]
	grep -Exq 'X[0-9a-f]{64}' out
	says 'log.*chang'
	exits 0 shash restore --dir work --dest copy
	says 'chang'
	cmp work/still copy/still
	# What came is a beginning of the file: it only grew.
	cmp -n "$(stat -c %s copy/log)" work/log copy/log
	shash backup --dir work
	shash restore --dir work --dest copy2
	scenario_same work copy2
}

@test "files that come and go while the directory is read" {
	mkdir work
	scenario_register work
	mkdir work/{a,b,c}
	for i in {1..2000}; do
		echo "$i" >"work/a/$i"
	done
	while [ ! -e enough ]; do
		for i in 1 2 3 4 5 6 7 8; do
			mv work/a/1$i* work/b
			mv work/b/* work/c
			mv work/c/* work/a
			rm -f work/c/gone
			echo "$RANDOM" >work/c/gone
		done 2>/dev/null
	done 3>&- &
	writer=$!
	for i in 1 2 3 4; do
		rc=0
		shash backup --dir work >out 2>err || rc=$?
		cat err
		[ "$rc" -eq 0 ] || [ "$rc" -eq 3 ]
	done
	touch enough
	wait "$writer" || true
	exits 0 shash backup --dir work
	[ "$(cat out)" = "$("$tests_lib/address.py" work)" ]
	shash restore --dir work --dest copy
	scenario_same work copy
}

@test "the state elsewhere: a tree that cannot be written" {
	chmod 755 nobody/work/closed
	chmod 644 nobody/work/sub/unreadable
	rm -r nobody/work/.shamo
	chmod -R a-w nobody/work
	scenario_nobody shash register --dir nobody/work --url "$url" \
	    --state_dir nobody/state \
	    --invitation "$(shash invite --store_dir store)"
	exits 0 scenario_nobody shash backup --dir nobody/work \
	    --state_dir nobody/state
	[ ! -e nobody/work/.shamo ]
	exits 0 scenario_nobody shash backup --dir nobody/work \
	    --state_dir nobody/state
	exits 0 scenario_nobody shash restore --dir nobody/work \
	    --state_dir nobody/state --dest nobody/copy
	scenario_same nobody/work nobody/copy
}

@test "a mounted file system below the directory" {
	scenario_root
	mkdir -p work/mnt
	echo outside >work/file
	scenario_register work
	unshare --mount bash -e -c '
		mount -t tmpfs none work/mnt
		echo inside >work/mnt/file
		ln work/mnt/file work/mnt/link
		shash backup --dir work
		shash restore --dir work --dest copy
		diff -r --exclude=.shamo work copy'
}
