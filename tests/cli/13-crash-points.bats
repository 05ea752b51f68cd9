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
	fault=$BATS_TEST_DIRNAME/../fault
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
	RANDOM=${KILLS_SEED:-1}
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
				continue
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
	echo "# $hit times $what, $missed times it did without" >&3
	# The first two writes, whatever the threads do.
	[ "$hit" -ge 2 ]
}

# kill_points LIST OPTION...: some points of each history that it names;
# tests/fault/killpoints.py says what holds at each, KILLS_SEED which.
kill_points()
{
	local list=$1 name options=(--points 2 --seed "${KILLS_SEED:-1}")
	shift
	for name in $list; do
		options+=(--history "$name")
	done
	"${CC:-cc}" -std=c17 -D_GNU_SOURCE -O2 -o killat "$fault/killat.c"
	TEST_TMP=$folder "$fault/killpoints.py" "${options[@]}" "$@" "$SHASH" \
	    ./killat >kills.out 2>&1 || { cat kills.out; return 1; }
	sed -n -e 's/^seed/# &/p' -e '$s/^/# /p' kills.out >&3
}

@test "killed at a system call" {
	kill_points 'register-store register first backup heal verify keep
	    retire prune unprune sweep reindex restore restore-force
	    http-invite http-register http-backup http-restore'
}

@test "the server is killed at a system call" {
	kill_points 'server-start server-register server-backup server-heal
	    server-verify server-prune server-sweep server-reindex'
}

@test "a store that loses a snapshot when it is killed is caught" {
	run kill_points backup --lose
	[ "$status" -ne 0 ]
	[[ $output == *'FAIL backup at '* ]]
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
