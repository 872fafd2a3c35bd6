// A figure as it is seen now, as a picture: SVG that holds its HTML, which browsers show, or PNG drawn from that.

import { create } from "./drawing.js";

const LEFT_OUT = ".tools, .presets, .ask, .hidden-text";

// What copied nodes lack: values of controls, and what is painted on canvases.
function carryOver(original, copy) {
  const [before, after] = [original, copy].map((node) => [...node.querySelectorAll("input, select, canvas")]);
  before.forEach((node, place) => {
    if (node.tagName === "CANVAS") {
      const image = create("img", { src: node.toDataURL(), style: node.style.cssText });
      after[place].replaceWith(image);
    } else if (node.tagName === "SELECT") {
      [...after[place].options].forEach((option, k) => option.toggleAttribute("selected", k === node.selectedIndex));
    } else {
      after[place].setAttribute("value", node.value);
      after[place].toggleAttribute("checked", Boolean(node.checked));
    }
  });
}

export function asSVG(element) {
  const copy = element.cloneNode(true), { width } = element.getBoundingClientRect();
  carryOver(element, copy);
  copy.querySelectorAll(LEFT_OUT).forEach((node) => node.remove());
  const left = [...element.children].filter((node) => node.matches(LEFT_OUT)).reduce((sum, node) => sum + node.offsetHeight, 0);
  const height = Math.max(40, element.offsetHeight - left);
  copy.style.margin = "0";
  const wrapper = create("div");
  wrapper.append(...[...element.getRootNode().querySelectorAll("style")].map((style) => style.cloneNode(true)), copy);
  const xml = new XMLSerializer().serializeToString(wrapper);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`
    + `<foreignObject width="100%" height="100%">${xml}</foreignObject></svg>`;
}

export async function asPNG(element, scale = 2) {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(asSVG(element))}`;
  await image.decode();
  const canvas = create("canvas", { width: image.width * scale, height: image.height * scale });
  canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
}

// Copies the figure; where the browser forbids it, a file is handed over. Returns what to say.
export async function copyPicture(element, kind, name) {
  const blob = kind === "png" ? await asPNG(element) : new Blob([asSVG(element)], { type: "image/svg+xml" });
  return copyOrDownload(blob, `${name}.${kind}`);
}

export async function copyOrDownload(blob, name) {
  try {
    if (blob.type === "image/png") await navigator.clipboard.write([new ClipboardItem({ [blob.type]: blob })]);
    else await navigator.clipboard.writeText(await blob.text());
    return "The picture is copied.";
  } catch {
    create("a", { href: URL.createObjectURL(blob), download: name }).click();
    return `Saved as ${name}.`;
  }
}
