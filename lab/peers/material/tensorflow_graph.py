"""The network as a frozen TensorFlow graph, with the node names of Essentia's MAEST files.

Needs TensorFlow and NumPy only.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from lab.peers.material.request import Request

_EPSILON = 1e-6
_HEAD_EPSILON = 1e-5


def main() -> None:
    """Write maest.pb: melspectrogram [batch, frames, 96] to logits, tokens and activations."""
    request = Request()
    size = request.size
    weights = dict(np.load(request.needed("reference") / "weights.npz"))
    with tf.Graph().as_default() as graph:
        mel = tf.compat.v1.placeholder(tf.float32, [None, size.frames, 96], name="melspectrogram")
        x = tokens_of(mel, weights)
        for number in range(size.depth):
            x = block(x, weights, f"blocks.{number}.", size.heads)
            tf.identity(x, name=f"PartitionedCall/Identity_{number + 1}")
        x = normalise(x, weights, "norm.", _EPSILON)
        x = normalise((x[:, 0] + x[:, 1]) / 2, weights, "head.0.", _HEAD_EPSILON)
        logits = linear(x, weights, "head.1.")
        tf.identity(logits, name="PartitionedCall/Identity")
        tf.sigmoid(logits, name=f"PartitionedCall/Identity_{size.depth + 1}")
    (request.folder / "maest.pb").write_bytes(graph.as_graph_def().SerializeToString())


def tokens_of(mel: tf.Tensor, weights: dict[str, np.ndarray]) -> tf.Tensor:
    """Give the first block's input [batch, tokens, dim]."""
    kernel = weights["patch_embed.proj.weight"].transpose(2, 3, 1, 0)
    image = tf.transpose(mel, [0, 2, 1])[..., tf.newaxis]
    x = tf.nn.conv2d(image, kernel, strides=[1, 10, 10, 1], padding="VALID")
    columns = x.shape[2]
    x = x + weights["patch_embed.proj.bias"]
    x = x + weights["time_new_pos_embed"].transpose(0, 2, 3, 1)[:, :, :columns]
    x = x + weights["freq_new_pos_embed"].transpose(0, 2, 3, 1)
    batch = tf.shape(mel)[0]
    x = tf.reshape(x, [batch, -1, x.shape[-1]])
    first = np.concatenate([weights["cls_token"], weights["dist_token"]], 1)
    return tf.concat([tf.tile(first + weights["new_pos_embed"], [batch, 1, 1]), x], 1)


def block(x: tf.Tensor, weights: dict[str, np.ndarray], name: str, heads: int) -> tf.Tensor:
    """Compute a transformer block."""
    shape, dim = tf.shape(x), x.shape[-1]
    inner = linear(normalise(x, weights, name + "norm1.", _EPSILON), weights, name + "attn.qkv.")
    inner = tf.reshape(inner, [shape[0], shape[1], 3, heads, dim // heads])
    queries, keys, values = tf.unstack(tf.transpose(inner, [2, 0, 3, 1, 4]))
    scores = tf.matmul(queries, keys, transpose_b=True) * (dim // heads) ** -0.5
    inner = tf.transpose(tf.matmul(tf.nn.softmax(scores), values), [0, 2, 1, 3])
    inner = tf.reshape(inner, [shape[0], shape[1], dim])
    x = x + linear(inner, weights, name + "attn.proj.")
    inner = linear(normalise(x, weights, name + "norm2.", _EPSILON), weights, name + "mlp.fc1.")
    inner = inner * 0.5 * (1.0 + tf.math.erf(inner * 2**-0.5))
    return x + linear(inner, weights, name + "mlp.fc2.")


def linear(x: tf.Tensor, weights: dict[str, np.ndarray], name: str) -> tf.Tensor:
    """Multiply the last axis by a matrix and add the bias."""
    matrix = weights[name + "weight"].T.copy()
    outer = [*tf.unstack(tf.shape(x))[:-1], matrix.shape[1]]
    flat = tf.reshape(x, [-1, matrix.shape[0]])
    product = tf.reshape(tf.matmul(flat, matrix) + weights[name + "bias"], outer)
    product.set_shape([*x.shape[:-1], matrix.shape[1]])
    return product


def normalise(x: tf.Tensor, weights: dict[str, np.ndarray], name: str, epsilon: float) -> tf.Tensor:
    """Normalise the last axis."""
    mean, variance = tf.nn.moments(x, [-1], keepdims=True)
    scaled = (x - mean) * tf.math.rsqrt(variance + epsilon)
    return scaled * weights[name + "weight"] + weights[name + "bias"]


if __name__ == "__main__":
    main()
