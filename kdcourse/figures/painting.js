// What the playground paints: maps, points, curves, differences, thumbnails of all seeds.

import { create } from "./drawing.js";
import { predict, taught } from "./learning.js";
import { average, softmax, withSign } from "./maths.js";

export const SEEDS = 20, LAST_STEP = 1000, SIDES = ["left", "right"], SIDE_COLOURS = ["--ink", "--vermilion"];
const REACH = 1.9;
const CLASS_COLOURS = [[230, 159, 0], [0, 114, 178], [0, 158, 115], [204, 121, 167]]; // Okabe and Ito's
const CORNERS = [[24, 0], [3, -0.25], [4, 0.125], [4, 0]]; // and turn: circle, triangle, square, diamond

const mixture = (shares) => [0, 1, 2].map((part) => shares.reduce((sum, share, c) => sum + share * CLASS_COLOURS[c][part], 0));

// How many CSS pixels a unit is; small type is 12 units high.
export const unitOf = (canvas) => parseFloat(getComputedStyle(canvas).fontSize) / 14;

// A canvas as wide as its place, cleared; `height` and all that is drawn on it is in units.
export function clear(canvas, height) {
  const unit = unitOf(canvas), scale = unit * devicePixelRatio, width = canvas.clientWidth / unit, context = canvas.getContext("2d");
  canvas.style.height = `${height * unit}px`;
  [canvas.width, canvas.height] = [width * scale, height * scale];
  context.scale(scale, scale);
  context.font = "12px system-ui, sans-serif";
  context.textAlign = "center";
  const line = (colour, thickness, places) => {
    [context.strokeStyle, context.lineWidth] = [colour, thickness];
    context.beginPath();
    places.forEach(([x, y]) => context.lineTo(x, y));
    context.stroke();
  };
  const shape = (x, y, radius, [corners, turn], fill, edge) => {
    const angles = Array.from({ length: corners + 1 }, (_, corner) => 2 * Math.PI * (corner / corners + turn));
    line(edge, 1, angles.map((angle) => [x + radius * Math.cos(angle), y + radius * Math.sin(angle)]));
    context.fillStyle = fill;
    context.fill();
  };
  const write = (colour, words, x, y) => {
    context.fillStyle = colour;
    context.fillText(words, x, y);
  };
  return { context, width, line, shape, write };
}

// Class colours mixed by softmax(logits / T): sharp where the network is sure, blended where it is not.
export function paintRegions({ context }, network, temperature, size, x, y, width) {
  const raster = create("canvas", { width: size, height: size }), image = new ImageData(size, size);
  const places = Array.from({ length: size }, (_, at) => REACH * ((2 * at + 1) / size - 1));
  const grid = Float64Array.from(places.flatMap((down) => places.flatMap((along) => [along, -down])));
  predict(network, grid).forEach((logits, at) => image.data.set([...mixture(softmax(logits, temperature)), 120], 4 * at));
  raster.getContext("2d").putImageData(image, 0, 0);
  context.drawImage(raster, x, y, width, width);
}

// The points as they are taught: the colour mixed by the label's probabilities, the shape its largest.
export function paintLesson({ shape, width }, { points, labels, teacherLogits }, kind, { temperature, soft_weight }, edge) {
  labels.forEach((given, place) => {
    const [weight, label] = taught(kind, soft_weight, given, teacherLogits[place]);
    const shares = softmax(teacherLogits[place], temperature).map((p, c) => weight * p + (1 - weight) * (c === label));
    const [x, y] = [1 + points[2 * place] / REACH, 1 - points[2 * place + 1] / REACH].map((value) => (value * width) / 2);
    shape(x, y, labels.length > 150 ? 3.5 : 5, CORNERS[shares.indexOf(Math.max(...shares))], `rgb(${mixture(shares)})`, edge);
  });
}

// The lower end of the axis of accuracies: a multiple of 20 below all of them.
export const floorOf = (accuracies) => 20 * Math.floor(Math.min(40, ...accuracies) / 20);

// Test accuracy: of each side the mean of all seeds, wide, and the seed that is shown, thin.
export function paintCurves({ width, line, write }, { pairs, tests }, shown, colour) {
  const curves = SIDES.map((_, side) => tests.map((_, test) => average(pairs.map(({ accuracies }) => accuracies[side][test]))));
  const floor = floorOf([...curves.flat(), ...pairs[shown].accuracies.flat()]);
  const xOf = (step) => 30 + ((width - 50) * step) / LAST_STEP, yOf = (percent) => 8 + (168 * (100 - percent)) / (100 - floor);
  for (let percent = floor; percent <= 100; percent += 20) {
    line(colour("--line"), 1, [[30, yOf(percent)], [width, yOf(percent)]]);
    write(colour("--faint"), percent, 12, yOf(percent) + 4);
  }
  for (const step of [0, 500, 1000]) write(colour("--faint"), step, xOf(step), 196);
  SIDE_COLOURS.forEach((name, side) => {
    const draw = (values, thickness) => line(colour(name), thickness, values.map((value, test) => [xOf(tests[test]), yOf(value)]));
    draw(pairs[shown].accuracies[side], 1);
    draw(curves[side], 3);
  });
}

// The differences, a dot a seed, and below them their mean with its 95 % interval.
export function paintDifferences({ width, line, shape, write }, { differences, mean, halfWidth }, shown, colour) {
  const most = 1.1 * Math.max(5, ...differences.map(Math.abs)), unit = most > 20 ? 10 : most > 8 ? 5 : 2, placed = [];
  const xOf = (value) => width / 2 + ((width / 2 - 16) * value) / most, ink = colour("--ink");
  for (let mark = -unit * Math.floor(most / unit); mark < most; mark += unit) {
    line(colour(mark ? "--line" : "--faint"), 1, [[xOf(mark), 8], [xOf(mark), 176]]);
    write(colour("--faint"), withSign(mark, 0), xOf(mark), 196);
  }
  differences.forEach((value, index) => { // a dot lies where its value is, above those that it would cover
    const x = xOf(value);
    let level = 0;
    while (placed.some((dot) => dot.level === level && Math.abs(dot.x - x) < 7)) level += 1;
    placed.push({ x, level });
    shape(x, 128 - 6 * level, 3, CORNERS[0], index === shown ? ink : colour("--paper"), ink);
  });
  line(ink, 3, [[xOf(mean - halfWidth), 152], [xOf(mean + halfWidth), 152]]);
  shape(xOf(mean), 152, 6, CORNERS[3], ink, ink);
}

const thumbnailsOf = (width) => {
  const across = width < 560 ? 5 : 10, cell = width / across, side = cell / 2 - 4;
  return { across, cell, side };
};

// Both students of every seed, and their difference.
export function paintSeeds(canvas, { pairs }, differences, shown, temperature, colour) {
  const { across, cell, side } = thumbnailsOf(canvas.clientWidth / unitOf(canvas));
  const surface = clear(canvas, (SEEDS / across) * (side + 24));
  pairs.forEach(({ students }, index) => {
    const x = 2 + cell * (index % across), y = (side + 24) * Math.floor(index / across);
    students.forEach((student, place) => paintRegions(surface, student, temperature, 12, x + place * (side + 1), y, side));
    surface.write(colour(index === shown ? "--ink" : "--faint"), withSign(differences[index]), x + side, y + side + 15);
    if (index === shown) surface.line(colour("--ink"), 2, [[x, y + side + 1], [x + 2 * side, y + side + 1]]);
  });
}

// The seed, from 1, whose thumbnails lie there.
export function seedAt(canvas, { offsetX, offsetY }) {
  const unit = unitOf(canvas), { across, cell, side } = thumbnailsOf(canvas.clientWidth / unit);
  const [column, row] = [Math.floor(offsetX / unit / cell), Math.floor(offsetY / unit / (side + 24))];
  return Math.min(SEEDS, 1 + Math.min(across - 1, column) + across * row);
}
