/* Points: the samples over the true modes. */

const drawPoints = oneAtATime(async () => {
  const x = await generate(normal(POINTS * info.latent_dim));
  points = Array.from(x, (value, i) => value * info.scale + info.centre[i % 2]);
  scatter(element("sample"));
  await pause();
});

/** Draws the modes, 3 standard deviations wide, the samples, and the point of the sliders. */
function scatter(canvas) {
  const side = (canvas.clientWidth || 480) * devicePixelRatio;
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
  const reach = info.reach; // to both sides of the centre
  const [left, top] = [info.centre[0] - reach, info.centre[1] + reach];
  const at = ([x, y]) => [((x - left) / (2 * reach)) * side, ((top - y) / (2 * reach)) * side];
  const disc = (place, radius, name) => {
    context.beginPath();
    context.arc(...at(place), radius, 0, 2 * Math.PI);
    context.fillStyle = colour(name);
    context.fill();
  };
  axes(context, side, reach, at, colour("--quiet"));
  const mode = Math.max((3 * info.std * side) / (2 * reach), 3 * devicePixelRatio);
  for (const place of info.modes) disc(place, mode, "--mode");
  const samples = points ?? [];
  for (let i = 0; i < samples.length; i += 2) {
    disc([samples[i], samples[i + 1]], devicePixelRatio, "--dots");
  }
  if (point) {
    disc(point, 7 * devicePixelRatio, "--page");
    disc(point, 5 * devicePixelRatio, "--accent");
  }
}

/** Marks round numbers of the data's own units along the left and the lower edge. */
function axes(context, side, reach, at, colour) {
  const power = 10 ** Math.floor(Math.log10(reach));
  const step = [0.2, 0.5, 1, 2].map((m) => m * power).find((s) => reach / s <= 3.5) ?? 5 * power;
  context.fillStyle = context.strokeStyle = colour;
  context.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  const [tick, margin] = [5 * devicePixelRatio, 8 * devicePixelRatio];
  for (const axis of [0, 1]) {
    const [low, high] = [info.centre[axis] - reach, info.centre[axis] + reach];
    for (let i = Math.ceil(low / step); i * step <= high; i++) {
      const text = String(Number((i * step).toPrecision(6)));
      const place = at([i * step, i * step])[axis];
      if (axis === 0) {
        context.fillRect(place, side - tick, devicePixelRatio, tick);
        context.textAlign = "center";
        context.fillText(text, place, side - margin);
      } else {
        context.fillRect(0, place, tick, devicePixelRatio);
        context.textAlign = "left";
        context.fillText(text, margin, place + tick);
      }
    }
  }
}
