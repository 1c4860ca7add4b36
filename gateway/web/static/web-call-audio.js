// Runs on the browser's audio thread: microphone to 16 kHz frames, and 16 kHz frames to the loudspeaker.
"use strict";

const RATE = 16000;
const FRAME = 320;
const PHASES = 256;

// Changes the sample rate by a windowed sinc, whose cut-off fits the lower of both.
class Resampler {
  constructor(from, to) {
    this.step = from / to;
    const cutoff = Math.min(1, to / from) * 0.94;
    this.half = Math.ceil(16 / cutoff);
    this.taps = 2 * this.half;
    this.table = Array.from({ length: PHASES }, (_, phase) => this.row(cutoff, phase / PHASES));
    this.held = new Float32Array(this.taps);
    this.at = this.half;
  }

  row(cutoff, shift) {
    const row = new Float32Array(this.taps);
    let sum = 0;
    for (let tap = 0; tap < this.taps; tap++) {
      const x = tap - this.half + 1 - shift;
      const angle = Math.PI * cutoff * x;
      const sinc = angle === 0 ? 1 : Math.sin(angle) / angle;
      row[tap] = sinc * (0.5 + 0.5 * Math.cos((Math.PI * x) / (this.half + 1)));
      sum += row[tap];
    }
    return row.map((value) => value / sum);
  }

  process(samples) {
    if (this.step === 1) return samples;
    const all = new Float32Array(this.held.length + samples.length);
    all.set(this.held);
    all.set(samples, this.held.length);
    const made = [];
    while (Math.floor(this.at) + this.half < all.length) {
      const whole = Math.floor(this.at);
      const row = this.table[Math.floor((this.at - whole) * PHASES)];
      let sum = 0;
      for (let tap = 0; tap < this.taps; tap++) sum += row[tap] * all[whole - this.half + 1 + tap];
      made.push(sum);
      this.at += this.step;
    }
    const spent = Math.max(0, Math.floor(this.at) - this.half + 1);
    this.held = all.slice(spent);
    this.at -= spent;
    return Float32Array.from(made);
  }
}

function loudest(samples) {
  let most = 0;
  for (const sample of samples) most = Math.max(most, Math.abs(sample));
  return most;
}

class Capture extends AudioWorkletProcessor {
  constructor() {
    super();
    this.resampler = new Resampler(sampleRate, RATE);
    this.frame = new Int16Array(FRAME);
    this.filled = 0;
  }

  process([input]) {
    // Without a microphone there is silence: the gateway misses whoever sends nothing.
    const samples = input[0] ?? new Float32Array(128);
    for (const sample of this.resampler.process(samples)) {
      this.frame[this.filled++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32767)));
      if (this.filled === FRAME) this.send();
    }
    return true;
  }

  send() {
    const frame = this.frame;
    this.frame = new Int16Array(FRAME);
    this.filled = 0;
    this.port.postMessage({ audio: frame.buffer, level: loudest(frame) / 32768 }, [frame.buffer]);
  }
}

class Playback extends AudioWorkletProcessor {
  constructor() {
    super();
    this.resampler = new Resampler(RATE, sampleRate);
    this.waiting = [];
    this.count = 0;
    this.start = 0;
    this.playing = false;
    this.gaps = 0;
    // What waits before it plays: more of it after each gap, so that a browser as late once more leaves none.
    this.least = 0.06 * sampleRate;
    this.lead = this.least;
    this.calm = 0;
    this.most = 0.4 * sampleRate;
    this.loudest = 0;
    this.since = 0;
    this.port.onmessage = ({ data }) => this.take(data);
  }

  take(buffer) {
    const samples = this.resampler.process(Float32Array.from(new Int16Array(buffer), (sample) => sample / 32768));
    this.loudest = Math.max(this.loudest, loudest(samples));
    this.waiting.push(samples);
    this.count += samples.length;
    // Behind a stall comes a burst: what is older than the newest few frames is not worth hearing.
    if (this.count > this.most) while (this.count > 2 * this.lead) this.drop();
  }

  drop() {
    const oldest = this.waiting.shift();
    this.count -= oldest.length - this.start;
    this.start = 0;
  }

  process(_inputs, [output]) {
    const channel = output[0];
    if (!this.playing && this.count >= this.lead) this.playing = true;
    let at = 0;
    while (this.playing && at < channel.length) {
      if (!this.waiting.length) {
        this.runDry();
        break;
      }
      const piece = this.waiting[0].subarray(this.start, this.start + channel.length - at);
      channel.set(piece, at);
      at += piece.length;
      this.start += piece.length;
      this.count -= piece.length;
      if (this.start === this.waiting[0].length) {
        this.waiting.shift();
        this.start = 0;
      }
    }
    for (let other = 1; other < output.length; other++) output[other].set(channel);
    this.ease();
    this.tell();
    return true;
  }

  runDry() {
    this.playing = false;
    this.gaps++;
    this.lead = Math.min(this.lead + 0.02 * sampleRate, 0.16 * sampleRate);
    this.calm = 0;
  }

  // Ten seconds without a gap: a little less may wait, as soon as a pause lets some of it go unheard.
  ease() {
    this.calm += 128;
    if (this.calm < 10 * sampleRate) return;
    this.calm = 0;
    this.lead = Math.max(this.lead - 0.02 * sampleRate, this.least);
    if (this.count > this.lead + 0.04 * sampleRate) this.skip();
  }

  skip() {
    const quiet = this.waiting.findIndex((samples, place) => place > 0 && loudest(samples) < 0.002);
    if (quiet < 0) return;
    this.count -= this.waiting[quiet].length;
    this.waiting.splice(quiet, 1);
  }

  tell() {
    this.since += 128;
    if (this.since < sampleRate / 20) return;
    this.port.postMessage({ level: this.loudest, waiting: Math.round((1000 * this.count) / sampleRate), gaps: this.gaps });
    this.since = 0;
    this.loudest = 0;
  }
}

registerProcessor("capture", Capture);
registerProcessor("playback", Playback);
