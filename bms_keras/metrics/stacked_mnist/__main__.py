"""Trains the classifier of Stacked MNIST's digits: see the package."""

import argparse
import sys

from bms_keras.errors import BadInput
from bms_keras.files import expanded
from bms_keras.metrics.stacked_mnist.digits import classifier


def main():
    """The command line."""
    parser = argparse.ArgumentParser("stacked_mnist", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--data", required=True, help="MNIST's .npz: x_train, y_train, x_test and y_test, uint8"
    )
    try:
        percent = classifier(expanded(parser.parse_args().data, "--data")).percent
    except BadInput as error:
        sys.exit(f"stacked_mnist: {error}")
    print(f"{percent:.2f} % of MNIST's test set are told right")


if __name__ == "__main__":
    main()
