// The state in the address: #figure=loss-explorer&T=10, by links in the text and by what a reader passes on.

import { between } from "./maths.js";

const SHORT = { T: "temperature", w: "soft_weight", square: "times_square" }; // &times is × in HTML
const LONG = Object.fromEntries(Object.entries(SHORT).map(([short, long]) => [long, short]));

// What a trait takes of a word of the address; undefined where it takes nothing.
function taken(word, { min, max, options, pattern, length }) {
  if (options) return options.find((option) => String(option) === word);
  if (pattern) return new RegExp(`^(?:${pattern})$`).test(word) ? word : undefined;
  const numbers = word.split(",").map((text) => (text.trim() === "" ? NaN : Number(text)));
  if (!numbers.every(Number.isFinite) || numbers.length !== (length ?? 1)) return undefined;
  return length ? numbers : between(min, numbers[0], max);
}

// The values that an address gives the figure of this anchor; undefined if it speaks of another.
export function valuesOf(address, { anchor, limits }) {
  const words = new URLSearchParams(address.replace(/^[^#]*#/, ""));
  if (!anchor || words.get("figure") !== anchor) return undefined;
  const values = {};
  for (const [short, word] of words) {
    const name = SHORT[short] ?? short, value = limits[name] && taken(word, limits[name]);
    if (value !== undefined) values[name] = limits[name].whole ? Math.round(value) : value;
  }
  return values;
}

// The part of an address that holds the figure as it is now: what differs from its start.
export function addressOf({ anchor, limits, start, values }) {
  const words = new URLSearchParams({ figure: anchor });
  for (const name of Object.keys(limits)) {
    if (String(values[name]) !== String(start[name])) words.set(LONG[name] ?? name, values[name]);
  }
  return `#${words}`;
}

// Takes the state from the page's address, or from `address`; returns whether it speaks of this figure.
export function fromAddress(state, address = location.hash) {
  const values = valuesOf(address, state);
  if (values) { state.assign(values); state.open?.(); }
  return Boolean(values);
}

const inLab = () => document.body.dataset.jpThemeLight !== undefined;

// Follows links to the figure, and, on a page that is not an application's, keeps its state in the address.
export function watchAddress(host, state, whenAtRest) {
  const show = (address) => { if (fromAddress(state, address)) host.scrollIntoView({ block: "nearest" }); };
  const whenChanged = () => show(location.hash);
  const whenClicked = (event) => {
    const link = event.composedPath().find((node) => node.tagName === "A");
    if (link?.hash?.startsWith("#figure=") && link.pathname === location.pathname) show(link.hash);
  };
  const end = inLab() ? () => {} : whenAtRest(() => history.replaceState(history.state, "", addressOf(state)));
  addEventListener("hashchange", whenChanged);
  document.addEventListener("click", whenClicked);
  return () => {
    end();
    removeEventListener("hashchange", whenChanged);
    document.removeEventListener("click", whenClicked);
  };
}
