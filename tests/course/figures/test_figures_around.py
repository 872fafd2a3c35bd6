"""What stands around each figure, in Chromium: links, presets, the guess, pictures, the whole screen."""

from xml.etree import ElementTree

import pytest
from conftest import looked_at
from figures_in_page import node, state
from jupyterlab_in_browser import wait_until
from test_figures_in_browser import BLUE, ORANGE, pixels_of

from kdcourse.figures import LossExplorer, Simplex, TemperatureExplorer, save

GUESS = TemperatureExplorer([1.0, 2.0]).guess
LIMITS = {
    "temperature": {"min": 0.1, "max": 100},
    "scale": {"options": ["linear", "log"]},
    "times_square": {"options": [True, False]},
    "index": {"min": 0, "max": 3, "whole": True},
    "cells": {"pattern": "[01]{3}"},
    "logits": {"length": 3},
}


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("around") / "figures.html"
    asking = TemperatureExplorer([3.0, 1.0, -2.0], ["cat", "dog", "fox"], ask=True)
    save([asking, LossExplorer(), LossExplorer(temperature=2.0)], path, "Figures")
    link = '<a href="#figure=loss-explorer&T=7&square=false">at T = 7</a>'
    path.write_text(path.read_text(encoding="utf-8").replace("</h1>", f"</h1>{link}"), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def page(request, browser, address):
    """At an address of the page that a test may give."""
    allowed = ["clipboard-read", "clipboard-write"]
    context = browser.new_context(viewport={"width": 1920, "height": 1080}, permissions=allowed)
    page, errors, strangers = looked_at(context, address + getattr(request, "param", ""), address)
    yield page
    assert errors == strangers == []
    context.close()


@pytest.fixture
def asking(page):
    """The figure that asks first."""
    return page.get_by_role("region", name="temperature explorer")


def loss_of(page, twin: str = "") -> tuple:
    return tuple(state(page, name, f"loss-explorer{twin}") for name in ("temperature", "times_square"))


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("figure=a&T=10", {"temperature": 10}),
        ("figure=a&T=1e9&scale=log&square=false", {"temperature": 100, "scale": "log", "times_square": False}),
        ("figure=a&index=1.6&cells=101&logits=1,2,-3.5", {"index": 2, "cells": "101", "logits": [1, 2, -3.5]}),
        ("figure=a&T=cat&T=&scale=cubic&cells=9&logits=1,2&square=1", {}),
        ("figure=a&__proto__=1&constructor=2&unknown=3", {}),
        ("figure=b&T=10", None),
        ("T=10", None),
    ],
)
def test_an_address_sets_what_it_may_and_nothing_else(words, expected):
    given = [f"#{words}", {"anchor": "a", "limits": LIMITS}]
    assert node("return P.valuesOf(...given) ?? null;", given, "address") == expected


def test_an_address_written_is_read_as_the_same_state():
    start = dict(zip(LIMITS, (1, "linear", True, 0, "000", [0, 1, 2]), strict=True))
    values = dict(zip(LIMITS, (0.125, "log", False, 3, "110", [1, 0, -2.5]), strict=True))
    given = {"anchor": "a", "limits": LIMITS, "start": start, "values": values}
    assert node("return P.valuesOf(P.addressOf(given), given);", given, "address") == values
    assert node("return P.addressOf({ ...given, values: given.start });", given, "address") == "#figure=a"


def test_its_limits_are_those_of_its_traits():
    assert Simplex().limits()["label"] == {"min": 0, "max": 2, "whole": True}
    limits = LossExplorer().limits()
    assert limits["temperature"] == {"min": 0.1, "max": 100, "whole": False}
    assert limits["teacher_logits"] == {"length": 5} and limits["times_square"] == {"options": [True, False]}
    assert not {"class_names", "presets", "ask", "guess"} & limits.keys()


@pytest.mark.parametrize("page", ["#figure=loss-explorer-2&T=10&view=balance"], indirect=True)
def test_an_address_opens_the_figure_that_it_names(page):
    assert loss_of(page, "-2") == (10, True) and loss_of(page) == (4, True)
    page.get_by_text("How long the gradient of each part is").nth(1).wait_for()


def test_links_in_the_text_and_presets_set_one_figure_and_the_address_follows_it(page):
    page.get_by_role("link", name="at T = 7").click()
    assert loss_of(page) == (7, False)
    page.get_by_role("slider", name="Soft weight").first.press("Home")
    page.wait_for_function("location.hash === '#figure=loss-explorer&w=0&T=7&square=false'")
    page.get_by_role("link", name="at T = 7").click()
    page.reload()
    assert loss_of(page) == (7, False)
    button = page.get_by_role("button", name="T = 10 without T²").first
    button.click()
    assert button.get_attribute("aria-pressed") == "true"
    assert loss_of(page) == (10, False) and loss_of(page, "-2") == (2, True)


def test_the_guess_comes_first_once_and_says_the_mechanism(page, asking):
    body, option = asking.locator(".body"), asking.get_by_role("button", name=GUESS["options"][1])
    assert not body.is_visible() and GUESS["question"] in asking.inner_text()
    assert GUESS["reply"] not in asking.inner_text()
    page.emulate_media(media="print")
    assert body.is_visible() and not asking.locator(".ask").is_visible()
    page.emulate_media(media="screen")
    option.click()
    assert body.is_visible() and GUESS["reply"] in asking.inner_text()
    assert option.get_attribute("aria-pressed") == "true"
    page.reload()
    body.wait_for()
    assert asking.locator(".ask").count() == 0


@pytest.mark.parametrize("page", ["#figure=temperature-explorer&T=4"], indirect=True)
def test_who_follows_a_link_sees_what_it_sets(asking):
    assert asking.locator(".body").is_visible()


SMALLEST_TYPE = """() => {
    const nodes = [...document.querySelector(":popover-open").shadowRoot.querySelectorAll(".figure *")];
    const hasText = (node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
    const isSeen = (node) => node.checkVisibility() && !node.closest("style, .hidden-text, .at-one");
    const seen = nodes.filter((node) => hasText(node) && isSeen(node));
    return Math.min(...seen.map((node) => parseFloat(getComputedStyle(node).fontSize)));
}"""


def test_presenter_mode_fills_the_screen_in_large_type_and_keys_go_through_the_presets(page, asking):
    asking.get_by_role("button", name="Full screen").click()
    page.wait_for_function("document.querySelector(':popover-open')?.offsetWidth === innerWidth")
    hands = asking.get_by_label(f"hands for: {GUESS['options'][0]}")
    hands.fill("12")
    asking.get_by_role("button", name="Show me").click()
    assert page.evaluate(SMALLEST_TYPE) >= 24
    assert hands.input_value() == "12" and hands.is_visible()
    temperatures = []
    for key in ("n", "PageDown", "n", "p"):
        page.keyboard.press(key)
        temperatures.append(state(page, "temperature", "temperature-explorer"))
    assert temperatures == [0.5, 1, 4, 1]
    page.keyboard.press("Escape")
    page.wait_for_function("document.querySelector(':popover-open') === null")


@pytest.mark.parametrize("page", ["#figure=loss-explorer&T=3"], indirect=True)
def test_it_is_copied_as_a_link_a_png_and_an_svg(page, address):
    figure, copied = page.get_by_role("region", name="loss explorer").first, "navigator.clipboard.readText()"
    figure.get_by_role("button", name="Copy link").click()
    figure.get_by_text("The link is copied.").wait_for()
    assert page.evaluate(copied) == f"{address}#figure=loss-explorer&T=3"
    figure.get_by_role("button", name="Copy SVG").click()
    figure.get_by_text("The picture is copied.").wait_for()
    svg = page.evaluate(copied)
    ElementTree.fromstring(svg)
    assert svg.startswith("<svg xmlns") and "Copy SVG" not in svg
    figure.get_by_role("button", name="Copy PNG").click()
    wait_until(lambda: "image/png" in page.evaluate("navigator.clipboard.read().then((all) => all[0].types)"))
    png = page.evaluate("""async () => {
        const blob = await (await navigator.clipboard.read())[0].getType("image/png");
        return [...new Uint8Array(await blob.arrayBuffer())];
    }""")
    for colour in (BLUE, ORANGE):
        assert (pixels_of(bytes(png)) == colour).all(axis=-1).sum() > 2000
