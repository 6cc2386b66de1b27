from __future__ import annotations

import io
import os
import pickle
import zipfile

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from biovita.errors import ModelError
from biovita.weights.state_dicts import load_strictly, read_checkpoint, read_state, without_wrappers


class Bomb:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (os.mkdir, (str(self.marker),))


@pytest.mark.parametrize("how", ["torch", "legacy", "pickle"])
def test_a_pickle_that_runs_code_is_refused_and_does_not_run(tmp_path, how):
    marker, file = tmp_path / "ran", tmp_path / "evil.pth"
    content = {"weight": torch.zeros(2), "more": Bomb(marker)}
    if how == "pickle":
        file.write_bytes(pickle.dumps(content))
    else:
        torch.save(content, file, _use_new_zipfile_serialization=how == "torch")
    with pytest.raises(ModelError, match=r"evil\.pth is (refused|cut short)") as refusal:
        read_checkpoint(file)
    assert "weights_only" not in str(refusal.value), "nobody is told how to run it all the same"
    if how == "torch":
        assert f"It holds {os.mkdir.__module__}.mkdir, which was not run" in str(refusal.value)
    assert not marker.exists()
    torch.load(file, weights_only=False) if how != "pickle" else pickle.loads(file.read_bytes())
    assert marker.exists()  # so the file was one that could


@pytest.mark.parametrize("name", ["cut.pth", "cut.safetensors"])
@pytest.mark.parametrize("kept", [0, 3, 200, -100])
def test_truncated_files_are_told(tmp_path, name, kept):
    file = tmp_path / name
    state = {"weight": torch.zeros(1000)}
    if name.endswith("safetensors"):
        save_file(state, file)
    else:
        torch.save(state, file)
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(ModelError, match=rf"{name} is (cut short|empty|refused)"):
        read_checkpoint(file)


def test_bytes_gone_wrong_anywhere_are_told_or_do_no_harm(tmp_path):
    whole, file = io.BytesIO(), tmp_path / "worn.pth"
    torch.save({"a": torch.zeros(3, 4), "b.c": torch.arange(5)}, whole)
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(whole) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    [pickled] = [name for name in parts if name.endswith("data.pkl")]
    refused = 0
    for _ in range(300):
        worn = bytearray(parts[pickled])
        worn[rng.integers(len(worn))] = rng.integers(256)
        with zipfile.ZipFile(file, "w") as archive:
            for name, content in parts.items():
                archive.writestr(name, bytes(worn) if name == pickled else content)
        try:
            read_state(file)
        except ModelError:
            refused += 1
    for content in (bytes(rng.integers(256, size=200, dtype=np.uint8)) for _ in range(200)):
        file.write_bytes(content)
        with pytest.raises(ModelError, match=r"worn\.pth"):
            read_checkpoint(file)
    assert refused > 100


def test_a_missing_file_and_one_that_is_no_checkpoint(tmp_path):
    with pytest.raises(ModelError, match=r"none\.pth does not exist"):
        read_checkpoint(tmp_path / "none.pth")
    page = tmp_path / "page.bin"
    page.write_text("<html>404</html>")
    with pytest.raises(ModelError, match=r"page\.bin"):
        read_checkpoint(page)


def test_state_dicts_of_every_wrapping_are_read(tmp_path):
    plain = {"a.weight": torch.randn(2), "b": torch.randn(1)}
    for number, content in enumerate(
        (
            plain,
            {"state_dict": plain, "epoch": 3},
            {f"module.{name}": value for name, value in plain.items()},
            {"a.module.weight": plain["a.weight"], "b": plain["b"]},
        )
    ):
        torch.save(content, tmp_path / f"{number}.pth")
        got = read_state(tmp_path / f"{number}.pth")
        assert got.keys() == plain.keys()
        assert torch.equal(got["a.weight"], plain["a.weight"])
    torch.save({"a": torch.zeros(1), "epoch": 3}, tmp_path / "odd.pth")
    with pytest.raises(ModelError, match="epoch are not tensors"):
        read_state(tmp_path / "odd.pth")
    torch.save([1, 2], tmp_path / "list.pth")
    with pytest.raises(ModelError, match="holds a list; it has to hold a state dict"):
        read_state(tmp_path / "list.pth")


def test_every_difference_is_named_and_nothing_is_loaded():
    module = nn.Linear(2, 3)
    before = module.weight.clone()
    with pytest.raises(ModelError) as error:
        load_strictly(module, {"weight": torch.zeros(3, 5), "extra": torch.zeros(1)}, "x.pth")
    text = str(error.value)
    assert "x.pth" in text
    assert "1 missing: bias" in text
    assert "1 unexpected: extra" in text
    assert "weight (3, 5) in place of (3, 2)" in text
    assert torch.equal(module.weight, before)
    load_strictly(module, {"weight": torch.ones(3, 2), "extra": torch.zeros(1)}, "x", ignore=["bias", "extra"])
    assert torch.equal(module.weight, torch.ones(3, 2))


def test_only_whole_name_parts_are_wrappers():
    assert list(without_wrappers({"module.submodule.w": torch.zeros(1)})) == ["submodule.w"]
