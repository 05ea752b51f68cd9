#!/usr/bin/env bats
# Goal: whatever the surroundings do, there is one clear line, the documented
# exit code, and nothing is lost.

load ../lib/scenario

setup()
{
	scenario_begin
	mkdir work
	echo one >work/one
	head -c 300000 /dev/urandom >work/large
}

teardown()
{
	scenario_end
}

# lines N: the stderr of the last `exits` is at most N lines of printable text
lines()
{
	[ "$(wc -l <err)" -le "$1" ] || { cat err; return 1; }
	[ "$(LC_ALL=C tr -d '\n\t\40-\176' <err | wc -c)" -eq 0 ]
}

# web ANSWER: an HTTP server that is none of ours, in place of a hashstore
# server: each request gets the file ANSWER as its body.  Sets $url.
web()
{
	port=$(scenario_free_port)
	python3 - "$port" "$1" 2>/dev/null 3>&- <<-'END' &
	import http.server, sys
	body = open(sys.argv[2], "rb").read()
	class Web(http.server.BaseHTTPRequestHandler):
	    protocol_version = "HTTP/1.1"
	    def do_GET(self):
	        left = int(self.headers.get("Content-Length", 0))
	        self.rfile.read(left)
	        self.send_response(200)
	        self.send_header("Content-Length", str(len(body)))
	        self.end_headers()
	        self.wfile.write(body)
	    do_POST = do_PUT = do_GET
	    def log_message(self, *args):
	        pass
	http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])),
	                                Web).serve_forever()
	END
	server=$!
	scenario_wait scenario_listens "$port"
	url=http://127.0.0.1:$port/
}

@test "a server that is not a hashstore server" {
	echo '<html>It works!</html>' >page
	: >nothing
	head -c 3000000 /dev/urandom >noise
	for body in page nothing noise; do
		web "$body"
		exits 11 shash register --dir work --url "$url" --invitation \
		    9d739ff3-c218-4a52-a6c3-22fb669c74df
		says 'hashstore|answer is too long'
		lines 2
		kill "$server"
		wait "$server" || true
		[ ! -e work/.shamo/config.json ]
	done
	# The store's server has gone, and something else has its port.
	scenario_serve store
	scenario_register work
	shash backup --dir work
	scenario_stop
	web page
	# shellcheck disable=SC2153 # register has it
	sed -i "s|http://[^\"]*|$url|" work/.shamo/config.json
	exits 11 shash backup --dir work
	says 'hashstore'
	lines 2
}

@test "the state of a directory: newer, unreadable, copied" {
	scenario_nobody true
	shash register --dir work --url "file://$folder/store"
	cp -a work/.shamo state
	sed -i 's/"format": [0-9]*/"format": 99/' work/.shamo/config.json
	exits 10 shash backup --dir work
	says 'newer|format 99|another version'
	lines 1
	cp state/config.json work/.shamo/config.json
	[ "$EUID" -ne 0 ] || chown -R 65534:65534 work config store
	for file in config.json mount.key .; do
		chmod 000 "work/.shamo/$file"
		rc=0
		scenario_nobody env XDG_CONFIG_HOME="$folder/config" \
		    shash backup --dir work >out 2>err || rc=$?
		chmod 700 "work/.shamo/$file"
		[ "$rc" -eq 10 ] || [ "$rc" -eq 1 ]
		says 'ermission'
		lines 1
	done
	chmod 600 work/.shamo/*.*
	exits 0 scenario_nobody env XDG_CONFIG_HOME="$folder/config" \
	    shash backup --dir work
}

@test "a store that cannot be written" {
	scenario_root
	shash register --dir work --url "file://$folder/store"
	key=$(shash backup --dir work)
	echo more >work/two
	unshare --mount bash -e -c '
		mount --bind store store
		mount -o remount,bind,ro store
		rc=0
		shash backup --dir work >out 2>err || rc=$?
		[ "$rc" -eq 1 ]
		grep -qi "read-only" err
		[ "$(wc -l <err)" -le 2 ]'
	exits 0 shash backup --dir work
	exits 0 shash restore --dir work --dest copy
	scenario_same work copy
	exits 0 shash restore --dir work --udk "$key" --dest before
	[ ! -e before/two ]
}

@test "a destination that cannot be written, or is full" {
	scenario_root
	shash register --dir work --url "file://$folder/store"
	head -c 5000000 /dev/urandom >work/larger
	shash backup --dir work
	mkdir disk
	unshare --mount bash -e -c '
		mount -t tmpfs -o size=1m none disk
		rc=0
		shash restore --dir work --dest disk/copy >out 2>err || rc=$?
		[ "$rc" -eq 1 ]
		grep -qi "no space" err
		[ "$(wc -l <err)" -le 4 ]
		mount -o remount,ro disk
		rc=0
		shash restore --dir work --dest disk/second >out 2>err || rc=$?
		[ "$rc" -eq 1 ]
		grep -qi "read-only" err
		[ "$(wc -l <err)" -le 2 ]'
	exits 0 shash restore --dir work --dest copy
	scenario_same work copy
}

@test "a store of a newer format" {
	shash register --dir work --url "file://$folder/store"
	shash backup --dir work
	sed -i 's/"format": [0-9]*/"format": 99/' store/store.json
	for command in 'verify --store_dir store' 'invite --store_dir store' \
	    'reindex --store_dir store' 'backup --dir work' \
	    'restore --dir work --dest copy' 'start --store_dir store'; do
		# shellcheck disable=SC2086 # words of a command
		exits 10 shash $command
		says 'newer'
		lines 1
	done
}

# Ways to harm a file: $1
harms=('truncate -s 0' 'truncate -s 9' rm 'sed -i s/[0-8]/9/3')

# harmed HARM PATTERN: a clean store, but for one file
harmed()
{
	rm -rf store copy
	cp -a clean store
	$1 "$(find store -path "$2")"
	! diff -r clean store >/dev/null
}

@test "a vault's header that is damaged or gone comes back from a copy" {
	shash register --dir work --url "file://$folder/store"
	shash backup --dir work
	cp -a store clean
	for harm in "${harms[@]}"; do
		harmed "$harm" '*/vault.json'
		exits 13 shash verify --store_dir store
		grep -q 'vault.json: .*put back' out
		exits 0 shash verify --store_dir store
		harmed "$harm" '*/vault.json'
		exits 0 shash restore --dir work --dest copy
		scenario_same work copy
		diff -r clean/vaults store/vaults
	done
	# A running server does the same.
	harmed rm '*/vault.json'
	scenario_serve store
	exits 13 shash verify --store_dir store
	grep -q 'vault.json: .*put back' out
	exits 0 shash verify --store_dir store
}

# flip FILE: one bit of it
flip()
{
	scenario_flip "$1" 20
}

@test "a vault's state that is damaged or gone is made anew" {
	shash register --dir work --url "file://$folder/store"
	key=$(shash backup --dir work)
	cp -a store clean
	cp -a work/.shamo state
	for harm in 'truncate -s 0' 'truncate -s 9' rm flip; do
		harmed "$harm" '*/state/generation*'
		rm -r work/.shamo
		cp -a state work/.shamo
		exits 0 shash restore --dir work --dest copy
		diff -r --exclude=.shamo work copy
		exits 0 shash backup --dir work
		[ "$(cat out)" = "$key" ]
		exits 0 shash verify --store_dir store
		[ -n "$(find store -path "*/state/generation*" -size +0)" ]
		# What a cache says of an older state is not believed.
		rm -r store/index
		find store -name '*.pack' -delete
		exits 0 shash backup --dir work
		rm -r copy
		exits 0 shash restore --dir work --dest copy
		diff -r --exclude=.shamo work copy
	done
}

@test "a mount's record that is damaged comes back; one that is gone ends" {
	scenario_serve store
	scenario_register work
	shash backup --dir work
	scenario_stop
	cp -a store clean
	for harm in "${harms[@]}"; do
		harmed "$harm" store/mounts/'*.json'
		scenario_serve_at store "$port"
		if [ "$harm" = rm ]; then
			# So an operator shuts a directory out.
			exits 13 shash verify --store_dir store
			grep -q 'unknown directory' out
			exits 12 shash backup --dir work
			says 'not registered'
			scenario_stop
			continue
		fi
		exits 0 shash backup --dir work
		exits 0 shash verify --store_dir store
		scenario_stop
		harmed "$harm" store/mounts/'*.json'
		exits 13 shash verify --store_dir store
		grep -q 'mounts/.*put back' out
		exits 0 shash verify --store_dir store
		# Nor is its copy missed when it is too late.
		harmed "$harm" store/vaults/'*/mounts/*.json'
		exits 13 shash verify --store_dir store
		grep -Eq '^vaults/[0-9a-f]+/mounts/.*put back' out
		diff -r clean/vaults store/vaults
		exits 0 shash verify --store_dir store
	done
}

@test "a store's identity that is damaged or gone" {
	shash register --dir work --url "file://$folder/store"
	shash backup --dir work
	# All that a store in use may hold.
	shash keep --store_dir store --last 3
	shash prune --store_dir store
	cp -a store clean
	for file in store/store.json store/server.key; do
		for harm in 'truncate -s 0' 'truncate -s 9' rm; do
			harmed "$harm" "$file"
			for command in 'verify --store_dir store' \
			    'backup --dir work' 'stop --store_dir store'; do
				rc=0
				# shellcheck disable=SC2086 # words
				shash $command >out 2>err || rc=$?
				[ "$rc" -eq 13 ] || [ "$rc" -eq 10 ]
				grep -q 'store' err
				lines 1
			done
			diff -r clean/vaults store/vaults
		done
	done
	# The key alone is what counts: start makes the other anew.
	harmed 'truncate -s 9' store/store.json
	exits 13 shash start --store_dir store --port 0
	says 'take it away: the next start makes it anew'
	rm store/store.json
	scenario_serve store
	! grep 'is a new store' store.log || false
	scenario_stop
	exits 0 shash backup --dir work
	# Without either no other key is made for the vaults that are there.
	harmed rm store/store.json
	rm store/server.key
	exits 13 shash start --store_dir store --port 0
	says 'server.key.* is gone; put it back from a copy'
	[ ! -e store/server.key ]
}

@test "the disk of a store is not mounted" {
	scenario_serve store
	grep -q 'store is a new store' store.log
	scenario_register work
	shash backup --dir work
	scenario_stop
	mkdir other
	shash register --dir other --url "file://$folder/disk/store"
	mv store away
	mv disk/store away/too
	exits 10 shash backup --dir other
	says 'disk/store is not a store; is its disk mounted'
	# A server makes a store of an empty folder, and says so.
	: >store.log
	scenario_serve_at store "$port"
	grep -q 'store is a new store' store.log
	exits 12 shash backup --dir work
	says 'another store .*mounted'
	exits 12 shash restore --dir work --dest copy
}
