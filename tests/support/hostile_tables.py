"""Darwin Core archives and plans, honest and hostile, written for tests."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

TERM = "http://rs.tdwg.org/dwc/terms/"
_NAME = f'<field index="1" term="{TERM}scientificName"/>'
_MEDIA = f'<field index="2" term="{TERM}associatedMedia"/>'


def core(
    file: str = "o.txt", how: str = 'fieldsTerminatedBy="\\t" fieldsEnclosedBy=""', fields: str = _NAME + _MEDIA
) -> str:
    """Return the description of a core with id, scientificName and associatedMedia, all in one file."""
    return (
        f'<core rowType="{TERM}Occurrence" {how}><files><location>{file}</location></files>'
        f'<id index="0"/>{fields}<field term="{TERM}license" default="CC_BY_4_0"/></core>'
    )


def media(file: str = "m.txt", how: str = 'fieldsTerminatedBy="\\t" fieldsEnclosedBy=""') -> str:
    """Return the description of an extension with coreid and address."""
    return (
        f'<extension rowType="http://rs.gbif.org/terms/1.0/Multimedia" {how}>'
        f'<files><location>{file}</location></files><coreid index="0"/>'
        '<field index="1" term="http://purl.org/dc/terms/identifier"/></extension>'
    )


def archive(path: Path, meta: str, files: Mapping[str, str | bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    """Write an archive with a meta file and tables."""
    with zipfile.ZipFile(path, "w", method) as file:
        file.writestr("meta.xml", f'<archive xmlns="http://rs.tdwg.org/dwc/text/">{meta}</archive>')
        for name, content in files.items():
            file.writestr(name, content)
    return path


def plan(path: Path, *sources: Mapping[str, object], more: str = "") -> Path:
    """Write a plan of sources."""
    text = 'name = "x"\n' + more
    for source in sources:
        lines = (f"{key} = {json.dumps(str(value))}" for key, value in source.items())
        text += "[[sources]]\n" + "\n".join(lines) + "\n"
    path.write_text(text)
    return path
