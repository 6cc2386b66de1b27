"""``biovita models``."""

from __future__ import annotations

import cyclopts

__all__ = ["app"]

app = cyclopts.App(name="models", help="The models that are known, their towers, sources and licences.")


@app.default
def models(*, json: bool = False) -> None:
    """List the models that are known, their towers, sources and licences.

    Parameters
    ----------
    json
        Print them as JSON.
    """
    if json:
        _print_json()
    else:
        _print_text()


def _print_json() -> None:
    import json
    from dataclasses import asdict

    from biovita.towers import MODELS, TOWERS

    rows = [
        {"name": row.name, "about": row.about, "towers": [asdict(TOWERS[name].info) for name in row.towers]}
        for row in MODELS.values()
    ]
    print(json.dumps(rows, indent=2))  # noqa: T201


def _print_text() -> None:
    from biovita.towers import MODELS, TOWERS

    for row in MODELS.values():
        print(f"{row.name}: {row.about}")  # noqa: T201
        for info in (TOWERS[name].info for name in row.towers):
            size = "size not known" if info.size_bytes is None else f"{info.size_bytes / 1e6:.1f} MB"
            print(f"  {info.modality:<6} {info.name}, {info.dim} numbers, {size}, {info.license}")  # noqa: T201
            print(f"         from {info.source}")  # noqa: T201
            print(f"         {info.revision}")  # noqa: T201
            if info.notice:
                print(f"         {info.notice}")  # noqa: T201
