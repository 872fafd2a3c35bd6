// The formulas of kdlearn/labels.py, losses.py and theory.py for one example: logits are arrays of C finite numbers.
//
//     p = softmax(teacherLogits / T)      q = softmax(studentLogits / T)      sums over the classes, in nats
//
// `direction` is "forward" for KL(p ‖ q), which kdlearn.kl_divergence computes, or "reverse" for KL(q ‖ p).

const sum = (values) => values.reduce((total, value) => total + value, 0);

// log softmax(logits / T): exact where a probability itself would round to 0.
export function logSoftmax(logits, temperature = 1) {
  const scaled = logits.map((logit) => logit / temperature);
  const largest = Math.max(...scaled); // subtracted first, so that no power overflows
  const logOfSum = Math.log(sum(scaled.map((value) => Math.exp(value - largest))));
  return scaled.map((value) => value - largest - logOfSum);
}

export const softmax = (logits, temperature = 1) => logSoftmax(logits, temperature).map(Math.exp);

// The arg max; of equal logits the first.
export const hardLabel = (logits) => logits.indexOf(Math.max(...logits));

// -Σ p log p, with 0 log 0 = 0.
export const entropy = (probabilities) => sum(probabilities.map((p) => (p > 0 ? -p * Math.log(p) : 0)));

// e^H: how many equally likely classes would be as uncertain.
export const effectiveClasses = (probabilities) => Math.exp(entropy(probabilities));

export function klDivergence(studentLogits, teacherLogits, temperature = 1, direction = "forward") {
  const logQ = logSoftmax(studentLogits, temperature);
  const logP = logSoftmax(teacherLogits, temperature);
  const [from, to] = direction === "forward" ? [logP, logQ] : [logQ, logP];
  return sum(from.map((logFrom, k) => Math.exp(logFrom) * (logFrom - to[k])));
}

// -log q_label at T = 1.
export const hardLabelLoss = (studentLogits, label) => -logSoftmax(studentLogits)[label];

// T² KL, or KL alone.
export function softLabelLoss(studentLogits, teacherLogits, temperature, options = {}) {
  const { direction = "forward", timesSquare = true } = options;
  return (timesSquare ? temperature ** 2 : 1) * klDivergence(studentLogits, teacherLogits, temperature, direction);
}

// softWeight · softLabelLoss + (1 - softWeight) · hardLabelLoss.
export function distillationLoss(studentLogits, teacherLogits, label, temperature, softWeight, options = {}) {
  const soft = softLabelLoss(studentLogits, teacherLogits, temperature, options);
  return softWeight * soft + (1 - softWeight) * hardLabelLoss(studentLogits, label);
}

// q - e_label: the gradient of hardLabelLoss on the student's logits.
export const hardLabelGradient = (studentLogits, label) =>
  softmax(studentLogits).map((q, k) => q - (k === label ? 1 : 0));

// Forward: T² · (q - p) / T. Reverse: T² · q (log q - log p - KL(q ‖ p)) / T. T² is 1 where it is left out.
export function softLabelGradient(studentLogits, teacherLogits, temperature, options = {}) {
  const { direction = "forward", timesSquare = true } = options;
  const scale = (timesSquare ? temperature ** 2 : 1) / temperature;
  const logQ = logSoftmax(studentLogits, temperature);
  const logP = logSoftmax(teacherLogits, temperature);
  if (direction === "forward") return logQ.map((value, k) => scale * (Math.exp(value) - Math.exp(logP[k])));
  const kl = klDivergence(studentLogits, teacherLogits, temperature, direction);
  return logQ.map((value, k) => scale * Math.exp(value) * (value - logP[k] - kl));
}

export function distillationGradient(studentLogits, teacherLogits, label, temperature, softWeight, options = {}) {
  const soft = softLabelGradient(studentLogits, teacherLogits, temperature, options);
  const hard = hardLabelGradient(studentLogits, label);
  return soft.map((value, k) => softWeight * value + (1 - softWeight) * hard[k]);
}

// The logit that gives class `index` this probability while the others stay: T (log odds + logsumexp of the others / T).
export function logitFor(logits, index, probability, temperature = 1) {
  const others = logits.filter((_, k) => k !== index);
  const logSumOfOthers = others[0] / temperature - logSoftmax(others, temperature)[0];
  return temperature * (Math.log(probability / (1 - probability)) + logSumOfOthers);
}
