// What the colours of a panel mean, beside its title.

import { make, put } from "./elements.js";
import { listed } from "./words.js";

// `entries`: pairs of a text and a colour.
export function showEntries(legend, entries) {
  const key = JSON.stringify(entries);
  if (legend.dataset.key === key) return;
  legend.dataset.key = key;
  put(legend, "title", listed(entries.map(([text]) => text), ", "));
  legend.replaceChildren(
    ...entries.map(([text, colour]) => {
      const patch = make("i", {});
      patch.style.background = `rgb(${colour.map(Math.round).join(",")})`;
      return make("span", {}, patch, make("span", { textContent: text }));
    }),
  );
}
