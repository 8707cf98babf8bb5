"""The directory over HTTP: alphabetical, page by page."""

from typing import Annotated, Any
from uuid import UUID

from django.http import HttpRequest
from ninja import Query, Router
from pydantic import AfterValidator, Field, StringConstraints

from backend.manners import Cursor, Limit, Page, Schema, language, printable, problems
from people.by_name import page_by_name
from people.models import Person
from questions import directory
from questions.schemas import TopicBrief

router = Router(tags=["colleagues"])

SearchText = Annotated[
    Annotated[str, StringConstraints(max_length=80, strip_whitespace=True), AfterValidator(printable)],
    Query("", description="Part of a name or of a topic's name."),
]
TopicSlug = Annotated[str, Query("", max_length=60, description="A topic's slug: only those who know it.")]


class DirectoryEntry(Schema):
    """A colleague. The id is what `POST /kudos` takes."""

    id: UUID
    name: str = Field(max_length=120)
    team: str | None = Field(max_length=80)
    topics: list[TopicBrief] = Field(description="What they know about; in my language.")
    email: str | None = Field(description="Null unless they chose to show it.", max_length=254)
    mobile: str | None = Field(description="Null unless they chose to show it.", max_length=16)

    @classmethod
    def of(cls, person: Person, language: str) -> "DirectoryEntry":
        topics = [row.topic for row in person.knows]  # type: ignore[attr-defined]  # prefetched by directory.search
        return cls(
            id=person.pk,
            name=person.name,
            team=person.team.name if person.team else None,
            topics=[TopicBrief(slug=topic.slug, name=topic.name(language)) for topic in topics],
            email=person.email if person.shows_contact else None,
            mobile=person.mobile if person.shows_contact else None,
        )


@router.get(
    "/directory",
    response={200: Page[DirectoryEntry], **problems()},
    operation_id="search_directory",
    summary="Who works here and knows what",
)
def search_directory(request: HttpRequest, q: SearchText, topic: TopicSlug, cursor: Cursor, limit: Limit) -> Any:
    """By name. Phone and mail only of those who chose to show them."""
    rows = directory.search(q, topic)
    return page_by_name(rows, cursor=cursor, limit=limit, show=lambda person: DirectoryEntry.of(person, language()))
