// What all figures compute, as kdlearn/formulas does for one example of C finite logits, and how they write numbers.
//
//     p = softmax(teacherLogits / T)      q = softmax(studentLogits / T)      sums over the classes, in nats
//
// `direction` is "forward" for KL(p ‖ q), which kdlearn.kl_divergence computes, or "reverse" for KL(q ‖ p).

export const sum = (values) => values.reduce((total, value) => total + value, 0);
export const average = (values) => sum(values) / values.length;
export const largestOf = (values) => values.reduce((most, value) => Math.max(most, value), -Infinity);
export const between = (low, value, high) => Math.min(high, Math.max(low, value));

// log softmax(logits / T): exact where a probability itself would round to 0.
export function logSoftmax(logits, temperature = 1) {
  const scaled = logits.map((logit) => logit / temperature);
  const largest = largestOf(scaled); // subtracted first, so that no power overflows
  const logOfSum = Math.log(sum(scaled.map((value) => Math.exp(value - largest))));
  return scaled.map((value) => value - largest - logOfSum);
}

export const softmax = (logits, temperature = 1) => logSoftmax(logits, temperature).map(Math.exp);

// The arg max; of equal logits the first.
export const hardLabel = (logits) => logits.indexOf(largestOf(logits));

// The places of all values, the largest first; of equal ones the first.
export const ranked = (values) => values.map((_, place) => place).sort((one, other) => values[other] - values[one] || one - other);

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

export const euclidean = (vector) => Math.sqrt(sum(vector.map((value) => value * value)));

// The logit that gives class `index` this probability while the others stay: T (log odds + logsumexp of the others / T).
export function logitFor(logits, index, probability, temperature = 1) {
  const others = logits.filter((_, k) => k !== index);
  const logSumOfOthers = others[0] / temperature - logSoftmax(others, temperature)[0];
  return temperature * (Math.log(probability / (1 - probability)) + logSumOfOthers);
}

// ---- numbers as text

export const powerOfTen = (exponent) => "10" + [...String(exponent)].map((sign) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(sign)]).join("");

// 0.62, 0.0043, 2·10⁻⁷.
export function formatProbability(value) {
  if (value >= 0.01 || value === 0) return value.toFixed(2);
  if (value >= 0.0001) return value.toFixed(4);
  const [digits, exponent] = value.toExponential(0).split("e");
  return `${digits}·${powerOfTen(Number(exponent))}`;
}

// With a true minus sign, which is as wide as a plus.
export function formatNumber(value, digits = 2) {
  return value.toFixed(digits).replace(/^-(0(?:\.0*)?)$/, "$1").replace("-", "−");
}

export const withSign = (value, digits = 1) => (value > 0 ? "+" : "") + formatNumber(value, digits);

// 62 %, 4.3 %.
export const formatPercent = (share) => `${formatNumber(100 * share, share < 0.0995 ? 1 : 0)}\u00a0%`;

// Three digits that matter: 0.125, 4, 31.4.
export const formatTemperature = (value) => String(Number(value.toPrecision(3)));

// 1, 2 or 5 times a power of ten, at least `value`.
export function roundScale(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1e-3)));
  return Number((power * ([1, 2, 5].find((digit) => digit * power >= value) ?? 10)).toPrecision(1));
}

// The number of fewest digits that belongs to this stop of a logarithmic slider, whose stops are `step` apart.
export function roundest(position, step) {
  for (const digits of [1, 2]) {
    const candidate = Number((10 ** position).toPrecision(digits));
    if (Math.abs(Math.log10(candidate) - position) <= step / 2) return candidate;
  }
  return Number((10 ** position).toPrecision(3));
}
