// Where a figure lives: on a page by itself, or bound to the Python object of a running kernel. Figures know neither.

import { STYLE, create, followTheme } from "./drawing.js";

// One state a figure, by its key: all views of it follow, whether a kernel is there, comes later or goes.
const states = (globalThis.kdlearnStates ??= new Map());

const same = (one, other) => Object.is(one, other) || JSON.stringify(one) === JSON.stringify(other);

export class State {
  constructor(values) {
    this.values = { ...values };
    this.callbacks = new Map();
  }

  get(name) {
    return this.values[name];
  }

  set(name, value) {
    if (same(this.values[name], value)) return;
    this.values[name] = value;
    for (const callback of [...(this.callbacks.get(name) ?? [])]) callback(value);
  }

  on(name, callback) {
    if (!this.callbacks.has(name)) this.callbacks.set(name, new Set());
    this.callbacks.get(name).add(callback);
  }

  off(name, callback) {
    this.callbacks.get(name)?.delete(callback);
  }
}

function stateOf(key, values) {
  if (states.has(key)) for (const [name, value] of Object.entries(values)) states.get(key).set(name, value);
  else states.set(key, new State(values));
  return states.get(key);
}

// Changes go both ways. Those of the page are sent after it has drawn, many at once if they come fast.
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
  return () => ends.forEach((end) => end());
}

function show(host, figure, state) {
  host.dataset.lmSuppressShortcuts = ""; // JupyterLab would take the arrow keys
  const root = host.shadowRoot ?? host.attachShadow({ mode: "open" });
  const element = create("section", { class: "figure", "aria-label": figure.name.replace(/(?!^)[A-Z]/g, " $&").toLowerCase() });
  root.replaceChildren(create("style", {}, STYLE), element);
  const ends = [followTheme(element), figure(state, element)];
  return () => ends.forEach((end) => end?.());
}

// The element of a notebook's output and of a static page. Its shadow covers the picture that it holds.
export function define(tag, figure) {
  if (customElements.get(tag)) return;
  customElements.define(tag, class extends HTMLElement {
    connectedCallback() {
      const { key, values } = JSON.parse(this.querySelector("script[type='application/json']").textContent);
      if (!this.state) this.state = states.get(key)?.bound ? states.get(key) : stateOf(key, values);
      this.end = show(this, figure, this.state);
    }

    disconnectedCallback() {
      this.end?.();
    }
  });
}

// What anywidget calls: `initialize` as soon as the Python object is there, `render` for a view inside other widgets.
export const hooks = (figure) => ({
  initialize({ model }) {
    const { key, names } = model.get("_figure");
    const state = stateOf(key, Object.fromEntries(names.map((name) => [name, model.get(name)])));
    state.bound = true;
    const end = bind(state, model, names);
    return () => { end(); state.bound = false; };
  },

  render: ({ model, el }) => show(el.appendChild(create("div")), figure, states.get(model.get("_figure").key)),
});
