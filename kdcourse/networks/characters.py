"""A language model of a laptop's size, and the text that it writes."""

import torch
from torch import Tensor, nn

from kdcourse.networks.attention import Block


class CharacterTransformer(nn.Module):
    """See `character_transformer`."""

    def __init__(self, num_classes: int, width: int, depth: int, heads: int, length: int) -> None:
        super().__init__()
        self.characters, self.places = nn.Embedding(num_classes, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.logits = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, num_classes))
        for embedding in (self.characters, self.places):
            nn.init.normal_(embedding.weight, std=0.02)

    def forward(self, characters: Tensor) -> Tensor:
        places = torch.arange(characters.shape[-1], device=characters.device)
        states, later = self.characters(characters) + self.places(places), places > places[:, None]
        for block in self.blocks:
            states = block(states, later)
        return self.logits(states)


def character_transformer(
    num_classes: int = 65, width: int = 32, depth: int = 2, heads: int = 4, length: int = 64
) -> CharacterTransformer:
    """A Transformer whose logits at each place depend on the characters up to that place alone.

    It has no buffers and no dropout, so that small ones can be trained in a stack. A bias of the keys would change no
    weight of the attention, so queries, keys and values have none.
    Source: Vaswani et al. 2017 (arXiv 1706.03762); LayerNorm first and learned places as in GPT-2.

    Args:
        num_classes: how many characters there are.
        width: numbers a place; `heads` divides it.
        depth: how many blocks of attention and two linear layers.
        length: characters in a window, at most.

    Returns:
        A network from characters `(N, time)` int64, with time at most `length`, to logits `(N, time, num_classes)`:
        31,553 parameters; with `width=128, depth=3` 618,817.

    Raises:
        ValueError: a width that the heads do not divide.

    >>> character_transformer()(torch.zeros(5, 64, dtype=torch.int64)).shape
    torch.Size([5, 64, 65])
    """
    return CharacterTransformer(num_classes, width, depth, heads, length)
