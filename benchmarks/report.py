"""How every benchmark speaks: a table for people, one JSON object with `--json`."""

import argparse
import json
from collections.abc import Callable
from typing import Any

Figures = dict[str, Any]


def run(doc: str, measure: Callable[[argparse.Namespace], Figures], **options: int) -> None:
    """Read the options (`--name N`, whole numbers), measure, and print."""
    parser = argparse.ArgumentParser(description=doc)
    parser.add_argument("--json", action="store_true", help="one JSON object and nothing else")
    for name, default in options.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default {default}")
    chosen = parser.parse_args()
    figures = measure(chosen)
    if chosen.json:
        print(json.dumps(figures))
        return
    width = max(len(name) for name in figures)
    for name, value in figures.items():
        print(f"{name:<{width}}  {value}")
