/* Images: the grid of samples, and the reconstruction of a file. */

/** Draws one image in [-1, 1], pixel by pixel. */
function paint(canvas, x) {
  canvas.width = width;
  canvas.height = height;
  const pixels = new ImageData(width, height);
  for (let i = 0; i < width * height; i++) {
    for (let c = 0; c < 3; c++) {
      const value = (x[i * channels + (channels === 1 ? 0 : c)] + 1) * 127.5;
      pixels.data[4 * i + c] = Math.round(value); // what lies outside is cut off
    }
    pixels.data[4 * i + 3] = 255;
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
}

const drawGrid = oneAtATime(async () => {
  for (const [i, button] of [...element("grid").children].entries()) {
    const z = normal(info.latent_dim);
    paint(button.firstChild, await generate(z));
    button.onclick = () => {
      show(z);
      say(`Sample ${i + 1} is shown above.`);
    };
    await pause();
  }
});

function makeGrid() {
  for (let i = 1; i <= GRID; i++) {
    const button = document.createElement("button");
    const canvas = document.createElement("canvas");
    canvas.className = "image";
    Object.assign(button, { type: "button", ariaLabel: `Sample ${i}` });
    button.append(canvas);
    element("grid").append(button);
  }
}

/** A file as one image in [-1, 1], cropped to its central square and resized. */
async function pixelsOf(file) {
  const whole = await createImageBitmap(file, { colorSpaceConversion: "none" });
  const side = Math.min(whole.width, whole.height);
  const [left, top] = [whole.width, whole.height].map((n) => Math.floor((n - side) / 2));
  const options = { resizeWidth: width, resizeHeight: height, resizeQuality: "high" };
  const square = await createImageBitmap(whole, left, top, side, side, options);
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "#fff"; // behind what is transparent
  context.fillRect(0, 0, width, height);
  context.drawImage(square, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  return Float32Array.from({ length: size }, (_, i) => {
    const [r, g, b] = data.subarray(4 * Math.floor(i / channels));
    const grey = (r * 19595 + g * 38470 + b * 7471 + 32768) >> 16; // as Pillow has it
    return (channels === 1 ? grey : [r, g, b][i % 3]) / 127.5 - 1;
  });
}

/** |x - y|_n as in training: the mean of absolute (n = 1) or squared (n = 2) differences. */
function distance(x, y) {
  return x.reduce((sum, value, i) => sum + Math.abs(value - y[i]) ** info.norm, 0) / x.length;
}

async function reconstruct(x) {
  const n = Math.max(1, Math.round(Number(element("samples").value)) || 1);
  const { mean, log_variance } = await encode(x);
  let best = { distance: Infinity };
  for (let t = 0; t < n; t++) {
    const noise = normal(info.latent_dim);
    const z = mean.map((value, i) => value + Math.exp(log_variance[i] / 2) * noise[i]);
    const y = await generate(z);
    const far = distance(x, y);
    if (far < best.distance) best = { z, x: y, distance: far };
    await pause();
  }
  paint(element("input"), x);
  paint(element("best"), best.x);
  element("pair").hidden = false;
  const kind = info.norm === 1 ? "absolute" : "squared";
  say(
    `Distance ${best.distance.toFixed(4)}: the mean ${kind} difference of the pixels, in [-1, 1], ` +
      `for the best of ${n} sample${n > 1 ? "s" : ""}, which is shown at the top too.`,
    "distance",
  );
  await show(best.z);
  return best;
}

const reconstructFile = oneAtATime(async () => {
  const [file] = element("file").files;
  if (!file) return;
  let x;
  try {
    x = await pixelsOf(file);
  } catch {
    say(`${file.name} is no image that this browser can read.`, "distance", "error");
    return;
  }
  element("again").disabled = false;
  await reconstruct(x);
});
