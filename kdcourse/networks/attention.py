"""A Transformer's block: what language models and encoders of text have in common."""

import math

from torch import Tensor, nn


class Attention(nn.Module):
    """Each place's mean of the values of the places that it sees, weighed by softmax of query · key / √d in each head.

    Source: Vaswani et al. 2017 (arXiv 1706.03762), section 3.2.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if width % heads:
            raise ValueError(f"width must be divisible by heads; got {width} and {heads}")
        self.heads = heads
        self.projections, self.output = nn.Linear(width, 3 * width, bias=False), nn.Linear(width, width)

    def forward(self, states: Tensor, hidden: Tensor) -> Tensor:
        """`(N, time, width)` to the same shape; where `hidden`, `(…, time, time)`, is true a place is not seen."""
        parts = self.projections(states).unflatten(-1, (3, self.heads, -1))
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)  # each (N, heads, time, width / heads)
        scores = queries @ keys.transpose(-1, -2) / math.sqrt(queries.shape[-1])
        weights = scores.masked_fill(hidden, -math.inf).softmax(dim=-1)
        return self.output((weights @ values).transpose(1, 2).flatten(2))


class Block(nn.Module):
    """Attention, then two linear layers at each place; each is added to what it read, after a LayerNorm."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.before_attention, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.before_layers = nn.LayerNorm(width)
        self.layers = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, states: Tensor, hidden: Tensor) -> Tensor:
        states = states + self.attention(self.before_attention(states), hidden)
        return states + self.layers(self.before_layers(states))
