"""A day of an employee who takes part, in what the app asks for: a full read, and a look whenever something happened."""

import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from backend import clock
from questions.models import Assignment
from tests.conftest import Cast, answered, api, post, work
from tests.sync.mirror import Mirror

DEMO = Path(__file__).resolve().parent.parent.parent / "sandbox" / "demo"
KILOBYTES = 10
LOOKS = 4  # between things that happen: nothing is new


class Metered(Mirror):
    """Counts the bytes of each answer, compressed as it travels."""

    bytes_received = 0

    def ask(self) -> Any:
        response = super().ask()
        self.bytes_received += len(gzip.compress(response.content))
        return response


def test_a_day_of_a_normal_employee_stays_below_ten_kilobytes(cast: Cast) -> None:
    """Two friends' questions of the demo company asked and answered, one answered for a colleague, and looks between."""
    texts = [question["text"] for question in json.loads((DEMO / "questions.json").read_text())][:3]
    answer = "Dat komt door het gebruik buiten de bundel in Turkije. Je ziet het per dag in de app onder Verbruik. " * 2
    phone = Metered(api(cast.charlie)).sync()
    morning, phone.bytes_received = phone.bytes_received, 0
    for number, body in enumerate(texts[:2]):
        made = post(api(cast.charlie), "/questions", {"text": body, "topic": "billing"}, key=f"day-key-{number}")
        phone.sync()
        work(sending=False)
        phone.sync()
        path = f"/assignments/{_offer(cast, made.json()['id'])}/answer"
        assert post(api(cast.bob), path, {"text": answer}, key=f"day-answer-{number}").status_code == 201
        work(sending=False)
        phone.sync()
        post(api(cast.charlie), f"/questions/{made.json()['id']}/relay")
        for _look in range(LOOKS):
            phone.sync()
    cast.bob.absences.create(starts_at=clock.now(), ends_at=clock.now() + timedelta(days=1))
    answered(cast, texts[2], answer, asker=cast.alice)
    phone.sync()
    assert len(phone.of("question")) == 2
    assert [thing["state"] for thing in phone.of("assignment")] == ["answered"]
    assert phone.bytes_received < KILOBYTES * 1000, phone.bytes_received
    assert morning < KILOBYTES * 1000, morning


def _offer(cast: Cast, question: str) -> str:
    return str(Assignment.objects.get(question=UUID(question), expert=cast.bob).pk)
