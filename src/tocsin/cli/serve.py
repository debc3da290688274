"""
Serve one finished page on this machine until Ctrl-C.
"""

from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_HOST = "127.0.0.1"


def serve_report(path: Path, *, port: int = 0) -> None:
    """
    Serve the file at `path`, and nothing else, on 127.0.0.1; print its address; return at Ctrl-C.

    Args:
        path: A page made by `tocsin.views.report`; read once.
        port: Where to listen; 0 takes a free one.

    Raises:
        OSError: The file cannot be read, or the port is taken.
    """
    with build_server(path.read_bytes(), port=port) as server:
        print(f"report: http://{_HOST}:{server.server_port}/  (Ctrl-C ends)", flush=True)
        try:
            server.serve_forever(poll_interval=0.2)
        except KeyboardInterrupt:
            print(flush=True)


def build_server(page: bytes, *, port: int = 0) -> ThreadingHTTPServer:
    """
    Return a server, not yet running, whose only address is `/` and whose only answer is `page`.
    """
    server = ThreadingHTTPServer((_HOST, port), _build_handler(page))
    server.daemon_threads = True
    return server


def _build_handler(page: bytes) -> Callable[..., BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server_version = "tocsin"
        sys_version = ""

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def _answer(self, *, with_body: bool) -> None:
            # Another site's page may point its own host name here; it shall not read the report.
            host = (self.headers.get("Host") or "").rsplit(":", 1)[0]
            found = self.path.split("?", 1)[0] == "/" and host in (_HOST, "localhost")
            body = page if found else b"not here\n"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8" if found else "text/plain")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.send_header("X-Content-Type-Options", "nosniff")
            self.end_headers()
            if with_body:
                self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            """
            Say nothing: the page is the result.
            """

    return Handler
