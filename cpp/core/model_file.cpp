#include "model_file.h"

#include <array>
#include <cstddef>
#include <cstdio>
#include <memory>

#include "error.h"

namespace maest {
namespace {

// The first bytes of a file.
struct Beginning {
  std::array<unsigned char, 16> bytes{};
  std::size_t count = 0;

  explicit Beginning(const std::string& path) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"),
                                                               std::fclose);
    if (file) count = std::fread(bytes.data(), 1, bytes.size(), file.get());
  }

  bool has(std::size_t position, unsigned char byte) const {
    return position < count && bytes[position] == byte;
  }
};

// Protocol buffers begin with the number and the type of their first field. An ONNX model begins
// with its version, an integer; a frozen TensorFlow graph with a node, a message that begins with
// the node's name.
bool is_frozen_graph(const Beginning& file) {
  constexpr unsigned char kFirstFieldText = 0x0A;
  if (!file.has(0, kFirstFieldText)) return false;
  std::size_t position = 1;  // of the length, whose bytes but the last have the highest bit set
  while (position < file.count && (file.bytes[position] & 0x80U) != 0) ++position;
  return file.has(position + 1, kFirstFieldText);
}

// TensorFlow's saved_model.pb begins with its version, which has always been 1, and a graph. No
// ONNX that is in use has version 1.
bool is_saved_model(const Beginning& file) {
  return file.has(0, 0x08) && file.has(1, 1) && file.has(2, 0x12);
}

}  // namespace

void refuse_tensorflow(const std::string& path) {
  const Beginning beginning(path);
  if (!is_frozen_graph(beginning) && !is_saved_model(beginning)) return;
  throw ModelError(message(
      "model file '", path,
      "' is TensorFlow's; wanted is an .onnx file. The same models are published as ONNX "
      "(https://essentia.upf.edu/models.html), `maest convert` makes faster ONNX files of their "
      "published checkpoints, and `maest fetch` brings either"));
}

}  // namespace maest
