// The balance of the combined loss: how strongly its soft and its hard part pull at the student's logits, over T.

import { box, create, setAttributes, styleOf, svg } from "./drawing.js";
import { between, euclidean, formatNumber, formatTemperature, hardLabelGradient, powerOfTen, softLabelGradient } from "./maths.js";

const LOWEST = -5, HIGHEST = 2, STOPS = 61; // decades of the fixed axis, and temperatures from 0.1 to 100
const temperatures = Array.from({ length: STOPS }, (_, stop) => 10 ** ((3 * stop) / (STOPS - 1) - 1));
const KINDS = ["", "left-out", "hard-part"];
const WORDS = ["soft part with T²", "soft part without T²", "hard part"];

// The lengths of both gradients, with their weights: soft with T², soft without, hard.
export function pulls(z, v, label, temperature, weight, direction = "forward") {
  const soft = [true, false].map((timesSquare) => weight * euclidean(softLabelGradient(z, v, temperature, { direction, timesSquare })));
  return [...soft, (1 - weight) * euclidean(hardLabelGradient(z, label))];
}

const across = (temperature) => (100 * (Math.log10(temperature) + 1)) / 3;
const down = (pull) => 100 * (1 - between(0, (Math.log10(Math.max(pull, 1e-99)) - LOWEST) / (HIGHEST - LOWEST), 1));

export function balance() {
  const line = (x1, y1, x2, y2, kind = "axis") => svg("line", { class: kind, x1: `${x1}%`, y1: `${y1}%`, x2: `${x2}%`, y2: `${y2}%` });
  const ground = [];
  for (let decade = LOWEST; decade <= HIGHEST; decade++) {
    const y = down(10 ** decade);
    ground.push(line(0, y, 100, y), svg("text", { x: "-0.6em", y: `${y}%`, dy: "0.35em", "text-anchor": "end" }, powerOfTen(decade)));
  }
  for (const temperature of [0.1, 1, 10, 100]) {
    const x = across(temperature);
    ground.push(line(x, 0, x, 100), svg("text", { x: `${x}%`, y: "100%", dy: "1.6em", "text-anchor": "middle" }, `T = ${temperature}`));
  }
  const paths = KINDS.map((kind) => svg("path", { class: kind }));
  const dots = KINDS.map((kind) => svg("circle", { class: kind, r: "0.35em" })), now = line(0, 0, 0, 100, "now");
  const chart = svg("svg", { class: "balance", role: "img" }, ...ground, now,
    svg("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none" }, ...paths), ...dots);
  const legend = KINDS.map((kind, which) => {
    const sample = svg("svg", { class: `line-sample ${kind}`, "aria-hidden": "true" }, svg("line", { x1: 0, x2: "100%", y1: "50%", y2: "50%" }));
    return create("span", {}, sample, create("span", {}, WORDS[which]));
  });
  const node = box("stack", styleOf("balance"), create("p", { class: "faint" },
    "How long the gradient of each part is on the student's logits, with its weight, at every temperature; both axes in decades."),
  box("balance-frame", chart), box("row faint", ...legend));

  // Returns what is seen, in words.
  const show = (z, v, label, temperature, weight, direction) => {
    const at = (T) => pulls(z, v, label, T, weight, direction), all = temperatures.map(at), here = at(temperature);
    KINDS.forEach((_, which) => {
      const places = all.map((values, stop) => `${across(temperatures[stop]).toFixed(2)} ${down(values[which]).toFixed(2)}`);
      paths[which].setAttribute("d", `M${places.join("L")}`);
      setAttributes(dots[which], { cx: `${across(temperature)}%`, cy: `${down(here[which])}%` });
      legend[which].lastChild.textContent = `${WORDS[which]}: ${formatNumber(here[which], 3)}`;
    });
    setAttributes(now, { x1: `${across(temperature)}%`, x2: `${across(temperature)}%` });
    const said = `At T = ${formatTemperature(temperature)} the soft part pulls with ${formatNumber(here[0], 3)} with T², with ` +
      `${formatNumber(here[1], 3)} without; the hard part with ${formatNumber(here[2], 3)}.`;
    chart.setAttribute("aria-label", said);
    return said;
  };
  return { node, show };
}
