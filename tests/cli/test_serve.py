"""
The server of the report page: one page, this machine only.
"""

import threading
from collections.abc import Iterator
from http.client import HTTPConnection

import pytest

from tocsin.cli.serve import build_server


@pytest.fixture
def port() -> Iterator[int]:
    with build_server(b"<p>page</p>") as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def ask(port: int, method: str, path: str, host: str = "127.0.0.1") -> tuple[int, bytes, dict[str, str]]:
    link = HTTPConnection("127.0.0.1", port)
    link.request(method, path, headers={"Host": f"{host}:{port}"})
    answer = link.getresponse()
    body = answer.read()
    link.close()
    return answer.status, body, dict(answer.getheaders())


def test_the_page_is_served(port: int) -> None:
    status, body, headers = ask(port, "GET", "/")
    assert (status, body) == (200, b"<p>page</p>")
    assert headers["Content-Type"] == "text/html; charset=utf-8"
    assert headers["Cache-Control"] == "no-store"
    assert ask(port, "HEAD", "/")[:2] == (200, b"")


@pytest.mark.parametrize("path", ["/x", "/../etc/passwd", "/.git/config"])
def test_nothing_else_is_served(port: int, path: str) -> None:
    assert ask(port, "GET", path)[:2] == (404, b"not here\n")


def test_another_host_name_is_refused(port: int) -> None:
    assert ask(port, "GET", "/", host="evil.example")[0] == 404
    assert ask(port, "GET", "/", host="localhost")[0] == 200


def test_it_listens_on_this_machine_only() -> None:
    with build_server(b"") as server:
        assert server.server_address[0] == "127.0.0.1"
