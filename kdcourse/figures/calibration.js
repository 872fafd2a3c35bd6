// Reliability: of the examples of which a network is so sure, how many does it get right?

import { box, create, setAttributes, styleOf, svg, swatch } from "./drawing.js";
import { average, formatPercent, formatTemperature, hardLabel, largestOf, softmax, sum } from "./maths.js";

export const BINS = 10;

// Of each bin (k / BINS, (k + 1) / BINS] of the largest probability, and of all rows: count, mean confidence, accuracy;
// and the expected calibration error (Guo et al. 2017, equation 3).
export function calibrationOf(logits, labels, temperature) {
  const rows = logits.map((row, index) => ({ sure: largestOf(softmax(row, temperature)), right: Number(hardLabel(row) === labels[index]) }));
  const bins = Array.from({ length: BINS }, () => []);
  rows.forEach((row) => bins[Math.min(BINS, Math.max(1, Math.ceil(row.sure * BINS))) - 1].push(row));
  const told = (members) => ({ count: members.length, sure: average(members.map((row) => row.sure)), right: average(members.map((row) => row.right)) });
  const found = bins.map((members) => (members.length ? told(members) : { count: 0, sure: NaN, right: NaN }));
  const error = sum(found.map(({ count, sure, right }) => (count ? count * Math.abs(right - sure) : 0))) / rows.length;
  return { bins: found, ...told(rows), error };
}

export function reliability(logits, labels) {
  const axis = [0, 0.25, 0.5, 0.75, 1].flatMap((share) => {
    const y = `${100 * (1 - share)}%`;
    return [svg("line", { class: "axis", x1: 0, x2: "100%", y1: y, y2: y }), svg("text", { x: "-0.6em", y, dy: "0.35em", "text-anchor": "end" }, share.toFixed(2))];
  });
  const ticks = Array.from({ length: BINS + 1 }, (_, k) => svg("text", { x: `${(100 * k) / BINS}%`, y: "100%", dy: "1.4em", "text-anchor": "middle" }, (k / BINS).toFixed(1)));
  const bars = Array.from({ length: BINS }, (_, k) => {
    const x = (100 * k) / BINS, width = 100 / BINS;
    return { bar: svg("rect", { class: "right", x: `${x + 0.1 * width}%`, width: `${0.8 * width}%` }),
      line: svg("line", { class: "sure", x1: `${x}%`, x2: `${x + width}%` }),
      number: svg("text", { x: `${x + width / 2}%`, "text-anchor": "middle" }) };
  });
  const chart = svg("svg", { class: "reliability", role: "img" }, ...axis, ...ticks, ...bars.flatMap((one) => Object.values(one)));
  const readouts = ["Accuracy", "Mean confidence", "Expected calibration error"].map((text) => box("faint", text, create("strong")));
  const node = box("stack", styleOf("calibration"), create("p", { class: "faint" },
    `${logits.length} test examples, in bins of the largest probability. Below each bar stands its number of examples.`),
  box("reliability-frame", chart), box("row faint", create("span", {}, swatch("right"), "accuracy in the bin"),
    create("span", {}, swatch("sure"), "mean confidence in the bin: where a calibrated bar ends")), box("three", ...readouts));

  const show = (temperature) => {
    const { bins, sure, right, error } = calibrationOf(logits, labels, temperature);
    bins.forEach((bin, k) => {
      const { bar, line, number } = bars[k], high = bin.count ? bin.right : 0;
      setAttributes(bar, { y: `${100 * (1 - high)}%`, height: `${100 * high}%` });
      line.style.display = bin.count ? "" : "none";
      if (bin.count) setAttributes(line, { y1: `${100 * (1 - bin.sure)}%`, y2: `${100 * (1 - bin.sure)}%` });
      setAttributes(number, { y: "100%", dy: "2.6em" });
      number.textContent = bin.count || "";
    });
    const texts = [right, sure, error].map(formatPercent);
    readouts.forEach((readout, which) => { readout.lastChild.textContent = texts[which]; });
    const said = `Temperature ${formatTemperature(temperature)}: accuracy ${texts[0]}, mean confidence ${texts[1]}, calibration error ${texts[2]}.`;
    chart.setAttribute("aria-label", said);
    return said;
  };
  return { node, show };
}
