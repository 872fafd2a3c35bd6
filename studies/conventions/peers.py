"""Losses that other people have published, each as a function of logits that `examine` can be handed.

What a package itself computes is called wherever it can be had from PyPI. Of packages whose other requirements are old
or large, the one file that holds the loss is loaded, with the rest of the package left out (`lone`). What is not on
PyPI is a formula, written down from the cited source.
"""

import importlib.util
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F


@dataclass(frozen=True)
class Peer:
    """A published loss, given by `make()`. `distribution` is its name on PyPI; a formula has a `source` instead."""

    library: str
    call: str
    make: Callable[[], Callable[..., Any]]
    distribution: str = ""
    source: str = ""
    sequences: bool = False


def lone(distribution: str, path: str, **stubs: Mapping[str, Any]) -> ModuleType:
    """One file of an installed distribution, without its package; `stubs` give what it imports from there.

    A stub's name has `__` for the dots.
    """
    place = Path(str(metadata.distribution(distribution).locate_file(path)))
    name = path.removesuffix(".py").replace("/", ".")
    faked = {dotted.replace("__", "."): values for dotted, values in stubs.items()}
    parents = [dotted.rsplit(".", count)[0] for dotted in (name, *faked) for count in range(1, dotted.count(".") + 1)]
    modules = {one: package(one) for one in parents} | {one: package(one, values) for one, values in faked.items()}
    spec = importlib.util.spec_from_file_location(name, place)
    module = importlib.util.module_from_spec(spec)
    kept = {one: sys.modules.get(one) for one in modules}
    sys.modules.update(modules)
    try:
        spec.loader.exec_module(module)
    finally:
        for one, was in kept.items():
            sys.modules.pop(one) if was is None else sys.modules.update({one: was})
    return module


def package(name: str, values: Mapping[str, Any] | None = None) -> ModuleType:
    module = ModuleType(name)
    module.__path__ = []
    vars(module).update(values or {})
    return module


# Keras


def keras_default() -> Callable[..., Any]:
    from keras.distillation import LogitsDistillation

    def loss(student_logits, teacher_logits, temperature=3.0):
        return LogitsDistillation(temperature=temperature).compute_loss(teacher_logits, student_logits)

    return loss


def keras_with_object() -> Callable[..., Any]:
    import keras

    def loss(student_logits, teacher_logits, temperature=3.0):
        divergence = keras.losses.KLDivergence()
        distillation = keras.distillation.LogitsDistillation(temperature=temperature, loss=divergence)
        return distillation.compute_loss(teacher_logits, student_logits)

    return loss


def keras_cross_entropy() -> Callable[..., Any]:
    import keras

    def loss(student_logits, teacher_logits, temperature=4.0):
        entropy = keras.losses.CategoricalCrossentropy(from_logits=True)
        distillation = keras.distillation.LogitsDistillation(temperature=temperature, loss=entropy)
        return distillation.compute_loss(teacher_logits, student_logits)

    return loss


# torchdistill


def torchdistill_loss() -> Callable[..., Any]:
    from torchdistill.losses.mid_level import KDLoss

    def loss(student_logits, teacher_logits, labels, temperature=4.0, alpha=0.5):
        criterion = KDLoss("s", "output", "t", "output", temperature=temperature, alpha=alpha)
        return criterion({"s": {"output": student_logits}}, {"t": {"output": teacher_logits}}, labels)

    return loss


def torchdistill_without_labels() -> Callable[..., Any]:
    loss = torchdistill_loss()
    return lambda student_logits, teacher_logits, labels, temperature=4.0: loss(
        student_logits, teacher_logits, labels, temperature, alpha=0.0
    )


# timm


class Given(nn.Module):
    """A network that answers with logits given before."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits, self.num_classes, self.in_chans = logits, logits.shape[1], 3
        self.pretrained_cfg = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.logits


def timm_task(default: float = 1.0, **options: Any) -> Callable[[], Callable[..., Any]]:
    def make() -> Callable[..., Any]:
        from timm.task import LogitDistillationTask

        def loss(student_logits, teacher_logits, labels, temperature=default):
            student, teacher = Given(student_logits), Given(teacher_logits)
            settings = {**options, "temperature": temperature, "verbose": False, "criterion": nn.CrossEntropyLoss()}
            task = LogitDistillationTask(student, teacher, **settings)
            return task(torch.zeros(len(labels), 3, 1, 1), labels)["loss"]

        return loss

    return make


# TRL, sentence-transformers, torchtune


def trl_jsd() -> Callable[..., Any]:
    from trl.experimental.gkd import GKDTrainer

    return GKDTrainer.generalized_jsd_loss


def trl_jsd_without_labels() -> Callable[..., Any]:
    from trl.experimental.gkd import GKDTrainer

    def loss(student_logits, teacher_logits, beta=0.5, temperature=1.0):
        return GKDTrainer.generalized_jsd_loss(student_logits, teacher_logits, beta=beta, temperature=temperature)

    return loss


def sentence_transformers_kl() -> Callable[..., Any]:
    from sentence_transformers.losses import DistillKLDivLoss

    def loss(student_logits, teacher_logits, temperature=2.0):
        criterion = DistillKLDivLoss(nn.Identity(), similarity_fct=lambda one, other: other, temperature=temperature)
        return criterion.compute_loss_from_embeddings([student_logits[:, 0], *student_logits.T], teacher_logits)

    return loss


def torchtune_loss(name: str) -> Callable[[], Callable[..., Any]]:
    return lambda: getattr(lone("torchtune", "torchtune/modules/loss/kd_losses.py"), name)()


# Packages of which one file is loaded


def textbrewer_loss(name: str) -> Callable[[], Callable[..., Any]]:
    stubs = {"textbrewer__compatibility": {"mask_dtype": torch.bool}}
    return lambda: getattr(lone("textbrewer", "textbrewer/losses.py", **stubs), name)


def fasterai_soft_target() -> Callable[..., Any]:
    from fasterai.distill.losses import SoftTarget

    return lambda student_logits, teacher_logits, T=5: SoftTarget(student_logits, teacher_logits, T=T)


def fasterai_decoupled() -> Callable[..., Any]:
    from fasterai.distill.losses import DecoupledKD

    def loss(student_logits, teacher_logits, labels, T=4, alpha=1.0, beta=8.0):
        return DecoupledKD(student_logits, teacher_logits, T=T, alpha=alpha, beta=beta, target=labels)

    return loss


def modelopt_loss(**options: Any) -> Callable[[], Callable[..., Any]]:
    def make() -> Callable[..., Any]:
        kind = lone("nvidia-modelopt", "modelopt/torch/distill/losses.py").LogitsDistillationLoss

        def loss(student_logits, teacher_logits, temperature=1.0):
            return kind(temperature=temperature, **options)(student_logits, teacher_logits)

        return loss

    return make


def super_gradients_loss() -> Callable[..., Any]:
    common, nothing = "super_gradients__common__", lambda *_, **__: lambda one: one
    stubs = {
        common + "decorators__factory_decorator": {"resolve_param": nothing},
        common + "factories__losses_factory": {"LossesFactory": object},
        common + "object_names": {"Losses": SimpleNamespace(KD_LOSS="")},
        common + "registry__registry": {"register_loss": nothing},
    }
    module = lone("super-gradients", "super_gradients/training/losses/kd_losses.py", **stubs)
    criterion = module.KDLogitsLoss(nn.CrossEntropyLoss())

    def loss(student_logits, teacher_logits, labels):
        output = SimpleNamespace(student_output=student_logits, teacher_output=teacher_logits)
        return criterion(output, labels)[0]

    return loss


def open_clip_loss() -> Callable[..., Any]:
    return lone("open-clip-torch", "open_clip/loss.py").DistillClipLoss().dist_loss


def avalanche_loss() -> Callable[..., Any]:
    stubs = {
        "avalanche__models": {"MultiTaskModule": object, "avalanche_forward": None},
        "avalanche___annotations": {"deprecated": lambda *_: lambda one: one},
    }
    kind = lone("avalanche-lib", "avalanche/training/regularization.py", **stubs).LearningWithoutForgetting

    def loss(student_logits, teacher_logits, temperature=2.0):
        classes = range(student_logits.shape[1])
        return kind(temperature=temperature)._distillation_loss(student_logits, teacher_logits, classes)

    return loss


def kd_lib_loss(path: str, name: str, **settings: Any) -> Callable[[], Callable[..., Any]]:
    def make() -> Callable[..., Any]:
        stubs = {"KD_Lib__KD__common": {"BaseClass": object}, "torch__utils__tensorboard": {"SummaryWriter": None}}
        kind = getattr(lone("KD-Lib", f"KD_Lib/KD/vision/{path}", **stubs), name)

        def loss(student_logits, teacher_logits, labels, temperature=20.0, alpha=0.5):
            criterion = object.__new__(kind)
            told = {"temp": temperature, "distil_weight": alpha, "gen": 1, **settings}
            vars(criterion).update(told)
            return criterion.calculate_kd_loss(student_logits, teacher_logits, labels)

        return loss

    return make


def mmrazor_loss(path: str, name: str, **options: Any) -> Callable[[], Callable[..., Any]]:
    registry = SimpleNamespace(register_module=lambda: lambda one: one)
    stubs = {"mmrazor__registry": {"MODELS": registry}}

    def make() -> Callable[..., Any]:
        kind = getattr(lone("mmrazor", f"mmrazor/models/losses/{path}", **stubs), name)
        if name == "DKDLoss":
            return lambda student_logits, teacher_logits, labels, tau=1.0: kind(tau=tau, **options)(
                student_logits, teacher_logits, labels
            )
        return lambda student_logits, teacher_logits, tau=1.0: kind(tau=tau, **options)(student_logits, teacher_logits)

    return make


def neural_compressor_loss(kind: str) -> Callable[[], Callable[..., Any]]:
    def make() -> Callable[..., Any]:
        logger = SimpleNamespace(info=lambda *_: None, warning=lambda *_: None)
        stubs = {
            "neural_compressor__adaptor__pytorch": {"pytorch_forward_wrapper": None},
            "neural_compressor__utils": {"logger": logger},
            "neural_compressor__utils__utility": {
                "LazyImport": lambda name: torch if name == "torch" else None,
                "singleton": lambda one: one,
            },
        }
        path = "neural_compressor/compression/distillation/criterions.py"
        criterion = lone("neural-compressor", path, **stubs).PyTorchKnowledgeDistillationLoss

        def loss(student_logits, teacher_logits, labels, temperature=1.0):
            made = criterion(temperature=temperature, loss_types=["CE", kind], loss_weights=[0.5, 0.5])
            made.teacher_outputs = teacher_logits
            hard = made.student_targets_loss_cal(student_logits, labels)
            return made.loss_cal_sloss(student_logits, teacher_logits, hard)

        return loss

    return make


# Formulas


def soft(z, v, T, reduction="batchmean"):
    return F.kl_div((z / T).log_softmax(1), (v / T).softmax(1), reduction=reduction)


def pytorch_tutorial(student_logits, teacher_logits, labels, temperature=2.0):
    log_q, p = (student_logits / temperature).log_softmax(-1), (teacher_logits / temperature).softmax(-1)
    soft_loss = (p * (p.log() - log_q)).sum() / len(log_q) * temperature**2
    return 0.25 * soft_loss + 0.75 * F.cross_entropy(student_logits, labels)


def keras_example(student_logits, teacher_logits, labels, temperature=10.0, alpha=0.1):
    clipped = [(logits / temperature).softmax(1).clamp(1e-7, 1) for logits in (teacher_logits, student_logits)]
    soft_loss = (clipped[0] * (clipped[0] / clipped[1]).log()).sum(1).mean() * temperature**2
    return alpha * F.cross_entropy(student_logits, labels) + (1 - alpha) * soft_loss


def mdistiller_kd(student_logits, teacher_logits, labels, temperature=4.0):
    each = soft(student_logits, teacher_logits, temperature, "none").sum(1).mean()
    return 0.9 * temperature**2 * each + 0.1 * F.cross_entropy(student_logits, labels)


def mdistiller_dkd(student_logits, teacher_logits, labels, temperature=4.0, alpha=1.0, beta=8.0):
    z, v = student_logits / temperature, teacher_logits / temperature
    target = F.one_hot(labels, z.shape[1]).to(z)
    two_q, two_p = (
        torch.stack([(p * target).sum(1), (p * (1 - target)).sum(1)], 1) for p in (z.softmax(1), v.softmax(1))
    )
    tckd = F.kl_div(two_q.log(), two_p, reduction="sum") * temperature**2 / len(labels)
    log_q, p = (z - 1000 * target).log_softmax(1), (v - 1000 * target).softmax(1)
    nckd = F.kl_div(log_q, p, reduction="sum") * temperature**2 / len(labels)
    return alpha * tckd + beta * nckd


def deit(student_logits, teacher_logits, labels, tau=1.0, alpha=0.5):
    log_q, log_p = ((logits / tau).log_softmax(1) for logits in (student_logits, teacher_logits))
    total = F.kl_div(log_q, log_p, reduction="sum", log_target=True) * tau**2 / student_logits.numel()
    return (1 - alpha) * F.cross_entropy(student_logits, labels) + alpha * total


def labml(student_logits, teacher_logits, labels):
    log_q, p = (student_logits / 5).log_softmax(-1), (teacher_logits / 5).softmax(-1)
    return 80 * F.kl_div(log_q, p, reduction="mean") + 0.5 * F.cross_entropy(student_logits, labels)


def distillkit(student_logits, teacher_logits, labels, temperature=2.0, alpha=0.5, max_seq_length=3):
    log_q, p = (student_logits / temperature).log_softmax(-1), (teacher_logits / temperature).softmax(-1)
    soft_loss = F.kl_div(log_q, p, reduction="batchmean") * temperature**2 / max_seq_length
    return alpha * soft_loss + (1 - alpha) * F.cross_entropy(student_logits.flatten(0, 1), labels.flatten())


def haitongli(outputs, labels, teacher_outputs, T=4.0, alpha=0.9):
    return alpha * T**2 * soft(outputs, teacher_outputs, T, "mean") + (1 - alpha) * F.cross_entropy(outputs, labels)


TUTORIAL = "pytorch/tutorials, knowledge_distillation_tutorial.py"
PEERS = (
    Peer("Keras", "LogitsDistillation()", keras_default, "keras"),
    Peer("Keras", "LogitsDistillation(loss=KLDivergence())", keras_with_object, "keras"),
    Peer("Keras", "LogitsDistillation(4, CategoricalCrossentropy(from_logits=True))", keras_cross_entropy, "keras"),
    Peer("torchdistill", "KDLoss(temperature=4, alpha=0.5)", torchdistill_loss, "torchdistill"),
    Peer("torchdistill", "KDLoss(temperature=4, alpha=0)", torchdistill_without_labels, "torchdistill"),
    Peer("timm", "LogitDistillationTask()", timm_task(), "timm"),
    Peer(
        "timm",
        "LogitDistillationTask(task_loss_weight=0.3, temperature=4)",
        timm_task(4.0, task_loss_weight=0.3),
        "timm",
    ),
    Peer("TRL", "GKDTrainer.generalized_jsd_loss(…)", trl_jsd, "trl", sequences=True),
    Peer("TRL", "GKDTrainer.generalized_jsd_loss(…, labels=None)", trl_jsd_without_labels, "trl", sequences=True),
    Peer("sentence-transformers", "DistillKLDivLoss(temperature=2)", sentence_transformers_kl, "sentence-transformers"),
    Peer("torchtune", "ForwardKLLoss()", torchtune_loss("ForwardKLLoss"), "torchtune", sequences=True),
    Peer("torchtune", "ReverseKLLoss()", torchtune_loss("ReverseKLLoss"), "torchtune", sequences=True),
    Peer("torchtune", "SymmetricKLLoss()", torchtune_loss("SymmetricKLLoss"), "torchtune", sequences=True),
    Peer("TextBrewer", "kd_ce_loss", textbrewer_loss("kd_ce_loss"), "textbrewer"),
    Peer("TextBrewer", "kd_mse_loss", textbrewer_loss("kd_mse_loss"), "textbrewer"),
    Peer("fasterai", "SoftTarget", fasterai_soft_target, "fasterai"),
    Peer("fasterai", "DecoupledKD", fasterai_decoupled, "fasterai"),
    Peer("NVIDIA ModelOpt", "LogitsDistillationLoss()", modelopt_loss(), "nvidia-modelopt"),
    Peer(
        "NVIDIA ModelOpt",
        'LogitsDistillationLoss(reduction="batchmean")',
        modelopt_loss(reduction="batchmean"),
        "nvidia-modelopt",
    ),
    Peer("SuperGradients", "KDLogitsLoss(CrossEntropyLoss())", super_gradients_loss, "super-gradients"),
    Peer("OpenCLIP", "DistillClipLoss.dist_loss", open_clip_loss, "open-clip-torch"),
    Peer("Avalanche", "LearningWithoutForgetting(temperature=2)", avalanche_loss, "avalanche-lib"),
    Peer("KD_Lib", "VanillaKD", kd_lib_loss("vanilla/vanilla_kd.py", "VanillaKD", loss_fn=nn.MSELoss()), "KD-Lib"),
    Peer("KD_Lib", "BANN", kd_lib_loss("BANN/BANN.py", "BANN"), "KD-Lib"),
    Peer("KD_Lib", "RCO", kd_lib_loss("RCO/rco.py", "RCO", loss_fn=nn.KLDivLoss()), "KD-Lib"),
    Peer("MMRazor", "KLDivergence", mmrazor_loss("kl_divergence.py", "KLDivergence"), "mmrazor"),
    Peer("MMRazor", "DKDLoss", mmrazor_loss("decoupled_kd.py", "DKDLoss"), "mmrazor"),
    Peer("Neural Compressor", 'loss_types=["CE", "CE"]', neural_compressor_loss("CE"), "neural-compressor"),
    Peer("Neural Compressor", 'loss_types=["CE", "KL"]', neural_compressor_loss("KL"), "neural-compressor"),
    Peer("PyTorch's tutorial", "", lambda: pytorch_tutorial, source=TUTORIAL),
    Peer("Keras' example", "", lambda: keras_example, source="keras-team/keras-io, vision/knowledge_distillation.py"),
    Peer("mdistiller", "KD", lambda: mdistiller_kd, source="megvii-research/mdistiller, distillers/KD.py"),
    Peer(
        "mdistiller", "DKD", lambda: mdistiller_dkd, source="megvii-research/mdistiller at e8c5bb3, distillers/DKD.py"
    ),
    Peer("DeiT", "DistillationLoss", lambda: deit, source="facebookresearch/deit, losses.py"),
    Peer("labml.ai", "Distillation", lambda: labml, source="labmlai/annotated_deep_learning_paper_implementations"),
    Peer(
        "DistillKit", "", lambda: distillkit, source="arcee-ai/DistillKit at 09fbb0c, distil_logits.py", sequences=True
    ),
    Peer(
        "haitongli",
        "loss_fn_kd",
        lambda: haitongli,
        source="haitongli/knowledge-distillation-pytorch at 862fcd8, model/net.py",
    ),
)
