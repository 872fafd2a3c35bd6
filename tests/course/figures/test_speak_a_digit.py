"""Speak a digit: spectrogram, word and logits against PyTorch; a file and a microphone in Chromium; nothing leaves."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import CHROMIUM, FLAGS, looked_at, require, serve
from figures_in_page import node, numbers, state, words
from jupyterlab_in_browser import wait_until
from safetensors.torch import load_file
from scipy.io import wavfile

import kdcourse
import kdlearn
from kdcourse.data.spoken import SAMPLES, read_wave, write_wave
from kdcourse.figures import SpeakADigit
from kdcourse.figures.speak_a_digit import record

RECORDINGS = Path(os.environ.get("KDLEARN_DATA", "data")) / "recordings"
TIME = torch.arange(16000, dtype=torch.float64) / 8000
NOISE = torch.randn(16000, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
SIGNALS = {
    "noise": NOISE[:SAMPLES] / NOISE[:SAMPLES].abs().max(),
    "a rising tone": torch.sin(2 * torch.pi * (200 + 1800 * TIME[:SAMPLES]) * TIME[:SAMPLES]),
    "a click in silence": torch.eye(SAMPLES, dtype=torch.float64)[4000],
    "faint noise": 1e-3 * NOISE[:SAMPLES],
}


def in_node(script: str, given: object) -> object:
    return node(script, given, module="speak_a_digit")


@pytest.fixture
def plan(script_of):
    return script_of("speak_a_digit/plan")


@pytest.fixture
def recordings() -> Path:
    require((RECORDINGS / "0_theo_0.wav").exists(), "KDLEARN_DATA must name a folder with the spoken digits")
    return RECORDINGS


# ---- what is computed


@pytest.mark.parametrize("name", SIGNALS)
def test_the_spectrogram_is_torchs(name):
    samples = SIGNALS[name]
    found = torch.tensor(in_node("return P.logMel(given);", samples.tolist()), dtype=torch.float64).view(32, 64)
    torch.testing.assert_close(found, kdcourse.log_mel(samples[None])[0], rtol=0, atol=1e-9)
    in_float32 = kdcourse.log_mel(samples[None].float())[0].double()  # as the networks were taught
    torch.testing.assert_close(found, in_float32, rtol=0, atol=2e-3)


def burst(start: int, length: int, noise: float = 0.01) -> torch.Tensor:
    """Two seconds in which a tone swells and fades."""
    sound = noise * NOISE
    sound[start : start + length] += torch.hann_window(length, dtype=torch.float64) * torch.sin(4000 * TIME[:length])
    return sound


@pytest.mark.parametrize(
    "sound", [burst(0, 3000), burst(5000, 4000), burst(12000, 4000), burst(3000, 12000), burst(5000, 4000, 0)]
)
def test_the_word_in_a_longer_sound_is_that_of_the_plan(plan, sound):
    found = torch.tensor(in_node("return [...P.wordOf(Float32Array.from(given))];", sound.tolist()))
    torch.testing.assert_close(found, plan.word_of(sound.float()), rtol=0, atol=1e-6)
    assert found.abs().max() == 1 and len(found) == SAMPLES
    assert in_node("return [...P.wordOf(given)];", [0.0, 0.25, -0.5]) == [0, 0.5, -1, *[0] * (SAMPLES - 3)]


@pytest.mark.parametrize("start", [1000, 4000, 9000])
def test_a_word_is_found_wherever_it_is_said(plan, start):
    swell = plan.word_of(burst(start, 4000)).square()
    centre = float((swell * torch.arange(SAMPLES)).sum() / swell.sum())
    assert 2000 <= centre <= 3500  # of 4,000 samples, and up to six frames before them


@pytest.mark.parametrize("length", [100, 16000])
@pytest.mark.parametrize(("peak", "refused"), [(0.0, True), (0.0045, True), (0.0055, False)])
def test_a_quiet_sound_is_refused(length, peak, refused):
    script = "try { P.wordOf(Float32Array.from(given)); return ''; } catch ({ message }) { return message; }"
    sound = NOISE[:length] * peak / NOISE[:length].abs().max()
    assert in_node(script, sound.tolist()) == ("it is too quiet" if refused else "")


def test_the_quietest_recording_that_was_learned_is_loud_enough(recordings):
    peaks = [float(np.abs(wavfile.read(path)[1].astype(float)).max()) / 2**15 for path in recordings.glob("*.wav")]
    assert len(peaks) == 3000 and min(peaks) == pytest.approx(0.0105, abs=5e-5)


def test_the_logits_are_pytorchs_with_the_same_int8_weights(plan):
    held = load_file(plan.WEIGHTS)
    student, (mean, deviation) = plan.student_of(held), held["standard"].double()
    assert kdlearn.count_parameters(student) == 4666
    figures = [SpeakADigit(sound=place) for place in range(len(SpeakADigit().names))]
    drawn = [kdcourse.log_mel(samples[None])[0].numpy() for samples in SIGNALS.values()]
    spectrograms = torch.tensor(np.stack([figure.spectrogram for figure in figures] + drawn))
    with torch.no_grad():
        expected = student((spectrograms.unsqueeze(1) - mean) / deviation).numpy()
    given = [figures[0].weights, spectrograms.flatten(1).tolist()]
    found = in_node("const hear = P.listener(given[0]); return given[1].map((one) => hear(one));", given)
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
    for figure, logits in zip(figures, expected, strict=False):
        np.testing.assert_allclose(figure.logits, logits, rtol=1e-6, atol=1e-9)


def test_the_examples_are_read_as_they_were_written(plan):
    figures = [SpeakADigit(sound=place) for place in range(len(SpeakADigit().names))]
    found = in_node("return P.examplesOf(given);", figures[0].examples)
    for seen, figure in zip(found, figures, strict=True):
        assert seen["spectrogram"] == pytest.approx(figure.spectrogram.ravel().tolist(), abs=1e-12)
        assert seen["taught"] == figure.teacher_logits.tolist()


def test_the_examples_are_of_the_kinds_that_the_plan_tells():
    figures = [SpeakADigit(sound=place) for place in range(6)]
    digits = [int(figure.names[place].split()[2]) for place, figure in enumerate(figures)]
    heard = [np.argsort(-figure.logits) for figure in figures]
    taught = [np.argsort(-figure.teacher_logits) for figure in figures]
    assert len(set(digits)) == 6 and [order[0] for order in taught] == digits
    assert [int(order[0]) for order in heard[:4]] == digits[:4]
    assert all(order[0] != digit for order, digit in zip(heard[4:], digits[4:], strict=True))
    for place in range(3):
        assert heard[place][1] == taught[place][1]
        assert figures[place].soft_label[heard[place][1]] == pytest.approx(0.35, abs=0.05)
    assert figures[3].soft_label.max() > 0.999


def test_a_copy_is_another_speed_and_later_and_noisy(plan):
    pulses = torch.zeros(50, SAMPLES)
    pulses[:, 3990:4010] = torch.hann_window(20)
    copies = plan.heard(pulses, 0)
    places = copies.argmax(dim=1)
    assert (copies.abs().amax(dim=1) == 1).all() and len(places.unique()) > 40
    assert places.min() >= 4000 / 1.25 - 20 and places.max() <= 4000 / 0.8 + 1620
    assert (copies[:, :2000].std(dim=1) > 5e-5).all() and not torch.equal(copies, plan.heard(pulses, 1))


# ---- what is told


def test_its_files_are_small_and_say_what_they_are(plan):
    held, examples = load_file(plan.WEIGHTS), load_file(plan.EXAMPLES)
    assert plan.WEIGHTS.stat().st_size <= 10_000
    assert all(one.dtype == torch.int8 for name, one in held.items() if name.endswith("weight"))
    assert record() == json.loads(plan.RECORD.read_text())
    assert examples["spectrograms"].dtype == torch.uint8 and plan.EXAMPLES.stat().st_size <= 4_000 * 6
    assert "CC BY-SA 4.0" in SpeakADigit().notes[-1] and b"CC BY-SA 4.0" in plan.EXAMPLES.read_bytes()


def test_what_is_told_of_the_student_and_the_examples_is_measured(plan, recordings, monkeypatch):
    monkeypatch.setenv("KDLEARN_DATA", str(recordings.parent))
    held, examples = load_file(plan.WEIGHTS), load_file(plan.EXAMPLES)
    names, test = plan.recordings()["test"]
    found = plan.accuracies(plan.student_of(held), test, held["standard"])
    assert found == pytest.approx(record()["student"], abs=0.21)
    assert f"{record()['student']['as recorded']:.1f} %" in SpeakADigit().notes[1]
    assert len(names) == record()["recordings"] == 500
    for place, told in enumerate(SpeakADigit().names):
        digit, index = told.removeprefix("theo says ").removesuffix(")").split(" (recording ")
        row = names.index(f"{digit}_theo_{index}.wav")
        figure = SpeakADigit(sound=place)
        expected = kdcourse.log_mel(test.inputs[row : row + 1])[0]
        step = float(examples["levels"][1])
        torch.testing.assert_close(torch.tensor(figure.spectrogram), expected.double(), rtol=0, atol=0.51 * step)


def test_its_words_say_what_is_seen():
    figure = SpeakADigit(temperature=4.0)
    first, second = np.argsort(-figure.soft_label)[:2]
    assert f"{figure.soft_label[first]:.0%} to {first} and {figure.soft_label[second]:.0%} to {second}" in figure.alt
    assert figure.names[0] in figure.alt and f"label of its teacher is {figure.teacher_logits.argmax()}" in figure.alt
    expected = kdlearn.soft_labels(torch.tensor(figure.logits)[None], temperature=4.0)[0]
    np.testing.assert_allclose(figure.soft_label, expected, rtol=1e-12)
    assert str(second) in figure.guess["options"] and figure.guess["reply"].startswith(f"{second} is second")


# ---- in a browser


def spoken_file(folder: Path) -> Path:
    """A recording of the data set, or where it is missing a rising tone that fades."""
    path = RECORDINGS / "7_theo_3.wav"
    if not path.exists():
        path = folder / "rising tone.wav"
        write_wave(path, (SIGNALS["a rising tone"] * torch.linspace(1, 0, SAMPLES))[:6000])
    return path


@pytest.fixture
def page(live):
    return live(SpeakADigit())


def own_name(page) -> str:
    return (state(page, "own") or {"name": ""})["name"]


def open_sound(page, path: Path) -> None:
    page.locator("input[type=file]").set_input_files(path)
    wait_until(lambda: own_name(page) == path.name)


def test_a_file_is_heard_as_pytorch_hears_it(page, plan, tmp_path):
    path, held = spoken_file(tmp_path), load_file(plan.WEIGHTS)
    open_sound(page, path)
    assert page.locator("select").evaluate("node => node.selectedOptions[0].textContent") == path.name
    samples, own = read_wave(path), state(page, "own")
    expected = kdcourse.log_mel(samples[None])[0]
    np.testing.assert_allclose(np.reshape(own["spectrogram"], (32, 64)), expected, atol=2e-3)
    logits = plan.logits_of(plan.student_of(held), samples[None], held["standard"])[0]
    assert own["logits"] == pytest.approx(logits.tolist(), abs=2e-3)
    students, teachers = (page.locator(f".digit > span:nth-child({place})") for place in (3, 4))
    for temperature in (1, 4):
        page.get_by_role("button", name=f"T = {temperature}", exact=True).click()
        soft = kdlearn.soft_labels(logits[None], temperature)[0]
        assert numbers(students) == pytest.approx((100 * soft).tolist(), abs=0.6)
    assert set(teachers.all_inner_texts()) == {"–"}
    page.evaluate("location.hash = '#figure=speak-a-digit&sound=1'")
    wait_until(lambda: state(page, "own") is None)
    assert state(page, "sound") == 1 and "–" not in teachers.all_inner_texts()


def test_of_two_channels_the_mean_is_heard(page, plan, tmp_path):
    """One is silent in the first half, the other in the second."""
    channels = SIGNALS["a rising tone"][:6000].repeat(2, 1) * torch.tensor([[0.4], [0.8]])
    channels[0, :3000], channels[1, 3000:] = 0, 0
    path, held = tmp_path / "stereo.wav", load_file(plan.WEIGHTS)
    wavfile.write(path, 8000, (32767 * channels.T).round().numpy().astype("<i2"))
    open_sound(page, path)
    mean = torch.nn.functional.pad(channels.mean(dim=0), (0, SAMPLES - 6000)).float()
    logits = plan.logits_of(plan.student_of(held), mean[None] / mean.abs().max(), held["standard"])[0]
    assert state(page, "own")["logits"] == pytest.approx(logits.tolist(), abs=1e-2)


def is_coloured(page) -> bool:
    pixels = 'node => [...node.getContext("2d").getImageData(0, 0, 64, 32).data]'
    return any(page.locator("canvas").evaluate(pixels))


def test_where_no_digit_is_heard_nothing_is_answered(page, tmp_path):
    (tmp_path / "letter.txt").write_text("seven")
    write_wave(tmp_path / "silent.wav", 0.003 * NOISE.clamp(-1, 1))
    for name, why in {"letter.txt": "Unable to decode audio data", "silent.wav": "it is too quiet"}.items():
        assert is_coloured(page)
        open_sound(page, tmp_path / name)
        assert page.locator(".answer p").first.inner_text() == f"No digit is heard: {why}."
        assert set(page.locator(".digit > span").all_inner_texts()) == {"–"} and not is_coloured(page)
        assert page.locator(".bars svg").evaluate_all("bars => bars.every((bar) => bar.style.width === '0%')")
        page.locator("select").select_option("0")  # what was heard before is there again
        assert "The student hears" in page.locator(".answer p").first.inner_text()


def test_what_the_student_hears_is_told_and_that_it_answers_a_tone_too(page):
    page.locator("select").select_option("2")
    page.get_by_role("button", name="T = 20").click()
    figure = SpeakADigit(sound=2, temperature=20.0)
    first, second = np.argsort(-figure.soft_label)[:2]
    assert f"The student hears {first}. Its soft label at T = 20:" in words(page)
    assert f", then {figure.soft_label[second]:.0%} for {second}." in words(page).replace(" %", "%")
    assert page.get_by_role("img", name=f"Log-mel spectrogram: {figure.names[2]}").is_visible()
    assert "answers one of ten digits whatever it hears, a tone or a cough too" in words(page)


NOTED = """globalThis.asked = [];
const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
navigator.mediaDevices.getUserMedia = async (what) => {
  asked.push([what, null]);
  asked.at(-1)[1] = await ask(what);
  return asked.at(-1)[1];
};"""


@pytest.fixture
def with_microphone(browser, tmp_path) -> Iterator:
    """Another Chromium, whose microphone hears a file; the address of a page with the figure."""
    heard = ["--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={spoken_file(tmp_path)}"]
    other = browser.browser_type.launch(executable_path=CHROMIUM, args=[*FLAGS, *heard])
    SpeakADigit().save(tmp_path / "figure.html")
    with serve(tmp_path) as address:
        yield other, address
    other.close()


def test_the_microphone_is_asked_for_by_a_click_and_let_go_and_nothing_leaves(with_microphone):
    other, address = with_microphone
    context = other.new_context(permissions=["microphone"])
    context.add_init_script(NOTED)
    page, errors, strangers = looked_at(context, f"{address}figure.html", f"{address}figure.html")
    assert page.evaluate("asked") == []
    page.get_by_role("button", name="Record two seconds").click()
    wait_until(lambda: own_name(page) == "Your voice")
    tracks = "asked.map(([what, stream]) => [what, stream.getTracks().map((track) => track.readyState)])"
    assert page.evaluate(tracks) == [[{"audio": True}, ["ended"]]]
    assert page.locator("select").evaluate("node => node.selectedOptions[0].textContent") == "Your voice"
    heard = np.reshape(state(page, "own")["spectrogram"], (32, 64))
    assert heard.shape == (32, 64) and np.ptp(heard) > 3
    assert "own" not in page.evaluate("location.hash") and errors == strangers == []
    context.close()


def test_without_a_microphone_it_is_said(with_microphone):
    other, address = with_microphone
    page = other.new_page()
    page.goto(f"{address}figure.html")
    page.get_by_role("button", name="Record two seconds").click()
    wait_until(lambda: own_name(page) == "Your voice")
    assert page.locator(".answer p").first.inner_text().startswith("No digit is heard: ")
    assert page.get_by_role("button", name="Record two seconds").is_enabled()
    page.close()
