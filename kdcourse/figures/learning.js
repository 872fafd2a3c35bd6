// The playground's learning: random numbers, points, perceptrons, gradients and Adam, as in PyTorch; matrices by rows.

import { average, distillationGradient, hardLabel } from "./maths.js";

const ROWS = 128; // what a network takes at once

// Uniform numbers in [0, 1), the same for the same seed and stream (mulberry32).
export function randomNumbers(seed, stream) {
  let state = Math.imul(seed, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca6b);
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let bits = Math.imul(state ^ (state >>> 15), 1 | state);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };
}

const gaussian = (random) => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
const onCircle = (radius, turns) => [radius * Math.cos(2 * Math.PI * turns), radius * Math.sin(2 * Math.PI * turns)];
const BLOBS = [[-0.7, 0.45], [-0.3, -0.65], [0.35, 0.1], [0.95, 0.65]];

// For each: the number of classes, how far points stray, and where a class lies at `u` in [0, 1).
export const DATA_SETS = {
  blobs: [4, 0.36, (label) => BLOBS[label]],
  spiral: [3, 0.09, (label, u) => onCircle(0.15 + 1.1 * u, label / 3 + 0.75 * u)],
  moons: [2, 0.22, (label, u) => onCircle(0.8, (u + label) / 2).map((x, axis) => x + (label - 0.5) * [0.8, 0.4][axis])],
  circles: [2, 0.2, (label, u) => onCircle(label ? 0.5 : 1.05, u)],
};

// `count` points (count × 2), each class as often as the others.
export function drawPoints(name, count, random) {
  const [classes, stray, place] = DATA_SETS[name], labels = Int32Array.from({ length: count }, (_, row) => row % classes);
  const points = Float64Array.from([...labels].flatMap((label) => place(label, random()).map((x) => x + stray * gaussian(random))));
  return { points, labels, classes };
}

// A perceptron with ReLU, and Adam's state. `widths`: inputs, hidden layers, classes. `weights`: of each layer the matrix
// (outputs × inputs), then the bias, in PyTorch's order and initialisation.
export function perceptron(widths, random) {
  const layers = widths.slice(1).map((outputs, layer) => [widths[layer], outputs]);
  const weights = Float64Array.from(layers.flatMap(([I, O]) =>
    Array.from({ length: (I + 1) * O }, () => (2 * random() - 1) / Math.sqrt(I))));
  const [gradient, mean, square] = [0, 1, 2].map(() => new Float64Array(weights.length));
  const [outputs, deltas] = [0, 1].map(() => layers.map(([, O]) => new Float64Array(ROWS * O)));
  return { layers, weights, gradient, mean, square, outputs, deltas, steps: 0, classes: widths.at(-1) };
}

// The logits (rows × classes), in an array that the next call writes over.
export function forward({ layers, weights, outputs }, points, rows) {
  let [start, before] = [0, points];
  layers.forEach(([I, O], layer) => {
    const after = outputs[layer], bias = start + I * O, lowest = layer === layers.length - 1 ? -Infinity : 0;
    for (let row = 0; row < rows; row++) {
      for (let o = 0; o < O; o++) {
        let sum = weights[bias + o];
        for (let i = 0, w = start + o * I, x = row * I; i < I; i++) sum += weights[w + i] * before[x + i];
        after[row * O + o] = sum > lowest ? sum : 0;
      }
    }
    [start, before] = [bias + O, after];
  });
  return before;
}

// From the gradient on the logits, in the last of `deltas`, to that on the weights, in `gradient`.
function backward({ layers, weights, gradient, outputs, deltas }, points, rows) {
  gradient.fill(0);
  for (let layer = layers.length - 1, end = weights.length; layer >= 0; layer--) {
    const [I, O] = layers[layer], bias = end - O, start = bias - I * O;
    const before = layer ? outputs[layer - 1] : points, below = deltas[layer - 1]?.fill(0);
    for (let row = 0; row < rows; row++) {
      for (let o = 0; o < O; o++) {
        const change = deltas[layer][row * O + o];
        gradient[bias + o] += change;
        for (let i = 0, w = start + o * I, x = row * I; i < I; i++) {
          gradient[w + i] += change * before[x + i];
          if (below && before[x + i] > 0) below[x + i] += change * weights[w + i];
        }
      }
    }
    end = start;
  }
}

// Kingma and Ba 2015, algorithm 1, with their constants.
function adamStep(network, learningRate) {
  const { weights, gradient, mean, square } = network, step = ++network.steps;
  const size = learningRate / (1 - 0.9 ** step), root = Math.sqrt(1 - 0.999 ** step);
  for (let w = 0; w < weights.length; w++) {
    mean[w] = 0.9 * mean[w] + 0.1 * gradient[w];
    square[w] = 0.999 * square[w] + 0.001 * gradient[w] ** 2;
    weights[w] -= (size * mean[w]) / (Math.sqrt(square[w]) / root + 1e-8);
  }
}

const rowOf = (logits, row, classes) => [...logits.subarray(row * classes, (row + 1) * classes)];

// The logits of all points, an array each.
export function predict(network, points) {
  const count = points.length / 2;
  return Array.from({ length: count }, (_, row) => {
    if (row % ROWS === 0) forward(network, points.subarray(2 * row), Math.min(ROWS, count - row));
    return rowOf(network.outputs.at(-1), row % ROWS, network.classes);
  });
}

// The share of points, in %, whose largest logit is their label's.
export function accuracyOf(network, { points, labels }) {
  return (100 * predict(network, points).filter((logits, row) => hardLabel(logits) === labels[row]).length) / labels.length;
}

// A student's points, their labels, of which the share `label_noise` is wrong, and the teacher's logits.
export function drawLesson({ data_set, labelled_points, label_noise }, seed, teacher) {
  const { points, labels, classes } = drawPoints(data_set, labelled_points, randomNumbers(seed, 1)), random = randomNumbers(seed, 2);
  const other = (label) => (label + 1 + Math.floor(random() * (classes - 1))) % classes;
  const given = labels.map((label) => (random() < label_noise ? other(label) : label));
  return { points, labels: given, teacherLogits: predict(teacher, points) };
}

// Batches of up to 32 without end: all places, in a new order, before any comes again.
export function batchesOf(count, random) {
  const order = Int32Array.from({ length: count }, (_, place) => place);
  let next = 0;
  return () => order.slice(0, 32).map(() => {
    const other = next + Math.floor(random() * (count - next)), place = order[other]; // Fisher and Yates
    [order[other], order[next]] = [order[next], place];
    next = (next + 1) % count;
    return place;
  });
}

export const LABEL_KINDS = ["ground truth", "teacher's hard labels", "soft labels", "soft labels + ground truth"];

// Of one point: the weight of the soft loss, and the class that the hard loss reads.
export function taught(kind, softWeight, label, teacherLogits) {
  const weight = kind === "soft labels" ? 1 : kind === "soft labels + ground truth" ? softWeight : 0;
  return [weight, kind === "teacher's hard labels" ? hardLabel(teacherLogits) : label];
}

// One step on the places `batch` of a lesson.
export function learn(network, { points, labels, teacherLogits }, batch, kind, { temperature, soft_weight }, learningRate = 0.01) {
  const inputs = Float64Array.from({ length: 2 * batch.length }, (_, at) => points[2 * batch[at >> 1] + (at & 1)]);
  const logits = forward(network, inputs, batch.length), { classes } = network;
  batch.forEach((place, row) => {
    const teacher = teacherLogits[place], [weight, label] = taught(kind, soft_weight, labels[place], teacher);
    distillationGradient(rowOf(logits, row, classes), teacher, label, temperature, weight)
      .forEach((value, c) => { network.deltas.at(-1)[row * classes + c] = value / batch.length; });
  });
  backward(network, inputs, batch.length);
  adamStep(network, learningRate);
}

// A larger perceptron on 2,000 points without noise, at a learning rate that falls to 0.
export function* trainTeacher(name, steps = 800) {
  const lesson = drawPoints(name, 2000, randomNumbers(0, 1)), batches = batchesOf(2000, randomNumbers(0, 4));
  const teacher = perceptron([2, 32, 32, lesson.classes], randomNumbers(0, 3));
  lesson.teacherLogits = Array(2000).fill(Array(lesson.classes).fill(0)); // which ground truth does not read
  for (let step = 0; step < steps; step++) {
    yield teacher;
    learn(teacher, lesson, batches(), "ground truth", { temperature: 1 }, 0.01 * (1 - step / steps));
  }
}

const STUDENTS_T = 2.093024; // the 97.5 % point of Student's t at 19 degrees of freedom

// The mean of twenty values, and the half width of its 95 % interval.
export function meanWithInterval(values) {
  const mean = average(values);
  const variance = average(values.map((value) => (value - mean) ** 2));
  return { mean, halfWidth: STUDENTS_T * Math.sqrt(variance / (values.length - 1)) };
}
