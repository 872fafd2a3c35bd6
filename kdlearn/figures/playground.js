// Two students on labels that the reader picks, for twenty seeds at once: is the difference more than chance?

import { button, choice, colourOf, create, formatNumber, formatTemperature, liveText, prefersStillness, slider } from "./drawing.js";
import { DATA_SETS, LABEL_KINDS, accuracyOf, average, batchesOf, drawLesson, drawPoints, learn, meanWithInterval, perceptron, predict, randomNumbers, taught, trainTeacher } from "./learning.js";
import { softmax } from "./maths.js";

const SEEDS = 20, LAST_STEP = 1000, REACH = 1.9, SIDES = ["left", "right"], SIDE_COLOURS = ["--ink", "--vermilion"];
const CLASS_COLOURS = [[230, 159, 0], [0, 114, 178], [0, 158, 115], [204, 121, 167]]; // Okabe and Ito's
const CORNERS = [[24, 0], [3, -0.25], [4, 0.125], [4, 0]]; // and turn: circle, triangle, square, diamond

// The students of a seed share points, first weights and order of batches, so that their difference is paired.
export function openClassroom(settings, teacher, test) {
  const pairs = Array.from({ length: SEEDS }, (_, index) => ({
    lesson: drawLesson(settings, index + 1, teacher),
    batches: batchesOf(settings.labelled_points, randomNumbers(index + 1, 4)),
    students: SIDES.map(() => perceptron([2, 16, test.classes], randomNumbers(index + 1, 3))),
    accuracies: [[], []],
  }));
  const room = { pairs, step: 0, tests: [] };
  room.examine = () => {
    if (room.tests.at(-1) === room.step) return;
    room.tests.push(room.step);
    for (const { students, accuracies } of pairs) students.forEach((student, side) => accuracies[side].push(accuracyOf(student, test)));
  };
  room.learn = () => {
    for (const { lesson, batches, students } of pairs) {
      const batch = batches();
      students.forEach((student, side) => learn(student, lesson, batch, settings[SIDES[side]], settings));
    }
    if (++room.step % 20 === 0) room.examine();
  };
  // Of the latest test: each side's mean in %, and the differences right − left in points.
  room.compare = () => {
    const [lefts, rights] = SIDES.map((_, side) => pairs.map(({ accuracies }) => accuracies[side].at(-1)));
    const differences = rights.map((value, index) => value - lefts[index]);
    return { left: average(lefts), right: average(rights), differences, ...meanWithInterval(differences) };
  };
  room.examine();
  return room;
}

const inPoints = (value, digits = 1) => (value > 0 ? "+" : "") + formatNumber(value, digits);
const mixture = (shares) => [0, 1, 2].map((part) => shares.reduce((sum, share, c) => sum + share * CLASS_COLOURS[c][part], 0));

// A canvas as wide as its place, cleared, with what is drawn on it in CSS pixels.
function clear(canvas, height) {
  const width = canvas.clientWidth, context = canvas.getContext("2d");
  canvas.style.height = `${height}px`;
  [canvas.width, canvas.height] = [width * devicePixelRatio, height * devicePixelRatio];
  context.scale(devicePixelRatio, devicePixelRatio);
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
function paintRegions({ context }, network, temperature, size, x, y, width) {
  const raster = create("canvas", { width: size, height: size }), image = new ImageData(size, size);
  const places = Array.from({ length: size }, (_, at) => REACH * ((2 * at + 1) / size - 1));
  const grid = Float64Array.from(places.flatMap((down) => places.flatMap((along) => [along, -down])));
  predict(network, grid).forEach((logits, at) => image.data.set([...mixture(softmax(logits, temperature)), 120], 4 * at));
  raster.getContext("2d").putImageData(image, 0, 0);
  context.drawImage(raster, x, y, width, width);
}

// The points as the student is taught them: the colour mixed by the label's probabilities, the shape its largest.
function paintLesson({ shape, width }, { points, labels, teacherLogits }, kind, { temperature, soft_weight }, edge) {
  labels.forEach((given, place) => {
    const [weight, label] = taught(kind, soft_weight, given, teacherLogits[place]);
    const shares = softmax(teacherLogits[place], temperature).map((p, c) => weight * p + (1 - weight) * (c === label));
    const [x, y] = [1 + points[2 * place] / REACH, 1 - points[2 * place + 1] / REACH].map((value) => (value * width) / 2);
    shape(x, y, labels.length > 150 ? 3.5 : 5, CORNERS[shares.indexOf(Math.max(...shares))], `rgb(${mixture(shares)})`, edge);
  });
}

// Test accuracy: of each side the mean of all seeds, wide, and the seed that is shown, thin.
function paintCurves({ width, line, write }, { pairs, tests }, shown, colour) {
  const xOf = (step) => 30 + ((width - 50) * step) / LAST_STEP, yOf = (percent) => 8 + 2.8 * (100 - Math.max(40, percent));
  for (const percent of [40, 60, 80, 100]) {
    line(colour("--line"), 1, [[30, yOf(percent)], [width, yOf(percent)]]);
    write(colour("--faint"), percent, 12, yOf(percent) + 4);
  }
  for (const step of [0, 500, 1000]) write(colour("--faint"), step, xOf(step), 196);
  SIDE_COLOURS.forEach((name, side) => {
    const means = tests.map((_, test) => average(pairs.map(({ accuracies }) => accuracies[side][test])));
    const draw = (values, thickness) => line(colour(name), thickness, values.map((value, test) => [xOf(tests[test]), yOf(value)]));
    draw(pairs[shown].accuracies[side], 1);
    draw(means, 3);
  });
}

// The differences, a dot a seed, and below them their mean with its 95 % interval.
function paintDifferences({ width, line, shape, write }, { differences, mean, halfWidth }, shown, colour) {
  const most = 1.1 * Math.max(5, ...differences.map(Math.abs)), unit = most > 20 ? 10 : most > 8 ? 5 : 2, stacks = {};
  const xOf = (value) => width / 2 + ((width / 2 - 16) * value) / most, ink = colour("--ink");
  for (let mark = -unit * Math.floor(most / unit); mark < most; mark += unit) {
    line(colour(mark ? "--line" : "--faint"), 1, [[xOf(mark), 8], [xOf(mark), 176]]);
    write(colour("--faint"), inPoints(mark, 0), xOf(mark), 196);
  }
  differences.forEach((value, index) => {
    const column = Math.round(xOf(value) / 7), level = (stacks[column] = (stacks[column] ?? -1) + 1);
    shape(7 * column, 128 - 6 * level, 3, CORNERS[0], index === shown ? ink : colour("--paper"), ink);
  });
  line(ink, 3, [[xOf(mean - halfWidth), 152], [xOf(mean + halfWidth), 152]]);
  shape(xOf(mean), 152, 6, CORNERS[3], ink, ink);
}

// Both students of every seed, and their difference.
function paintSeeds(canvas, { pairs }, differences, shown, colour) {
  const across = canvas.clientWidth < 560 ? 5 : 10, cell = canvas.clientWidth / across, side = cell / 2 - 4;
  const surface = clear(canvas, (SEEDS / across) * (side + 24));
  pairs.forEach(({ students }, index) => {
    const x = 2 + cell * (index % across), y = (side + 24) * Math.floor(index / across);
    students.forEach((student, place) => paintRegions(surface, student, 1, 12, x + place * (side + 1), y, side));
    surface.write(colour(index === shown ? "--ink" : "--faint"), inPoints(differences[index]), x + side, y + side + 15);
    if (index === shown) surface.line(colour("--ink"), 2, [[x, y + side + 1], [x + 2 * side, y + side + 1]]);
  });
}

export function Playground(model, element) {
  let teacher, training, test, room, waiting = 0, painted = 0, tested = 0;
  const controls = {}, canvases = {}, notes = {}, colour = (name) => colourOf(element, name);
  const ended = () => room?.step >= LAST_STEP, busy = () => !room || (model.get("running") && !ended());

  for (const [name, label, options] of [
    ["data_set", "Data", Object.keys(DATA_SETS)], ["left", "Left", LABEL_KINDS], ["right", "Right", LABEL_KINDS],
    ["temperature", "Temperature", { min: 0.5, max: 20, step: 0.005, logarithmic: true, format: formatTemperature }],
    ["soft_weight", "Soft weight", { min: 0, max: 1, step: 0.05 }],
    ["labelled_points", "Labelled points", { min: 8, max: 400, step: 4 }],
    ["label_noise", "Label noise", { min: 0, max: 0.5, step: 0.05 }],
    ["seed", "Seed shown", { min: 1, max: SEEDS, step: 1 }],
  ]) {
    const change = (value) => model.set(name, value), given = { label, value: model.get(name), onInput: change, onChange: change };
    controls[name] = options.map ? choice({ ...given, options: options.map((value) => [value, value]) }) : slider({ ...given, ...options });
  }
  const run = button("Start", () => {
    const again = ended();
    if (again) restart();
    model.set("running", again || !model.get("running"));
  });
  const step = button("Step", () => {
    model.set("running", false);
    room?.learn();
    room?.examine();
    request();
  });
  const reset = button("Reset", () => {
    model.set("running", false);
    restart();
  });
  const count = create("span", { class: "faint" }), about = create("p", { class: "faint" }), found = create("p"), live = liveText();

  const panel = (name, head) => {
    canvases[name] = create("canvas", { role: "img", "aria-label": name, style: "display: block; width: 100%; border-radius: 6px" });
    notes[name] = create("span", { class: "faint" });
    return create("div", { style: "min-width: 0" }, create("div", { class: "row", style: "min-height: 40px" }, head), canvases[name], notes[name]);
  };
  const columns = (least, ...nodes) =>
    create("div", { style: `display: grid; gap: 12px 20px; grid-template-columns: repeat(auto-fit, minmax(min(100%, ${least}px), 1fr))` }, ...nodes);
  SIDES.forEach((side, index) => {
    const { node, input } = controls[side];
    node.firstChild.style.color = `var(${SIDE_COLOURS[index]})`;
    node.style.width = "100%";
    input.style.cssText = "flex: 1; min-width: 0";
  });
  element.append(create("div", { class: "stack" },
    create("div", { class: "row" }, controls.data_set.node, run, step, reset, count),
    columns(170, panel("teacher", "Teacher at this T"), ...SIDES.map((side) => panel(side, controls[side].node))),
    columns(260, ...Object.values(controls).slice(3).map(({ node }) => node)),
    columns(260, panel("accuracy", "Test accuracy, %: mean (wide), seed shown (thin)"), panel("difference", "Right − left, points: seeds, mean, 95 % interval")),
    found, panel("seeds", "All seeds, left and right"), about, live.node));

  function meet() {
    test = drawPoints(model.get("data_set"), 1000, randomNumbers(0, 2));
    training = trainTeacher(model.get("data_set"));
    restart();
  }

  function restart() {
    room = undefined;
    request();
  }

  function request() {
    waiting ||= requestAnimationFrame(frame); // a hidden page gets no frames, and so rests
  }

  // Trains for a few milliseconds, then paints.
  function frame() {
    const end = performance.now() + 12;
    waiting = 0;
    do {
      const { value, done } = training.next();
      if (!done) teacher = value;
      else if (!room) room = openClassroom(settings(), teacher, test);
      else if (busy()) room.learn();
    } while (busy() && performance.now() < end);
    if (!busy() || performance.now() - painted > (prefersStillness() ? 500 : 0)) draw();
    if (busy()) request();
    else tell();
  }

  function settings() {
    return Object.fromEntries(Object.keys(controls).map((name) => [name, model.get(name)]));
  }

  function draw() {
    const now = settings(), shown = now.seed - 1;
    painted = performance.now();
    for (const name of Object.keys(controls)) controls[name].set(now[name]);
    run.textContent = ended() ? "Train again" : model.get("running") ? "Pause" : "Start";
    step.disabled = ended();
    const regions = (name, network, temperature) => {
      const surface = clear(canvases[name], canvases[name].clientWidth);
      paintRegions(surface, network, temperature, 40, 0, 0, surface.width);
      return surface;
    };
    if (!room || !busy()) regions("teacher", teacher, now.temperature);
    if (!room) return;
    const { lesson, students, accuracies } = room.pairs[shown];
    count.textContent = `step ${room.step} of ${LAST_STEP}`;
    SIDES.forEach((side, index) => paintLesson(regions(side, students[index], 1), lesson, now[side], now, colour("--ink")));
    if (busy() && tested === room.tests.at(-1)) return;
    tested = room.tests.at(-1);
    const result = room.compare();
    SIDES.forEach((side, index) => { notes[side].textContent = `seed ${now.seed}: ${accuracies[index].at(-1).toFixed(1)} % right`; });
    paintCurves(clear(canvases.accuracy, 200), room, shown, colour);
    paintDifferences(clear(canvases.difference, 200), result, shown, colour);
    paintSeeds(canvases.seeds, room, result.differences, shown, colour);
    found.textContent = summary(result);
  }

  function summary({ left, right, mean, halfWidth }) {
    if (!room.step) return "The two students of a seed begin alike. Which will end better? Press Start.";
    const verdict = Math.abs(mean) <= halfWidth ? "not distinguishable from 0" : `${mean > 0 ? "right" : "left"} is better`;
    return `After ${tested} steps, mean of ${SEEDS} seeds: left ${left.toFixed(1)} %, right ${right.toFixed(1)} %; ` +
      `right − left ${inPoints(mean)} ± ${halfWidth.toFixed(1)} points: ${verdict}.`;
  }

  // For screen readers and for Python, once the training rests.
  function tell() {
    const result = room.compare(), { left, right, mean, halfWidth } = result, said = summary(result);
    notes.teacher.textContent = `${accuracyOf(teacher, test).toFixed(1)} % right`;
    about.textContent = `The teacher (${teacher.weights.length.toLocaleString("en-GB")} parameters) learned from 2,000 points without label noise; the students ` +
      `(${room.pairs[0].students[0].weights.length}) learn from the points shown, coloured as their labels say. All are tested on 1,000 other points.`;
    live.say(said);
    for (const [name, canvas] of Object.entries(canvases)) canvas.setAttribute("aria-label", `${name}: ${said}`);
    model.set("result", { steps: tested, left, right, difference: mean, half_width: halfWidth });
  }

  const watched = { data_set: meet, running: request, seed: request };
  for (const name of [...Object.keys(controls), "running"]) model.on(name, (watched[name] ??= restart));
  const observers = [new ResizeObserver(request), new MutationObserver(request)];
  observers[0].observe(element);
  observers[1].observe(element, { attributeFilter: ["data-theme"] });
  meet();
  return () => {
    cancelAnimationFrame(waiting);
    for (const [name, react] of Object.entries(watched)) model.off(name, react);
    observers.forEach((observer) => observer.disconnect());
    live.stop();
  };
}
