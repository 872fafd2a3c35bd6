// What stands around each figure: a guess before it, presets below it, a link and a picture of it, the whole screen.

import { addressOf } from "./address.js";
import { button } from "./controls.js";
import { box, create } from "./drawing.js";
import { copyPicture } from "./picture.js";

const GONE = "The kernel is gone. The figure goes on, but Python no longer follows it; run its cell again.";

// Whether a question was asked in this browser; one that keeps nothing asks again.
const kept = (call) => { try { return call(localStorage); } catch { return null; } };
const wasAsked = (question) => kept((storage) => storage.getItem(`kdlearn: ${question}`)) !== null;
const remember = (question) => kept((storage) => storage.setItem(`kdlearn: ${question}`, "asked"));

// A question before the figure, asked once: one click answers it, and the figure appears. In front of a class the
// lecturer types how many hands each option had.
function guessFirst({ question, options, reply }, body, state) {
  if (!question || wasAsked(question)) return null;
  const said = create("p", { role: "status" });
  const show = (answer) => {
    remember(question);
    body.className = "body";
    skip.remove();
    for (const { node, text, hands } of choices) {
      node.disabled = hands.disabled = true;
      node.setAttribute("aria-pressed", String(text === answer));
    }
    said.textContent = reply;
  };
  const choices = options.map((text) => {
    const hands = create("input", { type: "number", min: 0, class: "hands", placeholder: "hands", "aria-label": `hands for: ${text}` });
    return { text, hands, node: button(text, () => show(text)) };
  });
  const skip = button("Show me", () => show(""));
  state.open = () => show("");
  body.className = "body waits";
  return box("ask", create("p", {}, create("strong", {}, "Guess first. "), question),
    box("row tight", ...choices.map(({ node, hands }) => box("row tight", node, hands)), skip), said);
}

// Buttons that set the figure, as links in a text do.
function presetButtons(state) {
  const presets = Object.entries(state.get("presets") ?? {});
  if (!presets.length) return null;
  const nodes = presets.map(([name, values]) => button(name, () => state.assign(values)));
  const mark = () => presets.forEach(([, values], place) => {
    const all = Object.entries(values).every(([name, value]) => String(state.get(name)) === String(value));
    nodes[place].setAttribute("aria-pressed", String(all));
  });
  mark();
  state.on("*", mark);
  return { node: box("row tight presets", create("span", { class: "faint" }, "Try"), ...nodes), end: () => state.off("*", mark) };
}

// The figure alone on the screen, in large type; N and P, or a presenter's keys, go through the presets.
function present(host, state) {
  const presets = Object.values(state.get("presets") ?? {});
  let place = -1;
  const leave = () => {
    if (host.matches(":popover-open")) host.hidePopover();
    host.removeAttribute("popover");
    removeEventListener("keydown", onKey, true);
    document.removeEventListener("fullscreenchange", whenLeft);
    if (document.fullscreenElement) document.exitFullscreen();
  };
  const whenLeft = () => { if (!document.fullscreenElement) leave(); };
  const onKey = (event) => {
    if (event.composedPath()[0].type === "number") return;
    const step = { n: 1, PageDown: 1, p: -1, PageUp: -1 }[event.key];
    if (event.key === "Escape") leave();
    else if (step && presets.length) {
      place = (Math.max(place, step < 0 ? 0 : -1) + step + presets.length) % presets.length;
      state.assign(presets[place]);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  host.popover = "manual";
  host.showPopover();
  addEventListener("keydown", onKey, true);
  document.documentElement.requestFullscreen?.().then(() => document.addEventListener("fullscreenchange", whenLeft), () => {});
  return leave;
}

function tools(host, element, state) {
  const said = create("span", { class: "faint", role: "status" });
  const tell = (promise) => promise.then((words) => { said.textContent = words; }, (error) => { said.textContent = String(error.message); });
  const link = () => {
    const address = location.href.replace(/#.*/, "") + addressOf(state);
    return navigator.clipboard.writeText(address).then(() => "The link is copied.", () => address);
  };
  let leave = () => {};
  const screen = button("Full screen", () => { leave = host.matches(":popover-open") ? leave() : present(host, state); });
  const picture = (kind) => button(`Copy ${kind.toUpperCase()}`, () => tell(copyPicture(element, kind, state.anchor)));
  const node = box("row tight tools", button("Copy link", () => tell(link())), picture("png"), picture("svg"), screen,
    create("span", { class: "faint presented" }, "N: next, P: previous, Esc: back"), said);
  return { node, end: () => leave?.() };
}

// Puts `body` and all that stands around it into the figure's element.
export function surround(host, element, body, state) {
  const gone = create("p", { class: "faint", role: "status" });
  const guess = state.get("ask") && guessFirst(state.get("guess") ?? {}, body, state);
  const presets = presetButtons(state), below = tools(host, element, state);
  const tell = () => { gone.textContent = state.get("kernelGone") ? GONE : ""; };
  tell();
  state.on("kernelGone", tell);
  element.append(...[guess, body, presets?.node, gone, below.node].filter(Boolean));
  return () => { state.off("kernelGone", tell); presets?.end(); below.end(); };
}
