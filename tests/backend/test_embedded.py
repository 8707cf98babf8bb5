"""The private PostgreSQL and Valkey survive whatever stops a machine."""

import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis

from backend import embedded


@pytest.fixture
def var(tmp_path: Path) -> Iterator[Path]:
    """A folder that the service account can reach, as a checkout usually is."""
    folder = Path(f"/tmp/ceo-test-{os.getpid()}-{tmp_path.name}")  # noqa: S108
    folder.mkdir(mode=0o755)
    yield folder
    embedded.stop(folder)
    subprocess.run(["rm", "-rf", str(folder), str(embedded._home(folder))], check=True)


def query(services: embedded.Services, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(services.database_url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_it_starts_with_vectors_and_survives_a_killed_server_and_a_stale_pid(var: Path) -> None:
    services = embedded.start(var)
    assert services == embedded.start(var) == embedded.locate(var)
    query(services, "CREATE EXTENSION vector")
    query(services, "CREATE TABLE kept AS SELECT 1 AS one")
    pid = embedded._running_pid(var)
    assert pid
    os.kill(pid, signal.SIGKILL)
    while embedded.postgres_alive(var):
        time.sleep(0.05)
    embedded.start_postgres(var)
    assert query(services, "SELECT * FROM kept") == [(1,)]
    embedded.stop_postgres(var)
    with subprocess.Popen(["sleep", "60"]) as other:  # the pid in the file was given to another program
        (embedded._data(var) / "postmaster.pid").write_text(f"{other.pid}\n{embedded._data(var)}\n")
        embedded.start_postgres(var)
        assert other.poll() is None
        other.kill()
    assert query(services, "SELECT * FROM kept") == [(1,)]


def test_a_port_that_something_else_took_is_left_to_it(var: Path) -> None:
    services = embedded.start(var)
    embedded.stop(var)
    port = int(services.database_url.rsplit(":", 1)[1].split("/")[0])
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", port))
        other.listen()
        moved = embedded.start(var)
    assert moved.database_url != services.database_url
    assert query(moved, "SELECT 1") == [(1,)]


def test_valkey_keeps_its_data_over_a_kill_and_refuses_strangers(var: Path) -> None:
    embedded.start_valkey(var)
    url = embedded.locate(var).redis_url
    with redis.Redis.from_url(url) as client:
        client.set("kept", "yes")
        time.sleep(1.5)  # the append-only file is written every second
    pid = embedded._valkey_pid(var)
    assert pid
    os.kill(pid, signal.SIGKILL)
    while embedded.valkey_alive(var):
        time.sleep(0.05)
    embedded.start_valkey(var)
    with redis.Redis.from_url(url, decode_responses=True) as client:
        assert client.get("kept") == "yes"
    with redis.Redis.from_url(url.replace("redis://:", "redis://:x")) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_two_that_start_at_once_get_one_server(var: Path) -> None:
    command = [sys.executable, "-m", "backend.embedded", "start", str(var)]
    started = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [one.wait() for one in started] == [0, 0]
    assert len(embedded._orphans(embedded._data(var))) > 0
    assert query(embedded.locate(var), "SELECT 1") == [(1,)]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as somebody else")
def test_a_folder_out_of_reach_keeps_its_mode(tmp_path: Path) -> None:
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    var = private / "var"
    try:
        services = embedded.start(var)
        assert query(services, "SELECT 1") == [(1,)]
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert embedded._home(var) != var
    finally:
        embedded.stop(var)
        subprocess.run(["rm", "-rf", str(embedded._home(var))], check=True)
