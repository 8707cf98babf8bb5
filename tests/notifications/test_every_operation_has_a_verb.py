"""What the app can do, a text can do: held to the API as the code has it."""

from collections import Counter
from typing import Any

from backend.api import api
from notifications import verbs
from notifications.without_verb import REASONS

REASONS_MAX = 10
WORDS_OF_A_REASON = 6


def people_operations() -> dict[str, str]:
    """Operation → its path, of everything that a signed-in person may call."""
    schema: Any = api.get_openapi_schema()
    return {
        operation["operationId"]: path
        for path, methods in schema["paths"].items()
        for operation in methods.values()
        if any("Bearer" in way for way in operation.get("security", []))
    }


def test_every_operation_of_a_person_has_a_verb_or_a_reason() -> None:
    spoken = {name for verb in verbs.ALL for name in verb.operations}
    excused = {name for names in REASONS.values() for name in names}
    assert len(people_operations()) > 60
    assert set(people_operations()) - spoken - excused == set()


def test_no_verb_and_no_reason_names_an_operation_that_is_gone_or_both() -> None:
    spoken = {name for verb in verbs.ALL for name in verb.operations}
    excused = [name for names in REASONS.values() for name in names]
    assert (spoken | set(excused)) - set(people_operations()) == set()
    assert spoken & set(excused) == set()
    assert [name for name, count in Counter(excused).items() if count > 1] == []


def test_there_are_at_most_ten_reasons_and_they_are_sentences() -> None:
    assert len(REASONS) <= REASONS_MAX
    assert all(len(reason.split()) >= WORDS_OF_A_REASON for reason in REASONS)


def test_every_verb_is_explained_with_an_example_that_is_read_as_that_verb() -> None:
    from notifications.reading import read

    for verb in verbs.ALL:
        assert str(verb.about), verb.names
        if verb.names != ("HULP",):  # in English its name is the carriers' HELP
            said = read(str(verb.example).replace("+ ", ""))
            assert said.verb is not None, verb.example
            assert verb.name() in said.verb.names, verb.example


def test_no_verb_is_a_carriers_word() -> None:
    assert set(verbs.VERBS) & verbs.CARRIER_WORDS == set()
