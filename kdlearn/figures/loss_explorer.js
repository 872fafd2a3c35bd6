// Teacher and student, a row a class: their probabilities, which can be dragged, the push that gradient descent gives
// each of the student's logits, and how the loss adds up.

import {
  box, button, checkbox, choice, create, follow, formatNumber, formatProbability, formatTemperature, liveText, slider,
  temperatureSlider, whenStepped, whileDragging,
} from "./drawing.js";
import { distillationGradient, hardLabelLoss, klDivergence, logitFor, softmax } from "./maths.js";

const LOSS_STYLE = `
.rows { display: grid; grid-template-columns: fit-content(30%) 5fr 4fr auto; column-gap: 40px; font-size: 13px; }
.rows > * { min-width: 0; height: 42px; padding: 4px 0; line-height: 17px; white-space: nowrap; }
.rows > .short { height: 22px; padding: 0; }
.name { margin-right: -28px; overflow: hidden; text-overflow: ellipsis; }
.label { font-weight: 600; }
.label::after { content: "label"; display: block; font: 11px/14px var(--sans); color: var(--faint); }
.track { position: relative; background: linear-gradient(90deg, var(--line) 1px, transparent 1px) 0 / 50%; border-right: 1px solid var(--line); }
.bar { height: 17px; padding: 2.5px 0; cursor: ew-resize; touch-action: pan-y; }
.bar:hover { background: color-mix(in srgb, var(--faint) 12%, transparent); }
.bar div { height: 12px; border-radius: 0 2px 2px 0; min-width: 1px; }
.bar span { position: absolute; margin: -15px 8px; font-size: 12px; color: var(--faint); }
.teacher { background: var(--orange); }
.student, .soft { background: var(--blue); }
.hard { background: var(--vermilion); }
.at-one { position: absolute; bottom: -5px; translate: -50%; font-size: 9px; line-height: 1; }
.track .push { position: absolute; }
.push { height: 13px; top: 6px; background: var(--ink); --head: max(0px, 100% - 8px);
  clip-path: polygon(0 32%, var(--head) 32%, var(--head) 0, 100% 50%, var(--head) 100%, var(--head) 68%, 0 68%); }
.down { transform: scaleX(-1); }
.other { top: 24px; height: 10px; background: var(--faint); opacity: 0.7; }
.axis { display: flex; justify-content: space-between; color: var(--faint); }
.axis span { width: 0; display: flex; justify-content: center; }
.numbers { text-align: right; }
.numbers span { display: block; }
.figure .legend { gap: 4px 20px; }
table { border-collapse: collapse; font-size: 14px; }
th, td { padding: 5px 0 5px 24px; text-align: right; font-weight: 400; white-space: nowrap; }
th:first-child { text-align: left; padding-left: 0; width: 100%; }
th[data-of]::after { content: " " attr(data-of); color: var(--faint); font-size: 13px; }
thead th { color: var(--faint); }
tbody > * > * { border-top: 1px solid var(--line); }
tbody > :last-child > * { font-weight: 600; }
@container (max-width: 500px) {
  .rows { column-gap: 26px; grid-template-columns: fit-content(30%) 5fr 4fr 0; }
  .name { margin-right: -18px; }
  th, td { padding-left: 6px; }
  .numbers span, .bar span, th[data-of]::after, .short .faint { display: none; }
}`;

const formatLoss = (value) => formatNumber(value, value < 100 ? 3 : 1);
const formatPush = (value) => (value > 0 ? "+" : "") + formatNumber(value, Math.abs(value) < 10 ? 3 : 1);

// 1, 2 or 5 times a power of ten, at least as large as `value`.
function roundScale(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-3)));
  return Number((power * ([1, 2, 5].find((digit) => digit * power >= value) ?? 10)).toPrecision(1));
}

// A bar that is a slider for its logit.
function logitBar(label, kind, track, onDrag, onStep) {
  const length = box(kind), number = create("span");
  const node = create("div", { class: "bar", role: "slider", tabIndex: 0, "aria-label": label, "aria-valuemin": -1e4,
    "aria-valuemax": 1e4 }, length, number);
  whileDragging(node, track, (x) => onDrag(Math.min(0.999, Math.max(0.001, x / track.clientWidth))));
  whenStepped(node, onStep);
  track.append(node);
  return (logit, probability) => {
    length.style.width = number.style.left = `${100 * probability}%`;
    number.textContent = formatProbability(probability);
    node.ariaValueNow = logit.toFixed(2);
    node.ariaValueText = `${formatNumber(logit)}, probability ${number.textContent}`;
  };
}

function pushArrow(kind, track, numbers) {
  const arrow = box(""), number = create("span", { class: kind && "faint" });
  track.append(arrow);
  numbers.append(number);
  return (push, half) => {
    const long = (50 * Math.abs(push)) / half;
    arrow.className = `push ${kind} ${push < 0 ? "down" : ""}`;
    arrow.style.width = `${long}%`;
    arrow.style.left = `${push < 0 ? 50 - long : 50}%`;
    number.textContent = formatPush(push);
  };
}

function classRow(name, k, change, temperature) {
  const head = create("div", { title: name }, name), atOne = box("at-one", "▲");
  const [bars, arrows, numbers] = [box("track"), box("track"), box("numbers")];
  const [teacher, student] = ["teacher", "student"].map((whose) => logitBar(`${whose}'s logit of ${name}`, whose, bars,
    (probability) => change(whose, k, (logits) => logitFor(logits, k, probability, temperature())),
    (step) => change(whose, k, (logits) => Number((logits[k] + step).toFixed(6)))));
  const push = pushArrow("", arrows, numbers), other = pushArrow("other", arrows, numbers);
  bars.append(atOne);
  const update = (now, half) => {
    head.className = k === now.label ? "name label" : "name";
    atOne.hidden = k !== now.label;
    atOne.style.left = `${100 * now.atOne}%`;
    teacher(now.v[k], now.p[k]);
    student(now.z[k], now.q[k]);
    push(now.push[k], half);
    other(now.other[k], half);
  };
  return { nodes: [head, bars, arrows, numbers], update };
}

function classRows(names, ...hands) {
  const rows = names.map((name, k) => classRow(name, k, ...hands)), at = create("span", { class: "faint" });
  const axis = (...marks) => box("short axis", ...marks.map((mark) => create("span", {}, mark)));
  const pushAxis = axis("", "0", "");
  const node = box("rows", box("short"), box("short", "Softmax", at),
    box("short", "Push", create("span", { class: "faint" }, " on each logit (minus the gradient)")), box("short"),
    ...rows.flatMap((row) => row.nodes), box("short"), axis("0", "0.5", "1"), pushAxis);
  const update = (now) => {
    const half = roundScale(Math.max(...[...now.push, ...now.other].map(Math.abs)));
    at.textContent = ` at T = ${formatTemperature(now.T)}`;
    pushAxis.firstChild.textContent = `−${half}`;
    pushAxis.lastChild.textContent = `+${half}`;
    rows.forEach((row) => row.update(now, half));
  };
  return { node, update };
}

// weight × T² × nats = share of each part, and their sum.
function lossTable(names) {
  const titles = ["loss", "weight", "× T²", "× nats", "= share"].map((title) => create("th", { scope: "col" }, title));
  const [soft, hard, sum] = ["soft", "hard", "combined"].map((part) => {
    const swatch = part === "combined" ? "" : create("i", { class: `swatch ${part}` });
    return [create("th", { scope: "row" }, swatch, part), ...titles.slice(1).map(() => create("td"))];
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
  const start = ["student_logits", "teacher_logits"].map((name) => [name, get(name)]);
  const bound = (name, convert = (value) => value) => {
    const set = (value) => model.set(name, convert(value));
    return { value: get(name), onInput: set, onChange: set };
  };
  const change = (whose, k, logitFrom) => {
    const logits = [...get(`${whose}_logits`)];
    logits[k] = Math.min(1e4, Math.max(-1e4, logitFrom(logits)));
    model.set(`${whose}_logits`, logits);
  };
  const controls = {
    temperature: temperatureSlider(model),
    soft_weight: slider({ label: "Soft weight", min: 0, max: 1, step: 0.01, marks: [0, 0.5, 1],
      format: (value) => formatNumber(value), ...bound("soft_weight") }),
    direction: choice({ label: "Soft loss", ...bound("direction"),
      options: [["forward", "KL(teacher ‖ student)"], ["reverse", "KL(student ‖ teacher)"]] }),
    times_square: checkbox({ label: "times T²", ...bound("times_square") }),
    label: choice({ label: "Label", options: names.map((name, k) => [k, name]), ...bound("label", Number) }),
  };
  const rows = classRows(names, change, () => get("temperature")), table = lossTable(names), live = liveText();
  const legend = ["teacher", "student", "push", "push other"].map((kind) => create("span", {},
    create("i", { class: `swatch ${kind}` }), create("span", {}, kind)));
  const [temperature, weight, ...others] = Object.values(controls).map(({ node }) => node);
  element.append(create("style", {}, LOSS_STYLE), box("stack", box("row", temperature, weight),
    box("row", ...others, button("Reset", () => start.forEach(([name, logits]) => model.set(name, logits)))),
    rows.node, box("row legend faint", ...legend, "▲ student at T = 1, for the hard loss"), table.node, live.node));

  const end = follow(model, [...Object.keys(controls), "student_logits", "teacher_logits"], () => {
    const [z, v, label, T, weight, direction, square] = ["student_logits", "teacher_logits", "label", "temperature",
      "soft_weight", "direction", "times_square"].map(get);
    const [push, other] = [square, !square].map((timesSquare) =>
      distillationGradient(z, v, label, T, weight, { direction, timesSquare }).map((slope) => -slope));
    const factor = square ? T ** 2 : 1, kl = klDivergence(z, v, T, direction), hard = hardLabelLoss(z, label);
    const shares = [weight * factor * kl, (1 - weight) * hard];
    const now = { z, v, q: softmax(z, T), p: softmax(v, T), atOne: softmax(z)[label], label, T, weight, square, factor, kl, hard,
      forward: direction === "forward", push, other, shares };
    for (const [name, control] of Object.entries(controls)) control.set(get(name));
    rows.update(now);
    table.update(now);
    legend[2].lastChild.textContent = square ? "with T²" : "without T²";
    legend[3].lastChild.textContent = square ? "without T²" : "with T²";
    const [most, least] = [Math.max, Math.min].map((extreme) => push.indexOf(extreme(...push)));
    live.say(`Loss ${formatLoss(shares[0] + shares[1])}: ${formatLoss(shares[0])} soft, ${formatLoss(shares[1])} hard. Descent `
      + `raises ${names[most]} most, ${formatPush(push[most])}, and lowers ${names[least]} most, ${formatPush(push[least])}.`);
  });
  return () => { end(); live.stop(); };
}
