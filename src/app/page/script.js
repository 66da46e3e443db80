// Keeps the page up to date: fetches it every few seconds, and takes over what differs. The server renders everything, the search
// too. A page that gets no answer says so, and since when.
"use strict";

const EVERY_MS = 5000;
const WITHIN_MS = 10000;
const TYPED_AFTER_MS = 150;
// What is taken over. The rest of the page stays as the user has it: the search, the focus, what is unfolded.
const PARTS = ["heading", "summary", "content"];

const asOf = document.getElementById("as-of");
const pause = document.getElementById("pause");
const lost = document.getElementById("lost");
const filter = document.getElementById("filter");
let answeredAt = asOf.querySelector("time").textContent;
let tag = null;
let isPaused = false;
let asking = null;
let next = null;

async function refresh() {
  clearTimeout(next);
  asking?.abort();
  const asked = (asking = new AbortController());
  const late = setTimeout(() => asked.abort(), WITHIN_MS);
  const url = location.href.split("#")[0];
  try {
    const headers = tag?.url === url ? { "If-None-Match": tag.value } : {};
    const answer = await fetch(url, { cache: "no-store", headers, signal: asked.signal });
    const text = answer.status === 304 ? null : await answer.text();
    if (asking !== asked) return;
    if (text !== null) takeOver(text);
    tag = answer.headers.has("ETag") ? { url, value: answer.headers.get("ETag") } : null;
    found(answer.headers.get("Date"));
  } catch (error) {
    if (asking !== asked) return;
    miss();
  } finally {
    clearTimeout(late);
    if (asking === asked) {
      asking = null;
      plan();
    }
  }
}

function plan() {
  clearTimeout(next);
  if (!isPaused && !document.hidden) next = setTimeout(refresh, EVERY_MS);
}

// A page of another server, such as a proxy's, is no answer.
function takeOver(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  if (!fresh.documentElement.dataset.version || !PARTS.every((id) => fresh.getElementById(id))) throw new Error("no answer");
  if (fresh.documentElement.dataset.version !== document.documentElement.dataset.version) location.reload();
  const focused = document.activeElement;
  for (const id of PARTS) sync(document.getElementById(id), fresh.getElementById(id));
  if (document.title !== fresh.title) document.title = fresh.title;
  // A row that moves loses the focus.
  if (focused !== document.activeElement && focused.isConnected) focused.focus({ preventScroll: true });
}

// Makes an element equal to a fresh one with as few changes as there are differences.
function sync(old, fresh) {
  if (old.isEqualNode(fresh)) return;
  if (old.nodeType !== Node.ELEMENT_NODE || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
    old.replaceWith(fresh);
    return;
  }
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(old.nodeName === "DETAILS" && name === "open")) old.removeAttribute(name);
  }
  const named = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  let at = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const same = child.id ? named.get(child.id) : at && !at.id && at.nodeName === child.nodeName ? at : null;
    if (same && same === at) {
      at = at.nextSibling;
    } else if (same) {
      old.insertBefore(same, at);
    } else {
      old.insertBefore(child, at);
      continue;
    }
    sync(same, child);
  }
  while (at) {
    const rest = at.nextSibling;
    at.remove();
    at = rest;
  }
}

function clock(date) {
  return date.toISOString().slice(0, 19).replace("T", " ");
}

// Times are those of the server's clock.
function found(date) {
  answeredAt = clock(date ? new Date(date) : new Date());
  document.documentElement.classList.remove("lost");
  lost.hidden = true;
  lost.textContent = "";
  showAsOf();
}

function miss() {
  if (lost.hidden) {
    lost.hidden = false;
    lost.textContent = `The daemon has not answered since ${answeredAt} UTC. What is below was true then.`;
    document.documentElement.classList.add("lost");
    document.title = `(no answer) ${document.title}`;
    tag = null;
  }
  showAsOf();
}

function showAsOf() {
  const time = document.createElement("time");
  time.dateTime = answeredAt.replace(" ", "T") + "Z";
  time.textContent = answeredAt;
  asOf.replaceChildren(isPaused ? "Paused, as of " : "As of ", time, " UTC");
}

pause.hidden = false;
pause.addEventListener("click", () => {
  isPaused = !isPaused;
  pause.textContent = isPaused ? "Resume updates" : "Pause updates";
  showAsOf();
  if (isPaused) clearTimeout(next);
  else refresh();
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(next);
  else if (!isPaused) refresh();
});

if (filter) {
  filter.querySelector("button").hidden = true;
  let typed = null;
  const search = () => {
    const fields = [...new FormData(filter)].filter(([, value]) => value !== "");
    const query = new URLSearchParams(fields).toString();
    history.replaceState(null, "", query ? `?${query}` : location.pathname);
    refresh();
  };
  filter.addEventListener("input", () => {
    clearTimeout(typed);
    typed = setTimeout(search, TYPED_AFTER_MS);
  });
  filter.addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(typed);
    search();
  });
}

plan();
