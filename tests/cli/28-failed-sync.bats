#!/usr/bin/env bats
# Goal: what a sync failed for is never acknowledged; the store is read-only
# until it was started again and has read from the device what was under way.

load ../lib/scenario

setup()
{
	scenario_begin
	mkdir work
	head -c 300000 /dev/urandom >work/large
	echo small >work/small
}

teardown()
{
	# strace ends when the server does.
	! kill "$(cat pid 2>/dev/null)" 2>/dev/null || true
	scenario_end
}

# serve_failing CALL N: a server whose N-th CALL fails
serve_failing()
{
	rm -f trace
	ASAN_OPTIONS=detect_leaks=0 \
	    strace -f -qq -o trace -e "trace=$1" \
	    -e "inject=$1:error=EIO:when=$2" \
	    sh -c 'echo $$ >pid; exec shash "$@"' sh \
	    start --store_dir store --port "$port" >>store.log 2>&1 3>&- &
	server=$!
	scenario_wait up_or_dead
}

up_or_dead()
{
	scenario_listens "$port" || ! kill -0 "$server" 2>/dev/null
}

end_failing()
{
	! kill "$(cat pid)" 2>/dev/null || true
	wait "$server" || true
	server=
}

restores()
{
	rm -rf copy
	shash restore --dir work --udk "$key" --dest copy 2>restore.err || {
		cat restore.err store.log trace
		return 1
	}
	[ "$(shash scan --dir copy)" = "$key" ]
}

@test "each sync of a server fails once" {
	scenario_serve store
	scenario_register work
	key=$(shash backup --dir work)
	hit=0 readonly=0
	for call in fdatasync fsync; do
		for n in $(seq 40); do
			! [ -n "$server" ] || scenario_stop
			serve_failing "$call" "$n"
			head -c 100000 /dev/urandom >work/large
			echo "$call $n" >work/small
			rc=0
			shash backup --dir work >out 2>err || rc=$?
			if [ "$rc" -eq 0 ]; then
				key=$(cat out)
			else
				[ ! -s out ]
			fi
			if ! grep -q INJECTED trace; then
				[ "$rc" -eq 0 ]
				end_failing
				break
			fi
			hit=$((hit + 1))
			# It lives, and what it had is read.
			if scenario_listens "$port"; then
				restores
				echo again >work/small
				rc=0
				shash backup --dir work >out 2>err || rc=$?
				if [ "$rc" -eq 0 ]; then
					key=$(cat out)
				elif grep -q 'read-only' err; then
					readonly=$((readonly + 1))
					[ "$rc" -eq 1 ]
					grep -q read-only store.log
				fi
			fi
			end_failing
			scenario_serve_at store "$port"
			restores
			key=$(shash backup --dir work)
			restores
			[ -z "$(find store/vaults -name unsynced)" ]
		done
	done
	[ -z "$server" ] || scenario_stop
	shash verify --store_dir store
	echo "# $hit syncs failed, $readonly times read-only" >&3
	[ "$hit" -ge 8 ]
	[ "$readonly" -ge 6 ]
}

# flip: one bit in the contents of work/large, as a page that never reached
# the disk
flip()
{
	pack=$(find store/vaults -name '*.pack' -size +200k | head -1)
	scenario_flip "$pack" "$(scenario_middle "$pack")"
}

@test "what was under way is read again, and what is bad asked for again" {
	scenario_serve store
	scenario_register work
	key=$(shash backup --dir work)
	scenario_stop
	flip
	# Nobody knows of it: the test's canary.
	scenario_serve_at store "$port"
	touch work/large
	shash backup --dir work 2>err
	says 'added [0-9]* B'
	exits 13 shash restore --dir work --udk "$key" --dest bad
	scenario_stop
	rm -rf store/index
	find store/vaults -name 'damage.*' -delete
	# Told that it was under way, the store looks.
	vault=$(echo store/vaults/*)
	echo "${pack#"$vault/"}" >"$vault/unsynced"
	scenario_serve_at store "$port"
	touch work/large
	shash backup --dir work 2>err
	says 'added [0-9]{2,3}\.[0-9] KiB'
	grep -q 'read 1 object again from the device' store.log
	[ ! -e "$vault/unsynced" ]
	restores
	scenario_stop
	shash verify --store_dir store
}

@test "without a server the next command reads it again" {
	shash register --dir work --url "file://$folder/store"
	key=$(shash backup --dir work)
	flip
	vault=$(echo store/vaults/*)
	# A folder stands for all that is in it.
	echo packs >"$vault/unsynced"
	touch work/large
	shash backup --dir work 2>err
	cat err
	says 'read 2 objects again from the device'
	says 'added [0-9]{2,3}\.[0-9] KiB'
	restores
	shash verify --store_dir store
}

@test "damage met while the store is read-only concerns its own files alone" {
	scenario_serve store
	scenario_register work
	mkdir work/sub
	head -c 300000 /dev/urandom >work/sub/other
	key=$(shash backup --dir work)
	scenario_stop
	flip
	serve_failing fdatasync 1
	echo more >work/more
	exits 1 shash backup --dir work
	exits 1 shash backup --dir work
	says 'read-only'
	exits 13 shash restore --dir work --udk "$key" --dest copy
	says '1 entry is damaged'
	cmp work/small copy/small
	# One of the two is whole.
	[ "$(cat <(cmp work/large copy/large 2>&1) \
	    <(cmp work/sub/other copy/sub/other 2>&1) | wc -l)" -eq 1 ]
	exits 13 shash verify --store_dir store
	grep -q 'the record at [0-9]* is damaged' out
	grep -q 'cannot be marked' out
	end_failing
	# It can be marked again, and so it is sent again.
	scenario_serve_at store "$port"
	exits 13 shash verify --store_dir store
	shash backup --dir work
	shash verify --store_dir store
}
