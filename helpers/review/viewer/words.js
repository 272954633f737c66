// What the viewer says, in the language that is chosen. No function needs a page.

import { CHINESE } from "./chinese.js";

export const LANGUAGES = { en: "English", zh: "中文" };
const spoken = { language: "en" };

// From now on texts are in this language, those that are on the page once `retell` went over them.
export function speak(language) {
  spoken.language = language in LANGUAGES ? language : "en";
}

export const languageNow = () => spoken.language;
export const otherLanguage = () => (spoken.language === "zh" ? "en" : "zh");

// A text that is put into words each time that it is read.
export class Said {
  constructor(write) {
    this.write = write;
  }

  toString() {
    return this.write();
  }

  toJSON() {
    return this.write();
  }
}

const inChinese = (text) => (Object.hasOwn(CHINESE, text) ? CHINESE[text] : text);

function filled(text, values) {
  const words = spoken.language === "zh" ? inChinese(text) : text;
  return words.replace(/\{(\w+)\}/g, (place, name) => (name in values ? String(values[name]) : place));
}

// A text of the table; `values` fill its {places}.
export function say(text, values = {}) {
  return new Said(() => filled(text, values));
}

// Several texts as one.
export function listed(parts, between = " · ") {
  return new Said(() => parts.join(between));
}

// A number with its noun: 1 and "record" -> "1 record", 2 -> "2 records".
export function counted(number, noun) {
  const one = new Said(() => `${number} ${noun}`), more = say(`{count} ${noun}s`, { count: number });
  return new Said(() => String(number === 1 && spoken.language === "en" ? one : more));
}

export const OTHER_WINDOW =
  "{case}: another window of yours kept a correction of this case meanwhile, which this one does not know. What you " +
  "drew stays in hand: leave with E to see the other one; E and s then save yours in its place";
// What Python says with values in it: whose scores these are, the model's guess, what became of a carried mask or a
// correction.
const FORMS = [
  "{title}, {count} TRAINING patients left out", "{title}, {count} TRAINING patient left out",
  "{title}, training list unknown for {units}", "training list unknown for {units}",
  "patients that training never saw ({count})", "TRAINING patients ({units})",
  "{units}, {count} of them TRAINING patients", "{units}, {count} of them of TRAINING patients",
  "{count} patients", "{count} sequences", "{count} cases",
  "model's own guess, rank of {count}",
  "{masks} carried from {cases}: look at each, none is a correction yet",
  "{count} masks", "{count} mask", "{case} and {count} more",
  "{count} corrections of frames with other pixels now, which guided nothing",
  "{count} correction of frames with other pixels now, which guided nothing",
  OTHER_WINDOW,
].map((text) => ({
  text, names: Array.from(text.matchAll(/\{(\w+)\}/g), ([, name]) => name),
  form: new RegExp(`^${text.replace(/[().]/g, "\\$&").replaceAll("{count}", "(\\d+)").replace(/\{\w+\}/g, "(.+)")}$`),
}));

// A text that comes from Python, in English and with its values in it, as one of the table; another one as it is.
export function heard(text) {
  if (typeof text !== "string") return text;
  if (Object.hasOwn(CHINESE, text)) return say(text);
  if (text.includes("\n")) return listed(text.split("\n").map(heard), "\n");
  for (const { text: known, names, form } of FORMS) {
    const [whole, ...values] = form.exec(text) ?? [];
    if (whole) return say(known, Object.fromEntries(names.map((name, at) => [name, heard(values[at])])));
  }
  return text;
}
