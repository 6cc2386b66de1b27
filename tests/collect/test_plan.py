from __future__ import annotations

import gzip
import json
import random
import uuid
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from biovita.cli.app import main
from biovita.collect.accounts import accounts_of
from biovita.collect.plan import read_plan
from biovita.collect.select import PlannedItems, Selection, select
from biovita.errors import DatasetError

HEAD = 'name = "x"\n[[sources]]\nkind = "xeno_canto"\npath = "xc.json"\n'


def recording(number: int, **values: Any) -> dict[str, Any]:
    return {
        "id": str(number), "gen": "Pica", "sp": "pica", "grp": "birds", "en": "Eurasian Magpie", "rec": "Ann",
        "cnt": "Norway", "lat": "60.5", "lon": "5.5", "file": f"https://x.org/{number}.mp3",
        "lic": "https://creativecommons.org/licenses/by/4.0/", "q": "A", "length": "0:10", "time": "07:00",
        "date": "2020-05-01", **values,
    }  # fmt: skip


def write(folder: Path, recordings: list[dict[str, Any]], plan: str = "") -> Path:
    (folder / "xc.json").write_text(json.dumps({"recordings": recordings}))
    (folder / "plan.toml").write_text(HEAD + plan)
    return folder / "plan.toml"


def records_of(selection: Selection) -> list[dict[str, Any]]:
    rows = [row for batch in selection.records() for row in batch.to_pylist()]
    return sorted((row for row in rows if row["beyond"] is None), key=lambda row: row["source_id"])


def chosen(selection: Selection) -> list[str]:
    return [row["source_id"] for row in records_of(selection)]


def left_out(selection: Selection) -> dict[str, int]:
    found: Counter[str] = Counter()
    for row in selection.left_out():
        found[row.reason] += row.rows
    return dict(found)


@pytest.mark.parametrize(
    ("top", "rest", "message"),
    [
        ("", '[taxa]\nclade = ["Aves"]\n', r"taxa\.clade: unknown field\. Did you mean 'clades'\?"),
        ('licences = ["CC0-1.0"]\n', "", r"licences: unknown field\. Did you mean 'licenses'\?"),
        (
            "",
            "[limits]\nimages_per_species = -1\n",
            r"limits\.images_per_species: .* equal to 0\. The plan gives -1",
        ),
        ("", '[[sources]]\nkind = "xenocanto"\n', r"sources\[1\]\.kind: .*Did you mean 'xeno_canto'\?"),
        ("", '[[sources]]\npath = "x"\n', r"sources\[1\]\.kind: is missing"),
        (
            "",
            '[[sources]]\nkind = "darwin_core"\npth = "x"\n',
            r"\[1\]\.path: is missing; .*Did you mean 'path'\?",
        ),
        ("", '[[sources]]\nkind = "xeno_canto"\n', r"sources\[1\]: give either path, or query and cache"),
        ("", '[quality]\nxeno_canto = ["F"]\n', r"quality\.xeno_canto\[0\]: .*\. The plan gives 'F'"),
        ("", "[places]\nboxes = [[50, 5, 40, 6]]\n", r"places\.boxes: .*is not \[south, west, north, east\]"),
        (
            "",
            '[taxa]\noverrides = "o.csv"\n',
            r"taxa: overrides need a backbone\. `biovita taxonomy backbone FILE",
        ),
        ("seed = \n", "", r"is not TOML: .*line 1"),
    ],
)
def test_a_fault_of_the_plan_names_the_field(tmp_path: Path, top: str, rest: str, message: str) -> None:
    path = tmp_path / "plan.toml"
    path.write_text(top + HEAD + rest)
    with pytest.raises(DatasetError, match=message):
        read_plan(path)


def test_a_licence_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.toml"
    path.write_text('licenses = ["CC-BY", "cc-by-nc-4.0"]\n' + HEAD)
    with pytest.raises(DatasetError, match=r"licenses: unknown licence 'cc-by-nc-4\.0'"):
        read_plan(path)
    with pytest.raises(DatasetError, match=r"none\.toml does not exist\. Give the file of a plan"):
        read_plan(tmp_path / "none.toml")


def test_each_filter_counts_what_it_leaves_out(tmp_path: Path) -> None:
    recordings = [
        recording(1),
        recording(2, lic="//creativecommons.org/licenses/by-nc-nd/4.0/"),
        recording(3, q="C"),
        recording(4, date="1999-12-31"),
        recording(5, date="2020-00-00"),
        recording(6, lat="10"),
        recording(7, gen="Rana", sp="temporaria", grp="frogs"),
        recording(8, sp="sp."),
        recording(9, gen="Sonus", sp="naturalis"),
        recording(10, file=""),
        recording(11, lic=""),
        recording(12, lat="", lon=""),
    ]
    plan = """
[taxa]
clades = ["aves"]
[quality]
xeno_canto = ["A", "B"]
[dates]
first = 2000-01-01
last = 2020-12-31
[places]
boxes = [[50, 0, 70, 20]]
"""
    with select(read_plan(write(tmp_path, recordings, plan)), listing=True) as selection:
        assert chosen(selection) == ["XC1", "XC5"]
        assert left_out(selection) == {
            "license": 2, "quality": 1, "date": 1, "place": 2, "other-taxon": 1, "name-undetermined": 1,
        }  # fmt: skip
        assert accounts_of(selection)[0].reasons == {"no-address": 1, "no-name": 1}
        (row,) = selection.summary()
        assert row == PlannedItems("Aves", "xeno-canto", "audio", species=1, items=2, bytes=320_000)


def test_a_date_known_to_the_year_counts_where_the_whole_year_does(tmp_path: Path) -> None:
    recordings = [
        recording(1, date="2020-00-00"),
        recording(2, date="2020-05-00"),
        recording(3, date="2020-05-31"),
    ]
    with select(read_plan(write(tmp_path, recordings, "[dates]\nlast = 2020-05-31\n")), listing=True) as selection:
        assert chosen(selection) == ["XC2", "XC3"]
    with select(
        read_plan(write(tmp_path, recordings, "[dates]\nfirst = 2020-05-01\n")), listing=True
    ) as selection:
        assert chosen(selection) == ["XC2", "XC3"]
    for dates, found in {"last = 9999-12-31": ["XC1", "XC2", "XC3"], "last = 0999-12-31": []}.items():
        with select(read_plan(write(tmp_path, recordings, f"[dates]\n{dates}\n")), listing=True) as selection:
            assert chosen(selection) == found


def test_a_box_over_the_180th_meridian_and_countries(tmp_path: Path) -> None:
    recordings = [recording(1, lon="179"), recording(2, lon="-179"), recording(3), recording(4, cnt="Fiji")]
    plan = '[places]\nboxes = [[-90, 170, 90, -170]]\ncountries = ["fiji"]\n'
    with select(read_plan(write(tmp_path, recordings, plan)), listing=True) as selection:
        assert chosen(selection) == ["XC1", "XC2", "XC4"]


def test_the_choice_goes_for_variety_and_follows_the_seed(tmp_path: Path) -> None:
    """Twenty recordings of one recordist, one of each of four others: all five recordists come first."""
    recordings = [recording(n, lat=str(n % 3), date=f"2020-{1 + n % 12:02}-01") for n in range(20)]
    recordings += [recording(100 + n, rec=f"Other {n}") for n in range(4)]
    plan = write(tmp_path, recordings, "[limits]\naudio_per_species = 8\n")
    with select(read_plan(plan), listing=True) as selection:
        first = chosen(selection)
        assert left_out(selection) == {"over-limit": 16}
        records = records_of(selection)
    assert Counter(row["observer"] for row in records)["Ann"] == 4
    assert {int(row["latitude"]) for row in records if row["observer"] == "Ann"} == {0, 1, 2}
    with select(read_plan(plan), listing=True) as selection:
        assert chosen(selection) == first
    plan.write_text("seed = 7\n" + plan.read_text())
    with select(read_plan(plan), listing=True) as selection:
        assert chosen(selection) != first


def test_the_order_of_a_source_does_not_matter(tmp_path: Path) -> None:
    recordings = [recording(n, rec=f"R{n % 7}") for n in range(50)]
    plan = write(tmp_path, recordings, "[limits]\naudio_per_species = 10\n")
    with select(read_plan(plan), listing=True) as selection:
        first = chosen(selection)
    write(tmp_path, recordings[::-1], "[limits]\naudio_per_species = 10\n")
    with select(read_plan(plan), listing=True) as selection:
        assert chosen(selection) == first
    assert len(first) == 10


def test_species_share_a_budget(tmp_path: Path) -> None:
    recordings = [recording(n) for n in range(30)]
    recordings += [recording(100 + n, gen="Parus", sp="major") for n in range(3)]
    with select(read_plan(write(tmp_path, recordings, "[budget]\nitems = 8\n")), listing=True) as selection:
        records = records_of(selection)
        assert Counter(row["taxon_id"] for row in records) == {"pica_pica": 5, "parus_major": 3}
        assert left_out(selection) == {"over-budget": 25}
    with select(read_plan(write(tmp_path, recordings, "[budget]\nbytes = 479_999\n")), listing=True) as selection:
        assert len(chosen(selection)) == 2


def test_the_same_record_from_two_sources_counts_once(tmp_path: Path) -> None:
    plan = write(tmp_path, [recording(1), recording(2)])
    plan.write_text(plan.read_text() + '[[sources]]\nkind = "xeno_canto"\npath = "xc.json"\n')
    with select(read_plan(plan), listing=True) as selection:
        assert chosen(selection) == ["XC1", "XC2"]
        assert left_out(selection) == {"twice": 2}


def observation(number: int, photo: int, name: str, **values: Any) -> dict[str, Any]:
    taxon = {"name": name, "rank": "species", "iconic_taxon_name": "Aves"}
    url = f"https://x.org/photos/{photo}/square.jpg"
    photos = [{"id": photo, "url": url, "license_code": "cc0"}]
    return {"id": number, "uuid": f"u{number}", "taxon": taxon, "photos": photos, **values}


def test_one_photograph_in_two_observations_is_settled_before_it_is_fetched(tmp_path: Path) -> None:
    observations = [
        observation(1, 10, "Pica pica"),
        observation(2, 10, "Pica pica"),  # of one species: one of them
        observation(3, 11, "Pica pica"),
        observation(4, 11, "Parus major"),  # of two: none
        observation(5, 12, "Parus major"),
        observation(5, 12, "Parus major"),  # the same observation in another answer
    ]
    (tmp_path / "inat.json").write_text(json.dumps({"results": observations}))
    (tmp_path / "plan.toml").write_text('name = "x"\n[[sources]]\nkind = "inaturalist_api"\npath = "inat.json"\n')
    with select(read_plan(tmp_path / "plan.toml"), listing=True) as selection:
        assert [(row["source_id"], row["row"]) for row in records_of(selection)] == [("10", 1), ("12", 5)]
        assert left_out(selection) == {"duplicate": 1, "ambiguous": 2}
        assert accounts_of(selection)[0].reasons == {"repeated-id": 1}
        omitted = [row for batch in selection.omitted() for row in batch.to_pylist()]
        assert Counter((row["source_id"], row["reason"], row["detail"]) for row in omitted) == {
            ("10", "duplicate", "there is another record with its id"): 1,
            ("11", "ambiguous", "there is another record with its id, of another species"): 2,
        }


def test_one_address_under_two_ids_counts_once_and_of_two_species_never(tmp_path: Path) -> None:
    plan = write(tmp_path, [recording(1), recording(2, file="https://x.org/1.mp3"), recording(3)])
    (tmp_path / "inat.json").write_text(json.dumps({"results": [observation(1, 10, "Pica pica", sounds=[
        {"id": 5, "file_url": "https://x.org/3.mp3", "license_code": "cc-by"},
    ])]}))  # fmt: skip
    plan.write_text(plan.read_text() + '[[sources]]\nkind = "inaturalist_api"\npath = "inat.json"\n')
    with select(read_plan(plan), listing=True) as selection:
        assert chosen(selection) == ["10", "XC1", "XC3"]
        assert left_out(selection) == {"duplicate": 2}
    (tmp_path / "inat.json").write_text((tmp_path / "inat.json").read_text().replace("Pica pica", "Parus major"))
    with select(read_plan(plan)) as selection:
        assert left_out(selection) == {"duplicate": 1, "ambiguous": 2}


def test_names_are_matched_to_a_backbone_and_listed_names_that_nobody_has_are_told(
    tmp_path: Path, shared_data: Path
) -> None:
    recordings = [
        recording(1, gen="Parus", sp="caeruleus", grp=""),
        recording(2, gen="Nonsensia", sp="fictiva", grp=""),
    ]
    backbone = tmp_path / "taxa"
    backbone.mkdir()
    (backbone / "Taxon.tsv").write_text(
        "taxonID\tacceptedNameUsageID\tscientificName\ttaxonRank\ttaxonomicStatus\tkingdom\tphylum\tclass\torder\t"
        "family\tgenus\n"
        "1\t\tCyanistes caeruleus\tspecies\taccepted\tAnimalia\tChordata\tAves\tPasseriformes\tParidae\tCyanistes\n"
        "2\t1\tParus caeruleus\tspecies\tsynonym\tAnimalia\tChordata\tAves\tPasseriformes\tParidae\tParus\n"
    )
    plan = '[taxa]\nspecies = ["Parus caeruleus", "Pica pica"]\nbackbone = "taxa"\n'
    with select(read_plan(write(tmp_path, recordings, plan)), listing=True) as selection:
        (taxon,) = selection.names.taxa
        assert (taxon.scientific_name, taxon.class_) == ("Cyanistes caeruleus", "Aves")
        assert chosen(selection) == ["XC1"]
        assert left_out(selection) == {"name-no-match": 1}
        assert selection.names.missing == ("Pica pica",)
        assert selection.names.decisions is not None
        assert selection.names.decisions["rule"].to_pylist() == [None, "synonym"]


def test_homonyms_without_a_backbone_are_refused_unless_a_clade_settles_them(tmp_path: Path) -> None:
    recordings = [recording(1), recording(2, grp="grasshoppers")]
    with select(read_plan(write(tmp_path, recordings)), listing=True) as selection:
        assert chosen(selection) == []
        assert left_out(selection) == {"name-homonym": 2}
    with select(read_plan(write(tmp_path, recordings, '[taxa]\nclades = ["Aves"]\n')), listing=True) as selection:
        assert chosen(selection) == ["XC1"]


def test_names_without_ranks_are_in_no_clade_and_the_plan_says_what_to_do(tmp_path: Path) -> None:
    recordings = [recording(1, grp=""), recording(2, sp="hudsonia")]
    with select(read_plan(write(tmp_path, recordings, '[taxa]\nclades = ["Aves"]\n')), listing=True) as selection:
        assert chosen(selection) == ["XC2"]
        (note,) = selection.names.notes
    assert note.startswith(
        "taxa.clades: the sources state no rank above the genus for 1 of 2 species, such as Pica pica, so that the"
    )
    assert "taxa.backbone: `biovita taxonomy backbone FILE" in note
    with select(read_plan(write(tmp_path, recordings, '[taxa]\nspecies = ["Pica pica"]\n'))) as selection:
        assert selection.names.notes == ()


def test_a_damaged_table_is_an_error_with_its_name(tmp_path: Path) -> None:
    rng = random.Random(0)
    photos = "".join(
        f"{n}\t{n}\t{uuid.UUID(int=rng.getrandbits(128))}\t1\tjpg\tCC0\t9\t9\t0\n" for n in range(20_000)
    )
    tables = {
        "photos": "photo_uuid\tphoto_id\tobservation_uuid\tobserver_id\textension\tlicense\twidth\theight\tposition\n"
        + photos,
        "observations": "observation_uuid\tlatitude\tlongitude\ttaxon_id\tquality_grade\tobserved_on\n",
        "taxa": "taxon_id\tancestry\trank\tname\n1\t\tspecies\tPica pica\n",
        "observers": "observer_id\tlogin\tname\n",
    }
    for name, content in tables.items():
        whole = gzip.compress(content.encode())
        (tmp_path / f"{name}.csv.gz").write_bytes(whole[: len(whole) // 2] if name == "photos" else whole)
    plan = tmp_path / "plan.toml"
    plan.write_text('name = "x"\n[[sources]]\nkind = "inaturalist"\npath = "."\n')
    with (
        pytest.raises(DatasetError, match=r"photos\.csv\.gz cannot be read|a source cannot be read"),
        select(read_plan(plan)),
    ):
        pass


def test_a_checklist_and_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "names.txt").write_text("# birds\nPica pica\nNonsensia fictiva\n")
    plan = write(tmp_path, [recording(1)], '[taxa]\nchecklist = "names.txt"\n')
    with pytest.raises(SystemExit) as code:
        main(["data", "plan", str(plan), "--json"])
    assert code.value.code == 0
    said = json.loads(capsys.readouterr().out)
    assert said["given"][0]["items"] == 1
    assert said["missing"] == ["Nonsensia fictiva"]
    with pytest.raises(SystemExit):
        main(["data", "plan", str(plan)])
    assert "1 items, about 160 kB" in capsys.readouterr().out
    plan.write_text("nam = 1")
    with pytest.raises(SystemExit) as code:
        main(["data", "plan", str(plan)])
    assert code.value.code == 1
    assert "nam: unknown field. Did you mean 'name'?" in capsys.readouterr().err


def test_open_data_are_planned_and_read_for_a_build(tmp_path: Path) -> None:
    """Thirty photographs of three species; rows that give no record are counted by the plan and listed by the build."""
    ids = [str(uuid.UUID(int=n)) for n in range(40)]
    photos = "".join(
        f"p{n}\t{n}\t{ids[n]}\t{n % 3}\tjpg\t{'CC-BY-NC-ND' if n == 4 else 'CC-BY'}\t800\t600\t0\n"
        for n in range(33)
    )
    observations = "".join(
        f"{ids[n]}\t{n}.5\t10.5\t{77 if n == 30 else 10 + n % 3}\t{'casual' if n == 5 else 'research'}\t2020-05-01\n"
        for n in range(32)
    )
    tables = {
        "photos": "photo_uuid\tphoto_id\tobservation_uuid\tobserver_id\textension\tlicense\twidth\theight\tposition\n"
        + photos,
        "observations": "observation_uuid\tlatitude\tlongitude\ttaxon_id\tquality_grade\tobserved_on\n"
        + observations,
        "taxa": "taxon_id\tancestry\trank\tname\n3\t\tclass\tAves\n4\t\tclass\tInsecta\n10\t3\tspecies\tPica pica\n"
        "11\t3\tsubspecies\tParus major minor\n12\t4\tspecies\tApis mellifera\n",
        "observers": "observer_id\tlogin\tname\n0\tann\tAnn\n",
    }
    for name, content in tables.items():
        (tmp_path / f"{name}.csv").write_text(content)
    plan = tmp_path / "plan.toml"
    plan.write_text(
        'name = "x"\n[[sources]]\nkind = "inaturalist"\npath = "."\n[taxa]\nclades = ["Aves"]\n'
        '[quality]\ninaturalist = ["research"]\n[limits]\nimages_per_species = 6\n'
    )
    with select(read_plan(plan), listing=True) as selection:
        assert left_out(selection) == {"license": 1, "other-taxon": 10, "over-limit": 8}
        (account,) = accounts_of(selection)
        assert account.reasons == {"no-observation": 1, "unknown-taxon": 1}
        assert account.records == account.items + 19
        assert account.read == account.records + account.rejected + account.skipped
        rows = records_of(selection)
        assert Counter(row["taxon_id"] for row in rows) == {"pica_pica": 6, "parus_major": 6}
        assert sorted(row["number"] for row in rows if row["taxon_id"] == "pica_pica") == [1, 2, 3, 4, 5, 6]
        assert all(row["row"] == int(row["source_id"]) + 2 for row in rows)
        rejected = [row for batch in selection.rejected() for row in batch.to_pylist()]
        assert [(row["row"], row["reason"]) for row in rejected] == [(32, "unknown-taxon"), (34, "no-observation")]


def test_a_licence_in_another_spelling_is_mapped(tmp_path: Path) -> None:
    for given, meant in (("Public-Domain", "PDM-1.0"), ("cc by 4.0", "CC-BY-4.0"), ("CC0", "CC0-1.0")):
        path = tmp_path / "plan.toml"
        path.write_text(f'licenses = ["{given}"]\n' + HEAD, encoding="utf-8")
        with pytest.raises(DatasetError, match=rf"unknown licence '{given}'\. Write '{meant}'"):
            read_plan(path)


def test_a_folder_where_a_plan_is_meant_is_said(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"is a folder\. Give the file of a plan, in TOML$"):
        read_plan(tmp_path)
    (tmp_path / "birds.toml").touch()
    with pytest.raises(DatasetError, match=r"Give the file of a plan, in TOML, such as .*birds\.toml"):
        read_plan(tmp_path)
    (tmp_path / "dataset.toml").touch()
    with pytest.raises(DatasetError, match=r"is a dataset\. Give the file of the plan"):
        read_plan(tmp_path)


def test_a_plan_that_gives_nothing_says_for_which_clades_and_licences(tmp_path: Path) -> None:
    from support.commands import run_command
    from support.folders import make_folder, write_rows

    src = make_folder(tmp_path / "src", 1)
    for table in ("audio", "images"):
        files = sorted(file.relative_to(src).as_posix() for file in (src / table).iterdir())
        rows = [
            (file, " ".join(Path(file).stem.split("_")[:2]), license_)
            for file, license_ in zip(files, ("CC BY-ND 4.0", "GPL", ""), strict=True)
        ]
        write_rows(src / f"{table}.csv", rows, ("file", "scientific_name", "license"))
    head = 'name = "p"\n[[sources]]\nkind = "folder"\npath = "src"\n'
    (tmp_path / "clades.toml").write_text(head + '[taxa]\nclades = ["Aves"]\n', encoding="utf-8")
    (tmp_path / "licences.toml").write_text(head, encoding="utf-8")
    clades = run_command("data", "plan", tmp_path / "clades.toml")
    assert clades.code == 1
    assert "taxa.clades: no species of the sources is placed in Aves" in clades.err
    assert "no rank above the genus for 3 of 3 species" in clades.err
    assert "Add a column class, order or family, or give taxa.backbone" in clades.err
    licences = run_command("data", "plan", tmp_path / "licences.toml")
    assert licences.code == 1
    assert (
        "Licences that the plan does not take: 2 rows have 'CC BY-ND 4.0', which is CC-BY-ND-4.0; "
        "2 rows have 'GPL', which is none that is known; 2 rows state none"
    ) in licences.err
