"""The paper's tables, trained, measured and written beside the paper's figures.

    python -m bms_keras.tables --table=1 --seeds=5 --workdir=runs/table1

See `__main__.py` for the flags, `registry.py` for what a table holds.
"""
