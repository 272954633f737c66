// Elements of the page. Texts are only ever set as text, never as markup.

import { Said } from "./words.js";

const told = new WeakMap(); // element -> its properties that follow the language, each with its text

// Gives a property of an element a text, which follows the language from then on where it is a `Said`.
export function put(node, name, text) {
  const { [name]: before, ...others } = told.get(node) ?? {};
  node[name] = String(text);
  told.set(node, text instanceof Said ? { ...others, [name]: text } : others);
}

// Puts all texts of the page's viewers into words again.
export function retell() {
  for (const node of document.querySelectorAll(".vesselkit-review, .vesselkit-review *")) {
    for (const [name, text] of Object.entries(told.get(node) ?? {})) node[name] = String(text);
  }
}

export function make(tag, properties = {}, ...children) {
  const { dataset, ...rest } = properties;
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(rest)) {
    if (value instanceof Said) put(node, name, value);
    else node[name] = value;
  }
  Object.assign(node.dataset, dataset);
  node.append(...children.map((one) => (one instanceof Said ? make("span", { textContent: one }) : one)));
  return node;
}

export function label(text, control) {
  return make("label", {}, make("span", { textContent: text }), control);
}

export function options(select, values, all) {
  select.replaceChildren(make("option", { value: "", textContent: all }));
  for (const [value, text] of values) select.append(make("option", { value, textContent: text }));
}

export const written = (value, digits = 3) => (value === null || value === undefined ? "–" : value.toFixed(digits));

export function button(text, act, properties = {}) {
  return make("button", { type: "button", textContent: text, onclick: act, ...properties });
}

// What is rarely used, behind its title: texts and elements.
export function fold(title, ...children) {
  return make("details", { className: "vk-fold" }, make("summary", {}, ...title), ...children);
}
