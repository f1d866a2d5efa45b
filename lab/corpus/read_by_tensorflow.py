"""Run by TensorFlow's Python: `read_by_tensorflow.py PREFIX OUTPUT` writes float32 tensors."""

import sys

import numpy as np
import tensorflow as tf


def main(prefix: str, output: str) -> None:
    """Read a checkpoint with TensorFlow's own reader, and write it."""
    reader = tf.compat.v1.train.NewCheckpointReader(prefix)
    kinds = reader.get_variable_to_dtype_map()
    arrays = {name: reader.get_tensor(name) for name in kinds if kinds[name] == tf.float32}
    with open(output, "wb") as file:
        np.savez(file, **arrays)


if __name__ == "__main__":
    main(*sys.argv[1:])
