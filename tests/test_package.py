"""The package: what importing it loads, what its editors' stub promises, and what the wheel holds."""

import ast
import inspect
import os
import re
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from graphlib import TopologicalSorter
from importlib import import_module
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.licenses import canonicalize_license_expression
from public import PUBLIC

import kdcourse
import kdlearn

ROOT = Path(__file__).parents[1]


def modules_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


HEAVY = {"torch", "numpy", "sklearn", "matplotlib", "torchvision", "scipy"}


@pytest.mark.parametrize(
    ("name", "needed"),
    [("kdlearn", set()), *((f"kdlearn.{one}", {"torch"}) for one in ("soft_label_loss", "airbench"))],
)
def test_a_name_loads_what_it_needs_and_no_more(name, needed):
    brought = {"numpy"} if needed else set()  # by torch
    assert HEAVY & modules_after(f"import kdlearn; {name}") - brought == needed


def test_every_public_name_is_there():
    assert len(kdlearn.__all__) == len(set(kdlearn.__all__)) > 25
    for package in (kdlearn, kdcourse):
        for name in package.__all__:
            assert getattr(package, name).__doc__, f"{name} has no docstring"
        assert set(package.__all__) <= set(dir(package))


def is_meant_for_all(found: object) -> bool:
    """A strategy, a loss, a metric, and whatever else shows by an example how it is used."""
    if inspect.isclass(found) and issubclass(found, kdlearn.Strategy) and not found.__subclasses__():
        return True
    if inspect.isfunction(found) and (reduction := inspect.signature(found).parameters.get("reduction")):
        return reduction.default == "mean"
    return hasattr(found, "share") or hasattr(found, "smaller_is_better") or ">>>" in str(found.__doc__)


OF_THEIR_OWN = ("kdlearn.formulas.intervals", "kdlearn.data.extras")  # whose examples are for who reads the module


def test_no_public_name_is_forgotten():
    folders = [ROOT / "kdlearn" / room for room in ("formulas", "data", "networks", "training")]
    names = [f"kdlearn.{path.parent.name}.{path.stem}" for one in folders for path in sorted(one.glob("[a-z]*.py"))]
    forgotten = [
        f"{module}.{name}"
        for module in names
        if module not in OF_THEIR_OWN
        for name, found in vars(import_module(module)).items()
        if getattr(found, "__module__", None) == module and is_meant_for_all(found) and name not in PUBLIC
    ]
    assert forgotten == [], "kdlearn/__init__.pyi lacks them, or __all__ of their family's module"


def test_names_that_do_not_exist_are_attribute_errors():
    with pytest.raises(AttributeError, match="soft_lables"):
        kdlearn.soft_lables  # noqa: B018


ROOMS = ("formulas", "data", "networks", "training", "engine", "examination", "comparing", "commands")


def imports_of(path: Path) -> Iterator[str]:
    """The modules of this project that a file imports, wherever in it, absolutely or relatively."""
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join([*above, *filter(None, [node.module])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def upward_imports(path: Path) -> list[str]:
    """What a file of kdlearn imports from a room below its own in the table of rooms, or from the course."""
    room = path.relative_to(ROOT / "kdlearn").parts[0].removesuffix(".py")
    above = ROOMS[: ROOMS.index(room) + 1] if room in ROOMS else ROOMS
    names = (name.split(".") for name in imports_of(path))
    return [
        ".".join(name)
        for name in names
        if name[0] == "kdcourse" or (name[0] == "kdlearn" and name[1:] and name[1] not in (*above, *TOP))
    ]


TOP = ("__version__", "ENGINE")
FILES = sorted(path for package in ("kdlearn", "kdcourse") for path in (ROOT / package).rglob("*.py"))


@pytest.mark.parametrize(
    "path",
    [path for path in FILES if path.is_relative_to(ROOT / "kdlearn")],
    ids=lambda path: path.relative_to(ROOT).as_posix(),
)
def test_a_room_imports_only_rooms_above_it_and_never_the_course(path):
    """What lies at the top of the package (`__init__`, `__main__`) may import every room."""
    assert not upward_imports(path)
    assert path.parent != ROOT / "kdlearn" or path.stem in ("__init__", "__main__")
    assert path.parts[-2] == "kdlearn" or path.stem != "__init__" or not path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "line",
    [
        "from kdlearn.comparing import compare",
        "import kdlearn.comparing.compare",
        "from kdlearn import compare",
        "from ..comparing import compare",
        "def late():\n    from kdlearn.comparing.compare import compare",
        "import kdcourse",
        "from kdcourse.records import recorded",
    ],
)
def test_an_upward_import_is_found(line, monkeypatch, tmp_path):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "kdlearn/training").mkdir(parents=True)
    (tmp_path / "kdlearn/training/loop.py").write_text(line)
    assert upward_imports(tmp_path / "kdlearn/training/loop.py")


def imported_files(path: Path) -> set[Path]:
    """The files that a file imports; a name may be a module's or stand in one."""
    names = [name.replace(".", "/") for name in imports_of(path)]
    candidates = [ROOT / f"{one}.py" for name in names for one in (name, str(Path(name).parent))]
    return {one for one in candidates if one.is_file()}


def test_no_files_import_one_another_in_a_circle():
    TopologicalSorter({path: imported_files(path) for path in FILES}).prepare()


def test_no_room_has_a_public_name():
    assert not set(ROOMS) & set(kdlearn.__all__)
    assert set(ROOMS) == {path.parent.name for path in (ROOT / "kdlearn").glob("*/__init__.py")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def metadata_of(wheel: Path) -> Message:
    with ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return message_from_bytes(archive.read(name))


def test_what_a_package_index_shows_has_no_link_that_leads_nowhere(wheel):
    shown = metadata_of(wheel).get_payload()
    assert len(re.findall(r"\]\((?!https?:)", (ROOT / "README.md").read_text(encoding="utf-8"))) > 10
    assert not re.findall(r"\]\((?!https?:)[^)]*\)", shown) and "](" not in re.sub(r"\]\(https?:", "", shown)
    for path in re.findall(r"\(`([^`]+)`\)", shown):
        assert (ROOT / path).exists(), path


BARE_NAME = re.compile(
    r"(pip install|Requires-Dist:)[^\n]*?[ \"'=]kdlearn(?![-\w/])"
)  # on the public index it is somebody else's
TOLD = [path for kind in ("md", "py", "ipynb", "toml", "yml", "yaml", "sh") for path in ROOT.rglob(f"*.{kind}")]


def test_nobody_is_told_to_install_the_package_of_somebody_else(wheel):
    told = [path for path in TOLD if not {".venv", "node_modules", "_build", "tests"} & {*path.relative_to(ROOT).parts}]
    assert len(told) > 200
    assert not [path for path in told if BARE_NAME.search(path.read_text(encoding="utf-8"))]
    about = metadata_of(wheel)
    assert about["Name"] == "kdlearn-course"
    assert not any(re.match(r"kdlearn\b(?!-)", one) for one in about.get_all("Requires-Dist"))


@pytest.mark.parametrize(
    "line", ["pip install kdlearn", 'pip install --quiet "kdlearn[course]"', "python -m pip install -U kdlearn==0.1.0"]
)
def test_the_bare_name_is_found(line):
    assert BARE_NAME.search(line) and not BARE_NAME.search(line.replace("kdlearn", "kdlearn-course"))


def test_the_licence_is_an_spdx_expression_and_its_texts_are_in_the_wheel(wheel):
    about = metadata_of(wheel)
    assert canonicalize_license_expression(about["License-Expression"]) == about["License-Expression"]
    assert set(about.get_all("License-File")) == {path.name for path in ROOT.glob("LICENSE*")}


@pytest.mark.release
def test_the_wheel_works_in_a_clean_environment(wheel, pictures, tmp_path):
    """A new environment sees this one's libraries by a path file, but its kdlearn comes from the wheel."""
    venv.create(tmp_path / "clean", with_pip=True)
    scripts = tmp_path / "clean" / ("Scripts" if sys.platform == "win32" else "bin")
    python = str(scripts / "python")

    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def run(*command: str) -> str:
        options = {"cwd": tmp_path, "env": environment, "capture_output": True, "text": True, "check": True}
        return subprocess.run(command, **options).stdout

    run(python, "-m", "pip", "install", "--no-deps", "--no-index", str(wheel))
    where = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    (Path(where) / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    origin, version = run(python, "-c", "import kdlearn; print(kdlearn.__file__, kdlearn.__version__)").split()
    assert origin.startswith(where) and version == kdlearn.__version__
    assert "0.6931" in run(
        python, "-c", "import kdlearn, torch; print(kdlearn.hard_label_loss(torch.zeros(1, 2), torch.tensor([0])))"
    )
    assert run(str(scripts / "kdlearn"), "start", "course").count(".ipynb") == len(
        list((ROOT / "notebooks").glob("*.ipynb"))
    )
    run(str(scripts / "kdlearn"), "explore", "--no-open", "--out", "figures.html")
    assert "customElements.define" in (tmp_path / "figures.html").read_text(encoding="utf-8")
    records = run(python, "-c", "from kdcourse.records import recorded; print(recorded('demo'))").strip()
    assert records.startswith(where) and (Path(records) / "comparison.parquet").exists()
    command = str(scripts / "kdlearn")
    assert "make test" not in run(command, "doctor")
    assert "soft labels" in run(command, "demo", "--replicates", "2", "--seeds", "1", "--out", "demo", "--quiet")
    options = ["--preset", "tiny", "--strategies", "ground-truth,hard", "--seeds", "2", "--out", "study", "--quiet"]
    assert "hard labels" in run(command, "distill", str(pictures), *options)
    assert all((Path(where) / f"{name}/py.typed").exists() for name in ("kdlearn", "kdcourse"))
    assert all((Path(where) / f"{name}/__init__.pyi").exists() for name in ("kdlearn", "kdcourse"))
