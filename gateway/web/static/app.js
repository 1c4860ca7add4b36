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
  // Red is for what takes something away; the button that asks already is.
  yes.className = submitter?.classList.contains("danger") ? "button danger" : "button primary";
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
    const heard = [...piece.querySelectorAll("audio")].some((audio) => !audio.paused || audio.currentTime > 0);
    if (!document.hidden && !heard && !piece.contains(document.activeElement) && !document.querySelector("dialog[open]")) {
      const text = await fetchPart(piece.dataset.fresh).catch(() => null);
      if (text !== null && text !== piece.dataset.last) {
        piece.dataset.last = text;
        piece.innerHTML = text;
      }
      const next = piece.querySelector("[data-go]");
      if (next) return location.replace(next.dataset.go);
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

// The waveform of a recording: a slider lies over it, so that mouse, finger and keyboard move the player.
const minutes = (seconds) => {
  const whole = Math.floor(seconds), rest = String(whole % 60).padStart(2, "0");
  return whole < 3600 ? `${Math.floor(whole / 60)}:${rest}` : `${Math.floor(whole / 3600)}:${String(Math.floor(whole / 60) % 60).padStart(2, "0")}:${rest}`;
};
const soundOf = (element) => {
  const card = element.closest("section");
  return { audio: card?.querySelector("audio"), slider: card?.querySelector("[data-seek]"), played: card?.querySelector("[data-played]"), scale: card?.querySelector("[data-scale]") };
};

function follow(element) {
  const { audio, slider, played, scale } = soundOf(element);
  if (!audio || !slider || !Number.isFinite(audio.duration) || !audio.duration) return;
  if (slider.hidden) {
    slider.hidden = scale.hidden = false;
    slider.max = audio.duration;
    scale.children[1].textContent = minutes(audio.duration / 2);
    scale.children[2].textContent = minutes(audio.duration);
  }
  slider.value = audio.currentTime;
  slider.setAttribute("aria-valuetext", `${minutes(audio.currentTime)} of ${minutes(audio.duration)}`);
  played.setAttribute("width", (960 * audio.currentTime) / audio.duration);
}

for (const happened of ["loadedmetadata", "durationchange", "timeupdate", "seeking"]) {
  document.addEventListener(happened, (event) => follow(event.target), true);  // what media tell does not bubble
}
for (const audio of document.querySelectorAll("audio")) follow(audio);

function seek(slider, to) {
  const { audio } = soundOf(slider);
  audio.currentTime = Math.min(Math.max(0, to), audio.duration);
  follow(slider);
}

document.addEventListener("input", (event) => {
  if (event.target.matches("[data-seek]")) seek(event.target, Number(event.target.value));
});

const JUMPS = { ArrowLeft: -5, ArrowDown: -5, ArrowRight: 5, ArrowUp: 5, PageDown: -30, PageUp: 30 };
document.addEventListener("keydown", (event) => {
  if (!event.target.matches?.("[data-seek]")) return;
  const { audio } = soundOf(event.target);
  if (event.key in JUMPS) seek(event.target, audio.currentTime + JUMPS[event.key]);
  else if (event.key === " ") audio.paused ? audio.play() : audio.pause();
  else return;
  event.preventDefault();
});

// A list that has no room for its choice says it where the mouse rests.
document.addEventListener("change", (event) => {
  if (event.target.matches("select[title]")) event.target.title = event.target.selectedOptions[0]?.text ?? "";
});

// A file that is dropped or chosen, and how far its upload is. data-most: the most bytes; data-problem: where a refusal goes.
const megabytes = (bytes) => (bytes < 1e5 ? `${Math.max(1, Math.round(bytes / 1024))} kB` : `${(bytes / 1048576).toFixed(1)} MB`);
for (const form of document.querySelectorAll("form[data-upload]")) {
  const input = form.querySelector("input[type=file]"), zone = form.querySelector("[data-drop]");
  const told = form.querySelector("[data-told]"), bar = form.querySelector("progress");
  const problem = document.querySelector(form.dataset.problem), most = Number(form.dataset.most);
  const look = () => {
    const file = input.files[0];
    const tooLarge = file && file.size > most ? `This file has ${megabytes(file.size)}; at most ${megabytes(most)} are taken.` : "";
    input.setCustomValidity(tooLarge);
    told.textContent = tooLarge || (file ? `${file.name}, ${megabytes(file.size)}` : "");
    zone.classList.toggle("chosen", Boolean(file) && !tooLarge);
  };
  input.addEventListener("change", look);
  for (const kind of ["dragenter", "dragover"]) {
    zone.addEventListener(kind, (event) => {
      if (![...event.dataTransfer.types].includes("Files")) return;
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  zone.addEventListener("dragleave", (event) => {
    if (!zone.contains(event.relatedTarget)) zone.classList.remove("over");
  });
  zone.addEventListener("drop", (event) => {
    zone.classList.remove("over");
    event.preventDefault();
    if (!event.dataTransfer.files.length) return;
    const chosen = new DataTransfer();
    chosen.items.add(event.dataTransfer.files[0]);
    input.files = chosen.files;
    look();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const button = event.submitter ?? form.querySelector("button:not([type])"), sending = new XMLHttpRequest();
    let said = -1;
    const over = (text) => {
      button.disabled = false;
      bar.hidden = true;
      told.textContent = text;
    };
    sending.upload.addEventListener("progress", (step) => {
      const share = Math.floor((100 * step.loaded) / step.total);
      bar.value = share;
      // Said in tenths: a screen reader reads each of them out.
      if (Math.floor(share / 10) !== said) told.textContent = share < 100 ? `${share} % is uploaded` : "Uploaded; it is being looked at";
      said = Math.floor(share / 10);
    });
    sending.addEventListener("load", () => {
      if (sending.status === 401) return location.reload();
      if (sending.status < 300) return location.assign(sending.responseURL);
      const isPage = (sending.getResponseHeader("Content-Type") ?? "").startsWith("text/html");
      over(isPage ? "" : sending.status === 413 ? `At most ${megabytes(most)} are taken.` : "The gateway did not take the file.");
      if (!isPage) return;
      problem.innerHTML = sending.responseText;
      problem.scrollIntoView({ block: "nearest" });
    });
    sending.addEventListener("error", () => over("The upload broke off. Try once more."));
    sending.open("POST", form.action);
    sending.setRequestHeader("X-Part", "1");
    problem.replaceChildren();
    bar.hidden = false;
    bar.value = 0;
    button.disabled = true;
    sending.send(new FormData(form));
  });
}

// A group that opens to its rows: data-load is the address of their first page.
async function unfold(group, url) {
  const within = group.querySelector(".within"), text = await fetchPart(url).catch(() => null);
  if (text !== null) within.innerHTML = text;
  return within;
}
for (const group of document.querySelectorAll("details[data-load]")) {
  group.addEventListener("toggle", () => unfold(group, group.dataset.load), { once: true });
}
document.addEventListener("click", async (event) => {
  const link = event.target.closest("details[data-load] .pager a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  (await unfold(link.closest("details"), link.href)).focus();
});
