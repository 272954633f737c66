// The player of a folder of films: one sequence after the other, its film, its picture of maximum opacity, its curves.
//
// Texts are only ever set as text, never as markup.

const facts = JSON.parse(document.getElementById("facts").textContent);
const find = (id) => document.getElementById(id);
const film = find("film"), place = find("place"), chosen = find("sequence"), speed = find("speed"), help = find("help");
const views = ["film", "picture", "curves"];
let one = facts.sequences[0];
let sought = 1; // the frame that was last asked for: keys may come faster than a film is sought

// A frame is aimed at in its middle: at its edge the frame before may be shown.
const frame = () => Math.min(one.frames, Math.floor(film.currentTime * facts.rate + 1e-3) + 1);

function go(number) {
  film.pause();
  sought = Math.min(Math.max(number, 1), one.frames);
  film.currentTime = (sought - 0.5) / facts.rate;
  look("film");
}

function step(count) {
  go((film.seeking ? sought : frame()) + count);
}

function tell() {
  place.value = frame();
  find("shown").textContent = `frame ${frame()} of ${one.frames}`;
  find("play").textContent = film.paused ? "▶ Play" : "■ Stop";
}

function look(view) {
  if (one[view] === null) return;
  if (view !== "film") film.pause();
  for (const name of views) {
    find(name).hidden = name !== view;
    find(`look-${name}`).ariaPressed = String(name === view);
  }
}

function open(index) {
  chosen.selectedIndex = Math.min(Math.max(index, 0), facts.sequences.length - 1);
  one = facts.sequences[chosen.selectedIndex];
  place.max = one.frames;
  film.src = encodeURI(one.mp4);
  film.playbackRate = Number(speed.value);
  find("name").textContent = one.sequence;
  find("gaps").hidden = one.gaps.length === 0;
  find("gaps").textContent = `gaps: ${one.gaps.map((gap) => `${gap.case_id} (${gap.status})`).join(", ")}`;
  for (const name of ["picture", "curves"]) {
    find(`look-${name}`).disabled = one[name] === null;
    if (one[name] === null) find(name).removeAttribute("src");
    else find(name).src = encodeURI(one[name]);
  }
  look("film");
}

function turn() {
  if (!film.paused) film.pause();
  else {
    look("film");
    film.play();
  }
}

function hurry(count) {
  speed.selectedIndex = Math.min(Math.max(speed.selectedIndex + count, 0), speed.options.length - 1);
  film.playbackRate = Number(speed.value);
}

// key -> what it does; what the list that `?` shows says of it stands in the page.
const KEYS = {
  ArrowRight: () => step(1), ArrowLeft: () => step(-1), ".": () => step(1), ",": () => step(-1),
  Home: () => go(1), End: () => go(one.frames), " ": turn, y: turn,
  n: () => open(chosen.selectedIndex + 1), p: () => open(chosen.selectedIndex - 1),
  1: () => look("film"), 2: () => look("picture"), 3: () => look("curves"), "+": () => hurry(1), "=": () => hurry(1),
  "-": () => hurry(-1), "?": () => (help.hidden = !help.hidden), Escape: () => (help.hidden = true),
};

chosen.onchange = () => open(chosen.selectedIndex);
place.oninput = () => go(Number(place.value));
speed.onchange = () => hurry(0);
find("before").onclick = () => step(-1);
find("after").onclick = () => step(1);
find("play").onclick = turn;
find("keys").onclick = KEYS["?"];
for (const name of views) find(`look-${name}`).onclick = () => look(name);
for (const kind of ["timeupdate", "seeked", "loadeddata", "play", "pause"]) film.addEventListener(kind, tell);
film.addEventListener("error", () => (find("shown").textContent = "this film cannot be played: is its file still here?"));
// A button that was clicked gives the keys back; one that was reached by Tab keeps them.
document.addEventListener("click", (event) => {
  if (event.detail > 0) event.target.closest("button")?.blur();
});
document.addEventListener("keydown", (event) => {
  const { target, key } = event;
  if (event.ctrlKey || event.metaKey || event.altKey || !Object.hasOwn(KEYS, key)) return;
  if (key === "Escape") target.blur();
  const sliding = target.matches("input[type=range]") && /^(Arrow|Home|End)/.test(key);
  if (target.matches("select") || sliding || (target.matches("button") && key === " ")) return;
  event.preventDefault();
  if (!(event.repeat && (key === " " || key === "y"))) KEYS[key]();
});
open(0);
