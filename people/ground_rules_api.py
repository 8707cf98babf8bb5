"""The ground rules over HTTP."""

from datetime import datetime
from typing import Annotated, Any

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Path, Router
from pydantic import Field

from backend import clock
from backend.errors import NotFound
from backend.manners import Schema, language, problems
from people import ground_rules
from people.bearer import caller
from people.models import GroundRules, Person

router = Router(tags=["app"])
Version = Annotated[int, Path(..., ge=1, le=2**31 - 1, description="The version that I have read.")]


class GroundRulesOut(Schema):
    """What may I say?"""

    version: int = Field(description="Counts up; a newer one is to be read and accepted again.", ge=1)
    text: str = Field(description="Markdown, in the language of the request.", max_length=20_000)
    published_at: datetime = Field(description="UTC.")
    accepted_at: datetime | None = Field(description="UTC: when I said that I read it; null until then.")

    @classmethod
    def of(cls, rules: GroundRules, reader: Person) -> "GroundRulesOut":
        said = ground_rules.accepted_at(reader, rules)
        text = rules.text(language())
        return cls(version=rules.version, text=text, published_at=rules.published_at, accepted_at=said)


@router.get(
    "/ground-rules",
    response={200: GroundRulesOut, **problems(404)},
    operation_id="get_ground_rules",
    summary="What may I say?",
)
def get_ground_rules(request: HttpRequest) -> Any:
    """The newest version. Show it before anything is asked or answered while `accepted_at` is null."""
    found = ground_rules.current(clock.now())
    if found is None:
        raise NotFound(_("There are no ground rules yet."))
    return GroundRulesOut.of(found, caller(request))


@router.post(
    "/ground-rules/{version}/accept",
    response={200: GroundRulesOut, **problems(404, 409)},
    operation_id="accept_ground_rules",
    summary="I have read them",
)
def accept_ground_rules(request: HttpRequest, version: Version) -> Any:
    """Twice is fine. `newer_ground_rules` when another version came out meanwhile: show that one."""
    me = caller(request)
    return GroundRulesOut.of(ground_rules.accept(me, version, clock.now()), me)
