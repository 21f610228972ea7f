/* The page: one sample and its sliders, and what they and the other parts are wired to.

   For scripts, and the tests of this page, `window.bms` offers

     ready           a promise that is fulfilled when the page has drawn its first sample
     info            what the page knows of the model: kind, shape, latent_dim, directions, ...
     generate(z)     G(z): z holds n * latent_dim numbers, one latent after the other; a promise of
                     a Float32Array, n * shape, of images in [-1, 1], of points as in training
     encode(x)       of x, laid out like that, {mean, log_variance} of q(z|x); where R is there
     show(z)         makes one z the sample with the sliders; a promise, fulfilled once it is drawn
     reconstruct(x)  draws one x and its closest sample; a promise of {z, x, distance}
*/

// The sample and its sliders.

const drawSample = oneAtATime(async () => {
  const x = await generate(current);
  if (images) {
    paint(element("sample"), x);
  } else {
    point = Array.from(x, (value, i) => value * info.scale + info.centre[i % 2]);
    scatter(element("sample"));
    element("place").textContent = `x = (${point.map((v) => v.toFixed(2)).join(", ")})`;
  }
  await pause();
});

function show(z) {
  current = Float32Array.from(z);
  sliders.forEach((slider, i) => label(slider, dot(current, info.directions[i])));
  return drawSample();
}

function label(slider, value) {
  const text = value.toFixed(2).replace(/^-0.00$/, "0.00");
  slider.value = value;
  slider.setAttribute("aria-valuetext", text);
  slider.nextElementSibling.textContent = text;
}

function dot(a, b) {
  return b.reduce((sum, value, i) => sum + value * a[i], 0);
}

/** Moves z along a direction to where its slider stands; the other coordinates stay. */
function moved(i) {
  const by = Number(sliders[i].value) - dot(current, info.directions[i]);
  current = current.map((value, j) => value + by * info.directions[i][j]);
  label(sliders[i], Number(sliders[i].value));
  drawSample();
}

function makeSliders() {
  info.directions.forEach((_, i) => {
    const row = document.createElement("label");
    const slider = document.createElement("input");
    Object.assign(slider, { type: "range", min: -REACH, max: REACH, step: 0.01, value: 0 });
    slider.addEventListener("input", () => moved(i));
    row.append(`Direction ${i + 1} (${(100 * info.shares[i]).toFixed(0)} %)`, slider);
    row.append(document.createElement("output"));
    element("sliders").append(row);
    sliders.push(slider);
  });
}

// The page.

function say(text, id = "status", kind = "") {
  element(id).textContent = text;
  element(id).className = kind;
}

function failed(error) {
  say(`This page does not work here: ${error?.message ?? error}`, "status", "error");
}

/** Shows what this model has, and gives the controls their work. */
function prepare() {
  makeSliders();
  for (const id of ["sample", "input", "best"]) element(id).className = "image";
  element("new").addEventListener("click", () => show(normal(info.latent_dim)));
  element("many").hidden = !images;
  element("others").addEventListener("click", drawGrid);
  if (images) makeGrid();
  if (!images) {
    element("sample").className = "scatter";
    element("legend").textContent =
      `Grey: the true modes, 3 standard deviations wide. Small: ${POINTS} samples. ` +
      "Large: the sliders' sample.";
    element("sample").ariaLabel = `${POINTS} samples over the true modes, one highlighted`;
    const redraw = () => scatter(element("sample"));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
    addEventListener("resize", redraw);
  }
  element("reconstruction").hidden = !element("recognition");
  element("samples").value = info.samples;
  element("file").addEventListener("change", reconstructFile);
  element("reconstruct").addEventListener("submit", (event) => {
    event.preventDefault();
    reconstructFile();
  });
}

async function start() {
  const began = performance.now();
  prepare();
  await load();
  await show(normal(info.latent_dim));
  for (const id of ["new", "others", "file"]) element(id).disabled = false;
  say(`Ready, after ${((performance.now() - began) / 1000).toFixed(1)} s.`);
  if (images) drawGrid();
  else await drawPoints();
}

addEventListener("unhandledrejection", (event) => failed(event.reason));
window.bms = { info, generate, encode, show, reconstruct, ready: start() };
