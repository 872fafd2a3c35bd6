"""Images: what a folder holds comes back pixel by pixel, a cache is never believed blindly, bad input runs nothing."""

import os
import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import require
from PIL import EpsImagePlugin, Image
from torchvision.datasets import CIFAR10
from torchvision.datasets.utils import calculate_md5

from kdlearn.data import image_folder, memory
from kdlearn.data.dataset import Dataset
from kdlearn.data.images import load_images
from kdlearn.data.views import Views

DATA = Path(os.environ.get("KDLEARN_DATA", "data"))
CLASSES = ("bird", "cat", "frog")
CACHE = ".kdlearn-cache.safetensors"


def pixels(seed: int, size: int = 8, channels: int = 3) -> np.ndarray:
    shape = (size, size, channels)[: 2 + (channels > 1)]
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def make_folder(folder: Path, channels: int = 3, suffix: str = "png") -> Path:
    """Three classes of 6 and 2 images; image number i of a class has the pixels of seed 100 class + i."""
    for split, count in {"train": 6, "test": 2}.items():
        for label, name in enumerate(CLASSES):
            (folder / split / name).mkdir(parents=True)
            for i in range(count):
                seed = 100 * label + i + 50 * (split == "test")
                Image.fromarray(pixels(seed, channels=channels)).save(folder / split / name / f"{i}.{suffix}")
    return folder


@pytest.fixture
def folder(tmp_path) -> Path:
    return make_folder(tmp_path / "images")


@pytest.mark.parametrize("channels", [1, 3])
def test_a_folder_comes_back_pixel_by_pixel(tmp_path, channels, device):
    images = load_images(make_folder(tmp_path / "images", channels)).to(device)
    assert images.class_names == CLASSES and images.train.inputs.device.type == device
    assert images.train.inputs.dtype == torch.uint8 and images.train.labels.dtype == torch.int64
    assert images.train.labels.tolist() == [0] * 6 + [1] * 6 + [2] * 6
    assert images.test.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert images.validation is None and images.name == "images"
    seeds = {"train": [0, 1, 2, 3, 4, 5, 100, 101], "test": [50, 51, 150, 151]}
    for split, rows in seeds.items():
        for row, seed in enumerate(rows):
            wanted = np.atleast_3d(pixels(seed, channels=channels)).transpose(2, 0, 1)
            assert np.array_equal(getattr(images, split).inputs[row].cpu(), wanted)


@pytest.mark.parametrize("suffix", ["bmp", "jpg", "ppm", "tiff", "webp"])
def test_other_formats_are_read_as_pillow_reads_them(tmp_path, suffix):
    folder = make_folder(tmp_path / "images", suffix=suffix)
    with Image.open(folder / "train" / "cat" / f"3.{suffix}") as image:
        assert np.array_equal(load_images(folder).train.inputs[9].permute(1, 2, 0), np.asarray(image))


def test_validation_is_stratified_disjoint_and_a_function_of_the_seed(folder):
    whole, images = load_images(folder), load_images(folder, num_validation=6, seed=1)
    counts = [part.labels.bincount().tolist() for part in (images.train, images.validation)]
    assert counts == [[4] * 3, [2] * 3]
    together = torch.cat([images.train.inputs, images.validation.inputs]).flatten(1)
    assert torch.equal(together.unique(dim=0), whole.train.inputs.flatten(1).unique(dim=0))
    assert torch.equal(load_images(folder, num_validation=6, seed=1).train.inputs, images.train.inputs)
    assert not torch.equal(load_images(folder, num_validation=6, seed=2).train.inputs, images.train.inputs)
    assert images.key != whole.key and images.normalise != whole.normalise


@pytest.mark.parametrize("num_validation", [0, 6])
def test_mean_and_deviation_are_those_of_the_training_split(folder, num_validation):
    images = load_images(folder, num_validation=num_validation)
    values = images.train.inputs.double().transpose(0, 1).flatten(1) / 255
    assert images.normalise.mean == pytest.approx(values.mean(dim=1).tolist(), abs=1e-12)
    assert images.normalise.deviation == pytest.approx(values.std(dim=1, correction=0).tolist(), abs=1e-12)


def test_the_key_is_of_the_content_not_of_the_place(folder, tmp_path):
    key = load_images(folder).key
    assert load_images(shutil.copytree(folder, tmp_path / "copy")).key == key
    (folder / "train" / "cat" / "0.png").rename(folder / "train" / "cat" / "00.png")
    assert load_images(folder).key == key
    (folder / "train" / "cat" / "00.png").rename(folder / "train" / "cat" / "9.png")
    assert load_images(folder).key != key


def test_hidden_files_are_ignored(folder):
    key = load_images(folder).key
    for place in (folder, folder / "train", folder / "train" / "cat"):
        for name in (".DS_Store", "Thumbs.db", "._0.png"):
            (place / name).write_bytes(b"no image")
    assert load_images(folder).key == key


# The cache


@pytest.fixture
def decoded(monkeypatch) -> list[str]:
    """The number of times that a folder was decoded is the length of this list."""
    calls, decode = [], image_folder.decode
    monkeypatch.setattr(image_folder, "decode", lambda *arguments: calls.append("decode") or decode(*arguments))
    return calls


def same(one: Dataset, other: Dataset) -> bool:
    pairs = ((getattr(one, split), getattr(other, split)) for split, _ in one.splits())
    tensors = (pair for parts in pairs for pair in zip(*(part[:2] for part in parts), strict=True))
    described = all(getattr(one, name) == getattr(other, name) for name in ("key", "class_names", "normalise", "name"))
    return described and all(torch.equal(*pair) for pair in tensors)


def sizes(images: Dataset) -> list[int]:
    return [len(part.inputs) for _, part in images.splits()]


def test_images_are_decoded_once_for_each_cache(folder, tmp_path, decoded):
    for _ in range(2):
        load_images(folder, cache=tmp_path / "cache.safetensors")
    assert len(decoded) == 1 and not list(folder.glob(".*"))
    first = load_images(folder, num_validation=3)
    assert [path.name for path in folder.glob(".*")] == [CACHE]
    assert same(first, load_images(folder, num_validation=3)) and len(decoded) == 2


def test_changed_files_are_decoded_anew(folder, decoded):
    first, path = load_images(folder), folder / "train" / "bird" / "0.png"
    before = path.stat()
    content = path.read_bytes()
    Image.fromarray(255 - pixels(0)).save(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert load_images(folder).key != first.key and len(decoded) == 2
    path.write_bytes(content)
    assert same(load_images(folder), first) and len(decoded) == 3


def test_a_cache_cut_short_or_altered_is_not_believed(folder, decoded):
    first, cache = load_images(folder), folder / CACHE
    whole = cache.read_bytes()
    broken = [b"", whole[: len(whole) // 2], whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1])]
    for number, content in enumerate(broken, start=2):
        cache.write_bytes(content)
        for _ in range(2):  # decoded anew, then read from the new cache
            assert same(load_images(folder), first) and len(decoded) == number


def test_a_place_that_cannot_be_written_is_gone_without(folder, tmp_path, decoded):
    (tmp_path / "file").touch()
    load_images(folder, cache=tmp_path / "file" / "cache.safetensors")
    load_images(folder, cache=tmp_path / "missing" / "cache.safetensors")
    assert len(decoded) == 2 and not (tmp_path / "missing").exists()


# Bad input


def remove(path: str):
    return lambda folder: shutil.rmtree(folder / path) if (folder / path).is_dir() else (folder / path).unlink()


def write(path: str, content: bytes):
    return lambda folder: (folder / path).write_bytes(content)


def draw(path: str, image: Image.Image):
    return lambda folder: image.save(folder / path)


def cut(path: str):
    return lambda folder: (folder / path).write_bytes((folder / path).read_bytes()[:-40])


def empty(path: str):
    return lambda folder: [shutil.rmtree(folder / path), (folder / path).mkdir()]


PIXELS = Image.fromarray(pixels(0))
BAD = {
    "no train": (remove("train"), FileNotFoundError, r"train/<class>/\*.*images/train"),
    "no test": (remove("test"), FileNotFoundError, "images/test"),
    "a file": (lambda folder: [remove("test")(folder), (folder / "test").touch()], FileNotFoundError, "images/test"),
    "no class": (empty("test"), FileNotFoundError, "any class folder in .*images/test"),
    "empty class": (empty("train/cat"), FileNotFoundError, "classes cat"),
    "other classes": (remove("test/cat"), ValueError, "same classes; only one holds cat"),
    "first no image": (write("train/bird/0.png", b"hello"), ValueError, "bird/0.png is no image"),
    "another file": (write("train/bird/notes.txt", b"hello"), ValueError, "bird/notes.txt is no image"),
    "no image": (write("test/frog/1.png", b""), ValueError, "frog/1.png is no image"),
    "cut image": (cut("train/frog/5.png"), ValueError, r"frog/5.png is no image that can be used.*truncated"),
    "other size": (draw("test/cat/1.png", PIXELS.resize((8, 9))), ValueError, r"cat/1.png is 9 .*: give resize="),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_folder_is_one_clear_line(folder, case, decoded):
    change, error, words = BAD[case]
    load_images(folder)
    kept = (folder / CACHE).read_bytes()
    change(folder)
    with pytest.raises(error, match=words) as caught:
        load_images(folder)
    assert "\n" not in str(caught.value) and (folder / CACHE).read_bytes() == kept


def test_no_program_is_run_to_decode_an_image(folder, monkeypatch):
    """Whatever its name, EPS is a program, and Pillow's reader of it runs Ghostscript."""
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
    (folder / "train" / "frog" / "1.png").write_bytes(eps)
    called = []
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *arguments: called.append(arguments))
    with pytest.raises(ValueError, match=r"frog/1.png is no image"):
        load_images(folder)
    assert not called


@pytest.mark.parametrize("source", ["cifar100", Path("mnist"), "nowhere/at/all"])
def test_an_unknown_source_is_told_what_is_known(source):
    with pytest.raises(FileNotFoundError, match=f"'cifar10', 'mnist' or a folder .*; got {source}: "):
        load_images(source)


@pytest.mark.parametrize("num_validation", [-3, 2, 16, 18, 1000])
def test_a_validation_split_that_cannot_be_is_refused(folder, num_validation):
    with pytest.raises(ValueError, match=f"num_validation must give each class .*; {num_validation} of 18 rows do not"):
        load_images(folder, num_validation=num_validation)
    for i in range(1, 6):
        (folder / "train" / "cat" / f"{i}.png").unlink()
    with pytest.raises(ValueError, match=r"num_validation .* 3 of 13 rows do not: .*1 member"):
        load_images(folder, num_validation=3)


def test_what_does_not_fit_into_memory_is_refused_before_it_is_decoded(folder, monkeypatch):
    """Needed are the images, and beside them the padded ones of views."""
    data = load_images(folder)
    padded = sum(Views().of(data, split).windows.untyped_storage().nbytes() for split in ("train", "test"))
    needed = 24 * 8 * 8 * 3 + padded
    (folder / CACHE).unlink()
    monkeypatch.setattr(memory, "available_memory", lambda: needed - 1)
    with monkeypatch.context() as without, pytest.raises(ValueError, match=r"need .* GiB of memory.*iterable of Batch"):
        without.setattr(image_folder, "tqdm", None)
        load_images(folder)
    assert not (folder / CACHE).exists()
    monkeypatch.setattr(memory, "available_memory", lambda: needed)
    assert same(load_images(folder), data)


def test_the_memory_at_hand_is_plausible():
    assert 2**24 < memory.available_memory() < 2**46


# CIFAR-10 and MNIST


class Trap:
    """Unpickled, it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (str(self.folder),)


def made_up_cifar(root: Path, monkeypatch) -> Path:
    """Batch files of 4 images each in CIFAR-10's own form, and torchvision told their checksums."""
    folder = root / CIFAR10.base_folder
    folder.mkdir(parents=True)
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": list(CLASSES)}))
    monkeypatch.setattr(CIFAR10, "meta", {**CIFAR10.meta, "md5": calculate_md5(folder / "batches.meta")})
    for part in ("train_list", "test_list"):
        names = [name for name, _ in getattr(CIFAR10, part)]
        for number, name in enumerate(names):
            content = {"data": pixels(number, 32).reshape(1, -1).repeat(4, axis=0), "labels": [0, 1, 2, 2]}
            (folder / name).write_bytes(pickle.dumps(content))
        monkeypatch.setattr(CIFAR10, part, [[name, calculate_md5(folder / name)] for name in names])
    return folder


def test_cifar_is_read_as_it_is_stored(tmp_path, monkeypatch):
    made_up_cifar(tmp_path, monkeypatch)
    monkeypatch.setenv("KDLEARN_DATA", str(tmp_path))
    images = load_images("cifar10", num_validation=4)
    assert images.class_names == CLASSES and sizes(images) == [16, 4, 4]
    assert np.array_equal(images.test.inputs[0].flatten(), pixels(0, 32).flatten())
    assert images.test.labels.tolist() == [0, 1, 2, 2] and images.name == "cifar10"
    assert images.key == load_images("cifar10", root=tmp_path, num_validation=4).key


@pytest.mark.parametrize("name", ["data_batch_1", "test_batch", "batches.meta"])
def test_an_altered_cifar_is_refused_before_anything_is_executed(tmp_path, monkeypatch, name):
    folder = made_up_cifar(tmp_path / "data", monkeypatch)
    (folder / name).write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    with pytest.raises(OSError, match=r"cifar10 is not whole in .*: delete that folder .* and pass download=True"):
        load_images("cifar10", root=tmp_path / "data")
    assert not (tmp_path / "sprung").exists()
    pickle.loads((folder / name).read_bytes())
    assert (tmp_path / "sprung").exists(), "the trap itself must work"


def test_cifar_is_fetched_where_that_is_asked_for(tmp_path, monkeypatch):
    def download(self: CIFAR10) -> None:
        shutil.copytree(folder, Path(self.root) / CIFAR10.base_folder, dirs_exist_ok=True)

    folder = made_up_cifar(tmp_path / "there", monkeypatch)
    monkeypatch.setattr(CIFAR10, "download", download)
    for fetched in (True, False):
        assert sizes(load_images("cifar10", root=tmp_path / "here", download=fetched)) == [20, 4]


@pytest.mark.parametrize("source", ["cifar10", "mnist"])
def test_a_named_set_that_is_not_there_names_both_ways_out(tmp_path, source):
    with pytest.raises(OSError, match=rf"{source} is not whole in .*download=True.*KDLEARN_DATA"):
        load_images(source, root=tmp_path)


def test_what_lacks_torchvision_is_told_what_brings_it(folder, monkeypatch):
    for source in ("mnist", folder):
        for name in ("image_folder", "torchvision_sets"):
            monkeypatch.delitem(sys.modules, f"kdlearn.data.{name}", raising=False)
            monkeypatch.delattr(f"kdlearn.data.{name}", raising=False)
        monkeypatch.setitem(sys.modules, "torchvision.datasets", None)
        with pytest.raises(ImportError, match=r'torchvision.* is missing: .* "kdlearn-course\[images\]"'):
            load_images(source)


# The real images


@pytest.mark.release
def test_the_copy_of_cifar_in_jpeg(tmp_path, decoded):
    require((DATA / "train/frog").is_dir(), "KDLEARN_DATA must name a folder that holds CIFAR-10 in train/ and test/")
    cache = tmp_path / "cache.safetensors"
    first, again = (load_images(DATA, cache=cache, num_validation=5000) for _ in range(2))
    assert same(first, again) and len(decoded) == 1
    assert sizes(first) == [45000, 5000, 10000] and first.train.inputs.shape[1:] == (3, 32, 32)
    assert first.validation.labels.bincount().tolist() == [500] * 10 and first.class_names[6] == "frog"
    # published for the official images:
    assert first.normalise.mean == pytest.approx((0.4914, 0.4822, 0.4465), abs=2e-3)
    assert first.normalise.deviation == pytest.approx((0.2470, 0.2435, 0.2616), abs=3e-3)


def test_mnist(tmp_path):
    require((DATA / "MNIST" / "raw").is_dir(), "KDLEARN_DATA must name a folder that holds MNIST/raw")
    images = load_images("mnist", root=DATA, num_validation=10)
    assert sizes(images) == [59990, 10, 10000] and images.train.inputs.shape[1:] == (1, 28, 28)
    assert (*images.normalise.mean, *images.normalise.deviation) == pytest.approx((0.1307, 0.3081), abs=1e-4)
    shutil.copytree(DATA / "MNIST", tmp_path / "MNIST")
    labels = tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte"
    whole = labels.read_bytes()
    for content in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]), whole[:3], b""):
        labels.write_bytes(content)
        with pytest.raises(OSError, match=r"mnist is not whole in .*MNIST/raw"):
            load_images("mnist", root=tmp_path)
