// A teacher's opinion of real images, what a hard label hides of it, and which classes it finds alike.

import { bound, choice, temperatureSlider, whenPressed } from "./controls.js";
import { box, create, follow, imageOf, liveText, mark, styleOf, svg, swatch } from "./drawing.js";
import { average, entropy, formatNumber, formatPercent, formatTemperature, hardLabel, largestOf, ranked, softmax, sum } from "./maths.js";

const MOST_CLASSES = 20, TOP_BARS = 12; // beyond them the top ones are shown, and the rest as one

const corner = () => svg("svg", { class: "corner", viewBox: "0 0 1 1", "aria-hidden": "true" }, svg("path", { d: "M0 0H1V1Z" }));

// All images; a click or a key chooses one.
function imageList(model, picture, descriptions) {
  const tiles = descriptions.map(([words, wrong], index) => create("div", { class: "tile", role: "option", id: `image-${index}`,
    title: words, "aria-label": `image ${index}: ${words}`, onclick: () => model.set("selected", index) },
  picture(index).node, wrong ? corner() : ""));
  const node = create("div", { class: "images", role: "listbox", tabIndex: 0, "aria-label": "Images",
    style: `--tile: ${tiles.length > 30 ? 2.6 : 4}em` });
  const across = () => getComputedStyle(node).gridTemplateColumns.split(" ").length;
  let order = [];
  whenPressed(node, { ArrowRight: () => 1, ArrowLeft: () => -1, ArrowDown: across, ArrowUp: () => -across(),
    PageDown: () => 3 * across(), PageUp: () => -3 * across(), Home: () => -tiles.length, End: () => tiles.length }, (move) => {
    const place = order.indexOf(model.get("selected")) + move();
    model.set("selected", order[Math.min(tiles.length - 1, Math.max(0, place))]);
    tiles[model.get("selected")].scrollIntoView({ block: "nearest" });
  });
  const show = (newOrder, selected) => {
    if (String(newOrder) !== String(order)) node.replaceChildren(...newOrder.map((index) => tiles[index]));
    order = newOrder;
    tiles.forEach((tile, index) => { tile.ariaSelected = index === selected; });
    node.setAttribute("aria-activedescendant", `image-${selected}`);
  };
  return { node, show };
}

// The soft label beside one image, and what its hard label hides.
function opinion(names, picture) {
  const image = picture(0), truth = create("p", { class: "faint" }), all = names.length <= MOST_CLASSES;
  const [hardWords, restWords] = [create("span"), create("span")];
  const bars = Array.from({ length: all ? names.length : TOP_BARS + 1 }, () => [create("span"), mark(), create("span")]);
  const words = box("", create("h3", {}, swatch("hard"), hardWords), create("p", {}, swatch("rest"), restWords), truth);
  const node = box("", box("chosen", image.node, words), box("bars", ...bars.flatMap(([name, bar, number]) => [name, box("", bar), number])));
  const write = ([name, bar, number], text, kind, share, strong) => {
    name.textContent = name.title = text;
    name.className = strong ? "strong" : "";
    bar.setAttribute("class", kind);
    bar.style.width = `${100 * share}%`;
    number.textContent = formatPercent(share);
  };
  const show = (index, soft, label, description) => {
    const hard = hardLabel(soft), second = ranked(soft.map((p, k) => (k === hard ? -1 : p)))[0];
    hardWords.textContent = `The teacher's hard label: ${names[hard]}`;
    restWords.textContent = `It hides ${formatPercent(1 - soft[hard])} of the teacher's opinion; ${names[second]} comes second with ${formatPercent(soft[second])}.`;
    truth.textContent = `Ground truth: ${names[label]}${label === hard ? "" : ". The teacher is wrong."}`;
    image.show(index);
    image.node.alt = description;
    const shown = all ? names.map((_, k) => k) : ranked(soft).slice(0, TOP_BARS);
    shown.forEach((k, place) => write(bars[place], names[k], k === hard ? "hard" : "rest", soft[k], k === label));
    if (!all) write(bars[TOP_BARS], `${names.length - TOP_BARS} others`, "others", Math.max(0, 1 - sum(shown.map((k) => soft[k]))), false);
    return `${hardWords.textContent}. ${restWords.textContent} ${truth.textContent}`;
  };
  return { node, show };
}

function classesOfTable(names, labels) {
  if (names.length <= MOST_CLASSES) return names.map((_, k) => k);
  const counts = names.map(() => 0);
  for (const label of labels) counts[label] += 1;
  return ranked(counts).slice(0, TOP_BARS).filter((k) => counts[k]).sort((one, other) => one - other);
}

// The mean soft label of the images of each class, by ground truth. The diagonal has no colour, or it would take it all.
function similarityTable(names, labels) {
  const title = create("h3"), caption = create("p", { class: "faint" }), classes = classesOfTable(names, labels);
  const members = classes.map((truth) => labels.map((label, index) => (label === truth ? index : -1)).filter((index) => index >= 0));
  const longest = Math.max(...classes.map((k) => names[k].length)), some = classes.length < names.length;
  const head = (scope, k) => create("th", { scope, title: names[k] }, names[k]);
  const rows = classes.map((k) => [head("row", k), ...classes.map(() => [mark(), create("span")])]);
  const first = create("td", { style: `width: ${0.65 * Math.min(9, longest) + 1}em` });
  const node = box(longest > 3 ? "long" : "", title, caption, create("table", {},
    create("thead", {}, create("tr", {}, first, ...classes.map((k) => head("col", k)))),
    create("tbody", {}, ...rows.map(([name, ...cells], row) => create("tr", {}, name,
      ...cells.map((cell, column) => create("td", { class: row === column ? "same" : "" }, ...cell)))))));
  const show = (softLabels, label, temperature) => {
    const means = members.map((of) => classes.map((k) => average(of.map((index) => softLabels[index][k])))); // NaN without images
    const largest = largestOf(means.flatMap((row, truth) => row.filter((mean, k) => k !== truth && mean >= 0)));
    title.textContent = `Which classes the teacher takes for alike, at T = ${formatTemperature(temperature)}`;
    caption.textContent = `${some ? `The ${classes.length} classes of most images. ` : ""}A row is the mean soft label of one class of images, in %. `
      + `The diagonal has no colour, so that the colours, from 0 to ${formatNumber(100 * largest, 1)}, show what lies beside it.`;
    rows.forEach(([name, ...cells], row) => {
      name.className = classes[row] === label ? "strong" : "";
      cells.forEach(([colour, number], k) => {
        const mean = means[row][k];
        number.textContent = isNaN(mean) ? "–" : classes.length > 12 ? "" : formatPercent(mean).slice(0, -2);
        colour.style.fillOpacity = row === k ? 0 : (0.55 * (mean || 0)) / (largest || 1);
      });
    });
  };
  return { node, show };
}

export function DarkKnowledge(model, element) {
  const [names, logits, labels, source] = ["class_names", "teacher_logits", "labels", "images"].map((name) => model.get(name));
  const picture = (index) => imageOf(source, logits.length, index);
  const descriptions = logits.map((row, index) => {
    const [truth, seen] = [labels[index], hardLabel(row)];
    return truth === seen ? [names[truth], false] : [`${names[truth]}, which the teacher takes for ${names[seen]}`, true];
  });
  const atOne = logits.map((row) => softmax(row)); // ranks images, so that none moves with the temperature
  const ranks = { given: logits.map((_, index) => index), entropy: atOne.map((p) => -entropy(p)),
    disagreement: atOne.map((p, index) => p[labels[index]]) };
  const temperature = temperatureSlider(model);
  const order = choice({ label: "Images", ...bound(model, "order"), options: [["given", "as given"],
    ["entropy", "most uncertain first"], ["disagreement", "furthest from the ground truth first"]] });
  const list = imageList(model, picture, descriptions), chosen = opinion(names, picture);
  const table = similarityTable(names, labels), live = liveText();
  const wrong = corner();
  wrong.classList.add("swatch");
  const legend = create("p", { class: "faint" }, wrong, "the teacher's hard label is not the ground truth");
  element.append(styleOf("dark_knowledge"), box("stack", box("row", temperature.node, order.node),
    box("parts", box("", list.node, legend), chosen.node), table.node, live.node));

  const end = follow(model, ["temperature", "selected", "order"], () => {
    const [T, index, by] = ["temperature", "selected", "order"].map((name) => model.get(name));
    const soft = logits.map((row) => softmax(row, T));
    temperature.set(T);
    order.set(by);
    list.show(ranks.given.toSorted((one, other) => ranks[by][one] - ranks[by][other]), index);
    live.say(chosen.show(index, soft[index], labels[index], descriptions[index][0]));
    table.show(soft, labels[index], T);
  });
  return () => { end(); live.stop(); };
}
