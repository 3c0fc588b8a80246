// The curves of a run or of several: drawn by plotly from plain figures, renewed while a run goes on.
"use strict";

const place = document.getElementById("charts");
const drawn = new Map();
const figures = { tag: "", state: place ? place.dataset.state : "" };
const DASHES = ["solid", "dash", "dot", "dashdot"];
const MARKS = ["circle", "square", "diamond", "cross", "x", "triangle-up", "star", "hexagon"];
const SHAPES = { error: "x", warning: "triangle-up", note: "circle" };

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

function styled(series, kind) {
  const few = series.x.length <= 40;
  const number = Number(series.role.replace(/\D/g, "")) || 0;
  const base = { x: series.x, y: series.y, name: series.name, type: "scatter", mode: "lines", hovertemplate: "%{y:.4~g}" };
  if (series.role === "raw") return { ...base, line: { color: colour("raw"), width: 1 }, hoverinfo: "skip", hovertemplate: undefined };
  if (series.role === "train") return { ...base, line: { color: colour("train"), width: 2.2 } };
  if (series.role === "held") {
    const marker = { symbol: "circle", size: few ? 7 : 4 };
    return { ...base, mode: "lines+markers", marker, line: { color: colour("held"), width: 2.2, dash: "dash" } };
  }
  const line = { color: colour(`run${number % 8}`), width: 2, dash: DASHES[number % 4] };
  return few ? { ...base, mode: "lines+markers", line, marker: { symbol: MARKS[number % 8], size: 6 } } : { ...base, line };
}

function traces(chart) {
  if (chart.kind === "heat") {
    const [names, steps] = [chart.series.map((series) => series.name), chart.series[0].x];
    const bar = { thickness: 10, outlinewidth: 0, title: { text: chart.unit, side: "right", font: { size: 11 } } };
    return [{ type: "heatmap", x: steps, y: names, z: chart.series.map((series) => series.y), colorscale: "Cividis", colorbar: bar, hovertemplate: "%{y}<br>%{x}: 10^%{z:.2f}<extra></extra>" }];
  }
  const lines = chart.series.map((series) => styled(series, chart.kind));
  const pins = chart.pins || [];
  if (pins.length) {
    const shade = { error: colour("bad"), warning: colour("warn"), note: colour("note") };
    lines.push({
      type: "scatter",
      mode: "markers+text",
      x: pins.map((pin) => pin.step),
      y: pins.map((pin) => pin.y),
      text: pins.map((pin) => pin.numbers.join(", ")),
      textposition: "top center",
      textfont: { color: colour("ink"), size: 12 },
      hovertext: pins.map((pin) => pin.texts.map(folded).join("<br>")),
      hoverinfo: "text",
      customdata: pins.map((pin) => `finding-${pin.numbers[0]}`),
      marker: { symbol: pins.map((pin) => SHAPES[pin.severity]), size: 12, color: pins.map((pin) => shade[pin.severity]), line: { color: colour("card"), width: 1.5 } },
      showlegend: false,
      cliponaxis: false,
    });
  }
  return lines;
}

/** A text as plotly shows it: nothing in it is markup, and it is broken into lines. */
function folded(text) {
  const safe = text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  return safe.replace(/(.{50,70}?) /g, "$1<br>");
}

function layout(chart) {
  const grid = colour("line");
  const axis = { gridcolor: grid, zeroline: false, linecolor: grid, tickcolor: grid, automargin: true };
  const shapes = [];
  const annotations = [];
  if (chart.zone) {
    shapes.push({ type: "rect", xref: "x", yref: "paper", x0: chart.zone.from, x1: chart.zone.to, y0: 0, y1: 1, fillcolor: colour("zone"), line: { width: 0 }, layer: "below" });
    annotations.push({ x: (chart.zone.from + chart.zone.to) / 2, y: 1, yref: "paper", yanchor: "top", text: chart.zone.text, showarrow: false, font: { color: colour("warn"), size: 12 } });
  }
  if (chart.limit) {
    shapes.push({ type: "line", xref: "paper", x0: 0, x1: 1, y0: chart.limit.y, y1: chart.limit.y, line: { color: colour("muted"), width: 1.2, dash: "dot" } });
    annotations.push({ x: 1, xref: "paper", xanchor: "right", y: chart.limit.y, yanchor: "bottom", text: `${chart.limit.text} ${chart.limit.y}`, showarrow: false, font: { size: 11, color: colour("muted") } });
  }
  const heat = chart.kind === "heat";
  return {
    font: { family: getComputedStyle(document.body).fontFamily, size: 12, color: colour("muted") },
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    margin: { l: 46, r: heat ? 10 : 12, t: 14, b: 34 },
    xaxis: { ...axis, showgrid: false, tickformat: ",d", nticks: 8 },
    yaxis: heat ? { ...axis, autorange: "reversed", type: "category", showgrid: false } : { ...axis, nticks: 6, tickformat: large(chart) ? ",d" : "~g" },
    hovermode: heat ? "closest" : "x unified",
    hoverlabel: { bgcolor: colour("card"), bordercolor: grid, font: { color: colour("ink") } },
    showlegend: !heat && chart.series.length > 1 && !place.classList.contains("plain"), // a page may have one for all
    legend: { orientation: "h", x: 0, y: 1.02, yanchor: "bottom", font: { size: 12 }, bgcolor: "rgba(0,0,0,0)" },
    shapes,
    annotations,
    uirevision: "kept", // the reader's zoom stays when new figures come
  };
}

/** Whether a chart's figures are best written without a fraction. */
function large(chart) {
  const values = chart.series.flatMap((series) => series.y);
  return values.length > 0 && Math.max(...values) - Math.min(...values) >= 20;
}

const CONFIG = { displayModeBar: false, responsive: true, doubleClick: "reset" };

function frame(chart) {
  const figure = document.createElement("figure");
  figure.className = { heat: "chart wide", loss: "chart wide first" }[chart.id] || "chart";
  figure.id = `chart-${chart.id}`;
  const header = document.createElement("header");
  const title = document.createElement("h3");
  const unit = document.createElement("small");
  title.textContent = chart.title;
  unit.textContent = chart.kind === "heat" ? "" : chart.unit;
  title.append(" ", unit);
  header.append(title);
  const plot = document.createElement("div");
  plot.className = "plot";
  plot.setAttribute("role", "img");
  const details = document.createElement("details");
  const summary = document.createElement("summary");
  summary.textContent = place.dataset.table;
  summary.setAttribute("aria-label", `${place.dataset.table}: ${chart.title}`);
  const box = document.createElement("div");
  box.tabIndex = 0;
  details.append(summary, box);
  details.addEventListener("toggle", () => details.open && fill(box, drawn.get(chart.id).chart));
  figure.append(header, plot, details);
  place.append(figure);
  return { figure, plot, details, box };
}

/** The chart as a table of its newest hundred steps, for whoever does not see it. */
function fill(box, chart) {
  const steps = [...new Set(chart.series.flatMap((series) => series.x))].sort((a, b) => b - a).slice(0, 100);
  const maps = chart.series.map((series) => new Map(series.x.map((x, index) => [x, series.y[index]])));
  const table = document.createElement("table");
  const head = table.createTHead().insertRow();
  for (const name of [place.dataset.step, ...chart.series.map((series) => series.name)]) {
    const cell = document.createElement("th");
    cell.scope = "col";
    cell.textContent = name;
    head.append(cell);
  }
  const body = table.createTBody();
  for (const step of steps) {
    const row = body.insertRow();
    const label = document.createElement("th");
    label.scope = "row";
    label.textContent = step.toLocaleString("en");
    row.append(label);
    for (const map of maps) row.insertCell().textContent = map.get(step) ?? "";
  }
  box.replaceChildren(table);
}

function say(chart) {
  const told = chart.series.map((series) => {
    const last = series.y.findLast((value) => value !== null);
    return `${series.name}: ${last}`;
  });
  return `${chart.title}. ${told.slice(0, 8).join("; ")}`;
}

async function draw(charts) {
  for (const chart of charts) {
    const known = drawn.get(chart.id);
    const kept = known || { ...frame(chart), chart };
    kept.chart = chart;
    drawn.set(chart.id, kept);
    kept.plot.setAttribute("aria-label", say(chart));
    await Plotly.react(kept.plot, traces(chart), layout(chart), CONFIG);
    kept.figure.dataset.points = chart.series.reduce((sum, series) => sum + series.x.length, 0);
    if (kept.details.open) fill(kept.box, chart);
    if (!known && chart.pins) kept.plot.on("plotly_click", jump);
  }
}

/** From a pin on the curve to the finding that it stands for. */
function jump(event) {
  const anchor = event.points.map((point) => point.customdata).find(Boolean);
  if (anchor) document.getElementById(anchor)?.focus();
}

/** Put in the pieces of the page that changed; what the reader has opened stays open. */
function renew(pieces) {
  for (const [name, html] of Object.entries(pieces)) {
    const piece = document.getElementById(`piece-${name}`);
    if (!piece || piece.dataset.seen === html) continue;
    const open = [...piece.querySelectorAll("details")].map((details) => details.open);
    piece.dataset.seen = html;
    piece.innerHTML = html;
    piece.querySelectorAll("details").forEach((details, index) => (details.open = open[index] || false));
  }
}

async function look() {
  const headers = figures.tag ? { "If-None-Match": figures.tag } : {};
  const answer = await fetch(place.dataset.figures, { headers, cache: "no-store" });
  if (answer.status === 304) return;
  if (!answer.ok) throw new Error(answer.statusText);
  figures.tag = answer.headers.get("ETag") || "";
  const told = await answer.json();
  figures.state = told.state;
  renew(told.pieces);
  await draw(told.charts);
}

if (place) {
  look();
  again(look, () => (document.hidden ? 5000 : { running: 1000, finished: 0 }[figures.state] ?? 4000));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw([...drawn.values()].map((each) => each.chart)));
}
