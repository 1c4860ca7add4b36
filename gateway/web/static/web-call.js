// The web call page: a microphone, a WebSocket and a loudspeaker.
"use strict";

const page = document.querySelector("[data-web-call]");
const find = (name) => page.querySelector(`[data-${name}]`);
const [form, toggle, mute, keys, status, problem, timer] =
  ["form", "toggle", "mute", "keys", "status", "problem", "timer"].map(find);
const meters = { out: find("meter-out"), in: find("meter-in") };
let call = null;

const REFUSED = {
  NotAllowedError: "The browser does not let this page use the microphone. Allow it beside the address, then start again.",
  NotFoundError: "No microphone was found. Plug one in, or choose one in the system’s sound settings.",
  NotReadableError: "The microphone is in use by something else, or its driver failed. Close what uses it, then start again.",
  OverconstrainedError: "The microphone cannot do what was asked of it. Choose another one in the system’s sound settings.",
};

const ENDED = {
  user_disconnected: "You hung up.",
  caller_cancelled: "The call was given up before the agent was there.",
  agent_disconnected: "The agent hung up.",
  agent_unreachable: "The agent’s runtime could not be reached.",
  agent_failed: "The agent’s runtime failed during the call.",
  agent_flooded: "The agent’s runtime sent more than could be taken, and was cut off.",
  ended_by_request: "Somebody ended the call.",
  max_duration: "The call reached its longest time.",
  media_lost: "No more audio came from this browser.",
  gateway_overloaded: "The gateway has too much to do. Try again in a moment.",
  gateway_drained: "The gateway is being stopped.",
};

function show(state, text) {
  page.dataset.state = state;
  status.textContent = text;
  const busy = state === "idle" || state === "ended" ? "Start the call" : "Hang up";
  toggle.querySelector("span").textContent = busy;
  toggle.classList.toggle("ending", busy === "Hang up");
  const live = state === "live";
  mute.disabled = !live;
  for (const key of keys.querySelectorAll("button")) key.disabled = !live;
  for (const field of form.querySelectorAll("select, input")) field.disabled = busy === "Hang up";
}

function complain(text) {
  problem.hidden = !text;
  problem.querySelector("p").textContent = text;
}

// A meter's look follows the ear: -60 dB is empty, 0 dB is full.
function measure(meter, level) {
  const decibels = level > 0 ? 20 * Math.log10(level) : -60;
  meter.value = Math.max(0, Math.min(1, 1 + decibels / 60));
}

async function microphone() {
  if (!navigator.mediaDevices) {
    throw new Error("Browsers give a page the microphone only over https, or on localhost. Open the dashboard that way.");
  }
  const raw = form.elements.raw.checked;
  const audio = { channelCount: 1, echoCancellation: !raw, noiseSuppression: !raw, autoGainControl: !raw };
  return navigator.mediaDevices.getUserMedia({ audio });
}

async function ticket(body) {
  const response = await fetch(form.action, { method: "POST", body, headers: { "X-Part": "1" } });
  if (response.status === 401) location.reload();
  const answer = await response.json().catch(() => ({ message: "The gateway did not answer. Try again." }));
  if (!response.ok) throw new Error(answer.message);
  return answer;
}

class Call {
  constructor() {
    this.over = false;
    this.muted = false;
    this.began = 0;
  }

  async start(body) {
    this.context = new AudioContext({ latencyHint: "interactive" });
    this.stream = await microphone();
    if (this.over) return this.release();
    await this.context.audioWorklet.addModule(page.dataset.audio);
    await this.context.resume();
    const given = await ticket(body);
    if (this.over) return this.release();
    page.dataset.call = given.id;
    this.connect(given);
  }

  connect(given) {
    const url = new URL(given.path, location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    this.socket = new WebSocket(url, [given.protocol, given.token]);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = ({ data }) => (typeof data === "string" ? this.hear(JSON.parse(data)) : this.play(data));
    this.socket.onclose = () => this.end("The connection to the gateway broke.");
  }

  hear(said) {
    if (said.type === "ringing") show("calling", "Connecting to the agent…");
    else if (said.type === "start") this.begin();
    else if (said.type === "dtmf") complain(`The agent dialled ${said.digits}.`);
    else if (said.type === "end") this.end(ENDED[said.reason] ?? said.detail, said);
  }

  begin() {
    const context = this.context;
    this.capture = new AudioWorkletNode(context, "capture", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    this.playback = new AudioWorkletNode(context, "playback", { numberOfInputs: 0, outputChannelCount: [1] });
    this.capture.port.onmessage = ({ data }) => this.speak(data);
    this.playback.port.onmessage = ({ data }) => {
      measure(meters.in, data.level);
      page.dataset.gaps = data.gaps;
    };
    this.source = context.createMediaStreamSource(this.stream);
    this.source.connect(this.capture);
    this.playback.connect(context.destination);
    this.began = Date.now();
    this.clock = setInterval(() => this.tick(), 500);
    this.tick();
    show("live", "In conversation");
  }

  tick() {
    const seconds = Math.floor((Date.now() - this.began) / 1000);
    timer.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }

  speak({ audio, level }) {
    measure(meters.out, this.muted ? 0 : level);
    if (this.socket.readyState !== WebSocket.OPEN || this.socket.bufferedAmount > 32000) return;
    this.socket.send(this.muted ? new ArrayBuffer(audio.byteLength) : audio);
  }

  play(audio) {
    this.playback?.port.postMessage(audio, [audio]);
  }

  press(digit) {
    this.socket.send(JSON.stringify({ type: "dtmf", digit }));
  }

  hangUp() {
    if (this.socket?.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify({ type: "hangup" }));
    this.end(ENDED.user_disconnected);
  }

  end(text, said = null) {
    if (this.over) return;
    this.over = true;
    this.release();
    if (call === this) call = null;
    show("ended", text);
    if (said?.detail && said.by === "gateway") complain(said.detail);
    find("record").hidden = !page.dataset.call;
    find("record").querySelector("a").href = `${page.dataset.calls}/${page.dataset.call}`;
  }

  release() {
    clearInterval(this.clock);
    for (const track of this.stream?.getTracks() ?? []) track.stop();
    this.source?.disconnect();
    this.playback?.disconnect();
    // Closed a moment later, so that the gateway's own goodbye, or ours, is out.
    setTimeout(() => this.socket?.close(1000), 300);
    if (this.context?.state !== "closed") this.context?.close();
    measure(meters.in, 0);
    measure(meters.out, 0);
  }
}

async function start() {
  const mine = (call = new Call());
  // Fields that are disabled are not sent: the form is read first.
  const body = new URLSearchParams(new FormData(form));
  complain("");
  find("record").hidden = true;
  delete page.dataset.call;
  timer.textContent = "0:00";
  setMuted(false);
  show("asking", "Asking for the microphone…");
  try {
    await mine.start(body);
  } catch (error) {
    const text = REFUSED[error.name] ?? error.message;
    mine.end("The call did not begin.");
    complain(text);
  }
}

function setMuted(muted) {
  if (call) call.muted = muted;
  mute.setAttribute("aria-pressed", String(muted));
  mute.querySelector("span").textContent = muted ? "Unmute" : "Mute";
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (call) call.hangUp();
  else start();
});
mute.addEventListener("click", () => setMuted(!call.muted));
keys.addEventListener("click", (event) => {
  const key = event.target.closest("button");
  if (key && call) call.press(key.value);
});
// Digits on the keyboard are keys as well, unless somebody types into a field.
document.addEventListener("keydown", (event) => {
  if (page.dataset.state !== "live" || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.target.closest("select, input, textarea")) return;
  const key = [...keys.querySelectorAll("button")].find((one) => one.value === event.key);
  if (!key) return;
  call.press(key.value);
  key.classList.add("pressed");
  setTimeout(() => key.classList.remove("pressed"), 150);
});
addEventListener("pagehide", () => call?.hangUp());
show("idle", "Ready");
