"""Each case of the clinic is what it says: the instruments name it, and only it, where there is something to name."""

import pytest
import torch

import kdlearn
from kdcourse import clinic

IN_THE_LOSS = {letter for letter, case in clinic.CASES.items() if case.loss is not clinic.right}


def report(case):
    patient = clinic.Patient(case)
    batch = next(patient.batches())
    step = {"train_step": patient.step, "temperature": clinic.T}
    return kdlearn.examine_training(patient.student, patient.teacher, [batch], **step)


def test_a_right_training_has_nothing_odd():
    assert kdlearn.examine(clinic.right).findings == () and report(clinic.RIGHT).findings == ()


@pytest.mark.parametrize("letter", clinic.CASES)
def test_a_case_is_named_by_one_of_the_two_instruments(letter):
    case = clinic.CASES[letter]
    in_loss, in_training = kdlearn.examine(case.loss).names, report(case).names
    own = [name for name in in_loss if name != "teacher-gets-gradient" and name != "not-finite"]
    assert own == ([case.finding] if letter in IN_THE_LOSS else [])
    if letter not in IN_THE_LOSS:
        assert in_training == () if case.finding is None else case.finding in in_training


def test_what_no_instrument_names_is_read_from_the_numbers():
    silent = {letter: case for letter, case in clinic.CASES.items() if case.finding is None}
    assert set(silent) == {"C", "H"}
    assert silent["C"].images > clinic.FEW and silent["H"].updates < silent["H"].baseline_updates


def test_student_and_baseline_begin_alike_and_a_curve_comes_again():
    first, second = (clinic.Patient(clinic.RIGHT).curve(20) for _ in range(2))
    assert first == second and first[0] == [0, 20]
    assert first[1][0] == clinic.baseline_curve(clinic.FEW, 20, 0)[1][0]


def test_the_teacher_does_not_depend_on_what_was_drawn_before():
    one = clinic.taught(0)
    clinic.taught.cache_clear()
    torch.rand(1)
    again = clinic.taught(0)
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in one.state_dict().items())


def test_a_chart_leaves_the_random_numbers_alone():
    before = torch.get_rng_state()
    chart = clinic.chart(clinic.Case("short", updates=5, baseline_updates=5))
    assert torch.equal(before, torch.get_rng_state())
    assert chart.gain == chart.numbers["student"] - chart.numbers["baseline"]
