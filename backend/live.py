"""`GET /events`: what `GET /sync` would tell, the moment it happens. A small ASGI process beside the web's WSGI.

One task looks at the change log five times a second, whoever is connected, and rings at the streams of those for whom
something changed; a stream then reads its own delta and sends it with its cursor as the event's id. So the log is the
truth, a lost connection costs nothing (`Last-Event-ID` is a cursor), and an idle stream costs no query and no thread.
PostgreSQL's NOTIFY would ring a little sooner, but every commit that notifies waits for one lock of the whole server.
"""

import asyncio
import io
import logging
import os
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import UUID

import django
from asgiref.sync import sync_to_async

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
django.setup()

from django.core.handlers.asgi import ASGIRequest  # noqa: E402 — Django is set up now
from django.db import Error, connection  # noqa: E402
from django.http import HttpResponse  # noqa: E402
from django.utils import translation  # noqa: E402
from django.utils.translation import gettext as _  # noqa: E402

from backend import busy, changes, clock, cors, health, pulse, request_ids, sync  # noqa: E402
from backend.errors import Refusal  # noqa: E402
from backend.manners import language, problem  # noqa: E402
from people.bearer import Bearer  # noqa: E402
from people.models import AccessToken, Person  # noqa: E402

log = logging.getLogger(__name__)

PATH = "/api/v1/events"
LOOK_SECONDS = 0.2
CHECK_SECONDS = 2.0  # until a sign-out or a leaver ends a stream
HEARTBEAT_SECONDS = 15.0  # below the patience of proxies and mobile networks
PER_PERSON = 5  # the oldest makes room
STREAMS_MAX = 5000
TROUBLE_SECONDS = 1.0
HEADERS = {"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Result = TypeVar("Result")


@dataclass(eq=False)
class Stream:
    """One open connection. `ended` says why it is to close; empty while it lives."""

    person_id: UUID
    audiences: frozenset[UUID]
    token_id: int
    language: str
    cursor: str
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    ended: str = ""

    def end(self, why: str) -> None:
        self.ended = self.ended or why
        self.moved.set()


class Hub:
    """The open streams by person."""

    def __init__(self) -> None:
        self.streams: dict[UUID, list[Stream]] = {}

    def all(self) -> list[Stream]:
        return [stream for streams in self.streams.values() for stream in streams]

    def add(self, stream: Stream) -> None:
        mine = self.streams.setdefault(stream.person_id, [])
        if len(mine) >= PER_PERSON:
            mine[0].end("replaced")
            mine.pop(0)
        mine.append(stream)

    def remove(self, stream: Stream) -> None:
        mine = self.streams.get(stream.person_id, [])
        if stream in mine:
            mine.remove(stream)
        if not mine:
            self.streams.pop(stream.person_id, None)

    def ring(self, people: Iterable[UUID]) -> None:
        changed = set(people)
        for stream in self.all():
            if not changed.isdisjoint(stream.audiences):
                stream.moved.set()

    def keep_only(self, tokens: set[int]) -> None:
        for stream in self.all():
            if stream.token_id not in tokens:
                stream.end("signed_out")


hub = Hub()


def in_database(work: Callable[..., Result]) -> Callable[..., Awaitable[Result]]:
    """Runs `work` in the one thread of this process that talks to the database."""

    def guarded(*args: Any) -> Result:
        try:
            return work(*args)
        except Error:
            connection.close()
            raise

    return sync_to_async(guarded, thread_sensitive=True)


# --- the one that looks ----------------------------------------------------------------------------------------------


async def look_for_ever() -> None:
    """Ring where something changed; close the streams of those who signed out or left."""
    seen, checked_at = "", 0.0
    while True:
        try:
            seen = seen or await in_database(changes.snapshot)()
            people, seen = await in_database(changes.people_since)(seen)
            hub.ring(people)
            now = asyncio.get_running_loop().time()
            if now - checked_at >= CHECK_SECONDS:
                await _check_tokens()
                checked_at = now
            await asyncio.sleep(LOOK_SECONDS)
        except Error:
            log.exception("the change log cannot be read; looking again from where it was")
            await asyncio.sleep(TROUBLE_SECONDS)


async def _check_tokens() -> None:
    open_ones = [stream.token_id for stream in hub.all()]
    if open_ones:
        living = await in_database(AccessToken.living)(open_ones, clock.real())
        newer = {stream.token_id for stream in hub.all()} - set(open_ones)  # opened meanwhile: looked at next time
        hub.keep_only(living | newer)


# --- one connection --------------------------------------------------------------------------------------------------


def _open(request: ASGIRequest) -> Stream | HttpResponse:
    """A stream for who asks, or the refusal. The cursor is tried at once: a bad one is a status, not an event."""
    with translation.override(translation.get_language_from_request(request)):
        try:
            person = Bearer()(request)
            if person is None:
                return problem(401, "not_signed_in", _("Sign in first."), headers={"WWW-Authenticate": "Bearer"})
            if len(hub.all()) >= STREAMS_MAX:
                return problem(503, "busy", _("Busy. Try again in a moment."), headers={"Retry-After": "60"})
            given = request.headers.get("Last-Event-ID") or request.GET.get("cursor")
            token: AccessToken = request.access_token  # type: ignore[attr-defined]
            audiences = frozenset(sync.audiences(person))
            return Stream(person.pk, audiences, token.pk, language(), _checked(person, given))
        except Refusal as refusal:
            return problem(refusal.status, refusal.code, refusal.message)
        except Error as error:
            return busy.response(request, error)


def _checked(person: Person, cursor: str | None) -> str:
    """Raises BadRequest, ResyncRequired."""
    if cursor:
        sync.read(person, cursor[: sync.CURSOR_CHARACTERS], 1)
        return cursor
    return sync.write_cursor(person, sync.Cursor(changes.snapshot()))


def _delta(stream: Stream) -> list[tuple[str, str]]:
    """What is new for the stream, as pairs of cursor and JSON; moves its cursor on."""
    person = Person.objects.select_related("team").get(pk=stream.person_id)
    found, more = [], True
    with translation.override(stream.language):
        while more:
            answer = sync.read(person, stream.cursor)
            stream.cursor, more = answer.cursor, answer.has_more
            if not answer.is_empty():
                found.append((answer.cursor, answer.as_json()))
    return found


def event(name: str, data: str, cursor: str = "") -> bytes:
    identity = f"id: {cursor}\n" if cursor else ""
    return f"event: {name}\n{identity}data: {data}\n\n".encode()


async def _tell(stream: Stream, say: Callable[[bytes], Awaitable[None]]) -> None:
    """Until the stream ends: a delta whenever it was rung, and a sign of life in between."""
    await say(event("ready", "{}", stream.cursor))
    while not stream.ended:
        stream.moved.clear()  # before reading: what changes while we read rings again
        for cursor, data in await in_database(_delta)(stream):
            await say(event("sync", data, cursor))
        while not stream.moved.is_set():
            try:
                await asyncio.wait_for(stream.moved.wait(), HEARTBEAT_SECONDS)
            except TimeoutError:
                await say(b": still here\n\n")
    if stream.ended != "gone":
        await say(event(stream.ended, "{}"))


async def _until_gone(receive: Receive, stream: Stream) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    stream.end("gone")


async def serve(stream: Stream, receive: Receive, send: Send, headers: dict[str, str]) -> None:
    async def say(chunk: bytes, *, more: bool = True) -> None:
        await send({"type": "http.response.body", "body": chunk, "more_body": more})

    hub.add(stream)
    watcher = asyncio.create_task(_until_gone(receive, stream))
    try:
        await send({"type": "http.response.start", "status": 200, "headers": _raw({**HEADERS, **headers})})
        await _tell(stream, say)
        await say(b"", more=False)
    except (Error, Refusal) as error:
        log.warning("a stream ends early, the app comes back with its cursor error=%s", error)
        await say(b"", more=False)
    finally:
        hub.remove(stream)
        watcher.cancel()


# --- the application -------------------------------------------------------------------------------------------------


def _raw(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]


async def _respond(send: Send, response: HttpResponse, headers: dict[str, str]) -> None:
    told = _raw({**dict(response.items()), **headers})
    await send({"type": "http.response.start", "status": response.status_code, "headers": told})
    await send({"type": "http.response.body", "body": response.content})


def _refused(request: ASGIRequest) -> HttpResponse | None:
    if request.path != PATH:
        return problem(404, "not_found", _("This does not exist."))
    if request.method == "OPTIONS":
        return HttpResponse(status=204, headers={"Allow": "GET, OPTIONS"})
    if request.method != "GET":
        return problem(405, "method_not_allowed", _("This cannot be done here."), headers={"Allow": "GET, OPTIONS"})
    return None


async def _lifespan(receive: Receive, send: Send) -> None:
    looker: asyncio.Task[None] | None = None
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            looker = asyncio.create_task(look_for_ever())
            pulse.start("live", health.queues_that_wait)
            await send({"type": "lifespan.startup.complete"})
        else:
            for stream in hub.all():
                stream.end("gone")
            if looker:
                looker.cancel()
                with suppress(asyncio.CancelledError):
                    await looker
            await send({"type": "lifespan.shutdown.complete"})
            return


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """The ASGI entry."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    request = ASGIRequest(scope, io.BytesIO())
    name = request_ids.of(request.headers.get(request_ids.HEADER, ""))
    headers = {request_ids.HEADER: name, **cors.headers(request.headers, preflight=request.method == "OPTIONS")}
    opened = _refused(request) or await in_database(_open)(request)
    if isinstance(opened, Stream):
        await serve(opened, receive, send, headers)
    else:
        await _respond(send, opened, headers)
