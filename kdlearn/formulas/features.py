"""Losses on features: what a layer of the student says of a row, or of the relations of rows, against the teacher's.

With a the student's features and b the teacher's, a row an example, N rows of a batch, D numbers a row::

    hint_loss                     ‖a - b‖² / (2 D)                        the same number of features: project first
    attention_transfer_loss       ‖A(a) - A(b)‖²                          A: where a map is large, see attention_maps
    relational_distance_loss      mean over j ≠ i of h(d_ij of a, of b)   d_ij = ‖x_i - x_j‖ / its mean over all pairs
    relational_angle_loss         mean over j ≠ k of h(cos of a, of b)    cos of the angle at i between j and k
    similarity_preserving_loss    Σ_j (G_ij of a - of b)² / N             G: products of rows, its rows of length 1
    contrastive_loss              -log softmax_j(a_i · b_j / T) at j = i  rows of length 1

where h is Huber's function of the difference: half its square up to 1, its size less 1/2 beyond. Features are floating
point, `(N, …)`, N alike on both sides. The relational losses and the similarity-preserving one compare rows with rows
of the same side, so both sides may have another width; the others need equal ones.

`reduction="mean"` gives a scalar, `"none"` one value a row, `(N,)`, whose mean that is. The teacher's features receive
no gradient. Half precision is computed, and losses returned, in float32. What a loss cannot take is a TypeError or
ValueError that names the argument, what was expected and what came.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

from kdlearn.formulas.arguments import check_temperature, check_tensor
from kdlearn.formulas.labels import full_precision
from kdlearn.formulas.preparation import Reduction, reduced


def hint_loss(student_features: Tensor, teacher_features: Tensor, *, reduction: Reduction = "mean") -> Tensor:
    """‖a - b‖² / (2 D) of each row: the student's layer is to say what the teacher's says, number by number.

    Source: Romero et al. 2015 (FitNets, arXiv 1412.6550), their loss of hint training, divided by the number of
    features D, so that a weight means the same for a wide layer. Their student's features are projected to the
    teacher's width first.

    Returns:
        A scalar for features `(N, …)` of one shape; one value a row, `(N,)`, for `reduction="none"`.

    >>> hint_loss(torch.zeros(1, 4), torch.ones(1, 4))
    tensor(0.5000)
    """
    student, teacher = rows_of(student_features, teacher_features, same_width=True)
    return reduced((student - teacher).square().mean(dim=-1) / 2, reduction, None)


def attention_maps(features: Tensor) -> Tensor:
    """Where a layer is active: the mean over channels of its squares, as a vector of length 1.

    Source: Zagoruyko & Komodakis 2017 (arXiv 1612.03928), their F²_sum. A map of zeros stays one.

    Returns:
        `(N, places)` for features `(N, channels, places …)`; float32 for half precision.

    >>> attention_maps(torch.tensor([[[3.0, 0.0], [0.0, 3.0]]]))  # both places are as active
    tensor([[0.7071, 0.7071]])
    """
    check_features("features", features, least_dimensions=3)
    return unit(full_precision(features).square().mean(dim=1).flatten(1))


def attention_transfer_loss(
    student_features: Tensor, teacher_features: Tensor, *, reduction: Reduction = "mean"
) -> Tensor:
    """‖A(a) - A(b)‖² of each row: the student is to be active where the teacher is, in whatever channels.

    Source: Zagoruyko & Komodakis 2017 (arXiv 1612.03928), activation-based, of one pair of layers; the distance is
    squared, as in public code, so that it has a slope at 0.

    Returns:
        A scalar for features `(N, channels, places …)` of the same places; `(N,)` for `reduction="none"`.

    >>> one_place, other = torch.tensor([[[1.0, 0.0]]]), torch.tensor([[[0.0, 5.0], [0.0, 2.0]]])
    >>> attention_transfer_loss(one_place, other)  # nothing in common
    tensor(2.)
    """
    check_rows_alike(student_features, teacher_features)
    student, teacher = attention_maps(student_features), attention_maps(teacher_features.detach())
    if student.shape != teacher.shape:
        sides = " and ".join(str(tuple(one.shape[2:])) for one in (student_features, teacher_features))
        raise ValueError(
            f"student_features and teacher_features must have the same places; got {sides}. Name layers whose maps "
            "have one size, or pool the larger: torch.nn.functional.adaptive_avg_pool2d"
        )
    return reduced((student - teacher).square().sum(dim=-1), reduction, None)


def relational_distance_loss(
    student_features: Tensor, teacher_features: Tensor, *, reduction: Reduction = "mean"
) -> Tensor:
    """Rows that the teacher holds far apart are to lie far apart for the student, each side in its own unit.

    The unit is the mean distance of two rows of the batch. It is part of the student's gradient.
    Source: Park et al. 2019 (arXiv 1904.05068), section 3.2.1.

    Returns:
        A scalar for features `(N, …)`, N at least 2; for `reduction="none"` each row's mean over its partners, `(N,)`.

    >>> rows = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])
    >>> bool(relational_distance_loss(rows, 10 * rows + 7) < 1e-9)  # neither scale nor place matters
    True
    """
    student, teacher = rows_of(student_features, teacher_features, least_rows=2)
    gaps = F.smooth_l1_loss(relative_distances(student), relative_distances(teacher), reduction="none")
    return reduced(gaps.sum(dim=-1) / (len(student) - 1), reduction, None)


def relational_angle_loss(
    student_features: Tensor, teacher_features: Tensor, *, reduction: Reduction = "mean"
) -> Tensor:
    """The angle at which a row sees two others is to be the teacher's: a relation of three rows.

    Time and memory grow with N³. Source: Park et al. 2019 (arXiv 1904.05068), section 3.2.2.

    Returns:
        A scalar for features `(N, …)`, N at least 3; for `reduction="none"` each row's mean over the pairs that it
        sees, `(N,)`.

    >>> rows = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> bool(relational_angle_loss(rows, 5 * rows.flip(1)) < 1e-9)  # nor does a reflection
    True
    """
    student, teacher = rows_of(student_features, teacher_features, least_rows=3)
    gaps = F.smooth_l1_loss(cosines(student), cosines(teacher), reduction="none")
    return reduced(gaps.sum(dim=(1, 2)) / ((len(student) - 1) * (len(student) - 2)), reduction, None)


def similarity_preserving_loss(
    student_features: Tensor, teacher_features: Tensor, *, reduction: Reduction = "mean"
) -> Tensor:
    """Σ_j (G_ij of the student - of the teacher)² / N: rows that are alike for the teacher are to be for the student.

    G holds the products of all pairs of rows, each row of it divided by its length. Of features that are nowhere
    negative a row's loss is at most 2 / N, so that a larger batch wants a larger weight.
    Source: Tung & Mori 2019 (arXiv 1907.09682); the mean over rows is their ‖·‖² / N².

    Returns:
        A scalar for features `(N, …)`; one value a row, `(N,)`, for `reduction="none"`.

    >>> rows = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    >>> similarity_preserving_loss(rows, torch.ones(2, 3))  # alike for the teacher, unlike for the student
    tensor(0.2929)
    """
    student, teacher = rows_of(student_features, teacher_features)
    gaps = unit(product(student, student.T)) - unit(product(teacher, teacher.T))
    return reduced(gaps.square().mean(dim=-1), reduction, None)


def contrastive_loss(
    student_features: Tensor,
    teacher_features: Tensor,
    temperature: float | Tensor = 0.1,
    *,
    reduction: Reduction = "mean",
) -> Tensor:
    """Each row of the student is to be nearer to the teacher's same row than to its other rows of the batch.

    -log softmax of a_i · b_j / T over j, at j = i, of rows of length 1: at most 2 / T + log N.
    Source: van den Oord et al. 2018 (InfoNCE, arXiv 1807.03748), equation 4; between a student and a teacher Tian et
    al. 2020 (arXiv 1910.10699), who take many more negatives from a memory. Here they are the rows of the batch.

    Returns:
        A scalar for features `(N, …)` of one shape, N at least 2; one value a row, `(N,)`, for `reduction="none"`.

    >>> rows = torch.eye(3)
    >>> contrastive_loss(rows, rows, temperature=1.0)  # log(e + 2) - 1
    tensor(0.5514)
    """
    check_temperature(temperature)
    student, teacher = rows_of(student_features, teacher_features, least_rows=2, same_width=True)
    similarities = product(unit(student), unit(teacher).T) / temperature
    return reduced(-similarities.log_softmax(dim=-1).diagonal(), reduction, None)


def product(left: Tensor, right: Tensor) -> Tensor:
    """left @ right, in full precision under autocast too."""
    with torch.autocast(left.device.type, enabled=False):
        return left @ right


def unit(rows: Tensor) -> Tensor:
    """Rows of length 1; a row of zeros, which has no direction, stays one and has no gradient."""
    squared = rows.square().sum(dim=-1, keepdim=True)
    return rows / torch.where(squared > 0, squared, 1).sqrt()


def relative_distances(rows: Tensor) -> Tensor:
    """`(N, N)`: of each pair, in units of the mean over all pairs of two rows. At 0 the slope is 0."""
    squared = (rows.unsqueeze(0) - rows.unsqueeze(1)).square().sum(dim=-1)
    distances = torch.where(squared > 0, torch.where(squared > 0, squared, 1).sqrt(), 0)
    mean = distances.sum() / (len(rows) * (len(rows) - 1))
    return distances / torch.where(mean > 0, mean, 1)


def cosines(rows: Tensor) -> Tensor:
    """`(N, N, N)`: at row i between rows j and k; alike on both sides, and so without a part, where two coincide."""
    towards = unit(rows.unsqueeze(0) - rows.unsqueeze(1))
    different = ~torch.eye(len(rows), dtype=torch.bool, device=rows.device)
    return torch.where(different, product(towards, towards.transpose(1, 2)), 0)


def rows_of(
    student_features: Tensor, teacher_features: Tensor, *, least_rows: int = 1, same_width: bool = False
) -> tuple[Tensor, Tensor]:
    """Both as `(N, D)` in one precision, checked, the teacher's without a gradient."""
    check_rows_alike(student_features, teacher_features, least_rows)
    if same_width and student_features.shape != teacher_features.shape:
        raise ValueError(
            "student_features and teacher_features must have the same shape; got "
            f"{tuple(student_features.shape)} and {tuple(teacher_features.shape)}. A projection that is trained along "
            "makes them alike"
        )
    student, teacher = (full_precision(one).flatten(1) for one in (student_features, teacher_features.detach()))
    dtype = torch.promote_types(student.dtype, teacher.dtype)
    return student.to(dtype), teacher.to(dtype)


def check_rows_alike(student_features: Tensor, teacher_features: Tensor, least_rows: int = 1) -> None:
    check_features("student_features", student_features)
    check_features("teacher_features", teacher_features)
    sizes = len(student_features), len(teacher_features)
    if sizes[0] != sizes[1]:
        raise ValueError(
            f"student_features and teacher_features must be of the same rows; got {sizes[0]} and {sizes[1]}"
        )
    if sizes[0] < least_rows:
        raise ValueError(f"features must hold at least {least_rows} rows, which are compared; got {sizes[0]}")


def check_features(name: str, features: Tensor, least_dimensions: int = 2) -> None:
    """Refuse what is no floating tensor with a row an example, or has no places where those are asked for."""
    check_tensor(name, features)
    if not features.is_floating_point():
        raise TypeError(f"{name} must be floating point; got {features.dtype}. {name}.float() converts it")
    if features.ndim < least_dimensions or 0 in features.shape:
        expected = "(N, …)" if least_dimensions == 2 else "(N, channels, places …)"
        raise ValueError(f"{name} must have shape {expected}, none of them 0; got {tuple(features.shape)}")
