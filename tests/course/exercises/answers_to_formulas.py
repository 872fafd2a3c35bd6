"""Right answers to exercises that ask for a formula, each found in another way than the check finds it."""

import math
from collections.abc import Callable
from itertools import count

import numpy as np
import pandas as pd
import torch
from scipy import stats
from scipy.optimize import brentq
from scipy.special import expit, logsumexp, rel_entr, softmax
from sklearn.metrics import average_precision_score
from torch import Tensor
from torch.nn import functional as F

HARD, SOFT = "teacher's hard labels", "soft labels"


def gradient(loss: Callable[[Tensor], Tensor], z: Tensor) -> Tensor:
    z = z.clone().requires_grad_()
    return torch.autograd.grad(loss(z), z)[0]


def kl(z: Tensor, v: Tensor, reduction: str = "sum") -> Tensor:
    return F.kl_div(z.log_softmax(1), v.softmax(1), reduction=reduction)


def overlapping_and_shown(ours: np.ndarray, base: np.ndarray) -> tuple[int, int]:
    own, other, difference = (
        stats.ttest_1samp(values, 0, axis=1).confidence_interval(0.95) for values in (ours, base, ours - base)
    )
    overlap = (own.low <= other.high) & (other.low <= own.high)
    return overlap.sum(), (overlap & (difference.low > 0)).sum()


def smoothed_entropy(smoothing: float, classes: int) -> float:
    return stats.entropy([1 - smoothing + smoothing / classes] + [smoothing / classes] * (classes - 1))


def smallest_eigenvalue_above_0(z: Tensor) -> Tensor:
    q = z.softmax(1)
    return torch.linalg.eigvalsh(torch.diag_embed(q) - q[:, :, None] * q[:, None, :])[:, 1]


def trusting(z: Tensor, v: Tensor, y: Tensor, T: float) -> Tensor:
    trust = F.one_hot(y, v.shape[1]).mul(v.softmax(1)).sum(1)
    return trust * T**2 * kl(z / T, v / T, "none").sum(1) + (1 - trust) * F.cross_entropy(z, y, reduction="none")


def mean_entropy(logits: np.ndarray, temperature: float) -> float:
    return stats.entropy(softmax(logits.astype(float) / temperature, axis=-1), axis=-1).mean()


def own_temperatures(logits: Tensor, target: float) -> list[float]:
    return [brentq(lambda T, row=row: mean_entropy(row, T) - target, 0.01, 1000) for row in logits.numpy()]


def factor_of_entropy(logits: Tensor, wanted: float, T: float) -> float:
    return brentq(lambda factor: mean_entropy(factor * logits.numpy(), T) - wanted, 1e-3, 1e3)


def regret(gains: np.ndarray, pilot: int) -> float:
    table = pd.DataFrame(gains)
    later = table.iloc[:, pilot:].mean(axis=1)
    return later.max() - later[table.iloc[:, :pilot].mean(axis=1).idxmax()]


def balancing_weight(logits: Tensor, T: float) -> float:
    """By the lengths of the gradients of T² · CE and of the hard loss on class 0, at logits of 0."""
    z = torch.zeros(1, len(logits), dtype=torch.float64)
    soft = gradient(lambda z: T**2 * F.cross_entropy(z / T, (logits / T).softmax(0)[None]), z).norm()
    hard = gradient(lambda z: F.cross_entropy(z, torch.tensor([0])), z).norm()
    return float(hard / (soft + hard))


def winner_and_optimism(choose: np.ndarray, read: np.ndarray) -> tuple[int, float, float]:
    before, after = pd.DataFrame(choose).mean(), pd.DataFrame(read).mean()
    best = before.idxmax()
    return best, after[best], before[best] - after[best]


def fewest_replicates(spread: float, wanted: float) -> int:
    return next(n for n in count(2) if stats.t.interval(0.95, n - 1, scale=spread / math.sqrt(n))[1] < wanted)


def overconfidence(bins: list[dict[str, float]]) -> float:
    table = pd.DataFrame(bins)
    return 100 * np.average(table["confidence"] - table["accuracy"], weights=table["images"])


def loss_of_mean_prediction(logits: Tensor, labels: Tensor) -> Tensor:
    mean = logits.log_softmax(1).logsumexp(0) - math.log(len(labels))
    return -sum(mean[label] for label in labels)


def gap_of_arms(table: pd.DataFrame) -> float:
    means = table.pivot_table(index="replicate", columns="strategy", values="gap")
    return 100 * (means[HARD] - means[SOFT]).mean()


def softened(student: Tensor, probabilities: Tensor) -> Tensor:
    p = probabilities.sqrt() / probabilities.sqrt().sum(1, keepdim=True)
    return 4 * F.kl_div((student / 2).log_softmax(1), p, reduction="batchmean")


def contrastive(images: int, classes: int, T: float) -> Tensor:
    rows = torch.eye(classes).double().repeat(images // classes, 1)
    return F.cross_entropy(rows @ rows.T / T, torch.arange(images))


def alignment_by_kernels(a: Tensor, b: Tensor) -> float:
    one, other = ((rows - rows.mean(0)) @ (rows - rows.mean(0)).T for rows in (a.double(), b.double()))
    return float(1 - (one * other).sum() / one.norm() / other.norm())


def yes_or_no_when_hot(z: Tensor, v: Tensor, T: float = 1e4) -> np.ndarray:
    p, q = (expit(one.numpy() / T) for one in (v, z))
    return T**2 * (rel_entr(p, q) + rel_entr(1 - p, 1 - q))


def without_kept_classes(p: Tensor, q: Tensor, kept: Tensor) -> np.ndarray:
    """The whole divergence less that inside the kept classes."""
    own, other = (one[:, kept].numpy() for one in (p, q))
    shares = own.sum(1, keepdims=True)
    inside = rel_entr(own / shares, other / other.sum(1, keepdims=True)).sum(1)
    return rel_entr(p.numpy(), q.numpy()).sum(1) - shares[:, 0] * inside


def put_together(p: Tensor, targets: Tensor, classes: int) -> Tensor:
    kept = p @ F.one_hot(targets + 1, classes + 1)[:, 1:].double()
    return kept / kept.sum(1, keepdim=True)


def known_and_rest(logprobs: Tensor, classes: Tensor, num_classes: int) -> np.ndarray:
    known = logprobs.exp().numpy()
    p = np.repeat((1 - known.sum(1, keepdims=True)) / (num_classes - known.shape[1]), num_classes, axis=1)
    np.put_along_axis(p, classes.numpy(), known, axis=1)
    return np.log(p)


def of_groups(logits: Tensor, groups: list[list[int]]) -> np.ndarray:
    values = np.stack([logsumexp(logits.numpy()[:, group], axis=1) for group in groups], axis=1)
    return np.log(softmax(values, axis=1))


def top_k_and_tail(p: Tensor, q: Tensor, k: int) -> float:
    order = np.argsort(-p.numpy())[:k]
    known, learned = p.numpy()[order], q.numpy()[order]
    return float(rel_entr(known, learned).sum() + rel_entr(1 - known.sum(), 1 - learned.sum()))


RIGHT = {
    "00.1": lambda label: label.sort().values[:9].sum(),
    "00.2": lambda logits, labels: sum(row.argmax() != label for row, label in zip(logits, labels, strict=True)),
    "00.4": lambda images, numbers, size: images * numbers / 1000 * size / 1e6,
    "00b.1": overlapping_and_shown,
    "00b.3": lambda level: math.floor(math.log2(2 / level)) + 1,
    "00b.4": lambda width, n: math.hypot(width, width * math.sqrt(n)),
    "01.1": lambda p, z: gradient(lambda z: kl(z, p.log()), z),
    "01.2": lambda z, v: F.kl_div(z.log_softmax(1), v.log_softmax(1), reduction="none", log_target=True).sum(1),
    "01.3": smoothed_entropy,
    "01.4": lambda p_y, p_m: 1 - (p_m - p_y) / (1 + p_m - p_y),
    "01.5": lambda labels: stats.entropy(torch.bincount(labels).numpy(), base=2),
    "01b.2": lambda drawn, biased, bias: drawn / bias**2 - biased / bias**2,
    "01b.4": lambda p, smoothing: p * (1 - smoothing / 2) + (1 - p) * smoothing / 2,
    "02.1": math.log,  # to the base of what is wanted
    "02.5": lambda factor, T: math.exp(math.log(factor) + math.log(T)),
    "03.1": lambda z, v, S, T: gradient(lambda z: kl(z / T, v / S), z),
    "03.2": lambda z, v, T: gradient(lambda z: T**2 * kl(z / T, v / T), z)[:, 0],
    "03.3": lambda v, T: torch.distributions.Categorical(logits=v / T).entropy(),
    "03.4": lambda w, C: 1 / (1 + C * (1 / w - 1)),
    "03b.1": smallest_eigenvalue_above_0,
    "03b.2": lambda v, y, T: ((v / T).softmax(1) * (1 - F.one_hot(y, v.shape[1]))).sum(1),
    "03b.3": lambda z, v, T: gradient(lambda z: kl(z / T, v / T) + kl(v / T, z / T), z),
    "03b.4": lambda w, T: (1 - T / (w + T), (T + w) / T),
    "04.1": lambda w, C: 1 / (1 + C * (1 / w - 1)),
    "04.5": lambda factor: torch.tensor(factor).rsqrt(),
    "05.2": lambda classes: torch.tensor(classes - 1) / classes,
    "05.3": trusting,
    "05.4": own_temperatures,
    "05.5": lambda n, b, t, s: 3 * n * b / (t / s - 1),
    "05b.1": lambda accuracy, agreement, t: agreement / (1 - t) - accuracy / (1 - t),
    "05b.2": factor_of_entropy,
    "05b.4": regret,
    "05b.5": lambda error, spread, M: (error - spread) + spread / M,
    "06.1": balancing_weight,
    "06.3": winner_and_optimism,
    "06.4": lambda rate, c: rate / c / c,
    "07.1": fewest_replicates,
    "07.3": overconfidence,
    "07.4": lambda student, share, alone: math.floor(share / (2 * alone - student)) + 1,
    "08.1": lambda N, C: math.log(C**N),
    "08.2": loss_of_mean_prediction,
    "08.4": gap_of_arms,
    "08.5": lambda n, C: sum(one.numel() for one in torch.nn.Linear(n, C).parameters()),
    "09.1": lambda w, T: 1 / (1 + T * T * (1 - w) / w),
    "09.2": lambda student, teacher: 16 * kl(student / 4, teacher / 4, "batchmean"),
    "09.4": softened,
    "10.1": lambda hint, attention, places: torch.tensor([hint * 2, attention / places]),
    "10.2": contrastive,
    "10.4": alignment_by_kernels,
    "10.5": lambda points: (pd.DataFrame(points).idxmax() == pd.DataFrame(points).mean(axis=1).idxmax()).mean(),
    "10b.1": yes_or_no_when_hot,
    "10b.2": without_kept_classes,
    "10b.4": put_together,
    "10b.5": lambda scores, answers: average_precision_score(answers, scores),
    "11.1": lambda n, known, T: T + (n - known) * (T - 1) / (known - 1),
    "11.3": known_and_rest,
    "11.4": of_groups,
    "11.5": lambda n, buckets: np.mean([1 - (1 - 1 / buckets) ** before for before in range(n)]),
    "11b.1": lambda values, mask: values[mask.bool()].mean(),
    "11b.2": lambda p, noise: sum(float(a * b) for i, a in enumerate(p) for j, b in enumerate(p) if i != j) / noise,
    "11b.4": top_k_and_tail,
    "11b.5": lambda n, t, c: n / (c / t),
}
