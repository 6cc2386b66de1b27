"""Networks whose weights are not drawn, because they are loaded: all else of them is as in one that was drawn."""

from __future__ import annotations

import torch
from torch import nn
from transformers import BertConfig, BertModel

from biovita.weights.undrawn import undrawn


def small() -> BertModel:
    config = BertConfig(
        vocab_size=50, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    return BertModel(config, add_pooling_layer=False).eval()


def test_nothing_is_drawn_and_all_that_is_not_loaded_is_as_ever() -> None:
    drawn = small()
    torch.manual_seed(3)
    before = torch.get_rng_state()
    with undrawn():
        network = small()
    assert torch.equal(torch.get_rng_state(), before)
    for (name, buffer), (_, other) in zip(drawn.named_buffers(), network.named_buffers(), strict=True):
        assert torch.equal(buffer, other), name
    network.load_state_dict(drawn.state_dict())
    words = torch.tensor([[1, 2, 3]])
    assert torch.equal(network(words).last_hidden_state, drawn(words).last_hidden_state)


def test_no_way_of_drawing_draws() -> None:
    ways = (nn.init.normal_, nn.init.uniform_, nn.init.trunc_normal_, nn.init.kaiming_uniform_)
    ways += (nn.init.kaiming_normal_, nn.init.xavier_uniform_, nn.init.xavier_normal_, torch.Tensor.normal_)
    for way in ways:
        before = torch.get_rng_state()
        with undrawn():
            way(torch.full((2, 2), 7.0))
        assert torch.equal(torch.get_rng_state(), before), way
    with undrawn():
        assert not nn.init.zeros_(torch.full((2, 2), 7.0)).any(), "zeros are no draw"


def test_networks_draw_again_afterwards() -> None:
    with undrawn():
        nn.Linear(2, 2)
    torch.manual_seed(0)
    first = nn.Linear(2, 2).weight
    torch.manual_seed(0)
    assert torch.equal(first, nn.Linear(2, 2).weight)
    assert first.abs().sum() > 0
