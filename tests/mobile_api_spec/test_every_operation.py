"""Schemathesis asks every operation what its specification allows and forbids, and follows its links."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.stack import ROOT, Stack
from tests.mobile_api_spec.generator import SPEC
from tests.mobile_api_spec.sign_in import sign_in

pytestmark = pytest.mark.heavy
HERE = Path(__file__).resolve().parent
WHO = {"an employee": "+31612340000", "an expert": "+31612340274", "the desk": "+31612340411"}
SEED = "20261"  # the same requests each time


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    made = Stack(tmp_path_factory.mktemp("operations"))
    for folder in (made.var, *made.var.parents[:2]):
        folder.chmod(0o755)
    made.start()
    yield made
    made.stop()


@pytest.mark.parametrize("who", WHO)
def test_no_operation_surprises(stack: Stack, who: str, tmp_path: Path) -> None:
    token, before = sign_in(stack, WHO[who]), _questions(stack)
    program = Path(sys.executable).with_name("schemathesis")
    done = subprocess.run(
        [
            *(str(program), "--config-file", str(HERE / "schemathesis.toml"), "run", str(SPEC), "--url", stack.base),
            *("--checks", "all", "--phases", "coverage,fuzzing,stateful"),
            # Signing out would end the run; the stream is another process's, and never ends.
            *(
                part
                for name in ("sign_out", "end_session", "sign_out_everywhere", "stream_events")
                for part in ("--exclude-operation-id", name)
            ),
            *("--max-examples", "8", "--seed", SEED),
            *("--generation-database", ":memory:", "--warnings", "off", "--no-color", "--continue-on-failure"),
        ],
        cwd=tmp_path,
        env={**os.environ, "CEO_TOKEN": token, "SCHEMATHESIS_HOOKS": f"{__package__}.hooks", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert _questions(stack) > before  # it was let in
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-2_000:]


def _questions(stack: Stack) -> int:
    return int(stack.sql("SELECT count(*) FROM questions_question")[0][0])
