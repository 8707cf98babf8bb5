"""Pictures with a question over HTTP. Routes read and answer; the rules are in `attachments`."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import File, Form, Router, Status
from ninja.files import UploadedFile

from backend.manners import Schema, problems
from people.bearer import caller
from questions import attachments
from questions.schemas import AttachmentOut, RedactionIn, ShareIn

router = Router()


class AttachmentIn(Schema):
    id: UUID


@router.post(
    "/questions/{question_id}/attachments",
    response={201: AttachmentOut, **problems(404, 409, 413, 415)},
    operation_id="attach_picture",
    tags=["questions"],
    summary="Add a photo to my question",
)
def attach(request: HttpRequest, question_id: UUID, form: Form[AttachmentIn], file: File[UploadedFile]) -> Any:
    """JPEG, PNG or WebP, at most 10 MB; five a question. `id` is made by the app: sent again with the same picture it
    gives the first response (`id_taken` with another). The picture is drawn anew without place and device; ask for it
    until it is `private`, then cover what nobody needs to see, and share it: before that nobody else sees anything."""
    made = attachments.receive(caller(request), question_id, form.id, file, file.size or 0)
    return Status(201, AttachmentOut.of(made))


@router.get(
    "/attachments/{attachment_id}",
    response={200: AttachmentOut, **problems(404)},
    operation_id="get_attachment",
    tags=["questions"],
    summary="One picture of mine",
)
def get_attachment(request: HttpRequest, attachment_id: UUID) -> Any:
    """With addresses that open for five minutes: ask again for fresh ones."""
    return AttachmentOut.of(attachments.of(caller(request), attachment_id))


@router.put(
    "/attachments/{attachment_id}/redaction",
    response={200: AttachmentOut, **problems(404, 409)},
    operation_id="redact_attachment",
    tags=["questions"],
    summary="Cover parts of my picture",
)
def redact(request: HttpRequest, attachment_id: UUID, body: RedactionIn) -> Any:
    """The new version is there when `state` is `private` again. `attachment_not_ready` once it is shared."""
    boxes = [[box.left, box.top, box.width, box.height] for box in body.boxes]
    return AttachmentOut.of(attachments.cover(caller(request), attachment_id, boxes))


@router.post(
    "/attachments/{attachment_id}/share",
    response={200: AttachmentOut, **problems(404, 409)},
    operation_id="share_attachment",
    tags=["questions"],
    summary="Let the experts see it",
)
def share(request: HttpRequest, attachment_id: UUID, body: ShareIn) -> Any:
    """Exactly the version that I looked at; all others are deleted. Twice is fine. `attachment_changed` when there is a
    newer version."""
    return AttachmentOut.of(attachments.share(caller(request), attachment_id, body.version))


@router.delete(
    "/attachments/{attachment_id}",
    response={204: None, **problems(404)},
    operation_id="remove_attachment",
    tags=["questions"],
    summary="Remove my picture",
)
def remove(request: HttpRequest, attachment_id: UUID) -> HttpResponse:
    """From everybody's sight at once. Twice is fine."""
    attachments.remove(caller(request), attachment_id)
    return HttpResponse(status=204)
