#!/usr/bin/env bats
# Goal: the lines that introduce the program work as written, stdout carries
# data and nothing else, and exit codes mean what they say.

load ../lib/scenario

setup()
{
	scenario_begin
	export HOME=$folder
	mkdir work
	echo hello >work/a.txt
	mkdir work/sub
	echo world >work/sub/b.txt
}

teardown()
{
	scenario_end
}

uuid='[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}'

# listens: a server does on $port
listens()
{
	scenario_listens "$port"
}

@test "the design's lines, and the shell's job control" {
	port=$(scenario_free_port)
	cat >lines <<-LINES
	shash start --store_dir ~/store --port $port start &> store.log 3>&- &
	echo \$! >pid
	LINES
	. ./lines
	server=$(cat pid)
	# At once: who comes first, the server or this, makes the store.
	shash invite --store_dir ~/store >invitation
	grep -Exq "$uuid" invitation
	[ "$(wc -l <invitation)" -eq 1 ]
	scenario_wait listens
	shash register --dir ~/work --url "http://localhost:$port/" \
	    --invitation "$(cat invitation)"
	shash backup --dir ~/work
	cd ~/work && shash backup
}

@test "underscores and dashes are alike, --name=VALUE too" {
	scenario_serve store
	invitation=$(shash invite --store-dir=store)
	shash register --dir=work --url="$url" --invitation="$invitation" \
	    --recovery_file=recovery
	[ -s recovery ]
	shash backup --dir work
	shash backup --dir work --state-dir work/.shamo
	shash backup --dir work --state_dir=work/.shamo
}

@test "stdout of invite and backup is the data alone" {
	scenario_serve store
	exits 0 shash invite --store_dir store
	grep -Exq "$uuid" out
	[ "$(wc -l <out)" -eq 1 ]
	[ ! -s err ]
	exits 0 shash register --dir work --url "$url" \
	    --invitation "$(cat out)"
	[ ! -s out ]
	[ -s err ]
	exits 0 shash backup --dir work
	grep -Exq 'X[0-9a-f]{64}' out
	[ "$(wc -l <out)" -eq 1 ]
	[ -s err ]
	key=$(cat out)
	exits 0 shash scan --dir work
	[ "$(cat out)" = "$key" ]
	exits 0 shash restore --dir work --dest copy
	[ ! -s out ]
	[ -s err ]
	exits 0 shash snapshots --dir work
	grep -q "  ${key:0:13}  " out
	[ "$(wc -l <out)" -eq 1 ]
	[ "$(wc -L <out)" -le 80 ]
	udk=$(awk '{ print $4 }' out)
	shash restore --dir work --udk "$udk" --dest copy2
	exits 0 shash snapshots --dir work -v
	grep -q "  $key .*  $folder/work\$" out
	# What was made of another directory says so.
	mv work moved
	shash snapshots --dir moved | grep -q "  $folder/work\$"
	mv moved work
	exits 0 shash snapshots --dir work --all --json
	python3 -c 'import json, sys
for line in sys.stdin:
    assert json.loads(line)["key"] == sys.argv[1]' "$key" <out
	exits 0 shash key --dir work
	[ "$(wc -l <out)" -eq 1 ]
}

@test "the current directory is the default" {
	mkdir store
	cd store
	port=$(scenario_free_port)
	shash start --port "$port" &>../log 3>&- &
	server=$!
	scenario_wait listens
	invitation=$(shash invite)
	cd ../work
	shash register --url "http://127.0.0.1:$port/" \
	    --invitation "$invitation"
	key=$(shash backup)
	[ "$(shash scan)" = "$key" ]
	shash snapshots -v | grep -q "$key"
	shash restore --dest ../copy
	cd ..
	scenario_same work copy
	cd store
	exits 0 shash stop
	wait "$server"
	server=
	exits 0 shash verify
	exits 0 shash reindex
	exits 0 shash verify
}

@test "start says where it listens; stop waits until it is down" {
	scenario_serve store
	scenario_wait grep -q ":$port" store.log
	exits 0 shash stop --store_dir store
	run scenario_listens "$port"
	[ "$status" -ne 0 ]
	wait "$server"
	server=
	exits 10 shash stop --store_dir work
	exits 11 shash stop --store_dir store
}

@test "SIGTERM and SIGINT end the server cleanly" {
	for signal in TERM INT; do
		# A shell without job control starts jobs deaf to SIGINT.
		port=$(scenario_free_port)
		python3 -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' shash start --store_dir store \
		    --port "$port" &>log 3>&- &
		server=$!
		scenario_wait listens
		kill -s "$signal" "$server"
		wait "$server"
		server=
		[ -z "$(find store/incoming -type f)" ]
	done
	shash verify --store_dir store
}

@test "an invitation that was made without a server works with one" {
	scenario_serve store
	scenario_stop
	invitation=$(shash invite --store_dir store)
	scenario_serve store
	shash register --dir work --url "$url" --invitation "$invitation"
	shash backup --dir work
}

@test "the version names the hash's speed and the write path" {
	exits 0 shash --version
	grep -Eqi 'blake3.*(avx|sse|neon|portable)' out
	grep -Eqi 'direct|buffered' out
}

@test "a full stdout is an error" {
	scenario_serve store
	scenario_register work
	for command in 'backup --dir work' 'scan --dir work' --version \
	    --help 'snapshots --dir work' 'invite --store_dir store'; do
		# shellcheck disable=SC2086 # words of a command
		shash $command >/dev/full 2>err && false
		[ -s err ]
	done
}
