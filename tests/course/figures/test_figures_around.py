"""What stands around each figure, in Chromium: links, presets, the guess, pictures, the whole screen."""

import io

import numpy as np
import pytest
from conftest import looked_at
from jupyterlab_in_browser import wait_until
from PIL import Image
from test_figures_learning import node

from kdcourse.figures import LossExplorer, Simplex, TemperatureExplorer, save

FIGURES = [
    lambda: TemperatureExplorer([3.0, 1.0, -2.0], ["cat", "dog", "fox"], ask=True),
    lambda: LossExplorer(),
    lambda: LossExplorer(temperature=2.0),
]
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
    save([make() for make in FIGURES], path, "Figures")
    text = path.read_text(encoding="utf-8")
    link = '<a href="#figure=loss-explorer&T=7&square=false">at T = 7</a>'
    path.write_text(text.replace("</h1>", f"</h1>{link}"), encoding="utf-8")
    return path.as_uri()


@pytest.fixture
def page(browser, address):
    context = browser.new_context(viewport={"width": 1920, "height": 1080})
    page, errors, strangers = looked_at(context, address, address)
    yield page
    assert errors == strangers == []
    context.close()


def state(page, anchor: str) -> dict:
    return page.evaluate("anchor => [...kdlearnStates.values()].find((one) => one.anchor === anchor).values", anchor)


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
    start = {"temperature": 1, "scale": "linear", "times_square": True, "index": 0, "cells": "000", "logits": [0, 1, 2]}
    values = {
        "temperature": 0.125,
        "scale": "log",
        "times_square": False,
        "index": 3,
        "cells": "110",
        "logits": [1, 0, -2.5],
    }
    given = {"anchor": "a", "limits": LIMITS, "start": start, "values": values}
    assert node("return P.valuesOf(P.addressOf(given), given);", given, "address") == values
    assert node("return P.addressOf({ ...given, values: given.start });", given, "address") == "#figure=a"


def test_the_page_opens_at_the_state_of_its_address(browser, address):
    page, errors, _ = looked_at(browser, f"{address}#figure=loss-explorer-2&T=10&view=balance", address)
    assert state(page, "loss-explorer-2")["temperature"] == 10 and state(page, "loss-explorer")["temperature"] == 4
    page.get_by_text("How long the gradient of each part is").nth(1).wait_for()
    assert errors == []
    page.close()


def test_a_link_in_the_text_sets_the_figure_and_the_address_follows_it(page):
    page.get_by_role("link", name="at T = 7").click()
    assert state(page, "loss-explorer")["temperature"] == 7 and not state(page, "loss-explorer")["times_square"]
    page.get_by_role("slider", name="Soft weight").first.press("Home")
    page.wait_for_function("location.hash === '#figure=loss-explorer&w=0&T=7&square=false'")
    page.get_by_role("link", name="at T = 7").click()
    page.reload()
    assert state(page, "loss-explorer")["temperature"] == 7


def test_presets_do_what_links_do(page):
    button = page.get_by_role("button", name="T = 10 without T²").first
    button.click()
    assert state(page, "loss-explorer")["temperature"] == 10 and not state(page, "loss-explorer")["times_square"]
    assert button.get_attribute("aria-pressed") == "true"
    assert state(page, "loss-explorer-2")["temperature"] == 2


def test_the_guess_comes_first_once_and_says_the_mechanism(page):
    figure = page.get_by_role("region", name="temperature explorer")
    body, guess = figure.locator(".body"), TemperatureExplorer([1.0, 2.0]).guess
    assert not body.is_visible() and guess["question"] in figure.inner_text()
    assert guess["reply"] not in figure.inner_text()
    figure.get_by_role("button", name=guess["options"][1]).click()
    assert body.is_visible() and guess["reply"] in figure.inner_text()
    assert figure.get_by_role("button", name=guess["options"][1]).get_attribute("aria-pressed") == "true"
    page.reload()
    body.wait_for()
    assert figure.locator(".ask").count() == 0


def test_who_follows_a_link_sees_what_it_sets(browser, address):
    context = browser.new_context()
    page, errors, _ = looked_at(context, f"{address}#figure=temperature-explorer&T=4", address)
    assert page.locator("#temperature-explorer .body").is_visible() and errors == []
    context.close()


def test_the_guess_can_be_skipped_and_stands_aside_on_paper(page):
    figure = page.get_by_role("region", name="temperature explorer")
    page.emulate_media(media="print")
    assert figure.locator(".body").is_visible() and not figure.locator(".ask").is_visible()
    page.emulate_media(media="screen")
    figure.get_by_role("button", name="Show me").click()
    assert figure.locator(".body").is_visible()


def smallest_type(page) -> float:
    return page.evaluate("""() => {
        const host = document.querySelector(":popover-open"), sizes = [];
        for (const node of host.shadowRoot.querySelectorAll(".figure *")) {
            const own = [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
            if (!own || !node.checkVisibility() || node.closest("style, .hidden-text, .at-one")) continue;
            sizes.push(parseFloat(getComputedStyle(node).fontSize));
        }
        return Math.min(...sizes);
    }""")


def test_presenter_mode_fills_the_screen_in_large_type_and_keys_go_through_the_presets(page):
    figure = page.get_by_role("region", name="temperature explorer")
    figure.get_by_role("button", name="Full screen").click()
    page.wait_for_function("document.querySelector(':popover-open')?.offsetWidth === innerWidth")
    figure.get_by_label(f"hands for: {TemperatureExplorer([1.0, 2.0]).guess['options'][0]}").fill("12")
    figure.get_by_role("button", name="Show me").click()
    assert smallest_type(page) >= 24
    assert (
        figure.get_by_placeholder("hands").first.input_value() == "12"
        and figure.get_by_placeholder("hands").first.is_visible()
    )
    temperatures = []
    for key in ("n", "PageDown", "n", "p"):
        page.keyboard.press(key)
        temperatures.append(state(page, "temperature-explorer")["temperature"])
    assert temperatures == [0.5, 1, 4, 1]
    page.keyboard.press("Escape")
    page.wait_for_function("document.querySelector(':popover-open') === null")


def test_it_is_copied_as_a_link_a_png_and_an_svg(browser, address):
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    page, errors, _ = looked_at(context, f"{address}#figure=loss-explorer&T=3", address)
    figure = page.get_by_role("region", name="loss explorer").first
    figure.get_by_role("button", name="Copy link").click()
    figure.get_by_text("The link is copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == f"{address}#figure=loss-explorer&T=3"
    figure.get_by_role("button", name="Copy SVG").click()
    figure.get_by_text("The picture is copied.").wait_for()
    svg = page.evaluate("navigator.clipboard.readText()")
    assert svg.startswith("<svg xmlns") and "Copy SVG" not in svg
    assert (
        page.evaluate(
            "text => new DOMParser().parseFromString(text, 'image/svg+xml').querySelector('parsererror')", svg
        )
        is None
    )
    figure.get_by_role("button", name="Copy PNG").click()
    kinds = "navigator.clipboard.read().then((all) => all[0].types)"
    wait_until(lambda: "image/png" in page.evaluate(kinds))
    bytes_ = page.evaluate("""async () => {
        const blob = await (await navigator.clipboard.read())[0].getType("image/png");
        return [...new Uint8Array(await blob.arrayBuffer())];
    }""")
    pixels = np.array(Image.open(io.BytesIO(bytes(bytes_))).convert("RGB"))
    for colour in ((0, 0x72, 0xB2), (0xB8, 0x7A, 0)):
        assert (pixels == colour).all(axis=-1).sum() > 2000
    assert errors == []
    context.close()


def test_its_limits_are_those_of_its_traits():
    assert Simplex().limits()["label"] == {"min": 0, "max": 2, "whole": True}
    assert LossExplorer().limits()["teacher_logits"] == {"length": 5}
    assert LossExplorer().limits()["times_square"] == {"options": [True, False]}
    assert not {"class_names", "presets", "ask", "guess"} & LossExplorer().limits().keys()
