#!/usr/bin/env bats
# Goal: death or an error at any one system call of a backup loses nothing
# that was acknowledged, and the next backup goes on.

load ../lib/scenario

setup()
{
	scenario_begin
	mkdir work
	echo 0 >work/small
	head -c 300000 /dev/urandom >work/large
}

teardown()
{
	scenario_end
}

# What makes data durable, and what makes it visible.
calls='fdatasync fsync renameat2 linkat unlinkat pwrite64 mkdirat ftruncate
	openat close'

# injected CALL WHAT N COMMAND...: run it with the N-th CALL of a thread
# meeting WHAT; its stdout goes to ./out, its stderr to ./err
injected()
{
	local call=$1 what=$2 n=$3
	shift 3
	scenario_strace -e "trace=$call" \
	    -e "inject=$call:$what:when=$n" "$@" >out 2>err
}

# change N: a new state of the directory, of which a copy is kept
change()
{
	echo "$1" >work/small
	head -c 200000 /dev/urandom >work/large
	mkdir -p work/sub
	head -c 3000 /dev/urandom >"work/sub/$1"
}

# acknowledged: the newest snapshot restores as it was
acknowledged()
{
	rm -rf copy
	shash restore --dir work --udk "$1" --dest copy 2>restore.err
	[ "$(shash scan --dir copy)" = "$1" ]
}

# steps CALL N: which N to try: each at first, then wider
steps()
{
	case $1 in
	openat | close) echo 7 $((RANDOM % 40 + 8)) $((RANDOM % 80 + 48)) ;;
	pwrite64) echo 1 2 4 7 12 20 ;;
	*) echo 1 2 3 4 5 6 ;;
	esac
}

# meet WHAT: at each step of each call, then back up again
meet()
{
	local what=$1 call n rc key hit=0 missed=0
	shash register --dir work --url "file://$folder/store" 2>/dev/null
	key=$(shash backup --dir work 2>/dev/null)
	for call in $calls; do
		for n in $(steps "$call"); do
			change "$call-$n"
			rc=0
			injected "$call" "$what" "$n" \
			    shash backup --dir work || rc=$?
			if [ "$rc" -eq 0 ]; then
				missed=$((missed + 1))
				key=$(cat out)
				acknowledged "$key"
				break
			fi
			hit=$((hit + 1))
			[ ! -s out ] || key=$(cat out)
			acknowledged "$key"
			key=$(shash backup --dir work 2>next.err)
			acknowledged "$key"
		done
		shash verify --store_dir store 2>verify.err ||
		    { echo "after $what at $call"; cat verify.err; false; }
	done
	echo "# $hit times $what, $missed calls done with" >&3
	[ "$hit" -ge 5 ]
}

@test "killed at a system call" {
	meet signal=KILL
}

@test "an error of the disk at a system call" {
	calls='fdatasync fsync pwrite64 renameat2 linkat'
	meet error=EIO
	calls='pwrite64 mkdirat openat'
	rm -rf work/.shamo config store
	meet error=ENOSPC
}

@test "an fsync that failed is believed, and nothing acknowledged" {
	shash register --dir work --url "file://$folder/store" 2>/dev/null
	for call in fdatasync fsync; do
		change "$call"
		# Each of them fails, whatever thread and file.
		rc=0
		injected "$call" error=EIO 1+ shash backup --dir work || rc=$?
		cat err
		grep -q INJECTED trace
		[ "$rc" -eq 1 ]
		[ ! -s out ]
		says 'a sync to its disk failed|input/output error'
	done
	key=$(shash backup --dir work)
	acknowledged "$key"
	shash verify --store_dir store
}

@test "the server is killed at a system call" {
	scenario_serve store
	scenario_register work 2>/dev/null
	key=$(shash backup --dir work 2>/dev/null)
	hit=0
	for call in fdatasync fsync renameat2 linkat pwrite64 sendto writev \
	    sendmsg; do
		for n in 1 2 3; do
			scenario_stop
			serve_injected "$call" "$n"
			change "$call-$n"
			rc=0
			timeout 100 shash backup --dir work >out 2>err ||
			    rc=$?
			if kill -0 "$server" 2>/dev/null; then
				[ "$rc" -eq 0 ]
				key=$(cat out)
				break
			fi
			hit=$((hit + 1))
			wait "$server" || true
			server=
			# It may have died of the good-bye.
			[ "$rc" -ne 0 ] || key=$(cat out)
			scenario_serve_at store "$port"
			acknowledged "$key"
			key=$(shash backup --dir work 2>/dev/null)
			acknowledged "$key"
		done
	done
	scenario_stop
	shash verify --store_dir store
	echo "# killed $hit times" >&3
	[ "$hit" -ge 8 ]
}

# serve_injected CALL N: a server that the N-th CALL of a thread kills
serve_injected()
{
	# -D: $! is the server, and strace its child.
	ASAN_OPTIONS=detect_leaks=0 \
	    strace -D -f -qq -o trace -e "trace=$1" \
	    -e "inject=$1:signal=KILL:when=$2" \
	    shash start --store_dir store --port "$port" \
	    >>store.log 2>&1 3>&- &
	server=$!
	scenario_wait up_or_dead
}

up_or_dead()
{
	scenario_listens "$port" || ! kill -0 "$server" 2>/dev/null
}
