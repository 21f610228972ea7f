"""Draws what a command says on a terminal of some width, as docs/terminal_80.png and _120.png are.

    python -m benchmarks.terminal --columns=80 --out=docs/terminal_80.png -- \\
        python train.py --config=ring --workdir=runs/ring --config.steps=4000

The command runs in a pseudo-terminal; the picture shows the screen as it is at the end, with what
has gone off its top. Of control sequences it knows those that `bms_keras` writes: back to the
line's start, and clear to its end.
"""

import fcntl
import os
import pathlib
import pty
import shlex
import struct
import sys
import termios
import textwrap

import matplotlib
from absl import app, flags
from PIL import Image, ImageDraw, ImageFont

COLUMNS = flags.DEFINE_integer("columns", 80, "Letters of a line.", 20, 400)
OUT = flags.DEFINE_string("out", None, "The picture, a PNG.", required=True)
CLEAR = "\x1b[K"
SIZE, LEADING, MARGIN = 20, 28, 20  # pixels
PAPER, INK, PROMPT = "#1e2227", "#d7dae0", "#7fb4e6"


def said(command, columns):
    """All that a command writes to a terminal of so many columns."""
    process, terminal = pty.fork()
    if process == 0:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        os.execvp(command[0], command)
    found = b""
    while True:
        try:
            part = os.read(terminal, 2**16)
        except OSError:  # on Linux the end of a terminal is an error
            part = b""
        if not part:
            os.waitpid(process, 0)
            return found.decode()
        found += part


def screen(text, columns):
    """The lines that stay on the screen, each at most as long as it is wide."""
    lines = []
    for line in text.replace("\r\n", "\n").removesuffix("\n").split("\n"):
        shown = ""
        for part in line.split("\r"):
            part, clear, _ = part.partition(CLEAR)
            shown = part if clear else part + shown[len(part) :]
        lines += textwrap.wrap(shown, columns, drop_whitespace=False) or [""]
    return lines


def picture(lines, columns, paper=PAPER, ink=INK):
    """The lines in a fixed-width font; the first ones, from "$ " on, are the command."""
    fonts = pathlib.Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    font = ImageFont.truetype(str(fonts / "DejaVuSansMono.ttf"), SIZE)
    size = round(font.getlength("m" * columns)) + 2 * MARGIN, LEADING * len(lines) + 2 * MARGIN
    drawn = Image.new("RGB", size, paper)
    pen, command = ImageDraw.Draw(drawn), False
    for i, line in enumerate(lines):
        command = line.startswith("$ ") or (command and line.startswith("    "))
        pen.text((MARGIN, MARGIN + i * LEADING), line, PROMPT if command else ink, font)
    return drawn


def main(argv):
    command = argv[1:]
    lines = textwrap.wrap(f"$ {shlex.join(command)}", COLUMNS.value - 2, subsequent_indent="    ")
    lines = [f"{line} \\" for line in lines[:-1]] + lines[-1:]
    where = [sys.executable if word == "python" else word for word in command]
    lines += screen(said(where, COLUMNS.value), COLUMNS.value)
    picture(lines, COLUMNS.value).quantize(16).save(OUT.value, optimize=True)


if __name__ == "__main__":
    app.run(main)
