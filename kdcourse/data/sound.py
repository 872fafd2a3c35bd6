"""Sound as pictures: log-mel spectrograms, by torch alone."""

import torch
from torch import Tensor

RATE, WINDOW, HOP, BANDS = 8000, 256, 128, 32


def log_mel(
    waves: Tensor, *, rate: int = RATE, window: int = WINDOW, hop: int = HOP, bands: int = BANDS, floor: float = 1e-4
) -> Tensor:
    """log(floor + power in each band of a mel scale), frame by frame: time from left to right, low sounds at the top.

    A frame is `window` samples under Hann's window, the next begins `hop` samples later, none reaches beyond the
    recording. Its power, the squared size of Σ w_n x_n e^(-2πi k n / window) over `window`, is added up by
    `mel_filters`.

    Args:
        waves: samples `(N, samples)`, floating, at least one window long; a full swing is from -1 to 1.
        rate: samples a second.
        window, hop: in samples.
        bands: how many.
        floor: above 0: silence gets its logarithm.

    Returns:
        `(N, bands, frames)`, with 1 + (samples - window) // hop frames.

    Raises:
        ValueError: waves of another shape, or shorter than a window.

    >>> time = torch.arange(8000) / 8000
    >>> tone = torch.sin(2 * torch.pi * 1000 * time)
    >>> spectrogram = log_mel(tone.unsqueeze(0))
    >>> spectrogram.shape, spectrogram[0].mean(dim=1).argmax()  # the band in which 1,000 Hz lie
    (torch.Size([1, 32, 61]), tensor(14))
    """
    if waves.ndim != 2 or waves.shape[1] < window or not waves.is_floating_point():
        came = f"{waves.dtype} {tuple(waves.shape)}"
        raise ValueError(f"waves must be floating samples (N, samples), at least {window} of them; got {came}")
    frames = waves.unfold(1, window, hop) * torch.hann_window(window, dtype=waves.dtype, device=waves.device)
    power = torch.fft.rfft(frames).abs().square() / window
    filters = mel_filters(rate, window, bands).to(power)
    return (power @ filters.T + floor).log().transpose(1, 2)


def mel_filters(rate: int, window: int, bands: int) -> Tensor:
    """Triangles of height 1 whose corners lie evenly on the mel scale, 2595 log10(1 + f / 700), from 0 to rate / 2.

    Source: O'Shaughnessy 1987, Speech Communication, for the scale; Davis & Mermelstein 1980 for triangles on it.

    Returns:
        `(bands, window // 2 + 1)` float64, a weight for each band and frequency.

    >>> mel_filters(8000, 256, 32).shape
    torch.Size([32, 129])
    """
    frequencies = torch.linspace(0, rate / 2, window // 2 + 1, dtype=torch.float64)
    highest = 2595 * torch.log10(torch.tensor(1 + rate / 1400, dtype=torch.float64))
    corners = 700 * (10 ** (torch.linspace(0, float(highest), bands + 2, dtype=torch.float64) / 2595) - 1)
    low, middle, high = (corners[at : at + bands].unsqueeze(1) for at in range(3))
    rising, falling = (frequencies - low) / (middle - low), (high - frequencies) / (high - middle)
    return torch.minimum(rising, falling).clamp_min(0)
