#!/usr/bin/env bats
# Goal: real trees come back identical, from a server, with keys that agree.
# Needs root (owners, capabilities), 20 GB of disk below TEST_TMP or /tmp, and
# Debian's package of the kernel's source.

load ../lib/scenario

setup()
{
	scenario_begin
}

teardown()
{
	scenario_end
}

# round_trip DIR: back up, again, restore, compare, and scan both
round_trip()
{
	local key start
	scenario_serve store
	scenario_register "$1" 2>register.err
	start=$SECONDS
	key=$(shash backup --dir "$1")
	echo "# first backup: $((SECONDS - start)) s" >&3
	start=$SECONDS
	[ "$(shash backup --dir "$1")" = "$key" ]
	echo "# second backup: $((SECONDS - start)) s" >&3
	start=$SECONDS
	shash restore --dir "$1" --dest copy
	echo "# restore: $((SECONDS - start)) s" >&3
	scenario_same "$1" copy
	[ "$(shash scan --dir "$1")" = "$key" ]
	[ "$(shash scan --dir copy)" = "$key" ]
	scenario_stop
	shash verify --store_dir store
}

@test "the Linux kernel's source, unpacked" {
	mkdir deb
	(cd deb && apt-get download linux-source-6.1 && dpkg-deb -x ./*.deb .)
	mkdir work
	tar -xf deb/usr/src/linux-source-6.1.tar.xz -C work
	rm -r deb
	[ "$(find work -type f | wc -l)" -gt 70000 ]
	round_trip work
	# As somebody else, with nothing but the right to read.
	chmod 711 . && chmod -R a+rX copy
	[ "$(setpriv --reuid 65534 --regid 65534 --clear-groups \
	    "$SHASH" scan --dir copy)" = "$(shash scan --dir work)" ]
}

@test "a copy of /usr" {
	cp -a /usr work
	round_trip work
}

@test "no name and no content of the source is in the store or the log" {
	cp -a /usr/share/doc work
	round_trip work
	find work -type f -name '????????????*' -printf '%f\n' |
	    shuf -n 500 --random-source=<(yes) >names
	find work -type f -size +1k -print0 |
	    shuf -z -n 500 --random-source=<(yes) |
	    xargs -0 -n 1 sh -c 'grep -am 1 ".\{30\}" "$1" || :' sh |
	    cut -b 1-40 >contents
	[ "$(wc -l <names)" -eq 500 ]
	[ "$(wc -l <contents)" -gt 100 ]
	run grep -raFl -f names -f contents store store.log
	echo "$output"
	[ "$status" -eq 1 ]
}
