"""Networks by name, and the lengths of presets."""

import pytest
import torch

from kdcourse.data.stand_in import stand_in
from kdlearn import NesterovSGD
from kdlearn.commands.presets import PRESETS, TrainingSchedule, network_named
from kdlearn.networks.basic import seeded
from kdlearn.networks.costs import count_parameters


def test_lengths_show_the_images_so_many_times():
    assert TrainingSchedule(12, 500).num_updates(50_000) == 1200
    assert TrainingSchedule(2, 50).num_updates(180) == 7 and TrainingSchedule(1, 500).num_updates(3) == 1


def test_of_few_images_an_update_takes_fewer_at_a_rate_in_proportion():
    few, many = (TrainingSchedule(12, 500, NesterovSGD(0.8)).settings(rows) for rows in (140, 50_000))
    assert (few["batch_size"], few["lengths"], few["optimizer"].learning_rate) == (14, (120,), 0.8 * 14 / 500)
    assert (many["batch_size"], many["lengths"], many["optimizer"].learning_rate) == (500, (1200,), 0.8)
    assert TrainingSchedule(2, 50).settings(3)["batch_size"] == 1


@pytest.mark.parametrize("preset", PRESETS.values())
def test_students_are_smaller_and_their_views_come_again_no_later_than_they_end(preset):
    data = stand_in()
    teacher, student = (network_named(name, data)() for name in (preset.teacher, preset.student))
    assert count_parameters(student) < count_parameters(teacher)
    assert student.eval()(data.inputs("train", slice(0, 2))).shape == (2, 10)
    assert preset.period <= preset.student_schedule.num_epochs


def test_a_network_whitens_the_images_of_the_data():
    data = stand_in()
    network = seeded(network_named("airbench:4,4,4", data), 0)
    with torch.no_grad():
        outputs = network[0](data.inputs("train"))
    varying = (outputs - network[0].bias.view(-1, 1, 1)).square().mean(dim=(0, 2, 3))[:3]
    torch.testing.assert_close(varying, torch.ones(3), atol=0.01, rtol=0)


@pytest.mark.parametrize(
    "name", ["airbench", "airbench:1,2", "airbench:1,2,0", "resnet18:x", "vgg:3", "airbench:1,2,²"]
)
def test_other_names_are_refused(name):
    with pytest.raises(ValueError, match="a network is written"):
        network_named(name, stand_in())
