/* Pretend phones and mailboxes. Words and data come from the server; every text is set as text, never as markup. */
"use strict";
const start = JSON.parse(document.getElementById("start").textContent);
const say = start.words;
const letters = new Map(); // address → letters, oldest first
const read = new Map(Object.entries(JSON.parse(sessionStorage.getItem("read") || "{}"))); // address → last id seen
const drafts = new Map();
let newest = 0;
let offset = 0; // server's now minus the browser's, ms
let open = []; // keys "sms:+31…" and "email:…", in order
const chosen = new Map(); // mailbox address → id of the opened mail, or "new"
const STEPS = ["received", "routing", "offered", "accepted", "answered", "closed"];
const REACHED = { triage: 1, unstaffed: 1, waiting_for_asker: 3, pending_approval: 3, relayed: 5, delivered: 5, withdrawn: 0 };

function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (value === true) made.setAttribute(name, "");
    else if (value !== false && value != null) made.setAttribute(name, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}
const clock = (iso) => new Date(iso).toLocaleTimeString(start.language, { hour: "2-digit", minute: "2-digit", hour12: false });
const split = (key) => [key.slice(0, key.indexOf(":")), key.slice(key.indexOf(":") + 1)];
const owner = (channel, address) => start.people.find((person) => (channel === "sms" ? person.mobile : person.email) === address);
const nameOf = (channel, address) => owner(channel, address)?.name || `${say.friend} · ${address}`;

function linked(text) {
  return text.split(/(https?:\/\/\S+)/).map((part, index) =>
    index % 2 ? el("a", { href: part, target: "_blank", rel: "noopener noreferrer", style: "color:inherit" }, part) : part);
}

// --- people -----------------------------------------------------------------

function everybody() {
  const known = new Set(start.people.flatMap((person) => [person.mobile, person.email]));
  const friends = [...letters.keys()].filter((address) => !known.has(address)).map((address) => ({
    number: address, name: address, team: say.friend, roles: [], mobile: address.includes("@") ? null : address,
    email: address.includes("@") ? address : null,
  }));
  return [...friends, ...start.people];
}

function unread(address) {
  const seen = Number(read.get(address) || 0);
  return (letters.get(address) || []).filter((letter) => letter.direction === "to_person" && letter.id > seen).length;
}

function opener(person, channel, address, icon) {
  if (!address) return null;
  const key = `${channel}:${address}`;
  const count = open.includes(key) ? 0 : unread(address);
  return el("button", { type: "button", class: "open", "aria-pressed": String(open.includes(key)),
    "aria-label": `${person.name}: ${channel === "sms" ? "SMS" : "mail"}${count ? ` (${count})` : ""}`,
    onclick: () => toggle(key) }, icon, count ? el("span", { class: "badge", "aria-hidden": "true" }, String(count)) : null);
}

function showPeople() {
  const wanted = document.getElementById("find").value.toLowerCase();
  const fits = (person) => `${person.name} ${person.team} ${person.roles.join(" ")}`.toLowerCase().includes(wanted);
  const rank = (person) => -(unread(person.mobile) + unread(person.email)) - (open.some((key) => [person.mobile, person.email].includes(split(key)[1])) ? 1000 : 0);
  const rows = everybody().filter(fits).sort((a, b) => rank(a) - rank(b));
  document.getElementById("people").replaceChildren(...rows.map((person) =>
    el("li", { "data-testid": `person-${person.number}` },
      el("span", { class: "who" }, el("b", {}, person.name), el("small", {}, [person.team, ...person.roles.map((role) => role.replace("_", " "))].filter(Boolean).join(" · "))),
      opener(person, "sms", person.mobile, "SMS"), opener(person, "email", person.email, "Mail"))));
}

// --- devices ----------------------------------------------------------------

function toggle(key) {
  open = open.includes(key) ? open.filter((one) => one !== key) : [key, ...open].slice(0, 6);
  remember();
  showDevices();
  tab("devices");
}

function remember() {
  history.replaceState(null, "", "#" + open.map(encodeURIComponent).join("&"));
}

function marked(address) {
  const last = (letters.get(address) || []).at(-1);
  if (last) read.set(address, last.id);
  sessionStorage.setItem("read", JSON.stringify(Object.fromEntries(read)));
}

function showDevices() {
  const box = document.getElementById("devices");
  for (const made of [...box.children]) if (!open.includes(made.dataset.key)) made.remove();
  open.forEach((key, index) => {
    let made = box.querySelector(`[data-key="${CSS.escape(key)}"]`);
    if (!made) {
      const [channel, address] = split(key);
      made = channel === "sms" ? phone(address) : mailbox(address);
      made.dataset.key = key;
    }
    if (box.children[index] !== made) box.insertBefore(made, box.children[index] || null);
    refresh(made);
  });
  showPeople();
}

function bar(channel, address, ...extra) {
  return el("div", { class: "bar" }, el("span", { class: "who" }, el("b", {}, nameOf(channel, address)), el("small", {}, address)), ...extra,
    el("button", { type: "button", "aria-label": say.close, onclick: () => toggle(`${channel}:${address}`) }, "×"));
}

function phone(address) {
  const input = el("textarea", { "data-testid": "sms-input", "aria-label": say.type_sms, placeholder: say.type_sms, maxlength: 1600 });
  const send = () => act("text", { number: address, text: input.value }).then((done) => done && ((input.value = ""), drafts.delete(address)));
  input.addEventListener("keydown", (event) => { if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); send(); } });
  return el("article", { class: "device phone", "data-testid": `phone-${address}`, "aria-label": nameOf("sms", address) },
    bar("sms", address), el("div", { class: "talk", role: "log", tabindex: "0" }), el("div", { class: "chips" }),
    el("form", { class: "compose", onsubmit: (event) => { event.preventDefault(); send(); } }, input,
      el("button", { class: "primary", "data-testid": "sms-send" }, say.send)));
}

function refreshPhone(made, address) {
  const all = letters.get(address) || [];
  const talk = made.querySelector(".talk");
  const shape = all.map((letter) => letter.id + letter.status).join();
  if (talk.dataset.shape === shape && shape) return;
  const old = Number(talk.dataset.newest || Infinity);
  talk.dataset.shape = shape;
  talk.dataset.newest = all.at(-1)?.id || 0;
  talk.replaceChildren(...(all.length ? all.flatMap((letter) => bubble(letter, letter.id > old)) : [el("p", { class: "empty" }, say.no_sms)]));
  talk.scrollTop = talk.scrollHeight;
  const input = made.querySelector("textarea");
  made.querySelector(".chips").replaceChildren(...ideas(all).map((idea) =>
    el("button", { type: "button", onclick: () => { input.value = idea; input.focus(); } }, idea)));
}

function bubble(letter, fresh) {
  const mine = letter.direction === "from_person";
  const meta = [clock(letter.at), mine ? null : `${letter.segments} ${say.segments}`, say[letter.status] || letter.status].filter(Boolean).join(" · ");
  return [el("div", { class: `bubble ${mine ? "out" : "in"}${fresh ? " fresh" : ""}`, "data-testid": mine ? "sms-out" : "sms-in" }, ...linked(letter.body)),
    el("div", { class: `meta ${mine ? "out" : ""}` }, meta)];
}

function ideas(all) {
  const last = all.filter((letter) => letter.direction === "to_person").at(-1);
  const code = last?.body.match(/\b(?:STATUS|MEER|ANTW|NEE|MORE|ANSWER|DECLINE) ([A-Z]{1,2}\d)\b/)?.[1];
  const dutch = owner("sms", all[0]?.address)?.language !== "en";
  const [ask, help, more, helped, answer, yes, no] = dutch
    ? ["VRAAG ", "HULP", "MEER", "GELUKT", "ANTW", "JA", "NEE"] : ["ASK ", "HELP", "MORE", "HELPED", "ANSWER", "ACCEPT", "DECLINE"];
  if (!last) return [ask, help];
  if (/MEER|MORE/.test(last.body) && code) return [`${more} ${code}`, `${helped} ${code}`, "STATUS"];
  if (/ANTW|ANSWER/.test(last.body) && code) return [`${answer} ${code} `, `${yes} ${code}`, `${no} ${code}`];
  return code ? [`STATUS ${code}`, ask] : ["STATUS", ask];
}

function mailbox(address) {
  return el("article", { class: "device mailbox", "data-testid": `mailbox-${address}`, "aria-label": nameOf("email", address) },
    bar("email", address, el("button", { type: "button", "aria-label": say.new_mail, title: say.new_mail, "data-testid": "mail-new", onclick: () => pick(address, "new") }, "✎")),
    el("ul", { class: "mails" }), el("div", { class: "letter" }));
}

function pick(address, id) {
  chosen.set(address, id);
  const made = document.querySelector(`[data-key="${CSS.escape("email:" + address)}"]`);
  made.querySelector(".letter").dataset.shape = "";
  refresh(made);
}

function refreshMailbox(made, address) {
  const all = letters.get(address) || [];
  const incoming = all.filter((letter) => letter.direction === "to_person");
  const seen = Number(made.dataset.seen ?? read.get(address) ?? 0);
  if (!chosen.has(address) && incoming.length) chosen.set(address, incoming.at(-1).id);
  const current = chosen.get(address);
  const list = made.querySelector(".mails");
  list.replaceChildren(...all.slice().reverse().map((letter) => el("li", {},
    el("button", { type: "button", class: letter.id > seen && letter.direction === "to_person" ? "unread" : "", "data-testid": letter.direction === "to_person" ? "mail-item" : "mail-own",
      "aria-current": String(letter.id === current), onclick: () => { made.dataset.seen = Math.max(seen, letter.id); pick(address, letter.id); } },
      el("b", {}, (letter.direction === "from_person" ? "↩ " : "") + letter.subject), el("small", {}, `${clock(letter.at)} · ${letter.direction === "from_person" ? say[letter.status] || "" : letter.other.slice(0, 12) + "…"}`)))));
  const pane = made.querySelector(".letter");
  const shape = String(current) + (all.find((letter) => letter.id === current)?.copies || "");
  if (pane.dataset.shape === shape) return;
  pane.dataset.shape = shape;
  if (current === "new") pane.replaceChildren(writer(address));
  else pane.replaceChildren(...reader(all.find((letter) => letter.id === current)));
}

function reader(letter) {
  if (!letter) return [el("p", { class: "empty" }, say.no_mail)];
  const own = letter.direction === "from_person";
  const copies = letter.copies > 1 ? ` · ${letter.copies} ${say.copies}` : "";
  const body = own || !letter.html ? el("div", { class: "own", "data-testid": "mail-body" }, ...linked(letter.body))
    : el("iframe", { sandbox: "allow-popups allow-popups-to-escape-sandbox", srcdoc: `<base target="_blank">${letter.html}`, title: letter.subject, "data-testid": "mail-body" });
  const head = [el("h3", {}, letter.subject), el("p", { class: "meta" }, `${own ? "→ " : ""}${letter.other}${copies}`), body];
  return own ? head : [...head, replier(letter)];
}

function replier(letter) {
  const input = el("textarea", { "data-testid": "mail-reply", "aria-label": say.reply, placeholder: say.type_mail });
  input.value = drafts.get(letter.id) || "";
  input.addEventListener("input", () => drafts.set(letter.id, input.value));
  const send = (event) => {
    event.preventDefault();
    act("reply", { letter: letter.id, text: input.value }).then((done) => done && ((input.value = ""), drafts.delete(letter.id)));
  };
  return el("form", { class: "answer", onsubmit: send }, input,
    el("div", { class: "row" }, el("small", {}, ""), el("button", { class: "primary", "data-testid": "mail-send" }, say.reply)));
}

function writer(address) {
  const to = el("select", { "aria-label": say.to, "data-testid": "mail-to" }, ...start.ask_addresses.map((one) => el("option", { value: one.address }, `${one.name} <${one.address}>`)));
  const subject = el("input", { "aria-label": say.subject, placeholder: say.subject, maxlength: 200, required: true, "data-testid": "mail-subject" });
  const text = el("textarea", { "aria-label": say.new_mail, required: true, "data-testid": "mail-text" });
  const send = (event) => {
    event.preventDefault();
    act("mail", { sender: address, to: to.value, subject: subject.value, text: text.value }).then((done) => done && chosen.delete(address));
  };
  return el("form", { class: "answer", onsubmit: send }, to, subject, text, el("button", { class: "primary", "data-testid": "mail-send" }, say.send));
}

function refresh(made) {
  const [channel, address] = split(made.dataset.key);
  if (channel === "sms") refreshPhone(made, address);
  else refreshMailbox(made, address);
  marked(address);
}

// --- questions --------------------------------------------------------------

function span(ms) {
  const minutes = Math.floor(Math.abs(ms) / 60000);
  return minutes >= 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} m` : `${minutes} m`;
}

function promise(question) {
  const left = new Date(question.due_at) - (Date.now() + offset);
  if (question.promise === "kept") return el("p", { class: "soft good" }, say.kept);
  if (question.promise === "void") return null;
  if (!question.unanswered) return el("p", { class: "soft bad" }, say.breached);
  return left < 0 ? el("p", { class: "soft bad" }, `${say.overdue} ${span(left)}`) : el("p", { class: "soft" }, `${say.due} ${span(left)}`);
}

const opened = new Set();
function showQuestions(questions) {
  const cards = questions.map((question) => {
    const reached = REACHED[question.state] ?? STEPS.indexOf(question.state);
    const details = el("details", { open: opened.has(question.reference) }, el("summary", {}, question.events.at(-1)?.kind || ""),
      el("ol", {}, ...question.events.map((event) => el("li", {}, `${clock(event.at)} ${event.kind}`))));
    details.addEventListener("toggle", () => (details.open ? opened.add(question.reference) : opened.delete(question.reference)));
    return el("article", { class: "question", "data-testid": `question-${question.reference}` },
      el("header", {}, el("b", {}, question.reference), el("span", { class: "state", "data-testid": "question-state", "data-state": question.state }, question.state_name)),
      el("p", {}, question.text), el("div", { class: "track", "aria-hidden": "true" }, ...STEPS.map((_, index) => el("i", { class: index <= reached ? "done" : "" }))),
      el("p", { class: "soft" }, [question.asker, question.topic, question.expert].filter(Boolean).join(" → ")),
      question.why ? el("p", { class: "soft" }, `${say.why}: ${question.why}`) : null, promise(question),
      el("p", { class: "soft" }, el("a", { href: question.friend_link, target: "_blank", rel: "noopener noreferrer" }, say.friends_page)), details);
  });
  document.getElementById("questions").replaceChildren(...(cards.length ? cards : [el("p", { class: "empty" }, say.no_questions)]));
}

// --- talking to the server --------------------------------------------------

async function act(path, body) {
  const response = await fetch(path, { method: "POST", body: JSON.stringify(body),
    headers: { "Content-Type": "application/json", "X-CSRFToken": document.querySelector("meta[name=csrf]").content } }).catch(() => null);
  if (response?.ok) { look(); return true; }
  const error = response ? (await response.json().catch(() => ({}))).error : null;
  trouble(error || say.lost);
  return false;
}

function trouble(text) {
  const box = document.getElementById("lost");
  box.textContent = text || "";
  box.hidden = !text;
}

let asking = false;
let shownQuestions = "";
async function look() {
  if (asking) return;
  asking = true;
  try {
    const response = await fetch(`state?since=${newest}`, { cache: "no-store" });
    if (!response.ok) throw new Error(String(response.status));
    take(await response.json());
    trouble("");
  } catch (error) {
    trouble(say.lost);
  } finally {
    asking = false;
  }
}

function take(state) {
  for (const letter of state.letters) {
    if (letter.id <= newest) continue;
    if (!letters.has(letter.address)) letters.set(letter.address, []);
    letters.get(letter.address).push(letter);
  }
  newest = Math.max(newest, ...state.letters.map((letter) => letter.id));
  for (const all of letters.values()) for (const letter of all) letter.status = state.statuses[letter.id] || letter.status;
  offset = new Date(state.clock.now) - Date.now();
  document.getElementById("clock-time").textContent = new Date(Date.now() + offset).toLocaleString(start.language, { weekday: "short", hour: "2-digit", minute: "2-digit", hour12: false });
  document.getElementById("clock-moved").textContent = state.clock.hours ? `+${Math.round(state.clock.hours)} h` : "";
  const shape = JSON.stringify(state.questions) + Math.floor(Date.now() / 30000);
  if (shape !== shownQuestions) showQuestions(state.questions);
  shownQuestions = shape;
  showDevices();
}

function tab(name) {
  document.body.dataset.tab = name;
  for (const button of document.querySelectorAll(".tabs button")) button.setAttribute("aria-selected", String(button.dataset.tab === name));
}

function begin() {
  const asked = location.hash.slice(1).split("&").filter(Boolean).map(decodeURIComponent).filter((key) => /^(sms|email):/.test(key));
  const asker = start.people.find((person) => person.number === start.asker);
  const expert = start.people.find((person) => person.number === start.expert);
  open = asked.length ? asked : [asker && `sms:${asker.mobile}`, expert && `email:${expert.email}`].filter(Boolean);
  for (const button of document.querySelectorAll(".tabs button")) button.addEventListener("click", () => tab(button.dataset.tab));
  for (const button of document.querySelectorAll("[data-hours]")) button.addEventListener("click", () => act("clock", { hours: Number(button.dataset.hours) }));
  document.getElementById("find").addEventListener("input", showPeople);
  document.getElementById("try-it").addEventListener("click", () => {
    const key = `sms:${asker.mobile}`;
    if (!open.includes(key)) toggle(key);
    tab("devices");
    const input = document.querySelector(`[data-key="${CSS.escape(key)}"] textarea`);
    input.value = start.idea;
    input.focus();
  });
  tab("devices");
  showDevices();
  look();
  setInterval(() => { if (!document.hidden) look(); }, 1000);
}
begin();
