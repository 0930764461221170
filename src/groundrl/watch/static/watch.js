"use strict";

// Reloads the page when the run has written something. The browser keeps the place; which parts
// are unfolded is kept here.
const SECONDS = 3;
const note = document.querySelector("#watched");
const unfolded = JSON.parse(sessionStorage.getItem("unfolded") || "{}");
for (const part of document.querySelectorAll("details")) {
  const name = part.querySelector("summary").textContent;
  if (name in unfolded) part.open = unfolded[name];
  part.addEventListener("toggle", () => {
    unfolded[name] = part.open;
    sessionStorage.setItem("unfolded", JSON.stringify(unfolded));
  });
}

async function look() {
  try {
    const version = await (await fetch("version")).text();
    if (version !== note.dataset.version) location.reload();
    setTimeout(look, 1000 * SECONDS);
  } catch {
    note.textContent = "The command that served this page has ended.";
  }
}
setTimeout(look, 1000 * SECONDS);
