#!/usr/bin/env bats
# Goal: a store on a disk of any size is full at some moment, whatever it does
# then: nothing acknowledged is lost, it is read with not a byte free, and with
# room again the next backup succeeds.

load ../lib/scenario

setup()
{
	scenario_begin
	scenario_root
}

teardown()
{
	scenario_end
}

@test "disks of 16 sizes" {
	run timeout 900 unshare --mount bash "$tests_lib/full_disk.sh" \
	    300 517 16 3>&-
	echo "$output"
	[ "$status" -eq 0 ]
	echo "# ${lines[-1]}" >&3
}

@test "disks on which few files can be made" {
	run timeout 900 unshare --mount bash "$tests_lib/full_disk.sh" \
	    24 9 8 inodes 3>&-
	echo "$output"
	[ "$status" -eq 0 ]
	echo "# ${lines[-1]}" >&3
}

@test "the reserve is held, lent to an index that lags behind, and held again" {
	mkdir work disk
	cat >full <<-'EOF'
	set -eux
	mount -t tmpfs -o size=200m none disk
	shash register --dir work --url "file://$PWD/disk/store"
	head -c 3000000 /dev/urandom >work/first
	key=$(shash backup --dir work)
	[ "$(du -sk disk/store/reserve | cut -f 1)" -ge 12500 ]
	[ "$(ls disk/store/reserve | wc -l)" -eq 16 ]
	# Somebody else has all the room, and the index is gone.
	cat /dev/zero >disk/others || true
	rm -r disk/store/index
	cat /dev/zero >>disk/others || true
	shash restore --dir work --dest copy
	cmp work/first copy/first
	[ -e disk/store/index ]
	echo more >work/more
	rc=0
	shash backup --dir work 2>err || rc=$?
	[ "$rc" -eq 1 ]
	grep -q 'the store is full' err
	rm disk/others
	shash backup --dir work
	[ "$(du -sk disk/store/reserve | cut -f 1)" -ge 12500 ]
	shash verify --store_dir disk/store
	EOF
	unshare --mount bash full
}

@test "a put is refused with 507 while there is room to end in order" {
	mkdir work disk
	cat >full <<-'EOF'
	set -eux
	mount -t tmpfs -o size=60m none disk
	shash start --store_dir disk/store --port "$1" >log 2>&1 &
	server=$!
	trap "kill $server; wait $server" EXIT
	for i in $(seq 2400); do
		(: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null && break
		sleep 0.05
	done
	shash register --dir work --url "http://127.0.0.1:$1/" \
	    --invitation "$(shash invite --store_dir disk/store)"
	head -c 70000000 /dev/urandom >work/large
	rc=0
	shash backup --dir work >out 2>err || rc=$?
	cat err log
	[ "$rc" -eq 1 ]
	grep -q 'the store is full: little more than its reserve is left' err
	grep -q 'the store is full' log
	# As much as the reserve is still free, and the server is well.
	[ "$(df -k --output=avail disk | tail -1)" -ge 2000 ]
	mount -o remount,size=100m disk
	shash backup --dir work
	EOF
	unshare --mount bash full "$(scenario_free_port)" 3>&-
}

# A quota of the user, and a disk that fills up behind the store's back.
@test "no space and no quota, at each write of a backup" {
	mkdir work
	head -c 300000 /dev/urandom >work/large
	shash register --dir work --url "file://$folder/store"
	key=$(shash backup --dir work)
	hit=0
	calls=pwrite64,fdatasync,mkdir,renameat2
	for error in EDQUOT ENOSPC; do
		for n in 1 2 3 4 6 8 11 15 20 26; do
			head -c 300000 /dev/urandom >work/large
			rc=0
			scenario_strace \
			    -e "trace=$calls" \
			    -e "inject=$calls:error=$error:when=$n+" \
			    shash backup --dir work >out 2>err || rc=$?
			grep -q INJECTED trace || break
			hit=$((hit + 1))
			# The last calls are about what may be lost.
			if [ "$rc" -eq 0 ]; then
				key=$(cat out)
			else
				[ "$rc" -eq 1 ]
				[ ! -s out ]
				grep -Eqi 'no space|full|quota' err
			fi
			rm -rf copy
			shash restore --dir work --udk "$key" --dest copy
			[ "$(shash scan --dir copy)" = "$key" ]
		done
		key=$(shash backup --dir work)
		shash verify --store_dir store
	done
	echo "# $hit backups met it" >&3
	[ "$hit" -ge 8 ]
}

@test "prune and sweep make room with not a byte free" {
	mkdir work disk
	cat >full <<-'EOT'
	set -eux
	mount -t tmpfs -o size=60m none disk
	shash register --dir work --url "file://$PWD/disk/store"
	for i in 1 2 3 4 5; do
		head -c 4000000 /dev/urandom >work/large
		key=$(shash backup --dir work)
	done
	cp work/large last
	# Others take the rest.
	cat /dev/zero >disk/others || true
	[ "$(df --output=avail disk | tail -1)" -eq 0 ]
	shash keep --store_dir disk/store --last 2 --floor 0d
	shash prune --store_dir disk/store --now
	shash sweep --store_dir disk/store
	[ "$(df -k --output=avail disk | tail -1)" -ge 8000 ]
	head -c 3000000 /dev/urandom >work/large
	shash backup --dir work
	shash restore --dir work --udk "$key" --dest copy
	cmp last copy/large
	shash verify --store_dir disk/store
	EOT
	unshare --mount bash full
}
