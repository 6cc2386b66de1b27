"""Foreign tokenizers: read from checked copies of their files, so that they name no code, no path and no address."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from biovita.errors import ModelError
from biovita.jsonfile import read_text
from biovita.limits import limit, over
from biovita.weights.hub import hub_file, is_offline
from biovita.weights.setting_rules import (
    FLAG,
    NONE,
    Section,
    SettingRule,
    checked,
    choice,
    either,
    names,
    number,
    text,
    whole,
)
from biovita.weights.state_dicts import read_json

__all__ = ["TOKENIZER_FILES", "hub_tokenizer", "is_on_this_machine", "read_tokenizer"]

TOKENIZER_CONFIG = "tokenizer_config.json"
_JSON = ("tokenizer.json", "vocab.json", "added_tokens.json", "special_tokens_map.json")
_TEXT = ("merges.txt", "vocab.txt")
_PROTOBUF = ("tokenizer.model", "spiece.model", "sentencepiece.bpe.model")
_CARRIES_WORDS = ("tokenizer.json", "vocab.json", "vocab.txt", *_PROTOBUF)
TOKENIZER_FILES = (TOKENIZER_CONFIG, *_JSON, *_TEXT, *_PROTOBUF)

_CLASSES = names(
    "Albert Bert CLIP Camembert DistilBert Gemma GPT2 Llama MBart MPNet Nllb PreTrained Roberta Siglip Siglip2 T5 "
    "XLMRoberta"
)
_MODEL_TYPES = names(
    "bert camembert clip distilbert gemma gpt2 llama m2m_100 mbart mpnet mt5 roberta siglip siglip2 t5 xlm-roberta"
)
_NAMED = names("bos eos unk sep pad cls mask image boi eoi")

_MOST_GROWTH = 256  # of a text by replacements; published tokenizers replace characters by about as many

_WORD = text(r"(?s).{0,1000}", "a text")


def _is_token(value: Any) -> bool:
    if not isinstance(value, dict):
        return _WORD.accepts(value)
    content, kind = value.get("content"), value.get("__type", "AddedToken")
    flags = {key: flag for key, flag in value.items() if key not in {"content", "__type", "id"}}
    known = {"lstrip", "rstrip", "normalized", "single_word", "special"}
    return (
        _WORD.accepts(content)
        and kind == "AddedToken"
        and flags.keys() <= known
        and all(isinstance(flag, bool) for flag in flags.values())
    )


def _holds(container: type, test: Callable[[Any], bool], wanted: str) -> SettingRule:
    def accepts(value: Any) -> bool:
        inner = value.values() if isinstance(value, dict) else value
        return isinstance(value, container) and all(map(test, inner))

    return SettingRule(accepts, wanted)


_TOKEN = SettingRule(_is_token, "a token: a text, or an AddedToken")
_TOKENS = either(
    NONE, _holds(list, _is_token, "a list of tokens"), _holds(dict, _is_token, "a JSON object of tokens")
)
_BY_ID = SettingRule(
    lambda value: isinstance(value, dict) and all(key.isascii() and key.isdigit() for key in value),
    "a JSON object of tokens by number",
)
_SPECIAL: dict[str, SettingRule | Section] = {f"{name}_token": either(NONE, _TOKEN) for name in sorted(_NAMED)}
_SPECIAL |= {"additional_special_tokens": _TOKENS, "extra_special_tokens": _TOKENS}
_SPECIAL_MAP = Section(_SPECIAL)
_CONFIG = Section(
    {
        **_SPECIAL,
        "tokenizer_class": either(
            NONE,
            text(
                rf"({'|'.join(sorted(_CLASSES))})Tokenizer(Fast)?|TokenizersBackend",
                "a class of transformers, known here",
            ),
        ),
        "added_tokens_decoder": SettingRule(
            lambda value: _BY_ID.accepts(value) and all(map(_is_token, value.values())), _BY_ID.wanted
        ),
        "model_max_length": either(NONE, number(1, 1e31)),
        "max_length": either(NONE, whole(1, 1 << 20)),
        "add_prefix_space": either(NONE, FLAG),
        "add_bos_token": either(NONE, FLAG),
        "add_eos_token": either(NONE, FLAG),
        "clean_up_tokenization_spaces": either(NONE, FLAG),
        "do_lower_case": either(NONE, FLAG),
        "do_basic_tokenize": FLAG,
        "tokenize_chinese_chars": FLAG,
        "strip_accents": either(NONE, FLAG),
        "never_split": NONE,
        "keep_accents": FLAG,
        "remove_space": FLAG,
        "trim_offsets": FLAG,
        "legacy": either(NONE, FLAG),
        "legacy_behaviour": FLAG,
        "use_default_system_prompt": FLAG,
        "spaces_between_special_tokens": FLAG,
        "split_special_tokens": FLAG,
        "extra_ids": whole(0, 10_000),
        "sp_model_kwargs": Section({}, optional=True),
        "padding_side": choice("left", "right"),
        "truncation_side": choice("left", "right"),
        "errors": choice("replace", "strict", "ignore"),
        "src_lang": either(NONE, text(r"[A-Za-z_-]{2,20}", "a language's code")),
        "tgt_lang": either(NONE, text(r"[A-Za-z_-]{2,20}", "a language's code")),
        "backend": choice("tokenizers"),
    },
    ignored=names(
        "name_or_path special_tokens_map_file tokenizer_file vocab_file merges_file processor_class chat_template "
        "transformers_version model_input_names is_local local_files_only model_specific_special_tokens "
        "max_len do_convert_rgb device_map padding truncation stride pad_to_multiple_of pad_token_type_id "
        "truncation_strategy canonicalize_text sep_token_extra"
    ),
)


def is_on_this_machine(repository: str, file: str) -> bool:
    """Return whether the local copy of the hub has a file, without asking the network."""
    from huggingface_hub import try_to_load_from_cache

    return isinstance(try_to_load_from_cache(repository, file), str)


def hub_tokenizer(repository: str, mend: str) -> Path:
    """Return the directory of a repository's tokenizer on this machine, fetching what is missing.

    Raises
    ------
    ModelError
        Where it is neither here nor to be had; ``mend`` ends the message.
    """
    if is_offline() and not is_on_this_machine(repository, TOKENIZER_CONFIG):
        raise ModelError(
            f"the tokenizer {repository} is not on this machine, and the network may not be used. {mend}"
        )
    found = [hub_file(repository, file, None, how=mend, optional=True) for file in TOKENIZER_FILES]
    hub_file(repository, "config.json", None, optional=True)
    try:
        return next(path for path in found if path is not None).parent
    except StopIteration:
        raise ModelError(f"the repository {repository} has no tokenizer. {mend}") from None


def read_tokenizer(directory: Path, options: dict[str, Any]) -> Any:
    """Return open_clip's tokenizer over the files of a directory.

    What transformers reads is a copy of the known files, with settings that are known; so there is no code in it, and
    nothing beside it.

    Parameters
    ----------
    options
        Of `open_clip.tokenizer.HFTokenizer`, from a checked configuration.

    Raises
    ------
    ModelError
        Where a file is damaged or too large, or a setting is not accepted; the message names it.
    """
    from open_clip.tokenizer import HFTokenizer

    with TemporaryDirectory(prefix="biovita-tokenizer-") as scratch:
        _copy(directory, Path(scratch))
        try:
            tokenizer = HFTokenizer(scratch, trust_remote_code=False, **options)
            tokenizer(["Turdus merula"])  # one that cannot pad, say, is told now
        except BaseException as error:  # tokenizers raises Exception itself, and where it panics one beside it
            if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                raise
            reason = str(error).replace(scratch, str(directory)).split("\n", maxsplit=1)[0]
            raise ModelError(f"the tokenizer in {directory} cannot be read: {reason[:500]}") from error
    return tokenizer


def _copy(directory: Path, scratch: Path) -> None:
    for name in _JSON:
        file = directory / name
        if file.exists():
            content = read_json(file)
            if name == "special_tokens_map.json":
                content = checked(content, _SPECIAL_MAP, str(file))
            if name == "tokenizer.json":
                _check_growth(content, str(file))
            (scratch / name).write_text(json.dumps(content), encoding="utf-8")
    for name in _TEXT:
        if (directory / name).exists():
            (scratch / name).write_text(read_text(directory / name, ModelError), encoding="utf-8")
    for name in _PROTOBUF:
        if (directory / name).is_file():
            if (directory / name).stat().st_size > limit("answer"):
                raise ModelError(f"{directory / name} is too large: {over('answer')}")
            shutil.copyfile(directory / name, scratch / name)
    if not any((scratch / name).is_file() for name in _CARRIES_WORDS):
        raise ModelError(f"{directory} has no tokenizer. It needs {' or '.join(_CARRIES_WORDS)}")
    file = directory / TOKENIZER_CONFIG
    settings = checked(read_json(file), _CONFIG, str(file)) if file.exists() else {}
    (scratch / TOKENIZER_CONFIG).write_text(json.dumps(settings), encoding="utf-8")
    kind = _model_type(directory / "config.json")
    if kind:
        (scratch / "config.json").write_text(json.dumps({"model_type": kind}), encoding="utf-8")


def _check_growth(content: dict[str, Any], where: str) -> None:
    """Raise a `ModelError` where the steps of a tokenizer would make far more of a text than it is."""
    growth, waiting = 1.0, [content.get(part) for part in ("normalizer", "pre_tokenizer", "decoder")]
    while waiting:
        step = waiting.pop()
        if isinstance(step, list):
            waiting += step
        elif isinstance(step, dict):
            waiting += [
                value for key, value in step.items() if key != "pattern" and isinstance(value, dict | list)
            ]
            added, pattern = step.get("content"), step.get("pattern")
            if isinstance(added, str) and len(added) > 1:
                exact = pattern.get("String") if isinstance(pattern, dict) else pattern
                growth *= len(added) / len(exact) if isinstance(exact, str) and exact else len(added) + 1
            growth = max(growth, 1.0)
    if growth > _MOST_GROWTH:
        raise ModelError(
            f"{where}: its replacements may make a text {growth:.3g} times as long; at most {_MOST_GROWTH} is accepted"
        )


def _model_type(file: Path) -> str:
    """Return the kind of model that a ``config.json`` names, where it is one whose tokenizer is known."""
    kind = read_json(file).get("model_type") if file.is_file() else None
    return kind if isinstance(kind, str) and kind in _MODEL_TYPES else ""
