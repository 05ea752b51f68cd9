#!/usr/bin/env bats
# Goal: one look tells whether a directory is backed up and what a store holds,
# with a server and without.

load ../lib/scenario

setup()
{
	scenario_begin
	mkdir work other
	seq 1000 >work/one
	seq 50000 >work/two
	echo other >other/file
}

teardown()
{
	scenario_end
}

# member TYPE PROGRAM: what jq prints of the first such object of ./out
member()
{
	jq -r "select(.type == \"$1\") | $2" "$folder/out" | head -n 1
}

@test "a directory: not registered, no snapshot, a snapshot, no server" {
	exits 10 shash status --dir work
	[ ! -s out ]
	says 'not registered'
	scenario_serve store
	scenario_register work --label desk 2>/dev/null
	exits 0 shash status --dir work
	grep -qx "directory  $folder/work" out
	grep -qx 'label      desk' out
	grep -qx "store      $url" out
	grep -qx 'server     answers' out
	grep -qx "vault      $(ls store/vaults)" out
	grep -qx 'last       no snapshot yet' out
	[ ! -s err ]
	exits 0 shash status --dir work --json
	objects status
	[ "$(member status .seq)" = null ]
	key=$(shash backup --dir work 2>/dev/null)
	for server_is in answers 'does not answer'; do
		code=0
		if [ "$server_is" != answers ]; then
			scenario_stop
			code=11
		fi
		exits $code shash status --dir work --retry 0
		grep -qx "server     $server_is" out
		grep -Eq '^last       @1, [0-9]+ (second|minute)s? ago' out
		grep -q "$key" out
		grep -q ' 2 files, ' out
		exits $code shash status --dir work --retry 0 --json
		[ "$(member status .key)" = "$key" ]
		[ "$(member status '[.seq, .files, .bytes] | @text')" = \
		    "[1,2,$(cat work/* | wc -c)]" ]
	done
	objects status error
	[ "$(member status .reachable)" = false ]
	[ "$(member error .exit_code)" = 11 ]
}

@test "a directory whose store needs no server, and one in use" {
	shash register --dir work --url "file://$folder/store" 2>/dev/null
	shash backup --dir work 2>/dev/null
	cd work
	exits 0 shash status -v
	cd ..
	grep -qx 'server     none needed' out
	grep -q '@1, ' out
	grep -Eq '^hashing +BLAKE3 with [a-z0-9]+, [0-9]+ lanes$' out
	grep -Eq '^writing +(direct|buffered)' out
	grep -Eq '^chunker +gear, 256 KiB' out
	scenario_serve store
	exits 1 shash status --dir work
	grep -q '@1, ' out
	says 'in use'
}

# What find, stat and jq say of ./store and what is told in ./out agree.
agrees()
{
	[ "$(member store .packs)" = \
	    "$(find store/vaults -name '*.pack' | wc -l)" ]
	[ "$(member store .snapshots)" = \
	    "$(find store/vaults -name '*.snap' | wc -l)" ]
	[ "$(member store .stored_bytes)" = "$(find store/vaults \
	    \( -name '*.pack' -o -name '*.snap' \) -printf '%s\n' |
	    awk '{ n += $1 } END { print n + 0 }')" ]
	[ "$(member store .mounts)" = "$(find store/mounts -type f | wc -l)" ]
	[ "$(member store .bytes)" = \
	    "$(jq 'select(.type == "mount").bytes' out |
	    awk '{ n += $1 } END { print n + 0 }')" ]
}

@test "a store, with its server and without" {
	exits 10 shash status --store_dir store
	mkdir mine
	exits 10 shash status --store_dir mine
	scenario_serve store
	exits 0 shash status --store_dir store --json
	objects store
	[ "$(member store '[.running, .port, .mounts, .packs] | @text')" = \
	    "[true,$port,0,0]" ]
	scenario_register work --label 'my desk' 2>/dev/null
	scenario_register other --label $'lap\e[31mtop\n' 2>/dev/null
	shash backup --dir work 2>/dev/null
	echo more >>work/one
	shash backup --dir work 2>/dev/null
	snapshot=$(shash snapshots --dir work --json | tail -n 1)
	exits 0 shash status --store_dir store --json
	objects store mount mount
	agrees
	[ "$(jq -r 'select(.type == "mount").label' out | tail -n 1)" = \
	    'my desk' ]
	for m in receive_ns seq; do
		[ "$(jq "select(.label == \"my desk\").$m" out)" = \
		    "$(jq ".$m" <<<"$snapshot")" ]
	done
	[ "$(jq -c 'select(.label == "my desk") |
	    [.snapshots, .last_files, .last_bytes, .damaged]' out)" = \
	    "[2,2,$(cat work/* | wc -c),0]" ]
	free=$(($(stat -f -c '%a * %S' store)))
	told=$(member store .free_bytes)
	[ $((told > free ? told - free : free - told)) -lt $((free / 4)) ]
	exits 0 shash status --store_dir store
	grep -Eq "^server +on port $port, [0-9]+ sessions?\$" out
	grep -Eq '^snapshots +2 snapshots of 2 directories, ' out
	grep -Eq '^my desk +@2 .* 2 files .* 2 snapshots$' out
	grep -Fq 'lap\x1b[31mtop\x0a' out
	grep -Eq 'no snapshot yet$' out
	[ -z "$(LC_ALL=C tr -d '\n -~' <out)" ]
	scenario_stop
	exits 0 shash status --store_dir store --json
	objects store mount mount
	agrees
	[ "$(member store .running)" = false ]
	exits 0 shash status --store_dir store -v
	grep -Eq '^server +not running$' out
	grep -Eq '^writing +(direct|buffered)' out
	# Nothing is left behind by looking.
	[ -z "$(ls -A store/incoming)" ]
}

@test "a store with a session, and one with damage" {
	scenario_serve store
	scenario_proxy wire --hold 4000000
	shash register --dir work --url "$proxy_url" --label desk \
	    --invitation "$(shash invite --store_dir store)" 2>/dev/null
	shash backup --dir work 2>/dev/null
	head -c 8000000 /dev/urandom >work/large
	shash backup --dir work >/dev/null 2>&1 3>&- &
	client=$!
	scenario_wait test -e wire.reached
	exits 0 shash status --store_dir store --json
	[ "$(member store '.sessions >= 1')" = true ]
	kill -USR1 "$proxy"
	wait "$client"
	truncate -s -1 "$(find store -name '0000000002.snap')"
	exits 0 shash status --store_dir store --json
	objects store mount
	agrees
	[ "$(member store .damaged)" = 1 ]
	[ "$(member mount '[.seq, .snapshots, .damaged] | @text')" = '[1,2,1]' ]
	exits 0 shash status --store_dir store
	grep -q '1 of them is damaged' out
	rm store/mounts/*
	exits 0 shash status --store_dir store
	grep -q '^(unknown) .*@1 ' out
	says 'the record of 1 directory is gone or damaged: run shash verify'
}
