"""Configurations of foreign CLAP models: the settings that reach transformers and the front end, all checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from biovita.errors import ModelError
from biovita.towers.audio_windows import AudioInput
from biovita.towers.mel_config import MelConfig
from biovita.towers.network_rules import HEADS, LAYERS, SHARE, TOKEN, WIDTH, a_side, sides
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
    several,
    whole,
)
from biovita.weights.state_dicts import read_json

__all__ = ["check_clap_config", "check_listening", "read_clap_config", "read_clap_input"]

_MOST_PATCHES = 65_536  # of a spectrogram; the published models have 4,096
_MOST_BINS = 1 << 23  # frames times frequencies of one window; the published models have 513,000
_MOST_S = 120

_ACTIVATION = choice(
    "gelu", "gelu_new", "gelu_fast", "gelu_pytorch_tanh", "quick_gelu", "relu", "silu", "swish", "tanh", "linear"
)
_SCALE = number(0, 1000)

# What transformers has written into every configuration since version 2; no network here is built from it.
_GENERIC = names(
    """
    _commit_hash _name_or_path name_or_path add_cross_attention architectures bad_words_ids begin_suppress_tokens
    bos_token_id chunk_size_feed_forward classifier_dropout cross_attention_hidden_size decoder_start_token_id
    diversity_penalty do_sample dtype early_stopping encoder_no_repeat_ngram_size eos_token_id
    exponential_decay_length_penalty finetuning_task forced_bos_token_id forced_eos_token_id fusion_hidden_size
    fusion_num_hidden_layers gradient_checkpointing id2label initializer_range is_decoder is_encoder_decoder label2id
    length_penalty max_length min_length model_type no_repeat_ngram_size num_beam_groups num_beams num_labels
    num_return_sequences output_attentions output_hidden_states output_scores pad_token_id prefix problem_type
    pruned_heads remove_invalid_values repetition_penalty return_dict return_dict_in_generate sep_token_id
    suppress_tokens task_specific_params temperature tf_legacy_loss tie_encoder_decoder tie_word_embeddings
    tokenizer_class top_k top_p torch_dtype torchscript transformers_version typical_p use_bfloat16 use_cache
    _attn_implementation_autoset attn_implementation experts_implementation
    """
)
_COMMON: dict[str, SettingRule | Section] = {
    "projection_dim": WIDTH,
    "projection_hidden_act": _ACTIVATION,
    "initializer_factor": _SCALE,
}
_TEXT: dict[str, SettingRule | Section] = {
    **_COMMON,
    "vocab_size": whole(1, 4_000_000),
    "hidden_size": WIDTH,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": HEADS,
    "intermediate_size": whole(1, 65_536),
    "hidden_act": _ACTIVATION,
    "hidden_dropout_prob": SHARE,
    "attention_probs_dropout_prob": SHARE,
    "max_position_embeddings": whole(1, 65_536),
    "type_vocab_size": whole(1, 64),
    "layer_norm_eps": SHARE,
    "pad_token_id": either(NONE, TOKEN),
    "position_embedding_type": choice("absolute"),
}
_STRIDE = whole(1, 64)
_AUDIO: dict[str, SettingRule | Section] = {
    **_COMMON,
    "window_size": whole(1, 64),
    "num_mel_bins": whole(1, 1024),
    "spec_size": whole(1, 2048),
    "hidden_act": _ACTIVATION,
    "patch_size": a_side(_STRIDE),
    "patch_stride": a_side(_STRIDE),
    "num_classes": whole(0, 1_000_000),
    "hidden_size": WIDTH,
    "depths": several(whole(1, 64), 1, 8),
    "num_attention_heads": several(HEADS, 1, 8),
    "enable_fusion": FLAG,
    "hidden_dropout_prob": SHARE,
    "fusion_type": choice(None, "aff_2d"),
    "patch_embed_input_channels": whole(1, 16),
    "flatten_patch_embeds": FLAG,
    "patch_embeds_hidden_size": whole(1, 4096),
    "enable_patch_layer_norm": FLAG,
    "drop_path_rate": SHARE,
    "attention_probs_dropout_prob": SHARE,
    "qkv_bias": FLAG,
    "mlp_ratio": number(0.01, 64),
    "aff_block_r": whole(1, 64),
    "num_hidden_layers": LAYERS,
    "layer_norm_eps": SHARE,
}
_CLAP = Section(
    {
        **_COMMON,
        "text_config": Section(_TEXT, _GENERIC),
        "audio_config": Section(_AUDIO, _GENERIC | {"enable_patch_fusion", "projection_hidden_size"}),
        "logit_scale_init_value": _SCALE,
    },
    _GENERIC | {"hidden_size", "num_hidden_layers", "text_config_dict", "audio_config_dict"},
)
_INPUT = Section(
    {
        "padding": choice("pad", "repeatpad"),
        "sampling_rate": whole(1000, 384_000),
        "max_length_s": number(0.01, _MOST_S),
        "fft_window_size": whole(2, 65_536),
        "hop_length": whole(1, 65_536),
        "feature_size": whole(1, 1024),
        "frequency_min": number(0, 192_000),
        "frequency_max": number(1, 192_000),
        "truncation": choice("fusion", "rand_trunc"),
    },
    names(
        "chunk_length_s feature_extractor_type image_processor_type n_fft nb_frequency_bins nb_max_frames "
        "nb_max_samples padding_side padding_value processor_class return_attention_mask top_db "
        "transformers_version"
    ),
)


def read_clap_config(directory: Path) -> dict[str, Any]:
    """Return the settings in the ``config.json`` of a directory that transformers wrote.

    Raises
    ------
    ModelError
        Where the file is missing, of another model, or has a setting that is not accepted; the message names it.
    """
    file = directory / "config.json"
    config = read_json(file)
    if config.get("model_type") != "clap":
        raise ModelError(f"{file} is of a {str(config.get('model_type'))[:60]!r} model; it has to be 'clap'")
    return check_clap_config(config, str(file))


def check_clap_config(config: Any, where: str) -> dict[str, Any]:
    """Return transformers' description of a CLAP model, each setting of which is known and in its range.

    Raises
    ------
    ModelError
        Naming ``where`` and the setting that is not.
    """
    found = checked(config, _CLAP, where)
    audio = found.get("audio_config", {})
    down, right = sides(audio.get("patch_stride", 4))
    edge = audio.get("spec_size", 256)
    if (edge // down) * (edge // right) > _MOST_PATCHES:
        raise ModelError(
            f"{where}: audio_config cuts spectrograms of {edge} into patches every {down} x {right}; at most "
            f"{_MOST_PATCHES:,} patches are accepted"
        )
    return found


def read_clap_input(directory: Path) -> tuple[AudioInput, MelConfig]:
    """Return how a directory's ``preprocessor_config.json`` cuts and transforms recordings.

    Without that file it is as the unfused CLAP: 10 s from the start at 48 kHz, shorter ones repeated.

    Raises
    ------
    ModelError
        Where a setting is not accepted; the message names it.
    """
    file = directory / "preprocessor_config.json"
    stated = checked(read_json(file), _INPUT, str(file)) if file.is_file() else {}
    rate = stated.get("sampling_rate", 48_000)
    listen = AudioInput(
        sample_rate=rate,
        seconds=float(stated.get("max_length_s", 10)),
        window="start",
        padding="repeat" if stated.get("padding", "repeatpad") == "repeatpad" else "zeros",
    )
    mel = MelConfig(
        sample_rate=rate,
        window=stated.get("fft_window_size", 1024),
        hop=stated.get("hop_length", 480),
        bands=stated.get("feature_size", 64),
        low_hz=float(stated.get("frequency_min", 50)),
        high_hz=float(stated.get("frequency_max", 14_000)),
        scale="htk" if stated.get("truncation", "rand_trunc") == "fusion" else "slaney",
    )
    check_listening(listen, mel, str(file))
    return listen, mel


def check_listening(listen: AudioInput, mel: MelConfig, where: str) -> None:
    """Raise a `ModelError` where the numbers of a front end do not go together, or a window would be too large."""
    problem = ""
    if not (1000 <= listen.sample_rate <= 384_000 and 0.01 <= listen.seconds <= _MOST_S):
        problem = (
            f"windows are {listen.seconds:g} s at {listen.sample_rate:g} Hz; they have to be 0.01 to "
            f"{_MOST_S} s at 1,000 to 384,000 Hz"
        )
    elif listen.window == "all" and listen.hop < listen.samples / 64:
        problem = f"overlap is {listen.overlap:g}; it has to be at most 63/64"
    elif not 1000 <= mel.sample_rate <= 384_000:
        problem = f"the spectrogram is at {mel.sample_rate:g} Hz; it has to be at 1,000 to 384,000"
    elif not (2 <= mel.window <= 65_536 and 1 <= mel.hop <= 65_536 and 1 <= mel.bands <= 1024):
        problem = (
            f"frames are {mel.window} samples every {mel.hop} in {mel.bands} bands; they have to be 2 to 65,536 "
            "samples every 1 to 65,536 in 1 to 1,024 bands"
        )
    elif mel.window // 2 >= listen.samples:
        problem = f"a frame has {mel.window} samples; it has to be shorter than two windows of {listen.samples}"
    elif not 0 <= mel.low_hz < mel.high_hz <= 192_000:
        problem = (
            f"the bands go from {mel.low_hz:g} Hz to {mel.high_hz:g} Hz; they have to rise within 0 to 192,000"
        )
    elif (listen.samples // mel.hop + 1) * (mel.window // 2 + 1) > _MOST_BINS:
        problem = f"a window of {listen.samples} samples in frames of {mel.window} every {mel.hop} is too large"
    if problem:
        raise ModelError(f"{where}: {problem}")
