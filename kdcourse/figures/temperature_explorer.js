// Softmax at a temperature: columns whose tops can be dragged, entropy, effective number of classes; and calibration.

import { reliability } from "./calibration.js";
import { bound, button, choice, stepped, temperatureSlider, whenStepped, whileDragging } from "./controls.js";
import { box, create, follow, imageOf, liveText, mark, setAttributes, styleOf } from "./drawing.js";
import { between, effectiveClasses, entropy, formatNumber, formatProbability, formatTemperature, hardLabel, largestOf, logitFor, powerOfTen, ranked, softmax, sum } from "./maths.js";

const MOST_COLUMNS = 30, TOP_COLUMNS = 20;

// Where the columns are narrow, names slant; where they are narrower still, numbers and names are left out.
const narrowStyle = (count, longest) => `
.columns-frame { container-type: inline-size; }
@container (max-width: ${2.9 + count * (longest * 0.5 + 0.3)}em) {
  .name { height: ${1 + longest * 0.4}em; }
  .name span { position: absolute; right: 50%; transform-origin: 100% 50%; transform: rotate(-42deg); }
}
@container (max-width: ${2.9 + count * 2.4}em) { .track > span, .logit, .logit-title { display: none; } }
@container (max-width: ${2.9 + count * 0.86}em) { .name { visibility: hidden; height: 0.3em; } }`;

const DECADES = 6; // of the logarithmic scale, from one in a million to 1
const toHeight = (p, logarithmic) => (logarithmic ? Math.max(0, 1 + Math.log10(Math.max(p, 1e-99)) / DECADES) : p);
const fromHeight = (height, logarithmic) => (logarithmic ? 10 ** (DECADES * (height - 1)) : height);
const shortened = (name) => (name.length > 14 ? `${name.slice(0, 13)}…` : name);

// The bar of a column and the number above it, `logarithmic()` or not.
function topOf(logarithmic) {
  const number = create("span"), bar = mark("bar");
  const show = (p) => {
    const small = p < 0.01 && !logarithmic();
    bar.style.height = `${100 * toHeight(p, logarithmic())}%`;
    number.className = small ? "small" : "";
    number.textContent = small ? "<0.01" : formatProbability(p);
  };
  return { track: box("track", number, bar), show };
}

// One column for the class that `classOf()` names; `hands`: what a drag and a key do.
function column(classOf, limit, hands, logarithmic) {
  const { track, show } = topOf(logarithmic), logit = box("logit"), label = create("span");
  const node = create("div", { role: "slider", tabIndex: 0, "aria-orientation": "vertical", "aria-valuemin": -limit, "aria-valuemax": limit },
    track, box("name", label), logit);
  whileDragging(node, track, (x, y) => hands.drag(classOf(), between(1e-9, fromHeight(between(0, 1 - y, 1), logarithmic()), 0.9999)));
  whenStepped(node, (change) => hands.step(classOf(), change));
  const update = (name, p, value, marked) => {
    show(p);
    node.className = marked ? "column marked" : "column";
    node.title = name;
    label.textContent = shortened(name);
    logit.textContent = formatNumber(value, 1);
    setAttributes(node, { "aria-label": `logit of ${name}`, "aria-valuenow": value.toFixed(2),
      "aria-valuetext": `${formatNumber(value)}, probability ${formatProbability(p)}${marked ? `, ${marked}` : ""}` });
  };
  return { node, update };
}

// The classes beyond those that have a column of their own, together.
function restColumn(count, logarithmic) {
  const { track, show } = topOf(logarithmic);
  return { node: box("column rest", track, box("name", create("span", {}, `${count} others`)), box("logit", "\u00a0")), show };
}

function columns(names, limit, hands) {
  const count = names.length > MOST_COLUMNS ? TOP_COLUMNS : names.length, longest = Math.max(...names.map((name) => shortened(name).length));
  let logarithmic, classes = [];
  const isLogarithmic = () => logarithmic;
  const grid = create("div", { "aria-hidden": "true" });
  const parts = Array.from({ length: count }, (_, place) => column(() => classes[place], limit, hands, isLogarithmic));
  const rest = count < names.length ? restColumn(names.length - count, isLogarithmic) : null;

  function drawGrid() {
    const marks = logarithmic ? [0, -2, -4, -6] : [0, 0.25, 0.5, 0.75, 1];
    grid.replaceChildren(...marks.map((value) => {
      const height = logarithmic ? 1 + value / DECADES : value;
      return create("div", { class: "grid-line", style: `top: ${2 + 18 * (1 - height)}em` },
        create("span", {}, logarithmic ? powerOfTen(value) : value.toFixed(2)));
    }));
  }

  // `chosen`: the classes that have columns, where not all have.
  function update(probabilities, logits, marked, word, scale, chosen) {
    if (logarithmic !== (scale === "log")) {
      logarithmic = scale === "log";
      drawGrid();
    }
    classes = chosen;
    parts.forEach((part, place) => {
      const k = classes[place];
      part.update(names[k], probabilities[k], logits[k], k === marked && word);
    });
    rest?.show(1 - sum(classes.map((k) => probabilities[k])));
  }

  const node = create("div", { class: "columns-frame" }, create("style", {}, narrowStyle(count + Boolean(rest), longest)),
    create("div", { class: "columns", role: "group", "aria-label": "Softmax; each column is a slider for its logit" },
      grid, create("div", { class: "logit-title", "aria-hidden": "true" }, "logit"), ...parts.map((part) => part.node), rest?.node ?? ""));
  return { node, update };
}

// The image, and buttons that step through the examples.
function exampleOf(model, count) {
  const node = box("example"), place = create("span"), picture = model.get("image") ? imageOf(model.get("image"), count) : null;
  if (picture) node.append(picture.node);
  if (count > 1) {
    const step = (change) => () => model.set("index", (model.get("index") + change + count) % count);
    node.append(place, box("row tight", button("‹", step(-1), { "aria-label": "Previous example" }),
      button("›", step(1), { "aria-label": "Next example" })));
  }
  const show = (index) => {
    picture?.show(index);
    if (picture) picture.node.alt = `image ${index + 1} of ${count}`;
    place.textContent = `Example ${index + 1} of ${count}`;
  };
  return { node, show };
}

// The classes with the largest logits as given, and the marked one, in the order of the classes.
function topClasses(original, marked) {
  if (original.length <= MOST_COLUMNS) return original.map((_, k) => k);
  const top = ranked(original).slice(0, TOP_COLUMNS);
  if (!top.includes(marked)) top[TOP_COLUMNS - 1] = marked;
  return top.sort((one, other) => one - other);
}

export function TemperatureExplorer(model, element) {
  const names = model.get("class_names"), labels = model.get("labels"), original = model.get("logits");
  const count = original.length, limit = Math.max(50, largestOf(original.flat().map(Math.abs)));
  const row = () => model.get("logits")[model.get("index")];
  const setLogit = (index, value) => {
    const logits = [...model.get("logits")];
    logits[model.get("index")] = row().with(index, between(-limit, value, limit));
    model.set("logits", logits);
  };
  const chart = columns(names, limit, {
    drag: (index, probability) => setLogit(index, logitFor(row(), index, probability, model.get("temperature"))),
    step: (index, change) => setLogit(index, stepped(row()[index], change, limit)),
  });
  const temperature = temperatureSlider(model), example = exampleOf(model, count);
  const scale = choice({ label: "Scale", options: [["linear", "linear"], ["log", "logarithmic"]], ...bound(model, "scale") });
  const view = choice({ label: "View", options: model.limits.view.options.map((name) => [name, name]), ...bound(model, "view") });
  const readouts = ["Entropy, nats", "Effective classes", "Largest probability"].map((text) => box("faint", text, create("strong")));
  const live = liveText(), hard = create("span");
  const calibration = model.get("test_labels").length ? reliability(model.get("test_logits"), model.get("test_labels")) : null;
  const softmaxView = box("stack", example.node.firstChild ? box("explorer", example.node, chart.node) : chart.node,
    box("row faint", create("span", {}, create("span", { class: "outline" }), hard), "Drag a column, or use arrow keys on it: its logit changes."),
    box("readouts", ...readouts), box("row", scale.node, button("Reset logits", () => model.set("logits", original))));
  element.append(styleOf("temperature_explorer"), box("stack", temperature.node, calibration ? view.node : "", softmaxView,
    calibration?.node ?? "", live.node));

  function draw() {
    const index = model.get("index"), logits = row(), now = model.get("temperature"), calibrates = model.get("view") === "calibration";
    temperature.set(now);
    scale.set(model.get("scale"));
    view.set(model.get("view"));
    softmaxView.hidden = Boolean(calibration) && calibrates;
    if (calibration) calibration.node.hidden = !calibrates;
    if (calibration && calibrates) return live.say(calibration.show(now));
    const probabilities = softmax(logits, now), largest = hardLabel(logits), marked = labels[index] ?? largest;
    const word = labels.length ? "the ground truth" : "the hard label";
    chart.update(probabilities, logits, marked, word, model.get("scale"), topClasses(original[index], marked));
    example.show(index);
    hard.textContent = labels.length ? `Ground truth: ${names[marked]}. Hard label of these logits: ${names[largest]}.`
      : `Hard label of these logits, the largest: ${names[marked]}.`;
    const texts = [entropy(probabilities), effectiveClasses(probabilities)].map((value) => formatNumber(value));
    texts.push(formatProbability(probabilities[largest]));
    readouts.forEach((readout, which) => { readout.lastChild.textContent = texts[which]; });
    return live.say(`Temperature ${formatTemperature(now)}: largest probability ${texts[2]} for ${names[largest]}, entropy ` +
      `${texts[0]} nats, as uncertain as ${texts[1]} equally likely classes.`);
  }

  const end = follow(model, ["temperature", "logits", "index", "scale", "view"], draw);
  return () => { end(); live.stop(); };
}
