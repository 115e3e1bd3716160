/**
 * Builds nodes. In: tag names, properties and children; out: elements.
 *
 * The only place that makes elements. Whatever comes from a model, a database or a person arrives
 * here as a string child and so becomes a text node: there is no way to pass markup.
 */

/** Makes an element. `on…` properties become listeners, `false` and `null` are left out, lists are opened. */
export function element(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  // One by one: hostile text can make more nodes than a call takes arguments. Before the properties:
  // with `dir="auto"` set, a browser looks for the direction again with every child.
  for (const child of children.flat()) if (child || child === "") node.append(child);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  return node;
}

/** A button that never submits a form by accident. */
export function button(label, onclick, properties = {}) {
  return element("button", { type: "button", onclick, ...properties }, label);
}

const PATHS = {
  send: "M8 13V3M3.5 7.5 8 3l4.5 4.5",
  stop: "M4.5 4.5h7v7h-7z",
  plus: "M8 3v10M3 8h10",
};

/** A decorative line drawing of 16 by 16. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", `icon icon-${name}`);
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", PATHS[name]);
  svg.append(path);
  return svg;
}
