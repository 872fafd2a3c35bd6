// A teacher's opinion of real images, what a hard label hides of it, and which classes it takes for alike.

import { box, choice, create, follow, formatNumber, formatTemperature, liveText, temperatureSlider, whenPressed } from "./drawing.js";
import { entropy, hardLabel, softmax } from "./maths.js";

const DARK_STYLE = `
h3, p { margin: 0; }
h3 { font: 600 15px/1.3 var(--sans); }
.parts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(290px, 100%), 1fr)); gap: 24px 32px; }
.images { display: grid; grid-template-columns: repeat(auto-fill, minmax(var(--tile), 1fr)); gap: 5px; max-height: 350px;
  overflow-y: auto; padding: 4px; margin: -4px -4px 8px; }
.image { position: relative; aspect-ratio: 1; image-rendering: pixelated; border-radius: 4px; }
.images .image { cursor: pointer; }
.image[aria-selected="true"] { box-shadow: 0 0 0 2px var(--paper), 0 0 0 4px var(--blue); }
.wrong::after { content: ""; position: absolute; right: 0; top: 0; width: 12px; height: 12px; }
.wrong::after, .corner { background: linear-gradient(45deg, transparent 50%, var(--vermilion) 50%); }
.figure .swatch { width: 11px; }
.chosen { display: flex; gap: 16px; align-items: center; margin-bottom: 16px; min-height: 116px; }
.chosen .image { flex: 0 0 104px; }
.bars { display: grid; grid-template-columns: fit-content(35%) 1fr 3.5em; gap: 5px 10px; font-size: 13px; line-height: 18px; }
.bars > :nth-child(3n) { text-align: right; }
.bars > *, th { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.bars div div { height: 14px; margin-top: 2px; min-width: 1px; border-radius: 0 2px 2px 0; }
.rest { background: var(--orange); }
.hard { background: var(--faint); }
table { border-spacing: 2px; table-layout: fixed; width: 100%; font-size: 11px; }
th, td { padding: 0; height: 26px; text-align: center; font-weight: 400; border-radius: 3px; }
tr > :first-child { text-align: right; padding-right: 6px; }
.figure .strong { font-weight: 600; }
@container (max-width: 640px) {
  .long thead th { height: 5em; writing-mode: vertical-rl; rotate: 180deg; text-align: left; }
}`;

const percent = (share) => `${formatNumber(100 * share, share < 0.0995 ? 1 : 0)}\u00a0%`;

// All images; a click or a key chooses one.
function imageList(model, picture, descriptions) {
  const tiles = descriptions.map(([words, wrong], index) => {
    const tile = create("div", { class: wrong ? "image wrong" : "image", role: "option", id: `image-${index}`, title: words,
      "aria-label": `image ${index}: ${words}`, onclick: () => model.set("selected", index) });
    return picture(tile, index);
  });
  const node = create("div", { class: "images", role: "listbox", tabIndex: 0, "aria-label": "Images",
    style: `--tile: ${tiles.length > 30 ? 36 : 56}px` });
  const across = () => getComputedStyle(node).gridTemplateColumns.split(" ").length;
  let order = [];
  whenPressed(node, { ArrowRight: () => 1, ArrowLeft: () => -1, ArrowDown: across, ArrowUp: () => -across(),
    Home: () => -tiles.length, End: () => tiles.length }, (move) => {
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
  const image = create("div", { class: "image", role: "img" }), truth = create("p", { class: "faint" });
  const [hardWords, restWords] = [create("span"), create("span")];
  const bars = names.map((name) => [create("span", { title: name }, name), box(""), create("span")]);
  const swatch = (kind) => create("i", { class: `swatch ${kind}` });
  const words = box("", create("h3", {}, swatch("hard"), hardWords), create("p", {}, swatch("rest"), restWords), truth);
  const node = box("", box("chosen", image, words), box("bars", ...bars.flatMap(([name, bar, number]) => [name, box("", bar), number])));
  const show = (index, soft, label, description) => {
    const hard = hardLabel(soft), second = hardLabel(soft.map((p, k) => (k === hard ? -1 : p)));
    hardWords.textContent = `The hard label: ${names[hard]}`;
    restWords.textContent = `It hides ${percent(1 - soft[hard])} of the teacher's opinion; ${names[second]} comes second with ${percent(soft[second])}.`;
    truth.textContent = `Ground truth: ${names[label]}${label === hard ? "" : ". The teacher is wrong."}`;
    picture(image, index).ariaLabel = description;
    bars.forEach(([name, bar, number], k) => {
      name.className = k === label ? "strong" : "";
      bar.className = k === hard ? "hard" : "rest";
      bar.style.width = `${100 * soft[k]}%`;
      number.textContent = percent(soft[k]);
    });
    return `${hardWords.textContent}. ${restWords.textContent} ${truth.textContent}`;
  };
  return { node, show };
}

// The mean soft label of the images of each class, by ground truth. The diagonal has no colour, or it would take it all.
function similarityTable(names, labels) {
  const title = create("h3"), caption = create("p", { class: "faint" });
  const longest = Math.max(...names.map((name) => name.length));
  const head = (scope, name) => create("th", { scope, title: name }, name);
  const rows = names.map((name) => [head("row", name), ...names.map(() => create("td"))]);
  const corner = create("td", { style: `width: ${0.65 * Math.min(9, longest) + 1}em` });
  const node = box(longest > 3 ? "long" : "", title, caption, create("table", {},
    create("thead", {}, create("tr", {}, corner, ...names.map((name) => head("col", name)))),
    create("tbody", {}, ...rows.map((cells) => create("tr", {}, ...cells)))));
  const show = (softLabels, label, temperature) => {
    const means = names.map((_, truth) => {
      const members = softLabels.filter((_, index) => labels[index] === truth);
      return names.map((_, k) => members.reduce((sum, soft) => sum + soft[k], 0) / members.length); // NaN without images
    });
    const largest = Math.max(...means.flatMap((row, truth) => row.filter((mean, k) => k !== truth && mean >= 0)));
    title.textContent = `Which classes the teacher takes for alike, at T = ${formatTemperature(temperature)}`;
    caption.textContent = "A row is the mean soft label of one class of images, in %. The diagonal has no colour, so that the "
      + `colours, from 0 to ${formatNumber(100 * largest, 1)}, show what lies beside it.`;
    rows.forEach(([name, ...cells], row) => {
      name.className = row === label ? "strong" : "";
      cells.forEach((cell, k) => {
        const mean = means[row][k], same = row === k;
        cell.textContent = isNaN(mean) ? "–" : names.length > 12 ? "" : percent(mean).slice(0, -2);
        cell.style.color = same ? "var(--faint)" : "";
        cell.style.background = same ? "" : `color-mix(in srgb, var(--orange) ${(55 * (mean || 0)) / (largest || 1)}%, transparent)`;
      });
    });
  };
  return { node, show };
}

export function DarkKnowledge(model, element) {
  const [names, logits, labels, source] = ["class_names", "teacher_logits", "labels", "images"].map((name) => model.get(name));
  const picture = (node, index) => { // one of those that lie below each other in one file
    node.style.background = `url("${source}") 0 ${(100 * index) / Math.max(1, logits.length - 1)}% / 100% ${100 * logits.length}%`;
    return node;
  };
  const descriptions = logits.map((row, index) => {
    const [truth, seen] = [labels[index], hardLabel(row)];
    return truth === seen ? [names[truth], false] : [`${names[truth]}, which the teacher takes for ${names[seen]}`, true];
  });
  const atOne = logits.map((row) => softmax(row)); // ranks images, so that none moves with the temperature
  const ranks = { given: logits.map((_, index) => index), entropy: atOne.map((p) => -entropy(p)),
    disagreement: atOne.map((p, index) => p[labels[index]]) };
  const temperature = temperatureSlider(model);
  const order = choice({ label: "Images", value: model.get("order"), onChange: (value) => model.set("order", value),
    options: [["given", "as given"], ["entropy", "most uncertain first"], ["disagreement", "furthest from the label first"]] });
  const list = imageList(model, picture, descriptions), chosen = opinion(names, picture);
  const table = similarityTable(names, labels), live = liveText();
  const legend = create("p", { class: "faint" }, create("i", { class: "swatch corner" }), "the teacher's hard label is not the ground truth");
  element.append(create("style", {}, DARK_STYLE), box("stack", box("row", temperature.node, order.node),
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
