# A store on disks of many sizes.  Run in a mount namespace of its own:
#   unshare --mount bash full_disk.sh FROM STEP COUNT [OPTION]
# Each round mounts a tmpfs of FROM, FROM + STEP ... KiB (with OPTION inodes:
# so many inodes), backs up until that is refused, fills what is left to the
# last byte, and gives room again.
# shellcheck shell=bash
set -eu

from=$1 step=$2 count=$3 limit=${4:-size}

shout()
{
	echo "$limit $n: $*"
	cat err
	exit 1
}

# attempt NAME: a backup; sets $rc.  One that fails says that it is for want
# of room, and prints no key.
attempt()
{
	rc=0
	shash backup --dir work >out 2>err || rc=$?
	[ "$rc" -le 1 ] || shout "backup $1 ended with $rc"
	if [ "$rc" -eq 0 ]; then
		key=$(cat out)
		acked=$1
		return
	fi
	[ ! -s out ] || shout "backup $1 failed and printed a key"
	grep -Eqi 'no space|full' err || shout "backup $1 failed otherwise"
	refused=$((refused + 1))
}

# whole: what was acknowledged last comes back, in a new process
whole()
{
	[ -n "$key" ] || return 0
	rm -rf copy
	shash restore --dir work --udk "$key" --dest copy >out 2>err ||
	    shout "no restore of $acked"
	[ "$(shash scan --dir copy)" = "$key" ] || shout "wrong bytes"
}

mounted()
{
	if [ "$limit" = inodes ]; then
		mount -t tmpfs -o "size=64m,nr_inodes=$n" none disk
	else
		mount -t tmpfs -o "size=${n}k" none disk
	fi
}

more()
{
	mount -o remount,size=128m,nr_inodes=100000 disk
}

# fill_up: others take what is left, bytes and files
fill_up()
{
	local i=0
	cat /dev/zero >disk/others 2>/dev/null || true
	while : 2>/dev/null >"disk/other-$i"; do
		i=$((i + 1))
		[ "$i" -lt 3000 ] || break
	done 2>/dev/null
}

round()
{
	rm -rf work config
	mkdir work
	head -c 150000 /dev/urandom >work/first
	key= acked=none
	rc=0
	shash register --dir work --url "file://$PWD/disk/store" \
	    >out 2>err || rc=$?
	if [ "$rc" -ne 0 ]; then
		grep -Eqi 'no space|full' err || shout 'registration'
		refused=$((refused + 1))
		more
		rm -rf work/.shamo
		shash register --dir work --url "file://$PWD/disk/store" \
		    >out 2>err || shout 'registration with room'
	fi
	attempt first
	head -c 1200000 /dev/urandom >work/second
	attempt second
	for i in $(seq 12); do
		[ "$rc" -eq 0 ] || break
		head -c 600000 /dev/urandom >"work/more-$i"
		attempt "more-$i"
	done
	whole
	fill_up
	whole
	attempt 'full to the last byte'
	whole
	more
	rm -f disk/other*
	attempt 'with room'
	[ "$rc" -eq 0 ] || shout 'no backup though there is room'
	acknowledged=$((acknowledged + 1))
	whole
	shash verify --store_dir disk/store >out 2>err || shout 'damage'
}

refused=0 acknowledged=0
mkdir -p disk
for ((round = 0; round < count; round++)); do
	n=$((from + round * step))
	mounted
	round
	umount disk
done
echo "$count rounds, $refused refusals"
# The disk was full in each of them, or the test is none.
[ "$refused" -ge "$count" ] && [ "$acknowledged" -eq "$count" ]
