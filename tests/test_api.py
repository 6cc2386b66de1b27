"""The public face: `biovita` has a function a command, with the same arguments, and loads nothing before it is used."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import biovita
from biovita.cli.app import command_line, main
from biovita.errors import BiovitaError
from biovita.identification.options import IdentifyOptions
from biovita.retrieval.search_filters import SearchFilterOptions

HOME = Path(biovita.__file__).parent
# What is `**options` in Python is one option each in the shell.
GROUPED = {"options": IdentifyOptions, "filters": SearchFilterOptions}


@dataclass(frozen=True)
class Row:
    """A command, its function, a command line with every option, and what the function has to be called with."""

    command: str
    function: str
    options: str = ""
    given: Mapping[str, Any] = field(default_factory=dict)
    shell_only: frozenset[str] = frozenset()  # beside as_json
    needed: frozenset[str] = frozenset()  # in Python, and in the shell only for what is not listed or printed
    python_only: frozenset[str] = frozenset({"progress"})
    lists: frozenset[str] = frozenset()  # of the shell, or any number of arguments, and one argument in Python


PLACE = {name: Path(name) for name in ("src", "birds", "out", "plan.toml", "bench", "root", "a", "b", "c")}
ROWS = (
    Row(
        "archive create",
        "create_archive",
        "root --model m --overlap 0.2 --channel 2 --band 1000-8000 --expand 10 --views 5 --timezone +02:00",
        {"archive": PLACE["root"], "model": ["m"], "overlap": 0.2, "channel": 2, "band": (1000.0, 8000.0)}
        | {"expand": 10.0, "views": 5, "timezone": "+02:00"},
        shell_only=frozenset({"places", "device", "workers"}),
        python_only=frozenset(),
        lists=frozenset({"model"}),
    ),
    Row(
        "archive add",
        "add_to_archive",
        "root a b --model m --annotations c --format raven --columns src --device cpu --workers 2",
        {"archive": PLACE["root"], "places": (PLACE["a"], PLACE["b"]), "model": ["m"], "annotations": [PLACE["c"]]}
        | {"annotation_format": "raven", "columns": [PLACE["src"]], "device": "cpu", "workers": 2},
        lists=frozenset({"places", "model", "annotations", "columns"}),
    ),
    Row(
        "archive refresh",
        "refresh_archive",
        "root a --device cpu --workers 2",
        {"archive": PLACE["root"], "places": (PLACE["a"],), "device": "cpu", "workers": 2},
        lists=frozenset({"places"}),
    ),
    Row(
        "archive drop",
        "drop_from_archive",
        "root a b --site pond --missing --model m",
        {"archive": PLACE["root"], "what": ("a", "b"), "site": ["pond"], "missing": True, "model": ["m"]},
        python_only=frozenset(),
        lists=frozenset({"what", "site", "model"}),
    ),
    Row("archive info", "archive_info", "root", {"archive": PLACE["root"]}, python_only=frozenset()),
    Row(
        "archive export",
        "export_archive",
        "root --out out",
        {"archive": PLACE["root"], "out": PLACE["out"]},
        python_only=frozenset(),
    ),
    Row(
        "search",
        "search",
        "root --audio a@1-2 --image b --text words --taxon t --weight text=0.5 audio=2 --like x y --unlike z --want "
        "images taxa --within Aves --site pond --license CC0-1.0 --box -10,40,20,60 --since 2024-05-01 --until "
        "2024-05-31 --month 5 --hours 4-7 --where n>1 -k 3 --skip 6 --group site --recall exact --model m --device cpu",
        {"archive": PLACE["root"], "audio": ["a@1-2"], "image": ["b"], "text": ["words"], "taxon": ["t"]}
        | {"weight": {"text": 0.5, "audio": 2.0}, "like": ["x", "y"], "unlike": ["z"], "want": ["images", "taxa"]}
        | {"within": ["Aves"], "site": ["pond"], "license": ["CC0-1.0"], "box": (-10.0, 40.0, 20.0, 60.0)}
        | {"since": "2024-05-01", "until": "2024-05-31", "month": "5", "hours": "4-7", "where": "n>1", "k": 3}
        | {"skip": 6, "group": "site", "recall": "exact", "model": "m", "device": "cpu"},
        shell_only=frozenset({"out"}),
        python_only=frozenset(),
        lists=frozenset({"audio", "image", "text", "taxon", "like", "unlike", "want"}),
    ),
    Row(
        "data import folder",
        "import_folder",
        "src --out out --column genus=g --copy --strict --workers 3 --overwrite",
        {"src": PLACE["src"], "out": PLACE["out"], "columns": {"genus": "g"}, "copy": True, "workers": 3}
        | {"overwrite": True},
        shell_only=frozenset({"write_csv"}),
        needed=frozenset({"out"}),
        python_only=frozenset({"progress", "understood"}),
    ),
    Row("data plan", "plan_dataset", "plan.toml", {"plan": PLACE["plan.toml"]}),
    Row("data relink", "relink_dataset", "birds a b", {"dataset": PLACE["birds"], "old": "a", "new": PLACE["b"]}),
    Row("data build", "build_dataset", "plan.toml --out out", {"plan": PLACE["plan.toml"], "out": PLACE["out"]}),
    Row(
        "data split",
        "split_dataset",
        "birds --unseen 3 --unseen-list a --seed 5 --held-out 0.4 --by genus",
        {"dataset": PLACE["birds"], "unseen": 3, "unseen_list": PLACE["a"], "seed": 5, "held_out": 0.4}
        | {"by": "genus"},
    ),
    Row(
        "identify calibrate",
        "calibrate_run",
        "birds --out out --run root --annotations a --annotations b --format raven --modality image --kind logistic "
        "--precision 0.8 --seed 5 --model m --gallery c --taxa src --overlap 0.2 --channel 2 --band 1000-8000 "
        "--expand 10 --views 5 --device cpu --workers 2",
        {"labelled": PLACE["birds"], "out": PLACE["out"], "run": PLACE["root"]}
        | {"annotations": [PLACE["a"], PLACE["b"]], "annotation_format": "raven", "modality": "image"}
        | {"kind": "logistic", "precision": 0.8, "seed": 5, "model": "m", "gallery": [PLACE["c"]], "device": "cpu"}
        | {"workers": 2, "taxa": PLACE["src"], "overlap": 0.2, "channel": 2, "band": (1000.0, 8000.0)}
        | {"expand": 10.0, "views": 5},
    ),
    Row(
        "embed",
        "embed",
        "birds --model m --modality audio --modality text --device cpu --batch-size 3 --workers 2",
        {"dataset": PLACE["birds"], "model": "m", "modalities": ["audio", "text"], "device": "cpu"}
        | {"batch_size": 3, "workers": 2},
    ),
    Row(
        "train",
        "train",
        "starter/stage2 --data birds --out out --start a --exclude b --set steps=4 seed=1 --device cpu "
        "--allow-leak --overwrite",
        {"recipe": "starter/stage2", "data": PLACE["birds"], "out": PLACE["out"], "start": PLACE["a"]}
        | {"exclude": PLACE["b"]}
        | {"settings": {"steps": "4", "seed": "1"}, "device": "cpu", "allow_leak": True, "overwrite": True},
        shell_only=frozenset({"listing", "shown"}),
        needed=frozenset({"recipe", "data", "out"}),
    ),
    Row(
        "simulate",
        "simulate",
        "--out out --species 3 --seed 5 --recordings 1 --photographs 2 --workers 2 --overwrite",
        {"out": PLACE["out"], "species": 3, "seed": 5, "recordings": 1, "photographs": 2, "workers": 2}
        | {"overwrite": True},
    ),
    Row(
        "simulate soundscape",
        "simulate_soundscape",
        "birds --backgrounds a --out out --hours 2 --file-minutes 10 --events 3 --at-once 1 --species 4 --only x y "
        "--hold-out --snr-db -3 9 --longest 2 --rate 16000 --any-background --seed 5 --overwrite",
        {"dataset": PLACE["birds"], "backgrounds": PLACE["a"], "out": PLACE["out"], "hours": 2.0}
        | {"file_minutes": 10.0, "events": 3, "at_once": 1, "species": 4, "only": ["x", "y"], "hold_out": True}
        | {"snr_db": (-3.0, 9.0), "longest": 2.0, "rate": 16_000, "any_background": True, "seed": 5}
        | {"overwrite": True},
    ),
    Row(
        "identify",
        "identify",
        "a b --run c --out out --model m --gallery birds --taxa list --strict --within Aves,Anura --place 47.5,8.7 "
        "--date 2024-05-17 --week 3 --range-only --names names --language de --threshold 0.5 --rank genus "
        "--calibration fit --overlap 0.8 --channel 2 --band 1000-9000 --expand 10 --views 5 --boxes boxes "
        "--timezone +02:00 --format csv,raven --split --histories --report --segments cut --per-taxon 3 --drop-speech "
        "--device cpu --workers 2 --overwrite",
        {"paths": (PLACE["a"], PLACE["b"]), "run": PLACE["c"], "out": PLACE["out"], "model": "m"}
        | {"gallery": [PLACE["birds"]], "taxa": Path("list"), "strict": True, "within": ["Aves", "Anura"]}
        | {"place": (47.5, 8.7), "date": "2024-05-17", "week": 3, "range_only": True, "names": Path("names")}
        | {"language": "de", "threshold": 0.5, "rank": "genus", "calibration": Path("fit"), "overlap": 0.8}
        | {"channel": 2, "band": (1000.0, 9000.0), "expand": 10.0, "views": 5, "boxes": Path("boxes")}
        | {"timezone": "+02:00", "formats": ["csv", "raven"], "split": True, "histories": True}
        | {"report": True, "segments": Path("cut"), "per_taxon": 3, "drop_speech": True}
        | {"device": "cpu", "workers": 2, "overwrite": True},
        shell_only=frozenset({"dry_run"}),
        lists=frozenset({"paths", "gallery"}),
    ),
    Row(
        "traits predict",
        "predict_traits",
        "a b --data birds --data c --out rows.csv --by site --way texts,probe --hours 20-5 --model m --threshold 0.5 "
        "--timezone +02:00 --device cpu --workers 2",
        {"paths": (PLACE["a"], PLACE["b"]), "data": [PLACE["birds"], PLACE["c"]], "out": Path("rows.csv")}
        | {"by": "site", "ways": ["texts", "probe"], "hours": "20-5", "model": "m", "threshold": 0.5}
        | {"timezone": "+02:00", "device": "cpu", "workers": 2},
        lists=frozenset({"paths", "data"}),
    ),
    Row(
        "bench detect",
        "score_detection",
        "root --annotations a b --format raven --run c --out out --threshold 0.5 --least-overlap 0.3 --onset 1 "
        "--annotated parts --codes codes --seed 5",
        {"recordings": PLACE["root"], "annotations": [PLACE["a"], PLACE["b"]], "format": "raven"}
        | {"run": PLACE["c"], "out": PLACE["out"], "threshold": 0.5, "least_overlap": 0.3, "onset": 1.0}
        | {"annotated": Path("parts"), "codes": Path("codes"), "seed": 5},
    ),
    Row(
        "bench build",
        "build_benchmark",
        "birds --out out --candidates 7 --draw hard --text tax --groups members --new-groups --layout published "
        "--media copy --allow-outside --seed 5 --overwrite",
        {"dataset": PLACE["birds"], "out": PLACE["out"], "candidates": 7, "draw": "hard", "text": "tax"}
        | {"groups": "members", "new_groups": True, "layout": "published", "media": "copy"}
        | {"allow_outside": True, "seed": 5, "overwrite": True},
    ),
    Row(
        "bench run",
        "run_benchmark",
        "bench --model m --out out --name n --media-root root --device cpu --seed 5 --contrast --allow-leak "
        "--seen-penalty 0.1",
        {"bench": PLACE["bench"], "model": "m", "out": PLACE["out"], "name": "n", "media_root": PLACE["root"]}
        | {"device": "cpu", "seed": 5, "contrast": True, "allow_leak": True, "seen_penalty": 0.1},
    ),
    Row(
        "bench compare",
        "compare_runs",
        "a b c --seed 5 --out out",
        {"first": PLACE["a"], "second": PLACE["b"], "others": (PLACE["c"],), "seed": 5, "out": PLACE["out"]},
    ),
    Row(
        "taxonomy backbone",
        "make_backbone",
        "src --out out --within Aves Amphibia --names de en --overwrite",
        {"source": PLACE["src"], "out": PLACE["out"], "within": ("Aves", "Amphibia"), "names": ("de", "en")}
        | {"overwrite": True},
    ),
    Row("models describe", "describe", "starter", {"name": "starter"}),
    Row(
        "models export",
        "save_model",
        "m --out out --layout own --resampling soxr --window all --overlap 0.5 --overwrite",
        {"model": "m", "out": PLACE["out"], "layout": "own", "resampling": "soxr", "window": "all"}
        | {"overlap": 0.5, "overwrite": True},
    ),
)
IDS = [row.command for row in ROWS]


def function_of(command: str) -> Callable[..., Any]:
    """Return the function that a command runs."""
    app = command_line()
    for name in command.split():
        app = app[name]
    assert app.default_command is not None
    return app.default_command


def shape(function: Callable[..., Any], without: frozenset[str]) -> dict[str, tuple[str, object]]:
    """Return kind and default of each parameter; in the shell what has no name is positional only."""
    kinds = {inspect.Parameter.POSITIONAL_ONLY: inspect.Parameter.POSITIONAL_OR_KEYWORD}
    found = {}
    for name, each in inspect.signature(function).parameters.items():
        if name not in without and name not in GROUPED:
            found[name] = (kinds.get(each.kind, each.kind).name, each.default)
    return found


def grouped(function: Callable[..., Any]) -> set[str]:
    """Return the names that a function takes together, as ``**options`` of a typed dict."""
    found = {name: each for name, each in inspect.signature(function).parameters.items() if name in GROUPED}
    assert {each.annotation for each in found.values()} <= {
        f"Unpack[{kind.__name__}]" for kind in GROUPED.values()
    }
    return {option for name in found for option in GROUPED[name].__annotations__}


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_a_command_and_its_function_have_the_same_parameters(row: Row) -> None:
    shell = shape(function_of(row.command), row.shell_only | {"as_json"})
    function = getattr(biovita, row.function)
    python = shape(function, row.python_only)
    for name in row.needed:
        assert shell[name][1] is None
        assert python[name][1] is inspect.Parameter.empty
        shell[name] = (shell[name][0], inspect.Parameter.empty)
    for name in row.lists:
        assert python.pop(name)[1] == ()
        assert shell.pop(name)[1] in (None, inspect.Parameter.empty)
    for name in grouped(function):
        kind, default = shell.pop(name)
        assert kind == "KEYWORD_ONLY"
        assert default is not inspect.Parameter.empty
    assert shell == python


@pytest.mark.parametrize("row", ROWS, ids=IDS)
def test_a_command_hands_every_option_to_its_function(row: Row, monkeypatch: pytest.MonkeyPatch) -> None:
    function = getattr(biovita, row.function)
    signature = inspect.signature(function)
    called: list[dict[str, Any]] = []

    def record(*args: Any, **kwargs: Any) -> None:
        bound = dict(signature.bind(*args, **kwargs).arguments)
        for name in GROUPED:
            bound |= bound.pop(name, {})
        for name in row.python_only:
            bound.pop(name, None)
        called.append(bound)
        raise BiovitaError("recorded")

    monkeypatch.setattr(biovita, row.function, record)
    monkeypatch.setattr(
        biovita.Dataset, "open", lambda place: place
    )  # a command may look first whether there is one
    with pytest.raises(SystemExit) as stop:
        main([*row.command.split(), *row.options.split()])
    assert stop.value.code == 1
    assert called == [dict(row.given)]
    taken = (set(signature.parameters) - set(GROUPED)) | grouped(function)
    left = taken - set(row.given) - row.python_only
    assert left <= {"strict"}, "the shell turns it into an exit code"


def test_what_is_imported_for_types_is_what_is_there() -> None:
    tree = ast.parse((HOME / "__init__.py").read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    typed = {
        name.name: node.module.removeprefix("biovita.")
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for name in node.names
    }
    assert typed == biovita._PLACES
    assert sorted(biovita.__all__) == sorted([*typed, "__version__"]) == sorted(dir(biovita))
    for name in biovita.__all__:
        assert getattr(biovita, name).__doc__
    assert (HOME / "py.typed").is_file()


def test_no_room_hides_a_verb() -> None:
    rooms = [module.name for module in pkgutil.iter_modules(biovita.__path__)]
    assert {"embedding", "training", "benchmark", "simulation"} <= set(rooms)
    assert not set(rooms) & set(biovita.__all__)
    for room in set(rooms) - {"__main__"}:
        import_module(f"biovita.{room}")
    assert all(callable(getattr(biovita, name)) for name in biovita.__all__ if name != "__version__")


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'embedd'"):
        biovita.embedd  # noqa: B018


def loaded(code: str) -> set[str]:
    """Return the modules that are loaded once the code has run in a process of its own."""
    code += "\nimport sys\nsys.stderr.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


HEAVY = {"torch", "transformers", "open_clip", "lance", "duckdb", "numpy", "pyarrow", "pydantic", "PIL", "scipy"}


def test_import_biovita_loads_nothing_heavy() -> None:
    modules = loaded("import biovita")
    assert {name for name in modules if name.startswith("biovita")} == {"biovita", "biovita.version"}
    assert not modules & (HEAVY | {"cyclopts", "rich", "httpx", "asyncio", "importlib.metadata"})


def test_help_loads_nothing_heavy() -> None:
    code = "from biovita.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass"
    modules = loaded(code)
    assert "cyclopts" in modules
    assert not modules & (HEAVY | {"httpx", "asyncio", "markdown_it", "matplotlib"})
    assert {name for name in modules if name.startswith("biovita.cli.")} == {"biovita.cli.app", "biovita.cli.kit"}
