#!/usr/bin/env python3
"""A TCP proxy that behaves as a slow or far line does.

usage: lineproxy.py --to PORT --stats PREFIX [--rtt MS] [--mbit N]
                    [--window KIB] [--listen PORT] [--trace]

One line in each direction for all connections together: N Mbit/s (default:
without a limit), half of MS later at its end.  A connection begins with a
round trip.  It has a window as TCP has: 10 segments at first and after a
silence, growing by what is acknowledged, at most KIB (default 4096, what
Linux grants by itself); nothing is ever lost.  Only payload counts, so a real
line of that rate gives 3 to 5 % less.

PREFIX.port says where it listens.  SIGUSR1 writes PREFIX.stats (JSON) and
begins to count anew: bytes, seconds in which each line was busy, bytes per
second between the first and the last tenth of them, requests by route, the
most that were under way at once, connections.  With --trace PREFIX.trace gets
what happened meanwhile: each request (>) and answer (<), its connection, and
every quarter of a second the share of each line that was used.
"""

import argparse
import collections
import json
import os
import re
import select
import signal
import socket
import time

SEGMENT = 1448
FIRST_WINDOW = 10 * SEGMENT
SILENCE = 0.3
# A line takes as much in advance as a small queue in a router holds.
QUEUE_SECONDS = 0.008
ROUTE = re.compile(rb"(?:POST|GET) /v1/([a-z-]+) HTTP")
ANSWER = re.compile(rb"HTTP/1\.1 [0-9]{3} ")
TAIL = 48
TRACE_SECONDS = 0.25


class Line:
    """One direction: when it is free again, and what it carried."""

    def __init__(self, rate):
        self.rate = rate
        self.free_at = 0.0
        self.piece = 262144 if rate is None else \
            max(2048, min(131072, int(rate * 0.004)))
        self.reset()

    def reset(self):
        self.bytes = 0
        self.busy = 0.0
        self.history = []

    def middle(self):
        """Bytes per second between the first and the last tenth."""
        part = [h for h in self.history
                if self.bytes / 10 <= h[1] <= self.bytes * 9 / 10]
        if len(part) < 2 or part[-1][0] == part[0][0]:
            return 0
        return (part[-1][1] - part[0][1]) / (part[-1][0] - part[0][0])

    def carried(self):
        """Bytes by quarters of a second."""
        pieces, before = collections.Counter(), 0
        for at, total in self.history:
            pieces[int(at / TRACE_SECONDS)] += total - before
            before = total
        return pieces

    def has_room(self, now):
        return self.free_at - now < QUEUE_SECONDS

    def send(self, now, length):
        """When the last of these bytes is on the line."""
        took = length / self.rate if self.rate else 0.0
        self.free_at = max(self.free_at, now) + took
        self.bytes += length
        self.busy += took
        self.history.append((self.free_at, self.bytes))
        return self.free_at


class Pipe:
    """One direction of one connection."""

    def __init__(self, proxy, source, sink, line, ready_at, upward):
        self.proxy, self.source, self.sink = proxy, source, sink
        self.line, self.ready_at, self.upward = line, ready_at, upward
        self.queue = collections.deque()  # (time, bytes or None)
        self.acks = collections.deque()  # (time, length)
        self.in_flight = 0
        self.window = FIRST_WINDOW
        self.sent_at = ready_at
        self.tail = b""
        self.number = proxy.connections
        self.ended = self.closed = self.blocked = False

    def acknowledge(self, now):
        while self.acks and self.acks[0][0] <= now:
            n = self.acks.popleft()[1]
            self.in_flight -= n
            self.window = min(self.proxy.window, self.window + n)

    def deliver(self, now):
        self.blocked = False
        while self.queue and self.queue[0][0] <= now:
            at, data = self.queue[0]
            if data is None:
                self.queue.popleft()
                self.closed = True
                try:
                    self.sink.shutdown(socket.SHUT_WR)
                except OSError:
                    pass
                return
            try:
                n = self.sink.send(data)
            except BlockingIOError:
                self.blocked = True
                return
            except OSError:
                self.queue.clear()
                self.ended = self.closed = True
                return
            self.acks.append((now + self.proxy.rtt / 2, n))
            if n == len(data):
                self.queue.popleft()
            else:
                self.queue[0] = (at, data[n:])

    def may_read(self, now):
        return not self.ended and now >= self.ready_at and \
            self.in_flight < self.window and self.line.has_room(now)

    def read(self, now):
        if self.in_flight == 0 and \
                now - self.sent_at > max(SILENCE, self.proxy.rtt):
            self.window = FIRST_WINDOW
        try:
            data = self.source.recv(
                min(self.line.piece, self.window - self.in_flight))
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.ended = True
            self.queue.append((now + self.proxy.rtt / 2, None))
            return
        self.proxy.count(self, data)
        self.sent_at = self.line.send(now, len(data))
        self.in_flight += len(data)
        self.queue.append(
            (self.sent_at + self.proxy.rtt / 2, memoryview(data)))

    def next_event(self, now):
        events = []
        if self.queue and not self.blocked:
            events.append(self.queue[0][0])
        if self.acks:
            events.append(self.acks[0][0])
        if not self.ended and now < self.ready_at:
            events.append(self.ready_at)
        return min(events, default=None)


class Proxy:
    def __init__(self, options):
        rate = options.mbit * 125000 if options.mbit else None
        self.options = options
        self.rtt = options.rtt / 1000
        self.window = options.window * 1024
        self.up, self.down = Line(rate), Line(rate)
        self.pipes = []
        self.wanted = False
        self.under_way = 0
        self.reset()

    def reset(self):
        self.up.reset()
        self.down.reset()
        self.requests = collections.Counter()
        self.most = self.under_way
        self.connections = 0
        self.events = []

    def count(self, pipe, data):
        text = pipe.tail + data
        pattern = ROUTE if pipe.upward else ANSWER
        for m in pattern.finditer(text):
            if m.end() <= len(pipe.tail):
                continue  # counted before
            if pipe.upward:
                self.requests[m[1].decode()] += 1
            self.under_way += 1 if pipe.upward else -1
            self.events.append((
                time.monotonic(),
                f"{pipe.number:3} > {m[1].decode()}" if pipe.upward
                else f"{pipe.number:3} <"))
            self.most = max(self.most, self.under_way)
        pipe.tail = bytes(text[-TAIL:])

    def write_trace(self):
        lines = list(self.events)
        up, down = self.up.carried(), self.down.carried()
        full = (self.up.rate or 1e9) * TRACE_SECONDS
        for n in range(min([*up, *down], default=0),
                       max([*up, *down], default=-1) + 1):
            lines.append((
                n * TRACE_SECONDS, f"    up {up[n] / full:5.2f}"
                f"  down {down[n] / full:5.2f}"))
        lines.sort()
        with open(self.options.stats + ".trace", "w", encoding="ascii") as f:
            for at, text in lines:
                print(f"{at - lines[0][0]:8.3f} {text}", file=f)

    def write_stats(self):
        self.wanted = False
        if self.options.trace:
            self.write_trace()
        stats = {
            "up": self.up.bytes, "down": self.down.bytes,
            "up_busy": self.up.busy, "down_busy": self.down.busy,
            "up_middle": self.up.middle(), "down_middle": self.down.middle(),
            "requests": dict(self.requests), "most": self.most,
            "connections": self.connections,
        }
        name = self.options.stats + ".stats"
        with open(name + ".new", "w", encoding="ascii") as f:
            json.dump(stats, f)
        os.rename(name + ".new", name)
        self.reset()

    def accept(self, listener):
        client, _ = listener.accept()
        try:
            server = socket.create_connection(("127.0.0.1", self.options.to))
        except OSError:
            client.close()
            return
        for s in (client, server):
            s.setblocking(False)
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connections += 1
        ready = time.monotonic() + self.rtt
        self.pipes.append(Pipe(self, client, server, self.up, ready, True))
        self.pipes.append(Pipe(self, server, client, self.down, ready, False))

    def forget_closed(self):
        """Connections that are over in both directions."""
        kept = []
        for up, down in zip(self.pipes[::2], self.pipes[1::2]):
            if up.closed and down.closed:
                up.source.close()
                down.source.close()
            else:
                kept += [up, down]
        self.pipes = kept

    def step(self, listener, first):
        now = time.monotonic()
        for p in self.pipes:
            p.acknowledge(now)
            p.deliver(now)
        if any(p.closed for p in self.pipes):
            self.forget_closed()
        readers = {p.source: p for p in self.pipes if p.may_read(now)}
        writers = [p.sink for p in self.pipes if p.blocked]
        events = [e for p in self.pipes
                  if (e := p.next_event(now)) is not None]
        for line in (self.up, self.down):
            if not line.has_room(now):
                events.append(line.free_at - QUEUE_SECONDS / 2)
        wait = max(0.0, min(events) - now) if events else 0.2
        ready, _, _ = select.select(
            [listener, *readers], writers, [], wait)
        now = time.monotonic()
        if listener in ready:
            self.accept(listener)
        # In turn, so that no connection has the line for itself.
        found = [readers[s] for s in ready if s is not listener]
        for p in found[first % max(1, len(found)):] + \
                found[:first % max(1, len(found))]:
            if p.may_read(now):
                p.read(now)
        if self.wanted:
            self.write_stats()

    def want(self, *_):
        self.wanted = True


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--to", type=int, required=True)
    parser.add_argument("--stats", required=True)
    parser.add_argument("--rtt", type=float, default=0)
    parser.add_argument("--mbit", type=float)
    parser.add_argument("--window", type=int, default=4096)
    parser.add_argument("--listen", type=int, default=0)
    parser.add_argument("--trace", action="store_true")
    options = parser.parse_args()
    proxy = Proxy(options)
    try:
        os.nice(-15)  # a line does not wait for whom it serves
    except OSError:
        pass
    signal.signal(signal.SIGUSR1, proxy.want)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Else megabytes wait in the kernel, where no line carries them.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 131072)
        listener.bind(("127.0.0.1", options.listen))
        listener.listen(256)
        name = options.stats + ".port"
        with open(name + ".new", "w", encoding="ascii") as f:
            print(listener.getsockname()[1], file=f)
        os.rename(name + ".new", name)
        turn = 0
        while True:
            proxy.step(listener, turn)
            turn += 1


if __name__ == "__main__":
    main()
