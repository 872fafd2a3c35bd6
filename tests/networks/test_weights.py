"""Weights from another network or from a file: what fits, what comes back, and what is refused in words."""

import hashlib

import pytest
import safetensors.torch
import torch
from damage import every_flip
from small import same_tensors
from torch import nn

from kdlearn import airbench, initialise_from, load_weights, perceptron, save_weights, set_weights, weights_hash
from kdlearn.networks.basic import seeded
from kdlearn.networks.weights import are_finite


def small(seed: int, widths=(6, 8, 10)) -> nn.Module:
    return seeded(lambda: airbench(widths), seed)


def test_the_layers_that_fit_come_from_the_teacher_and_the_others_stay(device):
    teacher, student = small(1, (6, 8, 12)), small(2).to(device)
    before = {name: tensor.clone() for name, tensor in student.state_dict().items()}
    copied = initialise_from(student, teacher.state_dict())
    norms = [f"{layer}.{name}" for layer in (2, 5) for name in ("weight", "bias", "running_mean", "running_var")]
    third = [f"2.{n}" for n in ["0.weight", *norms[:4], "4.weight", *norms[4:]]]
    assert copied == ["0.weight", "0.bias", *third, *(name.replace("2.", "3.", 1) for name in third)]
    for name, tensor in student.state_dict().items():
        expected = teacher.state_dict()[name].to(device) if name in copied else before[name]
        assert torch.equal(tensor, expected), name


def test_a_network_of_the_same_shape_is_copied_whole_in_another_precision():
    teacher, student = perceptron(4, 3, 2), perceptron(4, 3, 2)
    half = {name: tensor.half() for name, tensor in teacher.state_dict().items()}
    assert initialise_from(student, half) == ["1.weight", "1.bias", "3.weight", "3.bias"]
    assert torch.equal(student[1].weight, teacher[1].weight.half().float()) and student[1].weight.requires_grad


def test_weights_of_which_none_fits_are_refused():
    with pytest.raises(ValueError, match="of their 2 tensors none fits one of its 4"):
        initialise_from(perceptron(4, 3, 2), perceptron(5, 4).state_dict())
    with pytest.raises(ValueError, match="none fits"):  # the counters of batches alone would
        initialise_from(nn.BatchNorm2d(4), nn.BatchNorm2d(5).state_dict())


def test_what_was_saved_comes_back(tmp_path, device):
    model = small(1).to(device, memory_format=torch.channels_last)
    path = tmp_path / "student.safetensors"
    save_weights(path, other := small(2))
    save_weights(path, model, {"seed": "0"})
    assert [one.name for one in tmp_path.iterdir()] == ["student.safetensors"]
    weights = load_weights(path, {"seed": "0"})
    with pytest.raises(ValueError, match=f"{path} was decided by something else: seed was 0, is now 1"):
        load_weights(path, {"seed": "1"})
    assert weights_hash(other) != weights_hash(model)
    set_weights(other, weights)
    assert weights_hash(other) == weights_hash(model) != weights_hash(small(1).bfloat16())
    for name, tensor in model.state_dict().items():
        assert torch.equal(other.state_dict()[name], tensor.cpu()) and weights[name].dtype == tensor.dtype


def test_no_cut_or_flipped_bit_makes_our_file_pass_for_a_foreign_one(tmp_path):
    """Not even in what says that it is ours."""
    save_weights(path := tmp_path / "weights", nn.Linear(1, 1))
    whole = path.read_bytes()
    for content in [*every_flip(whole), *(whole[:length] for length in range(len(whole)))]:
        path.write_bytes(content)
        with pytest.raises(ValueError, match=f"{path} "):
            load_weights(path)


def test_plain_files_of_other_programs_are_taken_where_nothing_must_have_decided_them(tmp_path):
    weights = nn.Linear(3, 2).state_dict()
    for metadata in (None, {"format": "pt"}):
        safetensors.torch.save_file(weights, path := tmp_path / "foreign", metadata=metadata)
        assert same_tensors(load_weights(path), weights)
        with pytest.raises(ValueError, match=f"{path} does not carry the hash"):
            load_weights(path, "a run's key")


def test_weights_own_their_memory(tmp_path):
    """So that the file can be written anew while they are in use, on Windows too."""
    save_weights(path := tmp_path / "weights", model := nn.Linear(3, 2))
    weights = load_weights(path)
    path.write_bytes(b"")
    assert same_tensors(weights, model.state_dict())


def test_foreign_files_are_refused_and_nothing_is_unpickled(tmp_path):
    path = tmp_path / "foreign"
    torch.save({"weight": torch.zeros(3)}, path)
    header = b'{"a":{"dtype":"F4","shape":[2],"data_offsets":[0,1]}}'
    for content in (path.read_bytes(), b"not weights at all", len(header).to_bytes(8, "little") + header + b"0"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="foreign is not a whole safetensors file") as refusal:
            load_weights(path)
        assert "\n" not in str(refusal.value)
    with pytest.raises(FileNotFoundError):
        load_weights(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("widths", "words"),
    [
        ((5, 3, 2), r"1\.weight .* \(3, 4\) in the model, \(3, 5\) in weights"),
        ((4, 3), r"3\.weight .* \(2, 3\) in the model, not there in weights"),
        ((4, 3, 2, 2), r"5\.weight .* not there in the model, \(2, 2\) in weights"),
    ],
)
def test_weights_of_another_model_name_the_first_difference_and_change_nothing(widths, words):
    model = perceptron(4, 3, 2)
    before = weights_hash(model)
    with pytest.raises(ValueError, match=words):
        set_weights(model, perceptron(*widths).state_dict())
    assert weights_hash(model) == before


def test_the_hash_is_sha256_and_sees_names_types_shapes_and_values():
    model = nn.Linear(2, 1, bias=False)
    nn.init.constant_(model.weight, 1.0)
    one = bytes.fromhex("0000803f")  # 1.0, little-endian
    assert weights_hash(model) == hashlib.sha256(b"weight torch.float32 (1, 2)" + one + one).hexdigest()
    others = [nn.Linear(1, 2, bias=False), nn.Embedding(1, 2).double(), nn.Linear(2, 1), nn.PReLU(2)]
    for other in others:
        for parameter in other.parameters():
            nn.init.constant_(parameter, 1.0)
    assert len({weights_hash(model), *map(weights_hash, others)}) == 5
    nn.init.constant_(model.weight, -1.0)
    assert weights_hash(model) not in map(weights_hash, others)


@pytest.mark.parametrize("odd", [float("nan"), float("inf")])
def test_one_number_that_is_not_finite_is_found(odd):
    model = small(1)
    assert are_finite(model)
    with torch.no_grad():
        next(iter(model.parameters())).view(-1)[0] = odd
    assert not are_finite(model)
