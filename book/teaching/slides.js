// What a deck does beside reveal.js: hands are counted, keys set the figure of a slide, and a handout has no answers.

const handout = new URLSearchParams(location.search).has("handout");
document.documentElement.classList.toggle("handout", handout);

// A figure asks its question again each time a deck is opened, and leaves the address to the slides.
for (const name of Object.keys(localStorage)) if (name.startsWith("kdlearn: ")) localStorage.removeItem(name);
const replaceState = history.replaceState.bind(history);
history.replaceState = (state, title, url) => { if (!String(url).startsWith("#figure=")) replaceState(state, title, url); };

// ---- hands

function countHands(vote) {
  const rows = [...vote.querySelectorAll("li")].map((item) => {
    const input = document.createElement("input"), bar = document.createElement("progress");
    Object.assign(input, { type: "number", min: 0, placeholder: "hands" });
    const words = item.textContent.trim();
    input.setAttribute("aria-label", `hands for: ${words}`);
    bar.setAttribute("aria-label", `share of hands: ${words}`);
    Object.assign(bar, { value: 0, max: 1 });
    const text = document.createElement("span");
    text.append(...item.childNodes);
    item.append(text, input, bar);
    return { input, bar };
  });
  vote.addEventListener("input", () => {
    const most = Math.max(1, ...rows.map(({ input }) => Number(input.value)));
    for (const { input, bar } of rows) bar.value = Number(input.value) / most;
  });
}
document.querySelectorAll(".vote").forEach(countHands);

// ---- figures

// In large type a figure has room for what the slide is about.
const inSlides = new CSSStyleSheet();
inSlides.replaceSync(`.figure { font-size: 28px; max-width: none; margin: 0; padding: 0.6em 1em; }
  .figure input.hands[type="number"] { display: inline-block; width: 7em; }
  .figure .tools, .figure .presets, .figure table, .figure .control:has(select[aria-label="View"]) { display: none; }
  .explorer .track { height: 11em; } .explorer .grid-line { display: none; }
  .drawing { grid-template-columns: 18.6em minmax(0, 1fr); } .drawing .pad { max-width: 12em; }
  .drawing .stack { gap: 0.4em; } .ten .room { height: 7.5em; }
  .drawing ~ *, .ten > .head, .ten > .dots { display: none; }
  ${handout ? ".figure .ask { display: block !important; } .figure .ask button { display: inline-block !important; } .figure .waits .answer { visibility: hidden; }" : ""}`);

function stateOf(figure) {
  return globalThis.kdlearnStates?.get(JSON.parse(figure.querySelector("script").textContent).key);
}

// The last step that is shown decides, over the start.
function setFigure(slide) {
  const figure = slide?.querySelector(".kdlearn-figure"), state = figure && stateOf(figure);
  const steps = [...(slide?.querySelectorAll(".step") ?? [])];
  if (!state || !steps.length) return;
  const shown = steps.filter((step) => step.classList.contains("visible"));
  const values = Object.assign({}, ...shown.map((step) => JSON.parse(step.dataset.state)));
  const touched = new Set(steps.flatMap((step) => Object.keys(JSON.parse(step.dataset.state))));
  for (const name of touched) state.set(name, values[name] ?? state.start[name]);
}

// ---- keys: a control in use keeps its own; a presenter's page keys always turn the slides

function forSlides(event) {
  if (event.defaultPrevented) return false;
  return ["PageUp", "PageDown"].includes(event.key) || !event.composedPath()[0].matches?.("input, select, button, [tabindex]");
}

// Typed hands trap no lecturer: these keys leave the box before the slides see them.
addEventListener("keydown", (event) => {
  const used = event.composedPath()[0];
  if (["Enter", "Escape", "PageUp", "PageDown"].includes(event.key) && used.matches?.('input[type="number"]')) used.blur();
}, { capture: true });

addEventListener("DOMContentLoaded", async () => {
  for (const figure of document.querySelectorAll(".kdlearn-figure")) figure.shadowRoot?.adoptedStyleSheets.push(inSlides);
  await MathJax.startup.promise;
  await Reveal.initialize({
    width: 1920, height: 1080, margin: 0, minScale: 0.1, maxScale: 4, center: false, controls: false, hash: true, slideNumber: "c/t",
    transition: "none", backgroundTransition: "none", pdfSeparateFragments: false, keyboardCondition: forSlides, plugins: [RevealNotes],
  });
  for (const name of ["fragmentshown", "fragmenthidden", "slidechanged"]) {
    Reveal.on(name, () => setFigure(Reveal.getCurrentSlide()));
  }
});
