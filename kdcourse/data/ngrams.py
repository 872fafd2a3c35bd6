"""Text as code points, and its n-grams by a hash that takes a few lines in any language, so that a page has it too."""

import unicodedata
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import pad

NOTHING = 0  # the code point that fills a short text up
OFFSET, PRIME, MASK = 2166136261, 16777619, 2**32 - 1  # of FNV-1a with 32 bits
BUCKETS, WIDTHS = 4096, (1, 2, 3)


def codes_of(texts: Sequence[str], length: int) -> Tensor:
    """Texts as code points: composed (NFC), cut off at `length` characters, filled up with 0.

    Returns:
        `(N, length)` int64.

    >>> codes_of(["né", "to be"], 3)
    tensor([[110, 233,   0],
            [116, 111,  32]])
    """
    cut = [unicodedata.normalize("NFC", text)[:length] for text in texts]
    rows = [[*map(ord, text), *[NOTHING] * (length - len(text))] for text in cut]
    return torch.tensor(rows, dtype=torch.int64).reshape(len(cut), length)


def texts_of(codes: Tensor) -> list[str]:
    """The texts of code points `(N, length)`.

    >>> texts_of(codes_of(["né", "to be"], 3))
    ['né', 'to ']
    """
    return ["".join(chr(code) for code in row if code != NOTHING) for row in codes.tolist()]


def hashed_ngrams(codes: Tensor, widths: Sequence[int] = WIDTHS, buckets: int = BUCKETS) -> Tensor:
    """The bucket of each n-gram of characters, in order of width and place.

    The hash is FNV-1a with 32 bits, a code point a step where the original takes a byte: from h = 2166136261, for each
    code point c, h = ((h xor c) · 16777619) mod 2³². The bucket is (h xor ⌊h / 2¹⁶⌋) mod `buckets`. In JavaScript a
    step is `Math.imul(h ^ c, 16777619) >>> 0`. Source: Fowler, Noll, Vo, Eastlake & Hansen, RFC 9923.

    Args:
        codes: `(..., length)` int64, as `codes_of` gives them.
        widths: how many characters an n-gram has, each at most `length`.

    Returns:
        `(..., L)` int64 in 0 … `buckets`, with L = Σ (length - width + 1); `buckets` itself marks an n-gram that the
        filling is a part of, and that is none.

    >>> hashed_ngrams(codes_of(["ab"], 3), widths=(1, 2))  # a, b, filling, ab, filling
    tensor([[3360, 2793, 4096, 2287, 4096]])
    """
    return torch.cat([buckets_of(codes.unfold(-1, width, 1), buckets) for width in widths], dim=-1)


def buckets_of(windows: Tensor, buckets: int) -> Tensor:
    """Of windows `(..., width)` of code points."""
    found = torch.full_like(windows[..., 0], OFFSET)
    for code in windows.unbind(-1):
        found = ((found ^ code) * PRIME) & MASK
    folded = (found ^ (found >> 16)) % buckets
    return torch.where((windows == NOTHING).any(dim=-1), buckets, folded)


def ngram_vectors(codes: Tensor, widths: Sequence[int] = WIDTHS, buckets: int = BUCKETS) -> Tensor:
    """How often each bucket's n-grams come in a text, divided by the square root of how many n-grams the text has.

    Returns:
        `(N, buckets)` float32, a vector about as long for every text; zeros for an empty one.

    >>> ngram_vectors(codes_of(["abab"], 4), widths=(1,)).max()  # a comes twice, of four
    tensor(1.)
    """
    places = hashed_ngrams(codes, widths, buckets)
    counted = pad(torch.zeros(len(codes), buckets), (0, 1))
    counted.scatter_add_(1, places, torch.ones(places.shape))
    there = (places < buckets).sum(dim=1, keepdim=True)
    return counted[:, :-1] / there.clamp_min(1).sqrt()
