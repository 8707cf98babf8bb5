"""Is the service well? For load balancers and operators."""

from django.db import connection
from django.http import HttpRequest
from ninja import Router
from pydantic import Field

from backend.manners import Schema

router = Router(tags=["service"])


class Health(Schema):
    status: str = Field(description="`ok` when requests can be served.")


@router.get("/health", response=Health, auth=None, operation_id="health", summary="Can requests be served?")
def health(request: HttpRequest) -> Health:
    """Answers only when the database answers."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return Health(status="ok")
