"""The comparer of what pages show sees what differs, and nothing else."""

from __future__ import annotations

import pytest

from support.shown import difference

SCORES = """\
part    level    direction  Top-1  95 % interval  chance  Top-5  queries
unseen  species  A2T         21.8  13.9 to 29.7      2.5   63.4      101
unseen  species  T2A         25.0  12.5 to 40.0      2.5   65.0       40
...
"""
PRINTED = """\
part    level    direction  Top-1  95 % interval   chance  Top-5  queries
seen    species  A2T         66.7  0.0 to 100.0      50.0  100.0        3
seen    genus    A2T         66.7  0.0 to 100.0      50.0  100.0        3
seen    family   A2T         66.7  0.0 to 100.0      50.0  100.0    1,003
birds-bench/runs/run2/report.html
"""
DEMO = """\
data    180 species, 402 recordings, 0 rejected (1.8 s)
embed   audio: 402 new, 0 kept (1 min 33.5 s)
report  3.9 MB (4.5 s)
report: demo-run/report.html
"""
DEMO_PRINTED = """\
data    4 species, 1,002 recordings, 3 rejected (0.2 s)
embed   audio: 11 new, 0 kept (3.5 s)
report  412 kB (0.5 s)
report: demo-run/report.html
"""
BUILD = """\
birds: 153 species, 269 clips (0 files fetched)
rejected: 5 near-duplicate
2 places stay empty: 5 no-candidate
"""
BUILD_PRINTED = """\
birds: 1 species, 2 clips (1 file fetched)
rejected: 1 not-audio, 2 truncated
1 place stays empty: 1 no-candidate
"""
CHECK = "images.parquet c2b29a8b2998495dc91e: field/images/Accipiter_00.jpg: there is no such file [missing-file]"
ERROR = """\
biovita: run1 has trained on 31 of 40 unseen species (Ardea alba, ...) and 12 of 101 recordings that are held
out (...). ...
"""
ERROR_PRINTED = (
    "biovita: run1 has trained on 2 of 2 unseen species (Pica pica, Parus major) and 1 of 3 recordings that are held "
    "out (id7). Score it on its own split"
)


@pytest.mark.parametrize(
    ("shown", "printed"),
    [
        (SCORES, PRINTED),
        (SCORES.replace("unseen  species  A2T", "...\nunseen  species  A2T", 1), PRINTED),
        (SCORES.replace("unseen  species  T2A", "...\nunseen  species  T2A", 1), PRINTED),
        (DEMO, DEMO_PRINTED),
        (BUILD.replace("stay ", "stays "), BUILD_PRINTED),
        ("8 rows left out: 7 not-in-dataset, 1 ambiguous", "1 row left out: 1 ambiguous"),
        ("3 rows, 2 rejected (2 no-name)", "8 rows, 4 rejected (1 no-name, 3 quality)"),
        ("sources disagree on: diet 2,274, lifestyle 3", "sources disagree on: activity 1"),
        (CHECK, CHECK.replace("c2b29a8b2998495dc91e", "0f9").replace("0f9", "12ab34cd56ef")),
        (CHECK, CHECK.replace("field/images/Accipiter_00.jpg", "my-folder/b.jpg")),
        (CHECK, CHECK.replace("field/images/Accipiter_00.jpg", "b.png")),
        (ERROR, ERROR_PRINTED),
        ("...\nb 1\n...\nd", "a\nb 2\nc\nd"),
        ("a\n\nb", "a\nb\n"),
        ("a\n...", "a"),
        ("found 0:03.5 in dawn.wav", "found 12:01 in dawn.wav"),
    ],
)
def test_numbers_names_and_what_is_left_out_do_not_count(shown: str, printed: str) -> None:
    assert difference(shown.splitlines(), printed.splitlines()) is None


@pytest.mark.parametrize(
    ("shown", "printed", "said"),
    [
        (SCORES, PRINTED.replace("  Top-5", "       "), "shown:   part"),
        (SCORES, PRINTED.replace("Top-5", "Top-9"), "shown:   part"),
        (SCORES, PRINTED.splitlines()[0], "no row is printed"),
        (SCORES, PRINTED.replace(" to ", "  "), "kinds of cells"),
        (SCORES.replace("...\n", ""), PRINTED, "is not shown: birds-bench"),
        (DEMO, DEMO_PRINTED.replace("species", "taxa"), "printed: data"),
        (DEMO, DEMO_PRINTED.replace("embed ", "vectors "), "printed: vectors"),
        (DEMO, "\n".join(DEMO_PRINTED.splitlines()[:-1]), "not printed: report: demo-run"),
        (DEMO, "\n".join(DEMO_PRINTED.splitlines()[1:]), "printed: embed"),
        (DEMO, DEMO_PRINTED + "one more\n", "is not shown: one more"),
        (DEMO, DEMO_PRINTED.replace(".html", ".json"), "printed: report: demo-run/report.json"),
        (DEMO, DEMO_PRINTED.replace("412 kB", "small"), "printed: report  small"),
        (DEMO, DEMO_PRINTED.replace("11 new", "all new"), "printed: embed"),
        (BUILD, BUILD_PRINTED.replace("fetched", "copied"), "printed: birds"),
        (CHECK, CHECK.replace("such ", ""), "printed: images"),
        (CHECK, CHECK.replace(".jpg", ".mp3"), "printed: images"),
        (ERROR, ERROR_PRINTED.replace("trained on", "met"), "printed: biovita"),
        ("a short line\nand its end", "a short line and its end", "printed: a short line"),
        ("a\n...\nb", "a\nc", "printed: c"),
        ("two\none", "one\ntwo", "printed: one"),
        ("a", "", "not printed: a"),
    ],
)
def test_another_wording_and_a_missing_column_or_line_count(shown: str, printed: str, said: str) -> None:
    found = difference(shown.splitlines(), printed.splitlines())
    assert found is not None
    assert said in found
