"""Clients generated from the specification: `python -m tests.mobile_api_spec.generator KIND FOLDER`."""

import subprocess
import sys
from pathlib import Path

SPEC = Path(__file__).resolve().parent.parent.parent / "mobile_api_spec" / "openapi.json"
OPTIONS = "enumUnknownDefaultCase=true"  # a value that a later version adds must not break an app that is installed


def generate(kind: str, folder: Path) -> str:
    """`typescript-fetch`, `kotlin` or `swift6`. Returns what the generator said."""
    program = Path(sys.executable).with_name("openapi-generator-cli")
    command = [str(program), "generate", "-g", kind, "-i", str(SPEC), "-o", str(folder), "--additional-properties", OPTIONS]
    done = subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 — our own arguments
    return done.stdout + done.stderr


if __name__ == "__main__":
    generate(sys.argv[1], Path(sys.argv[2]))
