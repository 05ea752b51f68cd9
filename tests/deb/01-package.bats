#!/usr/bin/env bats
# Goal: the Debian package installs, serves as its user, is removed and purged.
#
# It is installed in a layer over this machine's file system, which nothing
# gets through.  Where no systemd runs, its own tools check the units, and the
# server is started by the line of its unit, as its user.

load ../lib/scenario

setup()
{
	scenario_begin
	scenario_root
	top=$BATS_TEST_DIRNAME/../..
	package=$(ls "${SHASH%/*}"/hashstore_*_*.deb)
	units=$top/debian
}

teardown()
{
	scenario_end
}

@test "lintian has nothing to say" {
	LC_ALL=C.UTF-8 lintian --fail-on warning,error \
	    --suppress-tags bogus-mail-host "$package" 2>&1
}

@test "systemd can read the units, and finds them hardened" {
	mkdir -p root/usr/bin root/lib/systemd/system
	dpkg-deb -x "$package" root
	mkdir -p units
	cp root/lib/systemd/system/* units/
	sed -i "s|/usr/bin/shash|$folder/root/usr/bin/shash|" units/*.service
	systemd-analyze verify "$folder/units/hashstore.service" \
	    "$folder/units/shash-backup@home-anna.service" \
	    "$folder/units/shash-backup@home-anna.timer" 2>&1 |
	    grep -F "$folder/units" | tee found
	[ ! -s found ]
	# From 0, shut off, to 100, open.
	systemd-analyze security --offline=yes --threshold=20 \
	    "$folder/units/hashstore.service" >security 2>&1 ||
	    { cat security; false; }
	systemd-analyze security --offline=yes --threshold=60 \
	    "$folder/units/shash-backup@home-anna.service" >security 2>&1 ||
	    { cat security; false; }
	systemd-analyze calendar "$(sed -n 's/^OnCalendar=//p' \
	    units/shash-backup@.timer)"
}

# allowed WORD...: the calls of a unit's SystemCallFilter, by name
allowed()
{
	python3 - "$@" <<-'EOF'
	import subprocess, sys
	def calls(name):
	    if not name.startswith("@"):
	        return {name}
	    out = subprocess.run(["systemd-analyze", "syscall-filter", name],
	                         stdout=subprocess.PIPE, text=True, check=True)
	    words = [w.strip() for w in out.stdout.splitlines()[1:]]
	    return set().union(*(calls(w) for w in words
	                         if w and not w.startswith("#")))
	found = set()
	for word in sys.argv[1:]:
	    found = found - calls(word[1:]) if word[0] == "~" else \
	        found | calls(word)
	print("\n".join(sorted(found)))
	EOF
}

# within UNIT TRACE: each call in the trace passes the unit's filter
within()
{
	# shellcheck disable=SC2046 # several words
	allowed $(sed -n 's/^SystemCallFilter=//p' "$units/$1") >filter
	sed -nE 's/^[0-9]+ +([a-z0-9_]+)\(.*/\1/p' "$2" | sort -u >calls
	[ "$(wc -l <filter)" -gt 200 ]
	[ "$(wc -l <calls)" -gt 30 ]
	LC_ALL=C.UTF-8 comm -13 <(sort filter) <(sort calls) | tee refused
	[ ! -s refused ]
}

@test "the units' filters of system calls let pass what is called" {
	port=$(scenario_free_port)
	mkdir work store
	seq 100000 >work/file
	setfattr -n user.a -v b work/file
	strace -f -qq -o server.trace shash start --store_dir store \
	    --port "$port" --scrub_now 3>&- 2>log &
	server=$!
	scenario_wait scenario_listens "$port"
	shash register --dir work --url "http://localhost:$port/" \
	    --invitation "$(shash invite --store_dir store)"
	strace -f -qq -o backup.trace shash backup --dir work
	echo more >>work/file
	strace -f -qq -o again.trace shash backup --dir work
	shash restore --dir work --dest copy
	for command in "keep --daily 7" prune sweep verify; do
		# shellcheck disable=SC2086 # several words
		shash $command --store_dir store
	done
	shash stop --store_dir store
	wait "$server"
	server=
	within hashstore.service server.trace
	cat again.trace >>backup.trace
	within shash-backup@.service backup.trace
	# A filter that is too narrow would be told.
	sed 's/=@system-service/=@basic-io @file-system @network-io @process/' \
	    "$units/hashstore.service" >hashstore.service
	units=. run within hashstore.service server.trace
	[ "$status" -ne 0 ]
	[[ $output == *futex* ]]
}

@test "installed, started, used, removed and purged" {
	cp "$package" package.deb
	port=$(scenario_free_port)
	cat >inside <<-'EOF'
	set -eux
	export HOME=/root DEBIAN_FRONTEND=noninteractive
	unset XDG_CONFIG_HOME
	PATH=/usr/sbin:/usr/bin:/sbin:/bin
	dpkg -i "$1/package.deb"
	shash --version
	[ "$(command -v shash)" = /usr/bin/shash ]
	zcat /usr/share/man/man1/shash.1.gz | mandoc -T lint -W error
	bash -n /usr/share/bash-completion/completions/shash
	[ "$(stat -c '%U %G %a' /var/lib/hashstore)" = \
	    'hashstore hashstore 700' ]
	! ls /etc/systemd/system/*.wants | grep -E 'hashstore|shash'

	# As the unit says it.
	. /etc/default/hashstore
	[ "$SHASH_OPTIONS" = '--port 7532' ]
	SHASH_OPTIONS="--port $2 --listen 127.0.0.1"
	unit=/lib/systemd/system/hashstore.service
	line=$(sed -n 's/^ExecStart=//p' $unit)
	user=$(sed -n 's/^User=//p' $unit)
	serve()
	{
		setpriv --reuid "$user" --regid "$user" --clear-groups \
		    --no-new-privs --bounding-set=-all \
		    bash -c "umask 077; exec $line" >/tmp/log 2>&1 &
		server=$!
		for i in $(seq 2400); do
			(: <"/dev/tcp/127.0.0.1/$2") 2>/dev/null && break
			sleep 0.05
		done
	}
	export SHASH_OPTIONS
	serve "$@"
	store=/var/lib/hashstore
	as()
	{
		setpriv --reuid "$user" --regid "$user" --clear-groups "$@"
	}
	mkdir -p /srv/anna
	echo hello >/srv/anna/file
	# As root does it, who then leaves nothing of its own there.
	shash register --dir /srv/anna --url "http://127.0.0.1:$2/" \
	    --invitation "$(shash invite --store_dir $store)"
	shash keep --store_dir $store --daily 7
	# The backup service's line, for the escaped path.
	backup=/lib/systemd/system/shash-backup@.service
	run=$(sed -n 's/^ExecStart=://p' $backup)
	grep -x SuccessExitStatus=3 $backup
	dir=/$(systemd-escape --unescape "$(systemd-escape -p /srv/anna)")
	env -i PATH="$PATH" $(sed -n 's/^Environment=//p' $backup) \
	    ${run//%f/$dir}
	shash restore --dir /srv/anna --dest /tmp/copy
	cmp /srv/anna/file /tmp/copy/file
	shash verify --store_dir $store
	[ -z "$(find $store ! -user hashstore)" ]
	# What systemd does at a stop.
	kill "$server"
	wait "$server"
	shash verify --store_dir $store
	serve "$@"
	env -i PATH="$PATH" HOME=/root ${run//%f/$dir}
	kill "$server"
	wait "$server"
	[ -z "$(find $store ! -user hashstore)" ]
	systemctl enable hashstore.service shash-backup@srv-anna.timer
	ls /etc/systemd/system/*.wants | grep shash-backup
	mkdir -p /var/cache/hashstore/x

	dpkg -r hashstore
	[ ! -e /usr/bin/shash ]
	[ -e /etc/default/hashstore ]
	[ -e $store/store.json ]
	dpkg -P hashstore 2>&1 | tee /tmp/purge
	# A store is nobody's to remove.
	grep 'holds a store and stays' /tmp/purge
	[ -e $store/store.json ]
	rm -r $store
	# And again without one: nothing is left at all.
	dpkg -i "$1/package.deb"
	dpkg -P hashstore
	! getent passwd hashstore
	[ ! -e $store ]
	rm -r /srv/anna
	EOF
	cat >outside <<-'EOF'
	set -eu
	mkdir layer
	mount -t tmpfs -o size=2g none layer
	mkdir layer/up layer/work layer/root
	mount -t overlay overlay \
	    -o lowerdir=/,upperdir=layer/up,workdir=layer/work layer/root
	for d in proc dev; do
		mount --rbind "/$d" "layer/root/$d"
	done
	mount -t tmpfs none layer/root/tmp
	mount -t tmpfs none layer/root/root
	mkdir layer/root/tmp/given
	cp package.deb inside layer/root/tmp/given
	chroot layer/root bash /tmp/given/inside /tmp/given "$1" || {
		cat layer/root/tmp/log
		exit 1
	}
	# What is left of it all, caches, logs and dpkg's own files apart.
	cd layer/up
	find . \( -path ./var/lib/dpkg -o -path ./var/cache -o \
	    -path ./var/log \) -prune -o ! -type d -print |
	    grep -vE -e '^./etc/(g?shadow|passwd|group|sub[ug]id)-?$' \
	        -e '^./etc/.pwd.lock$' >../../left || true
	cat ../../left
	[ ! -s ../../left ]
	EOF
	env -u XDG_CONFIG_HOME timeout 900 unshare --mount --pid --fork \
	    --mount-proc bash outside "$port" 3>&-
	! [ -e /usr/bin/shash ]
}
