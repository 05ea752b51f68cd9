#!/usr/bin/env bats
# Goal: the next backup of large inputs costs what changed.  Each test prints
# its figures.  Needs root, Debian's package of the kernel's source and 40 GB
# of disk below TEST_TMP or /tmp.

load ../lib/scenario

MIB=1048576

setup()
{
	scenario_begin
}

teardown()
{
	scenario_end
}

# begin: a store behind a proxy, work/ registered and backed up, old enough to
# be trusted
begin()
{
	scenario_serve store
	scenario_proxy wire
	shash register --dir work --url "$proxy_url" \
	    --invitation "$(shash invite --store_dir store)" 2>register.err
	sleep 2.2
	shash backup --dir work
}

# next [DIR]: back up; sets $opens (regular files below it that were opened),
# $grown and $sent
next()
{
	local dir=${1:-work} stored wire start
	stored=$(scenario_store_bytes store)
	wire=$(scenario_wire wire)
	start=$SECONDS
	scenario_strace -y -e trace=open,openat,openat2 \
	    shash backup --dir "$dir" >key 2>err
	opens=$(grep -F "= " trace | grep -vE 'O_DIRECTORY|O_PATH' |
	    grep -F "<$folder/$dir/" | grep -vcF "/.shamo/" || true)
	grown=$(($(scenario_store_bytes store) - stored))
	sent=$(($(scenario_wire wire) - wire))
	echo "# opened $opens, store +$grown bytes, wire $sent bytes," \
	    "$((SECONDS - start)) s under strace" >&3
}

# kernel_source DIR [VERSION]
kernel_source()
{
	mkdir deb
	(cd deb && apt-get download "linux-source-6.1${2:+=$2}" &&
	    dpkg-deb -x ./*.deb .)
	mkdir "$1"
	tar -xf deb/usr/src/linux-source-6.1.tar.xz -C "$1"
	rm -r deb
}

@test "80,000 files unchanged; a directory of 10,000 renamed" {
	kernel_source work
	[ "$(find work -type f | wc -l)" -gt 70000 ]
	begin
	next
	[ "$opens" -eq 0 ]
	[ "$grown" -lt 8192 ]
	# The snapshot, and what a session costs to open and end.
	[ "$sent" -lt 65536 ]
	[ "$(find work/*/arch -type f | wc -l)" -gt 10000 ]
	mv work/*/arch work/renamed
	next
	[ "$opens" -eq 0 ]
	[ "$grown" -lt $((4 * MIB)) ]
	# The canary: an opened file is seen.
	echo more >>work/renamed/Kconfig
	next
	[ "$opens" -ge 1 ] && [ "$opens" -le 2 ]
	[ "$(cat key)" = "$(shash scan --dir work)" ]
	shash restore --dir work --dest copy
	scenario_same work copy
}

@test "one byte in an image of 8 GiB" {
	mkdir work
	truncate -s 8G work/disk.img
	mkfs.ext4 -q -d /usr/lib work/disk.img
	begin
	printf X | dd of=work/disk.img bs=1 seek=3000000000 conv=notrunc \
	    status=none
	next
	[ "$sent" -lt $((2 * MIB)) ]
	[ "$grown" -lt $((2 * MIB)) ]
	shash restore --dir work --dest copy
	cmp work/disk.img copy/disk.img
}

@test "a log of 1 GiB: a line appended, a byte inserted" {
	mkdir work
	# Random text, or a chunk of it would compress to nothing.
	head -c 805306368 /dev/urandom | base64 -w 100 |
	    sed 's/^/Nov 22 14:00:00 host daemon[123]: /' |
	    head -c 1073741824 >work/log || true
	[ "$(stat -c %s work/log)" -eq 1073741824 ]
	begin
	echo one more line >>work/log
	next
	[ "$sent" -lt $((3 * MIB / 2)) ]
	{ printf X && cat work/log; } >new && mv new work/log
	next
	[ "$sent" -lt $((2 * MIB)) ]
	shash restore --dir work --dest copy
	cmp work/log copy/log
}

@test "one entry in a directory of 10^6" {
	mkdir -p work/many
	seq -f 'entry-%07.0f' 0 999999 |
	    (cd work/many && xargs -n 2000 touch)
	begin
	echo changed >work/many/entry-0543210
	next
	[ "$opens" -le 2 ]
	[ "$sent" -lt $((256 * 1024)) ]
	[ "$(cat key)" = "$(shash scan --dir work)" ]
}

# join DIR NAME: register it as another user's, with the vault of work/
join()
{
	XDG_CONFIG_HOME=$folder/$2 shash register --dir "$1" \
	    --url "$proxy_url" --recovery-key "$(shash key --dir work)" \
	    --invitation "$(shash invite --store_dir store)" 2>register.err
}

# grows DIR NAME: back it up as that user; sets $grown
grows()
{
	local before
	before=$(scenario_store_bytes store)
	XDG_CONFIG_HOME=$folder/$2 shash backup --dir "$1"
	grown=$(($(scenario_store_bytes store) - before))
}

# alone: what the files of ./differ below other/ take, compressed for
# themselves
alone()
{
	tar -cf - -C other -T differ | zstd -3 -c | wc -c
}

@test "two machines: the same content, then 2 % of it at another version" {
	local size
	kernel_source work 6.1.176-1
	begin
	cp -a work other
	rm -r other/.shamo
	join other second
	grows other second
	echo "# the same content again grew the store by $grown" >&3
	[ "$grown" -lt 65536 ]

	# The next patch levels, put over it: what did not change stays.
	kernel_source later 6.1.187-1
	rsync -rlc --delete --exclude=/.shamo --out-format=%n \
	    "later/$(ls later)/" "other/$(ls other)/" | grep -v '/$' |
	    grep -v '^deleting ' | sed "s:^:$(ls other)/:" >differ
	size=$(alone)
	grows other second
	echo "# $(wc -l <differ) files differ: grew by $grown," \
	    "these alone $size" >&3
	[ "$(wc -l <differ)" -gt 1000 ]
	[ "$grown" -lt $((size * 3 / 2)) ]

	# A third machine, where a line was added to every fiftieth file of the
	# first: as many changed directories as can be.
	rm -rf other later
	cp -a work other
	rm -r other/.shamo
	(cd other && find . -type f | sort | awk 'NR % 50 == 0') >differ
	while IFS= read -r file; do
		echo "/* another version */" >>"other/$file"
	done <differ
	size=$(alone)
	join other third
	grows other third
	echo "# $(wc -l <differ) files spread evenly: grew by $grown," \
	    "these alone $size" >&3
	[ "$grown" -lt $((size * 2)) ]
}

# peak COMMAND...: run it; sets $client_kib and $server_kib, the peaks of their
# anonymous memory meanwhile
peak()
{
	local pid now
	client_kib=0 server_kib=0
	"$@" >peak.out 2>peak.err 3>&- &
	pid=$!
	while now=$(awk '/RssAnon/ { print $2 }' "/proc/$pid/status") &&
	    [ -n "$now" ]; do
		[ "$now" -le "$client_kib" ] || client_kib=$now
		now=$(awk '/RssAnon/ { print $2 }' "/proc/$server/status")
		[ "$now" -le "$server_kib" ] || server_kib=$now
		sleep 0.05
	done 2>/dev/null
	wait "$pid"
}

# measured WHAT DIR: back up in a store of its own, print and check the peaks.
# The server's named limits make 52 MiB of tables and pages in all.
measured()
{
	local store=store-$2
	scenario_serve "$store"
	shash register --dir "$2" --url "$url" --new-vault \
	    --invitation "$(shash invite --store_dir "$store")" 2>register.err
	peak shash backup --dir "$2"
	echo "# $1: client $client_kib KiB, server $server_kib KiB" >&3
	[ "$client_kib" -gt 1024 ] && [ "$server_kib" -gt 1024 ]
	[ "$client_kib" -lt $((128 * 1024)) ]
	[ "$server_kib" -lt $((64 * 1024)) ]
	scenario_stop
	rm -rf "$store"
}

# flat: so much more input takes what the last one took, and 16 MiB at most
flat()
{
	[ "$client_kib" -lt $((was_client + 16384)) ]
}

@test "memory is flat: 10^5 and 10^6 files" {
	local files
	for files in 100000 1000000; do
		mkdir -p "work-$files"
		python3 - "$files" <<-'PYTHON'
		import os, sys
		n = int(sys.argv[1])
		for i in range(n):
		    if i % 1000 == 0:
		        d = "work-%d/d%04d" % (n, i // 1000)
		        os.mkdir(d)
		    with open("%s/file-%07d" % (d, i), "w") as f:
		        f.write("%d %s\n" % (i, "content " * 20))
		PYTHON
		was_client=$client_kib
		measured "$files files" "work-$files"
	done
	flat
}

# Of every GiB the first MiB is data.
@test "memory is flat: 8 and 64 GiB, sparse" {
	local gib i
	for gib in 8 64; do
		mkdir "work-$gib"
		truncate -s "${gib}G" "work-$gib/sparse"
		for ((i = 0; i < gib; i++)); do
			dd if=/dev/urandom of="work-$gib/sparse" bs=1M count=1 \
			    seek=$((i * 1024)) conv=notrunc status=none
		done
		was_client=$client_kib
		measured "$gib GiB, sparse" "work-$gib"
	done
	flat
}
