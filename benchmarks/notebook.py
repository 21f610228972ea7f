"""Draws what cells of a notebook show, as docs/notebook.png is: text, and pictures below it.

    jupyter nbconvert --to notebook --execute examples/quickstart.ipynb --output /tmp/done.ipynb
    python -m benchmarks.notebook /tmp/done.ipynb --cells=5 --out=docs/notebook.png

Of JupyterLab it has the outputs alone: a font of one width, black on white.
"""

import base64
import io
import json
import pathlib

from absl import app, flags
from PIL import Image

from benchmarks import terminal

CELLS = flags.DEFINE_list("cells", ["0"], "Which cells of code, counted from 0.")
COLUMNS = 100


def outputs(cell):
    """What a cell shows, as pictures in their order."""
    for output in cell["outputs"]:
        data = output.get("data", {"text/plain": output.get("text", "")})
        if "image/png" in data:
            yield Image.open(io.BytesIO(base64.b64decode("".join(data["image/png"]))))
        else:
            lines = "".join(data["text/plain"]).splitlines()
            yield terminal.picture(lines, COLUMNS, paper="white", ink="black")


def stacked(pictures):
    """Pictures one below the other, on white."""
    size = max(each.width for each in pictures), sum(each.height for each in pictures)
    canvas, top = Image.new("RGB", size, "white"), 0
    for each in pictures:
        canvas.paste(each, (0, top))
        top += each.height
    return canvas


def main(argv):
    notebook = json.loads(pathlib.Path(argv[1]).read_text())
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    pictures = [each for i in CELLS.value for each in outputs(code[int(i)])]
    stacked(pictures).quantize(64).save(flags.FLAGS.out, optimize=True)


if __name__ == "__main__":
    app.run(main)
