"""Networks of text."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from kdcourse.data.ngrams import BUCKETS, NOTHING, WIDTHS, hashed_ngrams
from kdcourse.networks.attention import Block


class NgramNetwork(nn.Module):
    """A linear layer on `ngram_vectors`, which takes the text itself, as code points `(N, length)` int64.

    A text has few of the n-grams: the rows of their weights are added up, and no vector is made. First weights are 0.

    >>> from kdcourse import codes_of
    >>> NgramNetwork(num_classes=24)(codes_of(["to be", "or not"], 25)).shape
    torch.Size([2, 24])
    """

    def __init__(self, num_classes: int, buckets: int = BUCKETS, widths: Sequence[int] = WIDTHS) -> None:
        super().__init__()
        self.widths, self.buckets = tuple(widths), buckets
        self.weight = nn.Parameter(torch.zeros(buckets, num_classes))
        self.bias = nn.Parameter(torch.zeros(num_classes))

    def forward(self, codes: Tensor) -> Tensor:
        places = hashed_ngrams(codes, self.widths, self.buckets)
        there = (places < self.buckets).float()
        shares = there / there.sum(dim=-1, keepdim=True).clamp_min(1).sqrt()
        rows = embedding(places.clamp_max(self.buckets - 1), self.weight)
        return (shares.unsqueeze(-2) @ rows).squeeze(-2) + self.bias


class TextEncoder(nn.Module):
    """A Transformer whose every place sees the whole text, as BERT's do; the logits are read from the places' mean.

    It takes code points `(N, time)` int64, as `codes_of` gives them, and leaves their filling out. It has no buffers
    and no dropout, so that small ones can be trained in a stack.
    Source: Devlin et al. 2019 (arXiv 1810.04805), in small, without pre-training; LayerNorm first.

    Args:
        num_classes: how many logits.
        width: numbers a place; `heads` divides it.
        depth: how many blocks of attention and two linear layers.
        length: characters of a text, at most.
        characters: code points from `characters - 1` on are one character together.

    Raises:
        ValueError: a width that the heads do not divide.

    >>> from kdcourse import codes_of
    >>> TextEncoder(num_classes=24)(codes_of(["to be", "or not"], 25)).shape
    torch.Size([2, 24])
    """

    def __init__(
        self,
        num_classes: int,
        width: int = 16,
        depth: int = 1,
        heads: int = 4,
        length: int = 25,
        characters: int = 640,
    ) -> None:
        super().__init__()
        self.characters, self.places = nn.Embedding(characters, width), nn.Embedding(length, width)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.logits = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, num_classes))
        for table in (self.characters, self.places):
            nn.init.normal_(table.weight, std=0.02)

    def forward(self, codes: Tensor) -> Tensor:
        places = torch.arange(codes.shape[-1], device=codes.device)
        filling = (codes == NOTHING) & (places > 0)  # an empty text has one place, so that its mean is a number
        states = self.characters(codes.clamp_max(self.characters.num_embeddings - 1)) + self.places(places)
        for block in self.blocks:
            states = block(states, filling[:, None, None])
        there = (~filling).unsqueeze(-1)
        return self.logits((states * there).sum(dim=-2) / there.sum(dim=-2))
