#!/usr/bin/env bats
# Goal: a disk that is full at the client costs what cannot be written there and
# nothing else, at every stage; what is tried again with room succeeds.

load ../lib/scenario

setup()
{
	scenario_begin
	scenario_root
	mkdir work disk
	seq 100000 >work/numbers
	for i in {1..300}; do
		echo "$i" >"work/$i"
	done
	# Mounts of this test are its own, and end with its processes.
	cat >script <<-'EOF'
	set -eu
	mount -t tmpfs -o size=512k none disk
	mkdir disk/state disk/config
	fill()
	{
		dd if=/dev/zero of=disk/fill bs=4k 2>/dev/null || true
		[ "$(df --output=avail disk | tail -n 1)" -eq 0 ]
	}
	room()
	{
		rm disk/fill
	}
	# fails COMMAND...: with 1, for the full disk, and says nothing else
	fails()
	{
		local rc=0
		"$@" >out 2>err || rc=$?
		cat err
		[ "$rc" -eq 1 ]
		[ ! -s out ]
		grep -qi 'no space' err
		[ "$(grep -vc 'is a new store$' err)" -eq 1 ]
	}
	register="shash register --dir work --url file://$PWD/store"
	EOF
}

teardown()
{
	scenario_end
}

# story: the rest of a test, on standard input
story()
{
	cat >>script
	unshare --mount bash script
}

@test "register: the state, the keyring, the recovery file" {
	story <<-'EOF'
	fill
	fails $register --state_dir disk/state
	room
	$register --state_dir disk/state 2>/dev/null
	shash backup --dir work --state_dir disk/state
	# The vault was opened, its key is nowhere: it comes with the next try.
	fill
	XDG_CONFIG_HOME=$PWD/disk/config fails $register --state_dir second
	room
	XDG_CONFIG_HOME=$PWD/disk/config $register --state_dir second 2>err
	[ "$(grep -c 'recovery key' err)" -eq 1 ]
	XDG_CONFIG_HOME=$PWD/disk/config shash backup --dir work \
	    --state_dir second
	[ "$(ls store/vaults | wc -l)" -eq 2 ]
	# It is not lost with the file.
	fill
	$register --state_dir third --new-vault --recovery_file disk/key 2>err
	grep -q 'disk/key: .*No space' err
	grep -Eq '([0-9A-Z]{4}-){13}[0-9A-Z]{4}' err
	[ ! -e disk/key ]
	EOF
}

@test "backup: the state and its cache" {
	story <<-'EOF'
	$register --state_dir disk/state 2>/dev/null
	backup='shash backup --dir work --state_dir disk/state'
	# The first one, without a cache at all.
	fill
	$backup >key 2>err
	grep -q 'stat cache: .*No space.*reads every file again' err
	[ "$(grep -c '^shash: ' err)" -eq 2 ]
	[ "$(cat key)" = "$(shash scan --dir work)" ]
	room
	$backup
	# With one that cannot grow: what it holds is not believed either.
	fill
	for i in $(seq 300); do
		echo "again $i" >"work/$i"
	done
	$backup >key 2>err
	[ "$(cat key)" = "$(shash scan --dir work)" ]
	shash restore --dir work --state_dir disk/state --dest copy
	diff -r work copy
	room
	[ "$($backup)" = "$(cat key)" ]
	[ "$(shash snapshots --dir work --state_dir disk/state | wc -l)" = 4 ]
	EOF
}

@test "restore: in the beginning, in a large file, over what is there" {
	story <<-'EOF'
	$register 2>/dev/null
	shash backup --dir work
	fill
	fails shash restore --dir work --dest disk/copy
	room
	rm -r disk/copy work/[1-9]* work/numbers
	head -c 3000000 /dev/urandom >work/large
	shash backup --dir work
	rc=0
	shash restore --dir work --dest disk/copy >out 2>err || rc=$?
	cat err
	[ "$rc" -eq 1 ]
	grep -q 'large: .*No space' err
	[ ! -e disk/copy/large ]
	rm -rf disk/copy
	# In place: what cannot be replaced stays as it was.
	mkdir disk/there
	echo mine >disk/there/large
	rc=0
	shash restore --dir work --dest disk/there --force large >out 2>err ||
	    rc=$?
	[ "$rc" -eq 1 ]
	[ "$(cat disk/there/large)" = mine ]
	[ "$(ls disk/there)" = large ]
	EOF
}

@test "a quota that is used up is a full disk" {
	shash register --dir work --url "file://$folder/store" 2>/dev/null
	rc=0
	scenario_strace -e trace=pwrite64,write,fallocate \
	    -e inject=pwrite64:error=EDQUOT:when=3+ \
	    shash backup --dir work >out 2>err || rc=$?
	cat err
	grep -q INJECTED trace
	[ "$rc" -eq 1 ]
	[ ! -s out ]
	grep -qi 'quota' err
	exits 0 shash backup --dir work
	head -c 3000000 /dev/urandom >work/large
	shash backup --dir work
	rc=0
	scenario_strace -e trace=pwrite64 \
	    -e inject=pwrite64:error=EDQUOT:when=2+ \
	    shash restore --dir work --dest copy >out 2>err || rc=$?
	[ "$rc" -eq 1 ]
	grep -qi 'quota' err
	exits 0 shash restore --dir work --dest copy2
	scenario_same work copy2
}
