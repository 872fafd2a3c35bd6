// A sentence, its language for a student in the page and for its teacher, and which languages lean to which.

import { button, temperatureSlider } from "./controls.js";
import { box, create, follow, liveText, mark, styleOf, svg, swatch } from "./drawing.js";
import { formatPercent, formatTemperature, hardLabel, ranked, softmax } from "./maths.js";
import { layersOf, tensorsOf } from "./networks.js";

const WIDTHS = [1, 2, 3], LEAST = 0.01, ALIGNED = 180, ENOUGH = 10, WHO = ["teacher", "student"];

// The bucket of each n-gram of the composed text, by width and place; FNV-1a, a code point a step. One with a 0 is none.
export function bucketsOf(text, buckets) {
  const codes = [...text.normalize("NFC")].map((letter) => letter.codePointAt(0));
  const ngrams = WIDTHS.flatMap((width) => codes.slice(width - 1).map((_, start) => codes.slice(start, start + width)));
  return ngrams.filter((ngram) => !ngram.includes(0)).map((ngram) => {
    const hash = ngram.reduce((found, code) => Math.imul(found ^ code, 16777619), 2166136261);
    return ((hash ^ (hash >>> 16)) >>> 0) % buckets;
  });
}

// What the file holds, and the student's logits of a text.
export function readerOf(weights) {
  const tensors = tensorsOf(weights), [{ inputs, bias, weight }] = layersOf(tensors, "student");
  const logitsOf = (text) => {
    const places = bucketsOf(text, inputs), root = Math.sqrt(Math.max(1, places.length));
    return [...bias.map((start, k) => start + places.reduce((sum, place) => sum + weight[k * inputs + place], 0) / root)];
  };
  return { tensors, logitsOf };
}

// Why an answer is worth little, by the names that `notes` has.
export const doubtsAbout = (text) => Object.entries({
  short: [...text].length < ENOUGH,
  capitals: text === text.toUpperCase() && text !== text.toLowerCase(),
  letters: /(?=\p{L})[^\0-\u024f]/u.test(text),
}).flatMap(([name, is]) => (is ? [name] : []));

const quoted = (soft, names) => ranked(soft).slice(0, 2).map((k) => `${names[k]} ${formatPercent(soft[k])}`).join(" and ");

// Two bars a language, the teacher's above the student's, under the name of its family.
function languageBars(families, names) {
  const shown = names.map((name) => ({ node: create("span", {}, name), bars: WHO.map(mark), numbers: WHO.map(() => create("span", { class: "number" })) }));
  const rows = shown.flatMap(({ node, bars, numbers }, k) => {
    const family = families[names[k]], head = family === families[names[k - 1]] ? [] : [create("h4", {}, family)];
    return [...head, node, box("pair", ...bars), ...numbers];
  });
  const heads = WHO.map((who) => create("span", { class: "number" }, who));
  const show = (softLabels, hard) => shown.forEach(({ node, bars, numbers }, k) => {
    node.className = k === hard ? "top" : "";
    softLabels.forEach((soft, which) => {
      bars[which].style.width = `${soft ? 100 * soft[k] : 0}%`;
      numbers[which].textContent = !soft ? "–" : soft[k] < 0.0005 ? "" : formatPercent(soft[k]);
    });
  });
  return { node: box("soft", create("span"), create("span"), ...heads, ...rows), show };
}

// Each language where the plan has placed it. A line's half beside a language is as wide as what this leans to the other.
function languageMap(families, names, leanings, places) {
  const lean = (from, to) => leanings[from * names.length + to], at = names.map((_, k) => [places[2 * k], places[2 * k + 1]]);
  const halves = names.flatMap((name, from) => names.flatMap((other, to) => {
    if (from === to || Math.max(lean(from, to), lean(to, from)) < LEAST) return [];
    const [[x, y], [endX, endY]] = [at[from], at[to]];
    return [lineOf(families[name] !== families[other], lean(from, to), x, y, (x + endX) / 2, (y + endY) / 2)];
  }));
  const circles = WHO.map((who) => at.map(([x, y]) => svg("circle", { class: who, cx: percent(x), cy: percent(y) })));
  const texts = names.map((name, k) => svg("text", { x: percent(at[k][0]), y: percent(at[k][1]) }, name));
  const leansOf = (from) => quoted(names.map((_, to) => (to === from ? -1 : lean(from, to))), names);
  const label = `Map. The teacher leans most from ${names.map((name, k) => `${name} to ${leansOf(k)}`).join("; ")}`;
  const node = svg("svg", { class: "languages", role: "img", "aria-label": label }, ...halves, ...circles.flat(), ...texts);
  const show = (softLabels, hard) => {
    softLabels.forEach((soft, which) => circles[which].forEach((circle, k) => circle.setAttribute("r", radius(soft ? soft[k] : 0))));
    texts.forEach((text, k) => text.setAttribute("class", k === hard ? "top" : ""));
  };
  return { node, show, leansOf };
}

const percent = (value) => `${100 * value}%`, radius = (share) => `${2.4 * Math.sqrt(share)}em`;

// `width` and the circles' areas are probabilities.
function lineOf(isAcross, width, x1, y1, x2, y2) {
  const node = svg("line", { class: isAcross ? "across" : "", x1: percent(x1), y1: percent(y1), x2: percent(x2), y2: percent(y2) });
  node.style.strokeWidth = `${3 * width}em`;
  return node;
}

// What the map's marks mean, each beside its words.
const keyOf = () => box("row key", ...[
  ...WHO.map((who) => [svg("circle", { class: who, cx: "50%", cy: "50%", r: radius(0.1) }), `${who} gives 10\u00a0%`]),
  [lineOf(false, 0.1, 0, 0.5, 1, 0.5), "leans by 10\u00a0%"],
  [lineOf(true, 0.1, 0, 0.5, 1, 0.5), "to another family"],
].map(([shape, words]) => create("span", {}, svg("svg", {}, shape), words)));

export function TypeASentence(model, element) {
  const get = (name) => model.get(name), { tensors, logitsOf } = readerOf(get("weights")), live = liveText();
  const [families, sentences, notes] = ["families", "sentences", "notes"].map(get), names = Object.keys(families);
  const placeOf = () => sentences.findIndex(([, one]) => one === get("text"));
  const teacher = (text, place) => {
    if (place >= 0) return [...tensors.teacher.values.subarray(place * names.length, (place + 1) * names.length)];
    const told = get("told");
    return told.text === text && told.logits.length ? told.logits : null;
  };
  const take = () => {
    Object.assign(model, { caret: field.selectionEnd, usedAt: performance.now() }); // for the next showing
    model.set("text", field.value);
  };
  const field = create("textarea", { rows: 2, maxLength: model.limits.text.longest, tabIndex: 0, spellcheck: false, "aria-label": "A sentence",
    oninput: take, onkeyup: take });
  const another = button("Another sentence", () => model.set("text", sentences[(placeOf() + 75) % sentences.length][1]));
  const temperature = temperatureSlider(model, [1, 4, 16, 100]);
  const bars = languageBars(families, names), map = languageMap(families, names, tensors.leanings.values, tensors.places.values);
  const hardLabels = WHO.map(() => create("strong")), [truth, doubts, seconds, leans] = ["faint", "doubts", "", ""].map((kind) => create("p", { class: kind }));
  element.append(styleOf("type_a_sentence"), box("stack", create("h3", {}, "Type a sentence"), field,
    truth, box("row", ...WHO.map((who, which) => create("p", {}, swatch(who), `The ${who}'s hard label: `, hardLabels[which]))), doubts,
    box("stack answer", seconds, box("row", temperature.node, another),
      box("views", bars.node, box("stack", map.node, keyOf(), leans, create("p", { class: "faint" }, notes.map)))),
    create("p", { class: "faint" }, notes.record)), live.node);

  // Letters that are typed are no shortcuts of the page, nor N and P of the full screen.
  const keep = (event) => { if (event.composedPath()[0] === field && event.key.length === 1) event.stopImmediatePropagation(); };
  addEventListener("keydown", keep, true);
  const end = follow(model, ["text", "temperature", "told"], () => {
    const text = get("text"), T = get("temperature"), place = placeOf(), logits = [teacher(text, place), logitsOf(text)];
    const soft = logits.map((one) => one && softmax(one, T)), [asked, hard] = logits.map((one) => one && hardLabel(one));
    temperature.set(T);
    if (field.value !== text) field.value = text;
    field.textContent = text; // for a picture
    truth.textContent = place < 0 ? "" : `Ground truth: ${sentences[place][0]}.${place < ALIGNED ? ` In English: ${sentences[place % 10][1]}` : ""}`;
    doubts.textContent = doubtsAbout(text).map((name) => notes[name]).join(" ");
    for (const view of [bars, map]) view.show(soft, hard);
    [asked, hard].forEach((label, which) => { hardLabels[which].textContent = names[label] ?? "not asked"; });
    seconds.textContent = `At T = ${formatTemperature(T)} ${soft.map((one, which) => (one ? `the ${WHO[which]} gives ${quoted(one, names)}` : notes.unasked)).join("; ")}.`;
    leans.textContent = `On average of texts in ${names[hard]}, the teacher gives ${map.leansOf(hard)}.`;
    live.say(`${names[hard]}. ${seconds.textContent} ${doubts.textContent}`);
  });
  if (model.caret >= 0) field.setSelectionRange(model.caret, model.caret);
  return () => { removeEventListener("keydown", keep, true); end(); live.stop(); };
}
