// Teacher and student, a row a class: their probabilities, which can be dragged, the push that gradient descent gives
// each of the student's logits, and how the loss adds up.

import { balance } from "./balance.js";
import { bound, button, checkbox, choice, softWeightSlider, stepped, temperatureSlider, whenStepped, whileDragging } from "./controls.js";
import { box, create, follow, liveText, mark, setAttributes, styleOf, svg, swatch } from "./drawing.js";
import { between, distillationGradient, formatNumber, formatProbability, formatTemperature, hardLabelLoss, klDivergence, largestOf, logitFor, ranked, roundScale, softmax, sum, withSign } from "./maths.js";

const MOST_ROWS = 20, TOP_ROWS = 10;

const formatLoss = (value) => formatNumber(value, value < 100 ? 3 : 1);
const formatPush = (value) => withSign(value, Math.abs(value) < 10 ? 3 : 1);

// A bar with its number; with hands it is a slider for its logit.
function barOf(whose, track, attributes = {}) {
  const length = mark(whose), number = create("span"), node = create("div", { class: "bar", ...attributes }, length, number);
  track.append(node);
  const show = (probability) => {
    length.style.width = number.style.left = `${100 * probability}%`;
    number.textContent = formatProbability(probability);
  };
  return { node, show };
}

function logitBar(whose, track, limit, onDrag, onStep) {
  const { node, show } = barOf(whose, track, { role: "slider", tabIndex: 0, "aria-valuemin": -limit, "aria-valuemax": limit });
  whileDragging(node, track, (x) => onDrag(between(0.001, x, 0.999)), "x");
  whenStepped(node, onStep);
  return (name, logit, probability) => {
    show(probability);
    setAttributes(node, { "aria-label": `${whose}'s logit of ${name}`, "aria-valuenow": logit.toFixed(2),
      "aria-valuetext": `${formatNumber(logit)}, probability ${formatProbability(probability)}` });
  };
}

// An arrow as long as the push; one that leaves the axis ends at it with a second head.
function pushArrow(kind, track, numbers) {
  const head = (x) => svg("svg", { x, overflow: "visible" },
    svg("svg", { viewBox: "0 0 14 14", width: "1em", height: "1em", overflow: "visible" }, svg("path", { d: "M-8 -6.5L0 0L-8 6.5Z" })));
  const [tip, second] = [head("100%"), head("100%")], number = create("span", { class: kind && "faint" });
  second.querySelector("path").setAttribute("transform", "translate(-7)");
  const arrow = svg("svg", { class: `push ${kind}`, "aria-hidden": "true" },
    svg("rect", { y: "34%", width: "100%", height: "32%" }), svg("g", {}, svg("svg", { y: "50%", overflow: "visible" }, tip, second)));
  track.append(arrow);
  numbers.append(number);
  return (push, half) => {
    const long = Math.min(50, (50 * Math.abs(push)) / half);
    arrow.setAttribute("class", `push ${kind} ${push < 0 ? "down" : ""}`);
    arrow.style.width = `${long}%`;
    arrow.style.left = `${push < 0 ? 50 - long : 50}%`;
    tip.style.display = long < 1 ? "none" : "";
    second.style.display = Math.abs(push) > half ? "" : "none";
    number.textContent = formatPush(push);
  };
}

function classRow(classOf, limit, change, temperature) {
  const head = box("name"), atOne = box("at-one", "▲");
  const [bars, arrows, numbers] = [box("track"), box("track"), box("numbers")];
  const [teacher, student] = ["teacher", "student"].map((whose) => logitBar(whose, bars, limit,
    (probability) => change(whose, classOf(), (logits) => logitFor(logits, classOf(), probability, temperature())),
    (step) => change(whose, classOf(), (logits) => stepped(logits[classOf()], step, limit))));
  const push = pushArrow("", arrows, numbers), other = pushArrow("other", arrows, numbers);
  bars.append(atOne);
  const update = (name, now, half) => {
    const k = classOf();
    head.textContent = head.title = name;
    head.className = k === now.label ? "name label" : "name";
    atOne.hidden = k !== now.label;
    atOne.style.left = `${100 * now.atOne}%`;
    teacher(name, now.v[k], now.p[k]);
    student(name, now.z[k], now.q[k]);
    push(now.push[k], half);
    other(now.other[k], half);
  };
  return { nodes: [head, bars, arrows, numbers], update };
}

// The classes without a row of their own, together.
function restRow(count) {
  const [bars, arrows, numbers] = [box("track rest"), box("track"), box("numbers")];
  const marks = ["teacher", "student"].map((whose) => barOf(whose, bars).show);
  const push = [pushArrow("", arrows, numbers), pushArrow("other", arrows, numbers)];
  const update = ({ p, q, push: now, other }, shown, half) => {
    const [left, right, ...pushes] = [p, q, now, other].map((values) => sum(values) - sum(shown.map((k) => values[k])));
    [left, right].forEach((share, which) => marks[which](Math.max(0, share)));
    pushes.forEach((value, which) => push[which](value, half));
  };
  return { nodes: [box("name", `${count} others`), bars, arrows, numbers], update };
}

// The classes that have rows: all, or those with the largest probabilities at the start, and the ground truth.
function rowsOf(p, q, label) {
  if (p.length <= MOST_ROWS) return p.map((_, k) => k);
  const chosen = new Set([label, ...ranked(p).slice(0, TOP_ROWS - 4), ...ranked(q).slice(0, TOP_ROWS)]);
  return [...chosen].slice(0, TOP_ROWS).sort((one, other) => one - other);
}

function classRows(names, half, ...hands) {
  const few = names.length <= MOST_ROWS, at = create("span", { class: "faint" });
  let shown = [];
  const rows = Array.from({ length: few ? names.length : TOP_ROWS }, (_, place) => classRow(() => shown[place], ...hands));
  const rest = few ? null : restRow(names.length - TOP_ROWS);
  const axis = (...marks) => box("short axis", ...marks.map((text) => create("span", {}, text)));
  const node = box("rows", box("short"), box("short", "Softmax", at),
    box("short", "Push", create("span", { class: "faint" }, " on each logit (minus the gradient)")), box("short"),
    ...rows.flatMap((row) => row.nodes), ...(rest?.nodes ?? []), box("short"), axis("0", "0.5", "1"), axis(`−${half}`, "0", `+${half}`));
  const update = (now) => {
    shown = now.rows;
    at.textContent = ` at T = ${formatTemperature(now.T)}`;
    rows.forEach((row, place) => row.update(names[shown[place]], now, half));
    rest?.update(now, shown, half);
  };
  return { node, update };
}

// Half the axis of the pushes, which stays: what the start needs at any temperature, with T² or without.
function pushAxis(z, v, label, weight, direction) {
  const temperatures = Array.from({ length: 13 }, (_, stop) => 10 ** (stop / 4 - 1));
  const pushes = temperatures.flatMap((T) => distillationGradient(z, v, label, T, weight, { direction }));
  return roundScale(Math.max(1, largestOf(pushes.map(Math.abs))));
}

// weight × T² × nats = share of each part, and their sum.
function lossTable(names) {
  const titles = ["loss", "weight", "× T²", "× nats", "= share"].map((title) => create("th", { scope: "col" }, title));
  const [soft, hard, sum] = ["soft", "hard", "combined"].map((part) => {
    return [create("th", { scope: "row" }, part === "combined" ? "" : swatch(part), part), ...titles.slice(1).map(() => create("td"))];
  });
  const node = create("table", {}, create("thead", {}, create("tr", {}, ...titles)),
    create("tbody", {}, ...[soft, hard, sum].map((cells) => create("tr", {}, ...cells))));
  const write = ([head, ...cells], of, ...texts) => {
    if (of) head.dataset.of = of;
    cells.forEach((cell, column) => { cell.textContent = texts[column]; });
  };
  const update = ({ T, weight, forward, square, factor, kl, label, hard: nats, shares: [softShare, hardShare] }) => {
    write(soft, `KL(${forward ? "teacher ‖ student" : "student ‖ teacher"}) at T = ${formatTemperature(T)}`,
      formatNumber(weight), square ? formatTemperature(factor) : "left out", formatLoss(kl), formatLoss(softShare));
    write(hard, `−log student(${names[label]}) at T = 1`, formatNumber(1 - weight), "", formatLoss(nats), formatLoss(hardShare));
    write(sum, "", "", "", "", formatLoss(softShare + hardShare));
  };
  return { node, update };
}

export function LossExplorer(model, element) {
  const names = model.get("class_names"), get = (name) => model.get(name);
  const start = Object.fromEntries(["student_logits", "teacher_logits"].map((name) => [name, get(name)]));
  const limit = Math.max(50, largestOf([...start.student_logits, ...start.teacher_logits].map(Math.abs)));
  const change = (whose, k, logitFrom) => {
    const logits = [...get(`${whose}_logits`)];
    logits[k] = between(-limit, logitFrom(logits), limit);
    model.set(`${whose}_logits`, logits);
  };
  const controls = {
    temperature: temperatureSlider(model),
    soft_weight: softWeightSlider(model),
    direction: choice({ label: "Soft loss", ...bound(model, "direction"),
      options: [["forward", "KL(teacher ‖ student)"], ["reverse", "KL(student ‖ teacher)"]] }),
    times_square: checkbox({ label: "times T²", ...bound(model, "times_square") }),
    label: choice({ label: "Ground truth", options: names.map((name, k) => [k, name]), ...bound(model, "label", Number) }),
    view: choice({ label: "View", options: [["push", "push on each logit"], ["balance", "balance over T"]], ...bound(model, "view") }),
  };
  const half = pushAxis(start.student_logits, start.teacher_logits, get("label"), 1, get("direction"));
  const rows = classRows(names, half, limit, change, () => get("temperature")), table = lossTable(names), live = liveText();
  const legend = ["teacher", "student", "push", "push other"].map((kind) => create("span", {}, swatch(kind), create("span", {}, kind)));
  const [temperature, weight, ...others] = Object.values(controls).map(({ node }) => node), pull = balance();
  const pushes = box("stack", rows.node, box("row legend faint", ...legend, "▲ student at T = 1, for the hard loss"), table.node);
  element.append(styleOf("loss_explorer"), box("stack", box("row", temperature, weight),
    box("row", ...others, button("Reset", () => model.assign(start))), pushes, pull.node, live.node));

  const end = follow(model, [...Object.keys(controls), "student_logits", "teacher_logits"], () => {
    const [z, v, label, T, weight, direction, square, view] = ["student_logits", "teacher_logits", "label", "temperature",
      "soft_weight", "direction", "times_square", "view"].map(get);
    for (const [name, control] of Object.entries(controls)) control.set(get(name));
    pushes.hidden = view === "balance";
    pull.node.hidden = !pushes.hidden;
    if (pushes.hidden) return live.say(pull.show(z, v, label, T, weight, direction));
    const [push, other] = [square, !square].map((timesSquare) =>
      distillationGradient(z, v, label, T, weight, { direction, timesSquare }).map((slope) => -slope));
    const factor = square ? T ** 2 : 1, kl = klDivergence(z, v, T, direction), hard = hardLabelLoss(z, label);
    const shares = [weight * factor * kl, (1 - weight) * hard];
    const now = { z, v, q: softmax(z, T), p: softmax(v, T), atOne: softmax(z)[label], label, T, weight, square, factor, kl, hard,
      forward: direction === "forward", push, other, shares, rows: rowsOf(start.teacher_logits, start.student_logits, label) };
    rows.update(now);
    table.update(now);
    legend[2].lastChild.textContent = square ? "with T²" : "without T²";
    legend[3].lastChild.textContent = square ? "without T²" : "with T²";
    const [most, least] = [Math.max, Math.min].map((extreme) => push.indexOf(push.reduce((one, next) => extreme(one, next))));
    return live.say(`Loss ${formatLoss(shares[0] + shares[1])}: ${formatLoss(shares[0])} soft, ${formatLoss(shares[1])} hard. Descent `
      + `raises ${names[most]} most, ${formatPush(push[most])}, and lowers ${names[least]} most, ${formatPush(push[least])}.`);
  });
  return () => { end(); live.stop(); };
}
