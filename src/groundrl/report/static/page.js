"use strict";

// Filters: a button or list selects one value per key; cards that have another value are hidden.
const selected = {};
const searchField = document.querySelector(".filters input");

// A card or entry without a value for a key is not judged by it; several values are lines.
function matches(element) {
  return Object.entries(selected).every(([key, value]) =>
    !value || !(key in element.dataset) || element.dataset[key].split("\n").includes(value));
}

// Entries of a card are filtered one by one. Returns whether the card has to be hidden: a key of
// this list is selected and no entry is left.
function filterEntries(list) {
  const entries = [...list.querySelectorAll(".entry")];
  for (const entry of entries) entry.hidden = !matches(entry);
  const asked = list.dataset.keys.split(" ").some(key => selected[key]);
  return asked && entries.every(entry => entry.hidden);
}

function filterCards() {
  const cards = [...document.querySelectorAll(".card")];
  const words = searchField?.value.trim().toLowerCase();
  for (const card of cards) {
    const lists = [...card.querySelectorAll(".entries")].map(filterEntries);
    const found = !words || card.textContent.toLowerCase().includes(words);
    card.hidden = !matches(card) || lists.includes(true) || !found;
  }
  const count = document.querySelector("#count");
  if (count) {
    const shown = cards.filter(card => !card.hidden).length;
    count.textContent = `${shown} of ${cards.length} ${count.dataset.of}`;
  }
}

for (const button of document.querySelectorAll(".filters button")) {
  const {key, value} = button.dataset;
  if (button.ariaPressed === "true") selected[key] = value;
  button.onclick = () => {
    selected[key] = value;
    for (const other of button.parentElement.querySelectorAll("button"))
      other.ariaPressed = String(other === button);
    filterCards();
  };
}
for (const list of document.querySelectorAll(".filters select"))
  list.onchange = () => {
    selected[list.dataset.key] = list.value;
    filterCards();
  };
if (searchField) searchField.oninput = filterCards;
filterCards();

// A phrase and its box are highlighted together when one of them has the pointer or the focus.
function highlight(card, target) {
  card.classList.toggle("highlighting", !!target);
  for (const element of card.querySelectorAll("[data-box]"))
    element.classList.toggle(
      "highlighted", !!target && element.dataset.box === target.dataset.box);
  const phrase = card.querySelector(".text .highlighted");
  if (phrase && phrase !== target) scrollToPhrase(phrase);
}

function scrollToPhrase(phrase) {
  const text = phrase.closest(".text");
  const view = text.getBoundingClientRect(), place = phrase.getBoundingClientRect();
  if (place.top < view.top || place.bottom > view.bottom)
    text.scrollTop += place.top - view.top - 8;
}

function connectHighlights(card) {
  const focused = () => card.contains(document.activeElement)
    ? document.activeElement.closest("[data-box]") : null;
  card.addEventListener("pointerover", event =>
    highlight(card, event.target.closest("[data-box]") ?? focused()));
  card.addEventListener("pointerleave", () => highlight(card, focused()));
  card.addEventListener("focusin", () => highlight(card, focused()));
  card.addEventListener("focusout", () => highlight(card, null));
}

for (const card of document.querySelectorAll(".card")) connectHighlights(card);

// Curves: a vertical line follows the pointer, and the caption shows the value there.
for (const figure of document.querySelectorAll(".curve")) {
  const points = figure.dataset.points.split(";").map(pair => pair.split(",").map(Number));
  const [left, right, bottom] = figure.dataset.plot.split(" ").map(Number);
  const svg = figure.querySelector("svg");
  const cursor = svg.querySelector(".cursor"), output = figure.querySelector("output");
  const first = points[0][0], span = points.at(-1)[0] - first || 1;
  svg.onpointermove = event => {
    const box = svg.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    const step = first + (x - left) / (right - left) * span;
    const distance = point => Math.abs(point[0] - step);
    const nearest = points.reduce((a, b) => distance(a) < distance(b) ? a : b);
    const at = left + (nearest[0] - first) / span * (right - left);
    cursor.setAttribute("d", `M${at} 8V${bottom}`);
    output.textContent = `step ${nearest[0]}: ${nearest[1]}`;
  };
  svg.onpointerleave = () => {
    cursor.removeAttribute("d");
    output.textContent = output.dataset.last;
  };
}
