"""`manage.py openapi [--check]`: write mobile_api_spec/openapi.json from the code, or say that it is stale."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from backend.api import api

FILE = settings.BASE_DIR / "mobile_api_spec" / "openapi.json"


def specification() -> str:
    """The specification as it is committed."""
    return json.dumps(api.get_openapi_schema(path_prefix="/api/v1/"), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


class Command(BaseCommand):
    help = "Export the OpenAPI specification."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="only compare; exit 1 when the file is stale")

    def handle(self, *args: Any, check: bool, **options: Any) -> None:
        fresh = specification()
        if not check:
            FILE.write_text(fresh)
        elif not FILE.exists() or FILE.read_text() != fresh:
            raise CommandError(f"{FILE.name} is stale: run `make spec`")
