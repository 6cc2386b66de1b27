"""Walks every setting of every configuration of a model's directory, in a process that watches what it opens."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from biovita import load_model
from biovita.errors import BiovitaError
from biovita.media.inputs import Sound
from biovita.modality import Modality
from biovita.model import describe, write_model
from biovita.model.formats import installed
from biovita.towers import minilm
from support.published_layouts import SMALL_CLAP, SMALL_CLIP, make, write_open_clip, write_published

CODE = "import pathlib\npathlib.Path({marker!r}).write_text('ran')\nclass Evil: pass\n"
MAP = {"AutoTokenizer": ["evil.Evil", "evil.Evil"], "AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"}
EXTRA = {
    "trust_remote_code": True,
    "auto_map": MAP,
    "bpe_path": "../outside/words.txt",
    "pretrained": "../outside/words.txt",
    "attn_implementation": "somebody/kernels",
    "kernel_config": {"x": "somebody/kernels"},
    "fast_tokenizer_files": ["../outside/words.txt"],
    "quantization_config": {"quant_method": "bitsandbytes"},
    "surprise": 1,
}

UNREAD = [
    *("feature_extractor_type", "nb_frequency_bins", "nb_max_samples", "nb_max_frames", "padding_side"),
    *("padding_value", "top_db", "return_attention_mask", "chunk_length_s", "n_fft", "processor_class"),
    *("bos_token_id", "eos_token_id"),
    *("name_or_path", "tokenizer_file", "vocab_file", "merges_file", "chat_template", "special_tokens_map_file"),
]


def hostile_values(work: Path) -> list[Any]:
    deep: Any = 1
    for _ in range(100):
        deep = [deep]
    return [
        str(work / "outside" / "words.txt"),
        "../..",
        "hf-hub:somebody/model",
        "local-dir:../outside",
        {"trust_remote_code": True, "auto_map": MAP},
        10**30,
        10**9,
        -1,
        float("nan"),
        float("inf"),
        deep,
        ["x", {}, None],
        "\ud800",
        "s3://somebody/model",
    ]


class Watch:
    """Notes what is opened that should not be, while it is on."""

    def __init__(self, work: Path, model: Path) -> None:
        self.work, self.model = str(work), str(model)
        self.seen: list[str] = []
        self.on = False
        sys.addaudithook(self)

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in {"socket.connect", "socket.getaddrinfo", "subprocess.Popen", "os.system"}:
            self.seen.append(f"{event} {arguments}"[:200])
        elif event == "open" and isinstance(arguments[0], str):
            path = str(Path(arguments[0]).absolute())
            if (path.startswith(self.work) and not path.startswith(self.model)) or path == "/etc/passwd":
                self.seen.append(f"open {path}")


def places(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Give where each value of a JSON object lies, and the place of a new key in each object."""
    if isinstance(content, dict):
        for key, value in content.items():
            yield (*path, key)
            yield from places(value, (*path, key))


def with_value(content: Any, path: tuple[Any, ...], value: Any) -> Any:
    copied = json.loads(json.dumps(content))
    inner = copied
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return copied


def fields(kind: type) -> dict[str, None]:
    return dict.fromkeys(field.name for field in dataclasses.fields(kind))


class Walk:
    """The cases of one directory: each changes one value in one file."""

    def __init__(self, work: Path, directory: Path, load: Callable[[Path], Any], *, same: bool = True) -> None:
        self.work, self.directory, self.load, self.same = work, directory, load, same
        self.watch = Watch(work, directory)
        self.problems: list[str] = []
        self.refused = self.kept = 0
        self.before = load(directory)

    def file(
        self, name: str, known: dict[tuple[Any, ...], Any], values: list[Any], whole: tuple[str, ...] = ()
    ) -> None:
        """Walk one file; ``known`` adds keys that the library has and the file has not, by where they belong.

        What lies under the keys ``whole`` is walked elsewhere, or free; what nothing reads is walked `together`.
        """
        file = self.directory / name
        content = json.loads(file.read_text())
        everywhere = [path for path in places(content) if len(path) == 1 or path[0] not in whole]
        everywhere = [path for path in everywhere if path[-1] not in UNREAD]
        for path, more in known.items():
            inner = content
            for key in path:
                inner = inner[key]
            everywhere += [(*path, key) for key in more if key not in inner]
        for path in everywhere:
            for value in values:
                self.case(
                    file, with_value(content, path, value), f"{name} {'.'.join(map(str, path))}={value!r:.40}"
                )
        for path in {place[:-1] for place in everywhere}:
            for key, value in EXTRA.items():
                self.case(file, with_value(content, (*path, key), value), f"{name} {path} and {key}")
        file.write_text(json.dumps(content))

    def together(self, name: str, path: tuple[Any, ...], keys: list[str], values: list[Any]) -> None:
        """Change many keys of an object at once, those that nothing is made from."""
        file = self.directory / name
        content = json.loads(file.read_text())
        for value in values:
            changed = json.loads(json.dumps(content))
            inner = changed
            for key in path:
                inner = inner[key]
            inner.update(dict.fromkeys(keys, value))
            self.case(file, changed, f"{name} {path} {len(keys)} keys={value!r:.40}")
        file.write_text(json.dumps(content))

    def case(self, file: Path, content: Any, what: str) -> None:
        file.write_text(json.dumps(content))
        self.watch.on = True
        began = time.monotonic()
        try:
            after = self.load(self.directory)
        except BiovitaError as error:
            self.refused += 1
            if len(str(error)) > 2000:
                self.problems.append(f"{what}: an error of {len(str(error))} characters")
        except BaseException as error:  # noqa: BLE001 - what it is, is what the test tells
            self.problems.append(f"{what}: {type(error).__name__}: {str(error)[:150]}")
        else:
            self.kept += 1
            if self.same and not all(np.array_equal(a, b) for a, b in zip(self.before, after, strict=True)):
                self.problems.append(f"{what}: another model")
        finally:
            self.watch.on = False
        if time.monotonic() - began > 10:
            self.problems.append(f"{what}: took {time.monotonic() - began:.0f} s")
        self.problems += [f"{what}: {seen}" for seen in self.watch.seen]
        self.watch.seen.clear()
        if (self.work / "outside" / "ran").exists():
            self.problems.append(f"{what}: CODE RAN")
            (self.work / "outside" / "ran").unlink()


def embedded(directory: Path) -> list[np.ndarray]:
    model = load_model(directory, device="cpu")
    made = []
    if Modality.IMAGE in model.towers:
        picture = np.random.default_rng(0).integers(0, 255, (40, 60, 3), np.uint8)
        made += [model.embed_images([Image.fromarray(picture)]), model.embed_texts(["Turdus merula", "frog"])]
    if Modality.AUDIO in model.towers:
        samples = np.random.default_rng(0).normal(0, 0.1, 48_000).astype(np.float32)
        made.append(model.embed_audio([Sound(samples, 48_000)]))
    return [*made, np.array([model.logit_scale])]


def write_siglip(directory: Path) -> Path:
    """A model with a timm image tower and a tokenizer of its own."""
    from open_clip.model import CustomTextCLIP
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    words = {word: number for number, word in enumerate(["<pad>", "</s>", "<unk>", "turdus", "merula", "frog"])}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="<pad>", eos_token="</s>", unk_token="<unk>", sep_token="<unk>"
    )
    config = {
        "embed_dim": 32,
        "init_logit_bias": -10,
        "custom_text": True,
        "vision_cfg": {
            "image_size": 160,
            "timm_model_name": "test_vit",
            "timm_pool": "avg",
            "timm_proj": "linear",
            "timm_model_pretrained": False,
        },
        "text_cfg": {
            "context_length": 8,
            "vocab_size": 6,
            "hf_tokenizer_name": "timm/ViT-B-16-SigLIP",
            "tokenizer_kwargs": {"clean": "canonicalize"},
            "width": 16,
            "heads": 2,
            "layers": 1,
            "no_causal_mask": True,
            "pool_type": "last",
            "norm_kwargs": {"eps": 1e-6},
            "act_kwargs": {"approximate": "tanh"},
        },
    }
    torch.manual_seed(0)
    arguments = json.loads(json.dumps(config))
    arguments.pop("custom_text")
    write_open_clip(CustomTextCLIP(**arguments).eval(), directory, config)
    fast.save_pretrained(directory)
    return directory


def write_projections(directory: Path, made: Any, base: str) -> Path:
    """Write projections of towers that lie inside their own directory, or are known by a name."""
    from safetensors.torch import save_file

    from biovita.model.projection import Projection

    directory.mkdir()
    card = describe("starter").towers
    refs: dict[str, Any] = {"name": "starter", "revision": card.revision}
    modalities = [Modality.TEXT]
    if base == "path":
        card = describe(write_open_clip(made.clip, directory / "towers"))
        refs = {"path": "towers", "absolute": str(directory / "towers"), "revision": card.revision}
        modalities = [Modality.IMAGE, Modality.TEXT]
    towers = {m: {"name": card.encoders[m].name, "revision": card.encoders[m].revision} for m in modalities}
    for modality, ref in towers.items():
        ref["dim"] = card.encoders[modality].dim  # type: ignore[assignment]
    config = {"format": 2, "name": "x", "dim": 4, "logit_scale": 9.5, "base": refs, "towers": towers}
    (directory / "config.json").write_text(json.dumps({**config, "record": {"seed": 0}}))
    torch.manual_seed(0)
    states = {modality: Projection(card.encoders[modality].dim, 4).state_dict() for modality in modalities}
    tensors = {f"{modality}.{key}": value for modality, state in states.items() for key, value in state.items()}
    save_file(tensors, directory / "model.safetensors")
    return directory


def written_in_text(directory: Path) -> list[np.ndarray]:
    model = load_model(directory, "cpu", [Modality.TEXT])
    return [model.embed_texts(["Turdus merula", "frog"]), np.array([model.logit_scale])]


def walks(work: Path, made: Any, which: str) -> Walk:
    from open_clip.coca_model import MultimodalCfg
    from open_clip.model import CLIPTextCfg, CLIPVisionCfg
    from open_clip.transform import PreprocessCfg
    from transformers import ClapAudioConfig, ClapConfig, ClapTextConfig, PretrainedConfig

    values = hostile_values(work)
    directory = work / which
    top = dict.fromkeys(("init_logit_scale", "quick_gelu", "nonscalar_logit_scale", "cast_dtype", "output_dict"))
    known = {
        (): dict.fromkeys(("preprocess_cfg", "model_cfg")),
        ("model_cfg",): top | {"custom_text": None, "multimodal_cfg": None, "init_logit_bias": None},
        ("model_cfg", "vision_cfg"): fields(CLIPVisionCfg),
        ("model_cfg", "text_cfg"): fields(CLIPTextCfg) | {"hf_tokenizer_name": None},
        ("preprocess_cfg",): fields(PreprocessCfg),
    }
    if which == "clip":
        walk = Walk(work, with_code(write_open_clip(made.clip, directory), work), embedded)
        walk.file("open_clip_config.json", known, values)
        text = json.loads((directory / "open_clip_config.json").read_text())
        text["model_cfg"]["multimodal_cfg"] = dict.fromkeys(fields(MultimodalCfg), 1)
        walk.case(directory / "open_clip_config.json", text, "multimodal_cfg of ones")
        return walk
    if which == "siglip":
        walk = Walk(work, with_code(write_siglip(directory), work), embedded)
        walk.file("open_clip_config.json", {}, values)
        more = [
            *("tokenizer_class", "added_tokens_decoder", "sp_model_kwargs", "model_max_length", "errors"),
            *("extra_special_tokens", "additional_special_tokens", "truncation_side", "src_lang", "extra_ids"),
        ]
        walk.file("tokenizer_config.json", {(): dict.fromkeys(more)}, values)
        walk.together("tokenizer_config.json", (), UNREAD[-6:], [values[0], values[4], 10**30])
        for kind in ("AutoTokenizer", "RagTokenizer", "AutoModelForCausalLM", "pipeline", "evil.Evil", "Trainer"):
            content = json.loads((directory / "tokenizer_config.json").read_text())
            walk.case(directory / "tokenizer_config.json", {**content, "tokenizer_class": kind}, f"class {kind}")
            walk.case(directory / "tokenizer_config.json", {**content, "auto_map": MAP}, "auto_map")
            (directory / "tokenizer_config.json").write_text(json.dumps(content))
        walk.case(directory / "config.json", {"model_type": "evil", "auto_map": MAP}, "config.json beside it")
        return walk
    common = [*fields(PretrainedConfig), "_name_or_path", "torch_dtype", "architectures", "pruned_heads"]
    if which in {"clap", "published"}:
        if which == "clap":
            from transformers import ClapFeatureExtractor

            made.clap.save_pretrained(directory)
            ClapFeatureExtractor(frequency_min=50, frequency_max=14_000).save_pretrained(directory)
            name = "config.json"
        else:
            write_published(made, directory)
            name = "clap_config.json"
        content = json.loads((directory / name).read_text())
        parts = {"text_config": ClapTextConfig, "audio_config": ClapAudioConfig}
        for part, kind in parts.items():
            content[part] = {key: value for key, value in content[part].items() if key in fields(kind)}
            content[part] = {key: value for key, value in content[part].items() if key not in common}
        content = {key: value for key, value in content.items() if key in {*fields(ClapConfig), "model_type"}}
        content = {key: value for key, value in content.items() if key not in common}
        (directory / name).write_text(json.dumps({**content, "model_type": "clap"}))
        walk = Walk(work, with_code(directory, work), embedded)
        if which == "clap":
            walk.file("config.json", {}, values)
            walk.file("preprocessor_config.json", {(): dict.fromkeys(("sampling_rate", "truncation"))}, values)
            walk.together("preprocessor_config.json", (), UNREAD[:11], [values[0], values[4], 10**30])
            for part in ((), ("text_config",), ("audio_config",)):
                walk.together("config.json", part, common, [values[0], values[4], 10**30])
        else:
            walk.file("clap_config.json", {}, values, ("text_config", "audio_config"))
        return walk
    if which == "own":
        whole = load_model(write_published(made, work / "source"), device="cpu")
        walk = Walk(work, with_code(write_model(whole, directory), work), embedded)
        walk.file("config.json", {}, values, ("clap_config", "model_cfg", "record", "preprocess_cfg"))
        return walk
    base = which.partition("-")[2]
    walk = Walk(work, with_code(write_projections(directory, made, base), work), written_in_text)
    more = {("base",): dict.fromkeys(("name", "path", "absolute"))}
    walk.file("config.json", more, [*values, str(work / "outside"), "../outside", "../../outside/epoch001.pth"])
    return walk


def with_code(directory: Path, work: Path) -> Path:
    (directory / "evil.py").write_text(CODE.format(marker=str(work / "outside" / "ran")))
    return directory


def main(work: Path, which: list[str]) -> None:
    (work / "outside").mkdir(exist_ok=True)
    (work / "outside" / "words.txt").write_text("#version\na b\n")
    torch.set_num_threads(1)
    # It takes half a second a case to open, and no setting reaches it.
    installed._OPEN[minilm.CARD.name] = cache(minilm.MiniLM)
    made = make(SMALL_CLIP, SMALL_CLAP)
    failed = False
    for name in which:
        began = time.process_time()
        walk = walks(work, made, name)
        cases = f"{walk.refused} refused, {walk.kept} the same, {len(walk.problems)} problems"
        say(f"{name}: {cases}, {time.process_time() - began:.1f} s")
        say("\n".join(walk.problems[:40]))
        failed |= bool(walk.problems) or not walk.refused
        shutil.rmtree(work / name)
    say("FAILED" if failed else "ALL HELD")


def say(text: str) -> None:
    sys.stderr.write(text + "\n")
