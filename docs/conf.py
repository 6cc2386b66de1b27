"""Sphinx: the pages of this folder, the commands from the command line itself, the functions from their docstrings."""  # noqa: INP001

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

from cyclopts.docs.markdown import generate_markdown_docs

import biovita
from biovita.cli.app import command_line

project = "biovita"
author = "The biovita developers"
version = release = biovita.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["images/*.py"]

myst_heading_anchors = 4  # page.md#heading, as on GitHub

default_role = "py:obj"  # a name in single backticks is linked where it is described
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
napoleon_google_docstring = False
napoleon_custom_sections = [("Attributes", "params_style")]
napoleon_use_rtype = False
python_maximum_signature_line_length = 88
add_module_names = False

html_theme = "furo"
html_title = f"biovita {version}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_favicon = "static/mark.svg"
html_copy_source = False
html_show_copyright = False
pygments_style = "default"
pygments_dark_style = "github-dark"

_PACKAGE = Path(biovita.__file__).parent
_ROOMS = sorted(path.parent.name for path in _PACKAGE.glob("*/__init__.py") if path.parent.name != "cli")


def setup(app: Any) -> None:
    """Fill in what is made of the code."""
    app.connect("source-read", _fill_in)
    app.connect("autodoc-process-signature", _without_factories)


def _fill_in(_app: object, page: str, source: list[str]) -> None:
    if page == "reference/shell":
        text = generate_markdown_docs(command_line(), heading_level=2, generate_toc=False, no_root_title=True)
        text = text.replace("```console", "```text")
        source[0] += re.sub(r"(?m)^(?!biovita).*$", _options_as_code, text)
    elif page == "reference/rooms":
        source[0] += "\n".join(_room(name) for name in _ROOMS)


def _options_as_code(line: re.Match[str]) -> str:
    return re.sub(r"(?<![`\w-])--[a-z][\w-]*", r"`\g<0>`", line[0])


def _room(name: str) -> str:
    """Return the section of a room; what `import biovita` has as well is on its own page and linked from here."""
    names = getattr(import_module(f"biovita.{name}"), "__all__", ())
    public = [each for each in names if each in biovita.__all__]
    options = ("members:", "imported-members:", f"exclude-members: {', '.join(public)}")
    lines = [
        "",
        f"## {name}",
        "",
        "```{eval-rst}",
        f".. automodule:: biovita.{name}",
        *(f"   :{each}" for each in options),
    ]
    lines += ["```", ""]
    if public:
        lines += ["In `import biovita`: " + ", ".join(f"{{py:obj}}`biovita.{each}`" for each in public) + "."]
    return "\n".join(lines)


def _without_factories(*event: Any) -> tuple[str, str] | None:
    """Write a field's default as Python reads it: ``<factory>`` is no expression, and the types would go unlinked."""
    signature, returns = event[-2:]
    return (signature.replace("<factory>", "..."), returns) if signature else None
