// A spoken digit as a student hears it: its log-mel spectrogram, as by kdlearn.log_mel, and the soft label.

import { button, choice, temperatureSlider } from "./controls.js";
import { box, create, follow, liveText, mark, styleOf, swatch } from "./drawing.js";
import { average, formatPercent, formatTemperature, hardLabel, largestOf, ranked, softmax, sum } from "./maths.js";
import { layersOf, logitsOf, tensorsOf } from "./networks.js";

const HZ = 8000, SAMPLES = 8320, WINDOW = 256, HOP = 128, BANDS = 32, FRAMES = 64, SPOTS = BANDS * FRAMES;
const arrayOf = (length, valueAt) => Float64Array.from({ length }, (_, at) => valueAt(at));
const COSINES = arrayOf(WINDOW, (n) => Math.cos((2 * Math.PI * n) / WINDOW));

// Triangles whose corners lie evenly on the mel scale, at 129 frequencies.
function melFilters() {
  const highest = 2595 * Math.log10(1 + HZ / 1400);
  const corners = arrayOf(BANDS + 2, (at) => 700 * (10 ** ((highest * at) / (BANDS + 1) / 2595) - 1));
  return Array.from({ length: BANDS }, (_, band) => arrayOf(WINDOW / 2 + 1, (k) => {
    const [low, middle, high] = corners.slice(band), frequency = (HZ * k) / WINDOW;
    return Math.max(0, Math.min((frequency - low) / (middle - low), (high - frequency) / (high - middle)));
  }));
}

// The power of each frequency in the frame that begins at a sample, under Hann's window.
function powersOf(samples, start) {
  const frame = COSINES.map((cosine, n) => (0.5 - 0.5 * cosine) * samples[start + n]);
  return arrayOf(WINDOW / 2 + 1, (k) => {
    const along = (turn) => sum(frame.map((value, n) => value * COSINES[(k * n + turn) % WINDOW]));
    return (along(0) ** 2 + along(WINDOW / 4) ** 2) / WINDOW;
  });
}

// log(1e-4 + power): band by band, low ones first, each frame by frame.
export function logMel(samples) {
  const frames = Array.from({ length: FRAMES }, (_, at) => powersOf(samples, HOP * at));
  return melFilters().flatMap((weights) => frames.map((powers) => Math.log(1e-4 + sum(powers.map((power, k) => weights[k] * power)))));
}

// 1.04 seconds at a full swing: of a longer sound from six frames before the 65 frames with the most energy hold 0.5 % of it.
export function wordOf(sound) {
  let start = 0;
  if (sound.length > SAMPLES) {
    const energies = arrayOf(Math.floor(sound.length / HOP), (at) => sum(arrayOf(HOP, (n) => sound[HOP * at + n] ** 2)));
    const sums = energies.slice(FRAMES).map((_, at) => sum(energies.subarray(at, at + FRAMES + 1)));
    let frame = hardLabel(sums), left = 0.005 * sums[frame];
    while ((left -= energies[frame]) > 0) frame += 1;
    start = HOP * Math.max(0, frame - 6);
  }
  const word = arrayOf(SAMPLES, (n) => sound[start + n] ?? 0), peak = largestOf(word.map(Math.abs));
  if (peak < 0.005) throw new Error("it is too quiet"); // the data's quietest: 0.0105
  return word.map((value) => value / peak);
}

// A 3 × 3 convolution at every second place, of which ReLU and the largest of 2 × 2 are kept.
function convolved({ inputs, bias, weight }, maps, height, width) {
  return arrayOf((bias.length * height * width) / 16, (place) => {
    const column = place % (width / 4), row = Math.floor((4 * place) / width) % (height / 4), output = Math.floor((16 * place) / height / width);
    return Math.max(0, ...[[0, 0], [0, 2], [2, 0], [2, 2]].map(([down, along]) => {
      let total = bias[output];
      for (let tap = 0; tap < inputs; tap++) {
        const y = 4 * row + down + (Math.floor(tap / 3) % 3) - 1, x = 4 * column + along + (tap % 3) - 1;
        if (y >= 0 && y < height && x >= 0 && x < width) total += weight[output * inputs + tap] * maps[(Math.floor(tap / 9) * height + y) * width + x];
      }
      return total;
    }));
  });
}

// What the student says of a spectrogram: logits.
export function listener(weights) {
  const tensors = tensorsOf(weights), [first, second, last] = layersOf(tensors, "student"), [mean, deviation] = tensors.standard.values;
  return (spectrogram) => {
    const input = spectrogram.map((value) => (value - mean) / deviation);
    return logitsOf([last], convolved(second, convolved(first, input, BANDS, FRAMES), BANDS / 4, FRAMES / 4));
  };
}

// Spectrograms of sounds that are not here, and a teacher's logits.
export function examplesOf(file) {
  const { spectrograms, teacher, levels: { values: [floor, step] } } = tensorsOf(file);
  return Array.from({ length: spectrograms.shape[0] }, (_, at) => ({
    spectrogram: [...spectrograms.values.subarray(SPOTS * at, SPOTS * (at + 1))].map((byte) => floor + step * byte),
    taught: [...teacher.values.subarray(10 * at, 10 * (at + 1))] }));
}

// A sound file's samples, the mean of its channels.
async function samplesOf(blob) {
  const sound = await new OfflineAudioContext(1, 1, HZ).decodeAudioData(await blob.arrayBuffer());
  const channels = Array.from({ length: sound.numberOfChannels }, (_, at) => sound.getChannelData(at));
  return channels[0].map((_, n) => average(channels.map((one) => one[n])));
}

// What the microphone hears for two seconds. It is asked for only now, and then let go.
async function recorded(said) {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true }), recorder = new MediaRecorder(stream);
  const sound = new Promise((resolve) => { recorder.ondataavailable = ({ data }) => resolve(data); });
  recorder.onstart = () => { said.textContent = "Say a digit now."; };
  recorder.start();
  setTimeout(() => recorder.stop(), 2000);
  await sound;
  stream.getTracks().forEach((track) => track.stop());
  return sound;
}

// Time from left to right, low sounds at the bottom; the louder, the more colour.
function soundPicture() {
  const canvas = create("canvas", { width: FRAMES, height: BANDS, role: "img" }), image = new ImageData(FRAMES, BANDS);
  const show = (spectrogram, name) => {
    for (let at = 0; at < SPOTS; at++)
      image.data.set([38, 139, 210, 23 * (spectrogram[at] + 9.2)], 4 * (at + FRAMES * (BANDS - 1 - 2 * Math.floor(at / FRAMES))));
    canvas.getContext("2d").putImageData(image, 0, 0);
    canvas.setAttribute("aria-label", `Log-mel spectrogram: ${name}`);
  };
  const ends = (...words) => box("ends faint", ...words.map((word) => create("span", {}, word)));
  return { node: box("sound", ends("4,000 Hz", "0 Hz"), canvas, ends("0 s", "1.04 s")), show };
}

// A row a digit: the student's and the teacher's soft label.
function tenRows() {
  const whose = ["student", "teacher"], rows = [...Array(10).keys()].map((digit) => {
    const bars = whose.map(mark), numbers = whose.map(() => create("span"));
    return { bars, numbers, node: box("digit", create("strong", {}, digit), box("bars", ...bars), ...numbers) };
  });
  const show = (labels) => rows.forEach(({ bars, numbers }, digit) => labels.forEach((soft, who) => {
    bars[who].style.width = `${soft ? 100 * soft[digit] : 0}%`;
    numbers[who].textContent = soft ? formatPercent(soft[digit]) : "–";
    numbers[who].className = soft && hardLabel(soft) === digit ? "first" : "";
  }));
  return { node: box("", box("whose faint", ...whose.map((who) => create("span", {}, swatch(who), who))), ...rows.map(({ node }) => node)), show };
}

export function SpeakADigit(model, element) {
  const get = (name) => model.get(name), hear = listener(get("weights")), examples = examplesOf(get("examples")), [stays, ...notes] = get("notes");
  const said = create("span", { class: "faint", role: "status" }), student = create("p"), teacher = create("p"), live = liveText();
  const picture = soundPicture(), rows = tenRows(), temperature = temperatureSlider(model, [0.25, 1, 4, 20]);
  const sound = choice({ label: "Sound", options: [], onChange: (at) => at && model.assign({ own: null, sound: Number(at) }) });
  const take = async (name, blobOf) => {
    record.disabled = true;
    let spectrogram = [], why;
    try {
      spectrogram = logMel(wordOf(await samplesOf(await blobOf())));
    } catch ({ message }) {
      why = message;
    }
    model.set("own", { name, at: get("sound"), spectrogram, why });
    said.textContent = "";
    record.disabled = false;
  };
  const record = button("Record two seconds", () => take("Your voice", () => recorded(said)));
  const file = create("input", { type: "file", accept: "audio/*", class: "hidden-text", onchange: () => {
    for (const one of file.files) take(one.name, () => one);
    file.value = "";
  } });
  element.append(styleOf("speak_a_digit"), box("stack", box("hearing",
    box("stack", sound.node, picture.node, box("row tight", record, create("label", { class: "open" }, file, "Open a sound"), said),
      create("p", { class: "faint" }, stays)),
    box("stack answer", student, teacher, temperature.node, rows.node)),
  ...notes.map((note) => create("p", { class: "faint" }, note)), live.node));

  const end = follow(model, ["sound", "own", "temperature"], () => {
    const [own, T, at, names] = ["own", "temperature", "sound", "names"].map(get);
    if (own && own.at !== at) return model.set("own", null);
    const heard = own ?? examples[at], { spectrogram, taught, why, name = names[at] } = heard;
    if (!why) heard.logits ??= hear(spectrogram);
    const labels = [heard.logits, taught].map((logits) => logits && softmax(logits, T));
    const [first, second] = ranked(labels[0] ?? []), share = (digit) => `${formatPercent(labels[0][digit])} for ${digit}`;
    temperature.set(T);
    sound.input.replaceChildren(...names.map((text, value) => create("option", { value }, text)), own ? create("option", { value: "" }, name) : "");
    sound.set(own ? "" : at);
    picture.show(spectrogram, name);
    rows.show(labels);
    student.textContent = why ? `No digit is heard: ${why}.` : `The student hears ${first}. Its soft label at T = ${formatTemperature(T)}: ${share(first)}, then ${share(second)}.`;
    teacher.textContent = taught ? `The teacher hears ${hardLabel(taught)}.` : "The teacher is not in this page: it did not hear this.";
    live.say(`${name}. ${student.textContent}`);
  });
  return () => { end(); live.stop(); };
}
