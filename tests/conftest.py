"""What the tests share: devices, random numbers that are the same each time, pictures, the command, and a browser."""

import functools
import http.server
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from subprocess import PIPE
from types import ModuleType
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import settings
from PIL import Image

signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background begins with Ctrl-C ignored

settings.register_profile("kdlearn", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("kdlearn")

ROOT = Path(__file__).parents[1]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
DEVICES = ["cpu"] + ["cuda"] * torch.cuda.is_available() + ["mps"] * torch.backends.mps.is_available()


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What opens a browser is for a release, but the one test of each figure that is marked `smoke`."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()) and item.get_closest_marker("smoke") is None:
            item.add_marker("release")


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(autouse=True)
def same_random_numbers() -> None:
    torch.manual_seed(0)


def loaded(name: str, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """`loaded("digits/plan", …)` imports studies/digits/plan.py, which is no part of the package, as a script is."""
    path = ROOT / "studies" / f"{name}.py"
    monkeypatch.syspath_prepend(path.parent)
    spec = importlib.util.spec_from_file_location(name.replace("/", "_"), path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def script_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    return functools.partial(loaded, monkeypatch=monkeypatch)


def require(there: bool, reason: str) -> None:
    """Skip for want of something, with a reason that tells how to get it; under KDLEARN_STRICT=1 fail instead."""
    if not there:
        (pytest.fail if os.environ.get("KDLEARN_STRICT") == "1" else pytest.skip)(reason)


def make_pictures(folder: Path, per_class: int = 60, test_per_class: int = 20) -> Path:
    """Three classes of noisy pictures, 32×32 RGB, each class with a colour of its own, in train/ and test/."""
    generator = np.random.default_rng(0)
    for split, count in {"train": per_class, "test": test_per_class}.items():
        for label, name in enumerate(("ball", "cube", "rod")):
            (folder / split / name).mkdir(parents=True)
            for i in range(count):
                pixels = generator.normal(110 + 40 * (np.arange(3) == label), 60, (32, 32, 3)).clip(0, 255)
                Image.fromarray(pixels.astype(np.uint8)).save(folder / split / name / f"{i:02}.png")
    return folder


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pictures(tmp_path_factory.mktemp("data") / "pictures")


def kdlearn_command(*arguments: object, launcher: Sequence[str] = (), **options) -> subprocess.Popen:
    """`python -m kdlearn …` on one thread, with what it prints piped as text."""
    command = [sys.executable, *launcher, "-m", "kdlearn", *map(str, arguments)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=PIPE, stderr=PIPE, text=True, **options)


class Result(NamedTuple):
    code: int
    out: str
    err: str


Command = Callable[..., Result]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that commands are called in, with the user's own `mine.py`."""
    shutil.copy(ROOT / "tests/commands/mine.py", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend("")
    monkeypatch.delitem(sys.modules, "mine", raising=False)
    monkeypatch.setenv("KDLEARN_DATA", str(tmp_path / "nowhere"))
    return tmp_path


@pytest.fixture
def kdlearn_here(here: Path, capsys: pytest.CaptureFixture) -> Command:
    """`kdlearn …` in that folder and this process."""

    def command(*words: object) -> Result:
        from kdlearn.commands.main import main

        capsys.readouterr()
        code = main([str(word) for word in words])
        return Result(code, *capsys.readouterr())

    return command


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list:
    """A list that every training that begins is noted in; it begins nothing."""
    begun: list = []

    def fit(*arguments: object, **options: object) -> None:
        begun.append(arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr("kdlearn.engine.task_runner.fit", fit)
    return begun


@functools.cache
def install_npm_packages() -> Path:
    """What the book shows and the tests look with, in `book/node_modules`."""
    npm = shutil.which("npm")
    require(
        npm is not None, "MathJax, Mermaid and axe come with Node's npm: https://nodejs.org, or apt-get install npm"
    )
    options = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund"]
    subprocess.run([npm, "install", "--prefix", "book", *options], cwd=ROOT, check=True, capture_output=True)
    return ROOT / "book/node_modules"


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that is filled once for all test modules; of processes side by side one fills it, the others wait."""
    root = factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root
    folder, made = root / name, root / f"{name} is made"
    try:
        folder.mkdir()
    except FileExistsError:
        deadline = time.monotonic() + 600
        while not made.exists():
            assert time.monotonic() < deadline, f"{name} was not made in ten minutes"
            time.sleep(0.2)
    else:
        make(folder)
        made.touch()
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[object]:
    require(CHROMIUM is not None, "looking at pages needs Chromium: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """The address of a server of `folder`."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def looked_at(browser, url: str, home: str):
    """The page at `url`, its console errors, and its requests to hosts other than `home`, which are refused."""
    page, errors, strangers = browser.new_page(), [], []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))

    def refuse_strangers(route) -> None:
        if route.request.url.startswith((home, "data:")):
            route.continue_()
        else:
            strangers.append(route.request.url)
            route.abort()

    page.route("**/*", refuse_strangers)
    page.goto(url, wait_until="load")
    return page, errors, strangers


@pytest.fixture
def live(browser, tmp_path: Path) -> Iterator[Callable]:
    """`live(figure, …)` opens a file of figures, at `where` in it; none may err or ask another host until the end."""
    from kdcourse.figures import save

    seen = []

    def opened(*figures, where: str = "", **context):
        path = tmp_path / f"figures-{len(seen)}.html"
        save(figures, path, "Figures")
        seen.append(looked_at(browser.new_context(**context), path.as_uri() + where, path.as_uri()))
        return seen[-1][0]

    yield opened
    for page, errors, strangers in seen:
        assert errors == strangers == []
        page.context.close()
