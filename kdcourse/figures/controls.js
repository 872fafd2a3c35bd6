// What a reader takes hold of: native elements, so that keys, touch and screen readers work by themselves; and drags.

import { create } from "./drawing.js";
import { between, formatNumber, formatTemperature, roundest } from "./maths.js";

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
  const take = () => {
    const current = fromPosition(Number(input.value));
    show(current);
    onInput(current);
  };
  input.addEventListener("input", take);
  whenSwipedAway(input, take);
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

// A finger that scrolls the page moved the slider when it came down: the value from before comes back.
function whenSwipedAway(input, take) {
  let before;
  input.addEventListener("pointerdown", () => { before = input.value; });
  input.addEventListener("pointercancel", () => {
    if (input.value === before) return;
    input.value = before;
    take();
  });
}

export function button(label, onClick, properties = {}) {
  return create("button", { type: "button", onclick: onClick, ...properties }, label);
}

// A labelled select; `options` are [value, text] pairs.
export function choice({ label, options, value, onChange }) {
  const input = create("select", { "aria-label": label }, ...options.map(([name, text]) => create("option", { value: name }, text)));
  const set = (current) => { input.value = current; };
  set(value);
  input.addEventListener("change", () => onChange(input.value));
  return { node: create("label", { class: "control" }, create("span", {}, label), input), input, set };
}

export function checkbox({ label, value, onChange }) {
  const input = create("input", { type: "checkbox", checked: value, onchange: () => onChange(input.checked) });
  const set = (current) => { input.checked = current; };
  return { node: create("label", { class: "control" }, input, create("span", {}, label)), input, set };
}

// What a control needs of the state `name`: its value, and what to do when it is changed.
export function bound(model, name, convert = (value) => value) {
  const set = (value) => model.set(name, convert(value));
  return { value: model.get(name), onInput: set, onChange: set };
}

// Sliders take their range from the Python trait.
export const temperatureSlider = (model, marks = [0.1, 1, 10, 100]) => slider({ ...model.limits.temperature, ...bound(model, "temperature"),
  label: "Temperature", step: 0.005, logarithmic: true, marks, format: formatTemperature });

export const softWeightSlider = (model) => slider({ ...model.limits.soft_weight, ...bound(model, "soft_weight"),
  label: "Soft weight", step: 0.01, marks: [0, 0.5, 1], format: (value) => formatNumber(value) });

// ---- hands and keys

// Calls `onKey(moves[key], shift)` for the keys of `moves`, which the page then does not get.
export function whenPressed(node, moves, onKey) {
  node.addEventListener("keydown", (event) => {
    if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    onKey(moves[event.key], event.shiftKey);
  });
}

// For what moves in a plane.
export const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], Home: [-99, 0], End: [99, 0],
  PageUp: [0, -10], PageDown: [0, 10] };

// Calls `onStep(change)` for arrow keys: 0.1, with shift 1, with the page keys 1 and 10; Home and End change without end.
export function whenStepped(node, onStep) {
  const steps = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1, PageUp: 10, PageDown: -10, Home: -Infinity, End: Infinity };
  whenPressed(node, steps, (step, shift) => onStep(step * (shift ? 1 : 0.1)));
}

// A logit after such a step, within `limit` of 0.
export const stepped = (logit, change, limit) => between(-limit, Number((logit + change).toFixed(6)), limit);

// Calls `onMove(x, y)`, as shares of `frame`, from the press of a pointer on `node` to its release. A finger must first
// choose the node by a tap, unless it moves along the node's `axis`: else it scrolls the page.
export function whileDragging(node, frame, onMove, axis = "") {
  const move = (event) => {
    const { left, top, width, height } = frame.getBoundingClientRect();
    onMove((event.clientX - left) / width, (event.clientY - top) / height);
  };
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    const touch = event.pointerType === "touch", chosen = node.matches(":focus") || axis === "all";
    const [startX, startY] = [event.clientX, event.clientY];
    let holds = !touch || chosen;
    const follow = (later) => {
      const [x, y] = [Math.abs(later.clientX - startX), Math.abs(later.clientY - startY)];
      holds ||= axis === "x" && x > 6 && x > y;
      if (holds) move(later);
    };
    node.setPointerCapture(event.pointerId);
    node.addEventListener("pointermove", follow);
    const release = (later) => {
      node.removeEventListener("pointermove", follow);
      if (later.type === "pointerup" && !holds && Math.hypot(later.clientX - startX, later.clientY - startY) < 10) move(later);
      for (const end of ["pointerup", "pointercancel"]) node.removeEventListener(end, release);
    };
    for (const end of ["pointerup", "pointercancel"]) node.addEventListener(end, release);
    if (holds) move(event);
  });
}
