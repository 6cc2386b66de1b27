"""Foreign ``open_clip_config.json`` files: the settings that reach open_clip, timm and the tokenizer, all checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from biovita.errors import ModelError
from biovita.towers.network_rules import HEADS, LAYERS, SHARE, TOKEN, WIDTH, a_side, sides
from biovita.weights.setting_rules import (
    FLAG,
    NONE,
    Section,
    SettingRule,
    checked,
    choice,
    either,
    number,
    several,
    text,
    whole,
)
from biovita.weights.state_dicts import read_json

__all__ = ["CONFIG_FILE", "MOST_TOKENS", "check_model_cfg", "check_preprocess_cfg", "read_clip_config"]

CONFIG_FILE = "open_clip_config.json"
MOST_TOKENS = 16_384  # of a picture; published models have up to 1,369

_EDGE = whole(1, 2048)
_HUB_NAME = text(
    r"(?!.*(\.\.|--))[A-Za-z0-9][\w.-]{0,95}(/[A-Za-z0-9][\w.-]{0,95})?",
    "a repository of the hub, owner/name",
)
_TIMM_NAME = text(r"[A-Za-z0-9_]{1,100}(\.[A-Za-z0-9_]{1,100})?", "a name that timm has, no address and no path")
_LISTED_TOKEN = text(r"<[\w-]{1,64}>", "a token such as <name>")
_ACTIVATION = Section({"approximate": choice("none", "tanh")}, optional=True)
_NORM = Section({"eps": number(0, 1), "elementwise_affine": FLAG, "bias": FLAG}, optional=True)

_BLOCKS: dict[str, SettingRule | Section] = {
    "width": WIDTH,
    "mlp_ratio": number(0.01, 64),
    "ls_init_value": either(NONE, number(-1000, 1000)),
    "final_ln_after_pool": FLAG,
    "output_tokens": FLAG,
    "act_kwargs": _ACTIVATION,
    "norm_kwargs": _NORM,
    "block_type": choice(None, "default", "custom"),
    "qk_norm": FLAG,
    "scaled_cosine_attn": FLAG,
    "scale_heads": FLAG,
    "scale_attn_inner": FLAG,
    "scale_attn": FLAG,
    "scale_fc": FLAG,
}
_VISION = Section(
    {
        **_BLOCKS,
        "layers": either(LAYERS, several(LAYERS, 4, 4)),
        "head_width": whole(1, 1024),
        "patch_size": either(NONE, whole(1, 512)),
        "image_size": a_side(_EDGE),
        "patch_dropout": number(0, 0.99),
        "attentional_pool": either(FLAG, choice("parallel", "cascade")),
        "attn_pooler_queries": whole(1, 4096),
        "attn_pooler_heads": HEADS,
        "no_ln_pre": FLAG,
        "pos_embed_type": choice("learnable", "sin_cos_2d"),
        "pool_type": choice("tok", "avg", "none"),
        "timm_model_name": either(NONE, _TIMM_NAME),
        "timm_model_pretrained": FLAG,
        "timm_pool": text(r"[a-z_]{0,16}", "a pooling that timm has"),
        "timm_proj": choice(None, "", "linear", "mlp", "none"),
        "timm_proj_bias": FLAG,
        "timm_drop": SHARE,
        "timm_drop_path": either(NONE, SHARE),
    }
)
_TEXTS: dict[str, SettingRule | Section] = {
    **_BLOCKS,
    "context_length": whole(1, 4096),
    "vocab_size": TOKEN,
    "hf_tokenizer_name": either(NONE, _HUB_NAME),
    "tokenizer_mode": choice(None, "", "clips"),
    "tokenizer_kwargs": Section(
        {
            "clean": choice("lower", "whitespace", "canonicalize"),
            "strip_sep_token": FLAG,
            "language": text(r"[A-Za-z_-]{2,20}", "a language's code"),
            "additional_special_tokens": either(NONE, several(_LISTED_TOKEN, 0, 1000)),
            "reduction_mask": choice("", "simple", "random", "shuffle"),
        },
        optional=True,
    ),
    "heads": HEADS,
    "layers": LAYERS,
    "embed_cls": FLAG,
    "pad_id": TOKEN,
    "eos_id": TOKEN,
    "no_causal_mask": FLAG,
    "pool_type": choice("argmax", "eos", "first", "last", "none"),
    "proj_bias": FLAG,
    "proj_type": choice("linear", "none"),
    "hf_model_name": either(NONE, _HUB_NAME),
    "hf_model_pretrained": FLAG,
    "hf_proj_type": choice(None, "linear", "mlp"),
    "hf_pooler_type": choice(None, "mean_pooler", "max_pooler", "cls_pooler", "cls_last_hidden_state_pooler"),
}
_MULTIMODAL = {"dim_head": whole(1, 1024), "n_queries": whole(1, 4096), "attn_pooler_heads": HEADS}
_MODEL = Section(
    {
        "embed_dim": WIDTH,
        "vision_cfg": _VISION,
        "text_cfg": Section(_TEXTS),
        "multimodal_cfg": Section({**_TEXTS, **_MULTIMODAL}),
        "custom_text": FLAG,
        "quick_gelu": FLAG,
        "init_logit_scale": number(-100, 100),
        "init_logit_bias": either(NONE, number(-1000, 1000)),
        "nonscalar_logit_scale": FLAG,
        "cast_dtype": NONE,
        "output_dict": FLAG,
        "pad_id": TOKEN,
    }
)
_PREPROCESS = Section(
    {
        "size": a_side(_EDGE),
        "mode": choice("RGB"),
        "mean": several(number(-1000, 1000), 3, 3),
        "std": several(number(1e-6, 1000), 3, 3),
        "interpolation": choice("bicubic", "bilinear", "random"),
        "resize_mode": choice("shortest", "longest", "squash"),
        "fill_color": whole(0, 255),
    }
)


def read_clip_config(directory: Path) -> tuple[dict[str, Any], dict[str, Any] | None]:
    """Return the ``model_cfg`` and the ``preprocess_cfg`` of a directory in open_clip's layout.

    What else the file holds is read by nobody.

    Raises
    ------
    ModelError
        Where the file is missing or no JSON, or a setting in it is not accepted; the message names it.
    """
    file = directory / CONFIG_FILE
    if not file.is_file():
        raise ModelError(f"{directory} is not an open_clip model: it has no {CONFIG_FILE}")
    config = read_json(file)
    model = config.get("model_cfg")
    if not isinstance(model, dict) or "embed_dim" not in model:
        raise ModelError(f"{file} has no model_cfg with embed_dim")
    return check_model_cfg(model, f"{file}: model_cfg"), check_preprocess_cfg(
        config.get("preprocess_cfg"), f"{file}: preprocess_cfg"
    )


def check_model_cfg(model_cfg: Any, where: str) -> dict[str, Any]:
    """Return open_clip's description of an architecture, each setting of which is known and in its range.

    Raises
    ------
    ModelError
        Naming ``where`` and the setting that is not.
    """
    found = checked(model_cfg, _MODEL, where)
    vision = found.get("vision_cfg", {})
    height, width = sides(vision.get("image_size", 224))
    patch = vision.get("patch_size") or 16
    if (height // patch) * (width // patch) > MOST_TOKENS:
        raise ModelError(
            f"{where}: vision_cfg cuts pictures of {width} x {height} px into patches of {patch} px; at most "
            f"{MOST_TOKENS:,} patches are accepted"
        )
    return found


def check_preprocess_cfg(preprocess_cfg: Any, where: str) -> dict[str, Any] | None:
    """Return open_clip's description of the image preprocessing; as `check_model_cfg`, and None where there is none."""
    return None if preprocess_cfg is None else checked(preprocess_cfg, _PREPROCESS, where)
