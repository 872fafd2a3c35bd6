"""Sound as pictures, against a Fourier transform by hand and SciPy's; recordings made here, split by speaker."""

import cmath
import math
import wave

import pytest
import torch

from kdcourse import load_spoken_digits, log_mel
from kdcourse.data.sound import mel_filters
from kdcourse.data.spoken import read_wave, write_wave

NOISE = torch.randn(2, 300, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def mel(frequency: float) -> float:
    return 2595 * math.log10(1 + frequency / 700)


def band_by_hand(wave_: list[float], band: int, window: int, bands: int, rate: int) -> float:
    """The power in one band of one frame, with every sum written out."""
    hann = [0.5 - 0.5 * math.cos(2 * math.pi * n / window) for n in range(window)]
    corners = [700 * (10 ** (mel(rate / 2) * at / (bands + 1) / 2595) - 1) for at in (band, band + 1, band + 2)]
    total = 0.0
    for k in range(window // 2 + 1):
        terms = (hann[n] * wave_[n] * cmath.exp(-2j * math.pi * k * n / window) for n in range(window))
        power = abs(sum(terms)) ** 2 / window
        frequency = k * rate / window
        rising = (frequency - corners[0]) / (corners[1] - corners[0])
        falling = (corners[2] - frequency) / (corners[2] - corners[1])
        total += max(0.0, min(rising, falling)) * power
    return total


def test_log_mel_by_a_transform_written_out():
    found = log_mel(NOISE, window=64, hop=40, bands=6, floor=1e-3)
    assert found.shape == (2, 6, 1 + (300 - 64) // 40)
    for row, frame, band in ((0, 0, 0), (1, 3, 2), (0, 5, 5)):
        samples = NOISE[row, 40 * frame : 40 * frame + 64].tolist()
        assert found[row, band, frame].item() == pytest.approx(
            math.log(band_by_hand(samples, band, 64, 6, 8000) + 1e-3)
        )


def test_every_band_hears_something_and_a_tone_is_heard_in_its_band():
    filters = mel_filters(8000, 256, 32)
    assert bool((filters.sum(dim=1) > 0).all()) and float(filters.max()) <= 1
    time = torch.arange(4000, dtype=torch.float64) / 8000
    for frequency in (300.0, 900.0, 3000.0):
        heard = log_mel(torch.sin(2 * math.pi * frequency * time)[None])[0].mean(dim=1).argmax()
        nearest = round(mel(frequency) / mel(4000.0) * 33) - 1
        assert abs(int(heard) - nearest) <= 1


@pytest.mark.parametrize("waves", [torch.zeros(300), torch.zeros(2, 100), torch.zeros(2, 300, dtype=torch.int16)])
def test_waves_of_another_form_are_refused(waves):
    with pytest.raises(ValueError, match="waves must be floating samples"):
        log_mel(waves)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Three speakers of another pitch each, whose digits are tones."""
    folder = tmp_path_factory.mktemp("sound") / "recordings"
    folder.mkdir()
    for voice, speaker in enumerate(("ann", "bob", "theo")):
        for digit in range(10):
            for index in (0, 4, 5, 12):
                tone = torch.sin((0.1 + 0.15 * digit + 0.02 * voice) * torch.arange(700 + 30 * index))
                write_wave(folder / f"{digit}_{speaker}_{index}.wav", 0.3 * tone)
    return folder


def test_a_speaker_is_left_out(recordings):
    data = load_spoken_digits(recordings.parent, held_out="bob")
    assert {name: len(part.labels) for name, part in data.splits()} == {"train": 40, "validation": 40, "test": 40}
    assert data.train.inputs.shape == (40, 1, 32, 64) and data.train.inputs.dtype == torch.float32
    assert abs(float(data.train.inputs.mean())) < 1e-4 and abs(float(data.train.inputs.std()) - 1) < 1e-3
    raw = torch.stack(
        [read_wave(recordings / f"{digit}_bob_{index}.wav") for digit in range(10) for index in (0, 4, 5, 12)]
    )
    pictures, tested = log_mel(raw), data.test.inputs.squeeze(1)
    scale = (pictures - pictures.mean()).std() / tested.std()
    torch.testing.assert_close((tested - tested.mean()) * scale, pictures - pictures.mean(), rtol=1e-3, atol=1e-3)
    assert data.test.labels.tolist() == [digit for digit in range(10) for _ in range(4)]


def test_the_published_split(recordings):
    data = load_spoken_digits(recordings, held_out=None)
    assert {name: len(part.labels) for name, part in data.splits()} == {"train": 30, "validation": 30, "test": 60}


def test_a_recording_comes_back_scaled_and_filled_up(tmp_path):
    samples = torch.tensor([0.0, 0.25, -0.5, 0.1])
    write_wave(tmp_path / "a.wav", samples)
    found = read_wave(tmp_path / "a.wav")
    assert found.shape == (8320,) and not found[4:].any()
    torch.testing.assert_close(found[:4], 2 * samples, atol=1e-4, rtol=0)
    write_wave(tmp_path / "b.wav", torch.ones(9000))
    assert read_wave(tmp_path / "b.wav").shape == (8320,)


def test_what_is_no_such_recording_is_refused(recordings, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"git clone --depth 1 https://github\.com/Jakobovski"):
        load_spoken_digits(tmp_path)
    with pytest.raises(ValueError, match="one of several speakers, ann, bob, theo, or None; got 'eve'"):
        load_spoken_digits(recordings, held_out="eve")
    (tmp_path / "cut.wav").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match="no WAV file that can be read"):
        read_wave(tmp_path / "cut.wav")
    with wave.open(str(tmp_path / "fast.wav"), "wb") as file:
        file.setparams((2, 2, 44100, 0, "NONE", ""))
        file.writeframes(b"\0" * 8)
    with pytest.raises(ValueError, match="must have 8000 samples a second, 1 channel"):
        read_wave(tmp_path / "fast.wav")
    write_wave(tmp_path / "silent.wav", torch.zeros(100))
    with pytest.raises(ValueError, match="nothing but silence"):
        read_wave(tmp_path / "silent.wav")
