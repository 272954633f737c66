// Elements of the page. Texts are only ever set as text, never as markup.

export function make(tag, properties = {}, ...children) {
  const { dataset, ...rest } = properties;
  const node = Object.assign(document.createElement(tag), rest);
  Object.assign(node.dataset, dataset);
  node.append(...children);
  return node;
}

// A number with its noun: 1 and "case" -> "1 case", 2 -> "2 cases".
export function counted(number, noun) {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
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
