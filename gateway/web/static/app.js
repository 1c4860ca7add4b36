// Makes pages quicker to use. Every page works without it.
"use strict";

const root = document.documentElement;

function remember(theme) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `trunkline_theme=${theme}; Path=/dashboard; Max-Age=31536000; SameSite=Lax${secure}`;
}

for (const button of document.querySelectorAll("[data-theme-toggle]")) {
  button.addEventListener("click", (event) => {
    event.preventDefault();
    const dark = root.dataset.theme
      ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    remember(root.dataset.theme);
  });
}

for (const button of document.querySelectorAll("[data-back]")) {
  button.hidden = history.length < 2;
  button.addEventListener("click", () => history.back());
}

for (const element of document.querySelectorAll("time[datetime]")) {
  element.title = new Date(element.dateTime).toLocaleString(undefined, { timeZoneName: "short" });
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    say("Copied");
  } catch {
    say("The browser did not allow copying");
  }
});

// Something short that is read out and shown for a moment.
let teller;
function say(text) {
  if (!teller) {
    teller = document.createElement("div");
    teller.className = "teller";
    teller.setAttribute("role", "status");
    document.body.append(teller);
  }
  teller.textContent = text;
  teller.classList.add("there");
  clearTimeout(teller.timer);
  teller.timer = setTimeout(() => teller.classList.remove("there"), 2500);
}

// Forms that change much ask first.
document.addEventListener("submit", (event) => {
  const form = event.target;
  const question = event.submitter?.dataset.confirm ?? form.dataset.confirm;
  if (!question || form.dataset.meant) return;
  event.preventDefault();
  ask(question, event.submitter).then((meant) => {
    if (!meant) return;
    form.dataset.meant = "yes";
    form.requestSubmit(event.submitter);
  });
});

function ask(question, submitter) {
  const dialog = document.createElement("dialog");
  const text = document.createElement("p");
  text.textContent = question;
  const actions = document.createElement("div");
  actions.className = "actions";
  const no = document.createElement("button");
  no.className = "button";
  no.textContent = "Cancel";
  const yes = document.createElement("button");
  yes.className = "button danger";
  yes.textContent = submitter?.textContent.trim() || "Yes";
  actions.append(no, yes);
  dialog.append(text, actions);
  dialog.setAttribute("aria-label", question);
  document.body.append(dialog);
  dialog.showModal();
  no.focus();
  return new Promise((resolve) => {
    yes.addEventListener("click", () => dialog.close("yes"));
    no.addEventListener("click", () => dialog.close("no"));
    dialog.addEventListener("close", () => {
      resolve(dialog.returnValue === "yes");
      dialog.remove();
    });
  });
}

// Filters apply as they are chosen.
for (const form of document.querySelectorAll("form[data-live-filter]")) {
  for (const select of form.querySelectorAll("select")) {
    select.addEventListener("change", () => form.requestSubmit());
  }
}

async function fetchPart(url) {
  const response = await fetch(url, { headers: { "X-Part": "1" }, credentials: "same-origin" });
  if (response.status === 401) location.reload();
  return response.ok ? response.text() : null;
}

// A box that answers while one types: data-answers is the address, data-into where the answer goes.
for (const form of document.querySelectorAll("form[data-answers]")) {
  const into = document.querySelector(form.dataset.into);
  let timer, asked = 0;
  const answer = async () => {
    const turn = ++asked;
    const query = new URLSearchParams(new FormData(form));
    const text = await fetchPart(`${form.dataset.answers}?${query}`);
    if (text !== null && turn === asked) into.innerHTML = text;
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(answer, 220);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    answer();
  });
}

// A form that is checked while it is filled in: data-watch is the address, data-into where the answer goes.
for (const form of document.querySelectorAll("form[data-watch]")) {
  const into = document.querySelector(form.dataset.into);
  let timer, asked = 0;
  const check = async () => {
    const turn = ++asked;
    const query = new URLSearchParams({ from: form.elements.from.value, to: form.elements.to.value });
    const text = await fetchPart(`${form.dataset.watch}?${query}`);
    if (text !== null && turn === asked) into.innerHTML = text;
  };
  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(check, 250);
  });
  check();
}

// A form whose outcome is shown beside it: data-part says where. An answer that leads elsewhere is followed.
for (const form of document.querySelectorAll("form[data-part]")) {
  const into = document.querySelector(form.dataset.part);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = event.submitter;
    const words = [...button.childNodes];
    button.disabled = true;
    button.textContent = button.dataset.busy;
    const body = new URLSearchParams(new FormData(form));
    if (button.name) body.set(button.name, button.value);
    try {
      const response = await fetch(form.action, { method: "POST", body, headers: { "X-Part": "1" } });
      if (response.redirected) return location.assign(response.url);
      if (response.status === 401) return location.reload();
      into.innerHTML = await response.text();
    } catch {
      say("The gateway did not answer");
    } finally {
      button.disabled = false;
      button.replaceChildren(...words);
    }
  });
}

// A piece of a page that stays fresh: data-fresh is its address, data-every seconds between two looks.
for (const piece of document.querySelectorAll("[data-fresh]")) {
  const look = async () => {
    if (!document.hidden && !piece.contains(document.activeElement) && !document.querySelector("dialog[open]")) {
      const text = await fetchPart(piece.dataset.fresh).catch(() => null);
      if (text !== null && text !== piece.dataset.last) {
        piece.dataset.last = text;
        piece.innerHTML = text;
      }
      if (piece.querySelector("[data-settled]")) return;
    }
    setTimeout(look, 1000 * (Number(piece.dataset.every) || 2));
  };
  setTimeout(look, 1000 * (Number(piece.dataset.every) || 2));
}

// One box that ticks many.
for (const box of document.querySelectorAll("[data-tick-all]")) {
  box.addEventListener("change", () => {
    for (const other of document.querySelectorAll(box.dataset.tickAll)) other.checked = box.checked;
  });
}
