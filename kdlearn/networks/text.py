"""Networks of text."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding

from kdlearn.data.ngrams import BUCKETS, WIDTHS, hashed_ngrams


class NgramNetwork(nn.Module):
    """A linear layer on `ngram_vectors`, which takes the text itself, as code points `(N, length)` int64.

    A text has few of the n-grams: the rows of their weights are added up, and no vector is made. First weights are 0.

    >>> from kdlearn import codes_of
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
