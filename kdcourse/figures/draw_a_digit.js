// A pad of 32 × 32 cells, counted in blocks of 4 × 4 as the digits of the data are; what a teacher and forty students see.

import { MOVES, bound, button, slider, whenPressed } from "./controls.js";
import { box, create, follow, liveText, mark, setAttributes, styleOf, svg } from "./drawing.js";
import { between, formatNumber, formatPercent, formatTemperature, hardLabel, ranked, softmax, withSign } from "./maths.js";
import { layersOf, logitsOf, tensorsOf } from "./networks.js";
import { copyOrDownload } from "./picture.js";

const SIZE = 32, BLOCK = 4, BRUSH = 2.6, DIGITS = [...Array(10).keys()];
const ORDINALS = ["1st", "2nd", "3rd", ...DIGITS.slice(3).map((rank) => `${rank + 1}th`)];

// 256 hexadecimal digits as 1,024 cells, row by row, and back.
export const cellsOf = (text) => Uint8Array.from({ length: SIZE * SIZE }, (_, at) => (parseInt(text[at >> 2], 16) >> (3 - (at & 3))) & 1);
export const textOf = (cells) => Array.from({ length: cells.length / 4 }, (_, at) =>
  (8 * cells[4 * at] + 4 * cells[4 * at + 1] + 2 * cells[4 * at + 2] + cells[4 * at + 3]).toString(16)).join("");

// 64 shares of marked cells, a block each.
export function countsOf(cells) {
  const counts = new Float64Array(64);
  cells.forEach((cell, at) => { counts[8 * Math.floor(at / SIZE / BLOCK) + Math.floor((at % SIZE) / BLOCK)] += cell / BLOCK ** 2; });
  return counts;
}

// Marks or clears what a round brush, as wide as the data's strokes, covers from one place to another, in cells.
export function brush(cells, [fromX, fromY], [toX, toY], value) {
  const steps = Math.max(1, Math.ceil(2 * Math.hypot(toX - fromX, toY - fromY)));
  for (let step = 0; step <= steps; step++) {
    const [x, y] = [fromX + ((toX - fromX) * step) / steps, fromY + ((toY - fromY) * step) / steps];
    for (let row = Math.max(0, Math.floor(y - 3)); row <= Math.min(SIZE - 1, y + 3); row++) {
      for (let column = Math.max(0, Math.floor(x - 3)); column <= Math.min(SIZE - 1, x + 3); column++) {
        if (Math.hypot(column + 0.5 - x, row + 0.5 - y) <= BRUSH) cells[SIZE * row + column] = value;
      }
    }
  }
}

// What the networks say of the drawn cells.
export function readers(weights) {
  const tensors = tensorsOf(weights), teacher = layersOf(tensors, "teacher");
  const students = ["ground truth", "soft labels"].map((arm) => Array.from({ length: 20 }, (_, seed) => layersOf(tensors, arm, seed, 20)));
  return (cells) => {
    const input = countsOf(cells);
    return { logits: logitsOf(teacher, input), votes: students.map((all) => all.map((layers) => hardLabel(logitsOf(layers, input)))) };
  };
}

function pad(onStroke) {
  const counts = DIGITS.slice(0, 8).flatMap((row) => DIGITS.slice(0, 8).map((column) =>
    svg("rect", { x: BLOCK * column, y: BLOCK * row, width: BLOCK, height: BLOCK })));
  const lines = DIGITS.slice(1, 8).map((k) => svg("path", { d: `M${BLOCK * k} 0V${SIZE}M0 ${BLOCK * k}H${SIZE}` }));
  const path = svg("path", { class: "cells" }), cursor = svg("rect", { class: "cursor", width: 3, height: 3 });
  const node = svg("svg", { class: "pad", viewBox: `0 0 ${SIZE} ${SIZE}`, role: "application", tabindex: 0,
    "aria-label": "Pad: draw by hand; or arrow keys move, space draws, Delete erases, with shift the arrows draw" },
  svg("g", { class: "counts" }, ...counts), svg("g", { class: "lines" }, ...lines), path, cursor);
  let at = [16, 16], last = null;
  const placeOf = (event) => {
    const { left, top, width, height } = node.getBoundingClientRect();
    return [(SIZE * (event.clientX - left)) / width, (SIZE * (event.clientY - top)) / height];
  };
  const move = (event) => {
    if (!last) return;
    for (const one of event.getCoalescedEvents?.().concat(event) ?? [event]) {
      const place = placeOf(one);
      onStroke(last, place);
      last = place;
    }
  };
  node.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    node.setPointerCapture(event.pointerId);
    last = placeOf(event);
    move(event);
  });
  node.addEventListener("pointermove", move);
  for (const end of ["pointerup", "pointercancel"]) node.addEventListener(end, () => { last = null; });
  const go = ([x, y], draws) => {
    const next = [between(1, at[0] + x, SIZE - 1), between(1, at[1] + y, SIZE - 1)];
    if (draws) onStroke(at, next);
    at = next;
    setAttributes(cursor, { x: at[0] - 1.5, y: at[1] - 1.5 });
  };
  go([0, 0], false);
  whenPressed(node, MOVES, go);
  whenPressed(node, { " ": undefined, Delete: 0, Backspace: 0 }, (value) => onStroke(at, at, value));
  const show = (cells) => {
    countsOf(cells).forEach((share, block) => { counts[block].style.fillOpacity = 0.35 * share; });
    const marked = [];
    cells.forEach((cell, place) => { if (cell) marked.push(`M${place % SIZE} ${Math.floor(place / SIZE)}h1v1h-1z`); });
    path.setAttribute("d", marked.join(""));
  };
  return { node, show };
}

// Ten columns: the soft label with its ranks, and below it the digits that the students name, a dot each.
function tenColumns(accuracies) {
  const parts = DIGITS.map((digit) => {
    const number = create("span"), bar = mark(), rank = box("rank");
    return { node: box("", box("room", number, bar), box("digit", String(digit)), rank), number, bar, rank };
  });
  const dots = ["", "soft"].map((kind) => DIGITS.map(() => svg("svg", { class: `dots ${kind}`, "aria-hidden": "true" })));
  const heads = ["ground truth", "soft labels"].map((arm) => box("head", `Twenty students of ${arm}, a dot each; ${accuracies[arm]} of test images right`));
  const node = box("ten", ...parts.map((part) => part.node), ...heads.flatMap((head, arm) => [head, ...dots[arm]]));
  const show = (soft, votes) => {
    const order = ranked(soft);
    parts.forEach(({ node: column, number, bar, rank }, digit) => {
      const place = order.indexOf(digit);
      column.className = place === 0 ? "top" : "";
      bar.style.height = `${85 * soft[digit]}%`;
      number.textContent = soft[digit] < 0.005 ? "" : formatPercent(soft[digit]).replace("\u00a0%", "");
      rank.textContent = ORDINALS[place];
    });
    votes.forEach((named, arm) => DIGITS.forEach((digit) => {
      const count = named.filter((vote) => vote === digit).length;
      dots[arm][digit].replaceChildren(...Array.from({ length: count }, (_, dot) =>
        svg("circle", { r: "0.24em", cx: `${12.5 + 25 * (dot % 4)}%`, cy: `${3.4 - 0.7 * Math.floor(dot / 4)}em` })));
    }));
  };
  return { node, show };
}

// A card to pass on: the drawing, and what the teacher says of it.
function card(cells, words) {
  const canvas = create("canvas", { width: 1200, height: 630 }), context = canvas.getContext("2d");
  [context.fillStyle, context.font] = ["#ffffff", "600 72px system-ui, sans-serif"];
  context.fillRect(0, 0, 1200, 630);
  context.fillStyle = "#1b1f24";
  cells.forEach((cell, at) => { if (cell) context.fillRect(60 + 16 * (at % SIZE), 60 + 16 * Math.floor(at / SIZE), 16, 16); });
  context.fillText(words, 610, 340, 560);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

export function DrawADigit(model, element) {
  const read = readers(model.get("weights")), examples = model.get("examples"), accuracies = model.get("accuracies");
  let erases = false, example = Math.max(0, examples.indexOf(model.get("cells"))), drawn = false;
  const stroke = (from, to, value = Number(!erases)) => {
    const cells = cellsOf(model.get("cells"));
    brush(cells, from, to, value);
    drawn = true;
    model.set("cells", textOf(cells));
  };
  const start = (text) => { drawn = false; model.set("cells", text); };
  const paper = pad(stroke), ten = tenColumns(accuracies), live = liveText();
  const temperature = slider({ ...model.limits.temperature, ...bound(model, "temperature"), label: "Temperature", step: 0.005,
    logarithmic: true, marks: [0.25, 1, 4, 20], format: formatTemperature });
  const eraser = button("Erase", () => {
    erases = !erases;
    eraser.setAttribute("aria-pressed", String(erases));
  }, { "aria-pressed": "false" });
  const hard = create("span", { class: "hard-label" }), second = create("p"), said = create("span", { class: "faint", role: "status" });
  const tasks = [["Draw a 4 whose second class is 9.", ({ order }) => order[0] === 4 && order[1] === 9],
    ["Draw nonsense of which the teacher is 99 % sure.", ({ atOne, order }) => atOne[order[0]] >= 0.99]];
  const items = tasks.map(([words]) => create("li", {}, words));
  const now = () => {
    const cells = cellsOf(model.get("cells")), { logits, votes } = read(cells), T = model.get("temperature");
    return { cells, votes, T, soft: softmax(logits, T), atOne: softmax(logits), order: ranked(logits) };
  };
  element.append(styleOf("draw_a_digit"), box("stack", box("drawing",
    box("stack", create("h3", {}, "Draw over it"), paper.node, box("row tight", eraser, button("Clear", () => start("0".repeat(256))),
      button("Another digit", () => { example = (example + 1) % examples.length; start(examples[example]); }))),
    box("stack", create("p", {}, "The teacher's hard label: ", hard), box("stack answer", second, temperature.node, ten.node))),
  create("p", { class: "faint answer" }, `Recorded on ${accuracies.count} test images, soft labels − ground truth: ${withSign(accuracies.mean)} ± `
    + `${formatNumber(accuracies.half_width, 1)} points over 20 seeds. One drawing is no evidence.`),
  create("ul", { class: "tasks answer" }, ...items),
  box("row tight", button("Copy a card", async () => {
    const { cells, order } = now();
    said.textContent = await copyOrDownload(await card(cells, `The teacher: ${order[0]}, or ${order[1]}`), "teacher.png");
  }), said), live.node));

  const end = follow(model, ["cells", "temperature"], () => {
    const seen = now(), { cells, soft, atOne, order, T, votes } = seen;
    temperature.set(T);
    paper.show(cells);
    ten.show(soft, votes);
    hard.textContent = order[0];
    second.textContent = `Its soft label at T = ${formatTemperature(T)}: ${formatPercent(soft[order[0]])} for ${order[0]}, `
      + `then ${order[1]} with ${formatPercent(soft[order[1]])}.`;
    tasks.forEach(([words, done], which) => {
      if (drawn && done(seen)) items[which].textContent = `${words} ✓ Done: ${order[0]} with ${formatPercent(atOne[order[0]])} at T = 1, then ${order[1]}.`;
    });
    live.say(`${hard.textContent}. ${second.textContent}`);
  });
  return () => { end(); live.stop(); };
}
