"""Minutes on one GPU, put to use: packed at home, run on a bare machine, scored at home.

The machine has JAX and a GPU, and neither a network nor TensorFlow; what goes in and out goes in
small files. See README.md beside this file.
"""
