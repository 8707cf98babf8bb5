"""Sign in as an app does: a code comes by SMS and goes back."""

import re

import requests

from tests.faults.stack import Stack

CODE = re.compile(r"\b[A-Z0-9]{4}-?[A-Z0-9]{2,4}\b|\b\d{6}\b")


def code_of(stack: Stack, phone: str) -> str:
    """The code in the newest SMS that came to this phone, once it is there."""
    newest = "SELECT body FROM sandbox_letter WHERE direction = 'to_person' AND address = %s ORDER BY id DESC LIMIT 1"

    def read() -> str:
        found = stack.sql(newest, phone)
        code = CODE.search(found[0][0]) if found else None
        return code.group() if code else ""

    return str(stack.until(read, "the code"))


def sign_in(stack: Stack, phone: str) -> str:
    """Returns the access token."""
    auth = f"{stack.base}/_allauth/app/v1/auth/code"
    asked = requests.post(f"{auth}/request", json={"phone": phone}, timeout=10).json()
    session = {"X-Session-Token": asked["meta"]["session_token"]}
    done = requests.post(f"{auth}/confirm", json={"code": code_of(stack, phone)}, headers=session, timeout=10)
    return str(done.json()["meta"]["access_token"])
