"""The page beside the films: one sequence after the other, played or stepped through frame by frame."""

import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from helpers.review.viewer_facts import viewer_style

_HERE = Path(__file__).parent
_KEYS = {
    "→ or .": "next frame",
    "← or ,": "frame before",
    "Home, End": "first, last frame",
    "Space or y": "play, stop",
    "+ and −": "faster, slower",
    "n and p": "next, previous sequence",
    "1, 2, 3": "film, maximum opacity, curves",
    "?": "these keys, on and off",
}
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
{style}</style>
</head>
<body>
<main class="vesselkit-review vesselkit-films">
<header><div class="vk-case">
<h2 class="vk-id" id="name"></h2>{chips}
<div class="vk-right"><span>{runs}</span><button type="button" id="keys">Keys ?</button></div>
</div></header>
<div class="vk-line">
<label><span>Sequence</span><select id="sequence">{options}</select></label>
<button type="button" id="look-film">Film (1)</button>
<button type="button" id="look-picture">Maximum opacity (2)</button>
<button type="button" id="look-curves">Curves (3)</button>
</div>
<div class="films-stage">
<video id="film" muted loop playsinline aria-label="film"></video>
<img id="picture" alt="darkest value of each pixel, masks united" hidden>
<img id="curves" alt="scores over the frames" hidden>
</div>
<div class="vk-line">
<button type="button" id="before" aria-label="frame before">‹</button>
<button type="button" id="play">▶ Play</button>
<button type="button" id="after" aria-label="next frame">›</button>
<div class="vk-field films-frame"><label><span>Frame</span><input id="place" type="range" min="1" step="1"></label>\
<output id="shown"></output></div>
<label><span>Speed</span><select id="speed"><option>0.25</option><option>0.5</option><option selected>1</option>\
<option>2</option></select></label>
</div>
<p class="vk-gaps" id="gaps" hidden></p>
<div class="vk-help" id="help" role="dialog" aria-label="Keys" hidden><dl>{keys}</dl></div>
</main>
<script type="application/json" id="facts">{facts}</script>
<script>
{script}</script>
</body>
</html>
"""


def page_text(runs: Sequence[str], record: Mapping[str, Any], stamp: str | None = None) -> str:
    """The page of a folder of films.

    Args:
        runs: their names.
        record: as `cine.json` holds it, docs/cine.md; at least one sequence.
        stamp: what stands in the heading; None for nothing.
    """
    style, script = ((_HERE / name).read_text(encoding="utf-8") for name in ("player.css", "player.js"))
    chips = [("strong", "vk-stamp", stamp), ("span", "vk-chip vk-standing", record["title"])]
    return _PAGE.format(
        style=viewer_style() + style,
        chips="".join(f'<{tag} class="{kind}">{html.escape(text)}</{tag}>' for tag, kind, text in chips if text),
        runs=html.escape(", ".join(runs)),
        options="".join(f"<option>{html.escape(one['sequence'])}</option>" for one in record["sequences"]),
        keys="".join(f"<dt>{html.escape(key)}</dt><dd>{does}</dd>" for key, does in _KEYS.items()),
        # In a script element nothing but "</" and "<!--" could end it.
        facts=json.dumps(record, ensure_ascii=False).replace("<", "\\u003c"),
        script=script,
    )
