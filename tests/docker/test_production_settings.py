"""In production nothing is guessed: what is missing is named, and what docker/.env.example asks for is enough."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLE = (ROOT / "docker" / ".env.example").read_text()
FILLED = {
    "SECRET_KEY": "x7Gk2vQ9wLr4TzB8nYc1MdF6hJp3SaE5uRo0iXtWqVyKbZmNg_CHlDfP-sAjUe",
    "VOUCHER_KEY": "k3Vq8ZtLw1BnXy6RfPd0HsGm7CjTa5EuOi2QoNbUhDgYlKxWr9MvSp4AzJeIc",
    "PUBLIC_BASE_URL": "https://vragen.vonkmobiel.example",
    "POSTGRES_PASSWORD": "geheim",
    "TWILIO_ACCOUNT_SID": "AC00000000000000000000000000000000",
    "TWILIO_AUTH_TOKEN": "geheim",
    "SMS_FROM": "+3197005555555",
    "EMAIL_URL": "submission://user:password@mail.vonkmobiel.example",
    "MAIL_DOMAIN": "vragen.vonkmobiel.example",
}
# compose.yml sets these for its own servers.
SERVERS = {"DATABASE_URL": "postgresql://ceo:geheim@postgres:5432/ceo", "REDIS_URL": "redis://valkey:6379/0"}
# The owner of the domain decides about its other hosts and browsers' lists, and the proxy redirects.
LEFT_TO_OTHERS = {"security.W005", "security.W008", "security.W021"}


def example() -> dict[str, str]:
    return dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))


def manage(var: Path, environment: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    """`manage.py` in a process of its own with this environment and nothing of ours."""
    inherited = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**inherited, **environment, "VAR_DIR": str(var)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_what_stands_empty_is_what_must_be_filled() -> None:
    assert {name for name, value in example().items() if not value} == set(FILLED)


@pytest.mark.parametrize("name", sorted({*FILLED, *SERVERS} - {"POSTGRES_PASSWORD"}))
def test_a_missing_variable_stops_the_start_by_its_name(name: str, tmp_path: Path) -> None:
    complete = {**example(), **FILLED, **SERVERS}
    for missing in ({key: value for key, value in complete.items() if key != name}, {**complete, name: ""}):
        done = manage(tmp_path, missing, "check")
        assert done.returncode != 0
        last = done.stderr.strip().splitlines()[-1]
        assert "ImproperlyConfigured" in last
        assert name in last


def test_the_filled_example_passes_djangos_check_for_production(tmp_path: Path) -> None:
    done = manage(tmp_path, {**example(), **FILLED, **SERVERS}, "check", "--deploy")
    assert done.returncode == 0, done.stderr
    assert set(re.findall(r"\((\w+\.[EWC]\d+)\)", done.stdout + done.stderr)) <= LEFT_TO_OTHERS


def test_the_commented_defaults_can_be_taken_as_they_stand(tmp_path: Path) -> None:
    """Every variable at once, as somebody would have it who takes all the # away (but for those of anymail+…)."""
    shown = dict(re.findall(r"^#([A-Z_]+)=(.+)$", EXAMPLE, re.MULTILINE))
    done = manage(tmp_path, {**example(), **shown, **FILLED, **SERVERS}, "check")
    assert done.returncode == 0, done.stderr


def test_production_starts_without_sandbox_and_mailbox(tmp_path: Path) -> None:
    done = manage(tmp_path, {**example(), **FILLED, **SERVERS}, "journey")
    assert done.returncode != 0
    assert "Unknown command" in done.stderr


def test_the_images_static_files_are_collected_with_its_stand_ins(tmp_path: Path) -> None:
    """The Dockerfile's own line, run here."""
    text = (ROOT / "docker" / "Dockerfile").read_text().replace("\\\n", " ")
    [line] = re.findall(r"^RUN (.*collectstatic.*?)&&", text, re.MULTILINE)
    stand_ins = dict(part.split("=", 1) for part in line.split() if re.match(r"[A-Z_]+=", part))
    done = manage(tmp_path, {"ENVIRONMENT": "production", **stand_ins}, "collectstatic", "--noinput", "--verbosity", "0")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "static" / "unfold" / "css" / "styles.css").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FIREBASE_CREDENTIALS", "{not json"),
        ("FIREBASE_CREDENTIALS", '{"type": "service_account"}'),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/account.json"),
        ("FCM_BASE_URL", "http://127.0.0.1:8011"),
    ],
)
def test_half_an_account_for_push_stops_the_start_by_its_name(name: str, value: str, tmp_path: Path) -> None:
    done = manage(tmp_path, {**example(), **FILLED, **SERVERS, name: value}, "check")
    assert done.returncode != 0
    assert name in done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("named", "given"),
    [
        ("OIDC_CLIENT_ID", {"OIDC_ISSUER": "https://login.vonkmobiel.example"}),
        ("OIDC_CLIENT_SECRET", {"OIDC_ISSUER": "https://login.vonkmobiel.example", "OIDC_CLIENT_ID": "ceo"}),
        (
            "OIDC_ISSUER",
            {"OIDC_ISSUER": "http://login.vonkmobiel.example", "OIDC_CLIENT_ID": "ceo", "OIDC_CLIENT_SECRET": "geheim"},
        ),
        ("SMS_CODE_COUNTRIES", {"SMS_CODE_COUNTRIES": "Nederland"}),
        ("SIGN_IN_CODES_PERSON_DAY", {"SIGN_IN_CODES_PERSON_DAY": "0"}),
        ("STEP_UP_MINUTES", {"STEP_UP_MINUTES": "0"}),
    ],
    ids=str,
)
def test_half_of_a_sign_in_stops_the_start(named: str, given: dict[str, str], tmp_path: Path) -> None:
    done = manage(tmp_path, {**example(), **FILLED, **SERVERS, **given}, "check")
    assert done.returncode != 0
    assert named in done.stderr.strip().splitlines()[-1]


def test_single_sign_on_that_is_configured_starts(tmp_path: Path) -> None:
    whole = {"OIDC_ISSUER": "https://login.vonkmobiel.example/", "OIDC_CLIENT_ID": "ceo", "OIDC_CLIENT_SECRET": "geheim"}
    code = "from people import single_sign_on; print(single_sign_on.button())"
    done = manage(tmp_path, {**example(), **FILLED, **SERVERS, **whole}, "shell", "--no-imports", "-c", code)
    assert done.stdout.strip() == "Single sign-on", done.stderr


def test_without_an_account_nothing_is_pushed(tmp_path: Path) -> None:
    code = "from django.conf import settings; print(settings.PUSH, repr(settings.FCM_BASE_URL))"
    done = manage(tmp_path, {**example(), **FILLED, **SERVERS}, "shell", "--no-imports", "-c", code)
    assert done.stdout.split() == ["False", "''"], done.stderr


@pytest.mark.parametrize(
    ("named", "given"),
    [
        ("ANYMAIL_WEBHOOK_SECRET", {"MAIL_WEBHOOKS": "postmark"}),
        ("ANYMAIL_WEBHOOK_SECRET", {"MAIL_WEBHOOKS": "postmark", "ANYMAIL_WEBHOOK_SECRET": "user:short"}),
        ("ANYMAIL_WEBHOOK_SECRET", {"EMAIL_URL": "anymail+postmark://"}),
        ("ANYMAIL_SETTINGS", {"MAIL_WEBHOOKS": "mailgun", "ANYMAIL_WEBHOOK_SECRET": "user:0123456789abcdef"}),
        ("MAIL_IN_TLS_CERT", {"MAIL_IN_TLS_REQUIRED": "true"}),
        ("MAIL_IN_TLS_CERT", {"MAIL_IN_TLS_CERT": "/nowhere/cert.pem"}),
    ],
    ids=str,
)
def test_mail_that_could_be_forged_or_read_stops_the_start(named: str, given: dict[str, str], tmp_path: Path) -> None:
    done = manage(tmp_path, {**example(), **FILLED, **SERVERS, **given}, "check")
    assert done.returncode != 0
    assert named in done.stderr.strip().splitlines()[-1]
