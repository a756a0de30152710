// Points onto an image: discs with soft edges where there is room, single pixels where there is not.

const PHASES = 4; // places of a centre within a pixel, each way, that discs are made for
const SMALLEST = 0.6; // radius in pixels below which a point is one pixel
const brushes = new Map();

// Give the disc of a radius for an image of a width: for each phase, offsets into the pixels and how
// much of each pixel is covered.
function brush(radius, width) {
  const r = Math.round(radius * 4) / 4;
  const key = `${r} ${width}`;
  if (brushes.has(key)) return brushes.get(key);
  if (brushes.size > 60) brushes.clear();
  const reach = Math.ceil(r + 1);
  const offsets = [];
  const covered = [];
  for (let phase = 0; phase < PHASES * PHASES; phase++) {
    const cx = ((phase % PHASES) + 0.5) / PHASES - 0.5;
    const cy = (Math.floor(phase / PHASES) + 0.5) / PHASES - 0.5;
    const [at, share] = [[], []];
    for (let y = -reach; y <= reach; y++) {
      for (let x = -reach; x <= reach; x++) {
        const c = Math.min(1, r + 0.5 - Math.hypot(x - cx, y - cy));
        if (c > 0.02) {
          at.push(4 * (y * width + x));
          share.push(c);
        }
      }
    }
    offsets.push(Int32Array.from(at));
    covered.push(Float32Array.from(share));
  }
  const made = { offsets, covered, reach };
  brushes.set(key, made);
  return made;
}

// Paint points over an opaque image.
//   image: ImageData; view: {scale, dx, dy} from units of the grid to pixels
//   cloud: {n, xs, ys, codes, order, mask}; look: {colours, shown, alpha, radius, which}
// `which`: 1 or 0 for points in or out of the mask, -1 for all. `alpha`: by code.
function paint(image, view, cloud, look) {
  const { n, xs, ys, codes, order, mask } = cloud;
  const { colours, shown, alpha, radius, which } = look;
  const { scale, dx, dy } = view;
  const { width, height, data: pixels } = image;
  const dot = radius < SMALLEST;
  const { offsets, covered, reach } = brush(Math.max(radius, SMALLEST), width);
  const [right, below, edge] = dot ? [width, height, 0] : [width - reach, height - reach, reach];
  for (let k = 0; k < n; k++) {
    const i = order ? order[k] : k;
    const x = xs[i] * scale + dx;
    if (!(x >= edge && x < right)) continue;
    const y = dy - ys[i] * scale;
    if (!(y >= edge && y < below)) continue;
    if (which >= 0 && ((mask[i >> 3] >> (i & 7)) & 1) !== which) continue;
    const code = codes ? codes[i] : 0;
    if (!shown[code] || !(xs[i] | ys[i])) continue;
    const px = x | 0;
    const py = y | 0;
    const red = colours[3 * code];
    const green = colours[3 * code + 1];
    const blue = colours[3 * code + 2];
    const a = alpha[code];
    const at = 4 * (py * width + px);
    if (dot) {
      pixels[at] += (red - pixels[at]) * a;
      pixels[at + 1] += (green - pixels[at + 1]) * a;
      pixels[at + 2] += (blue - pixels[at + 2]) * a;
      continue;
    }
    const phase = (((y - py) * PHASES) | 0) * PHASES + (((x - px) * PHASES) | 0);
    const where = offsets[phase];
    const share = covered[phase];
    for (let m = 0; m < where.length; m++) {
      const p = at + where[m];
      const w = a * share[m];
      pixels[p] += (red - pixels[p]) * w;
      pixels[p + 1] += (green - pixels[p + 1]) * w;
      pixels[p + 2] += (blue - pixels[p + 2]) * w;
    }
  }
}

// Paint points while the map moves: whole pixels, no mixing, one pass.
//   look: {strong, faint: packed colours by code, shown, wide: whether a point is 2 x 2 pixels, ground}
function paint_fast(image, view, cloud, look) {
  const { n, xs, ys, codes, mask } = cloud;
  const { strong, faint, shown, wide, ground } = look;
  const { scale, dx, dy } = view;
  const { width, height } = image;
  const pixels = new Uint32Array(image.data.buffer);
  const [right, below] = [width - 1, height - 1];
  for (let i = 0; i < n; i++) {
    const x = xs[i] * scale + dx;
    if (!(x >= 0 && x < right)) continue;
    const y = dy - ys[i] * scale;
    if (!(y >= 0 && y < below)) continue;
    const code = codes ? codes[i] : 0;
    if (!shown[code] || !(xs[i] | ys[i])) continue;
    const at = (y | 0) * width + (x | 0);
    const is_in = !mask || (mask[i >> 3] >> (i & 7)) & 1;
    // what is selected lies above what is not
    if (!is_in && pixels[at] !== ground) continue;
    const colour = is_in ? strong[code] : faint[code];
    pixels[at] = colour;
    if (wide) pixels[at + 1] = pixels[at + width] = pixels[at + width + 1] = colour;
  }
}

// Pack the colours of a palette as they look over a ground.
function pack(colours, alpha, ground) {
  const result = new Uint32Array(256);
  for (let code = 0; code < 256; code++) {
    const part = (k) => Math.round(ground[k] + (colours[3 * code + k] - ground[k]) * alpha);
    result[code] = ((255 << 24) | (part(2) << 16) | (part(1) << 8) | part(0)) >>> 0;
  }
  return result;
}

// Give the order to paint in, those without a class or a value (code 0) first; null = as they come.
function paint_order(codes) {
  let quiet = 0;
  for (let i = 0; i < codes.length; i++) if (!codes[i]) quiet++;
  if (quiet === 0 || quiet === codes.length) return null;
  const order = new Uint32Array(codes.length);
  let [first, second] = [0, quiet];
  for (let i = 0; i < codes.length; i++) order[codes[i] ? second++ : first++] = i;
  return order;
}

const swatch = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

// Give the bytes of any colour that CSS knows.
function rgb(css) {
  swatch.fillStyle = "#000";
  swatch.fillStyle = css;
  swatch.fillRect(0, 0, 1, 1);
  return swatch.getImageData(0, 0, 1, 1).data;
}
