"""A viewer of cases that take no time, on an empty page: facts and a payload made in the browser."""

import base64

from helpers.review.viewer_facts import viewer_module, viewer_style

# `made(count, ratio)`: facts of that many cases, and what a host gives of each: a black frame, no truth, no mask.
_MADE = """async ([module, style]) => {
  globalThis.kit = await import(`data:text/javascript;base64,${module}`);
  document.head.append(Object.assign(document.createElement("style"), { textContent: style }));
  const rest = { missed: [1, 2, 3], false: [1, 2, 3], both: [1, 2, 3], unscored: [9, 9, 9], corrected: [4, 5, 6] };
  const about = { patient: null, sequence: null, frame: null, status: "ok", training: null, predictions: ["p"] };
  globalThis.made = (count, ratio = 1) => {
    const { width, height } = { width: Math.round(64 * ratio), height: 64 };
    const image = Object.assign(document.createElement("canvas"), { width, height }).toDataURL();
    const predictions = [{ status: "no_seg", words: null, mask: null, maps: null }];
    return {
      facts: {
        run: "r", config: "c", prompt: "p1", stamp: null, title: null, beside: [], reasons: ["catheter"], verdicts: [],
        corrections: [], clicks: null, waiting: [],
        runs: [{ run: "r", name: "run", threshold: 0.5, prompt_text: "vessel" }],
        metrics: [{ name: "dice", title: "Dice", lower_is_better: false }],
        palettes: [0, 1].map(() => ({ truth: [255, 0, 0], prediction: [0, 217, 0], ...rest })),
        cases: Array.from({ length: count }, (_, i) => ({ ...about, case_id: `c${i}`, scores: { dice: i / count } })),
      },
      payload: (case_id) => ({ case_id, width, height, image, truth: null, ignored: null, truth_note: "",
        centreline: null, predictions, image_sha256: "0", bases: { empty: { began_from: "empty" } }, corrected: {} }),
    };
  };
}"""


def open_tools(browser):
    """A page with the viewer's module as `kit`, its style, and `made`."""
    page = browser.new_page(viewport={"width": 1500, "height": 950})
    page.evaluate(_MADE, [base64.b64encode(viewer_module().encode()).decode(), viewer_style()])
    return page
