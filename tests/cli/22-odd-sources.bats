#!/usr/bin/env bats
# Goal: what a file system can hold comes back, to its limits; a file that
# turns into something else under the reader costs itself only.

load ../lib/scenario

setup()
{
	scenario_begin
	mkdir work
	scenario_serve store
	scenario_register work 2>register.err
	run=(shash backup --dir work)
}

teardown()
{
	scenario_end
}

# times DIR SECONDS...: a file, a symlink and a directory of each time, which
# the file system must be able to hold
times()
{
	python3 - "$@" <<-'END'
	import os, sys
	top = sys.argv[1]
	for s in map(int, sys.argv[2:]):
	    ns = s * 10**9 + 123456789
	    os.mkdir(f"{top}/dir {s}")
	    open(f"{top}/file {s}", "w").close()
	    os.symlink("target", f"{top}/link {s}")
	    for kind in "dir", "file", "link":
	        path = f"{top}/{kind} {s}"
	        os.utime(path, ns=(ns, ns), follow_symlinks=False)
	        assert os.lstat(path).st_mtime_ns == ns, path
	END
}

@test "times from 1901 to 2400, to the nanosecond" {
	times work -2147483647 -1 0 2147483648 4294967296 13569465600
	exits 0 shash backup --dir work
	exits 0 shash restore --dir work --dest copy
	scenario_same work copy
	[ "$(find copy -newermt 2399-12-31 | wc -l)" -eq 3 ]
	[ "$(find copy ! -newermt 1901-12-31 | wc -l)" -eq 3 ]
}

@test "times beyond, and attributes of 64 KiB, where a file system has them" {
	scenario_root
	declare -f times scenario_facts scenario_same >functions
	unshare --mount bash -e -c '
		. ./functions
		mount -t tmpfs none work
		mkdir work/tree
		times work/tree -99999999999 253402300800 99999999999
		python3 - <<-END
		import os
		open("work/tree/file", "w").close()
		for name, size in ("whole", 65536), ("less", 65535), ("odd", 9):
		    os.setxattr("work/tree/file", "trusted." + name,
		                os.urandom(size))
		END
		mv config state
		export XDG_CONFIG_HOME=$PWD/state
		shash register --dir work/tree --url "$0" --invitation "$1"
		shash backup --dir work/tree
		mount -t tmpfs none /mnt
		shash restore --dir work/tree --dest /mnt/copy
		scenario_same work/tree /mnt/copy
		cmp <(getfattr -d -m - -e hex --absolute-names work/tree/file |
		    tail -n +2) <(getfattr -d -m - -e hex --absolute-names \
		    /mnt/copy/file | tail -n +2)
		[ "$(getfattr -d -m - /mnt/copy/file | wc -c)" -gt 131000 ]
		' "$url" "$(shash invite --store_dir store)"
}

@test "access lists and capabilities on a tmpfs, by their own tools" {
	scenario_root
	unshare --mount bash -e -c '
		mount -t tmpfs none work
		mkdir -p work/tree/below
		cd work/tree
		setfacl -d -m u:123:rwx,g:55:rx below
		setfacl -m u:7:r below
		mkdir below/inherits
		echo x >file
		setfacl -m u:9:rw,m::r file
		cp /bin/true able
		setcap cap_net_raw,cap_chown+ep able
		cd "$OLDPWD"
		mv config state
		export XDG_CONFIG_HOME=$PWD/state
		shash register --dir work/tree --url "$0" --invitation "$1"
		shash backup --dir work/tree
		mount -t tmpfs none /mnt
		shash restore --dir work/tree --dest /mnt/copy
		shash restore --dir work/tree --dest "$PWD/copy"
		facts()
		{
			(cd "$1" && getfacl -R -n -p below file able &&
			    getcap able && getfattr -R -h -d -m - \
			    -e hex below file able)
		}
		[ "$(facts work/tree | grep -c ^default:user:123)" -eq 2 ]
		facts work/tree | grep -q cap_net_raw
		diff <(facts work/tree) <(facts /mnt/copy)
		diff <(facts work/tree) <(facts copy)
		' "$url" "$(shash invite --store_dir store)"
}

# deep make DIR LEVELS | deep look DIR: a file at the bottom of a path that is
# longer than any path may be; look prints the levels and the file
deep()
{
	python3 - "$@" <<-'END'
	import os, sys
	how, top = sys.argv[1:3]
	fd = os.open(top, os.O_PATH)
	levels = 0
	while how == "make" and levels < int(sys.argv[3]) or how == "look":
	    if how == "make":
	        os.mkdir("d", dir_fd=fd)
	    try:
	        lower = os.open("d", os.O_PATH, dir_fd=fd)
	    except FileNotFoundError:
	        break
	    os.close(fd)
	    fd = lower
	    levels += 1
	flags = os.O_WRONLY | os.O_CREAT if how == "make" else os.O_RDONLY
	with os.fdopen(os.open("bottom", flags, dir_fd=fd),
	               "w" if how == "make" else "r") as f:
	    if how == "make":
	        f.write("far down\n")
	    else:
	        print(levels, f.read(), end="")
	END
}

@test "4,000 levels of directories" {
	deep make work 4000
	exits 0 shash backup --dir work
	key=$(cat out)
	[ "$key" = "$(shash scan --dir work)" ]
	exits 0 shash restore --dir work --dest copy
	[ "$(deep look copy)" = '4000 far down' ]
	[ "$(shash scan --dir copy)" = "$key" ]
}

# while_reading CALLS HOW FILE COMMAND...: back up work; after one of the system
# calls CALLS on FILE, once or each time as HOW says, COMMAND runs before the
# backup goes on.  Sets $rc.
while_reading()
{
	local calls=$1 how=$2 file=$3
	shift 3
	scenario_meanwhile "$calls" "$how" "$folder/work/$file" "$file" "$@"
}

# The other file is there, and the next backup is whole.
rest_is_right()
{
	exits 0 shash restore --dir work --dest copy
	cmp work/other copy/other
	rm -r copy
	exits 0 shash backup --dir work
	exits 0 shash restore --dir work --dest copy
	scenario_same work copy
}

@test "a file grows, shrinks or is rewritten while it is read" {
	for change in 'echo more >>work/victim' 'truncate -s 10 work/victim' \
	    'printf rewritten >work/victim'; do
		rm -rf copy
		head -c 9000 /dev/urandom >work/victim
		echo "$change" >work/other
		while_reading read once victim eval "$change"
		# It held still when it was read again.
		[ "$rc" -eq 0 ]
		exits 0 shash restore --dir work --dest copy
		cmp work/victim copy/victim
		rm -r copy
		rest_is_right
	done
}

@test "a file that changes whenever it is read" {
	echo steady >work/other
	for size in 9000 3000000; do
		rm -rf copy
		head -c "$size" /dev/urandom >work/victim
		while_reading read,pread64 each victim \
		    eval 'echo more >>work/victim'
		[ "$rc" -eq 3 ]
		says 'victim.*chang'
		rest_is_right
	done
}

@test "a file becomes a FIFO, a directory, a symlink, or nothing" {
	for change in 'mkfifo work/victim' 'mkdir work/victim' \
	    'ln -s other work/victim' 'true'; do
		rm -rf copy work/victim
		echo "a file for now" >work/victim
		echo "$change" >work/other
		replace()
		{
			rm work/victim
			eval "$change"
		}
		while_reading newfstatat once victim replace
		[ "$rc" -eq 3 ]
		says 'victim'
		rest_is_right
	done
}

@test "a file loses its permission between its name and its content" {
	scenario_nobody true
	head -c 300000 /dev/urandom >work/large
	echo readable >work/other
	echo "about to be closed" >work/victim
	[ "$EUID" -ne 0 ] || chown -R 65534:65534 work config nobody
	[ "$EUID" -ne 0 ] || run=(setpriv --reuid 65534 --regid 65534
		--clear-groups "${run[@]}")
	while_reading newfstatat once victim chmod 000 work/victim
	[ "$rc" -eq 3 ]
	says 'victim.*permission'
	chmod 600 work/victim
	rest_is_right
}
