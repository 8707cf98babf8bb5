"""What the two twins share: a pool of asyncpg's, the doorbell, and how a question and a page are put into words. Frozen."""

import json
import os
import uuid
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
import redis.asyncio
from fastapi import FastAPI

BASE_URL = "https://ceo.example"
PAGE_ITEMS = 20


async def _set_up(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog")


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.bell = redis.asyncio.from_url(os.environ["REDIS_URL"])
    settings = {"lock_timeout": "3s", "statement_timeout": "30s", "random_page_cost": "1.1"}
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], init=_set_up, server_settings=settings) as pool:
        app.state.pool = pool
        yield
    await app.state.bell.aclose()


async def ring(bell: Any, question_id: uuid.UUID) -> None:
    """A message as Celery's workers read it, in one command."""
    body = b64encode(json.dumps([[str(question_id)], {}, {}]).encode()).decode()
    number = str(uuid.uuid4())
    message = {
        "body": body,
        "content-encoding": "utf-8",
        "content-type": "application/json",
        "headers": {
            "lang": "py",
            "task": "questions.tasks.route_one",
            "id": number,
            "root_id": number,
            "ignore_result": True,
        },
        "properties": {
            "correlation_id": number,
            "delivery_mode": 2,
            "delivery_info": {"exchange": "", "routing_key": "celery"},
            "priority": 0,
            "body_encoding": "base64",
            "delivery_tag": number,
        },
    }
    await bell.lpush("celery", json.dumps(message))


def cursor_of(at: datetime, pk: uuid.UUID) -> str:
    return urlsafe_b64encode(f"{at.isoformat()}|{pk}".encode()).decode()


def read_cursor(cursor: str) -> tuple[datetime, uuid.UUID]:
    at, pk = urlsafe_b64decode(cursor).decode().split("|")
    return datetime.fromisoformat(at), uuid.UUID(pk)


def status_of(row: Any, now: datetime) -> str:
    if row["verdict"]:
        return str(row["verdict"])
    if row["paused_at"]:
        return "paused"
    return "overdue" if now > row["due_at"] else "running"
