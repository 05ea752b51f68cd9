#!/usr/bin/env bats
# Goal: what no ordinary directory meets: trees too deep to be held in memory,
# and directories on file systems of other machines; and root, who looks after a
# store that is another user's.

load ../lib/scenario

setup()
{
	scenario_begin
}

teardown()
{
	scenario_end
}

# Trees of 30 KB, one in the middle of the other: 13 MB on the way down.
@test "a deep tree of large directories, more than a restore holds" {
	mkdir work
	python3 - <<-'EOF'
	import os
	top = os.open("work", os.O_RDONLY)
	for level in range(450):
	    for name in "abcdvwxy":
	        os.symlink(os.urandom(1950).hex(), name, dir_fd=top)
	    os.mkdir("m", dir_fd=top)
	    below = os.open("m", os.O_RDONLY, dir_fd=top)
	    os.close(top)
	    top = below
	EOF
	shash register --dir work --url "file://$folder/store"
	key=$(shash backup --dir work)
	shash restore --dir work --dest copy
	[ "$(shash scan --dir copy)" = "$key" ]
	scenario_same work copy
}

# elsewhere PATH: below it everything lies on NFS, for the program
elsewhere()
{
	cat >nfs.c <<-'EOF'
	#include <dlfcn.h>
	#include <limits.h>
	#include <stdio.h>
	#include <stdlib.h>
	#include <string.h>
	#include <sys/vfs.h>
	#include <unistd.h>
	int fstatfs(int fd, struct statfs *st)
	{
		int (*real)(int, struct statfs *) =
		    (int (*)(int, struct statfs *))dlsym(RTLD_NEXT, "fstatfs");
		const char *below = getenv("ELSEWHERE");
		char link[64], path[PATH_MAX];
		int rc = real(fd, st);
		ssize_t n;

		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, path, sizeof(path));
		if (rc == 0 && n > 0 && below != NULL &&
		    (size_t)n >= strlen(below) &&
		    memcmp(path, below, strlen(below)) == 0)
			st->f_type = 0x6969;
		return rc;
	}
	EOF
	"${CC:-cc}" -D_GNU_SOURCE -shared -fPIC -o nfs.so nfs.c -ldl
	# Of shash alone; a sanitizer's library comes first.
	asan=$(ldd "$SHASH" | awk '/libasan/ { print $3 }')
	mkdir -p apart
	cat >apart/shash <<-END
	#!/bin/sh
	LD_PRELOAD="$asan $PWD/nfs.so" exec "$SHASH" "\$@"
	END
	chmod +x apart/shash
	PATH=$PWD/apart:$PATH
	export ELSEWHERE=$1
}

@test "the cache of a directory on a network file system lies elsewhere" {
	mkdir work
	echo one >work/one
	elsewhere "$folder/work"
	export XDG_CACHE_HOME=$folder/caches
	shash register --dir work --url "file://$folder/store"
	key=$(shash backup --dir work)
	[ ! -e work/.shamo/cache ]
	[ "$(find caches/hashstore -type f | wc -l)" -ge 1 ]
	[ "$(shash backup --dir work)" = "$key" ]
	# Without that variable, where caches of a user lie.
	unset XDG_CACHE_HOME
	HOME=$folder/home exits 0 shash backup --dir work
	[ -d home/.cache/hashstore ]
	[ "$(cat out)" = "$key" ]
	# A cache is needed for speed only, or it is said what to do.
	# A backup can do without, and says so.
	unset HOME
	exits 0 shash backup --dir work
	says 'no stat cache, .* neither HOME nor XDG_CACHE_HOME'
	[ "$(cat out)" = "$key" ]
	export XDG_CACHE_HOME=$folder/work/caches
	exits 0 shash backup --dir work
	says 'no stat cache, .* lies on a network file system too'
}

@test "root leaves nothing of its own in a store of another user" {
	scenario_root
	scenario_nobody true
	install -d -o 65534 -g 65534 store
	store=$folder/store
	scenario_serve "$store" --listen 127.0.0.1
	[ "$(stat -c %u /proc/"$server")" -eq 65534 ]
	mkdir work
	seq 1000 >work/file
	shash register --dir work --url "$url" \
	    --invitation "$(shash invite --store_dir "$store")"
	shash backup --dir work
	after()
	{
		for command in "keep --daily 7" "prune --dry-run" sweep verify \
		    unprune status reindex; do
			# shellcheck disable=SC2086 # several words
			shash $command --store_dir "$store"
		done
		find store ! -user 65534 | tee left
		[ ! -s left ]
	}
	after
	shash stop --store_dir "$store"
	wait "$server"
	server=
	after
	scenario_nobody shash verify --store_dir "$store"
	# A root that may not become others says so, and does nothing.
	before=$(find store | sort)
	exits 1 setpriv --bounding-set=-setuid,-setgid \
	    shash invite --store_dir "$store"
	grep 'cannot become user 65534' err
	[ "$(find store | sort)" = "$before" ]
	# Where nobody is to become, root does it as before.
	install -d root
	shash invite --store_dir root
	[ "$(stat -c %u root/store.json)" -eq 0 ]
}
