"""Directories of models from strangers: their settings run nothing, open nothing and take no memory."""

from __future__ import annotations

import io
import json
import os
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file

from biovita.dataset import split_dataset
from biovita.errors import ModelError
from biovita.model import load_model, write_model
from biovita.model.formats import published_repository as published
from biovita.towers import efficientnet, minilm
from biovita.towers.tokenizer import read_tokenizer
from biovita.weights.state_dicts import read_checkpoint, read_json
from support.bench_cases import write_small
from support.hostile import call_watched, run_many
from support.plain_model import Builder
from support.published_layouts import SMALL_CLAP, make, write_open_clip, write_published
from support.walk_models import main as walk

WORDS = """
import pathlib
pathlib.Path({marker!r}).write_text("ran")
from transformers import PreTrainedTokenizerFast
class Evil(PreTrainedTokenizerFast):
    pass
"""


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    builder = Builder(tmp_path / "birds")
    (builder.path / "media").mkdir(parents=True)
    builder.add_photograph("one", 1)
    builder.add_sound("two", 2)
    return builder.write().path


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A small model in open_clip's layout, of safetensors alone."""
    directory = write_open_clip(make().clip, tmp_path / "clip")
    state = torch.load(directory / "open_clip_pytorch_model.bin", weights_only=True)
    (directory / "open_clip_pytorch_model.bin").unlink()
    save_file(
        {name: value.contiguous() for name, value in state.items()}, directory / "open_clip_model.safetensors"
    )
    return directory


def change(directory: Path, edit: Callable[[dict[str, Any]], object], name: str = "open_clip_config.json") -> None:
    content = json.loads((directory / name).read_text())
    edit(content)
    (directory / name).write_text(json.dumps(content))


def embed_command(dataset: Path, model: Path, *more: str) -> list[str]:
    return ["embed", str(dataset), "--model", str(model), "--device", "cpu", *more]


def plant_code(directory: Path, marker: Path) -> None:
    """Make a model bring a tokenizer's class of its own, as a directory that transformers trusts would."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({"<pad>": 0, "<unk>": 1}, unk_token="<unk>"))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>").save_pretrained(directory)
    (directory / "evil.py").write_text(WORDS.format(marker=str(marker)))
    auto_map = {"AutoTokenizer": ["evil.Evil", "evil.Evil"]}
    change(
        directory, lambda config: config.update(auto_map=auto_map, tokenizer_class="Evil"), "tokenizer_config.json"
    )
    change(
        directory,
        lambda config: config["model_cfg"]["text_cfg"].update(
            hf_tokenizer_name="somebody/words", tokenizer_kwargs={"trust_remote_code": True}
        ),
    )


@pytest.mark.slow
def test_a_directory_of_safetensors_runs_no_code_in_embed_and_in_bench_run(
    dataset: Path, clip: Path, tmp_path: Path
) -> None:
    marker = tmp_path / "ran"
    plant_code(clip, marker)
    small = write_small(tmp_path / "small")
    split_dataset(small, unseen=8, seed=3, held_out=0.4)
    run = ["bench", "run", str(small.path), "--model", str(clip), "--out", str(tmp_path / "out")]
    embedding, running, _ = run_many(tmp_path, [embed_command(dataset, clip), run], mib=1500)
    assert not marker.exists(), "a module of the model's directory ran"
    assert "tokenizer_kwargs.trust_remote_code" in embedding
    assert "open_clip_config.json" in embedding
    assert "tokenizer_kwargs" in running


@pytest.mark.slow
def test_no_setting_of_a_model_runs_code_opens_a_file_asks_the_network_or_changes_the_model(
    tmp_path: Path,
) -> None:
    """Every key of every configuration, with some fourteen hostile values each; one process opens them all."""
    kinds = ["clip", "siglip", "clap", "published", "own", "projections-name", "projections-path"]
    said = call_watched(tmp_path, walk, tmp_path, kinds, seconds=400, mib=1800)
    assert "ALL HELD" in said, said[-6000:]
    assert "Traceback" not in said, said[-3000:]


@pytest.mark.slow
def test_a_configuration_names_no_path_no_address_and_no_terabytes(
    dataset: Path, clip: Path, tmp_path: Path
) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("not for you")
    cases: tuple[tuple[str, str, Any], ...] = (
        ("text_cfg", "tokenizer_kwargs", {"bpe_path": str(secret)}),
        ("vision_cfg", "timm_model_name", "hf-hub:somebody/model"),
        ("text_cfg", "context_length", 10**6),
    )
    commands = []
    for where, setting, value in cases:
        model = tmp_path / setting
        shutil.copytree(clip, model)
        change(model, lambda config: config["model_cfg"][where].update({setting: value}))  # noqa: B023 - called at once
        commands.append(embed_command(dataset, model, "--modality", "text"))
    told = run_many(tmp_path, commands)
    for (where, setting, _), said in zip(cases, told, strict=False):
        assert f"{where}.{setting}" in said, said


@pytest.mark.slow
def test_sizes_within_the_bounds_are_compared_before_memory_is_taken(
    dataset: Path, clip: Path, tmp_path: Path
) -> None:
    change(clip, lambda config: config["model_cfg"]["text_cfg"].update(width=8192, heads=64, layers=200))
    told, _ = run_many(tmp_path, [embed_command(dataset, clip, "--modality", "text")], mib=1400)
    assert "does not fit this architecture" in told


def write_bomb(file: Path) -> None:
    """Write a checkpoint of some megabytes, one part of which unpacks to gigabytes."""
    whole = io.BytesIO()
    torch.save({"weight": torch.zeros(4)}, whole)
    with (
        zipfile.ZipFile(whole) as archive,
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as out,
    ):
        for name in archive.namelist():
            with out.open(name, "w") as part:
                part.write(archive.read(name))
                for _ in range(1800 if name.endswith("data.pkl") else 0):
                    part.write(bytes(1 << 20))


@pytest.mark.slow
def test_weights_that_are_bombs_pipes_or_more_than_they_hold(dataset: Path, tmp_path: Path) -> None:
    layout = write_published(make(), tmp_path / "published")
    adapter = layout / "clap_weights.pth"
    content = torch.load(adapter, weights_only=True)
    huge = torch.zeros(1).expand(60_000, 60_000)
    torch.save({**content, "audio_adapter": {"weight": huge}}, adapter)
    bombs = tmp_path / "bombs"
    shutil.copytree(layout, bombs)
    write_bomb(bombs / "clap_weights.pth")
    commands = [embed_command(dataset, model, "--modality", "audio") for model in (layout, bombs)]
    few, bomb, _ = run_many(tmp_path, commands, mib=1500)
    assert "fewer numbers in the file than they state" in few
    assert "clap_weights.pth is refused: its parts are compressed" in bomb


class Grown:
    """What a pickle calls with a number, for as many bytes."""

    def __reduce__(self) -> tuple[Any, ...]:
        return bytearray, (8 << 30,)


@pytest.mark.slow
def test_a_pickle_of_some_bytes_takes_no_gigabytes(dataset: Path, tmp_path: Path) -> None:
    names = ("epoch030.pth", "epoch031.pth")
    for name, zipped in zip(names, (True, False), strict=True):
        content = {"weight": torch.zeros(4), "grown": Grown()}
        torch.save(content, tmp_path / name, _use_new_zipfile_serialization=zipped)
    said = run_many(tmp_path, [embed_command(dataset, tmp_path / name) for name in names], mib=1500)
    for name, told in zip(names, said, strict=False):
        assert f"{name} is refused" in told
        assert "bytearray, which was not run" in told


def test_a_tokenizer_multiplies_no_text_and_its_panic_is_a_plain_error(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.WordLevel({"<pad>": 0, "<unk>": 1}, unk_token="<unk>"))
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>").save_pretrained(tmp_path)
    file = tmp_path / "tokenizer.json"
    plain = json.loads(file.read_text())
    double = {"type": "Replace", "pattern": {"String": "u"}, "content": "uu"}
    for part, why in (
        ({"normalizer": {"type": "Sequence", "normalizers": [double] * 30}}, r"tokenizer\.json: .* times as long"),
        ({"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}}, "cannot be read: Precompiled"),
    ):
        file.write_text(json.dumps(plain | part))
        with pytest.raises(ModelError, match=why):
            read_tokenizer(tmp_path, {})


def test_a_header_of_exabytes_is_a_plain_error(tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").write_bytes(struct.pack("<Q", 1 << 60) + b"{}")
    with pytest.raises(ModelError, match=r"x\.safetensors is cut short or is not a safetensors file"):
        read_checkpoint(tmp_path / "x.safetensors")


@pytest.mark.slow
def test_projections_whose_weights_are_a_pipe_or_out_of_proportion(tmp_path: Path) -> None:
    small = write_small(tmp_path / "small")
    split_dataset(small, unseen=8, seed=3, held_out=0.4)
    commands = []
    for name, write in {
        "pipe": os.mkfifo,
        "large": lambda file: save_file({"text.mean": torch.zeros(1)}, file),
    }.items():
        directory = tmp_path / name
        directory.mkdir()
        towers = {
            str(card.modality): {"name": card.name, "revision": card.revision, "dim": card.dim}
            for card in (minilm.CARD, efficientnet.CARD)
        }
        config = {"format": 1, "name": "x", "dim": 60_000, "logit_scale": 10.0, "towers": towers, "record": {}}
        (directory / "config.json").write_text(json.dumps(config))
        write(directory / "model.safetensors")
        out = tmp_path / f"out of {name}"
        commands.append(["bench", "run", str(small.path), "--model", str(directory), "--out", str(out)])
    for told in run_many(tmp_path, commands, mib=1500)[:-1]:
        assert "model.safetensors" in told, told


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[" * 200_000, "nested deeper"),
        ('{"model_cfg": ' + '{"a":' * 500 + "1" + "}" * 501, "nested deeper"),
        ('{"a": ' + "9" * 5000 + "}", "is not JSON"),
        ('{"a": NaN}', "NaN is not a number"),
        ('{"a": "\\ud800"}', "half of a surrogate pair"),
        ("[" + "[]," * 20_000_000 + "1]", "MiB of memory"),
        ("\xff", "is not text in UTF-8"),
        ("[1]", "does not hold a JSON object"),
    ],
    ids=["deep", "deep object", "digits", "nan", "surrogate", "values", "latin", "list"],
)
def test_json_of_every_odd_kind_is_a_plain_error(tmp_path: Path, text: str, why: str) -> None:
    file = tmp_path / "config.json"
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match=why):
        read_json(file)


@pytest.mark.slow
def test_odd_json_and_special_files_as_a_model_of_the_command_line(dataset: Path, tmp_path: Path) -> None:
    commands = []
    for name, write in {
        "deep": lambda file: file.write_text("[" * 200_000),
        "digits": lambda file: file.write_text('{"model_cfg": ' + "9" * 5000 + "}"),
        "zero": lambda file: file.symlink_to("/dev/zero"),
    }.items():
        directory = tmp_path / name
        directory.mkdir()
        write(directory / "open_clip_config.json")
        (directory / "open_clip_model.safetensors").write_bytes(b"x")
        commands.append(embed_command(dataset, directory))
    run_many(tmp_path, commands, mib=1500)


def test_all_architectures_that_open_clip_lists_are_accepted_as_they_are() -> None:
    from biovita.towers.clip_config import check_model_cfg

    for name in open_clip.list_models():
        config = open_clip.get_model_config(name)
        assert check_model_cfg(config, name) == config


def test_configurations_of_clap_as_transformers_ever_wrote_them_are_accepted() -> None:
    from biovita.towers.clap_config import check_clap_config

    old = {
        "_commit_hash": None,
        "architectures": ["ClapModel"],
        "audio_config": {
            "_name_or_path": "",
            "fusion_num_hidden_layers": 2,
            "torch_dtype": None,
            "spec_size": 256,
        },
        "hidden_size": 768,
        "initializer_factor": 1.0,
        "model_type": "clap",
        "text_config": {
            "bad_words_ids": None,
            "classifier_dropout": None,
            "fusion_hidden_size": 768,
            "fusion_num_hidden_layers": 2,
            "position_embedding_type": "absolute",
            "use_cache": True,
            "pad_token_id": 1,
        },
        "torch_dtype": "float32",
        "transformers_version": None,
    }
    kept = check_clap_config(old, "config.json")
    assert kept["text_config"] == {"position_embedding_type": "absolute", "pad_token_id": 1}
    assert kept["audio_config"] == {"spec_size": 256}
    check_clap_config(make(clap_cfg=SMALL_CLAP).clap.config.to_dict(), "config.json")
    with pytest.raises(ModelError, match=r"config\.json: audio_config\.auto_map is refused"):
        check_clap_config({"audio_config": {"auto_map": {}}}, "config.json")


def test_a_tokenizer_that_links_out_of_the_directory_is_not_given_away(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("mine")
    model, out = tmp_path / "model", tmp_path / "out"
    for directory in (model, out):
        directory.mkdir()
    (model / "merges.txt").symlink_to(tmp_path / "secret")
    image: Any = SimpleNamespace(
        clip=SimpleNamespace(directory=model, model_cfg={"text_cfg": {"hf_tokenizer_name": "a/b"}})
    )
    with pytest.raises(ModelError, match=r"merges\.txt is a link out of the model's directory"):
        published.copy_tokenizer(image, out)
    assert not list(out.iterdir())


@pytest.mark.slow
def test_a_directory_of_our_own_whose_parts_do_not_fit_is_a_plain_error(dataset: Path, tmp_path: Path) -> None:
    whole = write_model(load_model(write_published(make(), tmp_path / "published"), "cpu"), tmp_path / "whole")
    file, name = whole / "model.safetensors", "audio_adapter.weight"
    tensors = load_file(file)
    for weight, why in (
        (torch.tensor(1.0), "shape"),
        (torch.zeros(7, tensors[name].shape[1]), "shape"),
        (tensors[name].to(torch.complex64), "complex"),
    ):
        save_file({**tensors, name: weight}, file)
        with pytest.raises(ModelError, match=why):
            load_model(whole, "cpu")
    save_file({**tensors, name: torch.tensor(1.0)}, file)
    told, _ = run_many(tmp_path, [embed_command(dataset, whole, "--modality", "audio")])
    assert "the audio adapter has the shape ()" in told
    save_file({**tensors, name: torch.zeros(9, tensors[name].shape[1])}, file)
    change(whole, lambda config: config.update(dim=9), "config.json")
    with pytest.raises(ModelError, match="dim is 9, and model_cfg"):
        load_model(whole, "cpu")
