"""Text networks that open_clip takes from transformers: the hub's description of one, reduced to what is checked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from biovita.errors import ModelError
from biovita.towers.network_rules import HEADS, LAYERS, SHARE, TOKEN
from biovita.towers.tokenizer import is_on_this_machine
from biovita.weights.hub import is_offline
from biovita.weights.setting_rules import FLAG, NONE, Section, SettingRule, checked, choice, either, number, whole

__all__ = ["described_text"]

_WIDTH = whole(1, 65_536)
_ACTIVATION = choice("gelu", "gelu_new", "relu", "silu", "swish", "tanh", "gelu_pytorch_tanh")
_RULES: dict[str, SettingRule | Section] = {
    "model_type": choice("bert", "m2m_100", "mt5", "roberta", "xlm-roberta"),
    **dict.fromkeys(("hidden_size", "intermediate_size", "d_model", "d_ff", "d_kv"), _WIDTH),
    **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), _WIDTH),
    **dict.fromkeys(("num_hidden_layers", "num_layers", "encoder_layers"), LAYERS),
    **dict.fromkeys(("num_decoder_layers", "decoder_layers"), either(NONE, LAYERS)),
    **dict.fromkeys(
        ("num_attention_heads", "num_heads", "encoder_attention_heads", "decoder_attention_heads"), HEADS
    ),
    **dict.fromkeys(("vocab_size", "max_position_embeddings"), whole(1, 4_000_000)),
    **dict.fromkeys(
        ("pad_token_id", "bos_token_id", "eos_token_id", "decoder_start_token_id"), either(NONE, TOKEN)
    ),
    **dict.fromkeys(("hidden_act", "activation_function", "dense_act_fn"), _ACTIVATION),
    **dict.fromkeys(("layer_norm_eps", "layer_norm_epsilon", "hidden_dropout_prob", "dropout_rate"), SHARE),
    **dict.fromkeys(("attention_probs_dropout_prob", "dropout", "attention_dropout", "activation_dropout"), SHARE),
    **dict.fromkeys(("encoder_layerdrop", "decoder_layerdrop", "initializer_range", "init_std"), SHARE),
    "initializer_factor": number(0, 1000),
    "type_vocab_size": whole(1, 64),
    "relative_attention_num_buckets": whole(1, 4096),
    "relative_attention_max_distance": whole(1, 65_536),
    "feed_forward_proj": choice("relu", "gated-gelu", "gelu", "gated-silu"),
    "is_gated_act": FLAG,
    "is_encoder_decoder": FLAG,
    "scale_embedding": FLAG,
    "tie_word_embeddings": FLAG,
    "use_cache": FLAG,
}


@contextmanager
def described_text(model_cfg: dict[str, Any], where: str) -> Iterator[dict[str, Any]]:
    """Give an architecture whose text network is a directory with a checked description, not a name on the hub.

    Raises
    ------
    ModelError
        Where the hub's description is not to be had, names code of its own or a setting that is not accepted.
    """
    name = model_cfg.get("text_cfg", {}).get("hf_model_name")
    if not name:
        yield model_cfg
        return
    mend = f"its text network's configuration is not here. With network: hf download {name} config.json"
    if is_offline() and not is_on_this_machine(name, "config.json"):
        raise ModelError(f"{where}: the network may not be used, and {mend}")
    if Path(name).exists():
        raise ModelError(
            f"{where}: {name} has to be a repository on the hub, and it is also a path on this machine"
        )
    from huggingface_hub.errors import StrictDataclassError
    from transformers import AutoConfig

    try:
        stated = AutoConfig.from_pretrained(name, trust_remote_code=False).to_dict()
    except OSError as error:
        raise ModelError(f"{where}: {mend}. {str(error).splitlines()[0]}") from error
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, StrictDataclassError) as error:
        raise ModelError(f"{where}: the configuration of {name} on the hub is not accepted: {error}") from error
    rules = Section(_RULES, frozenset(stated.keys() - _RULES.keys()))
    with TemporaryDirectory(prefix="biovita-text-") as scratch:
        known = checked(stated, rules, f"config.json of {name}")
        Path(scratch, "config.json").write_text(json.dumps(known), encoding="utf-8")
        yield {**model_cfg, "text_cfg": {**model_cfg["text_cfg"], "hf_model_name": scratch}}
