// Three classes: distributions are a triangle. Where do the losses pull a student, and on which path?

import { MOVES, bound, checkbox, choice, softWeightSlider, temperatureSlider, whenPressed, whileDragging } from "./controls.js";
import { box, create, follow, liveText, setAttributes, styleOf, svg } from "./drawing.js";
import { between, distillationGradient, euclidean, formatNumber, formatPercent, formatTemperature, hardLabelGradient, softLabelGradient, softmax, sum } from "./maths.js";

const HEIGHT = Math.sqrt(3) / 2, STEPS = 400, RATE = 0.2, DIVISIONS = 12, VERTICES = [[0, HEIGHT], [1, HEIGHT], [0.5, 0]];

// The place of a distribution, and the distribution of a place, a little inside.
export const placeOf = (p) => [0, 1].map((axis) => sum(p.map((share, k) => share * VERTICES[k][axis])));
export function distributionAt([x, y]) {
  const top = 1 - y / HEIGHT, right = x - top / 2;
  const shares = [1 - top - right, right, top].map((share) => Math.max(0.004, share));
  return shares.map((share) => share / sum(shares));
}

export function gradientOf(kind, z, v, label, temperature, weight, timesSquare) {
  if (kind === "hard") return hardLabelGradient(z, label);
  if (kind === "soft") return softLabelGradient(z, v, temperature, { timesSquare });
  return distillationGradient(z, v, label, temperature, weight, { timesSquare });
}

// Gradient descent on the logits: where the student is after each step, as logits.
export function pathOf(z, gradient) {
  const path = [z];
  for (let step = 0; step < STEPS; step++) {
    const slope = gradient(path[step]);
    path.push(path[step].map((logit, k) => logit - RATE * slope[k]));
  }
  return path;
}

const centred = (logits) => logits.map((logit) => logit - sum(logits) / 3);
// Logits without their mean have two dimensions; the third logit points up.
const inPlane = (logits) => [(logits[1] - logits[0]) / Math.SQRT2, (-centred(logits)[2] * Math.sqrt(6)) / 2];
const line = (places) => `M${places.map((place) => place.map((value) => value.toFixed(4)).join(" ")).join("L")}`;

const told = (p, names) => names.map((name, k) => `${name} ${formatPercent(p[k])}`).join(", ");

// Distributions spread evenly over the triangle.
const GROUND = Array.from({ length: DIVISIONS }, (_, row) => Array.from({ length: DIVISIONS - row }, (_, column) =>
  [row, column, DIVISIONS - 1 - row - column].map((part) => (part + 0.4) / (DIVISIONS + 0.2)))).flat();

// A dot that hand and keys move over the triangle.
function handle(whose, frame, onMove) {
  const node = svg("g", { class: `hold of-${whose}`, role: "slider", tabindex: 0 }, svg("circle", { r: 0.024 }), svg("text", { y: -0.04 }, whose));
  let at = [0, 0];
  whileDragging(node, frame, (x, y) => onMove([x * 1.2 - 0.1, y * (HEIGHT + 0.24) - 0.12]), "all");
  whenPressed(node, MOVES, (move, shift) => onMove(move.map((step, axis) => at[axis] + 0.005 * step * (shift ? 10 : 1))));
  const show = (p, names) => {
    at = placeOf(p);
    node.setAttribute("transform", `translate(${at})`);
    setAttributes(node, { "aria-label": `${whose}'s distribution`, "aria-valuenow": (100 * p[0]).toFixed(0), "aria-valuemin": 0, "aria-valuemax": 100,
      "aria-valuetext": told(p, names) });
  };
  return { node, show };
}

export function Simplex(model, element) {
  const names = model.get("class_names"), get = (name) => model.get(name), live = liveText(), words = create("p");
  const field = svg("g", { class: "field" }), way = svg("path", { class: "way" }), plainWay = svg("path", { class: "way" });
  const arrows = svg("path"), ground = GROUND.map(placeOf);
  field.append(arrows, ...ground.map(([cx, cy]) => svg("circle", { cx, cy, r: 0.006 })));
  const triangle = svg("svg", { class: "triangle", viewBox: `-0.1 -0.12 1.2 ${HEIGHT + 0.24}` });
  const set = (whose) => (place) => {
    const T = get("temperature"); // both are seen at T: the hand moves softmax(logits / T)
    model.set(`${whose}_logits`, centred(distributionAt(place).map(Math.log)).map((logit) => Number((between(-12, logit, 12) * T).toFixed(4))));
  };
  const [teacher, student] = ["teacher", "student"].map((whose) => handle(whose, triangle, set(whose)));
  const corners = names.map((name, k) => svg("text", { class: "corner-name", x: VERTICES[k][0], y: VERTICES[k][1] + (k < 2 ? 0.08 : -0.05) }, name));
  triangle.append(svg("path", { class: "edge", d: `${line(VERTICES)}Z` }), field, way, ...corners, teacher.node, student.node);
  const dot = svg("circle", { r: 0.03, fill: "var(--orange)" }), end = svg("circle", { r: 0.02, fill: "var(--blue)" });
  const plane = svg("svg", { class: "triangle plane", viewBox: "-1.1 -1.1 2.2 2.2", role: "img" },
    svg("path", { class: "grid", d: "M-1 0H1M0 -1V1" }), plainWay, dot, end);
  const controls = {
    temperature: temperatureSlider(model),
    soft_weight: softWeightSlider(model),
    loss: choice({ label: "Loss", options: [["hard", "hard: ground truth"], ["soft", "soft: the teacher"], ["mixed", "mixed"]], ...bound(model, "loss") }),
    label: choice({ label: "Ground truth", options: names.map((name, k) => [k, name]), ...bound(model, "label", Number) }),
    times_square: checkbox({ label: "times T²", ...bound(model, "times_square") }),
  };
  const [temperature, weight, ...others] = Object.values(controls).map(({ node }) => node);
  element.append(styleOf("simplex"), box("stack", box("row", temperature, weight), box("row", ...others),
    box("sides", box("", create("p", { class: "faint" }, "Probabilities at T: descent leads away from each dot"), triangle),
      box("", create("p", { class: "faint" }, "The same path of the logits, less their mean; orange: the teacher"), plane)),
    words, live.node));

  const stop = follow(model, [...Object.keys(controls), "student_logits", "teacher_logits"], () => {
    const [z, v, T, w, kind, label, square] = ["student_logits", "teacher_logits", "temperature", "soft_weight", "loss", "label", "times_square"].map(get);
    for (const [name, control] of Object.entries(controls)) control.set(get(name));
    const gradient = (logits) => gradientOf(kind, logits, v, label, T, w, square), path = pathOf(z, gradient);
    arrows.setAttribute("d", GROUND.map((p, place) => { // one step of descent on the logits, seen in the triangle
      const from = ground[place], logits = p.map((share) => T * Math.log(share)), slope = gradient(logits);
      const to = placeOf(softmax(logits.map((logit, k) => logit - 0.02 * T * slope[k]), T));
      const step = to.map((value, axis) => value - from[axis]), long = Math.min(0.05, 6 * euclidean(step)), unit = euclidean(step) || 1;
      return line([from, from.map((value, axis) => value + (long * step[axis]) / unit)]);
    }).join(""));
    way.setAttribute("d", line(path.map((logits) => placeOf(softmax(logits, T)))));
    teacher.show(softmax(v, T), names);
    student.show(softmax(z, T), names);
    const flat = [v, ...path].map(inPlane), reach = Math.max(4, ...flat.flat().map(Math.abs));
    const [goal, ...steps] = flat.map((place) => place.map((value) => value / reach));
    plainWay.setAttribute("d", line(steps));
    [[dot, goal], [end, steps.at(-1)]].forEach(([circle, [cx, cy]]) => setAttributes(circle, { cx, cy }));
    const pulls = ["hard", "soft"].map((part) => formatNumber(euclidean(gradientOf(part, z, v, label, T, w, square)), 3));
    words.textContent = `At the student the hard loss pulls with ${pulls[0]}, the soft loss ${square ? "with" : "without"} T² with ${pulls[1]}. `
      + `After ${STEPS} steps of descent the student gives ${told(softmax(path.at(-1), T), names)} at T = ${formatTemperature(T)}.`;
    plane.setAttribute("aria-label", words.textContent);
    live.say(words.textContent);
  });
  return () => { stop(); live.stop(); };
}
