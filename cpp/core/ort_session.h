// One model file opened by ONNX Runtime: tensors in, tensors out.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels.h"
#include "stop.h"

namespace maest {

// `none` is what is no tensor: a sequence or a map.
enum class ElementType { float32, int64, float64, text, other, none };

// An input or output of the graph; -1 is a dimension known only at run time.
struct Port {
  std::string name;
  ElementType type;
  std::vector<std::int64_t> shape;
};

// "[1, any, 768]".
std::string shape_text(const std::vector<std::int64_t>& shape);

// A tensor that the caller owns and keeps alive during `Session::run`.
struct TensorView {
  const char* name;
  ElementType type;
  const void* data;
  std::vector<std::int64_t> shape;
};

// A float32 tensor that ONNX Runtime computed; freed with this object.
class Tensor {
 public:
  explicit Tensor(void* value);
  ~Tensor();
  Tensor(Tensor&& other) noexcept;
  Tensor& operator=(Tensor&&) = delete;
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;

  const float* data() const { return data_; }
  const std::vector<std::int64_t>& shape() const { return shape_; }

 private:
  void* value_;
  const float* data_;
  std::vector<std::int64_t> shape_;
};

// In a process forked from the one that opened it, a session works on: with one thread as it is,
// else after opening the file anew at the first use, since a fork copies no threads. Such a child
// releases nothing of it.
class Session {
 public:
  // Throws `ModelError` when the file is missing or is not a graph that ONNX Runtime runs.
  // `threads` bounds the threads that one run uses, the calling one included.
  Session(const std::string& path, int threads);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const std::string& path() const { return path_; }
  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<Port>& outputs() const { return outputs_; }
  const Port* find_input(const std::string& name) const;
  const Port* find_output(const std::string& name) const;

  // The value of `key` in the file's metadata_props.
  std::optional<std::string> metadata(const std::string& key) const;

  // Operators of ours, and how many of the graph's nodes each computes.
  std::vector<OperatorUse> operators() const;

  // Safe to call from several threads at once. Outputs come in the order of `output_names` and are
  // float32. Throws `ModelError` when ONNX Runtime refuses, or when the file is to be opened anew
  // but is another one by now; `Stopped` when one of `stops` has ended it.
  std::vector<Tensor> run(const std::vector<TensorView>& inputs,
                          const std::vector<std::string>& output_names,
                          const Stops& stops = {}) const;

 private:
  struct Handles;
  std::unique_ptr<Handles> open() const;
  const Handles& handles() const;

  std::string path_;
  int threads_;
  mutable std::atomic<Handles*> handles_;
  std::vector<Port> inputs_;
  std::vector<Port> outputs_;
};

}  // namespace maest
