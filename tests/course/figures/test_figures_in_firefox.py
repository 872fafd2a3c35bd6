"""The figures in Firefox: the page itself moves their controls and sends what it saw, so that no driver is needed."""

import http.server
import json
import queue
import shutil
import subprocess
import threading
from functools import partial

import pytest
from conftest import require

from kdcourse.commands.explore import figures_of_the_course
from kdcourse.figures import save

pytestmark = pytest.mark.release
FIREFOX = shutil.which("firefox") or shutil.which("firefox-esr")
WATCH = """<script>
const errors = [];
addEventListener("error", ({ message }) => errors.push(message));
addEventListener("load", () => requestAnimationFrame(() => {
  const seen = [...document.querySelectorAll(".kdlearn-figure")].map((host) => {
    const section = host.shadowRoot.querySelector("section"), before = section.innerText;
    const slider = section.querySelector("input[type=range]"), marks = section.querySelectorAll("svg, canvas").length;
    const control = slider ?? section.querySelector("select");
    if (slider) slider.stepUp(100);
    else control.selectedIndex = control.options.length - 1;
    for (const kind of ["input", "change"]) control.dispatchEvent(new Event(kind));
    const name = section.getAttribute("aria-label"), follows = section.innerText !== before;
    return { name, follows, marks, wide: host.offsetWidth };
  });
  fetch("seen", { method: "POST", body: JSON.stringify({ errors, seen }) });
}));
</script>"""


class Listener(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and keeps what a page posts."""

    told: queue.Queue = queue.Queue()

    def do_POST(self) -> None:
        self.told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> dict:
    require(FIREFOX is not None, "this looks at the figures in Firefox: apt-get install firefox-esr")
    folder, profile = (tmp_path_factory.mktemp(name) for name in ("page", "profile"))
    save(figures_of_the_course(), folder / "figures.html", "All figures")
    text = (folder / "figures.html").read_text(encoding="utf-8")
    (folder / "figures.html").write_text(text.replace("</title>", f"</title>{WATCH}"), encoding="utf-8")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Listener, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/figures.html"
        with subprocess.Popen([FIREFOX, "--headless", "--no-remote", "--profile", profile, address]) as firefox:
            try:
                return Listener.told.get(timeout=300)
            finally:
                firefox.terminate()
                server.shutdown()


def test_every_figure_lives_and_follows_its_first_control(told):
    assert told["errors"] == []
    names = [one["name"].replace(" ", "") for one in told["seen"]]
    assert names == [type(figure).__name__.lower() for figure in figures_of_the_course()]
    assert all(one["follows"] and one["marks"] > 0 and one["wide"] > 300 for one in told["seen"])
