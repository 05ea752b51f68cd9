#!/usr/bin/env python3
"""A TCP proxy that keeps what passed: the size of its logs is the count.

usage: countproxy.py --to PORT --log PREFIX [--hold N | --cut N]

Listens on a free port of 127.0.0.1 (PREFIX.port says which) and forwards to
PORT.  PREFIX.up and PREFIX.down hold all bytes from and to the clients.
After N bytes upwards --hold forwards no more and leaves the connections open,
--cut closes every connection; then PREFIX.reached exists.  SIGUSR1 lifts the
limit, and what was held is forwarded.  SIGUSR2 sets a new --hold: as many
bytes in all as PREFIX.hold says, which is then removed.
"""

import argparse
import os
import signal
import socket
import threading


class Proxy:
    def __init__(self, options):
        self.options = options
        self.lock = threading.Lock()
        self.free = threading.Event()
        self.up = open(options.log + ".up", "ab", buffering=0)
        self.down = open(options.log + ".down", "ab", buffering=0)
        self.limit = options.hold if options.hold is not None else options.cut
        self.passed = 0
        self.sockets = set()
        if self.limit is None:
            self.free.set()

    def reached(self):
        with open(self.options.log + ".reached", "w", encoding="ascii"):
            pass
        if self.options.cut is not None:
            for s in list(self.sockets):
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def hold(self):
        name = self.options.log + ".hold"
        with open(name, encoding="ascii") as f:
            limit = int(f.read())
        with self.lock:
            self.limit = limit
            self.passed = os.path.getsize(self.options.log + ".up")
        self.options.cut = None
        self.free.clear()
        os.remove(name)

    def upward(self, data):
        """What may go on of data, after waiting where the limit says so."""
        if self.free.is_set():
            with self.lock:
                self.up.write(data)
            return data
        with self.lock:
            room = max(0, self.limit - self.passed)
            now, later = data[:room], data[room:]
            self.passed += len(now)
            self.up.write(now)
        if not later:
            return now
        self.reached()
        if self.options.cut is not None:
            return b""
        self.free.wait()
        with self.lock:
            self.up.write(later)
        return now + later

    def pump(self, source, sink, upward):
        try:
            while data := source.recv(65536):
                if upward:
                    data = self.upward(data)
                else:
                    with self.lock:
                        self.down.write(data)
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            for s in (source, sink):
                try:
                    s.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def serve(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.options.to))
        except OSError:
            client.close()
            return
        pair = {client, server}
        self.sockets |= pair
        back = threading.Thread(target=self.pump, args=(server, client, False))
        back.start()
        self.pump(client, server, True)
        back.join()
        self.sockets -= pair
        for s in pair:
            s.close()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", type=int, required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--hold", type=int)
    parser.add_argument("--cut", type=int)
    proxy = Proxy(parser.parse_args())
    signal.signal(signal.SIGUSR1, lambda *_: proxy.free.set())
    signal.signal(signal.SIGUSR2, lambda *_: proxy.hold())
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        name = proxy.options.log + ".port"
        with open(name + ".new", "w", encoding="ascii") as f:
            print(listener.getsockname()[1], file=f)
        os.rename(name + ".new", name)
        while True:
            client, _ = listener.accept()
            threading.Thread(target=proxy.serve, args=(client,),
                             daemon=True).start()


if __name__ == "__main__":
    main()
