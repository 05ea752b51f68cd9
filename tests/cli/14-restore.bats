#!/usr/bin/env bats
# Goal: a restore gives back real trees, or the parts asked for, into any place
# and as any user, and says in one line what only privileges lacked.

load ../lib/scenario

setup()
{
	scenario_begin
}

teardown()
{
	scenario_end
}

local_backup()
{
	shash register --dir work --url "file://$folder/store" 2>/dev/null
	exits 0 shash backup --dir work
	key=$(cat out)
}

@test "copies of /usr/include and /etc come back, compared both ways" {
	mkdir work
	cp -a /usr/include work/include
	cp -a /etc work/etc || true # what this user may read
	"$tests_lib/tree.py" work/crafted
	local_backup
	exits 0 shash restore --dir work --dest copy
	scenario_same work copy
	[ "$(shash scan --dir copy)" = "$key" ]
}

@test "paths come back with the directories above them" {
	mkdir -p work/a/b/c work/a/other
	echo 1 >work/a/b/c/file
	echo 2 >work/a/b/file
	echo 3 >work/a/other/file
	touch -d @1000000000 work/a/b work/a
	chmod 750 work/a/b
	local_backup
	exits 0 shash restore --dir work --dest copy a/b/c ./a/b//file
	diff -r work/a/b copy/a/b
	[ ! -e copy/a/other ]
	[ "$(stat -c '%Y %a' copy/a/b)" = '1000000000 750' ]
	[ "$(stat -c '%Y' copy/a)" = 1000000000 ]
	exits 14 shash restore --dir work --dest none a/b a/b/x
	says "'a/b/x'"
	exits 14 shash restore --dir work --dest none a/b/file/x
	exits 2 shash restore --dir work --dest none a/../a
	exits 2 shash restore --dir work --dest none "$folder/work/a"
	[ ! -e none ]
}

@test "a directory that was just registered may be restored into" {
	mkdir work new
	echo content >work/file
	local_backup
	shash register --dir new --url "file://$folder/store" 2>/dev/null
	exits 0 shash restore --dir work --dest new
	cmp work/file new/file
	[ -d new/.shamo ]
}

@test "without privileges: one line, and no set-id bit for somebody else" {
	scenario_root
	mkdir -p work/closed
	echo program >work/program
	chmod 6755 work/program
	echo other >work/closed/other
	chown 1234:4321 work/closed/other
	mknod work/null c 1 3
	chmod 555 work/closed
	local_backup
	scenario_nobody true
	cp -a work/.shamo nobody/state
	cp -a config/. nobody/
	mkdir nobody/place
	chown -R nobody nobody store
	exits 0 scenario_nobody shash restore --dir work \
	    --state_dir nobody/state --dest nobody/place/copy
	[ "$(wc -l <err)" -eq 2 ]
	says 'privileges: [0-9]+ owners, 1 devices'
	diff work/program nobody/place/copy/program
	diff work/closed/other nobody/place/copy/closed/other
	[ "$(stat -c %a nobody/place/copy/program)" = 755 ]
	[ "$(stat -c %a nobody/place/copy/closed)" = 555 ]
	[ ! -e nobody/place/copy/null ]
}

@test "a large file of an odd length, and where it is written" {
	mkdir work
	head -c 40000001 /dev/urandom >work/large
	truncate -s 60000003 work/large
	head -c 5 /dev/urandom >>work/large
	local_backup
	exits 0 shash restore --verbose --dir work --dest copy
	says 'write path: (direct|buffered)'
	cmp work/large copy/large
	[ "$(stat -c %b copy/large)" -lt 80000 ]
}

@test "a write that fails after it was begun ends the restore" {
	mkdir work
	head -c 40M /dev/urandom >work/large
	local_backup
	for error in ENOSPC EIO; do
		rc=0
		scenario_strace -e trace=pwrite64 \
		    -e "inject=pwrite64:error=$error:when=20+" \
		    shash restore --dir work --dest copy 2>err || rc=$?
		[ "$rc" -eq 1 ]
		grep -q 'large: cannot write it: ' err
		[ ! -e copy/large ]
		rm -r copy
	done
}

@test "success is when the disk has taken it" {
	mkdir work
	echo content >work/file
	local_backup
	rc=0
	scenario_strace -e trace=syncfs -e inject=syncfs:error=EIO \
	    shash restore --dir work --dest copy 2>err || rc=$?
	[ "$rc" -eq 1 ]
	grep -q 'not all of copy could be put on its disk: ' err
	rm -r copy
	# Before the end, and when nothing follows that could fail later.
	scenario_strace -e trace=utimensat,syncfs \
	    shash restore --dir work --dest copy
	grep -o 'utimensat\|syncfs' trace | tail -n 2 >order
	[ "$(cat order)" = $'utimensat\nsyncfs' ]
}

@test "the disk works while the restore goes on" {
	local i
	mkdir work
	# One content, stored once, and written 40 times.
	head -c 8M /dev/urandom >work/1
	for i in {2..40}; do
		cp work/1 "work/$i"
	done
	local_backup
	# Beside the last one; a busy machine may come to the end before.
	for i in {1..8}; do
		rm -rf copy
		scenario_strace -e trace=syncfs \
		    shash restore --dir work --dest copy
		[ "$(grep -c 'syncfs([0-9]' trace)" -lt 2 ] || break
	done
	[ "$(grep -c 'syncfs([0-9]' trace)" -ge 2 ]
	rm -r copy
	# What fails then is told, too.
	rc=0
	scenario_strace -e trace=syncfs -e inject=syncfs:error=ENOSPC:when=1 \
	    shash restore --dir work --dest copy 2>err || rc=$?
	[ "$rc" -eq 1 ]
	grep -q 'not all of copy could be put on its disk: ' err
}
