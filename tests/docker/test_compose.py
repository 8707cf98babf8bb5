"""The docker folder says what the product is: its variables are the settings', its commands are the processes'.

There is no docker engine where tests run, and no YAML reader among the packages: services and commands stand in the file
in a shape that a few lines can read.
"""

import itertools
import json
import re
from pathlib import Path

from django.core.management import get_commands

from backend import processes

ROOT = Path(__file__).resolve().parent.parent.parent
DOCKER = ROOT / "docker"
SETTINGS = (ROOT / "backend" / "settings.py").read_text()
COMPOSE = (DOCKER / "compose.yml").read_text()
EXAMPLE = (DOCKER / ".env.example").read_text()
OURS = ("migrate", "web", "live", "worker", "beat", "mail")


def read_by_settings() -> set[str]:
    return set(re.findall(r'(?:env\.\w+|_required_in_production)\(\s*"([A-Z_]+)"', SETTINGS))


def read_by_compose() -> set[str]:
    return set(re.findall(r"(?<!\$)\$\{([A-Z_]+)", COMPOSE))


def services() -> dict[str, str]:
    """The text of each service."""
    [block] = re.findall(r"^services:\n(.*?)^\w", COMPOSE, re.MULTILINE | re.DOTALL)
    parts = re.split(r"^  (\w+):\n", block, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def command_of(text: str) -> list[str]:
    [command] = re.findall(r"^    command: (\[.*\])$", text, re.MULTILINE)
    arguments: list[str] = json.loads(command)
    return arguments


def test_every_variable_stands_in_the_example_and_no_other() -> None:
    in_example = re.findall(r"^#?([A-Z_]+)=", EXAMPLE, re.MULTILINE)
    assert len(in_example) == len(set(in_example))
    assert set(in_example) == read_by_settings() | read_by_compose()


def test_every_variable_is_explained() -> None:
    lines = EXAMPLE.splitlines()
    for before, line in itertools.pairwise(lines):
        if re.match(r"#?[A-Z_]+=", line):
            assert before.startswith("# "), line


def test_the_example_holds_no_secret() -> None:
    for name in ("SECRET_KEY", "VOUCHER_KEY", "POSTGRES_PASSWORD", "TWILIO_AUTH_TOKEN", "EMAIL_URL"):
        assert f"\n{name}=\n" in EXAMPLE


def test_every_role_and_both_servers_are_services() -> None:
    assert set(services()) == {*OURS, "postgres", "valkey"}


def test_our_services_share_one_image_and_wait_for_their_turn() -> None:
    for name in OURS:
        assert "<<: *app" in services()[name]
        assert "image:" not in services()[name]
    assert 'restart: "no"' in services()["migrate"]
    assert "migrate: {condition: service_completed_successfully}" in COMPOSE


def test_everything_that_stays_up_is_watched() -> None:
    for name, text in services().items():
        assert ("healthcheck:" in text) is (name != "migrate"), name


def test_the_commands_are_those_of_the_product(tmp_path: Path) -> None:
    """`make run` and docker start the same programs with the same arguments."""
    started = processes.product(tmp_path, host="0.0.0.0", port=8000, live_port=8001, sandbox=False)
    product = {process.name: process.arguments for process in started}
    for process, service in {"web": "web", "live": "live", "worker": "worker", "beat": "beat"}.items():
        there = product[process][2:]  # without `python -m`
        assert command_of(services()[service])[: len(there)] == there
    assert set(product) == {"web", "live", "worker", "beat", "mail-in"}
    assert command_of(services()["web"]) == json.loads(re.findall(r"^CMD (.*)$", dockerfile(), re.MULTILINE)[0])


def test_manage_commands_exist() -> None:
    for name in ("migrate", "mail"):
        python, manage, command, *_ = command_of(services()[name])
        assert (python, manage) == ("python", "manage.py")
        assert command in get_commands()


def dockerfile() -> str:
    return (DOCKER / "Dockerfile").read_text()


def test_the_image_runs_as_nobody_special_with_checked_packages() -> None:
    lines = dockerfile().splitlines()
    assert "USER app" in lines
    assert lines.index("USER app") > max(number for number, line in enumerate(lines) if line.startswith("RUN"))
    assert "--require-hashes" in dockerfile()


def test_everything_the_product_imports_is_in_the_image() -> None:
    apps = {path.parent.name for path in ROOT.glob("*/apps.py")} - {"sandbox"}  # there is no sandbox in production
    kept = set(re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert apps | {"manage.py", "requirements.txt"} <= kept
    assert not kept & {"var", "docker", ".env", "tests", "sandbox"}
