"""The frame of our HTML pages: one file each, nothing fetched, light and dark."""

import html

from groundrl.report.overlay import BRIGHT, PREDICTED, TRUE

REPORT = "report.html"
COLORS = f""":root{{--true:{TRUE};--true-line:{BRIGHT[TRUE]};--said:{PREDICTED};
--said-line:{BRIGHT[PREDICTED]};--plate:{PREDICTED};--true-plate:{TRUE}}}"""
CSS = """
:root{color-scheme:light dark;--page:#f7f7f5;--card:#fff;--ink:#1c1e22;--soft:#656b75;
--line:#e2e3e0;--accent:#2563c9;--right:#0d7a3c;--wrong:#b3261e;--mended:#8a5a00;--warn:#fff3d6}
@media(prefers-color-scheme:dark){:root{--page:#131518;--card:#1c1f23;--ink:#e8e9eb;
--soft:#9aa1ac;--line:#31353c;--accent:#74a7ff;--right:#52c987;--wrong:#ff8a80;--mended:#e6b455;
--true:#2cc06e;--said:#f05dc0;--warn:#40351a}}
*{box-sizing:border-box}
body{margin:0 auto;padding:2rem 1.25rem 4rem;max-width:1240px;background:var(--page);
color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
h1{font-size:1.7rem;margin:0 0 .2rem;overflow-wrap:anywhere}
h2{font-size:1.15rem;margin:2.6rem 0 .8rem}
h3,summary{font-size:.95rem;font-weight:600;margin:1.2rem 0 .6rem;color:var(--soft)}
p{margin:.3rem 0}.soft,figcaption output,caption{color:var(--soft)}
summary{cursor:pointer;margin:.5rem 0}
.wide{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:10px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
caption{text-align:left;padding:.6rem .9rem}
th,td{text-align:left;padding:.42rem .9rem;white-space:pre;vertical-align:top;
border-top:1px solid var(--line)}
thead th{border-top:0;color:var(--soft);font-weight:600}.number{text-align:right}
tbody tr:hover{background:color-mix(in srgb,var(--accent) 7%,transparent)}
.chips{display:flex;flex-wrap:wrap;gap:.35rem;margin:.5rem 0}
.chip{border:1px solid var(--line);border-radius:99px;padding:.05rem .6rem;font-size:.82rem;
color:var(--soft);overflow-wrap:anywhere}
.charts{display:grid;gap:.8rem;grid-template-columns:repeat(auto-fill,minmax(330px,1fr))}
figure{margin:0;background:var(--card);border:1px solid var(--line);border-radius:10px;
padding:.6rem .7rem .3rem}
figcaption{display:flex;justify-content:space-between;gap:1rem;font-size:.86rem}
figcaption b{font-weight:600;overflow-wrap:anywhere}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{fill:var(--soft);font-size:11px;font-variant-numeric:tabular-nums}
svg .end{text-anchor:end}svg .middle{text-anchor:middle}svg .value{fill:var(--ink)}
svg path{fill:none;stroke:var(--accent);stroke-width:1.8;stroke-linejoin:round}
svg .raw{opacity:.3;stroke-width:1}svg .grid{stroke:var(--line);stroke-width:1}
svg .cursor{stroke:var(--soft);stroke-width:1}svg .whisker{stroke-width:2.4;opacity:.55}
svg .published{stroke:var(--said);fill:var(--card)}svg circle{fill:var(--accent)}
.dots svg{max-width:440px}.dots svg text{font-size:12px}
.told{background:var(--warn);border:1px solid var(--line);border-radius:10px;padding:.6rem .9rem;
margin:.6rem 0}
pre{margin:0;padding:.9rem 1.1rem;font:12.5px/1.5 ui-monospace,Menlo,Consolas,monospace}
.filters{display:flex;flex-wrap:wrap;gap:.4rem 1.4rem;margin:.6rem 0 1rem}
.filters div{display:flex;flex-wrap:wrap;gap:.3rem;align-items:center}
select,input{font:inherit;font-size:.86rem;padding:.15rem .5rem;color:var(--ink);max-width:100%;
border:1px solid var(--line);border-radius:8px;background:var(--card)}
button{font:inherit;font-size:.86rem;padding:.15rem .7rem;border:1px solid var(--line);
border-radius:99px;background:var(--card);color:var(--ink);cursor:pointer}
button[aria-pressed=true]{background:var(--accent);border-color:var(--accent);color:var(--page)}
.gallery{display:grid;gap:.9rem;align-items:start;
grid-template-columns:repeat(auto-fill,minmax(min(100%,300px),1fr))}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;overflow:hidden}
.card[hidden],.entry[hidden]{display:none}
.image{position:relative;background:var(--page);overflow:hidden}
.image img{display:block;width:100%;height:100%}
.absent{position:absolute;inset:auto 0 .4rem;text-align:center;color:var(--soft);font-size:.8rem}
.context{display:flex;gap:4px;padding:4px 0 0}.context img{height:84px;width:auto}
.box{position:absolute;min-width:5px;min-height:5px;border:2px solid var(--true-line);
box-shadow:0 0 0 1px #0007,inset 0 0 0 1px #0007}
.box.said{border:3px solid var(--said-line)}
.box b{position:absolute;left:0;top:0;background:var(--plate);color:#fff;font-size:11px;
line-height:1.15;padding:0 4px}
.lighting .box{opacity:.3}.lighting .box.lit{opacity:1;background:#fff5;z-index:1}
.phrase{border-radius:4px;cursor:pointer;
background:color-mix(in srgb,var(--said) 14%,transparent)}
.phrase b{color:var(--said)}.phrase sup{color:var(--said);font-weight:700;line-height:0}
.phrase.true{background:color-mix(in srgb,var(--true) 16%,transparent);padding:0 .3em}
.phrase.true sup{color:var(--true)}
.phrase.lit{background:var(--said);color:#fff}.phrase.true.lit{background:var(--true)}
.phrase.lit *{color:inherit}
:focus-visible{outline:2px solid var(--accent);outline-offset:1px}
.about{padding:.6rem .8rem .7rem}.card .question{font-weight:600}
.card .question,.card .options{overflow-wrap:anywhere;max-height:9rem;overflow-y:auto}
.card .options{color:var(--soft);font-size:.88rem}.card .options b{color:var(--right)}
.card .text{font:12.5px/1.5 ui-monospace,Menlo,Consolas,monospace;white-space:pre-wrap;
overflow-wrap:anywhere;max-height:13rem;overflow-y:auto;border-top:1px solid var(--line);
margin-top:.5rem;padding-top:.5rem}.tag{color:var(--soft)}
.right{color:var(--right)}.wrong{color:var(--wrong)}.chip.right,.chip.wrong{font-weight:600}
.key::before{content:"";display:inline-block;width:.75em;height:.75em;margin-right:.35em;
border:2px solid var(--true)}.key.said::before{border-color:var(--said);border-width:3px}
.key.unseen::before{border:2px dotted var(--soft)}
.box.true b{background:var(--true-plate)}.box.unseen{border:2px dotted #fff}
.box.unseen b{background:#000a}
.crowded .box b{display:none}.crowded .box.lit b{display:block}
.tables{columns:2 400px;column-gap:.8rem}.tables>div{break-inside:avoid;margin-bottom:.8rem}
.tables td:not(.number){white-space:pre-wrap;overflow-wrap:break-word}
.sheets{grid-template-columns:minmax(0,1fr)}.sheet{overflow:clip}
.sheet h3{margin:.9rem 0 .2rem}.chip.mended{color:var(--mended)}
.sheet .text,.sheet .options{border:0;margin:0;padding:0;font:inherit;max-height:13rem}
.look .chips{padding:0 .7rem}
@media(min-width:820px){.sheet{display:grid;grid-template-columns:minmax(0,2fr) minmax(0,3fr)}
.look{position:sticky;top:0;align-self:start}}
.captions,.questions{display:grid;gap:.5rem .9rem;
grid-template-columns:repeat(auto-fill,minmax(min(100%,290px),1fr))}
.entry{border-radius:8px;min-width:0}
.caption{display:flex;gap:.6rem;align-items:flex-start;padding:.25rem}
.caption[data-level="whole image"]{grid-column:1/-1}.caption>div{min-width:0;flex:1}
.caption.lit{background:color-mix(in srgb,var(--accent) 14%,transparent)}
.caption img{width:84px;max-height:110px;object-fit:contain;border-radius:4px}
.caption p{margin:0}.said,.why{overflow-wrap:anywhere;max-height:11rem;overflow-y:auto}
.why{color:var(--soft);font-size:.82rem}.why .chip{padding:0 .45rem}
del{color:var(--wrong)}ins{color:var(--right);text-decoration:none;font-weight:600}
mark{color:inherit;background:color-mix(in srgb,var(--wrong) 20%,transparent);border-radius:3px}
"""

SCRIPT = """
const chosen = {};
const words = document.querySelector(".filters input");
// A choice says nothing of what lacks its key. Entries of a card are chosen one by one; a list of
// them that is asked for and has nothing left hides its card.
const fits = one => Object.entries(chosen)
  .every(([k, v]) => !v || !(k in one.dataset) || one.dataset[k].split("\\n").includes(v));
function emptied(list) {
  const entries = [...list.querySelectorAll(".entry")];
  for (const entry of entries) entry.hidden = !fits(entry);
  return list.dataset.keys.split(" ").some(k => chosen[k]) && entries.every(e => e.hidden);
}
function show() {
  const cards = [...document.querySelectorAll(".card")];
  const wanted = words?.value.trim().toLowerCase();
  for (const card of cards) {
    const empty = [...card.querySelectorAll(".entries")].map(emptied);
    card.hidden = !fits(card) || empty.includes(true)
      || !!wanted && !card.textContent.toLowerCase().includes(wanted);
  }
  for (const place of document.querySelectorAll("#count"))
    place.textContent =
      `${cards.filter(c => !c.hidden).length} of ${cards.length} ${place.dataset.of}`;
}
for (const button of document.querySelectorAll(".filters button")) {
  const {key, value} = button.dataset;
  if (button.ariaPressed === "true") chosen[key] = value;
  button.onclick = () => {
    chosen[key] = value;
    for (const other of button.parentElement.querySelectorAll("button"))
      other.ariaPressed = String(other === button);
    show();
  };
}
for (const list of document.querySelectorAll(".filters select"))
  list.onchange = () => { chosen[list.dataset.key] = list.value; show(); };
if (words) words.oninput = show;
show();
// A phrase and its box light up together, whichever of the two is pointed at or has the focus.
function light(card, at) {
  card.classList.toggle("lighting", !!at);
  for (const one of card.querySelectorAll("[data-box]"))
    one.classList.toggle("lit", !!at && one.dataset.box === at.dataset.box);
  const phrase = card.querySelector(".text .lit"), text = phrase?.closest(".text");
  if (!phrase || phrase === at) return;
  const [view, place] = [text.getBoundingClientRect(), phrase.getBoundingClientRect()];
  if (place.top < view.top || place.bottom > view.bottom)
    text.scrollTop += place.top - view.top - 8;
}
for (const card of document.querySelectorAll(".card")) {
  const focused = () => card.contains(document.activeElement)
    ? document.activeElement.closest("[data-box]") : null;
  card.addEventListener("pointerover",
    event => light(card, event.target.closest("[data-box]") ?? focused()));
  card.addEventListener("pointerleave", () => light(card, focused()));
  card.addEventListener("focusin", () => light(card, focused()));
  card.addEventListener("focusout", () => light(card, null));
}
for (const figure of document.querySelectorAll(".curve")) {
  const points = figure.dataset.points.split(";").map(p => p.split(",").map(Number));
  const svg = figure.querySelector("svg"), out = figure.querySelector("output");
  const [left, right, width, height] = [46, 14, 360, 148];
  const first = points[0][0], span = points.at(-1)[0] - first || 1;
  svg.onpointermove = event => {
    const box = svg.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width * width - left) / (width - left - right);
    const at = first + share * span;
    const near = points.reduce((a, b) => Math.abs(a[0] - at) < Math.abs(b[0] - at) ? a : b);
    const x = left + (near[0] - first) / span * (width - left - right);
    svg.querySelector(".cursor").setAttribute("d", `M${x} 8V${height}`);
    out.textContent = `step ${near[0]}: ${near[1]}`;
  };
  svg.onpointerleave = () => {
    svg.querySelector(".cursor").removeAttribute("d");
    out.textContent = out.dataset.last;
  };
}
"""


def page(title: str, body: str) -> str:
    """A whole document around ``body``, which is HTML already."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{COLORS}{CSS}</style></head>\n"
        f"<body>{body}\n<script>{SCRIPT}</script></body></html>\n"
    )


def section(heading: str, body: str) -> str:
    """Body under a heading; nothing at all when there is no body."""
    return f"\n<section><h2>{html.escape(heading)}</h2>{body}</section>" if body else ""


def chips(texts: list[str]) -> str:
    """Short facts in a row."""
    inside = "".join(f'<span class="chip">{html.escape(text)}</span>' for text in texts)
    return f'<div class="chips">{inside}</div>' if texts else ""
