"""`manage.py openapi [--check | --release]`: write mobile_api_spec/openapi.json from the code, or say that it is stale;
keep it under released/ when an app with it goes out."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from backend.api import api

FILE = settings.BASE_DIR / "mobile_api_spec" / "openapi.json"
RELEASED = FILE.parent / "released"


def specification() -> str:
    """The specification as it is committed."""
    return json.dumps(api.get_openapi_schema(path_prefix="/api/v1/"), indent=1, ensure_ascii=False, sort_keys=True) + "\n"


class Command(BaseCommand):
    help = "Export the OpenAPI specification."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="only compare; exit 1 when the file is stale")
        parser.add_argument("--release", action="store_true", help="also keep it: from now on nothing of it may break")

    def handle(self, *args: Any, check: bool = False, release: bool = False, **options: Any) -> None:
        fresh = specification()
        if release:
            kept = json.loads(fresh)
            compact = json.dumps(kept, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
            (RELEASED / f"{kept['info']['version']}.json").write_text(compact)
        if not check:
            FILE.write_text(fresh)
        elif not FILE.exists() or FILE.read_text() != fresh:
            raise CommandError(f"{FILE.name} is stale: run `make spec`")
