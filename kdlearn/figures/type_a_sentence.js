// A sentence, its language for a student in the page and for its teacher, and which languages lean to which.

import { bound, button, slider } from "./controls.js";
import { box, create, follow, liveText, mark, setAttributes, styleOf, svg, swatch } from "./drawing.js";
import { formatPercent, formatTemperature, ranked, softmax } from "./maths.js";
import { layersOf, tensorsOf } from "./networks.js";

const WIDTHS = [1, 2, 3], LEAST = 0.01, ALIGNED = 180, WHO = ["teacher", "student"];

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

// Two bars a language, the teacher's above the student's, under the name of its family.
function languageBars(families) {
  const names = Object.keys(families), shown = names.map((name) => ({ node: create("span", {}, name), bars: WHO.map((who) => mark(who)), numbers: WHO.map(() => create("span", { class: "number" })) }));
  const rows = names.flatMap((name, k) => {
    const { node, bars, numbers } = shown[k], isFirst = k === 0 || families[name] !== families[names[k - 1]];
    return [...(isFirst ? [create("h4", {}, families[name])] : []), node, box("pair", ...bars), ...numbers];
  });
  const head = [create("span"), create("span"), ...WHO.map((who) => create("span", { class: "number" }, who))];
  const show = (softLabels, hard) => shown.forEach(({ node, bars, numbers }, k) => {
    node.className = k === hard ? "top" : "";
    softLabels.forEach((soft, which) => {
      bars[which].style.width = `${soft ? 100 * soft[k] : 0}%`;
      numbers[which].textContent = !soft ? "–" : soft[k] < 0.0005 ? "" : formatPercent(soft[k]);
    });
  });
  return { node: box("soft", ...head, ...rows), show };
}

// Each language where the plan has placed it. A line's half beside a language is as wide as what this leans to the other.
function languageMap(families, leanings, places) {
  const names = Object.keys(families), count = names.length, percent = (value) => `${100 * value}%`;
  const at = names.map((_, k) => [places[2 * k], places[2 * k + 1]]);
  const halves = names.flatMap((name, from) => names.flatMap((other, to) => {
    const [lean, back] = [leanings[from * count + to], leanings[to * count + from]];
    if (from === to || Math.max(lean, back) < LEAST) return [];
    const line = svg("line", { class: families[name] === families[other] ? "" : "across" });
    setAttributes(line, { x1: percent(at[from][0]), y1: percent(at[from][1]), x2: percent((at[from][0] + at[to][0]) / 2), y2: percent((at[from][1] + at[to][1]) / 2) });
    line.style.strokeWidth = `${3 * lean}em`;
    return [line];
  }));
  const circles = WHO.map((who) => at.map(([x, y]) => svg("circle", { class: who, cx: percent(x), cy: percent(y) })));
  const texts = names.map((name, k) => svg("text", { x: percent(at[k][0]), y: percent(at[k][1]) }, name));
  const node = svg("svg", { class: "languages", role: "img" }, ...halves, ...circles.flat(), ...texts);
  const leansOf = (from) => ranked(names.map((_, to) => (to === from ? -1 : leanings[from * count + to]))).slice(0, 2)
    .map((to) => `${names[to]} ${formatPercent(leanings[from * count + to])}`).join(" and ");
  node.setAttribute("aria-label", `Map. The teacher leans most from ${names.map((name, k) => `${name} to ${leansOf(k)}`).join("; ")}`);
  const show = (softLabels, hard) => {
    softLabels.forEach((soft, which) => circles[which].forEach((circle, k) => circle.setAttribute("r", `${soft ? 2.4 * Math.sqrt(soft[k]) : 0}em`)));
    texts.forEach((text, k) => text.setAttribute("class", k === hard ? "top" : ""));
  };
  return { node, show, leansOf };
}

export function TypeASentence(model, element) {
  const get = (name) => model.get(name), { tensors, logitsOf } = readerOf(get("weights"));
  const [families, sentences, record] = ["families", "sentences", "record"].map(get), names = Object.keys(families), live = liveText();
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
  const temperature = slider({ ...model.limits.temperature, ...bound(model, "temperature"), label: "Temperature", step: 0.005, logarithmic: true,
    marks: [1, 4, 16, 100], format: formatTemperature });
  const bars = languageBars(families), map = languageMap(families, tensors.leanings.values, tensors.places.values);
  const hardLabels = WHO.map(() => create("strong")), [truth, seconds, leans] = ["faint", "", ""].map((kind) => create("p", { class: kind })), at = formatTemperature(get("trained_at"));
  const rates = (part) => `${formatPercent(record[part].student / 100)} right, its teacher ${formatPercent(record[part].teacher / 100)}`;
  element.append(styleOf("type_a_sentence"), box("stack", create("h3", {}, "Type a sentence"), field,
    truth, box("row", ...WHO.map((who, which) => create("p", {}, swatch(who), `The ${who}'s hard label: `, hardLabels[which]))),
    box("stack answer", seconds, box("row", temperature.node, another), box("views", bars.node, box("stack", map.node, leans,
      create("p", { class: "faint" }, `Circles: the soft labels of your sentence. Lines: the teacher's mean soft label of 100 held-out texts of a language, at T = ${at}. `
        + "The half beside a language shows what it gives the other, where either gives 1 % or more. Dashed lines join two families."))),
    create("p", { class: "faint" }, `Of held-out articles in pieces of 25 characters, the student has ${rates("25 characters")}; of 180 everyday sentences ${rates("sentences")}. `
      + "Neither can say “none of these”: Latin gets a label too. One student is no evidence.")), live.node));

  // Letters that are typed are no shortcuts of the page, nor N and P of the full screen.
  const keep = (event) => { if (event.composedPath()[0] === field && event.key.length === 1) event.stopImmediatePropagation(); };
  addEventListener("keydown", keep, true);
  const end = follow(model, ["text", "temperature", "told"], () => {
    const text = get("text"), T = get("temperature"), place = placeOf(), logits = [teacher(text, place), logitsOf(text)], soft = logits.map((one) => one && softmax(one, T));
    const orders = logits.map((one) => one && ranked(one)), hard = orders[1][0];
    temperature.set(T);
    if (field.value !== text) field.value = text;
    field.textContent = text; // for a picture
    truth.hidden = place < 0;
    truth.textContent = truth.hidden ? "" : `Ground truth: ${sentences[place][0]}.${place < ALIGNED ? ` In English: ${sentences[place % 10][1]}` : ""}`;
    for (const view of [bars, map]) view.show(soft, hard);
    orders.forEach((order, which) => { hardLabels[which].textContent = order ? names[order[0]] : "not asked"; });
    seconds.textContent = `At T = ${formatTemperature(T)} ${soft.map((one, which) => (one ? `the ${WHO[which]} gives ${orders[which].slice(0, 2).map((k) => `${names[k]} ${formatPercent(one[k])}`).join(" and ")}`
      : "the teacher's labels are recorded for the examples, and live with Python and py3langid")).join("; ")}.`;
    leans.textContent = `On average of texts in ${names[hard]}, the teacher gives ${map.leansOf(hard)}.`;
    live.say(`${names[hard]}. ${seconds.textContent}`);
  });
  if (model.caret >= 0) field.setSelectionRange(model.caret, model.caret);
  return () => { removeEventListener("keydown", keep, true); end(); live.stop(); };
}
