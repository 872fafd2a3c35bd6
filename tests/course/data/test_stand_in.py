"""The stand-in for CIFAR-10."""

import torch

from kdcourse.data.stand_in import stand_in
from kdlearn import Views, load_digits


def test_the_stand_in_is_the_digits_large_and_says_so():
    found, digits = stand_in(), load_digits()
    assert found.name == "stand-in" and found.train.inputs.shape == (1200, 3, 32, 32)
    for (_, large), (_, small) in zip(found.splits(), digits.splits(), strict=True):
        assert large.inputs.dtype == torch.uint8 and torch.equal(large.labels, small.labels)
        shrunk = large.inputs[:, :, 2::4, 1::4].double()
        assert torch.equal(shrunk[:, 0], shrunk[:, 2])
        straight = torch.corrcoef(torch.stack([shrunk[:, 1].flatten(), small.inputs.flatten().double()]))[0, 1]
        assert straight > 0.9999
    plain = Views(pixels=0, flip=False).of(found)(0, torch.arange(1200))
    assert abs(plain.mean()) < 1e-4 and abs(plain.std() - 1) < 1e-3
