"""A time server, or one that takes TCP connections and answers HTTP: `ntp` or a port to serve."""

import socketserver
import struct
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_SINCE_1900 = 2_208_988_800


class Clock(socketserver.BaseRequestHandler):
    """Answers as a server of stratum 2 whose clock is ours (RFC 5905, section 7.3)."""

    def handle(self) -> None:
        """Answer one query."""
        query, sock = self.request
        now = int((time.time() + _SINCE_1900) * 2**32)
        head = struct.pack("!BBbbII4s", 0x24, 2, 6, -20, 0, 0, b"test")
        times = struct.pack("!Q", now) + query[40:48] + struct.pack("!QQ", now, now)
        sock.sendto(head + times, self.client_address)


class Fine(BaseHTTPRequestHandler):
    """Answers 200 whatever is asked."""

    def do_GET(self) -> None:
        """Answer one GET."""
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()


if __name__ == "__main__":
    if sys.argv[1] == "ntp":
        socketserver.UDPServer(("127.0.0.1", 123), Clock).serve_forever()
    ThreadingHTTPServer(("", int(sys.argv[1])), Fine).serve_forever()
