// What all figures draw with: elements, marks, and the page's theme.

// The rules of `name`.css, beside this file.
export const styleOf = (name) => create("style", {}, STYLES[name]);

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

// ---- marks: SVG, which is printed and survives forced colours, as backgrounds do not

export function svg(tag, attributes = {}, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  setAttributes(node, attributes);
  node.append(...children);
  return node;
}

// A rectangle that is placed and sized by style, and filled by its class.
export const mark = (kind = "") => svg("svg", { class: kind, "aria-hidden": "true" }, svg("rect", { width: "100%", height: "100%" }));

export const swatch = (kind) => mark(`swatch ${kind}`);

// Image `index` of `count` equal ones that lie below each other in one file.
export function imageOf(source, count, index = 0) {
  const node = create("img", { class: "image", src: source, alt: "", draggable: false });
  const show = (which) => { node.style.objectPosition = `0 ${(100 * which) / Math.max(1, count - 1)}%`; };
  show(index);
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

// Draws now and whenever one of `names` changes; returns what ends it.
export function follow(model, names, draw) {
  names.forEach((name) => model.on(name, draw));
  draw();
  return () => names.forEach((name) => model.off(name, draw));
}

// ---- the page's theme

function pageIsDark() {
  const { body, documentElement: root } = document;
  if (body.dataset.jpThemeLight) return body.dataset.jpThemeLight === "false"; // JupyterLab
  if (body.dataset.vscodeThemeKind) return !body.dataset.vscodeThemeKind.endsWith("light"); // VS Code
  if (root.dataset.theme) return root.dataset.theme === "dark"; // the book
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

// Keeps `data-theme` of `element` as the page's, and light on paper; returns what ends it.
export function followTheme(element) {
  const media = ["(prefers-color-scheme: dark)", "print"].map((query) => matchMedia(query));
  const follow = () => { element.dataset.theme = pageIsDark() && !media[1].matches ? "dark" : "light"; };
  const watcher = new MutationObserver(follow);
  for (const node of [document.body, document.documentElement]) watcher.observe(node, { attributes: true });
  media.forEach((one) => one.addEventListener("change", follow));
  follow();
  return () => { watcher.disconnect(); media.forEach((one) => one.removeEventListener("change", follow)); };
}

// A colour of the theme as text, for a canvas: colourOf(element, "--blue").
export function colourOf(element, name) {
  return getComputedStyle(element).getPropertyValue(name).trim();
}
