"""`GET /sync`: all that concerns me, and from then on what has changed since.

A cursor holds what this reader has seen (`backend.changes`), signed for one person and one language; an app that has none
gets everything, page by page, and then goes on from the snapshot that was taken before the first page. Each thing is told
as it is now, so being told twice does no harm. Several pages lead to the moment of the first one: one more answer then
brings what came meanwhile, so that who has read to the end is up to date.
"""

import json
import zlib
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Annotated, Any
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from ninja import Query, Router
from pydantic import Field

from backend import changes
from backend.changes import Kind, Place
from backend.errors import Refusal
from backend.manners import BadRequest, Schema, language, problems
from notifications import copies as notification_copies
from notifications.api import InboxItem
from notifications.preferences_api import PreferencesOut
from people import copies as people_copies
from people.bearer import caller
from people.models import Person
from people.schemas import AbsenceOut, Me
from questions import copies as question_copies
from questions import duty
from questions.cards_api import TopicCardOut
from questions.directory_api import DirectoryEntry
from questions.schemas import ApprovalOut, AssignmentDetail, DeskItemOut, QuestionDetail, TopicOut
from rewards import copies as reward_copies
from rewards.schemas import BadgeOut, GiftOut, OfferOut, WalletOut

router = Router(tags=["sync"])

KINDS: tuple[Kind, ...] = (
    *people_copies.KINDS,
    *reward_copies.KINDS,
    *question_copies.KINDS,
    *notification_copies.KINDS,
)
PAGE = 200
PAGE_MAX = 500
CURSOR_CHARACTERS = 2000
LOWEST = UUID(int=0)

SyncCursor = Annotated[
    str | None, Query(None, max_length=CURSOR_CHARACTERS, description="`cursor` of the answer before; none to begin.")
]
SyncLimit = Annotated[int, Query(PAGE, ge=1, le=PAGE_MAX, description="Things at most in one answer.")]


class ResyncRequired(Refusal):
    """The cursor is older than what we remember, of another database, or the reader's language or role has changed."""

    code = "resync_required"
    status = 410


class EventsElsewhere(Refusal):
    """Asked of the web server: an open stream would keep one of its threads."""

    code = "events_elsewhere"
    status = 421


class RemovedOut(Schema):
    """Something that is gone, or does not concern me any more: delete the copy."""

    kind: str = Field(
        description="topic, card, colleague, question, assignment, approval, desk, offer, gift or inbox. May grow.",
        max_length=20,
    )
    id: UUID


class SyncOut(Schema):
    """What to write over the app's copies, each thing whole and as it is now. What has not changed is left out."""

    cursor: str = Field(description="Opaque. Keep it with the copies, in one transaction; it is for me alone.")
    has_more: bool = Field(description="Ask again at once with `cursor`.")
    starts_over: bool = Field(description="The first answer of a full read: delete all copies before writing these.")
    me: Me | None = Field(None, description="Missing when unchanged.")
    absences: list[AbsenceOut] | None = Field(None, description="When I am away: all of them. Missing when unchanged.")
    wallet: WalletOut | None = Field(None, description="Missing when unchanged.")
    badges: list[BadgeOut] | None = Field(None, description="All of them. Missing when unchanged.")
    preferences: PreferencesOut | None = Field(None, description="Missing when unchanged.")
    topics: list[TopicOut] = Field([], description="In use; their names are in the language of this request.")
    cards: list[TopicCardOut] = Field([], description="What I may say without asking.")
    colleagues: list[DirectoryEntry] = Field([], description="Everybody who works here.")
    questions: list[QuestionDetail] = Field([], description="Mine, with answer and thread.")
    assignments: list[AssignmentDetail] = Field([], description="Offered to me.")
    approvals: list[ApprovalOut] = Field([], description="Colleagues' answers that wait for me.")
    desk_items: list[DeskItemOut] = Field([], description="What waits for the desk, for people of the desk.")
    offers: list[OfferOut] = Field([], description="What I can hand out now.")
    gifts: list[GiftOut] = Field([], description="Given by me.")
    inbox: list[InboxItem] = Field([], description="Told to me.")
    removed: list[RemovedOut] = Field([], description="Copies to delete.")

    def unchanged(self) -> set[str]:
        """The fields that say nothing."""
        ones = {kind.field for kind in KINDS if kind.is_one and getattr(self, kind.field) is None}
        lists = {*(kind.field for kind in KINDS if not kind.is_one), "removed"}
        return ones | {name for name in lists if not getattr(self, name)}

    def as_json(self) -> str:
        """Without what says nothing: an app looks two dozen times a day."""
        return self.model_dump_json(by_alias=True, exclude=self.unchanged())

    def is_empty(self) -> bool:
        return len(self.unchanged()) > len(KINDS)


@dataclass(frozen=True)
class Cursor:
    """What a reader has seen: the snapshot `seen`, and within a long answer where it stopped.

    `seen` is empty during a full read; `upto` is what they will have seen at the end of the pages.
    """

    seen: str
    upto: str = ""
    kind: str = ""  # where the last page ended: its kind and id, and of a delta transaction and person too
    object_id: str = ""
    xid: int = 0
    person: str = ""


def write_cursor(reader: Person, cursor: Cursor) -> str:
    kept = list(asdict(cursor).values())
    while kept and not kept[-1]:
        kept.pop()
    plain = json.dumps([language(), changes.database(), _seen_as(reader), *kept], separators=(",", ":"))
    encoded = signing.b64_encode(plain.encode()).decode()
    return _signer(reader).sign(encoded)


def read_cursor(reader: Person, text: str) -> Cursor:
    """Raises BadRequest for what is not a cursor of this person's, ResyncRequired for one that leads nowhere."""
    try:
        spoken, database, seen_as, *kept = json.loads(signing.b64_decode(_signer(reader).unsign(text).encode()))
    except (signing.BadSignature, ValueError) as error:
        raise BadRequest(_("This cursor is not one of ours.")) from error
    if (spoken, database, seen_as) != (language(), changes.database(), _seen_as(reader)):
        raise resync_required()
    return Cursor(*kept)


def _seen_as(reader: Person) -> int:
    """What decides about what somebody may see and no row of theirs tells: with another role all is read anew."""
    marks = (*sorted(reader.roles), str(reader.team_id), reader.language, str(reader.joined_on))
    return zlib.crc32("|".join(marks).encode())


def audiences(reader: Person) -> list[UUID]:
    """Under which readers the change log tells this one something."""
    return [reader.pk, changes.EVERYBODY, *([changes.DESK] if duty.is_desk(reader) else [])]


def _signer(reader: Person) -> signing.Signer:
    return signing.Signer(salt=f"sync:{reader.pk}", sep=".")


def resync_required() -> ResyncRequired:
    return ResyncRequired(_("This cursor is too old, or your language or role has changed. Ask again without one."))


@router.get(
    "/sync",
    response={200: SyncOut, **problems(410)},
    operation_id="sync",
    summary="What has changed for me",
    exclude_unset=False,
)
def get_sync(request: HttpRequest, cursor: SyncCursor, limit: SyncLimit) -> HttpResponse:
    """Without `cursor` everything, page by page, until `has_more` is false; with it what came since, and what is gone.

    Nothing is missed, and being told twice does no harm. `resync_required` (410) when the cursor is older than 30 days or
    was made for another `Accept-Language`: ask again without one.
    """
    return HttpResponse(read(caller(request), cursor, limit).as_json(), content_type="application/json")


@router.get(
    "/events",
    response={200: str, **problems(410, 421)},
    operation_id="stream_events",
    summary="What has changed for me, as it happens",
)
def stream_events(request: HttpRequest, cursor: SyncCursor) -> Any:
    """Server-sent events, at `events_url` of `GET /config`. `sync` events hold what `GET /sync` would answer, and its
    cursor as their `id`: keep both, and reconnect with `Last-Event-ID` (or `cursor`) to go on without a gap. Without
    either it begins now.

    First comes `ready` with the cursor; comments are signs of life, every 15 seconds. `signed_out` and `replaced` (too many
    streams of mine: the oldest goes) end it: do not come back by yourself. `resync_required` (410) as with `GET /sync`.
    `events_elsewhere` (421) from a server that does not stream: use `events_url`.
    """
    raise EventsElsewhere(_("Events are streamed at %(url)s.") % {"url": settings.EVENTS_URL})


def read(reader: Person, text: str | None, limit: int = PAGE) -> SyncOut:
    """One answer. Raises BadRequest, ResyncRequired."""
    cursor = read_cursor(reader, text) if text else Cursor("", changes.snapshot())
    if not cursor.seen:
        return _whole(reader, cursor, limit)
    try:
        return _delta(reader, cursor, limit)
    except changes.TooOld as error:
        raise resync_required() from error


def _whole(reader: Person, cursor: Cursor, limit: int) -> SyncOut:
    """One page of a full read. What changes meanwhile comes with the first delta: `upto` was taken before."""
    ids, last = _everything(reader, cursor, limit)
    shown = _shown(reader, ids)
    shown.pop("removed")  # came and went during this very read: the app has no copy
    after = Cursor("", cursor.upto, last[0], str(last[1])) if last else Cursor(cursor.upto)
    return SyncOut(
        cursor=write_cursor(reader, after),
        has_more=last is not None or bool(cursor.kind),
        starts_over=not cursor.kind,
        **shown,
    )


def _everything(reader: Person, cursor: Cursor, limit: int) -> tuple[dict[str, list[UUID]], tuple[str, UUID] | None]:
    """Kind by kind the next ids, and where the page ended, unless it is the last."""
    names = [kind.name for kind in KINDS]
    first = names.index(cursor.kind) if cursor.kind in names else 0
    ids: dict[str, list[UUID]] = {}
    room, last = limit, None
    for number, kind in enumerate(KINDS[first:]):
        above = UUID(cursor.object_id) if number == 0 and cursor.object_id else LOWEST
        found = list(kind.all_ids(reader, above, room + 1))
        if len(found) > room:
            ids[kind.name] = found[:room]
            return ids, (kind.name, found[room - 1]) if room else last
        ids[kind.name] = found
        room -= len(found)
        last = (kind.name, found[-1] if found else above)
    return ids, None


def _delta(reader: Person, cursor: Cursor, limit: int) -> SyncOut:
    place = Place(cursor.xid, UUID(cursor.person), cursor.kind, UUID(cursor.object_id)) if cursor.kind else None
    batch = changes.since(audiences(reader), cursor.seen, upto=cursor.upto or None, after=place, limit=limit)
    if batch.last is None:
        after = Cursor(batch.upto)
    else:
        last = batch.last
        after = Cursor(cursor.seen, batch.upto, last.kind, str(last.object_id), last.xid, str(last.person))
    shown = _shown(reader, batch.ids)
    return SyncOut(
        cursor=write_cursor(reader, after), has_more=batch.last is not None or bool(cursor.upto), starts_over=False, **shown
    )


def _shown(reader: Person, ids: dict[str, list[UUID]]) -> dict[str, Any]:
    """The things by field, as they are now. What is not found any more is removed."""
    fields: dict[str, Any] = {"removed": []}
    for kind in KINDS:
        wanted = ids.get(kind.name)
        if not wanted:
            continue
        found = kind.show(reader, wanted)
        if kind.is_one:
            fields[kind.field] = next(iter(found.values()))
        else:
            fields[kind.field] = [found[pk] for pk in wanted if pk in found]
            fields["removed"] += _removed(kind, wanted, found)
    return fields


def _removed(kind: Kind, wanted: Iterable[UUID], found: dict[UUID, Any]) -> list[RemovedOut]:
    return [RemovedOut(kind=kind.name, id=pk) for pk in wanted if pk not in found]
