// The same questions answered by several runs: a card is made when it comes into view.
const {columns, questions} = JSON.parse(document.querySelector("#content").textContent);
const pictures = JSON.parse(document.querySelector("#pictures").textContent);
const AT_ONCE = 12;
const RIGHT = 0, IOU = 1, PARTS = 2, BOXES = 3;
const runs = [...new Set(columns.map(([run]) => run))];
const choice = name => document.querySelector(`#${name}`);

// An element with text, a class and children; text is never read as HTML.
function make(tag, className = "", ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

function fillList(name, options) {
  for (const [value, text] of options)
    choice(name).append(Object.assign(make("option", "", text), {value}));
}

const names = columns.map(([run, stage], index) => [index, `${run} · ${stage}`]);
const distinct = key => [...new Set(questions.map(one => one[key]))].sort();
const stages = [...new Set(columns.map(([, stage]) => stage))];
fillList("view", [
  ...(runs.length > 1 ? [["last", "all runs after their last stage"]] : []),
  ...(runs.length > 1 && stages.length > 1
    ? stages.map(stage => [`stage ${stage}`, `all runs after ${stage}`]) : []),
  ...runs.map(run => [`run ${run}`, `all stages of ${run}`]),
  ["chosen", "the two chosen as right and wrong"],
]);
for (const name of ["right", "wrong"]) fillList(name, [["", "any"], ...names]);
for (const key of ["set", "kind"])
  fillList(key, [["", "all"], ...distinct(key).map(value => [value, value])]);

// Which columns the cards show.
function shownColumns() {
  const view = choice("view").value;
  const all = columns.map((_, index) => index);
  if (view === "last") return all.filter(index => columns[index][0] !== columns[index + 1]?.[0]);
  if (view.startsWith("stage ")) return all.filter(index => columns[index][1] === view.slice(6));
  if (view.startsWith("run ")) return all.filter(index => columns[index][0] === view.slice(4));
  return ["right", "wrong"].map(name => choice(name).value).filter(Boolean).map(Number);
}

const answerOf = (question, column) => question.answers[question.given[column]];

function textOf(question) {
  const said = question.answers.flatMap(answer =>
    answer[PARTS].map(part => typeof part === "string" ? part : part.slice(1).join("")));
  return [question.question, question.id, ...said].join(" ").toLowerCase();
}

function isFound(question, words) {
  const [right, wrong] = ["right", "wrong"].map(name => choice(name).value);
  return (!right || answerOf(question, right)?.[RIGHT] === true)
    && (!wrong || answerOf(question, wrong)?.[RIGHT] === false)
    && ["set", "kind"].every(key => !choice(key).value || question[key] === choice(key).value)
    && (!words || textOf(question).includes(words));
}

function makeBox(kind, key, mark, [label, left, top, right, bottom]) {
  const box = make("span", `box ${kind}`, ...(mark ? [make("b", "", mark)] : []));
  Object.assign(box.dataset, {box: key});
  Object.assign(box, {tabIndex: 0, title: `${kind === "green" ? "true" : "predicted"} box: ${label}`});
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", box.title);
  Object.assign(box.style, {
    left: `${left}%`, top: `${top}%`, width: `${right - left}%`, height: `${bottom - top}%`});
  return box;
}

// Small boxes lie on top, so that the pointer reaches them.
const area = ([, left, top, right, bottom]) => (right - left) * (bottom - top);

function makeImage(question, answer) {
  const image = make("div", "image");
  image.style.aspectRatio = question.size.join("/");
  if (question.picture === null) image.append(make("span", "missing-image", "the image is not here"));
  else image.append(Object.assign(make("img"), {alt: "", src: pictures[question.picture]}));
  const boxes = [
    ...question.true.map((box, index) => ["green", `true${index}`, "", box]),
    ...answer[BOXES].map((box, index) => ["magenta", `predicted${index}`, String(index + 1), box]),
  ];
  boxes.sort((a, b) => area(b[3]) - area(a[3]));
  image.append(...boxes.map(box => makeBox(...box)));
  return image;
}

function makePart(part) {
  if (typeof part === "string")
    return part.split(/(<\/?\w+>)/).map((piece, index) =>
      index % 2 ? make("span", "tag", piece) : piece);
  const [number, before, label, after] = part;
  const phrase = make("span", "phrase", make("sup", "", String(number)),
    make("span", "tag", before), make("b", "", label), make("span", "tag", after));
  Object.assign(phrase.dataset, {box: `predicted${number - 1}`});
  phrase.tabIndex = 0;
  return [phrase];
}

const verdict = answer => ({true: "right", false: "wrong"})[answer[RIGHT]] ?? "";

// A chip per stage of the same run, if it has several: where did it become right?
function makeStages(question, run) {
  const chips = columns.flatMap(([name, stage], index) => {
    const answer = name === run && answerOf(question, index);
    return answer ? [make("span", `chip ${verdict(answer)}`, stage)] : [];
  });
  return chips.length > 1 ? [make("p", "chips", ...chips)] : [];
}

function makeAnswer(question, column) {
  const [run, stage] = columns[column], answer = answerOf(question, column);
  if (!answer) return make("div", "answer", make("div", "below", `${run} · ${stage}: no answer`));
  const facts = make("p", "chips", make("span", `chip ${verdict(answer)}`, verdict(answer) || "boxes"));
  if (answer[IOU] !== null) facts.append(make("span", "chip", `IoU ${answer[IOU].toFixed(2)}`));
  const text = make("p", "text", ...answer[PARTS].flatMap(makePart));
  if (!answer[PARTS].length) text.append(make("span", "tag", "(empty)"));
  text.tabIndex = 0;
  const card = make("div", "answer", makeImage(question, answer), make("div", "below",
    make("p", "name", `${run} · ${stage}`), facts, text, ...makeStages(question, run)));
  connectHighlights(card);
  return card;
}

function makeCard(question, shown) {
  const options = make("p", "options");
  question.options.forEach(([option, isRight], index) =>
    options.append(index ? ", " : "", isRight ? make("b", "", option) : option));
  return make("article", "card question-card", make("p", "question", question.question), options,
    make("p", "chips", ...[question.set, question.kind, question.id].map(fact => make("span", "chip", fact))),
    make("div", "answers", ...shown.map(column => makeAnswer(question, column))));
}

let waiting = [], shown = [];

function showMore() {
  choice("cards").append(...waiting.splice(0, AT_ONCE).map(question => makeCard(question, shown)));
  choice("end").textContent = waiting.length ? `${waiting.length} more below` : "";
}

function showQuestions() {
  const words = choice("words").value.trim().toLowerCase();
  shown = shownColumns();
  waiting = questions.filter(question => isFound(question, words));
  choice("found").textContent = `${waiting.length} of ${questions.length} questions`;
  choice("cards").replaceChildren();
  showMore();
}

for (const name of ["view", "right", "wrong", "set", "kind"]) choice(name).onchange = showQuestions;
choice("words").oninput = showQuestions;
showQuestions();
// The end comes near the window when the cards above it have been looked at.
new IntersectionObserver(entries => {
  if (waiting.length && entries.some(entry => entry.isIntersecting)) showMore();
}, {rootMargin: "800px"}).observe(choice("end"));

// Charts: a vertical line follows the pointer, and the caption shows the values there.
for (const figure of document.querySelectorAll(".bands")) {
  const [left, right, bottom] = figure.dataset.plot.split(" ").map(Number);
  const [first, last] = figure.dataset.span.split(" ").map(Number);
  const places = figure.dataset.names ? figure.dataset.names.split("|") : null;
  const svg = figure.querySelector("svg"), cursor = svg.querySelector(".cursor");
  const output = figure.querySelector("output"), before = [...output.childNodes];
  const lines = [...figure.querySelectorAll(".line")].map(line => ({
    name: line.dataset.name,
    style: line.getAttribute("class").replace("line", ""),
    points: line.dataset.points.split(";").map(point => point.split(",").map(Number)),
  }));
  const nearest = (points, x) =>
    points.reduce((a, b) => Math.abs(a[0] - x) <= Math.abs(b[0] - x) ? a : b);
  svg.onpointermove = event => {
    const box = svg.getBoundingClientRect();
    const at = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    const x = nearest(lines.flatMap(line => line.points),
      first + (at - left) / (right - left) * (last - first))[0];
    const place = left + (x - first) / (last - first) * (right - left);
    cursor.setAttribute("d", `M${place} 8V${bottom}`);
    output.replaceChildren(places ? places[x] : `step ${x}`, ...lines.map(({name, style, points}) => {
      const [, mean, low, high] = nearest(points, x);
      const band = low < high ? ` (${low} to ${high})` : "";
      return make("span", style, `${lines.length > 1 ? `${name} ` : ""}${mean}${band}`);
    }));
  };
  svg.onpointerleave = () => {
    cursor.removeAttribute("d");
    output.replaceChildren(...before);
  };
}
