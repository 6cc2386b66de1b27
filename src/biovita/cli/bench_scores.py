"""What ``biovita bench`` prints of scores and of comparisons."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biovita.cli.kit import note, print_table, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from biovita.benchmark.generalised import GeneralisedRow
    from biovita.benchmark.headlines import Headline
    from biovita.benchmark.scores import ScoreRow
    from biovita.report.comparison import Comparison

__all__ = ["print_comparison", "print_generalised", "print_scores", "say_headline"]

_TASKS = 6  # that only one of two runs has; --json has all


def print_scores(rows: Sequence[ScoreRow], seed: int) -> None:
    """Print by part and level a line a task, and the mean: Top-1, 5 and 10 with the interval of the first."""
    from biovita.benchmark.task import LEVELS

    levels = {level.value: place for place, level in enumerate(LEVELS)}
    tasks: dict[tuple[str, str], list[ScoreRow]] = {}
    for row in rows:
        tasks.setdefault((row.part, row.level), []).append(row)
    columns = ["part", "level", "direction", "Top-1", "95 % interval", "chance"]
    columns += ["Top-5", "Top-10", "queries", "absent"]
    leaks = any(row.leak for row in rows)
    lines = [
        [part, level, *line, *(["yes"] if leaks else [])]
        for part, level in sorted(tasks, key=lambda key: (key[0], levels.get(key[1], len(levels))))
        for line in _lines_of(tasks[part, level], seed)
    ]
    print_table([*columns, "leak"] if leaks else columns, lines)


def _lines_of(rows: Sequence[ScoreRow], seed: int) -> Iterator[list[object]]:
    """Yield what is printed of the tasks of a part and level, and after them their mean."""
    from biovita.benchmark.headlines import headline

    by_direction: dict[str, dict[int, ScoreRow]] = {}
    for row in rows:
        by_direction.setdefault(row.direction, {})[row.k] = row
    absent = 0
    for direction, found in by_direction.items():
        lost = found[1].absent_queries + found[1].absent_samples
        absent += lost
        yield [direction, *_shares(found), found[1].queries, lost]
    first = rows[0]
    means = {
        k: headline(rows, stage=first.stage, part=first.part, level=first.level, k=k, seed=seed)
        for k in next(iter(by_direction.values()))
    }
    there = {k: mean for k, mean in means.items() if mean is not None}
    yield ["mean", *_shares(there), there[1].queries, absent]


def _shares(found: Mapping[int, ScoreRow] | Mapping[int, Headline]) -> list[str]:
    """Return Top-1 with interval and chance, Top-5 and Top-10 in percent."""
    return [
        f"{100 * found[1].accuracy:.1f}",
        f"{100 * found[1].low:.1f} to {100 * found[1].high:.1f}",
        f"{100 * found[1].chance:.1f}",
        *(f"{100 * found[k].accuracy:.1f}" for k in (5, 10)),
    ]


def print_generalised(rows: Sequence[GeneralisedRow]) -> None:
    """Print a line a level and direction: Top-1 of both parts, and their harmonic mean with its interval."""
    print_table(
        ["level", "direction", "seen", "unseen", "harmonic", "95 % interval", "chance", "queries", "taxa"],
        [
            [
                row.level,
                row.direction,
                f"{100 * row.seen:.1f}",
                f"{100 * row.unseen:.1f}",
                f"{100 * row.harmonic:.1f}",
                f"{100 * row.low:.1f} to {100 * row.high:.1f}",
                f"{100 * row.chance:.1f}",
                f"{row.seen_queries:,} + {row.unseen_queries:,}",
                "" if row.taxa is None else row.taxa,
            ]
            for row in rows
            if row.k == 1
        ],
    )


def say_headline(found: Headline, name: str = "") -> None:
    """Print a headline, and how far it can be trusted."""
    from biovita.benchmark.headlines import cautions, headline_words

    say(f"{name}: {headline_words(found)}" if name else headline_words(found), *cautions(found))


def print_comparison(comparison: Comparison) -> None:
    """Print Top-1 of each run against the first, the headline of each run, and where the page is."""
    from biovita.benchmark.compare import difference_words

    for name in comparison.leaky:
        note(f"{name} has trained on what it was asked as new")
    for name, rows in comparison.compared.items():
        say(f"{name} less {comparison.first}, Top-1 in percent")
        print_table(
            ["part", "level", "direction", "first", "second", "difference", "95 % interval", "p (Holm)"],
            [
                [
                    row.part,
                    row.level,
                    row.direction,
                    f"{100 * row.first:.1f}",
                    f"{100 * row.second:.1f}",
                    f"{100 * row.difference:+.1f}",
                    f"{100 * row.low:+.1f} to {100 * row.high:+.1f}",
                    "" if row.p_holm is None else f"{row.p_holm:.3g}",
                ]
                for row in rows
                if row.k == 1
            ],
        )
        say(*difference_words(rows, comparison.first, name))
        for run, tasks in zip((comparison.first, name), comparison.not_compared[name], strict=True):
            if tasks:
                say(f"not compared, only in {run}: {_first_of(tasks)}")
    for name, found in comparison.headlines.items():
        say_headline(found, name)
    if comparison.page is not None:
        say(comparison.page)


def _first_of(tasks: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(tasks) - _TASKS} more (--json has all)" if len(tasks) > _TASKS else ""
    return ", ".join(tasks[:_TASKS]) + more
