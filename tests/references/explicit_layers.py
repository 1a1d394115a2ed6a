"""Attention and recurrence written out with one ``nn.Linear`` for each weight."""

import torch
from torch import Tensor, nn


def linear_of(weight: Tensor, bias: Tensor | None) -> nn.Linear:
    """Return a linear layer with copies of a weight and a bias."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=bias is not None)
    layer.weight = nn.Parameter(weight.detach().clone())
    if bias is not None:
        layer.bias = nn.Parameter(bias.detach().clone())
    return layer


class ExplicitAttention(nn.Module):
    """Self-attention without masks, dropout and packed weights; batch first."""

    def __init__(self, module: nn.MultiheadAttention) -> None:
        super().__init__()
        weights = module.in_proj_weight.chunk(3)
        biases = module.in_proj_bias.chunk(3)
        self.maps = nn.ModuleList(map(linear_of, weights, biases))
        self.out = linear_of(module.out_proj.weight, module.out_proj.bias)
        self.num_heads = module.num_heads

    def forward(self, x: Tensor) -> Tensor:
        heads = [
            linear(x).unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
            for linear in self.maps
        ]
        query, key, value = heads
        scores = query @ key.mT / query.shape[-1] ** 0.5
        return self.out((scores.softmax(-1) @ value).transpose(1, 2).flatten(2))


class ExplicitEncoderLayer(nn.Module):
    """A transformer's encoder layer in evaluation of its defining equations."""

    def __init__(self, layer: nn.TransformerEncoderLayer) -> None:
        super().__init__()
        self.self_attn = ExplicitAttention(layer.self_attn)
        self.linear1, self.linear2 = layer.linear1, layer.linear2
        self.norm1, self.norm2 = layer.norm1, layer.norm2

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm1(x + self.self_attn(x))
        return self.norm2(x + self.linear2(torch.relu(self.linear1(x))))


class ExplicitRecurrence(nn.Module):
    """One layer of an LSTM or a GRU in one direction; batch first."""

    def __init__(self, module: nn.LSTM | nn.GRU) -> None:
        super().__init__()
        self.from_input = linear_of(module.weight_ih_l0, module.bias_ih_l0)
        self.from_hidden = linear_of(module.weight_hh_l0, module.bias_hh_l0)
        self.is_lstm = isinstance(module, nn.LSTM)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        h = c = x.new_zeros(len(x), self.from_hidden.in_features)
        outputs = []
        for step in x.unbind(1):
            of_input, of_hidden = self.from_input(step), self.from_hidden(h)
            if self.is_lstm:
                i, f, g, o = (of_input + of_hidden).chunk(4, 1)
                c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
                h = torch.sigmoid(o) * torch.tanh(c)
            else:
                (a, b, d), (p, q, r) = of_input.chunk(3, 1), of_hidden.chunk(3, 1)
                z = torch.sigmoid(b + q)
                h = (1 - z) * torch.tanh(d + torch.sigmoid(a + p) * r) + z * h
            outputs.append(h)
        return torch.stack(outputs, 1), h
