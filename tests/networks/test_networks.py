"""Networks: shapes, counts by hand, and initialisations that depend on the seed alone."""

import numpy as np
import pytest
import torch
import torchvision
from torch import nn

from kdlearn import airbench, count_macs, count_parameters, perceptron, resnet18, small_convnet, weights_hash, whiten
from kdlearn.data.dataset import Dataset, Normalise, Split
from kdlearn.networks.airbench import whitened_airbench, whitening_filters, whitening_images
from kdlearn.networks.basic import seeded


@pytest.mark.parametrize("widths", [(64, 10), (64, 32, 10), (64, 5, 6, 7, 10)])
def test_perceptrons_of_any_depth(widths, device):
    model = perceptron(*widths).to(device)
    assert model(torch.zeros(3, 1, 8, 8, device=device)).shape == (3, 10)
    linear = [layer for layer in model if isinstance(layer, nn.Linear)]
    assert [layer.out_features for layer in linear] == list(widths[1:])
    assert sum(isinstance(layer, nn.ReLU) for layer in model) == len(widths) - 2
    assert not isinstance(model[-1], nn.ReLU)


def test_small_convnet(device):
    model = small_convnet(width=4, num_classes=7).to(device)
    assert model(torch.zeros(2, 1, 8, 8, device=device)).shape == (2, 7)
    convolutions, linear = 9 * 1 * 4 + 4 + 9 * 4 * 8 + 8, 128 * 8 + 8 + 8 * 7 + 7
    assert count_parameters(model) == convolutions + linear
    macs = 64 * 9 * 1 * 4 + 16 * 9 * 4 * 8 + 128 * 8 + 8 * 7
    assert count_macs(model.cpu(), torch.zeros(1, 8, 8)) == macs


def test_the_seed_fixes_the_initialisation_and_nothing_else():
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    one, same, other = (seeded(lambda: perceptron(4, 3), seed) for seed in (1, 1, 2))
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(one[1].weight, same[1].weight) and not torch.equal(one[1].weight, other[1].weight)


def correlated_images(*shape: int) -> torch.Tensor:
    """Smooth, coloured images of mean 0 and deviation 1, as photographs are."""
    noise = torch.randn(*shape).cumsum(2).cumsum(3) + torch.randn(*shape)
    images = noise + 2 * noise.flip(1)
    return (images - images.mean()) / images.std()


@pytest.mark.parametrize("widths", [(64, 256, 256), (24, 88, 88), (7, 5, 3)])
def test_airbench_has_the_parameters_counted_by_hand(widths):
    inputs = (24, *widths[:2])
    groups = sum(9 * out * (into + out) + 4 * out for into, out in zip(inputs, widths, strict=True))
    found = count_parameters(airbench(widths))
    assert found == 2 * 2 * 3 * 24 + 24 + groups + 10 * widths[2]
    assert widths[0] != 64 or round(found, -4) == 1_970_000, "as published"


def test_the_macs_of_airbench_by_hand():
    places, inputs, widths = (31**2, 15**2, 7**2, 3**2), (24, 7, 5), (7, 5, 3)
    macs = places[0] * 24 * 12 + 3 * 10
    for group, (into, out) in enumerate(zip(inputs, widths, strict=True)):
        macs += places[group] * 9 * into * out + places[group + 1] * 9 * out * out
    model = airbench(widths)
    before = weights_hash(model)
    assert count_macs(model, torch.randn(3, 32, 32)) == macs
    assert model.training and weights_hash(model) == before


def test_airbench_computes_what_the_paper_describes(device):
    """Against the layers written out one by one, in evaluation mode, after BatchNorm has seen images."""
    model, images = airbench((4, 5, 6)).to(device), torch.randn(9, 3, 32, 32, device=device)
    model(images)
    functional, weights, gelu = nn.functional, model.eval().state_dict(), nn.functional.gelu

    def norm(x, name):
        mean, variance, shift = (weights[f"{name}.{n}"].view(-1, 1, 1) for n in ("running_mean", "running_var", "bias"))
        return (x - mean) / (variance + 1e-12).sqrt() + shift

    x = gelu(functional.conv2d(images, weights["0.weight"], weights["0.bias"]))
    for group in (2, 3, 4):
        x = functional.max_pool2d(functional.conv2d(x, weights[f"{group}.0.weight"], padding=1), 2)
        x = functional.conv2d(gelu(norm(x, f"{group}.2")), weights[f"{group}.4.weight"], padding=1)
        x = gelu(norm(x, f"{group}.5"))
    logits = functional.max_pool2d(x, 3).flatten(1) @ weights["7.weight"].T / 9
    torch.testing.assert_close(model(images), logits, rtol=1e-4, atol=1e-5)


def test_the_running_mean_weighs_the_new_batch_by_four_tenths():
    norm = airbench((4, 4, 4))[2][2]
    images = torch.randn(8, 4, 3, 3) + 5
    norm(images)
    torch.testing.assert_close(norm.running_mean, 0.4 * images.mean((0, 2, 3)))


@pytest.mark.parametrize("size", [9, 28, 32, 64])
@pytest.mark.parametrize("channels", [1, 3])
def test_airbench_takes_images_of_many_sizes(size, channels, device):
    model = airbench((8, 9, 10), num_classes=4, channels=channels).to(device)
    assert model(torch.randn(3, channels, size, size, device=device)).shape == (3, 4)


def test_convolutions_start_as_the_identity():
    images = torch.randn(2, 24, 8, 8)
    torch.testing.assert_close(airbench((64, 8, 8))[2][0](images)[:, :24], images)
    narrower = airbench((8, 8, 8))[2][0]
    torch.testing.assert_close(narrower(images), images[:, :8])


@pytest.mark.parametrize("channels", [1, 3])
def test_whitened_patches_are_uncorrelated_with_variance_one(channels, device):
    images, model = correlated_images(300, channels, 28, 28), airbench((4, 4, 4), channels=channels).to(device)
    whiten(model, images.to(device), epsilon=0.0)
    nn.init.zeros_(model[0].bias)
    with torch.no_grad():
        outputs = model[0](images.to(device)).cpu().double().numpy().transpose(1, 0, 2, 3).reshape(8 * channels, -1)
    first, negative = np.split(outputs, 2)
    np.testing.assert_allclose(first @ first.T / first.shape[1], np.eye(4 * channels), atol=1e-3)
    np.testing.assert_allclose(negative, -first, atol=1e-5)


def test_epsilon_keeps_what_hardly_varies_small():
    """On grey images the colours' patches have no variance: 1 / √ε is the largest filter, and all is finite."""
    images, model = correlated_images(50, 1, 12, 12).expand(-1, 3, -1, -1), airbench((4, 4, 4))
    whiten(model, images)
    lengths = model[0].weight.flatten(1).norm(dim=1)
    torch.testing.assert_close(lengths.max(), torch.tensor(5e-4**-0.5), rtol=1e-3, atol=0)
    assert lengths[0] == lengths[:12].min()  # the largest variance comes first


@pytest.mark.parametrize("epsilon", [5e-4, 0.0])
@pytest.mark.parametrize("constant", [[1], [0, 2], [0, 1, 2]], ids=str)
def test_constant_channels_give_finite_filters(constant, epsilon):
    images, model = correlated_images(20, 3, 12, 12), airbench((4, 4, 4))
    images[:, constant] = 0.0
    whiten(model, images, epsilon)
    assert model[0].weight.isfinite().all() and model(images[:2].float()).isfinite().all()


def sorted_by_class(per_class: int = 3000) -> Dataset:
    """Bytes of three classes, one after the other as in a folder; each varies in a channel of its own alone."""
    pixels = torch.full((3 * per_class, 3, 9, 9), 128, dtype=torch.uint8)
    for label, part in enumerate(pixels.split(per_class)):
        part[:, label] = torch.randint(256, (per_class, 9, 9), dtype=torch.uint8)
    examples = Split(pixels, torch.arange(3).repeat_interleave(per_class))
    return Dataset(examples, examples.take(slice(0, 3)), normalise=Normalise((0.5,) * 3, (0.17,) * 3))


def test_a_data_set_sorted_by_class_is_whitened_on_all_classes():
    """Its first 5,000 images know nothing of the third class: their filters blow its channel up by 1 / √ε."""
    data, model = sorted_by_class(), airbench((4, 4, 4))
    images = whitening_images(data)
    assert images.shape == (5000, 3, 9, 9) and images.dtype == torch.float32
    varied = (images.amax((2, 3)) - images.amin((2, 3)) > 1).float().mean(0)
    torch.testing.assert_close(varied, torch.full((3,), 1 / 3), atol=0.03, rtol=0)
    for sample, is_white in ((images, True), (data.inputs("train")[:5000], False)):
        whiten(model, sample)
        nn.init.zeros_(model[0].bias)
        with torch.no_grad():
            variance = model[0](data.inputs("train"))[:, :12].square().mean((0, 2, 3))
        assert ((variance - 1).abs().max() < 0.05) == is_white


def test_the_sample_is_drawn_by_the_seed_without_repeats_and_is_all_there_is_if_it_must():
    data = sorted_by_class(20)
    one, same, other = (whitening_images(data, 30, seed) for seed in (1, 1, 2))
    assert torch.equal(one, same) and not torch.equal(one, other)
    assert len(one.flatten(1).unique(dim=0)) == 30
    everything = data.inputs("train").flatten(1).unique(dim=0)
    assert torch.equal(whitening_images(data).flatten(1).unique(dim=0), everything)
    with pytest.raises(ValueError, match="size must be at least 1; got 0"):
        whitening_images(data, 0)


def test_all_images_that_are_given_whiten(device):
    images = correlated_images(5100, 1, 9, 9)
    images[5000:] *= 30
    model = airbench((4, 4, 4), channels=1).to(device)
    whiten(model, images.to(device), epsilon=0.0)
    patches = nn.functional.unfold(images.double(), 2)
    moments = torch.einsum("npl,nql->pq", patches, patches) / (len(images) * patches.shape[2])
    filters = model[0].weight[:4].flatten(1).cpu().double()
    torch.testing.assert_close(filters @ moments @ filters.T, torch.eye(4).double(), atol=1e-4, rtol=0)


def test_whitening_does_not_depend_on_the_eigenvectors_signs(monkeypatch):
    images, (one, other) = correlated_images(50, 3, 12, 12), (airbench((4, 4, 4)) for _ in range(2))
    whiten(one, images)
    eigh = torch.linalg.eigh

    def flipped(matrix):
        values, vectors = eigh(matrix)
        return values, vectors * (-1.0) ** torch.arange(len(values))

    monkeypatch.setattr(torch.linalg, "eigh", flipped)
    whiten(other, images)
    assert torch.equal(one[0].weight, other[0].weight)


def test_a_network_built_with_filters_is_a_network_that_was_whitened():
    images, whitened = correlated_images(50, 3, 12, 12), airbench((4, 4, 4))
    whiten(whitened, images)
    built = whitened_airbench((4, 4, 4), 10, 3, whitening_filters(images))
    assert torch.equal(built[0].weight, whitened[0].weight) and not built[0].weight.requires_grad


def test_whitening_refuses_images_that_are_not_normalised_or_do_not_fit():
    shapes = (4, 1, 8, 8), (3, 8, 8), (0, 3, 8, 8)
    for images in (torch.zeros(4, 3, 8, 8, dtype=torch.uint8), *map(torch.zeros, shapes)):
        with pytest.raises(ValueError, match=r"images must be normalised.* \(N, 3, height, width\); got"):
            whiten(airbench((4, 4, 4)), images)


@pytest.mark.parametrize("widths", [(64, 256), (64, 256, 0)])
def test_airbench_refuses_other_widths(widths):
    with pytest.raises(ValueError, match="widths must be three positive numbers"):
        airbench(widths)


def test_no_gradient_reaches_what_is_frozen_and_training_leaves_it(device):
    model = airbench((6, 7, 8)).to(device, memory_format=torch.channels_last)
    images = correlated_images(16, 3, 32, 32).to(device, memory_format=torch.channels_last)
    whiten(model, images)
    frozen = {name: p.clone() for name, p in model.named_parameters() if not p.requires_grad}
    norms = [f"{group}.{norm}.weight" for group in (2, 3, 4) for norm in (2, 5)]
    assert list(frozen) == ["0.weight", *norms]
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1)
    with torch.autocast(device, torch.bfloat16):
        loss = nn.functional.cross_entropy(model(images), torch.arange(16, device=device) % 10)
    loss.backward()
    optimiser.step()
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == (name in frozen), name
        assert name not in frozen or torch.equal(parameter, frozen[name])
        assert parameter.grad is None or parameter.grad.isfinite().all()


@pytest.mark.parametrize("build", [lambda: airbench((6, 7, 8)), lambda: resnet18(width=4)])
def test_networks_are_one_graph_to_the_compiler_and_the_same_by_seed(build, device):
    one, same, other = (seeded(build, seed) for seed in (1, 1, 2))
    assert weights_hash(one) == weights_hash(same) != weights_hash(other)
    images = torch.randn(4, 3, 32, 32, device=device)
    compiled = torch.compile(one.to(device), backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(images), same.to(device)(images))


@pytest.mark.parametrize("width", [64, 12])
def test_resnet18_has_the_parameters_counted_by_hand(width):
    stem, linear = 9 * 3 * width + 2 * width, 8 * width * 10 + 10
    stages = 4 * (9 * width**2 + 2 * width)
    for into, out in ((width, 2 * width), (2 * width, 4 * width), (4 * width, 8 * width)):
        stages += 9 * into * out + 3 * 9 * out**2 + into * out + 5 * 2 * out
    assert count_parameters(resnet18(width)) == stem + stages + linear
    assert width != 64 or stem + stages + linear == 11_173_962  # as kuangliu/pytorch-cifar's


def test_resnet18_costs_what_is_published():
    assert count_macs(resnet18(), torch.zeros(3, 32, 32)) == pytest.approx(0.56e9, rel=0.01)
    assert resnet18(width=4, num_classes=7, channels=1)(torch.zeros(2, 1, 28, 28)).shape == (2, 7)


def test_counts_of_torchvisions_resnet18_are_those_that_torchvision_publishes():
    model, published = torchvision.models.resnet18(), torchvision.models.ResNet18_Weights.DEFAULT.meta
    assert count_parameters(model) == published["num_params"] == 11_689_512
    assert count_macs(model, torch.zeros(3, 224, 224)) / 1e9 == pytest.approx(published["_ops"], abs=0.001)
