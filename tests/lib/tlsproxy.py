#!/usr/bin/env python3
"""What a proxy that speaks https does in front of a server, and no more.

usage: tlsproxy.py PORT CERTIFICATE KEY FILE

Passes what comes on a free port of 127.0.0.1 on to PORT, and writes its own
port to FILE.
"""

import os
import socket
import ssl
import sys
import threading


def pump(source, sink):
    try:
        while data := source.recv(65536):
            sink.sendall(data)
    except OSError:
        pass
    for s in source, sink:
        try:
            s.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(client, context, port):
    try:
        tls = context.wrap_socket(client, server_side=True)
    except OSError:
        return
    server = socket.create_connection(("127.0.0.1", port))
    threading.Thread(target=pump, args=(tls, server), daemon=True).start()
    pump(server, tls)


def main():
    port, certificate, key, file = sys.argv[1:]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    listener = socket.create_server(("127.0.0.1", 0))
    with open(file + ".new", "w") as f:
        f.write(str(listener.getsockname()[1]))
    os.rename(file + ".new", file)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=serve, args=(client, context, int(port)),
                         daemon=True).start()


if __name__ == "__main__":
    main()
