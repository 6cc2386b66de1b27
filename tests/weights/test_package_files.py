from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from biovita.errors import ModelError
from biovita.hashing import sha256_of
from biovita.weights.package_files import package_file, verified_file


def test_weights_are_checked_and_the_package_is_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "weighty"
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "model.bin").write_bytes(b"good")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    good = f"sha256:{sha256_of(package / 'model.bin')}"
    assert verified_file("weighty", "model.bin", "weighty-dist", good) == package / "model.bin"
    with pytest.raises(ModelError, match=r"sha256:00\w* is expected.*pip install --force-reinstall weighty-dist"):
        verified_file("weighty", "model.bin", "weighty-dist", "sha256:00")
    with pytest.raises(ModelError, match=r"other\.bin is missing"):
        package_file("weighty", "other.bin", "weighty-dist")
    with pytest.raises(ModelError, match=r"pip install nowhere-dist"):
        package_file("nowhere_at_all", "model.bin", "nowhere-dist")
