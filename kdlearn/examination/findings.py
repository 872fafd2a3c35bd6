"""What can be odd about a loss or a training: a stable name each, what it does, and how to mend it."""

from dataclasses import dataclass
from typing import NamedTuple


class Advice(NamedTuple):
    """`may_be_meant`: whether somebody may want it so; from values alone a choice and a slip look the same."""

    effect: str
    remedy: str
    may_be_meant: bool = False


@dataclass(frozen=True)
class Finding:
    """One oddity: a stable `name`, a `sentence` that says what was seen, and the figure that was `measured`."""

    name: str
    sentence: str
    measured: float

    @property
    def effect(self) -> str:
        """What it does to training."""
        return ADVICE[self.name].effect

    @property
    def remedy(self) -> str:
        """How to mend it."""
        return ADVICE[self.name].remedy

    @property
    def may_be_meant(self) -> bool:
        """Whether somebody may want it so."""
        return ADVICE[self.name].may_be_meant

    def __str__(self) -> str:
        return f"{self.name}: {self.sentence}\n  Effect: {self.effect}\n  Remedy: {self.remedy}"


OF_LOSSES = {
    "divided-by-classes": Advice(
        "Beside a hard loss, the soft weight is C times smaller than it says. Alone, it is a smaller learning rate.",
        'Sum over the classes, then take the mean over the rows: kl_div(..., reduction="batchmean").',
    ),
    "summed-over-batch": Advice(
        "The gradient grows with the batch size, so the best learning rate falls. A last, shorter batch counts less.",
        'Take the mean over the rows: reduction="batchmean", or divide by len(student_logits).',
        may_be_meant=True,
    ),
    "summed-over-time": Advice(
        "Long sequences get a larger gradient than short ones, and the best learning rate depends on the length.",
        "Divide by the number of labels that count: student_logits.flatten(0, 1), or .sum() / mask.sum().",
        may_be_meant=True,
    ),
    "temperature-squared-missing": Advice(
        "Beside a hard loss, the soft weight falls as 1 / T². Alone, it is a learning rate that falls with T.",
        "Multiply the soft loss, and nothing else, by temperature**2.",
    ),
    "temperature-squared-twice": Advice(
        "The soft loss outweighs the hard one by T² more than its weight says, and the updates grow with T.",
        "Multiply by temperature**2 in one place; look for a second one in the caller.",
    ),
    "temperature-squared-on-hard-loss": Advice(
        "The hard loss is T² times larger than its weight says, so the balance is that of a soft loss without T².",
        "Multiply the soft loss alone by temperature**2.",
    ),
    "temperature-ignored": Advice(
        "The setting does nothing: a search over temperatures compares seeds.",
        "Divide both logits by the argument: softmax(logits / temperature).",
    ),
    "temperature-on-hard-loss": Advice(
        "The softened hard loss asks for logits T times as far apart, which makes the student overconfident at T = 1.",
        "Compute cross-entropy from the student's logits as they are.",
    ),
    "softened-on-one-side": Advice(
        "Teacher and student are compared at different temperatures: a student equal to the teacher is still moved.",
        "Divide both logits by the same temperature.",
    ),
    "reversed-divergence": Advice(
        "KL(student ‖ teacher) lets the student leave out classes that the teacher finds possible.",
        "If it is not meant: kl_div takes the student's log-probabilities first, the teacher's probabilities second.",
        may_be_meant=True,
    ),
    "teacher-gets-gradient": Advice(
        "A teacher that is not frozen is trained towards the student; a frozen one costs memory for nothing.",
        "Compute the teacher's logits under torch.no_grad(), or detach them in the loss.",
        may_be_meant=True,
    ),
    "no-softmax": Advice(
        "Logits are no probabilities: the loss has no minimum at the teacher, and may fall without limit.",
        "Take log_softmax of the student's logits and softmax of the teacher's, each divided by the temperature.",
    ),
    "no-logarithm": Advice(
        "The minimum puts all probability on the teacher's arg max: the student learns hard labels, slowly.",
        "kl_div wants log-probabilities first: log_softmax in place of softmax for the student.",
    ),
    "softmax-twice": Advice(
        "The softmax of probabilities is almost uniform, so differences between classes almost vanish.",
        "Hand over logits, or take the softmax once.",
    ),
    "softmax-over-batch": Advice(
        "Each class is compared over the images of the batch; what an image shows is not learned.",
        "Take the softmax over the last dimension: dim=-1.",
    ),
    "logarithms-as-targets": Advice(
        "Log-probabilities are negative: they weigh the classes the wrong way round, and the value is NaN in kl_div.",
        "Use probabilities as the target, or log_target=True.",
    ),
    "log-target-of-probabilities": Advice(
        "The targets become exp(p), between 1 and 2.7: almost the same for every class, and their sum is not 1.",
        "Leave log_target out, or hand over log_softmax of the teacher's logits.",
    ),
    "squared-error-of-probabilities": Advice(
        "Where the student is sure, right or wrong, its gradient is almost zero. This is not Hinton's loss.",
        "Use KL of softened probabilities (soft_label_loss), or the squared distance of logits (logit_matching_loss).",
        may_be_meant=True,
    ),
    "rows-mixed": Advice(
        "The student learns for one image what the teacher said about another.",
        "Find what permutes rows on one side alone: a shuffled cache, flip, randperm, or two loaders.",
    ),
    "rows-coupled": Advice(
        "The loss of a batch is not the mean of the losses of its rows: results depend on the batch size.",
        "If no relation between rows is meant, look for a softmax, mean or broadcast over the first dimension.",
        may_be_meant=True,
    ),
    "random": Advice(
        "Two calls on the same logits differ, so rows or elements are drawn inside the loss.",
        "Draw outside, where the seed of a run decides it.",
        may_be_meant=True,
    ),
    "no-teacher": Advice(
        "The student learns from the labels alone, whatever the teacher says.",
        "Look for a weight of 0, or for the student's logits where the teacher's belong.",
        may_be_meant=True,
    ),
    "moved-at-teacher": Advice(
        "Its minimum is not at the teacher: a student that answers as the teacher does is still changed.",
        "If only the teacher's answers are meant to be learned, use a divergence, such as KL.",
        may_be_meant=True,
    ),
    "changes-its-inputs": Advice(
        "Whoever uses these tensors after the loss computes with other numbers: cached answers change every epoch.",
        "Write z = z / T in place of z /= T, and no method that ends in an underscore.",
    ),
    "keeps-state": Advice(
        "The loss depends on how often it was called, so its weights differ from step to step.",
        "Examine it with the state held: a function of the logits with the counter as an argument.",
        may_be_meant=True,
    ),
    "no-gradient": Advice(
        "The student learns nothing from it.",
        "Look for detach(), no_grad(), argmax or .item() on the student's side.",
    ),
    "nonzero-at-teacher": Advice(
        "Only the value differs, by the teacher's entropy; the gradient is that of KL. The curve cannot reach 0.",
        "Read KL for how far the student still is; nothing has to be mended for training.",
        may_be_meant=True,
    ),
    "pushes-away": Advice(
        "The student moves away from the teacher.",
        "Look for a sign: kl_div(log_q, p) is Σ p (log p - log q), and a sum of p log q needs a minus.",
    ),
    "jumps-at-an-end": Advice(
        "A weight of exactly 0 or 1 is another loss than one close to it, so a sweep does not compare like with like.",
        "Compare the gradient's size before you compare weights, or keep off the end.",
    ),
    "padding-counted": Advice(
        "Padding dilutes or distorts the loss, the more, the shorter the sequences.",
        "Take the mean over what counts alone: (values * mask).sum() / mask.sum().",
    ),
    "mask-inverted": Advice(
        "What should count is left out.",
        "The mask means the opposite of what its name says here; hand over ~mask.",
        may_be_meant=True,
    ),
    "not-finite": Advice(
        "One confident row turns all weights into NaN.",
        "Compute from log_softmax, never from the logarithm of a softmax; use 0 log 0 = 0; compute half precision in "
        "float32.",
    ),
    "inexact-in-half-precision": Advice(
        "Under autocast the loss is rounded so much that small differences to the teacher are lost.",
        "Call .float() on both logits first.",
    ),
}

OF_TRAINING = {
    "teacher-in-training-mode": Advice(
        "Its dropout and batch statistics are on: it says something else about the same image at each step.",
        "teacher.eval(), once before the loop and again after anything that calls train() on a module around it.",
    ),
    "teacher-changes": Advice(
        "The student follows a moving target, and what the teacher was measured at no longer holds.",
        "Freeze it: teacher.eval().requires_grad_(False), torch.no_grad(), and no weight of it in the optimiser.",
    ),
    "student-in-eval-mode": Advice(
        "Dropout is off and batch statistics stay as they were, which is not what is trained elsewhere.",
        "student.train() before each epoch: an evaluation may have left it in eval().",
    ),
    "student-unchanged": Advice(
        "Nothing is learned.",
        "Look for an optimiser of another network's weights, a missing backward() or step(), or a rate of 0.",
    ),
    "other-views": Advice(
        "The teacher answers about another picture than the one the student sees.",
        "Augment once and give both the same tensor; store answers together with their views.",
        may_be_meant=True,
    ),
    "soft-loss-negligible": Advice(
        "The student learns from the labels almost alone: a larger soft weight changes next to nothing.",
        "Check the reduction and T² with examine(loss), then tune the weight on validation data.",
    ),
    "teacher-not-better": Advice(
        "Its labels carry the student's own errors; softness may still help, accuracy will rarely.",
        "Measure both on data that neither was trained on; train the teacher longer, or take another one.",
        may_be_meant=True,
    ),
    "teacher-too-sure": Advice(
        "Its soft labels are hard labels: what it finds alike has no weight.",
        "Raise the temperature, or train the teacher for fewer steps.",
    ),
    "teacher-almost-even": Advice(
        "Its soft labels say almost the same for every class.",
        "Lower the temperature; if it is 1, check that logits and not probabilities go in.",
    ),
    "still-falling": Advice(
        "The comparison ends before either arm does: the order may change.",
        "Train all arms longer, until doubling adds less than half a point.",
        may_be_meant=True,
    ),
    "other-first-weights": Advice(
        "Part of the difference is the start's, and the pairing that makes intervals narrow is lost.",
        "Build both from the same seed: kdlearn.seeded(build, seed).",
    ),
}

ADVICE = OF_LOSSES | OF_TRAINING
