"""How every benchmark speaks: a table for people, one JSON object with `--json`."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Figures = dict[str, Any]


def run(doc: str, measure: Callable[[argparse.Namespace], Figures], **options: float | str) -> None:
    """Read the options (`--name VALUE`, of the type of its default), measure, and print."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    for name, default in options.items():
        parser.add_argument(f"--{name}", type=type(default), default=default, help=f"default {default}" if default else "")
    chosen = parser.parse_args()
    figures = measure(chosen)
    if chosen.json:
        print(json.dumps(figures))
        return
    width = max(len(name) for name in figures)
    for name, value in figures.items():
        print(f"{name:<{width}}  {value}")


@contextmanager
def own_database() -> Iterator[None]:
    """A PostgreSQL in a folder of its own with every table of the product, removed afterwards; Django is set up."""
    from backend import embedded

    folder = Path(tempfile.mkdtemp(prefix="ceo-benchmark-"))
    folder.chmod(0o755)
    for elsewhere in ("DATABASE_URL", "REDIS_URL"):  # nobody's real data is measured, or filled with ours
        os.environ.pop(elsewhere, None)
    os.environ |= {"VAR_DIR": str(folder), "DJANGO_SETTINGS_MODULE": "backend.settings", "LOG_LEVEL": "ERROR"}
    embedded.start(folder)
    try:
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        yield
    finally:
        embedded.stop(folder)
        shutil.rmtree(folder, ignore_errors=True)


def run_sql(sql: str, parameters: Figures | None = None) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def apart(module: str, arguments: list[str], **files: bytes) -> Figures:
    """Run a benchmark in a process of its own, on one core, with these contents as files; returns its figures."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = os.path.join(folder, name)
            with open(path, "wb") as file:
                file.write(content)
            arguments = [*arguments, f"--{name}", path]
        one_core = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-m", module, *arguments, "--json"]
        done = subprocess.run(command, env=one_core, check=True, capture_output=True, text=True)  # noqa: S603
    found: Figures = json.loads(done.stdout)
    return found
