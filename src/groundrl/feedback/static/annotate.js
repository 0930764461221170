"use strict";

// The server holds the captions; this page holds a copy, changes it and sends each change.
const $ = id => document.getElementById(id);
const errorButtons = [...document.querySelectorAll(".error")];
const severityButtons = [...document.querySelectorAll("[data-severity]")];
const USUAL_SEVERITY = 2;
const RETRY_MS = 1000;

let page, captions = [];
let caption = 0, sentence = 0;  // the highlighted one
const undoable = [];
const unsent = [];
let sending = false, failing = false, refused = false;

const labelOf = () => captions[caption].labels[sentence];
const unlabelledIn = one => one.labels.indexOf(null);
const same = (a, b) => JSON.stringify(a) === JSON.stringify(b);

// Saving: one request at a time, in order; a failed one is tried again until it arrives.
async function sendChanges() {
  if (sending) return;
  sending = true;
  while (unsent.length && !refused) {
    let problem = "Not saved: the command does not answer. Start it again, then reload this page.";
    try {
      const answer = await fetch("/label", {
        method: "POST",
        headers: {"Content-Type": "application/json"},
        body: JSON.stringify({page, ...unsent[0]}),
      });
      if (!answer.ok) problem = `Not saved: ${(await answer.text()).trim()}`;
      else problem = "";
      refused = [400, 403, 409].includes(answer.status);
    } catch { /* the network's message says no more than ours */ }
    failing = problem !== "";
    $("problem").textContent = problem;
    $("problem").hidden = !failing;
    if (!failing) unsent.shift();
    showSaved();
    if (failing && !refused) await new Promise(done => setTimeout(done, RETRY_MS));
  }
  sending = false;
}

function setLabel(label) {
  const before = labelOf();
  if (failing || same(before, label)) return !failing;
  undoable.push({caption, sentence, label: before});
  store(label);
  return true;
}

function store(label) {
  captions[caption].labels[sentence] = label;
  unsent.push({caption, sentence, marks: label});
  sendChanges();
  show();
}

function undo() {
  if (failing) return;
  const last = undoable.pop();
  if (!last) return say("Nothing to undo.");
  moveTo(last.caption, last.sentence);
  store(last.label);
}

// Marks. Without any mark a sentence is unlabelled again, until it is accepted.
function mark(change) {
  const label = {...(labelOf() ?? {errors: [], severity: 0, creative: false}), ...change};
  if (!label.errors.length) label.severity = 0;
  else if (!label.severity) label.severity = USUAL_SEVERITY;
  setLabel(label.errors.length || label.creative ? label : null);
}

function toggleError(name) {
  const errors = labelOf()?.errors ?? [];
  const order = errorButtons.map(button => button.dataset.error);
  mark({errors: order.filter(one => errors.includes(one) !== (one === name))});
}

function toggleCreative() { mark({creative: !labelOf()?.creative}); }

function setSeverity(severity) {
  if (labelOf()?.errors.length) mark({severity});
  else say("Severity belongs to an error: choose one first.");
}

function cycleSeverity() {
  const all = severityButtons.map(button => Number(button.dataset.severity));
  setSeverity(all[(all.indexOf(labelOf()?.severity) + 1) % all.length]);
}

function accept(clear) {
  const creative = labelOf()?.creative ?? false;
  const kept = clear ? null : labelOf();
  if (setLabel(kept ?? {errors: [], severity: 0, creative})) goOn();
}

// Moving.
function moveTo(newCaption, newSentence) {
  const other = newCaption !== caption;
  caption = newCaption;
  sentence = newSentence;
  if (other) showCaption();
  show();
}

function step(by) {
  const [there, last] = [sentence + by, captions[caption].labels.length - 1];
  if (there >= 0 && there <= last) return moveTo(caption, there);
  const next = captions[caption + by];
  if (next) moveTo(caption + by, by > 0 ? 0 : next.labels.length - 1);
  else say(by > 0 ? "This is the last sentence." : "This is the first sentence.");
}

function stepCaption(by) {
  const next = captions[caption + by];
  if (next) moveTo(caption + by, Math.max(0, unlabelledIn(next)));
  else say(by > 0 ? "This is the last caption." : "This is the first caption.");
}

function goOn() {
  const isLast = caption === captions.length - 1 && sentence === captions[caption].labels.length - 1;
  if (!isLast) return step(1);
  const open = captions.findIndex(one => unlabelledIn(one) >= 0);
  if (open < 0) return say("Every sentence is labelled.");
  moveTo(open, unlabelledIn(captions[open]));
  say("Back to what is not labelled yet.");
}

// Showing.
function showCaption() {
  const one = captions[caption];
  $("image").src = `/image/${caption}?${page}`;
  if (captions[caption + 1]) new Image().src = `/image/${caption + 1}?${page}`;
  $("question").textContent = one.question;
  $("text").replaceChildren(...one.pieces.map(([text, number]) => {
    if (number === null) return text;
    const element = document.createElement("span");
    element.className = "sentence";
    element.textContent = text;
    element.onclick = () => moveTo(caption, number);
    return element;
  }));
}

function show() {
  const label = labelOf();
  document.querySelectorAll(".sentence").forEach((element, number) => {
    const own = captions[caption].labels[number];
    element.classList.toggle("fine", own?.errors.length === 0);
    element.classList.toggle("faulty", own?.errors.length > 0);
    element.classList.toggle("current", number === sentence);
    if (number === sentence) element.scrollIntoView({block: "nearest"});
  });
  const press = (button, pressed) => { button.ariaPressed = String(!!pressed); };
  for (const button of errorButtons) press(button, label?.errors.includes(button.dataset.error));
  press($("no-error"), label?.errors.length === 0);
  press($("creative"), label?.creative);
  $("severity-meaning").textContent = "";
  for (const button of severityButtons) {
    const chosen = label?.severity === Number(button.dataset.severity);
    press(button, chosen);
    button.disabled = !label?.errors.length;
    if (chosen) $("severity-meaning").textContent = button.title;
  }
  $("undo").disabled = !undoable.length;
  showProgress();
  showSaved();
}

function showProgress() {
  const labels = captions.flatMap(one => one.labels);
  const done = labels.filter(one => one !== null);
  const finished = captions.filter(one => unlabelledIn(one) < 0).length;
  const wrong = done.filter(one => one.errors.length).length;
  $("caption-number").textContent = `${caption + 1}/${captions.length}`;
  $("sentence-number").textContent = `${sentence + 1}/${captions[caption].labels.length}`;
  $("captions-done").textContent = `${finished}/${captions.length}`;
  $("sentences-done").textContent = `${done.length}/${labels.length}`;
  $("share-wrong").textContent = done.length ? `${Math.round(100 * wrong / done.length)} %` : "–";
  $("bar").style.width = `${100 * done.length / labels.length}%`;
}

function showSaved() {
  $("saved").textContent = failing ? "not saved" : unsent.length ? "saving …" : "saved";
}

let fading;
function say(text) {
  $("message").textContent = text;
  $("message").classList.add("shown");
  clearTimeout(fading);
  fading = setTimeout(() => $("message").classList.remove("shown"), 1800);
}

// Keys and buttons.
const moves = {
  j: () => step(1), ArrowDown: () => step(1), ArrowRight: () => step(1),
  k: () => step(-1), ArrowUp: () => step(-1), ArrowLeft: () => step(-1),
  n: () => stepCaption(1), p: () => stepCaption(-1),
};
const changes = {
  0: () => accept(true), Enter: () => accept(false),
  s: cycleSeverity, c: toggleCreative, z: undo, "?": () => $("help").showModal(),
};
errorButtons.forEach((button, number) => {
  changes[number + 1] = button.onclick = () => toggleError(button.dataset.error);
});
for (const button of severityButtons)
  button.onclick = () => setSeverity(Number(button.dataset.severity));
$("no-error").onclick = changes[0];
$("accept").onclick = changes.Enter;
$("creative").onclick = toggleCreative;
$("previous").onclick = moves.k;
$("next").onclick = moves.j;
$("undo").onclick = undo;
$("help-button").onclick = changes["?"];

addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || !captions.length) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if ($("help").open) {
    if (key === "?") $("help").close();
    return;
  }
  const act = moves[key] ?? changes[key];
  if (!act) return;
  event.preventDefault();
  // A key held down moves on, and labels nothing.
  if (!event.repeat || key in moves) act();
});
addEventListener("beforeunload", event => { if (unsent.length && !refused) event.preventDefault(); });

// Room for the largest count, so that the head does not move.
function reserveWidths() {
  const lengths = captions.map(one => one.labels.length);
  const largest = {
    "caption-number": captions.length, "captions-done": captions.length,
    "sentence-number": lengths.reduce((a, b) => Math.max(a, b)),
    "sentences-done": lengths.reduce((a, b) => a + b),
  };
  for (const [id, count] of Object.entries(largest))
    $(id).style.minWidth = `${2 * String(count).length + 1.5}ch`;
}

async function start() {
  ({page, captions} = await (await fetch("/state")).json());
  reserveWidths();
  caption = Math.max(0, captions.findIndex(one => unlabelledIn(one) >= 0));
  sentence = Math.max(0, unlabelledIn(captions[caption]));
  showCaption();
  show();
}
start();
