"""The figures' JavaScript maths against kdlearn and torch's autograd, in float64, on drawn cases of every size."""

import pytest
import torch
from figures_in_page import node

import kdlearn
from kdcourse import theory

SCRIPT = """
const { softmax, logSoftmax, hardLabel, entropy, effectiveClasses, hardLabelLoss, hardLabelGradient } = P;
const { klDivergence, softLabelLoss, softLabelGradient, distillationLoss, distillationGradient } = P;
return given.map(([z, v, y, T, w]) => {
  const answer = {
    softmax: softmax(v, T), logSoftmax: logSoftmax(v, T), hardLabel: hardLabel(v),
    entropy: entropy(softmax(v, T)), effectiveClasses: effectiveClasses(softmax(v, T)),
    hardLabelLoss: hardLabelLoss(z, y), hardLabelGradient: hardLabelGradient(z, y),
    softLabelLoss: softLabelLoss(z, v, T), distillationLoss: distillationLoss(z, v, y, T, w),
  };
  for (const direction of ["forward", "reverse"]) {
    answer[`kl ${direction}`] = klDivergence(z, v, T, direction);
    for (const timesSquare of [true, false]) {
      const options = { direction, timesSquare }, name = `${direction} ${timesSquare}`;
      answer[`soft ${name}`] = softLabelLoss(z, v, T, options);
      answer[`soft gradient ${name}`] = softLabelGradient(z, v, T, options);
      answer[`combined ${name}`] = distillationLoss(z, v, y, T, w, options);
      answer[`combined gradient ${name}`] = distillationGradient(z, v, y, T, w, options);
    }
  }
  return answer;
});"""


def drawn_cases(count: int = 1200) -> list[tuple]:
    """Student, teacher, label, temperature, soft weight: logits up to ±0.1 … ±10⁴, 2 to 12 classes, T 0.01 … 100."""
    cases = []
    for index in range(count):
        classes, size = 2 + index % 11, (0.1, 1.0, 10.0, 1e4)[index // 12 % 4]
        student, teacher = (2 * size * torch.rand(2, classes, dtype=torch.float64) - size).tolist()
        temperature = 100.0 if index == 0 else 0.01 if index == 1 else 10 ** (4 * torch.rand(()).item() - 2)
        cases.append((student, teacher, index * 7 % classes, temperature, torch.rand(()).item()))
    return cases


def answers_of_torch(student: list, teacher: list, label: int, temperature: float, soft_weight: float) -> dict:
    z = torch.tensor([student], dtype=torch.float64, requires_grad=True)
    v, y = torch.tensor([teacher], dtype=torch.float64), torch.tensor([label])
    p = kdlearn.soft_labels(v, temperature)
    hard = kdlearn.hard_label_loss(z, y)
    answers = {
        "softmax": p[0],
        "logSoftmax": torch.log_softmax(v / temperature, dim=-1)[0],
        "hardLabel": kdlearn.hard_labels(v)[0],
        "entropy": kdlearn.entropy(p)[0],
        "effectiveClasses": theory.effective_classes(v, temperature)[0],
        "hardLabelLoss": hard,
        "hardLabelGradient": gradient(hard, z),
        "softLabelLoss": kdlearn.soft_label_loss(z, v, temperature),
        "distillationLoss": kdlearn.distillation_loss(z, v, y, temperature=temperature, soft_weight=soft_weight),
    }
    log_q, log_p = (torch.log_softmax(logits / temperature, dim=-1) for logits in (z, v))
    kl = {"forward": kdlearn.kl_divergence(z, v, temperature)[0], "reverse": (log_q.exp() * (log_q - log_p)).sum()}
    for direction, divergence in kl.items():
        answers[f"kl {direction}"] = divergence
        for square, factor in (("true", temperature**2), ("false", 1.0)):
            soft = factor * divergence
            combined = soft_weight * soft + (1 - soft_weight) * hard
            answers[f"soft {direction} {square}"] = soft
            answers[f"soft gradient {direction} {square}"] = gradient(soft, z)
            answers[f"combined {direction} {square}"] = combined
            answers[f"combined gradient {direction} {square}"] = gradient(combined, z)
    return {name: value.tolist() for name, value in answers.items()}


def gradient(loss: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    return torch.autograd.grad(loss, logits, retain_graph=True)[0][0]


def test_maths_in_javascript_equals_kdlearn_and_autograd():
    cases = drawn_cases()
    for case, answers in zip(cases, node(SCRIPT, cases, "maths"), strict=True):
        expected = answers_of_torch(*case)
        assert answers.keys() == expected.keys()
        for name, value in expected.items():
            assert answers[name] == pytest.approx(value, rel=1e-9, abs=1e-9), f"{name} of {case}"
