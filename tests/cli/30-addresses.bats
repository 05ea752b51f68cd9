#!/usr/bin/env bats
# Goal: a server is reached by every kind of address that is documented, and an
# address that cannot be one says so at once.

load ../lib/scenario

setup()
{
	scenario_begin
	mkdir work
	echo one >work/one
	head -c 3000000 /dev/urandom >work/large
	scenario_serve store
}

teardown()
{
	scenario_end
}

# round_trip URL: all that needs a server
round_trip()
{
	shash register --dir work --url "$1" \
	    --invitation "$(shash invite --store_dir store)"
	exits 0 shash backup --dir work
	exits 0 shash status --dir work
	grep -Fqx "store      $1" out
	exits 0 shash restore --dir work --dest copy
	scenario_same work copy
}

@test "a literal IPv6 address" {
	[ -e /proc/net/if_inet6 ] || skip 'no IPv6 here'
	round_trip "http://[::1]:$port/"
	scenario_stop
	exits 11 shash backup --dir work
	says "\[::1\]:$port"
	scenario_serve_at store "$port" --listen 127.0.0.1
	exits 11 shash backup --dir work
}

@test "https, through a proxy in front of the server" {
	openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem \
	    -out certificate.pem -days 2 -subj /CN=localhost \
	    -addext subjectAltName=DNS:localhost 2>/dev/null
	"$tests_lib/tlsproxy.py" "$port" certificate.pem key.pem tls.port \
	    3>&- &
	proxy=$!
	scenario_wait test -s tls.port
	tls=https://localhost:$(cat tls.port)/
	# Who signed it is not known, and waiting would not change that.
	invitation=$(shash invite --store_dir store)
	exits 12 shash register --dir work --url "$tls" --retry 5m \
	    --invitation "$invitation"
	says 'certificate.*SSL_CERT_FILE'
	[ "$(wc -l <err)" -eq 1 ]
	export SSL_CERT_FILE=$folder/certificate.pem
	# It is not this name's.
	exits 12 shash register --dir work --url "${tls/localhost/127.0.0.1}" \
	    --invitation "$invitation"
	says 'certificate'
	round_trip "$tls"
	# And no other protocol on either port.
	exits 11 shash register --dir copy --url "${tls/https/http}" \
	    --invitation "$invitation"
	exits 11 shash register --dir copy --url "https://127.0.0.1:$port/" \
	    --invitation "$invitation"
}

@test "an address that cannot be one" {
	for u in '' work ./store localhost:7532 ftp://localhost/ ssh://x \
	    http:// http://localhost:99999/ 'http://[::1:80/' \
	    http://127.0.0.1:80:/ "http://localhost/?a" file://store; do
		exits 2 shash register --dir work --url "$u" --retry 5m \
		    --invitation 9d739ff3-c218-4a52-a6c3-22fb669c74df
		says 'URL|absolute path'
		[ "$(wc -l <err)" -eq 1 ]
	done
	[ ! -e work/.shamo/config.json ]
}

@test "an address without its port" {
	for host in 127.0.0.7 '[::1]'; do
		shash register --dir work --url "http://$host/" --retry 0 \
		    --invitation 9d739ff3-c218-4a52-a6c3-22fb669c74df \
		    >out 2>err && false
		says 'names no port.* 7532'
	done
	exits 11 shash register --dir work --url http://127.0.0.7:1/ \
	    --retry 0 --invitation 9d739ff3-c218-4a52-a6c3-22fb669c74df
	run grep 'names no port' err
	[ "$status" -eq 1 ]
}
