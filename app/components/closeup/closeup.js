// A cutout close up: colour after Lupton et al. (2004) and every band, with a stretch that one turns.
//
// In (data): { pixels: URL of float32 (C, H, W), the lowest row first, NaN = no data; shape: [C, H, W];
// bands: names; rgb: places of red, green, blue; sigma: noise of each band, in the unit of the pixels;
// weights, black, linear, softening: the stretch to begin with; scale: arcsec a pixel, or null; keys:
// [{key, name}] of labels; object: names what is shown; words: a line about it; width: pixels }.
// Out (triggers): label {label, object, nonce}, all {brightness, softening, nonce}.
// The stretch stays when another object is shown. Brackets turn it wherever the focus is.

const NO_DATA = [64, 40, 32];
const BARS = [0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600];
const states = new WeakMap();
const stretch = { brightness: 0, softening: null }; // of all close-ups of the page; brightness as log2
let nonce = 0;

export default function (component) {
  const { parentElement, data } = component;
  const root = parentElement.querySelector(".closeup");
  let state = states.get(root);
  if (!state) {
    state = new Closeup(root);
    states.set(root, state);
  }
  state.send = component.setTriggerValue;
  state.update(data);
  return () => state.rest();
}

export function lupton(pixels, size, { rgb, weights, black, linear, softening }, out) {
  const slope = 0.1 / Math.asinh(0.1 * softening);
  const soft = softening / linear;
  const floor = black * (1 - 1e-6);
  const x = [0, 0, 0];
  for (let p = 0; p < size; p++) {
    let sum = 0, known = 0;
    for (let k = 0; k < 3; k++) {
      x[k] = pixels[rgb[k] * size + p] * weights[k];
      if (Number.isFinite(x[k])) { sum += x[k]; known++; }
    }
    if (!known) {
      out.set(NO_DATA, 4 * p);
      out[4 * p + 3] = 255;
      continue;
    }
    let light = 0;
    for (let k = 0; k < 3; k++) {
      x[k] = Math.max(Number.isFinite(x[k]) ? x[k] : sum / known, floor) - black;
      light += x[k] / 3;
    }
    const factor = light > 0 ? (Math.asinh(light * soft) * slope) / light : 0;
    const most = Math.max(x[0], x[1], x[2]) * factor;
    const scale = 255 * factor / Math.max(most, 1);
    for (let k = 0; k < 3; k++) out[4 * p + k] = Math.floor(x[k] * scale);
    out[4 * p + 3] = 255;
  }
}

class Closeup {
  constructor(root) {
    this.root = root;
    this.main = root.querySelector(".main");
    this.strip = root.querySelector(".strip");
    this.read = root.querySelector(".read");
    this.bar = root.querySelector(".bar");
    this.bright = root.querySelector(".bright");
    this.soft = root.querySelector(".soft");
    this.shown = -1; // a band, or -1: colour
    this.bright.oninput = () => this.turn(Number(this.bright.value), stretch.softening);
    this.soft.oninput = () => this.turn(stretch.brightness, 2 ** Number(this.soft.value));
    root.querySelector(".reset").onclick = () => this.turn(0, this.data.softening);
    root.querySelector(".all").onclick = () =>
      this.send("all", { brightness: 2 ** stretch.brightness, softening: stretch.softening, nonce: this.nonce() });
    root.addEventListener("keydown", (event) => this.key(event));
    this.main.addEventListener("pointermove", (event) => this.point(event));
    this.main.addEventListener("pointerleave", () => this.say(this.data.words));
    this.main.addEventListener("pointerdown", (event) => this.begin(event));
    this.everywhere = (event) => this.global_key(event);
  }

  nonce() {
    return `${Date.now()}-${nonce++}`;
  }

  rest() {
    document.removeEventListener("keydown", this.everywhere);
  }

  async update(data) {
    document.removeEventListener("keydown", this.everywhere);
    document.addEventListener("keydown", this.everywhere);
    const changed = !this.data || this.data.pixels !== data.pixels;
    this.data = data;
    stretch.softening ??= data.softening;
    this.root.style.setProperty("--closeup-width", `${data.width || 340}px`);
    if (changed) {
      const answer = await fetch(data.pixels);
      if (this.data !== data) return; // a newer one came meanwhile
      if (!answer.ok) {
        this.say("The picture is gone from the server: reload the page.");
        return;
      }
      this.pixels = new Float32Array(await answer.arrayBuffer());
      if (this.data !== data) return;
      if (this.shown >= data.bands.length) this.shown = -1;
      this.ranges = data.bands.map((_, band) => this.range(band));
    }
    if (!this.pixels) return;
    this.build();
    this.draw();
    this.say(data.words);
    this.root.dataset.drawn = data.object;
  }

  // The brightest half percent of a band, in its noise, is white at brightness 1; never under 10.
  range(band) {
    const [, H, W] = this.data.shape;
    const part = this.pixels.subarray(band * H * W, (band + 1) * H * W).filter(Number.isFinite).sort();
    const at = (part.length - 1) * 0.995;
    const low = Math.floor(at);
    const value = part.length ? part[low] + (part[Math.min(low + 1, part.length - 1)] - part[low]) * (at - low) : 0;
    return Math.max(10, value / this.data.sigma[band]);
  }

  build() {
    const names = ["colour", ...this.data.bands];
    if (this.names !== names.join()) {
      this.names = names.join();
      this.root.style.setProperty("--pictures", String(names.length));
      this.small = names.map((name, i) => {
        const button = document.createElement("button");
        button.type = "button";
        button.setAttribute("role", "radio");
        const label = document.createElement("span");
        label.textContent = name;
        button.append(document.createElement("canvas"), label);
        button.onclick = () => this.show(i - 1);
        return button;
      });
      this.strip.replaceChildren(...this.small);
    }
  }

  show(band) {
    const count = this.data.bands.length + 1;
    this.shown = ((band + 1 + count) % count) - 1;
    this.draw();
  }

  turn(brightness, softening) {
    stretch.brightness = Math.min(5, Math.max(-3, brightness));
    stretch.softening = Math.min(64, Math.max(1, softening));
    if (this.pixels) this.draw();
  }

  draw() {
    this.bright.value = stretch.brightness;
    this.soft.value = Math.log2(stretch.softening);
    this.paint(this.main, this.shown);
    this.small.forEach((button, i) => {
      this.paint(button.firstChild, i - 1);
      button.setAttribute("aria-checked", String(i - 1 === this.shown));
      button.tabIndex = i - 1 === this.shown ? 0 : -1;
    });
    const { bands, rgb } = this.data;
    const what = this.shown < 0 ? `${rgb.map((b) => bands[b]).join(" ")} as red, green, blue` : `band ${bands[this.shown]}`;
    this.main.setAttribute("aria-label", `${this.data.object}: ${what}`);
    this.measure();
  }

  paint(canvas, band) {
    const [, H, W] = this.data.shape;
    canvas.width = W;
    canvas.height = H;
    const context = canvas.getContext("2d");
    const image = context.createImageData(W, H);
    const flat = new Uint8ClampedArray(4 * H * W);
    if (band < 0) lupton(this.pixels, H * W, this.stretched(), flat);
    else this.grey(band, H * W, flat);
    for (let y = 0; y < H; y++) image.data.set(flat.subarray(4 * y * W, 4 * (y + 1) * W), 4 * (H - 1 - y) * W);
    context.putImageData(image, 0, 0);
  }

  stretched() {
    const { rgb, weights, black, linear } = this.data;
    const factor = 2 ** stretch.brightness;
    return { rgb, weights, black: black / factor, linear: linear / factor, softening: stretch.softening };
  }

  grey(band, size, out) {
    const factor = 2 ** stretch.brightness;
    const low = Math.asinh(-1.5 / factor);
    const high = Math.asinh(this.ranges[band] / factor);
    for (let p = 0; p < size; p++) {
      const x = this.pixels[band * size + p] / this.data.sigma[band];
      const level = ((Math.asinh(x) - low) / (high - low)) * 255;
      out.set(Number.isFinite(x) ? [level, level, level] : NO_DATA, 4 * p);
      out[4 * p + 3] = 255;
    }
  }

  measure() {
    const { scale, shape } = this.data;
    const width = scale ? shape[2] * scale : 0; // arcsec
    const length = BARS.filter((b) => b <= width * 0.35).pop();
    this.bar.hidden = !length;
    if (!length) return;
    this.bar.querySelector("i").style.width = `${(length / width) * this.main.clientWidth}px`;
    this.bar.querySelector("span").textContent = length >= 60 ? `${length / 60} arcmin` : `${length} arcsec`;
  }

  say(words) {
    this.read.textContent = words || "";
  }

  // ---- the user ---------------------------------------------------------------------------------

  point(event) {
    if (!this.pixels) return;
    if (this.drag) {
      const { x, y, brightness, contrast } = this.drag;
      const across = (event.clientX - x) / this.main.clientWidth;
      const up = (y - event.clientY) / this.main.clientHeight;
      if (Math.hypot(across, up) > 0.01) this.turn(brightness + 8 * across, 2 ** (contrast + 6 * up));
      return;
    }
    const [, H, W] = this.data.shape;
    const box = this.main.getBoundingClientRect();
    const x = Math.min(W - 1, Math.max(0, Math.floor(((event.clientX - box.left) / box.width) * W)));
    const y = Math.min(H - 1, Math.max(0, H - 1 - Math.floor(((event.clientY - box.top) / box.height) * H)));
    const values = this.data.bands.map((name, band) => {
      const value = this.pixels[band * H * W + y * W + x] / this.data.sigma[band];
      return `${name} ${Number.isFinite(value) ? value.toFixed(1) : "none"}`;
    });
    this.say(`x ${x}  y ${y}, in sky noise: ${values.join("  ")}`);
  }

  begin(event) {
    this.root.focus({ preventScroll: true });
    const contrast = Math.log2(stretch.softening);
    this.drag = { x: event.clientX, y: event.clientY, brightness: stretch.brightness, contrast };
    this.main.setPointerCapture(event.pointerId);
    const end = () => {
      this.drag = null;
    };
    this.main.addEventListener("pointerup", end, { once: true });
    this.main.addEventListener("pointercancel", end, { once: true });
  }

  global_key(event) {
    const target = event.composedPath()[0];
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName)) {
      if (target.type !== "range") return;
    }
    if (this.stretch_key(event.key)) event.preventDefault();
  }

  stretch_key(key) {
    const { brightness, softening } = stretch;
    if (key === "[" || key === "]") this.turn(brightness + (key === "]" ? 0.25 : -0.25), softening);
    else if (key === "{" || key === "}") this.turn(brightness, softening * (key === "}" ? 2 ** 0.25 : 2 ** -0.25));
    else return false;
    return true;
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.composedPath()[0].tagName === "INPUT" && event.key.startsWith("Arrow")) return;
    const entry = (this.data.keys || []).find(({ key }) => key === event.key);
    if (entry) this.send("label", { label: entry.name, object: this.data.object, nonce: this.nonce() });
    else if (event.key === "ArrowRight") this.show(this.shown + 1);
    else if (event.key === "ArrowLeft") this.show(this.shown - 1);
    else if (event.key === "c") this.show(-1);
    else if (event.key === "r") this.turn(0, this.data.softening);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
