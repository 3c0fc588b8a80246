// What every page can do: shortcuts, help, copying; and the list of runs: filter, order, choice, renewal.
"use strict";

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

// --- help and shortcuts ------------------------------------------------------------------------

const help = $("#help");
const keysOn = $("#keys-on");
keysOn.checked = localStorage.getItem("keys") !== "off";
keysOn.addEventListener("change", () => localStorage.setItem("keys", keysOn.checked ? "on" : "off"));
$("#help-open").addEventListener("click", () => help.showModal());

function moveTo(step) {
  const links = $$("#rows tr:not([hidden]) th a");
  const at = links.indexOf($("#rows tr:focus-within th a"));
  const next = links[Math.min(links.length - 1, Math.max(0, at + step))];
  if (next) next.focus();
}

const shortcuts = {
  j: () => moveTo(1),
  k: () => moveTo(-1),
  x: () => $("#rows tr:focus-within .pick input")?.click(),
  c: () => $("#compare button:enabled")?.click(),
  "/": () => $("#filter")?.focus(),
  r: () => $(".brand").click(),
  t: () => {
    const tables = $$(".chart details");
    const open = tables.some((table) => !table.open);
    tables.forEach((table) => (table.open = open));
  },
  l: () => $("#language").click(),
  "?": () => help.showModal(),
};

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=checkbox]), select, textarea, dialog");
  if (event.key === "Escape" && event.target.id === "filter") event.target.blur();
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !keysOn.checked) return;
  const act = shortcuts[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});

// the language link keeps what else stands in the address
$("#language").addEventListener("click", (event) => {
  event.preventDefault();
  const address = new URL(location.href);
  address.searchParams.set("lang", document.body.dataset.lang === "zh" ? "en" : "zh");
  location.assign(address);
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button.copy");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.text);
  const before = button.textContent;
  button.textContent = document.body.dataset.copied;
  setTimeout(() => (button.textContent = before), 1500);
});

// --- the list of runs --------------------------------------------------------------------------

const rows = $("#rows");
const order = { key: "", down: true };

function filterRows() {
  const words = $("#filter").value.toLowerCase().split(/\s+/).filter(Boolean);
  const state = $("#state-filter").value;
  let shown = 0;
  for (const row of rows.rows) {
    row.hidden = !(words.every((word) => row.dataset.text.includes(word)) && (!state || row.dataset.state === state));
    shown += !row.hidden;
  }
  $("#no-match").hidden = shown > 0 || rows.rows.length === 0;
}

function sortRows() {
  if (!order.key) return;
  const value = (row) => row.dataset[order.key];
  const number = (text) => (text === "" ? NaN : Number(text));
  const sorted = [...rows.rows].sort((one, other) => {
    const [a, b] = [number(value(one)), number(value(other))];
    if (Number.isNaN(a) && Number.isNaN(b)) return value(one).localeCompare(value(other)) * (order.down ? -1 : 1);
    if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) ? 1 : -1; // what has no figure stands last
    return (a - b) * (order.down ? -1 : 1);
  });
  rows.append(...sorted);
}

function chosen() {
  const count = $$("#rows .pick input:checked").length;
  $("#chosen").textContent = count ? `(${count})` : "";
  $("#compare button").disabled = count < 2;
}

async function renewRows() {
  const answer = await fetch(location.href, { cache: "no-store" });
  if (!answer.ok) throw new Error(answer.statusText);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  const checked = new Set($$("#rows .pick input:checked").map((input) => input.value));
  const focused = document.activeElement.closest("#rows tr") && document.activeElement.getAttribute("href");
  if ($("#rows", fresh).innerHTML === rows.dataset.seen) return;
  rows.dataset.seen = $("#rows", fresh).innerHTML;
  rows.replaceChildren(...$("#rows", fresh).children);
  $("#runs").hidden = rows.rows.length === 0;
  if (rows.rows.length) $("main > .empty:not(#no-match)")?.remove();
  for (const input of $$(".pick input", rows)) input.checked = checked.has(input.value);
  sortRows();
  filterRows();
  chosen();
  if (focused) $$("th a", rows).find((link) => link.getAttribute("href") === focused)?.focus();
}

if (rows) {
  $("#filter").addEventListener("input", filterRows);
  $("#state-filter").addEventListener("change", filterRows);
  rows.addEventListener("change", chosen);
  for (const button of $$("[data-sort]")) {
    button.addEventListener("click", () => {
      const header = button.closest("th");
      order.down = order.key === button.dataset.sort ? !order.down : button.dataset.sort !== "name";
      order.key = button.dataset.sort;
      $$("[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
      header.setAttribute("aria-sort", order.down ? "descending" : "ascending");
      sortRows();
    });
  }
  chosen();
  again(renewRows, () => Number(rows.dataset.every));
}

// --- asking again and again --------------------------------------------------------------------

/** Call something at intervals while the page is in sight; say so when tuneloop does not answer, and go on trying. */
function again(act, pause) {
  const turn = async () => {
    if (!document.hidden) {
      try {
        await act();
        $("#offline").hidden = true;
      } catch (error) {
        if (!(error instanceof TypeError) && !(error instanceof Error)) throw error;
        $("#offline").hidden = false;
      }
    }
    const wait = pause();
    if (wait) setTimeout(turn, wait);
  };
  setTimeout(turn, pause() || 0);
  document.addEventListener("visibilitychange", () => !document.hidden && act().catch(() => {}));
}
