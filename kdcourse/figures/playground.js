// Two students on labels that the reader picks, for twenty seeds: is the difference more than chance?

import { button, choice, slider } from "./controls.js";
import { box, colourOf, create, liveText, styleOf } from "./drawing.js";
import { DATA_SETS, LABEL_KINDS, accuracyOf, batchesOf, drawLesson, drawPoints, learn, meanWithInterval, perceptron, randomNumbers, trainTeacher } from "./learning.js";
import { average, formatNumber, formatTemperature, withSign } from "./maths.js";
import { LAST_STEP, SEEDS, SIDES, SIDE_COLOURS, clear, paintCurves, paintDifferences, paintLesson, paintRegions, paintSeeds, seedAt, unitOf } from "./painting.js";

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

// The finished runs, newest first; a button sets the figure as it was.
function historyTable(model) {
  const titles = ["data", "left", "right", "T", "soft weight", "points", "noise", "right − left", ""];
  const body = create("tbody"), node = box("history", create("h3", {}, "Finished runs"), create("table", {},
    create("thead", {}, create("tr", {}, ...titles.map((title) => create("th", { scope: "col" }, title)))), body));
  const show = () => {
    const runs = model.get("history");
    node.hidden = runs.length === 0;
    body.replaceChildren(...[...runs].reverse().map(({ settings, difference, half_width: half }) => {
      const { data_set, left, right, temperature, soft_weight, labelled_points, label_noise } = settings;
      const words = [data_set, left, right, formatTemperature(temperature), soft_weight, labelled_points, label_noise, `${withSign(difference)} ± ${formatNumber(half, 1)}`];
      return create("tr", {}, ...words.map((text) => create("td", {}, String(text))),
        create("td", {}, button("Set again", () => model.assign(settings))));
    }));
  };
  return { node, show };
}

export function Playground(model, element) {
  let teacher, training, test, room, waiting = 0, painted = 0, tested = 0;
  const controls = {}, canvases = {}, notes = {}, colour = (name) => colourOf(element, name);
  const ended = () => room?.step >= LAST_STEP, busy = () => !room || (model.get("running") && !ended());

  for (const [name, label, options] of [
    ["data_set", "Data", Object.keys(DATA_SETS)], ["left", "Left", LABEL_KINDS], ["right", "Right", LABEL_KINDS],
    ["temperature", "Temperature", { step: 0.005, logarithmic: true, format: formatTemperature }],
    ["soft_weight", "Soft weight", { step: 0.05 }],
    ["labelled_points", "Labelled points", { step: 4 }],
    ["label_noise", "Label noise", { step: 0.05 }],
    ["seed", "Seed shown", { step: 1 }],
  ]) {
    const change = (value) => model.set(name, value), given = { label, value: model.get(name), onInput: change, onChange: change, ...model.limits[name] };
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
    canvases[name] = create("canvas", { role: "img", "aria-label": name });
    notes[name] = create("span", { class: "faint" });
    return create("div", { class: `panel ${name}-side` }, box("head", head), canvases[name], notes[name]);
  };
  const panels = (least, ...nodes) => create("div", { class: "panels", style: `--least: ${least}em` }, ...nodes);
  const history = historyTable(model);
  element.append(styleOf("playground"), box("stack",
    box("row", controls.data_set.node, run, step, reset, count),
    panels(18, ...Object.values(controls).slice(3).map(({ node }) => node)), found,
    panels(12, panel("teacher", "Teacher"), ...SIDES.map((side) => panel(side, controls[side].node))), about,
    panels(18, panel("accuracy", "Test accuracy, %: mean (wide), seed shown (thin)"), panel("difference", "Right − left, points: seeds, mean, 95 % interval")),
    panel("seeds", "All seeds, left and right, with right − left in points; a click shows a seed above"), history.node, live.node));
  canvases.seeds.addEventListener("click", (event) => model.set("seed", seedAt(canvases.seeds, event)));

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
    if (!busy() || performance.now() - painted > (matchMedia("(prefers-reduced-motion: reduce)").matches ? 500 : 0)) draw();
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
    const regions = (name, network) => {
      const surface = clear(canvases[name], canvases[name].clientWidth / unitOf(canvases[name]));
      paintRegions(surface, network, now.temperature, 40, 0, 0, surface.width);
      return surface;
    };
    if (!room || !busy()) regions("teacher", teacher);
    if (!room) return;
    const { lesson, students, accuracies } = room.pairs[shown];
    count.textContent = `step ${room.step} of ${LAST_STEP}`;
    SIDES.forEach((side, index) => paintLesson(regions(side, students[index]), lesson, now[side], now, colour("--ink")));
    if (busy() && tested === room.tests.at(-1)) return;
    tested = room.tests.at(-1);
    const result = room.compare();
    SIDES.forEach((side, index) => { notes[side].textContent = `${side} student of seed ${now.seed}: ${accuracies[index].at(-1).toFixed(1)} % right`; });
    paintCurves(clear(canvases.accuracy, 200), room, shown, colour);
    paintDifferences(clear(canvases.difference, 200), result, shown, colour);
    paintSeeds(canvases.seeds, room, result.differences, shown, now.temperature, colour);
    found.textContent = summary(result);
  }

  function summary({ left, right, mean, halfWidth }) {
    if (!room.step) return "The two students of a seed begin alike. Which will end better? Press Start.";
    const verdict = Math.abs(mean) <= halfWidth ? "not distinguishable from 0" : `${mean > 0 ? "right" : "left"} is better`;
    return `After ${tested} steps, mean of ${SEEDS} seeds: left ${left.toFixed(1)} %, right ${right.toFixed(1)} %; ` +
      `right − left ${withSign(mean)} ± ${halfWidth.toFixed(1)} points: ${verdict}.`;
  }

  // For screen readers and for Python, once the training rests.
  function tell() {
    const result = room.compare(), { left, right, mean, halfWidth } = result, said = summary(result);
    notes.teacher.textContent = `teacher: ${accuracyOf(teacher, test).toFixed(1)} % right`;
    about.textContent = `The teacher (${teacher.weights.length.toLocaleString("en-GB")} parameters) learned from 2,000 points without label noise; the students ` +
      `(${room.pairs[0].students[0].weights.length}) learn from the points shown, coloured as their labels say. All are tested on 1,000 other points. The maps mix their colours by softmax at this T.`;
    live.say(said);
    for (const [name, canvas] of Object.entries(canvases)) canvas.setAttribute("aria-label", `${name}: ${said}`);
    if (ended() && !room.kept) keep(mean, halfWidth);
    model.set("result", { steps: tested, left, right, difference: mean, half_width: halfWidth });
  }

  function keep(difference, half) {
    const { seed, ...told } = settings();
    room.kept = true;
    model.set("history", [...model.get("history"), { settings: told, difference, half_width: half }].slice(-12));
  }

  const watched = { data_set: meet, running: request, seed: request };
  for (const name of [...Object.keys(controls), "running"]) model.on(name, (watched[name] ??= restart));
  const observers = [new ResizeObserver(request), new MutationObserver(request)];
  const paper = matchMedia("print"), onPaper = () => { if (room) draw(); };
  paper.addEventListener("change", onPaper);
  observers[0].observe(element);
  observers[1].observe(element.parentElement ?? element, { attributeFilter: ["data-theme"] });
  model.on("history", history.show);
  history.show();
  meet();
  return () => {
    paper.removeEventListener("change", onPaper);
    model.off("history", history.show);
    cancelAnimationFrame(waiting);
    for (const [name, react] of Object.entries(watched)) model.off(name, react);
    observers.forEach((observer) => observer.disconnect());
    live.stop();
  };
}
