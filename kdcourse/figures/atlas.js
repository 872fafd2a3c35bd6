// The atlas: gains by temperature and soft weight as they were measured, and what of them is labels, what softness.

import { MOVES, bound, button, choice, whenPressed } from "./controls.js";
import { box, create, follow, liveText, mark, setAttributes, styleOf, svg } from "./drawing.js";
import { between, formatNumber, largestOf, ranked, withSign } from "./maths.js";

const CHOICES = { images: "Labelled images", kind: "Teacher", width: "Student's width", length: "Updates", rate: "Learning rate" };
const PARTS = { labels: "Labels: hard labels − ground truth", softness: "Softness: these soft labels − hard labels",
  gain: "Together: these soft labels − ground truth" };
const FULL = 10; // points from which a colour is full
const count = (value) => (typeof value === "number" ? value.toLocaleString("en-GB") : value);

// Whether the interval holds 0.
export const isNoise = ([mean, half]) => Math.abs(mean) <= half;
const asText = ([mean, half]) => `${withSign(mean)} ± ${formatNumber(half, 1)}`;

// What was measured, by its choices; and that which differs in the fewest of them.
export const sceneOf = (scenes, wanted) => scenes.find((scene) => Object.keys(CHOICES).every((name) => scene[name] === wanted[name]));
export const nearest = (scenes, wanted) =>
  scenes[ranked(scenes.map((scene) => Object.keys(CHOICES).filter((name) => scene[name] === wanted[name]).length))[0]];

// The three differences of one cell, a pair of mean and half width each; undefined where it was not measured.
export function differences(scene, temperature, weight) {
  const cell = scene?.cells.find(([T, w]) => T === temperature && w === weight);
  return cell && { labels: scene.labels, softness: cell.slice(4), gain: cell.slice(2, 4) };
}

// The axis of the intervals, which stays: multiples of 5 beyond every interval of any scene, and 0 between them.
export function reach(scenes) {
  const pairs = scenes.flatMap(({ labels, cells }) => [labels, ...cells.flatMap((cell) => [cell.slice(2, 4), cell.slice(4)])]);
  const end = (sign) => 5 * Math.ceil(Math.max(1, largestOf(pairs.map(([mean, half]) => sign * mean + half))) / 5);
  return [-end(-1), end(1)];
}

// A row a weight, a column a temperature; arrow keys and hands choose the cell that is told.
function map(temperatures, weights, onChoose) {
  const cells = weights.map((weight, row) => temperatures.map((temperature, column) => {
    const [value, half, ground] = [create("span"), create("span", { class: "half" }), mark()];
    const node = create("td", { role: "gridcell", onclick: () => choose(column, row) }, ground, value, half);
    return { node, value, half, ground, temperature, weight };
  }));
  const body = cells.map((row, place) => create("tr", { role: "row" }, create("th", { role: "rowheader" }, String(weights[place])), ...row.map(({ node }) => node)));
  const head = create("tr", { role: "row" }, create("th", { role: "columnheader" }, "weight"), ...temperatures.map((T) => create("th", { role: "columnheader" }, `T = ${T}`)));
  const node = create("table", { role: "grid", class: "map" }, ...[head, ...body]);
  let at = [0, 0];
  const choose = (column, row) => {
    onChoose(temperatures[column], weights[row]);
    cells[row][column].node.focus();
  };
  whenPressed(node, MOVES, (move) => choose(...[temperatures, weights].map((all, axis) => between(0, at[axis] + move[axis], all.length - 1))));
  const show = (scene, part, chosen) => {
    at = [temperatures.indexOf(chosen[0]), weights.indexOf(chosen[1])];
    cells.flat().forEach(({ node: cell, value, half, ground, temperature, weight }) => {
      const found = differences(scene, temperature, weight)?.[part], here = temperature === chosen[0] && weight === chosen[1];
      const kind = !found ? "" : isNoise(found) ? "noise" : found[0] > 0 ? "more" : "less";
      cell.className = kind;
      value.textContent = found ? withSign(found[0]) : "–";
      half.textContent = found ? `± ${formatNumber(found[1], 1)}` : "";
      ground.style.opacity = kind === "more" || kind === "less" ? 0.15 + 0.4 * Math.min(1, Math.abs(found[0]) / FULL) : 1;
      setAttributes(cell, { tabindex: here ? 0 : -1, "aria-selected": String(here),
        "aria-label": `T = ${temperature}, weight ${weight}: ${found ? `${asText(found)} points${kind === "noise" ? ", not distinguishable from 0" : ""}` : "not measured"}` });
    });
  };
  return { node, show };
}

// An interval on the fixed axis.
function intervalRow(words, place) {
  const range = svg("line", { class: "range", y1: "50%", y2: "50%" }), dot = svg("circle", { cy: "50%", r: "0.15em" }), number = create("span");
  const chart = svg("svg", { class: "interval", "aria-hidden": "true" }, svg("line", { class: "zero", x1: place(0), x2: place(0), y1: 0, y2: "100%" }), range, dot);
  const show = (pair) => {
    chart.setAttribute("class", `interval ${!pair ? "absent" : isNoise(pair) ? "noise" : pair[0] > 0 ? "more" : "less"}`);
    number.textContent = pair ? asText(pair) : "–";
    if (!pair) return;
    setAttributes(range, { x1: place(pair[0] - pair[1]), x2: place(pair[0] + pair[1]) });
    dot.setAttribute("cx", place(pair[0]));
  };
  return { node: box("part", create("span", {}, words), chart, number), show };
}

export function Atlas(model, element) {
  const get = (name) => model.get(name), { limits } = model, scenes = get("scenes"), kinds = get("kinds"), live = liveText();
  const wanted = () => Object.fromEntries(Object.keys(CHOICES).map((name) => [name, get(name)]));
  const controls = Object.fromEntries(Object.entries(CHOICES).map(([name, label]) => [name, choice({ label,
    options: limits[name].options.map((value) => [value, kinds[value] ?? count(value)]),
    ...bound(model, name, (word) => limits[name].options.find((value) => String(value) === word)) })]));
  controls.part = choice({ label: "The map shows", options: [["gain", "the gain"], ["softness", "softness's part"]], ...bound(model, "part") });
  const ends = reach(scenes), place = (value) => `${(100 * (value - ends[0])) / (ends[1] - ends[0])}%`;
  const grid = map(limits.temperature.options, [...limits.soft_weight.options].reverse(), (temperature, soft_weight) => model.assign({ temperature, soft_weight }));
  const rows = Object.entries(PARTS).map(([part, words]) => [part, intervalRow(words, place)]), words = create("p");
  const axis = box("axis", ...[ends[0], 0, ends[1]].map((value) => create("span", { style: `left: ${place(value)}` }, withSign(value, 0))));
  const missing = create("span"), to = button("Show the nearest that was", () => {
    const { labels, cells, ...choices } = nearest(scenes, wanted());
    model.assign(choices);
  });
  const gap = box("row tight", missing, to);
  element.append(styleOf("atlas"), box("stack", box("row", ...Object.values(controls).map(({ node }) => node)), gap,
    box("answer stack", grid.node, create("p", { class: "faint" }, `In points; ± is the 95 % interval over ${get("replicates")} replicates, each with a teacher and a split `
      + "of its own. The intervals are not adjusted for how many there are: the best of many cells looks better than it is. Grey: not distinguishable from 0. "
      + "–: not measured. Below weight 1 the ground truth is mixed in."), words,
    box("", ...rows.map(([, row]) => row.node), box("part", create("span"), axis))), live.node));

  const end = follow(model, [...Object.keys(controls), "temperature", "soft_weight"], () => {
    const now = wanted(), scene = sceneOf(scenes, now), [T, weight, part] = ["temperature", "soft_weight", "part"].map(get);
    const found = differences(scene, T, weight);
    for (const [name, control] of Object.entries(controls)) control.set(get(name));
    gap.hidden = to.disabled = Boolean(scene);
    missing.textContent = "These choices were not measured together.";
    grid.show(scene, part, [T, weight]);
    grid.node.setAttribute("aria-label", `${part === "gain" ? "Gain over ground truth" : "Softness's part"}, by soft weight and temperature`);
    rows.forEach(([name, row]) => row.show(name === "labels" ? scene?.labels : found?.[name]));
    words.textContent = `T = ${T}, weight ${weight}: ${found ? `${asText(found.gain)} points over ground truth${isNoise(found.gain) ? ", not distinguishable from 0" : ""}; `
      + `${asText(found.labels)} by the teacher's hard labels, ${asText(found.softness)} by softness.` : "not measured here."}`;
    live.say(scene ? words.textContent : missing.textContent);
  });
  return () => { end(); live.stop(); };
}
