// Small networks whose matrices are int8 with a scale for each row, read from a safetensors file in base64.

const BYTES = { I8: Int8Array, U8: Uint8Array, F32: Float32Array };

// The tensors of the file by name: `values` and `shape`.
export function tensorsOf(base64) {
  const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  const start = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const { __metadata__: _, ...header } = JSON.parse(new TextDecoder().decode(bytes.subarray(8, start)));
  return Object.fromEntries(Object.entries(header).map(([name, { dtype, shape, data_offsets: [from, to] }]) =>
    [name, { values: new BYTES[dtype](bytes.slice(start + from, start + to).buffer), shape }]));
}

// The layers of the `place`-th network of `count` that are stored together: weights as float64 (outputs × inputs), bias.
export function layersOf(tensors, name, place = 0, count = 1) {
  const numbers = Object.keys(tensors).map((key) => key.match(`^${name}\\.(\\d+)\\.weight$`)?.[1]).filter(Boolean);
  return numbers.map(Number).sort((one, other) => one - other).map((number) => {
    const [weight, scale, bias] = ["weight", "scale", "bias"].map((part) => {
      const { values } = tensors[`${name}.${number}.${part}`], size = values.length / count;
      return Float64Array.from(values.subarray(place * size, (place + 1) * size));
    });
    const inputs = weight.length / scale.length;
    return { inputs, bias, weight: weight.map((value, at) => value * scale[Math.floor(at / inputs)]) };
  });
}

// Linear layers with ReLU between them.
export function logitsOf(layers, input) {
  return [...layers.reduce((values, { inputs, bias, weight }, layer) => bias.map((start, output) => {
    let total = start;
    for (let at = 0, row = output * inputs; at < inputs; at++) total += weight[row + at] * values[at];
    return layer < layers.length - 1 && total < 0 ? 0 : total;
  }), input)];
}
