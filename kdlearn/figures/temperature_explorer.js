// Softmax at a temperature: columns whose tops can be dragged, entropy, effective number of classes.

import {
  button, choice, create, follow, formatNumber, formatProbability, formatTemperature, liveText, powerOfTen, setAttributes,
  sprite, temperatureSlider, whenStepped, whileDragging,
} from "./drawing.js";
import { effectiveClasses, entropy, hardLabel, logitFor, softmax } from "./maths.js";

const COLUMN_STYLE = `
.explorer { display: grid; grid-template-columns: auto minmax(0, 1fr); gap: 16px 28px; }
.example { display: flex; flex-direction: column; gap: 12px; justify-content: center; align-items: flex-start; white-space: nowrap; }
.columns { position: relative; display: flex; padding-left: 40px; font-size: 12px; color: var(--faint); text-align: center; }
.grid-line { position: absolute; left: 40px; right: 0; border-top: 1px solid var(--line); }
.grid-line span { position: absolute; right: calc(100% + 8px); line-height: 0; }
.column { position: relative; flex: 1 1 0; min-width: 0; padding-top: 24px; cursor: ns-resize; touch-action: none; border-radius: 4px; }
.column:hover { background: color-mix(in srgb, var(--faint) 12%, transparent); }
.track { position: relative; height: 220px; margin: 0 14%; display: flex; flex-direction: column; justify-content: flex-end; }
.track > * { flex: none; white-space: nowrap; }
.track > span { margin: 0 -30%; font-weight: 600; color: var(--ink); text-shadow: 0 0 3px var(--paper), 0 0 3px var(--paper); }
.track > span.small { font-weight: 400; color: var(--faint); }
.bar { background: var(--blue); border-radius: 2px 2px 0 0; }
.marked .bar { background: var(--vermilion); }
.marked .track::before, .swatch { content: ""; position: absolute; inset: 0; border: 1px dashed var(--vermilion); }
.swatch { position: static; display: inline-block; width: 18px; height: 12px; margin-right: 8px; vertical-align: -1px; }
.marked .name { color: var(--ink); font-weight: 600; }
.name { position: relative; margin-top: 4px; height: 18px; white-space: nowrap; }
.logit-title { position: absolute; bottom: 0; right: calc(100% - 32px); }
.readouts { display: grid; grid-template-columns: repeat(auto-fit, minmax(120px, 1fr)); gap: 12px 24px; }
.readouts strong { display: block; font-size: 22px; line-height: 1.25; font-weight: 600; letter-spacing: -0.01em; color: var(--ink); }
@container (max-width: 560px) {
  .explorer { grid-template-columns: minmax(0, 1fr); }
  .example { flex-direction: row; justify-content: flex-start; align-items: center; gap: 16px; }
}`;

// Where the columns are narrow, names slant; where they are narrower still, numbers and names are left out.
const narrowStyle = (count, longest) => `
.columns-frame { container-type: inline-size; }
@container (max-width: ${40 + count * (longest * 7 + 4)}px) {
  .name { height: ${12 + longest * 4.8}px; }
  .name span { position: absolute; right: 50%; transform-origin: 100% 50%; transform: rotate(-42deg); }
}
@container (max-width: ${40 + count * 34}px) { .track > span, .logit, .logit-title { display: none; } }
@container (max-width: ${40 + count * 12}px) { .name { visibility: hidden; height: 4px; } }`;

const DECADES = 6; // of the logarithmic scale, from one in a million to 1
const toHeight = (p, logarithmic) => (logarithmic ? Math.max(0, 1 + Math.log10(Math.max(p, 1e-99)) / DECADES) : p);
const fromHeight = (height, logarithmic) => (logarithmic ? 10 ** (DECADES * (height - 1)) : height);

// `onDrag(index, probability)` when a top is dragged there, `onStep(index, change)` for keys.
function columns(names, limit, onDrag, onStep) {
  const short = names.map((name) => (name.length > 14 ? `${name.slice(0, 13)}…` : name));
  const longest = Math.max(...short.map((name) => name.length));
  const grid = create("div", { "aria-hidden": "true" });
  let logarithmic;

  const parts = names.map((name, index) => {
    const probability = create("span"), bar = create("div", { class: "bar" }), logit = create("div", { class: "logit" });
    const track = create("div", { class: "track" }, probability, bar);
    const node = create("div", { role: "slider", tabIndex: 0, title: name, "aria-orientation": "vertical",
      "aria-valuemin": -limit, "aria-valuemax": limit, "aria-label": `logit of ${name}` },
    track, create("div", { class: "name" }, create("span", {}, short[index])), logit);
    whileDragging(node, track, (x, y) => {
      const reached = fromHeight(Math.min(1, Math.max(0, 1 - y / track.clientHeight)), logarithmic);
      onDrag(index, Math.min(0.9999, Math.max(1e-9, reached)));
    });
    whenStepped(node, (change) => onStep(index, change));
    return { node, probability, bar, logit };
  });

  function drawGrid() {
    const marks = logarithmic ? [0, -2, -4, -6] : [0, 0.25, 0.5, 0.75, 1];
    grid.replaceChildren(...marks.map((mark) => {
      const height = logarithmic ? 1 + mark / DECADES : mark;
      return create("div", { class: "grid-line", style: `top: ${24 + Math.round(220 * (1 - height))}px` },
        create("span", {}, logarithmic ? powerOfTen(mark) : mark.toFixed(2)));
    }));
  }

  function update(probabilities, logits, marked, scale) {
    if (logarithmic !== (scale === "log")) {
      logarithmic = scale === "log";
      drawGrid();
    }
    parts.forEach((part, index) => {
      const probability = probabilities[index], small = probability < 0.01 && !logarithmic;
      part.node.className = index === marked ? "column marked" : "column";
      part.bar.style.height = `${100 * toHeight(probability, logarithmic)}%`;
      part.probability.className = small ? "small" : "";
      part.probability.textContent = small ? "<0.01" : formatProbability(probability);
      part.logit.textContent = formatNumber(logits[index], 1);
      setAttributes(part.node, { "aria-valuenow": logits[index].toFixed(2), "aria-valuetext":
        `${formatNumber(logits[index])}, probability ${formatProbability(probability)}` +
        (index === marked ? ", the hard label" : "") });
    });
  }

  const node = create("div", { class: "columns-frame" }, create("style", {}, narrowStyle(names.length, longest)),
    create("div", { class: "columns", role: "group", "aria-label": "Softmax; each column is a slider for its logit" },
      grid, create("div", { class: "logit-title", "aria-hidden": "true" }, "logit"), ...parts.map((part) => part.node)));
  return { node, update };
}

export function TemperatureExplorer(model, element) {
  const names = model.get("class_names"), labels = model.get("labels"), original = model.get("logits");
  const count = original.length, limit = Math.max(50, ...original.flat().map(Math.abs));
  const row = () => model.get("logits")[model.get("index")];

  function setLogit(index, value) {
    const logits = [...model.get("logits")];
    logits[model.get("index")] = row().with(index, Math.min(limit, Math.max(-limit, value)));
    model.set("logits", logits);
  }

  const chart = columns(names, limit,
    (index, probability) => setLogit(index, logitFor(row(), index, probability, model.get("temperature"))),
    (index, change) => setLogit(index, Number((row()[index] + change).toFixed(6))));
  const temperature = temperatureSlider(model);
  const scale = choice({ label: "Scale", options: [["linear", "linear"], ["log", "logarithmic"]],
    value: model.get("scale"), onChange: (value) => model.set("scale", value) });
  const readouts = ["Entropy, nats", "Effective classes", "Largest probability"].map((text) =>
    create("div", { class: "faint" }, text, create("strong")));
  const live = liveText(), hard = create("span"), place = create("span"), example = create("div", { class: "example" });
  const picture = model.get("image") ? sprite(model.get("image"), count, 112) : null;
  if (picture) example.append(picture.node);
  if (count > 1) {
    const step = (change) => () => model.set("index", (model.get("index") + change + count) % count);
    example.append(place, create("div", { class: "row", style: "gap: 8px" },
      button("‹", step(-1), { "aria-label": "Previous example" }), button("›", step(1), { "aria-label": "Next example" })));
  }
  element.append(create("style", {}, COLUMN_STYLE), create("div", { class: "stack" },
    example.firstChild ? create("div", { class: "explorer" }, example, chart.node) : chart.node,
    create("div", { class: "row faint" }, create("span", {}, create("span", { class: "swatch" }), hard),
      "Drag a column, or use arrow keys on it: its logit changes."),
    temperature.node, create("div", { class: "readouts" }, ...readouts),
    create("div", { class: "row" }, scale.node, button("Reset logits", () => model.set("logits", original))), live.node));

  function draw() {
    const index = model.get("index"), logits = row(), now = model.get("temperature");
    const probabilities = softmax(logits, now), largest = hardLabel(logits), marked = labels[index] ?? largest;
    chart.update(probabilities, logits, marked, model.get("scale"));
    temperature.set(now);
    scale.set(model.get("scale"));
    picture?.show(index);
    place.textContent = `Example ${index + 1} of ${count}`;
    hard.textContent = `Hard label: ${names[marked]}${labels.length ? "" : ", the largest logit"}`;
    const texts = [entropy(probabilities), effectiveClasses(probabilities)].map((value) => formatNumber(value));
    texts.push(formatProbability(probabilities[largest]));
    readouts.forEach((readout, which) => { readout.lastChild.textContent = texts[which]; });
    live.say(`Temperature ${formatTemperature(now)}: largest probability ${texts[2]} for ${names[largest]}, entropy ` +
      `${texts[0]} nats, as uncertain as ${texts[1]} equally likely classes.`);
  }

  const end = follow(model, ["temperature", "logits", "index", "scale"], draw);
  return () => { end(); live.stop(); };
}
