// A formula that is wider than its place scrolls: keys are to reach it too.
const reach = () => document.querySelectorAll("div.math mjx-container").forEach((formula) => {
  if (formula.scrollWidth > formula.clientWidth) formula.setAttribute("tabindex", "0");
  else formula.removeAttribute("tabindex");
});
addEventListener("load", () => globalThis.MathJax?.startup?.promise?.then(reach));
addEventListener("resize", reach);
