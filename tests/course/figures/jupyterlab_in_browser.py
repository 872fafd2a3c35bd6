"""A JupyterLab with settings of its own, and what is done in it: open a notebook, run it, ask its kernel."""

import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import nbformat

FOLDERS = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")
FOLDERS += ("JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")


class Lab(NamedTuple):
    address: str
    token: str
    folder: Path


def wait_until(true: Callable[[], bool], seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)


def answers(url: str) -> bool:
    try:
        return urllib.request.urlopen(url, timeout=1).status == 200
    except OSError:
        return False


@contextmanager
def jupyterlab(home: Path, folder: Path) -> Iterator[Lab]:
    """JupyterLab on the notebooks of `folder`, with its settings in `home`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    lab = Lab(f"http://127.0.0.1:{port}/", secrets.token_hex(), folder)
    settings = {"ServerApp.port": port, "ServerApp.root_dir": folder, "IdentityProvider.token": lab.token}
    settings |= {"ServerApp.open_browser": False, "ServerApp.allow_root": True, "LabApp.expose_app_in_browser": True}
    command = [sys.executable, "-m", "jupyterlab", *(f"--{name}={value}" for name, value in settings.items())]
    environment = os.environ | {name: str(home / name) for name in FOLDERS}
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(f"{lab.address}api"), seconds=60)
        yield lab
    finally:
        server.kill()  # asked kindly, it would wait for a kernel that is still starting
        server.wait()


def opened(browser, lab: Lab, name: str):
    """The page of a notebook, drawn."""
    page = browser.new_page(viewport={"width": 1300, "height": 1600})
    page.goto(f"{lab.address}lab/tree/{name}?token={lab.token}&reset")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    page.wait_for_function("window.jupyterapp?.shell.currentWidget?.context?.isReady")
    return page


def notebook_of(*figures, code: Sequence[str] = ()) -> nbformat.NotebookNode:
    """A heading, cells of code, and cells whose outputs are figures."""
    outputs = [nbformat.v4.new_output("display_data", data=figure._repr_mimebundle_()) for figure in figures]
    cells = [nbformat.v4.new_markdown_cell("# Figures"), *map(nbformat.v4.new_code_cell, code)]
    cells += [nbformat.v4.new_code_cell("figure", outputs=[output]) for output in outputs]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel})


def shown_in(path: Path) -> list[str]:
    """The HTML of the outputs of a saved notebook."""
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.get("outputs")]
    return ["".join(cell.outputs[0]["data"].get("text/html", "")) for cell in cells]


def press(control, key: str, times: int = 1) -> None:
    for _ in range(times):
        control.press(key)


def run_all(page) -> None:
    page.wait_for_function(
        "window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'", timeout=60_000
    )
    command(page, "notebook:run-all-cells")


def command(page, name: str) -> None:
    page.evaluate("name => window.jupyterapp.commands.execute(name)", name)


def python(page, expression: str, statement: str = "pass") -> str:
    """What the notebook's kernel says to an expression, after a statement."""
    return page.evaluate(
        """async ([value, code]) => {
             const { kernel } = window.jupyterapp.shell.currentWidget.sessionContext.session;
             const reply = await kernel.requestExecute({ code, user_expressions: { value } }).done;
             return reply.content.user_expressions.value.data["text/plain"];
           }""",
        [expression, statement],
    )
