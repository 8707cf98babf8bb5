"""The product's web side behind a real socket, for tests with many clients or a browser."""

import http.client
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.db import connections

CLIENTS = 32


class _Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        """The test looks at answers, not at logs."""


@dataclass
class Server:
    port: int

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def call(self, method: str, path: str, token: str, body: Any = None, key: str = "") -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        if key:
            headers["Idempotency-Key"] = key
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, f"/api/v1{path}", json.dumps(body or {}), headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()


class _Web(ThreadedWSGIServer):
    """As many threads as clients, each with its own lasting database connection, as the product's workers have."""

    request_queue_size = 512
    pool: ThreadPoolExecutor

    def process_request(self, request: Any, client_address: Any) -> None:
        self.pool.submit(self.process_request_thread, request, client_address)


def _close(gate: threading.Barrier) -> None:
    """Each thread its own connections: the gate sees to it that every thread comes by."""
    gate.wait()
    connections.close_all()


@pytest.fixture
def server(committed: None) -> Iterator[Server]:
    """The product's WSGI application behind a socket."""
    web = _Web(("127.0.0.1", 0), _Quiet)
    web.set_app(get_wsgi_application())  # not backend.wsgi's: that one watches the other processes, too
    web.pool = ThreadPoolExecutor(CLIENTS)
    thread = threading.Thread(target=web.serve_forever, daemon=True)
    thread.start()
    yield Server(web.server_address[1])
    web.shutdown()
    web.server_close()
    gate = threading.Barrier(CLIENTS)
    for closing in [web.pool.submit(_close, gate) for _client in range(CLIENTS)]:
        closing.result()
    web.pool.shutdown()
    thread.join()
