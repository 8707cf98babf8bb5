"""A photo of a bill: only its asker sees it until they share the version that they looked at."""

import io
import shutil
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image

from backend import clock
from questions import answering, attachments, intake, links, tasks
from questions.models import Attachment, Event, Question, record
from tests.conftest import Cast, api, ask, mails, offer_of, post, work

pytestmark = pytest.mark.usefixtures("committed", "wires")

RED = (200, 30, 30)


@pytest.fixture(autouse=True)
def _empty_disk() -> None:
    shutil.rmtree(attachments.store().path("attachments"), ignore_errors=True)


def photo(width: int = 400, height: int = 300, kind: str = "JPEG", **how: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), RED).save(out, kind, **how)
    return out.getvalue()


def upload(client: Client, question: Question, content: bytes, pk: UUID | None = None, name: str = "bill.jpg") -> Any:
    form = {"id": str(pk or uuid4()), "file": SimpleUploadedFile(name, content, "image/jpeg")}
    return client.post(f"/api/v1/questions/{question.pk}/attachments", form)


def put(client: Client, path: str, body: dict[str, Any]) -> Any:
    return client.put(f"/api/v1{path}", body, content_type="application/json")


def attached(cast: Cast, question: Question) -> Attachment:
    made = upload(api(cast.alice), question, photo())
    assert made.status_code == 201
    work()
    return Attachment.objects.get(pk=made.json()["id"])


def seen(url: str) -> Any:
    response = Client().get(url.removeprefix(settings.PUBLIC_BASE_URL))
    assert response.status_code == 200
    return Image.open(io.BytesIO(b"".join(response.streaming_content)))  # type: ignore[attr-defined]


def files() -> list[str]:
    folder = Path(attachments.store().path("attachments"))
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_a_photo_is_examined_covered_looked_at_and_shared(cast: Cast) -> None:
    question, alice = ask(cast.alice), api(cast.alice)
    assignment = offer_of(question)
    bob = api(assignment.expert)
    made = upload(alice, question, photo())
    assert (made.status_code, made.json()["state"], made.json()["picture_url"]) == (201, "received", "")
    work()
    path = f"/attachments/{made.json()['id']}"
    first = alice.get(f"/api/v1{path}").json()
    assert (first["state"], first["version"], first["width"], first["height"]) == ("private", 1, 400, 300)
    assert seen(first["picture_url"]).getpixel((20, 20))[0] > 150
    assert max(seen(first["thumbnail_url"]).size) <= 320
    assert bob.get(f"/api/v1/assignments/{assignment.pk}").json()["attachments"] == []

    assert (
        put(alice, f"{path}/redaction", {"boxes": [{"left": 10, "top": 10, "width": 50, "height": 40}]}).status_code == 200
    )
    work()
    second = alice.get(f"/api/v1{path}").json()
    assert (second["state"], second["version"]) == ("private", 2)
    assert seen(second["picture_url"]).getpixel((30, 30)) < (20, 20, 20)
    assert seen(second["picture_url"]).getpixel((200, 200))[0] > 150
    stale = post(alice, f"{path}/share", {"version": 1})
    assert (stale.status_code, stale.json()["code"]) == (409, "attachment_changed")
    assert bob.get(f"/api/v1/assignments/{assignment.pk}").json()["attachments"] == []

    for _ in range(2):
        assert post(alice, f"{path}/share", {"version": 2}).status_code == 200
    work()
    (shown,) = bob.get(f"/api/v1/assignments/{assignment.pk}").json()["attachments"]
    assert seen(shown["picture_url"]).getpixel((30, 30)) < (20, 20, 20)
    assert files() == ["picture-2.jpg", "thumbnail-2.jpg"]  # what was covered exists nowhere any more
    assert any("/a/" in told and "foto" in told.lower() for told in mails(assignment.expert))
    assert Event.objects.filter(question=question, kind="attachment_shared").count() == 1
    page = Client().get(links.answer_link(assignment).removeprefix(settings.PUBLIC_BASE_URL)).content.decode()
    assert page.count('<img src="/files/') == 1


def test_place_and_device_do_not_survive(cast: Cast) -> None:
    exif = Image.Exif()
    exif[0x010F] = "PhoneMaker"
    exif[0x0112] = 6  # lies on its side
    exif.get_ifd(0x8825)[1] = "N"
    question = ask(cast.alice)
    content = photo(exif=exif) + b"<?php a programme behind the picture"
    made = upload(api(cast.alice), question, content)
    work()
    found = api(cast.alice).get(f"/api/v1/attachments/{made.json()['id']}").json()
    picture = seen(found["picture_url"])
    assert picture.size == (300, 400)  # upright
    assert not picture.getexif()
    stored = b"".join(path.read_bytes() for path in Path(attachments.store().path("attachments")).rglob("*.jpg"))
    assert b"PhoneMaker" not in stored
    assert b"<?php" not in stored


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_other_kinds_become_jpeg(cast: Cast, kind: str) -> None:
    made = upload(api(cast.alice), ask(cast.alice), photo(kind=kind))
    work()
    found = api(cast.alice).get(f"/api/v1/attachments/{made.json()['id']}").json()
    assert seen(found["picture_url"]).format == "JPEG"


@pytest.mark.parametrize(
    "content",
    [b"", b"%PDF-1.7 a bill", b"<svg onload='x'/>", b"GIF89a" + bytes(100), b"\xff\xd8 not really", bytes(5000)],
    ids=["nothing", "pdf", "svg", "gif", "half", "zeros"],
)
def test_what_is_no_picture_is_refused_whatever_its_name(cast: Cast, content: bytes) -> None:
    response = upload(api(cast.alice), ask(cast.alice), content)
    assert response.status_code in {415, 422}
    assert response.json()["code"] in {"not_a_picture", "validation_failed"}
    assert not Attachment.objects.exists()


def test_a_damaged_picture_is_refused_by_the_worker(cast: Cast) -> None:
    out = io.BytesIO()
    Image.effect_noise((1200, 900), 80).save(out, "JPEG")
    made = upload(api(cast.alice), ask(cast.alice), out.getvalue()[: out.tell() // 2])
    work()
    found = api(cast.alice).get(f"/api/v1/attachments/{made.json()['id']}").json()
    assert (found["state"], found["refusal"], found["picture_url"]) == ("refused", "unreadable", "")
    assert files() == []


def test_a_decompression_bomb_is_refused_before_it_is_decoded(cast: Cast) -> None:
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")
    response = upload(api(cast.alice), ask(cast.alice), out.getvalue())
    assert (response.status_code, response.json()["code"]) == (415, "not_a_picture")


def test_too_large_and_too_many_are_refused_clearly(cast: Cast) -> None:
    question, alice = ask(cast.alice), api(cast.alice)
    large = upload(alice, question, photo() + bytes(attachments.BYTES_MAX))
    assert (large.status_code, large.json()["code"]) == (413, "attachment_too_large")
    larger = upload(alice, question, bytes(settings.UPLOAD_BYTES_MAX + 1))
    assert (larger.status_code, larger.json()["code"]) == (413, "content_too_large")
    for _ in range(attachments.PER_QUESTION_MAX):
        assert upload(alice, question, photo(10, 10)).status_code == 201
    more = upload(alice, question, photo(10, 10))
    assert (more.status_code, more.json()["code"]) == (409, "too_many_attachments")
    assert Attachment.objects.count() == attachments.PER_QUESTION_MAX


def test_the_same_upload_twice_is_one_attachment_and_an_id_belongs_to_one_picture(cast: Cast) -> None:
    question, pk = ask(cast.alice), uuid4()
    first, second = (upload(api(cast.alice), question, photo(), pk) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 201)
    assert Attachment.objects.count() == 1
    other = upload(api(cast.alice), question, photo(20, 20), pk)
    assert (other.status_code, other.json()["code"]) == (409, "id_taken")


def test_somebody_elses_picture_does_not_exist(cast: Cast) -> None:
    question = ask(cast.alice)
    picture = attached(cast, question)
    mallory = api(cast.mallory)
    assert upload(mallory, question, photo()).status_code == 404
    assert mallory.get(f"/api/v1/attachments/{picture.pk}").status_code == 404
    assert put(mallory, f"/attachments/{picture.pk}/redaction", {"boxes": []}).status_code == 404
    assert post(mallory, f"/attachments/{picture.pk}/share", {"version": 1}).status_code == 404
    assert mallory.delete(f"/api/v1/attachments/{picture.pk}").status_code == 404
    picture.refresh_from_db()
    assert picture.state == "private"


def test_an_address_is_signed_and_dies_after_five_minutes(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = attached(cast, ask(cast.alice))
    url = attachments.url_path(picture)
    response = Client().get(url)
    assert response.headers["Content-Type"] == "image/jpeg"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert Client().get(url[:-2] + "xx").status_code == 404
    monkeypatch.setattr(attachments, "URL_SECONDS", -1)
    assert Client().get(url).status_code == 404


def test_a_removed_picture_is_gone_at_once_for_everybody(cast: Cast) -> None:
    question = ask(cast.alice)
    assignment = offer_of(question)
    picture = attached(cast, question)
    post(api(cast.alice), f"/attachments/{picture.pk}/share", {"version": 1})
    picture.refresh_from_db()
    url = attachments.url_path(picture)
    for _ in range(2):
        assert api(cast.alice).delete(f"/api/v1/attachments/{picture.pk}").status_code == 204
    assert Client().get(url).status_code == 404
    assert api(cast.bob).get(f"/api/v1/assignments/{assignment.pk}").json()["attachments"] == []
    assert api(cast.alice).get(f"/api/v1/attachments/{picture.pk}").status_code == 404
    work()
    assert files() == []


def test_an_expert_who_let_go_sees_nothing_any_more(cast: Cast) -> None:
    question = ask(cast.alice)
    assignment = offer_of(question)
    picture = attached(cast, question)
    post(api(cast.alice), f"/attachments/{picture.pk}/share", {"version": 1})
    answering.decline(assignment.expert, assignment.pk, "no_time")
    assert api(assignment.expert).get(f"/api/v1/assignments/{assignment.pk}").json()["attachments"] == []


def test_a_box_outside_is_refused_and_a_shared_picture_stays_as_it_is(cast: Cast) -> None:
    picture, alice = attached(cast, ask(cast.alice)), api(cast.alice)
    outside = {"boxes": [{"left": 390, "top": 0, "width": 50, "height": 10}]}
    assert put(alice, f"/attachments/{picture.pk}/redaction", outside).status_code == 422
    post(alice, f"/attachments/{picture.pk}/share", {"version": 1})
    late = put(alice, f"/attachments/{picture.pk}/redaction", {"boxes": []})
    assert (late.status_code, late.json()["code"]) == (409, "attachment_not_ready")


def test_pictures_go_thirty_days_after_the_question_closed(cast: Cast) -> None:
    question = ask(cast.alice)
    picture = attached(cast, question)
    intake.withdraw(cast.alice, question.pk)
    clock.move(timedelta(days=29))
    tasks.purge()
    picture.refresh_from_db()
    assert picture.state == "private"
    clock.move(timedelta(days=2))
    tasks.purge()
    tasks.tend_attachments()
    picture.refresh_from_db()
    assert picture.state == "removed"
    assert files() == []


def test_thirty_days_count_from_the_last_time_that_it_closed(cast: Cast) -> None:
    question = ask(cast.alice)
    picture = attached(cast, question)
    record(question, "closed", at=clock.now() - timedelta(days=40))
    record(question, "reopened", at=clock.now() - timedelta(days=39))
    intake.withdraw(cast.alice, question.pk)
    tasks.purge()
    picture.refresh_from_db()
    assert picture.state == "private"
    clock.move(timedelta(days=31))
    tasks.purge()
    picture.refresh_from_db()
    assert picture.state == "removed"


def test_a_closed_question_takes_no_picture(cast: Cast) -> None:
    question = ask(cast.alice)
    intake.withdraw(cast.alice, question.pk)
    response = upload(api(cast.alice), question, photo())
    assert (response.status_code, response.json()["code"]) == (409, "question_not_open")


@contextmanager
def scanner(monkeypatch: pytest.MonkeyPatch, answer: bytes) -> Iterator[list[bytes]]:
    """Speaks clamd's INSTREAM on a real socket."""
    got: list[bytes] = []
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                peer, _address = server.accept()
            except OSError:
                return
            with peer, peer.makefile("rwb") as stream:
                assert stream.read(10) == b"zINSTREAM\0"
                content = b""
                while length := struct.unpack("!I", stream.read(4))[0]:
                    content += stream.read(length)
                got.append(content)
                stream.write(answer)

    threading.Thread(target=serve, daemon=True).start()
    monkeypatch.setattr(settings, "VIRUS_SCANNER", server.getsockname())
    yield got
    server.shutdown(socket.SHUT_RDWR)
    server.close()


def test_an_infected_file_is_seen_by_nobody(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    content = photo(900, 900)
    with scanner(monkeypatch, b"stream: Eicar-Signature FOUND\0") as got:
        made = upload(api(cast.alice), ask(cast.alice), content)
        work()
    found = api(cast.alice).get(f"/api/v1/attachments/{made.json()['id']}").json()
    assert (found["state"], found["refusal"]) == ("refused", "infected")
    assert got == [content]
    assert files() == []


def test_while_the_scanner_is_away_a_picture_waits_and_is_not_lost(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = closed.getsockname()
    monkeypatch.setattr(settings, "VIRUS_SCANNER", address)
    made = upload(api(cast.alice), ask(cast.alice), photo())
    for _ in range(attachments.ATTEMPTS_MAX + 2):
        work()
        clock.move(timedelta(minutes=2))
        tasks.tend_attachments()
    assert Attachment.objects.get().state == "received"
    with scanner(monkeypatch, b"stream: OK\0"):
        clock.move(timedelta(minutes=2))
        tasks.tend_attachments()
    assert api(cast.alice).get(f"/api/v1/attachments/{made.json()['id']}").json()["state"] == "private"


def test_a_picture_that_kills_its_worker_time_and_again_is_refused(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def die(_content: bytes) -> None:
        raise MemoryError

    monkeypatch.setattr("questions.pictures.anew", die)
    upload(api(cast.alice), ask(cast.alice), photo())
    for _ in range(attachments.ATTEMPTS_MAX + 2):
        work()
        clock.move(timedelta(minutes=2))
        tasks.tend_attachments()
    assert Attachment.objects.get().refusal == "unreadable"
