"""Print how much room biovita takes as it is installed here: alone, and what each extra adds.

    python scripts/install_size.py

Sizes are those of the files that each installed distribution records (their bytes, not the blocks of the disk). What a
requirement brings is followed through the metadata of this environment. A distribution that is not installed here is
listed and counts nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from importlib.metadata import Distribution, distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

CUDA_PARTS = ("nvidia-*", "cuda-*", "triton")  # distributions that come with the CUDA build of torch alone
CUDA_FILES = ("*cuda*.so", "*nvshmem*.so", "*nvrtc*.so")  # of the distribution torch itself


@dataclass(frozen=True, slots=True)
class Bundle:
    """What an installation consists of: distributions by name, and those that it needs and that are not here."""

    names: frozenset[str]
    missing: frozenset[str]


def installed(found: Iterable[Distribution]) -> dict[str, Distribution]:
    """Return distributions by their normalised names; the first of a name counts, as it does for imports."""
    named: dict[str, Distribution] = {}
    for distribution in found:
        named.setdefault(canonicalize_name(distribution.metadata["Name"]), distribution)
    return named


def bundle(name: str, extras: Iterable[str], here: Mapping[str, Distribution]) -> Bundle:
    """Return a distribution with some of its extras, and all that it brings."""
    names: set[str] = set()
    missing: set[str] = set()
    done: set[tuple[str, str]] = set()
    waiting = [(canonicalize_name(name), extra) for extra in ("", *extras)]
    while waiting:
        each = waiting.pop()
        if each in done:
            continue
        done.add(each)
        name, extra = each
        if name not in here:
            missing.add(name)
            continue
        names.add(name)
        for requirement in map(Requirement, here[name].requires or ()):
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                brought = canonicalize_name(requirement.name)
                waiting += [(brought, wanted) for wanted in ("", *requirement.extras)]
    return Bundle(frozenset(names), frozenset(missing))


def size(distribution: Distribution, patterns: Iterable[str] = ("*",)) -> int:
    """Return the bytes of a distribution's files, or of those whose names fit a pattern."""
    total = 0
    for file in distribution.files or ():
        place = distribution.locate_file(file)
        if any(fnmatch(file.name, pattern) for pattern in patterns) and place.is_file():
            total += place.stat().st_size
    return total


def report(name: str, here: Mapping[str, Distribution]) -> str:
    """Return the table: a row for the installation without extras, its CUDA part, and what each extra adds."""
    base = bundle(name, (), here)
    sizes = {each: size(distribution) for each, distribution in here.items()}
    whole = sum(sizes[each] for each in base.names)
    cuda = {each for each in base.names if any(fnmatch(each, pattern) for pattern in CUDA_PARTS)}
    within = size(here["torch"], CUDA_FILES) if "torch" in base.names else 0
    without = whole - sum(sizes[each] for each in cuda) - within
    rows = [(f"{name}, without extras", len(base.names), whole, "")]
    if cuda or within:
        rows += [
            ("  of it: distributions of CUDA", len(cuda), sum(sizes[each] for each in cuda), ""),
            ("  of it: CUDA within torch", 0, within, ""),
            ("  with torch's CPU build, about", len(base.names - cuda), without, "estimate: without these two"),
        ]
    lacking = dict.fromkeys(base.missing, name)
    for extra in here[canonicalize_name(name)].metadata.get_all("Provides-Extra") or ():
        more = bundle(name, [extra], here)
        added = more.names - base.names
        rows.append((f"  [{extra}] adds", len(added), sum(sizes[each] for each in added), ""))
        lacking |= dict.fromkeys(more.missing - base.missing, f"{name}[{extra}]")
    lines = [f"{'':34}{'packages':>9}{'MB':>9}"]
    lines += [f"{row:34}{count or '':>9}{total / 1e6:9,.0f}  {note}".rstrip() for row, count, total, note in rows]
    lines += [f"not here, and not counted: {each}, of {of}" for each, of in sorted(lacking.items())]
    lines += ["The largest: " + ", ".join(f"{each} {sizes[each] / 1e6:,.0f}" for each in _largest(base, sizes))]
    return "\n".join(lines)


def _largest(base: Bundle, sizes: Mapping[str, int]) -> list[str]:
    return sorted(base.names, key=lambda each: (-sizes[each], each))[:10]


def main() -> None:
    """Print the table for biovita in this environment."""
    here = installed(distributions())
    if "biovita" not in here:
        sys.exit("biovita is not installed here. Run this with the Python of the environment that has it")
    sys.stdout.write(report("biovita", here) + "\n")


if __name__ == "__main__":
    main()
