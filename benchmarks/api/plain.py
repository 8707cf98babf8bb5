"""The plain twin: the three endpoints as a good engineer writes them with FastAPI and asyncpg, one statement a table.

It writes the tables that the product writes, with the same locks in the same order, and answers in the same shapes. It has
no more than that: no middleware, validators, rate limits or languages. asyncpg prepares each statement once a connection,
and uvicorn runs on uvloop and httptools. Frozen: it is what the product is measured against, not what is tuned.
"""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID, uuid4

import asyncpg
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response

from benchmarks.api.shapes import AskIn, GiftOut, GiveIn, PromiseOut, QuestionOut, QuestionPage, TopicBrief
from benchmarks.api.twin import BASE_URL, PAGE_ITEMS, cursor_of, lifespan, read_cursor, ring, status_of

app = FastAPI(lifespan=lifespan)
Key = Annotated[str, Header(alias="Idempotency-Key", min_length=8, max_length=128, pattern=r"^[!-~]+$")]
LETTERS, DIGITS = "ACDEFGHJKMNPQRTVWXY", "34679"
CODES = [letter + digit for digit in DIGITS for letter in LETTERS]
CODES += [letter + code for letter in LETTERS for code in CODES]
SECRET = b"not a secret: this is a benchmark"
USUAL, QUARANTINE, CLAIM_WINDOW, FRESH = timedelta(hours=24), timedelta(days=30), timedelta(days=31), timedelta(minutes=30)


# --- sign-in and the key ---------------------------------------------------------------------------------------------


async def connected(request: Request) -> Any:
    async with request.app.state.pool.acquire() as connection:
        yield connection


Connection = Annotated[Any, Depends(connected)]


async def signed_in(connection: Connection, authorization: Annotated[str, Header()] = "") -> Any:
    kind, _space, token = authorization.partition(" ")
    person = None
    if kind.lower() == "bearer":
        person = await connection.fetchrow(
            "SELECT person.id, person.name, person.language, person.team_id, person.left_on, person.roles"
            " FROM people_accesstoken AS token JOIN people_person AS person ON person.id = token.person_id"
            " WHERE token.digest = $1 AND token.expires_at > $2 AND token.revoked_at IS NULL",
            hashlib.sha256(token.encode()).digest(),
            datetime.now(UTC),
        )
    if person is None or (person["left_on"] and person["left_on"] <= datetime.now(UTC).date()):
        raise HTTPException(401, "Sign in first.", {"WWW-Authenticate": "Bearer"})
    return person


Me = Annotated[Any, Depends(signed_in)]


async def claim(connection: Any, me: Any, key: str, request: Request) -> Response | None:
    """The first answer, when this key came before."""
    digest = hashlib.sha256(f"{request.method} {request.url.path}\n".encode() + await request.body()).digest()
    made = await connection.fetchval(
        "INSERT INTO backend_requestkey (owner, key, request_digest, status, body, created_at)"
        " VALUES ($1, $2, $3, 0, '', $4) ON CONFLICT (owner, key) DO NOTHING RETURNING id",
        me["id"],
        key,
        digest,
        datetime.now(UTC),
    )
    if made is not None:
        return None
    first = await connection.fetchrow(
        "SELECT request_digest, status, body FROM backend_requestkey WHERE owner = $1 AND key = $2", me["id"], key
    )
    if first["request_digest"] != digest:
        raise HTTPException(422, "This Idempotency-Key was already used for another request.")
    return Response(first["body"], first["status"], {"Idempotent-Replayed": "true"}, "application/json")


async def remember(connection: Any, me: Any, key: str, answer: QuestionOut | GiftOut) -> Response:
    body = answer.model_dump_json().encode()
    await connection.execute(
        "UPDATE backend_requestkey SET status = 201, body = $1 WHERE owner = $2 AND key = $3", body, me["id"], key
    )
    return Response(body, 201, media_type="application/json")


# --- questions -------------------------------------------------------------------------------------------------------


@app.post("/api/v1/questions", status_code=201, response_model=QuestionOut)
async def ask(request: Request, body: AskIn, connection: Connection, me: Me, key: Key) -> Any:
    at = datetime.now(UTC)
    async with connection.transaction():
        known = await claim(connection, me, key, request)
        if known is not None:
            return known
        question = await write_question(connection, me, body, at)
        await write_item_code(connection, me, question, at)
        answer = await remember(connection, me, key, question)
    await ring(request.app.state.bell, question.id)
    return answer


async def write_question(connection: Any, me: Any, body: AskIn, at: datetime) -> QuestionOut:
    topic = await topic_of(connection, body.topic) if body.topic else None
    expected_at = topic["expected_at"] if topic else await expected(connection, at)
    pk, round_id, friend_key, language = (
        body.id or uuid4(),
        uuid4(),
        secrets.token_urlsafe(16),
        body.language or me["language"],
    )
    length, reference = 4, None
    while reference is None:
        reference = await connection.fetchval(
            "INSERT INTO questions_question (id, reference, asker_id, text, language, source, answer_mode, is_confidential,"
            " topic_id, topic_chosen_by, topic_guesses, state, close_reason, not_to, expected_at, friend_key, received_at,"
            " route_at, follow_ups, current_round_id) VALUES ($1, $2, $3, $4, $5, 'api', $6, $7, $8, $9, '{}', 'received',"
            " '', $10, $11, $12, $13, $13, 0, $14) ON CONFLICT (reference) DO NOTHING RETURNING reference",
            pk,
            "Q-" + "".join(secrets.choice(LETTERS + DIGITS) for _one in range(length)),
            me["id"],
            body.text,
            language,
            body.answer_mode,
            body.is_confidential,
            topic["id"] if topic else None,
            "asker" if topic else "",
            body.not_to,
            expected_at,
            friend_key,
            at,
            round_id,
        )
        length += 1
    due_at = at + USUAL
    steps = [at + USUAL * 0.5, at + USUAL * 0.75, at + USUAL * 0.9]
    await connection.execute(
        "INSERT INTO questions_round (id, question_id, number, started_at, due_at, hours, policy_key, unpaused_due_at,"
        " steps_at, verdict, is_answered, steps_done, next_step_at)"
        " VALUES ($1, $2, 1, $3, $4, 24, '24h', $4, $5, '', FALSE, 0, $6)",
        round_id,
        pk,
        at,
        due_at,
        steps,
        steps[0],
    )
    await connection.execute(
        "INSERT INTO questions_event (question_id, at, kind, actor_id, data) VALUES ($1, $2, 'received', $3, $4)",
        pk,
        at,
        me["id"],
        {"source": "api"},
    )
    return QuestionOut(
        id=pk,
        reference=reference,
        text=body.text,
        language=language,
        state="received",
        close_reason="",
        answer_mode=body.answer_mode,
        is_confidential=body.is_confidential,
        topic=TopicBrief(slug=topic["slug"], name=topic["name_" + me["language"]]) if topic else None,
        promise=PromiseOut(round=1, started_at=at, due_at=due_at, status="running"),
        expected_at=expected_at,
        friend_link=f"{BASE_URL}/q/{friend_key}",
        received_at=at,
    )


async def topic_of(connection: Any, slug: str) -> Any:
    topic = await connection.fetchrow("SELECT * FROM questions_topic WHERE slug = $1 AND is_active", slug)
    if topic is None:
        raise HTTPException(422, "There is no such topic.")
    return topic


async def expected(connection: Any, at: datetime) -> datetime | None:
    """What four of five topics keep."""
    rows = await connection.fetch(
        "SELECT expected_by_desk_at FROM questions_topic"
        " WHERE is_active AND forecast_at >= $1 AND expected_by_desk_at IS NOT NULL ORDER BY expected_by_desk_at",
        at - FRESH,
    )
    return rows[(len(rows) - 1) * 4 // 5][0] if rows else None


async def write_item_code(connection: Any, me: Any, question: QuestionOut, at: datetime) -> None:
    """How the asker names it by SMS: the first code that none of their open items has."""
    await connection.execute(
        "UPDATE notifications_itemcode SET freed_at = $1 WHERE person_id = $2 AND freed_at IS NULL AND closed_at < $3",
        at,
        me["id"],
        at - QUARANTINE,
    )
    rows = await connection.fetch(
        "SELECT code FROM notifications_itemcode WHERE person_id = $1 AND freed_at IS NULL", me["id"]
    )
    taken, made = {row["code"] for row in rows}, None
    while made is None:
        code = next(code for code in CODES if code not in taken)
        made = await connection.fetchval(
            "INSERT INTO notifications_itemcode (person_id, code, reply_key, item, label, pages_read, created_at)"
            " VALUES ($1, $2, $3, $4, $5, 0, $6) ON CONFLICT DO NOTHING RETURNING id",
            me["id"],
            code,
            secrets.token_hex(16),
            f"question:{question.id}",
            question.text[:80],
            at,
        )
        taken.add(code)


MINE = """
SELECT question.*, round.number, round.started_at, round.due_at, round.verdict, round.paused_at,
       topic.slug, topic.name_nl, topic.name_en
FROM questions_question AS question JOIN questions_round AS round ON round.id = question.current_round_id
LEFT JOIN questions_topic AS topic ON topic.id = question.topic_id
WHERE question.asker_id = $1
"""
NEWEST = " ORDER BY question.received_at DESC, question.id DESC LIMIT $2"


@app.get("/api/v1/questions")
async def list_questions(
    connection: Connection, me: Me, cursor: str | None = None, limit: Annotated[int, Query(ge=1, le=100)] = PAGE_ITEMS
) -> QuestionPage:
    if cursor:
        below = " AND (question.received_at, question.id) < ($3, $4)"
        rows = await connection.fetch(MINE + below + NEWEST, me["id"], limit + 1, *read_cursor(cursor))
    else:
        rows = await connection.fetch(MINE + NEWEST, me["id"], limit + 1)
    now, shown = datetime.now(UTC), rows[:limit]
    more = cursor_of(shown[-1]["received_at"], shown[-1]["id"]) if len(rows) > limit else None
    return QuestionPage(items=[question_out(row, me, now) for row in shown], next_cursor=more)


def question_out(row: Any, me: Any, now: datetime) -> QuestionOut:
    return QuestionOut(
        id=row["id"],
        reference=row["reference"],
        text=row["text"],
        language=row["language"],
        state=row["state"],
        close_reason=row["close_reason"],
        answer_mode=row["answer_mode"],
        is_confidential=row["is_confidential"],
        topic=TopicBrief(slug=row["slug"], name=row["name_" + me["language"]]) if row["slug"] else None,
        promise=PromiseOut(
            round=row["number"], started_at=row["started_at"], due_at=row["due_at"], status=status_of(row, now)
        ),
        expected_at=row["expected_at"],
        friend_link=f"{BASE_URL}/q/{row['friend_key']}",
        received_at=row["received_at"],
    )


# --- gifts -----------------------------------------------------------------------------------------------------------


@app.post("/api/v1/gifts", status_code=201, response_model=GiftOut)
async def hand_out(request: Request, body: GiveIn, connection: Connection, me: Me, key: Key) -> Any:
    for attempt in range(4):
        try:
            async with connection.transaction():
                known = await claim(connection, me, key, request)
                if known is not None:
                    return known
                return await remember(connection, me, key, await write_gift(connection, me, body, key))
        except asyncpg.DeadlockDetectedError:
            if attempt == 3:
                raise
    raise AssertionError("unreachable")


async def write_gift(connection: Any, me: Any, body: GiveIn, key: str) -> GiftOut:
    at, pk = datetime.now(UTC), uuid4()
    offer = await open_offer(connection, me, body.offer_id, at)
    for account, amount in await parts(connection, me, offer["price_credits"], at):
        await connection.execute("UPDATE rewards_account SET held = held + $1 WHERE id = $2", amount, account)
        await connection.execute(
            "INSERT INTO rewards_hold (account_id, amount, captured, state, subject, created_at)"
            " VALUES ($1, $2, 0, 'held', $3, $4)",
            account,
            amount,
            f"gift:{pk}",
            at,
        )
    await count(connection, me, offer, at)
    value, secret, code = offer["value_cents"], derived(b"link", pk), derived(b"code", pk)
    account = await connection.fetchval(
        "INSERT INTO rewards_account (unit, kind, balance, held, is_frozen, is_renewed, created_at)"
        " VALUES ('cent', 'gift', $1, 0, FALSE, FALSE, $2) RETURNING id",
        value,
        at,
    )
    language, ends_at = body.language or me["language"], at + CLAIM_WINDOW
    await connection.execute(
        "INSERT INTO rewards_gift (id, giver_id, request_key, offer_id, campaign_id, team_id, account_id, note, language,"
        " price_credits, value_cents, state, secret_number, secret_digest, code_digest, handed_out_at, ends_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'handed_out', 1, $12, $13, $14, $15)",
        pk,
        me["id"],
        f"api:{key}",
        offer["id"],
        offer["campaign_id"],
        me["team_id"],
        account,
        body.note,
        language,
        offer["price_credits"],
        value,
        hashlib.sha256(secret.encode()).digest(),
        hashlib.sha256(code.encode()).digest(),
        at,
        ends_at,
    )
    await pay(connection, offer, account, pk, at)
    title, link = offer["title_" + language], f"{BASE_URL}/g/{secret}"
    return GiftOut(
        id=pk,
        offer=offer["slug"],
        title=offer["title_" + me["language"]],
        note=body.note,
        language=language,
        state="handed_out",
        price_credits=offer["price_credits"],
        handed_out_at=at,
        ends_on=ends_at.date(),
        secret_number=1,
        link=link,
        share_text=f"{me['name'].split(' ')[0]} has something for you: {title}. Open it here: {link}",
    )


async def open_offer(connection: Any, me: Any, offer_id: UUID, at: datetime) -> Any:
    offer = await connection.fetchrow(
        "SELECT offer.*, campaign.budget_id, campaign.starts_on AS begins, campaign.ends_on AS ends,"
        " campaign.is_active AS runs"
        " FROM rewards_offer AS offer JOIN rewards_campaign AS campaign ON campaign.id = offer.campaign_id"
        " WHERE offer.id = $1",
        offer_id,
    )
    roles = offer and offer["audience_roles"]
    if offer is None or (roles and not set(roles) & set(me["roles"])):
        raise HTTPException(404, "This offer does not exist.")
    if not (offer["is_active"] and offer["runs"] and offer["begins"] <= at.date() <= offer["ends"]):
        raise HTTPException(409, "It cannot be handed out now.")
    return offer


async def parts(connection: Any, me: Any, price: int, at: datetime) -> list[tuple[int, int]]:
    """How much of which lot of the giver's, the earliest to lapse first. Locks them all."""
    lots = await connection.fetch(
        "SELECT id, expires_at, balance - held AS available FROM rewards_account"
        " WHERE person_id = $1 AND expires_at > $2 AND NOT is_frozen ORDER BY id FOR NO KEY UPDATE",
        me["id"],
        at,
    )
    found = []
    for lot in sorted(lots, key=lambda lot: (lot["expires_at"], lot["id"])):
        amount = min(lot["available"], price)
        if amount > 0:
            found.append((lot["id"], amount))
            price -= amount
    if price:
        raise HTTPException(409, "There are not enough credits.")
    return found


async def count(connection: Any, me: Any, offer: Any, at: datetime) -> None:
    if offer["per_giver_max"] is None:
        return
    used = await connection.fetchval(
        "INSERT INTO rewards_counter AS counter (scope, used, last_used_on) VALUES ($1, 1, $2)"
        " ON CONFLICT (scope) DO UPDATE SET used = counter.used + 1, last_used_on = $2 WHERE counter.used < $3"
        " RETURNING used",
        f"offer:{offer['id']}:giver:{me['id']}",
        at.date(),
        offer["per_giver_max"],
    )
    if used is None:
        raise HTTPException(409, "The limit for this has been reached.")


async def pay(connection: Any, offer: Any, account: int, gift: UUID, at: datetime) -> None:
    """From the campaign's budget, last: everybody waits for it until the commit."""
    await connection.execute(
        "INSERT INTO rewards_transfer (debit_id, credit_id, unit, amount, reason, subject, key, created_at)"
        " VALUES ($1, $2, 'cent', $3, 'gift', $4, $5, $6)",
        offer["budget_id"],
        account,
        offer["value_cents"],
        f"gift:{gift}",
        f"gift:{gift}:value",
        at,
    )
    paid = await connection.fetchval(
        "UPDATE rewards_account SET balance = balance - $1 WHERE id = $2 AND balance - $1 >= held RETURNING id",
        offer["value_cents"],
        offer["budget_id"],
    )
    if paid is None:
        raise HTTPException(409, "The budget of this is spent.")


def derived(purpose: bytes, gift: UUID) -> str:
    return hmac.digest(SECRET, purpose + gift.bytes, "sha256").hex()[:22]
