// Where a figure lives: on a page by itself, or bound to the Python object of a kernel. Figures know neither.

import { fromAddress, watchAddress } from "./address.js";
import { surround } from "./around.js";
import { create, followTheme, styleOf } from "./drawing.js";

// One state a figure, by its key: all views follow, whether a kernel is there, comes later or goes.
const states = (globalThis.kdlearnStates ??= new Map());

const same = (one, other) => Object.is(one, other) || JSON.stringify(one) === JSON.stringify(other);

// `limits` says of each trait what it takes, `anchor` how the address names the figure.
export class State {
  constructor(values, { anchor = "", limits = {} } = {}) {
    Object.assign(this, { anchor, limits, start: { ...values }, values: { ...values }, callbacks: new Map() });
  }

  get(name) {
    return this.values[name];
  }

  set(name, value) {
    if (same(this.values[name], value)) return;
    this.values[name] = value;
    for (const called of [name, "*"]) for (const callback of [...(this.callbacks.get(called) ?? [])]) callback(value);
  }

  // Several at once.
  assign(values) {
    for (const [name, value] of Object.entries(values)) this.set(name, value);
  }

  on(name, callback) {
    if (!this.callbacks.has(name)) this.callbacks.set(name, new Set());
    this.callbacks.get(name).add(callback);
  }

  off(name, callback) {
    this.callbacks.get(name)?.delete(callback);
  }
}

// The second figure of a kind on a page is called …-2.
function stateOf({ key, anchor, limits }, values) {
  if (states.has(key)) states.get(key).assign(values);
  else {
    const twins = [...states.keys()].filter((other) => other.split("-")[0] === key.split("-")[0]).length;
    states.set(key, new State(values, { anchor: anchor + (twins ? `-${twins + 1}` : ""), limits }));
  }
  return states.get(key);
}

let held = false; // whether a pointer is pressed
for (const [name, value] of [["pointerdown", true], ["pointerup", false], ["pointercancel", false]]) {
  document.addEventListener(name, () => { held = value; }, true);
}

// Calls `react` a second after the last change, when no pointer is pressed.
function whenAtRest(state, react, wait = 1000) {
  let timer = 0;
  const look = () => { if (held) later(); else react(); };
  const later = () => { clearTimeout(timer); timer = setTimeout(look, wait); };
  state.on("*", later);
  return () => { clearTimeout(timer); state.off("*", later); };
}

// Changes go both ways; those of the page are sent after it has drawn, many at once. When the page rests, Python is
// asked to show the figure again as it is now, so that a saved notebook holds what was seen.
function bind(state, model, names) {
  const waiting = new Set();
  const send = () => {
    for (const name of waiting) model.set(name, state.get(name));
    waiting.clear();
    model.save_changes();
  };
  const ends = names.map((name) => {
    const toKernel = (value) => {
      if (same(model.get(name), value)) return;
      if (waiting.size === 0) setTimeout(send);
      waiting.add(name);
    };
    const toPage = () => { if (!waiting.has(name)) state.set(name, model.get(name)); };
    state.on(name, toKernel);
    model.on(`change:${name}`, toPage);
    return () => { state.off(name, toKernel); model.off(`change:${name}`, toPage); };
  });
  ends.push(whenAtRest(state, () => state.get("kernelGone") || model.send("at rest")));
  const { kernel } = model.widget_manager ?? {};
  const gone = (_, status = "dead") => state.set("kernelGone", ["dead", "terminating", "unknown"].includes(status));
  kernel?.statusChanged?.connect(gone);
  kernel?.disposed?.connect((it) => gone(it));
  return () => ends.forEach((end) => end());
}

function show(host, figure, state) {
  host.dataset.lmSuppressShortcuts = ""; // JupyterLab would take the arrow keys
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  const element = create("section", { class: "figure", "aria-label": figure.name.replace(/(?!^)[A-Z]/g, " $&").toLowerCase() });
  const body = create("div", { class: "body" });
  root.replaceChildren(styleOf("figure"), element);
  const ends = [followTheme(element), surround(host, element, body, state), figure(state, body)];
  return () => ends.forEach((end) => end?.());
}

// An output that is shown again takes the place of the one with the focus.
const controls = "input, select, button, [tabindex]";
function keepFocus(host, state) {
  const all = () => [...host.shadowRoot.querySelectorAll(controls)];
  if (performance.now() - (state.usedAt ?? -1e9) < 9999 && document.activeElement?.contains(host)) { // not on another control
    all()[state.usedPlace]?.focus({ preventScroll: true });
  }
  const use = ({ target }) => Object.assign(state, { usedAt: performance.now(), usedPlace: all().indexOf(target) });
  for (const name of ["keydown", "focusin"]) host.shadowRoot.addEventListener(name, use);
}

// The element of an output and of a static page. Its shadow covers the picture that it holds.
export function define(tag, figure) {
  if (customElements.get(tag)) return;
  customElements.define(tag, class extends HTMLElement {
    connectedCallback() {
      const { values, ...about } = JSON.parse(this.querySelector("script[type='application/json']").textContent);
      if (!this.state) this.state = states.get(about.key)?.bound ? states.get(about.key) : stateOf(about, values);
      this.end = show(this, figure, this.state);
      keepFocus(this, this.state);
      this.id ||= this.state.anchor;
      if (this.state.bound) return;
      if (fromAddress(this.state)) requestAnimationFrame(() => this.scrollIntoView());
      this.forget = watchAddress(this, this.state, (write) => whenAtRest(this.state, write, 300));
    }

    disconnectedCallback() {
      this.end?.();
      this.forget?.();
    }
  });
}

// What anywidget calls: `initialize` when the Python object is there, `render` for a view inside other widgets.
export const hooks = (figure) => ({
  initialize({ model }) {
    const { names, ...about } = model.get("_figure");
    const state = stateOf(about, Object.fromEntries(names.map((name) => [name, model.get(name)])));
    state.bound = true;
    const end = bind(state, model, names);
    return () => { end(); state.bound = false; };
  },

  render({ model, el }) {
    el.style.cssText += "flex: 1 1 26em; min-width: 0"; // in an HBox
    return show(el.appendChild(create("div")), figure, states.get(model.get("_figure").key));
  },
});
