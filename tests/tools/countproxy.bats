#!/usr/bin/env bats
# The scenarios' proxy: what it counts, holds back and cuts.

load ../lib/scenario

setup()
{
	SHASH=/bin/true scenario_begin
	# Says for each connection how many bytes came.
	cat >sink.py <<-'EOF'
	import socket, sys
	s = socket.socket()
	s.bind(("127.0.0.1", 0))
	s.listen()
	print(s.getsockname()[1], flush=True)
	while True:
	    c = s.accept()[0]
	    n = 0
	    while data := c.recv(65536):
	        n += len(data)
	    c.sendall(b"%d" % n)
	    c.close()
	EOF
	python3 sink.py >port 3>&- &
	server=$!
	scenario_wait test -s port
	port=$(cat port)
	cat >send.py <<-'EOF'
	import socket, sys
	c = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
	try:
	    c.sendall(bytes(int(sys.argv[2])))
	    c.shutdown(socket.SHUT_WR)
	    print(c.recv(99).decode())
	except OSError:
	    print("broken")
	EOF
}

teardown()
{
	scenario_end
}

send()
{
	python3 send.py "$(cat "$folder/wire.port")" "$1"
}

@test "bytes are forwarded, kept and counted" {
	scenario_proxy wire
	[ "$(send 1000)" = 1000 ]
	[ "$(send 2000000)" = 2000000 ]
	[ "$(stat -c %s wire.up)" -eq 2001000 ]
	[ "$(cat wire.down)" = 10002000000 ]
	[ "$(scenario_wire wire)" -eq 2001011 ]
}

@test "bytes are held back until it is told to go on" {
	scenario_proxy wire --hold 1500
	[ "$(send 1000)" = 1000 ]
	send 100000 >sent 3>&- &
	scenario_wait test -e wire.reached
	[ "$(stat -c %s wire.up)" -eq 1500 ]
	sleep 0.2
	[ ! -s sent ]
	kill -USR1 "$proxy"
	scenario_wait test -s sent
	[ "$(cat sent)" = 100000 ]
	rm wire.reached
	echo 102000 >wire.hold
	kill -USR2 "$proxy"
	scenario_wait test ! -e wire.hold
	[ "$(send 500)" = 500 ]
	send 5000 >sent 3>&- &
	scenario_wait test -e wire.reached
	[ "$(stat -c %s wire.up)" -eq 102000 ]
	kill -USR1 "$proxy"
	scenario_wait test -s sent
}

@test "connections are cut" {
	scenario_proxy wire --cut 5000
	[ "$(send 4000)" = 4000 ]
	[ "$(send 4000)" != 4000 ]
	[ -e wire.reached ]
	[ "$(stat -c %s wire.up)" -eq 5000 ]
	[ "$(send 4000)" != 4000 ]
}
