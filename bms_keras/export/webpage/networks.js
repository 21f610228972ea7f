/* What the page's other scripts share, and what runs the networks: one at a time, in one thread. */
"use strict";

const GRID = 24; // samples, drawn a few at a time so that the page stays alive
const POINTS = 2500; // as many as the paper's
const REACH = 4; // of the sliders, in standard deviations

const element = (id) => document.getElementById(id);
const info = JSON.parse(element("info").textContent);
const images = info.kind === "images";
const [height, width, channels] = info.shape;
const size = info.shape.reduce((a, b) => a * b);
const sliders = [];
let ort, generator, recognition; // the library, and the sessions once they are ready
let current = new Float32Array(info.latent_dim); // the z that the sliders show
let points = null; // 2D samples, in the data's own units
let point = null; // and G(current)

/** The bytes of a part of the page. */
async function part(id) {
  const text = atob(element(id).textContent);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  element(id).remove();
  return new Uint8Array(await new Response(unpacked).arrayBuffer());
}

async function load() {
  const module = new Blob([await part("ort-module")], { type: "text/javascript" });
  ort = await import(URL.createObjectURL(module));
  ort.env.logLevel = "error";
  ort.env.wasm.numThreads = 1; // more need headers that a file on a disk does not have
  ort.env.wasm.wasmBinary = await part("ort-wasm");
  const session = async (id) => ort.InferenceSession.create(await part(id));
  generator = await session("generator");
  if (element("recognition")) recognition = await session("recognition");
}

/** Runs a network on `values`, rows of the given shape; a promise of tensors by name. */
async function run(network, name, values, shape) {
  const n = values.length / shape.reduce((a, b) => a * b);
  const tensor = new ort.Tensor("float32", Float32Array.from(values), [n, ...shape]);
  return network.run({ [name]: tensor });
}

async function generate(z) {
  return (await run(generator, "z", z, [info.latent_dim])).x.data;
}

async function encode(x) {
  const { mean, log_variance } = await run(recognition, "x", x, info.shape);
  return { mean: mean.data, log_variance: log_variance.data };
}

/** Standard normal numbers (Box and Muller). */
function normal(n) {
  const draw = () =>
    Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  return Float32Array.from({ length: n }, draw);
}

/** A function that does its work one call at a time, and of those that wait only the last. */
function oneAtATime(work) {
  let running = null;
  let waiting = false;
  const turns = async () => {
    do {
      waiting = false;
      await work();
    } while (waiting);
  };
  return () => {
    waiting = true;
    running ??= turns().finally(() => (running = null));
    return running;
  };
}

const pause = () => new Promise((done) => setTimeout(done));
