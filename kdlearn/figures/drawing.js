// What all figures draw with: elements, controls, numbers as text, and the page's theme.

// Okabe and Ito's colours, which stay apart under colour blindness; on a dark ground the lighter of them.
export const STYLE = `
:host { display: block; }
.figure {
  --ink: #1b1f24; --faint: #626a73; --line: #dfe2e6; --paper: #ffffff; --raised: #f4f5f7;
  --black: #1b1f24; --blue: #0072B2; --orange: #B87A00; --green: #00805c; --vermilion: #C04F00; --purple: #A8508A;
  --sans: system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  font: 14px/1.45 var(--sans); font-variant-numeric: tabular-nums; color: var(--ink); background: var(--paper);
  border: 1px solid var(--line); border-radius: 10px; padding: 20px; margin: 8px 0; max-width: 860px;
  box-sizing: border-box; container-type: inline-size; color-scheme: light;
}
.figure[data-theme="dark"] {
  --ink: #e8eaed; --faint: #9aa3ad; --line: #3a4048; --paper: #17191d; --raised: #23272d;
  --black: #e8eaed; --blue: #56B4E9; --orange: #E69F00; --green: #2cc79b; --vermilion: #F08A4B; --purple: #DE9CC4;
  color-scheme: dark;
}
.figure *, .figure *::before { box-sizing: border-box; }
.row { display: flex; flex-wrap: wrap; gap: 12px 24px; align-items: center; }
.stack { display: flex; flex-direction: column; gap: 16px; }
.faint, .control > span:first-child { color: var(--faint); font-size: 13px; }
.control, .control > * { min-width: 0; max-width: 100%; }
.control { display: inline-flex; align-items: center; gap: 8px; }
.slider { display: grid; grid-template-columns: auto 1fr 3.5em; min-width: 0; gap: 12px; }
.row > .slider { flex: 1 1 260px; }
.slider output { text-align: right; font-weight: 600; }
.marks { grid-column: 2; position: relative; height: 14px; margin-top: -14px; font-size: 12px; color: var(--faint); }
.marks:empty { display: none; }
.marks span { position: absolute; transform: translateX(-50%); }
.figure input[type="range"] { width: 100%; min-width: 0; height: 28px; margin: 0; accent-color: var(--blue); touch-action: pan-y; }
.figure button, .figure select {
  font: inherit; color: var(--ink); background: var(--raised); border: 1px solid var(--line); border-radius: 6px;
  min-height: 32px; padding: 3px 12px; margin: 0; cursor: pointer;
}
.figure button:hover:enabled, .figure select:hover { border-color: var(--faint); }
.figure button:disabled { opacity: 0.45; cursor: default; }
.figure :focus-visible { outline: 2px solid var(--blue); outline-offset: 2px; }
@container (max-width: 420px) {
  .slider { grid-template-columns: 1fr auto; gap: 0 12px; }
  .figure .slider input, .marks { order: 1; grid-column: 1 / -1; }
  .marks { margin-top: 0; }
}
.swatch { display: inline-block; width: 16px; height: 11px; border-radius: 2px; margin-right: 8px; }
.hidden-text { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
`;

// An HTML element; properties are set, `class`, `for`, `role`, `aria-…` and `data-…` as attributes; text is never HTML.
export function create(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in node && !name.startsWith("aria")) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

export const box = (kind, ...children) => create("div", { class: kind }, ...children);

export function setAttributes(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
}

// ---- numbers as text

export const powerOfTen = (exponent) => "10" + [...String(exponent)].map((sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]).join("");

// 0.62, 0.0043, 2·10⁻⁷.
export function formatProbability(value) {
  if (value >= 0.01 || value === 0) return value.toFixed(2);
  if (value >= 0.0001) return value.toFixed(4);
  const [digits, exponent] = value.toExponential(0).split("e");
  return `${digits}·${powerOfTen(Number(exponent))}`;
}

// With a true minus sign, which is as wide as a plus.
export function formatNumber(value, digits = 2) {
  return value.toFixed(digits).replace(/^-(0(?:\.0*)?)$/, "$1").replace("-", "−");
}

// Three digits that matter: 0.125, 4, 31.4.
export function formatTemperature(value) {
  return String(Number(value.toPrecision(3)));
}

// ---- controls: native elements, so that keys, touch and screen readers work by themselves

// A labelled slider. `logarithmic` spreads min … max evenly over decades and lets each stop be the roundest number there.
// `marks` are values written below it.
export function slider({ label, min, max, step, value, onInput, format = String, logarithmic = false, marks = [] }) {
  const toPosition = logarithmic ? Math.log10 : Number;
  const fromPosition = logarithmic ? (position) => roundest(position, step) : Number;
  const input = create("input", { type: "range", min: toPosition(min), max: toPosition(max), step, "aria-label": label });
  const output = create("output");
  const show = (current) => {
    output.textContent = format(current);
    input.setAttribute("aria-valuetext", format(current));
  };
  input.addEventListener("input", () => {
    const current = fromPosition(Number(input.value));
    show(current);
    onInput(current);
  });
  const set = (current) => {
    if (fromPosition(Number(input.value)) !== current) input.value = toPosition(current);
    show(current);
  };
  set(value);
  const scale = create("span", { class: "marks", "aria-hidden": "true" }, ...marks.map((mark) => {
    const share = (toPosition(mark) - toPosition(min)) / (toPosition(max) - toPosition(min));
    return create("span", { style: `left: calc(8px + ${share} * (100% - 16px))` }, format(mark));
  }));
  return { node: create("label", { class: "control slider" }, create("span", {}, label), input, output, scale), input, set };
}

// The number of fewest digits that belongs to this stop of a logarithmic slider.
function roundest(position, step) {
  for (const digits of [1, 2]) {
    const candidate = Number((10 ** position).toPrecision(digits));
    if (Math.abs(Math.log10(candidate) - position) <= step / 2) return candidate;
  }
  return Number((10 ** position).toPrecision(3));
}

export function button(label, onClick, properties = {}) {
  const node = create("button", { type: "button", ...properties }, label);
  node.addEventListener("click", onClick);
  return node;
}

// A labelled select; `options` are [value, text] pairs.
export function choice({ label, options, value, onChange }) {
  const select = create("select", { "aria-label": label });
  select.append(...options.map(([name, text]) => create("option", { value: name }, text)));
  select.value = value;
  select.addEventListener("change", () => onChange(select.value));
  const set = (current) => { select.value = current; };
  return { node: create("label", { class: "control" }, create("span", {}, label), select), input: select, set };
}

export function checkbox({ label, value, onChange }) {
  const input = create("input", { type: "checkbox", checked: value });
  input.addEventListener("change", () => onChange(input.checked));
  const set = (current) => { input.checked = current; };
  return { node: create("label", { class: "control" }, input, create("span", {}, label)), input, set };
}

// One of `count` images that lie below each other in one file; `show(index)` chooses it.
export function sprite(source, count, size) {
  const image = create("img", { src: source, alt: "", style: "position: relative; width: 100%; max-width: none; image-rendering: pixelated" });
  const node = create("div", { role: "img", style: `flex: none; width: ${size}px; overflow: hidden; border-radius: 6px` }, image);
  let shown = 0;
  const show = (index) => {
    shown = index;
    const height = (size * image.naturalHeight) / count / (image.naturalWidth || 1);
    node.style.height = `${height}px`;
    image.style.top = `${-height * index}px`;
    node.setAttribute("aria-label", `image ${index + 1} of ${count}`);
  };
  image.addEventListener("load", () => show(shown));
  return { node, show };
}

// What is seen now, for a screen reader: said once the reader's hand rests, not at every pixel.
export function liveText() {
  const node = create("p", { class: "hidden-text", role: "status", "aria-live": "polite" });
  let timer = 0;
  const say = (text) => {
    clearTimeout(timer);
    timer = setTimeout(() => { node.textContent = text; }, 300);
  };
  return { node, say, stop: () => clearTimeout(timer) };
}

// Calls `onKey(moves[key], shift)` for the keys of `moves`, which the page then does not get.
export function whenPressed(node, moves, onKey) {
  node.addEventListener("keydown", (event) => {
    if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    onKey(moves[event.key], event.shiftKey);
  });
}

// Calls `onStep(change)` for arrow keys: 0.1, with shift 1, with the page keys ten times as much.
export function whenStepped(node, onStep) {
  const steps = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10 };
  whenPressed(node, steps, (step, shift) => onStep(step * (shift ? 1 : 0.1)));
}

// Draws now and whenever one of `names` changes; returns what ends it.
export function follow(model, names, draw) {
  names.forEach((name) => model.on(name, draw));
  draw();
  return () => names.forEach((name) => model.off(name, draw));
}

export const temperatureSlider = (model) => slider({
  label: "Temperature", min: 0.1, max: 100, step: 0.005, logarithmic: true, marks: [0.1, 1, 10, 100],
  value: model.get("temperature"), format: formatTemperature, onInput: (value) => model.set("temperature", value),
});

// Calls `onMove(x, y)` in pixels of `frame` from the press of a pointer on `node` to its release.
export function whileDragging(node, frame, onMove) {
  const move = (event) => {
    const box = frame.getBoundingClientRect();
    onMove(event.clientX - box.left, event.clientY - box.top);
  };
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    node.setPointerCapture(event.pointerId);
    node.addEventListener("pointermove", move);
    const release = () => node.removeEventListener("pointermove", move);
    for (const end of ["pointerup", "pointercancel"]) node.addEventListener(end, release, { once: true });
    move(event);
  });
}

// ---- the page's theme

function pageIsDark() {
  const { body, documentElement: root } = document;
  if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === "false"; // JupyterLab
  if (body.dataset.vscodeThemeKind) return !body.dataset.vscodeThemeKind.endsWith("light"); // VS Code
  if (root.dataset.theme) return root.dataset.theme === "dark"; // the book
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

// Keeps `data-theme` of `element` as the page's; returns what ends it.
export function followTheme(element) {
  const follow = () => { element.dataset.theme = pageIsDark() ? "dark" : "light"; };
  const media = matchMedia("(prefers-color-scheme: dark)");
  const watcher = new MutationObserver(follow);
  for (const node of [document.body, document.documentElement]) watcher.observe(node, { attributes: true });
  media.addEventListener("change", follow);
  follow();
  return () => { watcher.disconnect(); media.removeEventListener("change", follow); };
}

// A colour of the theme as text, for a canvas: colourOf(element, "--blue").
export function colourOf(element, name) {
  return getComputedStyle(element).getPropertyValue(name).trim();
}

export function prefersStillness() {
  return matchMedia("(prefers-reduced-motion: reduce)").matches;
}
