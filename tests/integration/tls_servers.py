"""Servers of TLS that nobody should trust, or that do not get far."""

import contextlib
import socket
import ssl
import threading


class Fake:
    """A server on 127.0.0.1 that begins a TLS handshake (with `context`; None: it says nothing at all) and no more."""

    def __init__(self, context):
        self.context = context
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.kept = []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        with contextlib.suppress(OSError):
            while True:
                one, _ = self.listener.accept()
                self.kept.append(one)
                if self.context:
                    threading.Thread(target=self._shake, args=(one,), daemon=True).start()

    def _shake(self, one):
        with contextlib.suppress(OSError), self.context.wrap_socket(one, server_side=True) as tls:
            self.said = tls.recv(1)

    def close(self):
        self.listener.close()
        for one in self.kept:
            one.close()


def serving(whole):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(whole)
    return context


# name, what the server shows (of the authority that is trusted, and another)
REFUSED = [
    ("signed by somebody else", lambda ours, other: other.issue("stranger")),
    ("for another name", lambda ours, other: ours.issue("elsewhere", ["DNS:rabbit.example", "IP:192.0.2.1"])),
    ("expired", lambda ours, other: ours.issue("old", until_days=-1)),
    ("not valid yet", lambda ours, other: ours.issue("early", from_days=2)),
]
