"""The commands that train nothing, the demo, and what all commands share."""

import os
import subprocess
import sys

import pytest
from conftest import ROOT, Command
from small import made_comparison

from kdcourse.commands.start import notebooks_folder
from kdlearn.commands import others
from kdlearn.commands.messages import message_of, missing, printable
from kdlearn.comparing.comparison import Comparison
from kdlearn.data.files import read_json

COMMANDS = ("demo", "start", "explore", "advise", "distill", "results", "export", "doctor", "examine", "class")


def made_demo(replicates: int, seeds: int, progress: bool) -> Comparison:
    return made_comparison(replicates, seeds)


@pytest.fixture
def quick_demo(monkeypatch):
    """The demo with a study and a picture that take no time."""
    from matplotlib.figure import Figure

    module = type(sys)("kdcourse.demo")
    module.demo, module.finding = made_demo, lambda comparison: "Found."
    monkeypatch.setitem(sys.modules, "kdcourse.demo", module)
    monkeypatch.setattr("kdcourse.demo", module, raising=False)
    monkeypatch.setattr("kdlearn.comparing.plot.gains", lambda comparison, ax: Figure().subplots(), raising=False)
    return module


def test_demo_writes_and_says_what_it_found(quick_demo, here, kdlearn_here: Command):
    first, second = kdlearn_here("demo", "--seeds", 3, "--replicates", 4), kdlearn_here("demo")
    assert first.code == second.code == 0 and not first.err
    assert sorted(path.name for path in here.glob("kdlearn-demo-*")) == ["kdlearn-demo-1", "kdlearn-demo-2"]
    assert len(Comparison.load(here / "kdlearn-demo-1/comparison.parquet").table) == 2 * 3 * 4
    assert (here / "kdlearn-demo-2/results.png").read_bytes().startswith(b"\x89PNG")
    assert "ground truth" in first.out and "Found." in first.out and "kdlearn-demo-1" in first.out
    assert "soft labels" in kdlearn_here("results", "kdlearn-demo-1").out


def test_results_are_not_overwritten_silently(quick_demo, here, kdlearn_here: Command):
    def seeds() -> int:
        return Comparison.load(here / "a/b/comparison.parquet").table["seed"].nunique()

    assert kdlearn_here("demo", "--out", "a/b", "--seeds", 2).code == 0
    refused = kdlearn_here("demo", "--out", "a/b", "--seeds", 3)
    assert refused.code == 1 and "choose another --out, or add --overwrite" in refused.err and seeds() == 2
    assert kdlearn_here("demo", "--out", "a/b", "--seeds", 3, "--overwrite").code == 0 and seeds() == 3
    (here / "mine").mkdir()
    (here / "mine/results.png").write_bytes(b"of another work")
    assert "results.png already" in kdlearn_here("demo", "--out", "mine").err


@pytest.mark.parametrize(("problem", "code"), [(KeyboardInterrupt(), 130), (OSError("disk full"), 1)])
def test_a_broken_demo_leaves_nothing(quick_demo, here, kdlearn_here: Command, problem, code):
    def broken(*arguments, **options):
        raise problem

    quick_demo.demo = broken
    result = kdlearn_here("demo", "--out", "out")
    assert result.code == code and not (here / "out").exists() and len(result.err.splitlines()) == 1


def test_ctrl_c_is_said(here, pictures, trained, kdlearn_here: Command):
    result = kdlearn_here("distill", pictures, "--out", "out", "--preset", "tiny", "--seeds", 1)
    assert result.code == 130 and "interrupted" in result.err and len(result.err.splitlines()) == 1


def test_start_makes_a_learners_copy_and_keeps_their_work(here, kdlearn_here: Command):
    assert kdlearn_here("start", "my-course").code == 0
    copies = sorted((here / "my-course").glob("*.ipynb"))
    assert [path.name for path in copies] == [path.name for path in sorted(notebooks_folder().glob("*.ipynb"))]
    for path in copies:
        for cell in read_json(path)["cells"]:
            if cell["cell_type"] == "code":
                assert cell["outputs"] == [] and cell["execution_count"] is None
            if {"hide-input", "answer"} & set(tags := cell["metadata"].get("tags", [])):
                assert ("answer" in tags) != cell["metadata"].get("jupyter", {}).get("source_hidden", False)
    copies[0].write_text("mine")
    copies[1].unlink()
    again = kdlearn_here("start", "my-course")
    assert again.code == 0 and copies[0].read_text() == "mine" and copies[1].exists()
    assert f"kept   my-course/{copies[0].name}, which is yours" in again.out


def test_explore_writes_a_page_and_keeps_another(monkeypatch, here, kdlearn_here: Command):
    monkeypatch.setattr("webbrowser.open", lambda address: False)
    assert kdlearn_here("explore", "--no-open", "--out", "figures.html").out == "figures.html\n"
    assert "customElements.define" in (here / "figures.html").read_text(encoding="utf-8")
    (here / "figures.html").write_text("mine")
    assert kdlearn_here("explore", "--no-open", "--out", "figures.html").code == 1
    assert (here / "figures.html").read_text() == "mine"
    again = kdlearn_here("explore", "--out", "figures.html", "--overwrite")
    assert again.code == 0 and "no browser" in again.err
    assert "customElements.define" in (here / "figures.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_there(command, kdlearn_here: Command):
    result = kdlearn_here(*filter(None, [command]), "--help")
    assert result.code == 0 and f"Usage: kdlearn {command}".strip() in result.out and not result.err
    assert command or all(name in result.out for name in COMMANDS)


def python(code: str, **environment: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {code}"]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})


@pytest.mark.parametrize(
    "words",
    [
        ["--version"],
        ["doctor"],
        ["--help"],
        ["distill", "--help"],
        ["results", "RESULTS"],
        ["advise", "--labelled", "60", "--teacher-accuracy", "96", "--student-accuracy", "84"],
    ],
)
def test_torch_is_loaded_by_what_trains_alone(words, tmp_path):
    made_comparison().save(tmp_path / "comparison.parquet")
    words = [word.replace("RESULTS", str(tmp_path)) for word in words]
    result = python(f"from kdlearn.commands.main import main; main({words}); assert 'torch' not in sys.modules")
    assert result.returncode == 0 and result.stdout, result.stderr


@pytest.mark.parametrize("module", ["typer", "lazy_loader", "packaging", "torch", "numpy"])
def test_the_doctor_needs_nothing_but_python(module):
    result = python(
        f"sys.modules[{module!r}] = None; from kdlearn.commands.main import main; sys.exit(main(['doctor']))"
    )
    assert result.returncode == 0 and "free disk" in result.stdout and not result.stderr


def test_help_lists_the_commands_of_other_packages_without_importing_them():
    code = "from kdlearn.commands.main import main; main(['--help']); assert not {'kdcourse'} & sys.modules.keys()"
    result = python(code)
    assert result.returncode == 0 and "The first distillation" in result.stdout, result.stderr


def test_a_clone_that_is_not_installed_has_the_same_commands(monkeypatch):
    installed = others.others()
    monkeypatch.setattr(others, "entry_points", lambda group: [])
    assert others.others.__wrapped__() == installed
    assert set(installed) == {"demo", "start", "explore", "advise", "class"}


def test_names_say_what_they_need():
    result = python("sys.modules['lazy_loader'] = None; import kdlearn; kdlearn.soft_label_loss")
    assert "pip install lazy-loader" in result.stderr.splitlines()[-1]


@pytest.mark.parametrize(("module", "words"), [("typer", ["demo"]), ("pandas", ["results", "RESULTS"])])
def test_what_is_missing_comes_with_the_line_that_brings_it(module, words, tmp_path):
    made_comparison().save(tmp_path / "comparison.parquet")
    words = [word.replace("RESULTS", str(tmp_path)) for word in words]
    block = f"""
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == {module!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Missing())
from kdlearn.commands.main import main
sys.exit(main({words}))
"""
    result = python(block)
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 1, result.stderr
    assert "pip install" in result.stderr and module.replace("_", "-") in result.stderr


def test_only_the_first_of_torchruns_processes_speaks(monkeypatch, kdlearn_here: Command):
    monkeypatch.setenv("RANK", "1")
    silent = kdlearn_here("results", "nowhere")
    monkeypatch.setenv("RANK", "0")
    assert silent.code == 1 and not silent.err and kdlearn_here("results", "nowhere").err


def test_messages_of_problems():
    assert message_of(ValueError("so")) == "so"
    assert message_of(MemoryError()) == "MemoryError: "
    assert message_of(KeyError("x")) == "KeyError: 'x'"
    assert message_of(AssertionError("a mistake of ours")) is None
    assert missing("PIL.Image").startswith('PIL.Image is missing: python -m pip install "kdlearn-course[')
    assert missing("nowhere") == 'nowhere is missing: python -m pip install "nowhere"'


def test_printable():
    assert printable("a\x1b[0m\n± ✓\ud800\x07") == "a\\x1b[0m\n± ✓\\ud800\\x07"


def test_output_that_knows_no_unicode(monkeypatch, tmp_path):
    made_comparison().save(tmp_path / "comparison.parquet")
    code = f"from kdlearn.commands.main import main; sys.exit(main(['results', {str(tmp_path)!r}]))"
    result = python(code, PYTHONIOENCODING="ascii")
    assert result.returncode == 0 and "\\xb1" in result.stdout


def test_a_reader_that_has_read_enough_is_no_error(tmp_path):
    """As `| head` has: here it has gone before the first line."""
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run([sys.executable, "-m", "kdlearn", "--help"], stdout=writing, stderr=subprocess.PIPE)
    said = subprocess.run([sys.executable, "-m", "kdlearn", "--version"], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert said.returncode == 0 and not said.stderr and not ended.stderr
