"""Pictures with a question: taken in, examined, covered, confirmed, shown, removed.

A request only stores; decoding and drawing is the worker's. The database tells what exists: a file without its row is
never served, and files are deleted by the worker after the row says so, as often as it takes.
"""

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import IO
from uuid import UUID

from django.core import signing
from django.core.files.base import ContentFile
from django.core.files.storage import Storage, storages
from django.db import IntegrityError, transaction
from django.db.models import F, OuterRef, Subquery
from django.utils.translation import gettext as _

from backend import clock
from backend.errors import Invalid, NotFound, Refusal
from backend.ring import ring
from notifications.notify import notify
from people.models import Person
from questions import pictures, virus_scan, words
from questions.models import Assignment, Attachment, Event, Question, record

log = logging.getLogger(__name__)

BYTES_MAX = 10 * 2**20
PER_QUESTION_MAX = 5
BOXES_MAX = 50
URL_SECONDS = 300
ATTEMPTS_MAX = 5  # a picture that ends its worker time and again is refused
TRY_AGAIN = timedelta(minutes=1)
KEPT_AFTER_CLOSE = timedelta(days=30)  # as a friend's address
SALT = "attachment"


class AttachmentTooLarge(Refusal):
    code = "attachment_too_large"
    status = 413


class NotAPicture(Refusal):
    code = "not_a_picture"
    status = 415


class TooManyAttachments(Refusal):
    code = "too_many_attachments"
    status = 409


class IdTaken(Refusal):
    code = "id_taken"
    status = 409


class QuestionIsOver(Refusal):
    code = "question_not_open"
    status = 409


class NotReady(Refusal):
    """Not examined yet, being drawn, shared already, refused or removed."""

    code = "attachment_not_ready"
    status = 409


class VersionChanged(Refusal):
    """What would be shared is not what the asker looked at."""

    code = "attachment_changed"
    status = 409


def store() -> Storage:
    return storages["attachments"]


# --- the asker -------------------------------------------------------------------------------------------------------


def receive(asker: Person, question_id: UUID, attachment_id: UUID, file: IO[bytes], size: int) -> Attachment:
    """Store a picture as it came. The same id with the same bytes is the same attachment.

    Raises NotFound, AttachmentTooLarge, NotAPicture, IdTaken, TooManyAttachments, QuestionIsOver.
    """
    question = Question.objects.filter(pk=question_id, asker=asker).first()
    if question is None:
        raise NotFound(_("This question does not exist."))
    if size > BYTES_MAX:
        raise AttachmentTooLarge(_("A picture may have %(megabytes)d MB at most.") % {"megabytes": BYTES_MAX // 2**20})
    try:
        pictures.check(file)
    except pictures.Unreadable as error:
        raise NotAPicture(_("Send a photo as JPEG, PNG or WebP.")) from error
    file.seek(0)
    content = file.read()
    digest = hashlib.sha256(content).digest()
    known = Attachment.objects.filter(pk=attachment_id).first()
    if known is not None:
        return _same(known, asker, question_id, digest)
    made = Attachment(pk=attachment_id, question=question, owner=asker, sha256=digest, received_at=clock.now())
    _save(made.raw_path, content)  # before its row: a row that exists has its file
    try:
        return _insert(made)
    except IntegrityError:  # the same id at the same moment
        return _same(Attachment.objects.get(pk=attachment_id), asker, question_id, digest)


@transaction.atomic
def _insert(made: Attachment) -> Attachment:
    question = Question.locked(made.question_id)
    if question.state in {Question.State.CLOSED, Question.State.WITHDRAWN}:
        raise QuestionIsOver(_("This question is closed."))
    if question.attachments.exclude(state__in=["refused", "removed"]).count() >= PER_QUESTION_MAX:
        raise TooManyAttachments(_("A question may have %(count)d pictures at most.") % {"count": PER_QUESTION_MAX})
    made.due_at = made.received_at
    made.save(force_insert=True)
    ring("questions.tasks.tend_attachment", str(made.pk))
    return made


def _same(known: Attachment, asker: Person, question_id: UUID, digest: bytes) -> Attachment:
    if known.owner_id != asker.pk or known.question_id != question_id or bytes(known.sha256) != digest:
        raise IdTaken(_("This id belongs to another picture."))
    return known


def of(asker: Person, attachment_id: UUID) -> Attachment:
    """Raises NotFound: what is removed does not exist any more."""
    found = Attachment.objects.filter(pk=attachment_id, owner=asker).exclude(state="removed").first()
    if found is None:
        raise NotFound(_("This picture does not exist."))
    return found


def cover(asker: Person, attachment_id: UUID, boxes: list[list[int]]) -> Attachment:
    """Have black boxes drawn over what nobody needs to see; each call starts again from the bare picture.

    Raises NotFound, Invalid for a box outside the picture, NotReady.
    """
    found = of(asker, attachment_id)
    for left, top, width, height in boxes:
        if left + width > found.width or top + height > found.height:
            raise Invalid(_("A box lies outside the picture."))
    with transaction.atomic():
        if not found.mark_redacting(boxes, clock.now()):
            raise NotReady(_("This picture cannot be changed now."))
        ring("questions.tasks.tend_attachment", str(found.pk))
    return found


@transaction.atomic
def share(asker: Person, attachment_id: UUID, version: int) -> Attachment:
    """The asker has looked at this version and lets the experts see it. Twice is fine.

    Raises NotFound, NotReady, VersionChanged.
    """
    found = of(asker, attachment_id)
    if found.state == "shared" and found.version == version:
        return found
    if found.state != "private":
        raise NotReady(_("This picture cannot be shared now."))
    if not found.mark_shared(version, clock.now()):
        raise VersionChanged(_("The picture has changed. Look at it again."))
    record(found.question, "attachment_shared", attachment=str(found.pk))
    _tell_holders(found)
    ring("questions.tasks.tend_attachment", str(found.pk))
    return found


def _tell_holders(attachment: Attachment) -> None:
    held = Assignment.objects.filter(question=attachment.question_id, state__in=Assignment.OPEN)
    for assignment in held.select_related("expert", "question"):
        notify(
            assignment.expert,
            key=f"attachment:{attachment.pk}:shared:{assignment.pk}",
            event="attachment_shared",
            subject_key=attachment.question.subject_key,
            **words.picture_shared(assignment.question, assignment, assignment.expert),
        )


@transaction.atomic
def remove(asker: Person, attachment_id: UUID) -> None:
    """Gone for everybody at once; its files follow. Twice is fine. Raises NotFound for somebody else's."""
    found = Attachment.objects.filter(pk=attachment_id, owner=asker).first()
    if found is None:
        raise NotFound(_("This picture does not exist."))
    if found.mark_removed(clock.now()):
        ring("questions.tasks.tend_attachment", str(found.pk))


# --- who may look ----------------------------------------------------------------------------------------------------


def of_questions(ids: Iterable[UUID]) -> dict[UUID, list[Attachment]]:
    """What the asker sees with each: everything that was not removed."""
    found: dict[UUID, list[Attachment]] = defaultdict(list)
    for row in Attachment.objects.filter(question__in=list(ids)).exclude(state="removed").order_by("received_at"):
        found[row.question_id].append(row)
    return found


def shared_with(assignments: Sequence[Assignment]) -> dict[UUID, list[Attachment]]:
    """What the expert of each assignment sees: while it is theirs, or when they answered it."""
    seeing = {one.pk: one.question_id for one in assignments if one.state in {*Assignment.OPEN, Assignment.State.ANSWERED}}
    by_question: dict[UUID, list[Attachment]] = defaultdict(list)
    for row in Attachment.objects.filter(question__in=seeing.values(), state="shared").order_by("received_at"):
        by_question[row.question_id].append(row)
    return {one.pk: by_question[seeing[one.pk]] if one.pk in seeing else [] for one in assignments}


def url_path(attachment: Attachment, *, thumbnail: bool = False) -> str:
    """Opens this version for five minutes, to whoever has it. "" while there is nothing to see."""
    if attachment.version == 0 or attachment.state not in {"private", "redacting", "shared"}:
        return ""
    token = signing.dumps([str(attachment.pk), attachment.version, int(thumbnail)], salt=SALT)
    return f"/files/{token}"


def read_url(token: str) -> str | None:
    """The file's path in the store; None for an address that is not ours, too old, or of what is not there any more."""
    try:
        pk, version, thumbnail = signing.loads(token, salt=SALT, max_age=URL_SECONDS)
    except signing.BadSignature:
        return None
    found = Attachment.objects.filter(pk=pk, version=version, state__in=["private", "redacting", "shared"]).first()
    return found.picture_path(thumbnail=bool(thumbnail)) if found else None


# --- the worker ------------------------------------------------------------------------------------------------------


def due_ids(limit: int) -> list[UUID]:
    rows = Attachment.objects.filter(due_at__lte=clock.now()).order_by("due_at")
    return list(rows.values_list("pk", flat=True)[:limit])


def tend(pk: UUID) -> None:
    """Do what is due with one picture. Twice at once is fine: files are written under names that say their version."""
    at = clock.now()
    taken = Attachment.objects.filter(pk=pk, due_at__lte=at)
    if not taken.update(due_at=at + TRY_AGAIN, attempts=F("attempts") + 1):  # counted before the work that may end us
        return
    found = Attachment.objects.get(pk=pk)
    if found.attempts > ATTEMPTS_MAX and found.mark_refused("unreadable"):
        log.warning("attachment refused after %s attempts id=%s", ATTEMPTS_MAX, pk)
    match found.state:
        case "received":
            _examine(found)
        case "redacting":
            _draw(found)
        case "shared" | "refused" | "removed":
            _sweep_files(found)


def _examine(attachment: Attachment) -> None:
    content = _read(attachment.raw_path)
    try:
        if virus_scan.is_infected(content):
            _refuse(attachment, "infected")
            return
        drawn = pictures.anew(content)
    except pictures.Unreadable:
        _refuse(attachment, "unreadable")
        return
    except virus_scan.ScannerUnavailable as error:
        log.warning("virus scanner unavailable id=%s error=%s", attachment.pk, error)
        Attachment.objects.filter(pk=attachment.pk).update(attempts=0)  # not the picture's fault
        return
    _save_version(attachment, 1, drawn)
    attachment.mark_examined(drawn.width, drawn.height)
    store().delete(attachment.raw_path)


def _refuse(attachment: Attachment, reason: str) -> None:
    attachment.mark_refused(reason)
    store().delete(attachment.raw_path)


@transaction.atomic
def _draw(attachment: Attachment) -> None:
    """Under the row's lock: a worker that is late must never write older boxes into a version that is already looked at."""
    locked = Attachment.objects.select_for_update().get(pk=attachment.pk)
    if locked.state != "redacting":
        return
    bare = _read(f"attachments/{locked.pk}/picture-1.jpg")
    _save_version(locked, locked.version + 1, pictures.covered(bare, locked.boxes))
    locked.mark_redacted()


def _save_version(attachment: Attachment, version: int, drawn: pictures.Drawn) -> None:
    folder = f"attachments/{attachment.pk}"
    _save(f"{folder}/picture-{version}.jpg", drawn.content)
    _save(f"{folder}/thumbnail-{version}.jpg", pictures.thumbnail(drawn.content).content)


def _sweep_files(attachment: Attachment) -> None:
    """What nobody may see any more: of a shared picture all but the shared version, of the others everything."""
    folder = f"attachments/{attachment.pk}"
    last = attachment.version + 1  # one may have been drawn that was overtaken
    drawn = [f"{folder}/{kind}-{n}.jpg" for n in range(1, last + 1) for kind in ("picture", "thumbnail")]
    kept = {attachment.picture_path(), attachment.picture_path(thumbnail=True)} if attachment.state == "shared" else set()
    for path in [f"{folder}/raw", *drawn]:
        if path not in kept:
            store().delete(path)
    Attachment.objects.filter(pk=attachment.pk, state=attachment.state).update(due_at=None)


def _read(path: str) -> bytes:
    with store().open(path) as file:
        content: bytes = file.read()
    return content


def _save(path: str, content: bytes) -> None:
    """Under exactly this name, in place of what a run that ended half-way left."""
    store().delete(path)
    store().save(path, ContentFile(content))


def purge() -> int:
    """Pictures go 30 days after their question closed (for the last time). Returns how many."""
    over = Event.objects.filter(question=OuterRef("question"), kind__in=["closed", "withdrawn"]).order_by("-id")
    rows = Attachment.objects.exclude(state="removed").filter(question__state__in=["closed", "withdrawn"])
    going = rows.annotate(over_at=Subquery(over.values("at")[:1])).filter(over_at__lt=clock.now() - KEPT_AFTER_CLOSE)
    return sum(attachment.mark_removed(clock.now()) for attachment in going)
