/* Pretend phones and mailboxes, and the questions as they move. Vanilla, no build.
   Every text from outside is set as text, never as markup; a mail's HTML lives in a frame without scripts. */
"use strict";
(() => {
const setup = JSON.parse(document.getElementById("setup").textContent);
const say = setup.words;
const LOCALE = setup.language === "nl" ? "nl-NL" : "en-GB";
const ZONE = "Europe/Amsterdam"; // what the product's own texts use
const POLL_MS = 1000, POLL_KEEN_MS = 300, POLL_HIDDEN_MS = 15000, POLL_LOST_MAX_MS = 15000, KEEN_FOR_MS = 6000, FOLLOW_FOR_MS = 12000;
const OPEN_MAX = 6;
const $ = (id) => document.getElementById(id);

// --- small things -------------------------------------------------------------------------------------------------

/** An element with attributes (`on…` listens, false and null are left out) and children. */
function h(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.flat().filter((child) => child != null && child !== false));
  return made;
}

function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `#i-${name}`);
  svg.setAttribute("aria-hidden", "true");
  svg.append(use);
  return svg;
}

const fill = (words, values) => words.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
const hidden = (text) => h("span", { class: "sr" }, text);
const formats = {
  time: new Intl.DateTimeFormat(LOCALE, { timeZone: ZONE, hour: "2-digit", minute: "2-digit" }),
  day: new Intl.DateTimeFormat(LOCALE, { timeZone: ZONE, weekday: "short", day: "numeric", month: "short" }),
};
const time = (at) => formats.time.format(new Date(at));
const day = (at) => formats.day.format(new Date(at)).replaceAll(".", "");
const timeOrDay = (at) => (day(at) === day(now()) ? time(at) : `${day(at)} ${time(at)}`);

function span(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600), Math.floor(seconds / 60)];
  const both = (more, moreWord, less, lessWord) => (less ? `${more} ${moreWord} ${less} ${lessWord}` : `${more} ${moreWord}`);
  if (hours >= 48) return both(days, say.day, hours % 24, say.hour);
  if (hours) return both(hours, say.hour, minutes % 60, say.minute);
  return minutes >= 5 ? `${minutes} ${say.minute}` : `${minutes} ${say.minute} ${seconds % 60} ${say.second}`;
}

/** The text with its web addresses as links; a full stop behind an address is not part of it. */
function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"]*[^\s<>".,;:!?)])/).map((part, place) => (place % 2
    ? h("a", { href: part, target: "_blank", rel: "noopener noreferrer" }, part, hidden(` (${say.new_tab})`)) : part));
}

function avatar(name, kind = "") {
  const initials = name.split(/\s+/).filter((word) => /^\p{Lu}/u.test(word)).map((word) => word[0]);
  const hue = [...name].reduce((sum, char) => (sum * 31 + char.codePointAt(0)) % 360, 7);
  const made = h("span", { class: `avatar ${kind}`, "aria-hidden": "true" }, kind === "friend" ? "?" : [initials[0], initials.at(-1)].slice(0, initials.length).join(""));
  made.style.setProperty("--hue", hue);
  return made;
}

const memory = {
  get(name, otherwise) {
    try { return JSON.parse(sessionStorage.getItem(`sandbox.${name}`)) ?? otherwise; } catch { return otherwise; }
  },
  set(name, value) {
    try { sessionStorage.setItem(`sandbox.${name}`, JSON.stringify(value)); } catch { /* private mode: forget */ }
  },
};

const shown = (element) => element.offsetParent !== null;

// --- what is known ------------------------------------------------------------------------------------------------

let people = [];
const byNumber = new Map(); // employee number → person
const byAddress = new Map(); // phone number or mail address → person
const letters = new Map(); // address → Map(id → letter)
const loaded = new Set(); // addresses whose history is here
const unread = new Map(Object.entries(memory.get("unread", {})).map(([address, ids]) => [address, new Set(ids)]));
const arrived = new Set(); // ids of the letters that came while we watched
let born = 0; // the newest letter when we began to watch
let newest = null; // the newest letter seen; null before the first look
let questions = [];
let apps = new Set(); // numbers of the phones that have the app
let phones = {}; // number → what is wrong with it
let stopped = new Set(); // addresses that opted out
let ahead = 0; // how far the product's clock has been moved, ms
let skew = 0; // the product's now minus this browser's, ms
const now = () => Date.now() + skew;

const isPhone = (address) => !address.includes("@");
const lettersOf = (address) => [...(letters.get(address) || new Map()).values()].sort((a, b) => a.id - b.id);
const isPush = (letter) => letter.channel === "push";
const incoming = (letter) => letter.direction === "to_person";

function keep(letter) {
  if (!letters.has(letter.address)) letters.set(letter.address, new Map());
  letters.get(letter.address).set(letter.id, letter);
}

/** Somebody whom the product wrote to and who does not work here. */
function meet(address) {
  if (byAddress.has(address)) return;
  const [mobile, email] = isPhone(address) ? [address, null] : [null, address];
  const friend = { number: address, name: say.friend, team: address, roles: [], role_names: [], mobile, email, isFriend: true };
  people.unshift(friend);
  byAddress.set(address, friend);
}

function learn(found) {
  people = found;
  for (const person of found) {
    byNumber.set(person.number, person);
    for (const address of [person.mobile, person.email]) if (address) byAddress.set(address, person);
  }
}

const owner = (address) => byAddress.get(address) || { name: address, team: "", roles: [], role_names: [], number: address };

function saveUnread() {
  memory.set("unread", Object.fromEntries([...unread].filter(([, ids]) => ids.size).map(([address, ids]) => [address, [...ids]])));
}

function markUnread(letter) {
  if (!unread.has(letter.address)) unread.set(letter.address, new Set());
  unread.get(letter.address).add(letter.id);
}

function markRead(address, id) {
  const ids = unread.get(address);
  if (!ids?.size || (id && !ids.has(id))) return;
  if (id) ids.delete(id);
  else ids.clear();
  saveUnread();
  showBadges();
}

// --- talking to the server ----------------------------------------------------------------------------------------

const csrf = () => document.cookie.split("; ").find((one) => one.startsWith(`${setup.csrf_cookie}=`))?.split("=")[1]
  || document.querySelector("meta[name=csrf]").content; // the cookie first: signing in elsewhere gives a new one

/** POST; returns what came back, or null when it was refused (and says so). */
async function act(path, body) {
  try {
    const response = await fetch(path, {
      method: "POST", body: JSON.stringify(body), headers: { "Content-Type": "application/json", "X-CSRFToken": csrf() },
    });
    const found = await response.json().catch(() => ({}));
    if (response.ok) { keen(path !== "clock"); return found; }
    toast(found.error || say.refused, "bad");
  } catch {
    toast(say.lost, "bad");
  }
  return null;
}

let keenUntil = 0, followUntil = 0, lostMs = 0, timer = 0, asking = false;

/** Somebody did something: ask often for a while, and tell whom it reached (a moved clock reaches too many). */
function keen(follow) {
  keenUntil = Date.now() + KEEN_FOR_MS;
  if (follow) followUntil = Date.now() + FOLLOW_FOR_MS;
  later(60);
}

function later(ms) {
  clearTimeout(timer);
  timer = setTimeout(look, ms);
}

const pause = () => (lostMs || (document.hidden ? POLL_HIDDEN_MS : Date.now() < keenUntil ? POLL_KEEN_MS : POLL_MS));

async function look() {
  if (asking) return;
  asking = true;
  try {
    const response = await fetch(newest === null ? "state" : `state?since=${newest}`, { cache: "no-store" });
    if (!response.ok) throw new Error(String(response.status));
    take(await response.json());
    lostMs = 0;
    trouble("");
  } catch (error) {
    lostMs = Math.min((lostMs || POLL_MS) * 2, POLL_LOST_MAX_MS);
    trouble(say.lost);
    console.warn(error);
  } finally {
    asking = false;
    later(pause());
  }
}

let lastSwitches = "";
function take(state) {
  if (state.is_stale) { location.reload(); return; }
  setClock(state.clock);
  if (state.people) {
    born = state.newest;
    learn(state.people);
    for (const box of state.boxes) meet(box.address);
  }
  const isFirst = newest === null;
  newest = state.newest;
  const fresh = state.letters.filter((letter) => !arrived.has(letter.id));
  fresh.forEach(arrive);
  changed(state.changes);
  questions = state.questions;
  const switches = JSON.stringify([state.apps, state.phones, state.stopped]);
  const moved = switches !== lastSwitches;
  lastSwitches = switches;
  [apps, phones, stopped] = [new Set(state.apps), state.phones, new Set(state.stopped)];
  for (const choice of document.querySelectorAll("[data-trouble]")) if (choice !== document.activeElement) choice.value = state.troubles[choice.dataset.trouble] || "";
  if (isFirst) begin();
  saveUnread();
  if (state.people || fresh.some((letter) => !cards.has(owner(letter.address).number))) showPeople();
  showBadges();
  showQuestions();
  showTour();
  for (const letter of fresh) devices.get(letter.address)?.update();
  if (moved) for (const device of devices.values()) device.update();
}

function arrive(letter) {
  arrived.add(letter.id);
  meet(letter.address);
  keep(letter);
  if (!incoming(letter)) return;
  if (isPush(letter)) receipt(letter);
  const device = devices.get(letter.address);
  if (!(device && isPhone(letter.address) && shown(device.element))) markUnread(letter);
  if (!device || !shown(device.element)) announce(letter);
  else if (!isPhone(letter.address)) status(fill(say.fresh_mail, { name: owner(letter.address).name, subject: letter.subject }));
}

/** A person elsewhere got something after what was just done here: a note that opens their device. */
function announce(letter) {
  const { name } = owner(letter.address);
  const words = fill(isPush(letter) ? say.fresh_push : isPhone(letter.address) ? say.fresh_sms : say.fresh_mail, { name, subject: letter.subject });
  if (Date.now() < followUntil) toast(words, "", letter);
}

function changed(changes) {
  // Numbers are given out before rows are written, so a lower one may appear after a higher one: go back for it.
  const missed = Object.keys(changes).map(Number).filter((id) => id > born && !arrived.has(id));
  if (missed.length) newest = Math.min(...missed) - 1;
  for (const [address, all] of letters) {
    let touched = false;
    for (const [id, letter] of all) {
      const change = changes[id];
      if (!change || (change.status === letter.status && change.copies === letter.copies && change.error === letter.error)) continue;
      Object.assign(letter, change);
      touched = true;
    }
    if (touched) devices.get(address)?.update();
  }
}

async function loadHistory(address) {
  try {
    const response = await fetch(`letters?address=${encodeURIComponent(address)}`, { cache: "no-store" });
    if (!response.ok) throw new Error(String(response.status));
    for (const letter of (await response.json()).letters) keep(letter);
    loaded.add(address);
  } catch {
    setTimeout(() => loadHistory(address), 2000);
    return;
  }
  devices.get(address)?.restart();
}

// --- telling ------------------------------------------------------------------------------------------------------

function trouble(text) {
  const box = $("trouble");
  if (box.textContent !== text) box.textContent = text;
  box.hidden = !text;
}

/** A note that goes by itself; with a letter it is a button that opens it. */
function toast(text, kind = "", letter = null) {
  const open = letter && (() => openDevice(letter.address, letter.id));
  const made = h(letter ? "button" : "div", { class: `toast ${kind}`, type: letter ? "button" : null, "data-for": letter?.address, onclick: open || (() => made.remove()) },
    letter ? icon(isPhone(letter.address) ? "phone" : "mail") : null, text);
  $("toasts").append(made);
  while ($("toasts").children.length > 3) $("toasts").firstChild.remove();
  setTimeout(() => made.remove(), letter ? 7000 : 4500);
}

/** For screen readers only; the eye sees the same in the list. */
function status(text) {
  const made = h("span", { class: "sr" }, text);
  $("toasts").append(made);
  setTimeout(() => made.remove(), 3000);
}

// --- the cast -----------------------------------------------------------------------------------------------------

const cards = new Map(); // person's number → { element, update }

function makeCard(person) {
  const first = person.email && person.roles.includes("expert") ? person.email : person.mobile || person.email;
  const buttons = [["phone", person.mobile, say.open_phone], ["mail", person.email, say.open_mailbox]].filter(([, address]) => address)
    .map(([name, address, words]) => {
      const badge = h("span", { class: "badge", hidden: true });
      const label = fill(words, { name: person.name });
      const button = h("button", { type: "button", class: "icon", title: label, "aria-label": label, onclick: () => toggleDevice(address) }, icon(name), badge);
      return { address, button, badge, label };
    });
  const what = [person.team, ...person.role_names, person.has_left && say.left].filter(Boolean).join(" · ");
  const element = h("li", { "data-testid": `person-${person.number}` },
    h("button", { type: "button", class: "who", onclick: () => openDevice(first) }, avatar(person.name, person.isFriend ? "friend" : ""),
      h("span", {}, h("b", {}, person.name), h("small", {}, what))),
    buttons.map(({ button }) => button));
  const update = () => {
    for (const { address, button, badge, label } of buttons) {
      const count = unread.get(address)?.size || 0;
      button.setAttribute("aria-pressed", String(open.includes(address)));
      button.setAttribute("aria-label", count ? `${label} (${fill(say.unread, { count })})` : label);
      badge.hidden = !count;
      badge.textContent = count;
    }
    element.classList.toggle("open", buttons.some(({ address }) => open.includes(address)));
  };
  return { element, update };
}

/** The two of the first steps, then friends, then everybody by name. */
function showPeople() {
  const wanted = $("find").value.trim().toLowerCase();
  const fits = (person) => [person.name, person.team, person.mobile, person.email, ...person.role_names].join(" ").toLowerCase().includes(wanted);
  const rank = (person) => (person.number === setup.asker ? 0 : person.number === setup.expert ? 1 : person.isFriend ? 2 : 3);
  const rows = people.filter(fits).sort((a, b) => rank(a) - rank(b));
  for (const person of rows) if (!cards.has(person.number)) cards.set(person.number, makeCard(person));
  const elements = rows.map((person) => cards.get(person.number).element);
  $("people").replaceChildren(...(elements.length ? elements : [h("li", { class: "empty" }, say.nobody)]));
  showBadges();
}

function showBadges() {
  for (const card of cards.values()) card.update();
  const sum = (wanted) => [...unread].filter(([address]) => open.includes(address) === wanted).reduce((total, [, ids]) => total + ids.size, 0);
  for (const [tab, count] of [["cast", sum(false)], ["stage", sum(true)]]) {
    const badge = document.querySelector(`.tabs [data-tab=${tab}] .badge`);
    badge.hidden = !count;
    badge.textContent = count;
  }
  showStrip();
}

// --- the stage ----------------------------------------------------------------------------------------------------

let open = []; // addresses, in the order of the stage
let active = null; // the one that a small screen shows
const devices = new Map(); // address → { element, update, restart, show }

function toggleDevice(address) {
  if (open.includes(address)) closeDevice(address);
  else openDevice(address);
}

/** Put the device on stage, bring it into view, and open one of its letters if asked. */
function openDevice(address, letterId = null, { quiet = false } = {}) {
  if (!address) return;
  if (!open.includes(address)) {
    if (open.length >= OPEN_MAX) closeDevice(open.find((one) => one !== active), { quiet: true });
    open.push(address);
    const device = isPhone(address) ? makePhone(address) : makeMailbox(address);
    devices.set(address, device);
    $("devices").append(device.element);
    loadHistory(address);
  }
  active = address;
  for (const made of document.querySelectorAll(`[data-for="${CSS.escape(address)}"]`)) made.remove();
  showStage();
  if (quiet) return;
  showTab("stage");
  const device = devices.get(address);
  device.element.scrollIntoView({ inline: "nearest", block: "nearest", behavior: calm() ? "auto" : "smooth" });
  device.element.classList.remove("called");
  requestAnimationFrame(() => device.element.classList.add("called"));
  device.show(letterId);
}

function closeDevice(address, { quiet = false } = {}) {
  devices.get(address)?.element.remove();
  devices.delete(address);
  open = open.filter((one) => one !== address);
  if (active === address) active = open.at(-1) || null;
  if (!quiet) showStage();
}

function showStage() {
  for (const [address, device] of devices) device.element.classList.toggle("active", address === active);
  $("devices").classList.toggle("bare", !open.length);
  $("devices").dataset.empty = say.none_open;
  remember();
  showBadges();
  devices.get(active)?.update();
}

let stripShape = "";
/** On a small screen: one button per open device. */
function showStrip() {
  const shape = JSON.stringify([active, ...open.map((address) => [address, unread.get(address)?.size || 0])]);
  if (shape === stripShape) return;
  stripShape = shape;
  $("strip").replaceChildren(...open.map((address) => {
    const count = unread.get(address)?.size || 0;
    const label = fill(isPhone(address) ? say.phone_of : say.mailbox_of, { name: owner(address).name });
    const choose = h("button", { type: "button", "aria-label": label, "aria-current": String(address === active), onclick: () => openDevice(address) },
      icon(isPhone(address) ? "phone" : "mail"), owner(address).isFriend ? say.friend : owner(address).name.split(" ")[0], count ? h("span", { class: "badge" }, String(count)) : null);
    const close = h("button", { type: "button", class: "close", "aria-label": `${say.close}: ${label}`, onclick: () => closeDevice(address) }, icon("close"));
    return h("span", { class: address === active ? "on" : "" }, choose, address === active ? close : null);
  }));
}

const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

/** The frame around every device: whose it is, the other device of the same person, close. */
function deviceFrame(address, testid, className, ...content) {
  const person = owner(address);
  const other = isPhone(address) ? person.email : person.mobile;
  const label = fill(isPhone(address) ? say.phone_of : say.mailbox_of, { name: person.name });
  const otherLabel = other && fill(isPhone(address) ? say.open_mailbox : say.open_phone, { name: person.name });
  const what = person.isFriend ? say.outside : [person.team, ...(person.role_names || []), !person.email && person.mobile ? say.sms_only : null].filter(Boolean).join(" · ");
  return h("article", { class: `device ${className}`, "data-testid": testid, "data-address": address, "aria-label": label },
    h("header", {}, avatar(person.name, person.isFriend ? "friend" : ""),
      h("span", { class: "who" }, h("b", { role: "heading", "aria-level": "2" }, person.name), h("small", {}, what)),
      other ? h("button", { type: "button", class: "icon", title: otherLabel, "aria-label": otherLabel, onclick: () => openDevice(other) }, icon(isPhone(address) ? "mail" : "phone")) : null,
      h("button", { type: "button", class: "icon", title: say.close, "aria-label": `${say.close}: ${label}`, onclick: () => closeDevice(address) }, icon("close"))),
    ...content);
}

function grow(area) {
  area.style.height = "auto";
  area.style.height = `${area.scrollHeight + 2}px`;
}

function put(area, text) {
  area.value = text;
  area.dispatchEvent(new Event("input"));
  area.focus({ preventScroll: true });
  area.setSelectionRange(text.length, text.length);
}

// --- a phone ------------------------------------------------------------------------------------------------------

const BASIC = new Set(setup.gsm.basic), EXTENDED = new Set(setup.gsm.extended);

/** How many segments the text takes, as notifications/segments.py counts; with what is left in the last one. */
function measure(text) {
  const chars = [...text];
  const odd = chars.find((char) => !BASIC.has(char) && !EXTENDED.has(char));
  const sizes = chars.map((char) => (odd ? char.length : EXTENDED.has(char) ? 2 : 1));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const [single, part] = odd ? [70, 67] : [160, 153];
  if (total <= single) return { odd, segments: 1, left: single - total };
  let segments = 1, used = 0;
  for (const size of sizes) {
    if (used + size > part) { segments += 1; used = 0; }
    used += size;
  }
  return { odd, segments, left: part - used };
}

const TICKS = { queued: "clock", waiting: "clock", sent: "check", delivered: "checks", passed: "check" };

/** How far a message is: a tick for the eye, words for everybody else. */
function drawTick(element, state) {
  const words = say.status[state] || state;
  element.className = `tick ${state}`;
  element.title = words;
  element.dataset.status = state;
  element.replaceChildren(...(TICKS[state] ? [icon(TICKS[state]), hidden(words)] : [words]));
}

const size = (count) => (count === 1 ? say.segment : fill(say.segments, { count }));
const drafts = new Map();

function makePhone(address) {
  const person = owner(address);
  const log = h("div", { class: "talk", role: "log", tabindex: "0", "aria-label": fill(say.phone_of, { name: person.name }) });
  const chips = h("div", { class: "chips" });
  const meter = h("p", { class: "meter" });
  const input = h("textarea", { rows: "1", "data-testid": "sms-input", placeholder: say.type_sms, maxlength: setup.limits.sms, enterkeyhint: "send",
    "aria-label": fill(say.sms_from, { name: person.name }) });
  const button = h("button", { class: "send", "data-testid": "sms-send", "aria-label": say.send, title: say.send, disabled: true }, icon("send"));
  const clock = h("span", { class: "bar-time" });
  const shelf = h("div", { class: "pushes", "data-testid": "pushes" });
  const install = h("button", { type: "button", class: "small", "data-testid": "app", hidden: true, onclick: () => flipApp(address, install) });
  const line = h("select", { "data-testid": "line", onchange: () => act("phone", { number: address, kind: line.value }) },
    Object.entries(say.line_kinds).map(([kind, words]) => h("option", { value: kind }, words)));
  const optedOut = h("p", { class: "opted-out", "data-testid": "opted-out", hidden: true }, say.opted_out);
  let drawn = new Map(), lastDay = "", chipsFor = null, sending = false, shelfShape = "";

  const typed = () => {
    drafts.set(address, input.value);
    grow(input);
    const { odd, segments, left } = measure(input.value);
    button.disabled = !input.value.trim() || sending;
    meter.classList.toggle("warn", Boolean(odd) || segments > 2);
    meter.replaceChildren(...(input.value ? [h("span", {}, `${size(segments)} · ${fill(say.left_over, { count: left })}`), h("span", {}, odd ? "UCS-2" : "GSM-7")] : []),
      ...(odd && input.value ? [h("span", { class: "why" }, fill(say.ucs2_why, { char: odd.trim() || `U+${odd.codePointAt(0).toString(16).toUpperCase()}` }))] : []));
  };
  const send = async (event) => {
    event?.preventDefault();
    if (sending || !input.value.trim()) return;
    sending = true;
    typed();
    const done = await act("text", { number: address, text: input.value });
    sending = false;
    if (done) input.value = "";
    typed();
    input.focus({ preventScroll: true });
  };
  input.addEventListener("input", typed);
  input.addEventListener("keydown", (event) => { if (event.key === "Enter" && !event.shiftKey && !event.isComposing) send(event); });

  const element = deviceFrame(address, `phone-${address}`, "phone",
    h("div", { class: "case" }, h("div", { class: "screen" },
      h("div", { class: "bar", "aria-hidden": "true" }, clock, h("i", { class: "island" }), h("span", { class: "bar-icons" }, h("i", { class: "signal" }), h("i", { class: "battery" }))),
      h("div", { class: "contact" }, h("span", { class: "logo", "aria-hidden": "true" }, icon("spark")), h("span", { class: "who" }, h("b", {}, "CEO-app"), h("small", {}, setup.sms_from)), install),
      h("label", { class: "line" }, say.line, line), optedOut,
      shelf, log, chips,
      h("form", { class: "compose", onsubmit: send }, h("div", { class: "field" }, input, button), meter))));

  function draw(letter) {
    if (day(letter.at) !== lastDay) {
      lastDay = day(letter.at);
      log.append(h("p", { class: "day" }, lastDay === day(Date.now()) ? say.today : lastDay));
    }
    const bubble = h("div", { class: `bubble ${incoming(letter) ? "in" : "out"}`, "data-testid": incoming(letter) ? "sms-in" : "sms-out" }, linked(letter.body));
    const meta = h("p", { class: `meta ${incoming(letter) ? "in" : "out"}` });
    drawn.set(letter.id, { meta, state: "" });
    log.append(bubble, meta);
    return bubble;
  }
  function drawMeta(letter) {
    const known = drawn.get(letter.id);
    if (known.state === letter.status) return;
    known.state = letter.status;
    const details = [time(letter.at), size(letter.segments), letter.is_gsm ? null : "UCS-2", letter.error ? fill(say.error, { code: letter.error }) : null].filter(Boolean).join(" · ");
    const tick = h("span");
    drawTick(tick, letter.status);
    known.meta.replaceChildren(details, tick);
  }
  function updateApp(pushes) {
    const isOn = apps.has(address);
    if (line !== document.activeElement) line.value = phones[address] || "";
    line.lastChild.hidden = !isOn;
    line.classList.toggle("bad", Boolean(phones[address]));
    optedOut.hidden = !stopped.has(address);
    install.hidden = person.isFriend || person.has_left;
    if (!install.disabled) install.replaceChildren(icon(isOn ? "close" : "app"), isOn ? say.remove : say.install);
    const visible = isOn ? pushes.filter((letter) => letter.status !== "replaced" && !dismissed.has(letter.id)).slice(-SHELF_MAX).reverse() : [];
    const shape = JSON.stringify(visible.map((letter) => letter.id));
    if (shape === shelfShape) return;
    shelfShape = shape;
    shelf.replaceChildren(...visible.map((letter) => makePush(letter, update)));
  }
  function update() {
    clock.textContent = time(now());
    const all = lettersOf(address).filter((letter) => !isPush(letter));
    updateApp(lettersOf(address).filter(isPush));
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    const fresh = all.filter((letter) => !drawn.has(letter.id));
    if (fresh.length) log.querySelector(".empty")?.remove();
    const settled = loaded.has(address) && drawn.size;
    for (const letter of fresh) draw(letter).classList.toggle("fresh", Boolean(settled));
    all.forEach(drawMeta);
    if (!all.length && loaded.has(address) && !log.firstChild) log.append(h("p", { class: "empty" }, fill(say.no_sms, { ask: person.language === "en" ? "ASK" : "VRAAG" })));
    if (fresh.length && (atEnd || !settled || !incoming(fresh.at(-1)))) log.scrollTop = log.scrollHeight;
    const last = all.filter(incoming).at(-1);
    if (chipsFor !== (last?.id ?? 0)) {
      chipsFor = last?.id ?? 0;
      chips.replaceChildren(...suggestions(last, person).map(({ label, text }) => h("button", { type: "button", onclick: () => put(input, typeof text === "function" ? text() : text) }, typeof text === "function" && last ? icon("dice") : null, label)));
    }
    if (shown(element)) markRead(address);
  }
  function restart() {
    drawn = new Map();
    lastDay = "";
    log.replaceChildren();
    update();
    log.scrollTop = log.scrollHeight;
  }
  if (drafts.get(address)) input.value = drafts.get(address);
  typed();
  return { element, update, restart, show: () => { log.scrollTop = log.scrollHeight; if (!coarse()) input.focus({ preventScroll: true }); }, tick: () => (clock.textContent = time(now())), put: (text) => put(input, text) };
}

// --- the app on a phone -------------------------------------------------------------------------------------------
// A client of the product's API like any other: it signs in with a code by SMS, registers the phone, and acts.

const SHELF_MAX = 4, CODE_WAIT_MS = 20000;
const dismissed = new Set(memory.get("dismissed", []));
const known = (number) => memory.get(`app.${number}`, {});

function dismiss(letter) {
  dismissed.add(letter.id);
  memory.set("dismissed", [...dismissed].slice(-200));
}

/** One request as the app; never with this browser's own cookies. Returns the body; throws with the server's words. */
async function call(method, path, { body = null, headers = {}, fine = [] } = {}) {
  const response = await fetch(path, {
    method, credentials: "omit", body: body && JSON.stringify(body), headers: { "Accept-Language": setup.language, ...(body ? { "Content-Type": "application/json" } : {}), ...headers },
  });
  const found = await response.json().catch(() => ({}));
  if (!response.ok && !fine.includes(response.status)) throw new Error(found.detail || say.refused);
  keen(true);
  return found;
}

const asApp = (number, method, path, body) => call(method, `/api/v1${path}`, { body, headers: { Authorization: `Bearer ${known(number).access}` } });

async function signIn(number) {
  const before = Math.max(0, ...lettersOf(number).map((letter) => letter.id));
  const auth = "/_allauth/app/v1/auth/code";
  const asked = await call("POST", `${auth}/request`, { body: { phone: number }, fine: [401] });
  const until = Date.now() + CODE_WAIT_MS;
  let code = null;
  while (!code && Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    keen(false);
    code = lettersOf(number).filter((letter) => letter.id > before && incoming(letter) && !isPush(letter)).map((letter) => letter.body.match(/#(\d{6})\s*$/)?.[1]).find(Boolean);
  }
  const headers = { "X-Session-Token": asked.meta?.session_token || "" };
  const done = code && await call("POST", `${auth}/confirm`, { body: { code }, headers });
  if (!done?.meta?.access_token) throw new Error(say.not_installed);
  return done.meta.access_token;
}

async function flipApp(number, button) {
  const isOn = apps.has(number);
  const name = owner(number).name;
  button.disabled = true;
  if (!isOn) button.textContent = say.installing;
  try {
    const done = await act("app", { number, on: !isOn });
    if (done && !isOn) {
      const access = await signIn(number);
      const device = crypto.randomUUID?.() || ([1e7] + -1e3 + -4e3 + -8e3 + -1e11).replace(/[018]/g, (c) => (c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (c / 4)))).toString(16));
      memory.set(`app.${number}`, { access, device });
      await asApp(number, "PUT", `/devices/${device}`, { token: done.token, platform: "android", app_version: "1.0", locale: LOCALE });
      toast(fill(say.installed, { name }));
    } else if (done) {
      memory.set(`app.${number}`, {});
      toast(say.removed);
    }
  } catch (error) {
    if (!isOn) await act("app", { number, on: false });
    toast(error.message, "bad");
  } finally {
    button.disabled = false;
    keen(false);
    devices.get(number)?.update();
  }
}

/** The app tells that a push came in, as apps do. */
function receipt(letter) {
  const { access, device } = known(letter.address);
  if (access) asApp(letter.address, "POST", `/inbox/${letter.push.notification}/received`, { device }).catch(() => {});
}

function makePush(letter, redraw) {
  const { notification, item = "", link, actions = "" } = letter.push;
  const gone = () => { dismiss(letter); redraw(); };
  const may = async (work) => {
    if (!known(letter.address).access) { toast(say.signed_out); return; }
    try { await work(); } catch (error) { toast(error.message, "bad"); }
  };
  const press = (action) => may(async () => {
    await asApp(letter.address, "POST", `/assignments/${item.split(":")[1]}/${action}`, action === "decline" ? { reason: "other" } : null);
    status(say.done);
    gone();
  });
  const text = h("p", { hidden: true });
  const openIt = () => may(async () => {
    const inbox = await asApp(letter.address, "GET", "/inbox?limit=100");
    text.textContent = inbox.items.find((one) => one.id === notification)?.body || "";
    text.hidden = false;
    await asApp(letter.address, "POST", `/inbox/${notification}/read`);
  });
  return h("article", { class: "push", "data-testid": "push" },
    h("header", {}, h("span", { class: "logo", "aria-hidden": "true" }, icon("spark")), "CEO-app", h("time", { datetime: letter.at }, time(letter.at)),
      h("button", { type: "button", class: "icon", "aria-label": say.close, title: say.close, onclick: gone }, icon("close"))),
    h("b", {}, letter.subject), h("code", { title: link }, link), text,
    h("div", { class: "row" }, h("button", { type: "button", onclick: openIt }, say.open_push),
      actions.split(",").filter((action) => say.actions[action]).map((action) => h("button", { type: "button", "data-testid": `push-${action}`, onclick: () => press(action) }, say.actions[action]))));
}

const coarse = () => matchMedia("(pointer: coarse)").matches;

const VERBS = {
  nl: { ask: "VRAAG", more: "MEER", helped: "GELUKT", notYet: "NIETGELUKT", answer: "ANTW", yes: "JA", no: "NEE", relayed: "DOORGEGEVEN", help: "HULP" },
  en: { ask: "ASK", more: "MORE", helped: "HELPED", notYet: "NOTYET", answer: "ANSWER", yes: "ACCEPT", no: "DECLINE", relayed: "RELAYED", help: "HELP" },
};
let idea = 0;

/** What this person may want to text next, read from what they got last. */
function suggestions(last, person) {
  const verbs = VERBS[person.language === "en" ? "en" : "nl"];
  const ideas = setup.ideas[person.language === "en" ? "en" : "nl"];
  const found = [];
  const add = (text, label = text.trim()) => { if (!found.some((one) => one.label === label)) found.push({ label, text }); };
  const body = last?.body || "";
  const code = body.match(/\b(?:STATUS|MEER|MORE|ANTW|ANSWER|NEE|DECLINE|JA|ACCEPT|GELUKT|HELPED) ([A-Z]{1,2}\d)\b/)?.[1];
  const suffix = code ? ` ${code}` : "";
  if (/\b(ANTW|ANSWER)\b/.test(body)) {
    add(`${verbs.answer}${suffix} `, `${verbs.answer}${suffix} …`);
    add(`${verbs.yes}${suffix}`);
    add(`${verbs.no}${suffix}`);
  } else if (/\/q\/\S/.test(body) && !/\b(STATUS)\b/.test(body)) {
    if (/\b(MEER|MORE)\b/.test(body)) add(`${verbs.more}${suffix}`);
    for (const verb of [verbs.relayed, verbs.helped, verbs.notYet]) add(`${verb}${suffix}`);
  } else if (/\b(MEER|MORE)\b/.test(body) && code) {
    add(`${verbs.more}${suffix}`);
  } else if (/(^|\n)1[ .:)]/.test(body)) {
    for (const [, number] of body.matchAll(/(?:^|\n)([1-9])[ .:)]/g)) add(number);
  }
  if (code) add(`STATUS${suffix}`);
  add(() => `${verbs.ask} ${ideas[idea++ % ideas.length]}`, last ? say.another : `${verbs.ask} …`);
  add("STATUS");
  add(verbs.help);
  return found.slice(0, 7);
}

// --- a mailbox ----------------------------------------------------------------------------------------------------

function snippet(letter) {
  const lines = letter.body.split("\n").map((line) => line.trim()).filter((line) => line && !/---$/.test(line) && !line.startsWith(">"));
  return lines.join(" ").slice(0, 120);
}

function makeMailbox(address) {
  const person = owner(address);
  const list = h("ul", { class: "mails", "aria-label": say.inbox });
  const pane = h("div", { class: "pane" });
  const rows = new Map(); // id → { element, button, state }
  let current = null; // id of the opened mail, "new", or null
  let chosenByHand = false;

  const title = h("div", { class: "toolbar" }, h("span", { class: "address" }, address),
    h("button", { type: "button", class: "small", "data-testid": "mail-new", onclick: () => choose("new") }, icon("write"), say.new_mail));
  const optedOut = h("p", { class: "opted-out", "data-testid": "opted-out", hidden: true }, say.opted_out_mail);
  const element = deviceFrame(address, `mailbox-${address}`, "mailbox", h("div", { class: "window" }, title, optedOut, h("div", { class: "columns" }, list, pane)));

  function drawRow(letter) {
    const sent = h("span", { class: "tick" });
    const button = h("button", { type: "button", "data-testid": incoming(letter) ? "mail-item" : "mail-sent", onclick: () => choose(letter.id) },
      h("span", { class: "line" }, incoming(letter) ? null : hidden(`${say.sent_mail}: `), h("b", {}, letter.subject || say.no_subject), h("time", { datetime: letter.at }, timeOrDay(letter.at)), sent),
      h("small", { class: "preview" }, incoming(letter) ? null : "↩ ", snippet(letter)));
    const item = h("li", { class: incoming(letter) ? "got" : "own" }, button);
    rows.set(letter.id, { item, button, sent });
    list.prepend(item);
  }
  function update() {
    const all = lettersOf(address);
    optedOut.hidden = !stopped.has(address);
    if (all.length) list.querySelector(".empty")?.remove();
    for (const letter of all) {
      if (!rows.has(letter.id)) drawRow(letter);
      const { item, button, sent } = rows.get(letter.id);
      const isUnread = Boolean(unread.get(address)?.has(letter.id));
      item.classList.toggle("unread", isUnread);
      button.setAttribute("aria-current", String(letter.id === current));
      if (!incoming(letter) && sent.dataset.status !== letter.status) drawTick(sent, letter.status);
    }
    if (!all.length && loaded.has(address) && !list.firstChild) list.append(h("li", { class: "empty" }, say.no_mail));
    if (!chosenByHand && loaded.has(address) && current === null && isRoomy()) {
      const last = all.filter(incoming).at(-1);
      if (last) choose(last.id, { byHand: false });
      else if (!pane.firstChild) pane.replaceChildren(h("p", { class: "empty" }, say.no_choice));
    }
  }
  const isRoomy = () => element.clientWidth >= 400; // as page.css has it; 0 while it is not on screen

  function choose(id, { byHand = true } = {}) {
    current = id;
    chosenByHand ||= byHand;
    element.classList.toggle("reading", id !== null);
    const letter = letters.get(address)?.get(id);
    if (id === "new") pane.replaceChildren(...writer(address, back, () => choose(null)));
    else if (letter) pane.replaceChildren(...reader(letter, back));
    else pane.replaceChildren(h("p", { class: "empty" }, say.no_choice));
    if (letter) markRead(address, id);
    update();
    if (byHand) (id === "new" ? pane.querySelector("textarea") : pane.querySelector("h3"))?.focus({ preventScroll: true });
  }
  const back = () => {
    const was = rows.get(current)?.button;
    choose(null);
    was?.focus();
  };
  function restart() {
    rows.clear();
    list.replaceChildren();
    update();
    if (wanted) { choose(wanted); wanted = null; }
  }
  let wanted = null;
  function show(id) {
    if (!id) return;
    if (letters.get(address)?.has(id)) choose(id);
    else wanted = id;
  }
  /** Open the mail about a question and put words in the reply box. */
  function answer(reference, text) {
    const about = lettersOf(address).filter((letter) => incoming(letter) && letter.subject.includes(reference));
    if (!about.length) return false;
    choose(about[0].id);
    const area = pane.querySelector("textarea");
    if (area && !area.value) put(area, text);
    return true;
  }
  return { element, update, restart, show, answer, tick: () => {} };
}

/** A mail's HTML in a frame that runs no scripts; its links open new tabs. */
function mailFrame(letter) {
  const base = '<base target="_blank">';
  const html = /<head[^>]*>/i.test(letter.html) ? letter.html.replace(/<head[^>]*>/i, (head) => head + base) : base + letter.html;
  return h("iframe", { sandbox: "allow-popups allow-popups-to-escape-sandbox allow-top-navigation-by-user-activation", referrerpolicy: "no-referrer",
    srcdoc: html, title: letter.subject, "data-testid": "mail-body" });
}

function plainMail(letter) {
  const parts = letter.body.split(/^(?=>)/m);
  return h("div", { class: "plain", tabindex: "0", "data-testid": "mail-body" }, linked(parts[0]), parts.length > 1 ? h("span", { class: "quoted" }, parts.slice(1).join("")) : null);
}

/** A reply address is 32 digits long; the first few tell it apart. */
const brief = (address) => address.replace(/^(.{8}).{12,}@/, "$1…@");

let readsText = memory.get("text", false); // mails as text, for all mailboxes

/** Both forms of a mail that has two, with a switch between them. */
function mailBody(letter) {
  const body = h("div", { class: "body" });
  const forms = [[say.as_html, false], [say.as_text, true]].map(([words, isText]) => h("button", { type: "button", class: "small", "data-testid": isText ? "as-text" : "as-html",
    onclick: () => { memory.set("text", (readsText = isText)); draw(); } }, words));
  const draw = () => {
    forms.forEach((form, place) => form.setAttribute("aria-pressed", String(readsText === Boolean(place))));
    body.replaceChildren(readsText ? plainMail(letter) : mailFrame(letter));
  };
  draw();
  return [h("div", { class: "forms" }, forms), body];
}

function reader(letter, back) {
  const meta = [`${incoming(letter) ? say.from : say.to}: ${brief(letter.other)}`, timeOrDay(letter.at), letter.copies > 1 ? fill(say.copies, { count: letter.copies }) : null];
  return [
    h("div", { class: "subject" }, h("button", { type: "button", class: "icon back", "aria-label": say.back, onclick: back }, icon("back")),
      h("div", {}, h("h3", { tabindex: "-1" }, letter.subject || say.no_subject), h("p", { class: "meta", title: letter.other }, meta.filter(Boolean).join(" · ")))),
    ...(letter.html && incoming(letter) ? mailBody(letter) : [plainMail(letter)]),
    incoming(letter) ? replier(letter) : null,
  ].filter(Boolean);
}

function exampleAnswer(letter) {
  const reference = letter.subject.match(/\bQ-[0-9A-Z]+\b/)?.[0];
  const question = questions.find((one) => one.reference === reference);
  const language = question?.language || owner(letter.address).language || "nl";
  return setup.answers[question?.topic?.slug]?.[language] || setup.answers[""][language] || setup.answers[""].nl;
}

function replier(letter) {
  const person = owner(letter.address), verbs = VERBS[person.language === "en" ? "en" : "nl"], key = `reply/${letter.id}`;
  const area = h("textarea", { rows: "2", "data-testid": "mail-reply", "aria-label": `${say.reply}: ${letter.subject}`, placeholder: say.type_reply, maxlength: setup.limits.mail });
  const button = h("button", { class: "primary", "data-testid": "mail-send", disabled: true }, say.reply);
  let sending = false;
  const typed = () => { drafts.set(key, area.value); grow(area); button.disabled = sending || !area.value.trim(); };
  area.value = drafts.get(key) || "";
  area.addEventListener("input", typed);
  const send = async (event) => {
    event.preventDefault();
    sending = true;
    typed();
    const done = await act("reply", { letter: letter.id, text: area.value });
    sending = false;
    if (done) { area.value = ""; toast(say.sent_off); }
    typed();
  };
  area.addEventListener("keydown", (event) => { if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) event.target.form.requestSubmit(); });
  const chip = (label, text) => h("button", { type: "button", onclick: () => put(area, text()) }, label);
  const isOffer = /\b(NEE|DECLINE)\b/.test(letter.body);
  const chips = isOffer ? h("div", { class: "chips" }, chip(say.borrow, () => exampleAnswer(letter)), chip(verbs.no, () => verbs.no),
    chip("--- intern", () => `${area.value || exampleAnswer(letter)}\n\n--- intern\n`)) : h("div", { class: "chips" });
  const form = h("form", { class: "answer", onsubmit: send }, area, h("div", { class: "row" }, chips, button));
  requestAnimationFrame(typed);
  return form;
}

let listId = 0;
function writer(address, back, done) {
  const id = `to-${++listId}`;
  const to = h("input", { id, type: "email", list: `${id}-list`, required: true, value: setup.ask_addresses[0].address, autocomplete: "off", "data-testid": "mail-to" });
  const subject = h("input", { id: `${id}-subject`, maxlength: setup.limits.subject, autocomplete: "off", "data-testid": "mail-subject" });
  const area = h("textarea", { id: `${id}-text`, rows: "4", required: true, maxlength: setup.limits.mail, "data-testid": "mail-text" });
  const button = h("button", { class: "primary", "data-testid": "mail-send" }, say.send);
  const send = async (event) => {
    event.preventDefault();
    button.disabled = true;
    const sent = await act("mail", { sender: address, to: to.value, subject: subject.value, text: area.value });
    button.disabled = false;
    if (sent) { toast(say.sent_off); done(); }
  };
  const pick = setup.ask_addresses.map((one) => h("button", { type: "button", title: one.address, onclick: () => { to.value = one.address; } }, one.name));
  const ideas = setup.ideas[owner(address).language === "en" ? "en" : "nl"];
  return [
    h("div", { class: "subject" }, h("button", { type: "button", class: "icon back", "aria-label": say.back, onclick: back }, icon("back")), h("h3", { tabindex: "-1" }, say.new_mail)),
    h("form", { class: "writer", onsubmit: send },
      h("label", { for: id }, say.to), to, h("datalist", { id: `${id}-list` }, setup.ask_addresses.map((one) => h("option", { value: one.address }, one.name))), h("div", { class: "chips" }, pick),
      h("label", { for: `${id}-subject` }, say.subject), subject, h("label", { for: `${id}-text` }, say.message), area,
      h("div", { class: "row" }, h("div", { class: "chips" }, h("button", { type: "button", onclick: () => put(area, ideas[idea++ % ideas.length]) }, icon("dice"), say.another)), button)),
  ];
}

// --- the journey of each question ---------------------------------------------------------------------------------

const REACHED = { received: 0, routing: 1, triage: 1, unstaffed: 1, offered: 2, accepted: 3, waiting_for_asker: 3, pending_approval: 3, answered: 4, relayed: 5, delivered: 5, closed: 5, withdrawn: -1 };
const TELLS = [["received"], ["topic_chosen", "triage", "unstaffed"], ["offered"], ["accepted"], ["answered"], ["relayed", "delivered", "closed"]];
const tracks = new Map(); // reference → { element, update }
let expanded = null; // the card that is open; null until the first one comes

function showQuestions() {
  if (expanded === null && questions.length) expanded = questions[0].reference;
  const fresh = tracks.size && questions.find((question) => !tracks.has(question.reference));
  if (fresh) expanded = fresh.reference;
  for (const question of questions) if (!tracks.has(question.reference)) tracks.set(question.reference, makeTrack(Boolean(fresh)));
  const wanted = questions.map((question) => tracks.get(question.reference).element);
  const box = $("questions");
  if (wanted.length !== box.children.length || wanted.some((element, place) => box.children[place] !== element)) {
    box.replaceChildren(...(wanted.length ? wanted : [h("p", { class: "empty" }, say.no_questions)]));
  }
  for (const question of questions) tracks.get(question.reference).update(question);
}

function makeTrack(isFresh) {
  const element = h("article", { class: `question${isFresh ? " moved" : ""}` });
  let shape = "", state = "", isThreadOpen = false;
  function update(question) {
    const isOpen = expanded === question.reference;
    const fresh = JSON.stringify(question) + isOpen;
    if (fresh !== shape) {
      if (state && state !== question.state) {
        element.classList.remove("moved");
        void element.offsetWidth; // starts the animation anew
        element.classList.add("moved");
        if (question.reference === tour.reference) status(`${question.reference}: ${question.state_name}`);
      }
      [shape, state] = [fresh, question.state];
      const focused = element.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
      element.setAttribute("data-testid", `question-${question.reference}`);
      element.setAttribute("aria-label", question.reference);
      element.classList.toggle("expanded", isOpen);
      element.replaceChildren(trackHead(question, isOpen), ...(isOpen ? trackBody(question, isThreadOpen, (now) => (isThreadOpen = now)) : [dots(question)]));
      if (focused) element.querySelector(`[data-focus="${focused}"]`)?.focus({ preventScroll: true });
    }
    tickPromise(element, question);
  }
  return { element, update };
}

function trackHead(question, isOpen) {
  const flip = () => { expanded = isOpen ? "" : question.reference; showQuestions(); };
  return h("div", { class: "head" },
    h("button", { type: "button", class: "flip", "data-focus": "flip", "aria-expanded": String(isOpen), onclick: flip }, icon("down"), h("b", {}, question.reference)),
    h("span", { class: "pill", "data-testid": "question-state", "data-state": question.state }, question.state_name),
    h("p", { class: "text", lang: question.language }, question.text));
}

function dots(question) {
  const reached = REACHED[question.state] ?? 0;
  return h("div", { class: "row" }, h("span", { class: "dots", "aria-hidden": "true" }, say.steps.map((_, place) => h("i", { class: place <= reached ? "done" : "" }))), h("span", { class: "promise-text" }));
}

function personLink(person, { mail = true } = {}) {
  const known = byNumber.get(person.number);
  const address = known && (mail ? known.email || known.mobile : known.mobile || known.email);
  if (!address) return h("b", {}, person.name);
  const label = fill(isPhone(address) ? say.open_phone : say.open_mailbox, { name: person.name });
  return h("button", { type: "button", class: "person", title: label, "data-focus": `p-${person.number}`, onclick: () => openDevice(address) }, icon(isPhone(address) ? "phone" : "mail"), person.name);
}

function trackBody(question, isThreadOpen, remember) {
  const reached = REACHED[question.state] ?? 0;
  const opened = question.events.map((event) => event.kind).lastIndexOf("reopened");
  const at = (place) => question.events.filter((event, index) => (place === 0 || index > opened) && TELLS[place].includes(event.kind)).at(-1)?.at;
  const by = (source) => say.by[source] || source;
  const aside = { triage: say.no_topic, unstaffed: say.unstaffed, waiting_for_asker: say.waits_asker }[question.state];
  const offered = reached >= 2 || (reached < 0 && question.expert);
  const when = (place) => at(place) || (place === 3 ? at(4) : null); // an answer to an offer takes it, too
  const details = [
    [personLink(question.asker, { mail: question.source === "email" }), ` ${by(question.source)}`],
    question.topic ? [h("span", { class: "topic" }, question.topic.name)] : [],
    offered && question.expert ? [personLink(question.expert), question.why ? h("small", { class: "why" }, `${fill(say.why, { name: question.expert.name.split(" ")[0] })}: ${question.why}`) : null] : [],
    [],
    question.answer ? [by(question.answer.source), h("q", { lang: question.language }, question.answer.text.length > 110 ? `${question.answer.text.slice(0, 108).trimEnd()}…` : question.answer.text)] : [],
    question.answer?.helped === true ? [say.helped] : question.answer?.helped === false ? [say.not_helped] : [],
  ];
  const steps = say.steps.map((name, place) => {
    const isDone = place <= reached || (reached < 0 && Boolean(when(place)));
    const isNow = place === reached && question.unanswered;
    const label = place === 5 && question.state === "closed" ? say.closed : name;
    return h("li", { class: [isDone ? "done" : "", isNow ? "current" : "", isNow && aside ? "stuck" : ""].join(" ").trim(), "aria-current": isNow ? "step" : null },
      h("span", { class: "node", "aria-hidden": "true" }, isDone && !isNow ? icon("check") : null),
      h("div", {}, h("span", { class: "name" }, label, isDone && when(place) ? h("time", { datetime: when(place) }, timeOrDay(when(place))) : null),
        isDone && details[place].length ? h("div", { class: "detail" }, details[place]) : null, isNow && aside ? h("div", { class: "detail" }, aside) : null));
  });
  const thread = h("details", { open: isThreadOpen }, h("summary", { "data-focus": "thread" }, fill(say.thread, { count: question.events.length })),
    h("ol", {}, question.events.map((event) => h("li", {}, h("time", { datetime: event.at }, timeOrDay(event.at)), event.text))));
  thread.addEventListener("toggle", () => remember(thread.open));
  return [
    h("ol", { class: "track" }, steps),
    h("div", { class: "promise" }, h("div", { class: "bar", role: "img" }, h("i", {}), ...[50, 75, 90].map((part) => { const mark = h("s", {}); mark.style.left = `${part}%`; return mark; })),
      h("div", { class: "row" }, h("span", { class: "promise-text" }), h("small", {}, fill(say.due, { at: timeOrDay(question.due_at) }), question.round > 1 ? ` · ${fill(say.round, { number: question.round })}` : ""))),
    h("div", { class: "foot" }, thread, h("a", { href: question.friend_link, target: "_blank", rel: "noopener noreferrer", "data-focus": "friend" }, say.friends_page, icon("out"), hidden(` (${say.new_tab})`))),
  ];
}

/** The countdown; runs every second without touching anything else. */
function tickPromise(element, question) {
  const text = element.querySelector(".promise-text");
  const due = Date.parse(question.due_at), start = Date.parse(question.started_at), left = due - now();
  const settled = { kept: [say.kept, "good"], breached: [say.breached, "bad"], void: [say.void, ""] };
  let words = fill(say.time_left, { time: span(left) }), kind = left < (due - start) / 4 ? "warn" : "";
  if (question.promise === "kept" || question.promise === "void" || !question.unanswered) [words, kind] = settled[question.promise] || ["", ""];
  else if (left < 0) [words, kind] = [fill(say.overdue, { time: span(-left) }), "bad"];
  if (text.textContent !== words) text.textContent = words;
  text.className = `promise-text ${kind}`;
  const bar = element.querySelector(".promise .bar");
  if (!bar) return;
  const answeredAt = question.events.filter((event) => event.kind === "answered").at(-1)?.at;
  const until = question.unanswered ? now() : Date.parse(answeredAt || question.started_at);
  const part = Math.round(Math.min(100, Math.max(0, ((until - start) / (due - start)) * 100)));
  bar.className = `bar ${kind}`;
  bar.firstChild.style.width = `${Math.max(part, 1)}%`;
  bar.setAttribute("aria-label", fill(say.promise, { part: `${part}%` }));
}

// --- first steps --------------------------------------------------------------------------------------------------

const tour = { known: memory.get("known", null), reference: null, isRead: memory.get("read", false) };

/** Follows the newest question that Sanne asked since the page was first opened. */
function showTour() {
  if (!tour.known) memory.set("known", (tour.known = questions.map((question) => question.reference)));
  const question = questions.find((one) => one.asker.number === setup.asker && !tour.known.includes(one.reference));
  tour.reference = question?.reference || null;
  const isAnswered = Boolean(question && (question.answer || !question.unanswered));
  const isRead = isAnswered && (tour.isRead === question.reference || question.answer?.helped != null);
  const done = [Boolean(question), isAnswered, isRead];
  const current = done.indexOf(false);
  for (const step of document.querySelectorAll("[data-step]")) {
    const place = Number(step.dataset.step) - 1;
    step.className = done[place] ? "done" : place === current ? "current" : "";
    if (place === current) step.setAttribute("aria-current", "step");
    else step.removeAttribute("aria-current");
  }
  const expert = question?.expert && byNumber.get(question.expert.number);
  $("tour-answer").disabled = !expert || isAnswered;
  if (expert) $("tour-answer").textContent = fill(say.step_reply, { name: expert.name.split(" ")[0] });
  const link = $("tour-read");
  if (isAnswered) { link.href = question.friend_link; link.removeAttribute("aria-disabled"); }
  else { link.removeAttribute("href"); link.setAttribute("aria-disabled", "true"); }
  $("tour").classList.toggle("finished", isRead);
}

async function answerForTour() {
  const question = questions.find((one) => one.reference === tour.reference);
  const expert = byNumber.get(question?.expert?.number);
  if (!expert) return;
  const address = expert.email || expert.mobile;
  openDevice(address);
  const words = setup.answers[question.topic?.slug]?.[question.language] || setup.answers[""][question.language];
  for (let tries = 0; tries < 20 && !devices.get(address)?.answer?.(question.reference, words); tries += 1) await new Promise((resolve) => setTimeout(resolve, 150));
}

// --- clock, tabs, start -------------------------------------------------------------------------------------------

function setClock(clock) {
  skew = Date.parse(clock.now) - Date.now();
  ahead = clock.ahead_seconds * 1000;
  $("clock-ahead").hidden = !ahead;
  $("clock-ahead").textContent = ahead ? `+${span(ahead)}` : "";
  $("clock-reset").disabled = !ahead;
  tick();
}

async function moveClock(hours) {
  followUntil = 0;
  const moved = await act("clock", { hours });
  if (!moved) return;
  setClock(moved);
  toast(hours ? fill(say.moved, { at: `${day(now())} ${time(now())}` }) : say.clock_right);
}

const PLAY_STEPS = 60, PLAY_MS = 1000;
let playing = 0;

/** A whole day goes by in a minute; pressing again stops it. */
async function play() {
  const button = $("clock-play");
  const words = button.textContent;
  if (playing) { playing = 0; return; }
  playing = PLAY_STEPS;
  followUntil = 0; // a day's messages are too many to tell of
  button.textContent = `■ ${say.playing}`;
  button.setAttribute("aria-pressed", "true");
  while (playing > 0) {
    const began = Date.now();
    const moved = await act("clock", { hours: 24 / PLAY_STEPS });
    if (!moved) break;
    setClock(moved);
    playing -= 1;
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, PLAY_MS - (Date.now() - began))));
  }
  playing = 0;
  button.textContent = words;
  button.setAttribute("aria-pressed", "false");
}

function tick() {
  const words = `${day(now())} ${time(now())}`;
  if ($("clock-now").textContent !== words) $("clock-now").textContent = words;
  for (const question of questions) {
    const track = tracks.get(question.reference);
    if (track?.element.isConnected) tickPromise(track.element, question);
  }
  for (const device of devices.values()) device.tick();
}

function showTab(name) {
  document.body.dataset.tab = name;
  for (const button of document.querySelectorAll(".tabs button")) button.setAttribute("aria-current", String(button.dataset.tab === name));
  if (name === "stage") for (const device of devices.values()) device.update();
}

/** `#phone=+316…&mail=…&question=Q-…`: a plus is a plus here. */
function fromHash() {
  const found = { open: [], question: null };
  for (const part of location.hash.slice(1).split("&")) {
    const [name, value] = [part.slice(0, part.indexOf("=")), part.slice(part.indexOf("=") + 1)];
    let text = value;
    try { text = decodeURIComponent(value).trim(); } catch { /* as it stands */ }
    if (name === "phone" && text) found.open.push(text.startsWith("+") ? text : `+${text}`);
    else if (name === "mail" && text) found.open.push(text.toLowerCase());
    else if (name === "question") found.question = text.toUpperCase();
  }
  found.open = [...new Set(found.open)].filter((address) => byAddress.has(address)).slice(0, OPEN_MAX);
  return found;
}

function remember() {
  const words = open.map((address) => (isPhone(address) ? `phone=${address}` : `mail=${address}`)).join("&");
  history.replaceState(null, "", words ? `#${words}` : location.pathname);
}

function begin() {
  const asked = fromHash();
  const [asker, expert] = [byNumber.get(setup.asker), byNumber.get(setup.expert)];
  const first = asked.open.length ? asked.open : [asker?.mobile || asker?.email, expert?.email || expert?.mobile].filter(Boolean);
  for (const address of first) openDevice(address, null, { quiet: true });
  active = first[0] || null;
  expanded = asked.question;
  showStage();
  for (const person of people.filter((one) => one.email && one.roles.some((role) => ["administrator", "duty_desk"].includes(role))).sort((a, b) => Number(b.roles.includes("administrator")) - Number(a.roles.includes("administrator"))).slice(0, 3)) {
    const label = fill(say.open_mailbox, { name: person.name });
    $("signins").append(h("li", {}, h("span", { class: "who" }, h("b", {}, person.name), h("small", {}, person.role_names.join(" · ")), h("code", {}, person.email)),
      h("button", { type: "button", class: "icon", "aria-label": label, title: label, onclick: () => { closePops(); openDevice(person.email); } }, icon("mail"))));
  }
}

function closePops() {
  for (const pop of document.querySelectorAll(".signin")) pop.open = false;
  $("top").classList.remove("shown");
  $("menu").setAttribute("aria-expanded", "false");
}

function wire() {
  for (const button of document.querySelectorAll(".tabs button")) button.addEventListener("click", () => showTab(button.dataset.tab));
  for (const button of document.querySelectorAll("[data-hours]")) button.addEventListener("click", () => moveClock(Number(button.dataset.hours)));
  $("find").addEventListener("input", showPeople);
  for (const choice of document.querySelectorAll("[data-trouble]")) choice.addEventListener("change", () => act("trouble", { provider: choice.dataset.trouble, kind: choice.value }));
  $("clock-play").addEventListener("click", play);
  $("menu").addEventListener("click", () => $("menu").setAttribute("aria-expanded", String($("top").classList.toggle("shown"))));
  $("language").addEventListener("submit", () => {
    $("language").elements.csrfmiddlewaretoken.value = csrf();
    $("language").action += location.hash; // a redirect keeps it
  });
  $("tour-ask").addEventListener("click", () => {
    const asker = byNumber.get(setup.asker);
    if (!asker?.mobile) return;
    openDevice(asker.mobile);
    devices.get(asker.mobile).put(`${VERBS[asker.language].ask} ${setup.ideas[asker.language][0]}`);
  });
  $("tour-answer").addEventListener("click", answerForTour);
  $("tour-read").addEventListener("click", () => { memory.set("read", (tour.isRead = tour.reference)); setTimeout(showTour, 500); });
  $("tour-close").addEventListener("click", () => { $("tour").hidden = true; memory.set("toured", true); });
  $("tour").hidden = memory.get("toured", false);
  document.addEventListener("click", (event) => { for (const pop of document.querySelectorAll(".signin")) if (!pop.contains(event.target)) pop.open = false; });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") closePops(); });
  document.addEventListener("visibilitychange", () => { if (!document.hidden) later(0); });
  window.addEventListener("hashchange", () => {
    const asked = fromHash();
    for (const address of asked.open) openDevice(address);
    if (asked.question) { expanded = asked.question; showQuestions(); showTab("journey"); }
  });
  setInterval(tick, 1000);
  showTab("stage");
}

wire();
look();
})();
