#!/usr/bin/env bats
# Goal: a disk that is full loses nothing: the backup says so and fails, what
# was acknowledged stays, and with room again the next backup succeeds.

load ../lib/scenario

setup()
{
	scenario_begin
	scenario_root
	mkdir work disk
	# Mounts of this test are its own, and end with its processes.
	cat >full <<-'EOF'
	set -eu
	mount -t tmpfs -o size=24m none disk
	EOF
}

teardown()
{
	scenario_end
}

# The rest of a test runs in a mount namespace, with $1 as the store's URL.
begin_local='
	shash register --dir work --url "file://$PWD/disk/store"
'
begin_served='
	shash start --store_dir disk/store --port "$1" >log 2>&1 &
	server=$!
	trap "kill $server; wait $server" EXIT
	for i in $(seq 2400); do
		(: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null && break
		sleep 0.05
	done
	shash register --dir work --url "http://127.0.0.1:$1/" \
	    --invitation "$(shash invite --store_dir disk/store)"
'
story='
	head -c 3000000 /dev/urandom >work/first
	key=$(shash backup --dir work)
	head -c 40000000 /dev/urandom >work/second
	rc=0
	shash backup --dir work >out 2>err || rc=$?
	cat err
	[ "$rc" -eq 1 ]
	[ ! -s out ]
	grep -Eqi "no space|full" err
	# Nothing is lost, and reading needs no room.
	shash restore --dir work --dest copy
	cmp work/first copy/first
	[ "$(shash snapshots --dir work | wc -l)" -eq 1 ]
	mount -o remount,size=100m disk
	shash backup --dir work
	shash restore --dir work --dest copy2
	cmp work/second copy2/second
	shash verify --store_dir disk/store
'

@test "a store on a full disk, without a server" {
	echo "$begin_local$story" >>full
	unshare --mount bash full
}

@test "a store on a full disk, behind a server" {
	echo "$begin_served$story" >>full
	unshare --mount bash full "$(scenario_free_port)" 3>&-
}

@test "a full disk at the client" {
	cat >>full <<-'EOF'
	shash register --dir work --url "file://$PWD/store"
	head -c 30000000 /dev/urandom >work/large
	echo small >work/small
	shash backup --dir work
	rc=0
	shash restore --dir work --dest disk/copy >out 2>err || rc=$?
	cat err
	[ "$rc" -eq 1 ]
	grep -Eqi "no space|full" err
	[ ! -e disk/copy/large ] || ! cmp -s work/large disk/copy/large
	EOF
	unshare --mount bash full
}
