"""Labels of annotations, as people and programs write them, and the taxa that they name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from biovita.csv_table import open_csv, sound_rows
from biovita.errors import DatasetError
from biovita.taxonomy.known_taxa import known_taxa
from biovita.taxonomy.taxon import Taxon

__all__ = ["LabelTaxa", "label_taxa", "read_label_codes"]

LabelTaxa = Callable[[str], Taxon | None]
"""Gives the taxon that a label names; None where it names none that is known."""


def label_taxa(codes: Mapping[str, str] | None = None, find: LabelTaxa | None = None) -> LabelTaxa:
    """Return a function from a label to its taxon.

    A label is a scientific or common name, both joined by ``_`` as BirdNET writes them, or a code.

    Parameters
    ----------
    codes
        From codes, such as the four letters of the American Ornithological Society or those of eBird, to names. Without
        it no code is understood: one code has meant different taxa. Case does not matter.
    find
        Gives the taxon of a name; by default `biovita.taxonomy.known_taxa.KnownTaxa.find` of the package's table.

    Examples
    --------
    >>> taxa = label_taxa({"EABL": "Sialia sialis"})
    >>> taxa("Turdus merula_Eurasian Blackbird").id, taxa("eabl").id, taxa("XXXX")
    ('turdus_merula', 'sialia_sialis', None)
    """
    named = known_taxa().find if find is None else find
    by_code = {code.strip().casefold(): name for code, name in (codes or {}).items()}

    def taxon_of(label: str) -> Taxon | None:
        name = by_code.get(label.strip().casefold(), label)
        first, joined, last = name.partition("_")
        found = named(name)
        if found is None and joined:
            found = named(first) or named(last)
        return found

    return taxon_of


def read_label_codes(file: Path) -> Mapping[str, str]:
    """Return from codes to names what a CSV file with the columns ``code`` and ``scientific_name`` says.

    Raises
    ------
    DatasetError
        Where it lacks a column, a cell is empty, or one code has two names.
    """
    codes: dict[str, str] = {}
    for row in sound_rows(open_csv(file, ["code", "scientific_name"], ["code", "scientific_name"])):
        code, name = row.values["code"], row.values["scientific_name"]
        if code is None or name is None:
            raise DatasetError(
                f"{file}, line {row.line}: {'code' if code is None else 'scientific_name'} is empty"
            )
        if codes.setdefault(code.casefold(), name) != name:
            raise DatasetError(
                f"{file}, line {row.line}: the code {code} is {name} here, and {codes[code.casefold()]} above"
            )
    return codes
