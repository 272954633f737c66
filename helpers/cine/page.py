"""The page beside the films: one sequence after the other, played or stepped through frame by frame."""

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; \
style-src 'unsafe-inline'; img-src 'self' file: data:; media-src 'self' file:">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>vesselkit cine</title>
<style>
body {{ margin: 1rem; background: #14161a; color: #ebebeb; font: 15px/1.5 system-ui, sans-serif; }}
video, img {{ max-width: 100%; display: block; }}
video {{ width: 100%; max-height: 80vh; object-fit: contain; }}
button, select, input {{ font: inherit; }}
input[type=range] {{ width: 24rem; max-width: 100%; vertical-align: middle; }}
</style>
</head>
<body>
<h1>{heading}</h1>{stamp}
<p><label>Sequence <select id="sequence">{options}</select></label>
<button id="before" title="left arrow">one frame back</button>
<button id="play" title="space">play or stop</button>
<button id="after" title="right arrow">one frame on</button>
<label>Speed <select id="speed"><option>0.25</option><option>0.5</option><option selected>1</option>\
<option>2</option></select></label></p>
<p><input id="place" type="range" min="1" step="1" aria-label="frame"> <output id="shown"></output></p>
<video id="film" muted loop playsinline></video>
<p id="gaps"></p>
<div id="pictures"></div>
<script type="application/json" id="facts">{facts}</script>
<script>
const facts = JSON.parse(document.getElementById("facts").textContent);
const find = (id) => document.getElementById(id);
const film = find("film"), place = find("place"), chosen = find("sequence");
let one = facts.sequences[0];
// A frame is aimed at in its middle: at its edge the frame before may be shown.
const frame = () => Math.min(one.frames, Math.floor(film.currentTime * facts.rate + 1e-3) + 1);
const go = (number) => {{
  film.pause();
  film.currentTime = (Math.min(Math.max(number, 1), one.frames) - 0.5) / facts.rate;
}};
const show = () => {{
  place.value = frame();
  find("shown").textContent = "frame " + frame() + " of " + one.frames;
}};
const open = (index) => {{
  one = facts.sequences[index];
  place.max = one.frames;
  film.src = encodeURI(one.mp4);
  film.playbackRate = Number(find("speed").value);
  find("gaps").textContent = one.gaps.length
    ? "gaps: " + one.gaps.map((gap) => gap.case_id + " (" + gap.status + ")").join(", ") : "";
  find("pictures").replaceChildren(...[one.picture, one.curves].filter(Boolean).map((name) => {{
    const image = document.createElement("img");
    image.src = encodeURI(name);
    image.alt = name;
    return image;
  }}));
}};
const turn = () => (film.paused ? film.play() : film.pause());
chosen.onchange = () => open(chosen.selectedIndex);
place.oninput = () => go(Number(place.value));
find("before").onclick = () => go(frame() - 1);
find("after").onclick = () => go(frame() + 1);
find("play").onclick = turn;
find("speed").onchange = () => {{ film.playbackRate = Number(find("speed").value); }};
for (const kind of ["timeupdate", "seeked", "loadeddata"]) film.addEventListener(kind, show);
document.addEventListener("keydown", (key) => {{
  if (["SELECT", "INPUT", "BUTTON"].includes(key.target.tagName)) return;
  if (key.key === "ArrowLeft") go(frame() - 1);
  else if (key.key === "ArrowRight") go(frame() + 1);
  else if (key.key === " ") turn();
  else return;
  key.preventDefault();
}});
open(0);
</script>
</body>
</html>
"""


def page_text(runs: Sequence[str], record: Mapping[str, Any], stamp: str | None = None) -> str:
    """The page of a folder of films.

    Args:
        runs: their names.
        record: as `cine.json` holds it, docs/cine.md; at least one sequence.
        stamp: what stands under the heading; None for nothing.
    """
    # In a script element nothing but "</" and "<!--" could end it.
    facts = json.dumps(record, ensure_ascii=False).replace("<", "\\u003c")
    options = "".join(f"<option>{html.escape(one['sequence'])}</option>" for one in record["sequences"])
    heading = html.escape("Sequences of " + ", ".join(runs))
    said = "" if stamp is None else f"\n<p><strong>{html.escape(stamp)}</strong></p>"
    return _PAGE.format(heading=heading, stamp=said, options=options, facts=facts)
