// A small model on top of embeddings, opened once and shared: rows in, rows out.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "ort_session.h"

namespace maest {

// Where `maest head fit` puts the names of the classes, one a line.
inline constexpr char kHeadLabelsKey[] = "maest.head.labels";

// Values of one item that a head predicts from: [width], or [channels, rows, width] for a segment
// of a Tensor.
using ItemShape = std::vector<std::int64_t>;

class Head {
 public:
  // Throws `ModelError`, `InvalidArgument`.
  Head(const std::string& path, int threads);

  const Session& session() const { return session_; }

  // The only input, or the one called `name`: float32 of rank 2 to 4, one item or any number of
  // them at a time. Throws `InvalidArgument` naming what the file has.
  const Port& find_input(const std::string& name) const;

  // The output called `name`; or the only float32 one; or the one called activations, predictions
  // or probabilities. Throws `InvalidArgument` naming what the file has.
  const Port& find_output(const std::string& name) const;

  // Names of the classes, in the order of the outputs; empty in a file that `maest head fit` did
  // not write.
  std::vector<std::string> labels() const;

 private:
  Session session_;
};

// One of a head's inputs with one of its outputs.
class HeadFunction {
 public:
  HeadFunction(const Head& head, const std::string& input, const std::string& output);

  // Whether an item is a whole segment rather than a row: the input has rank 3 or 4.
  bool takes_segments() const { return input_.shape.size() > 2; }

  // Throws `InvalidArgument` when items of this shape do not fit the input.
  void require_fits(const ItemShape& item) const;

  // `values` is [count, item...]. Returns one row per item. Throws `InvalidArgument`, `ModelError`,
  // `Stopped`.
  std::vector<std::vector<float>> run(const float* values, std::int64_t count,
                                      const ItemShape& item, const Stops& stops) const;

 private:
  // The shape of `count` items as the graph's input wants them.
  std::vector<std::int64_t> input_shape(std::int64_t count, const ItemShape& item) const;
  void run_batch(const float* values, std::int64_t count, const ItemShape& item, const Stops& stops,
                 std::vector<std::vector<float>>& rows) const;

  const Head& head_;
  const Port& input_;
  const Port& output_;
};

}  // namespace maest
