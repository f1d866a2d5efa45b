// What OnnxPredict2D does once configured, the same in both modes.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "head.h"
#include "maest_setup.h"
#include "parameters.h"

namespace maest::plugin {

using Rows = std::vector<std::vector<essentia::Real>>;

// Immutable.
struct HeadSetup {
  std::shared_ptr<const Head> head;
  HeadFunction function;
  bool takes_tensors;
  int batch_size;  // 0 is all at once

  static const std::vector<ParameterDeclaration>& parameters();

  // Opens the head. Null when `graphFilename` is empty. Throws `Error`.
  static std::shared_ptr<const HeadSetup> read(const essentia::Configurable& source);
};

// Items gathered into batches, in the order that they come: both modes divide them alike, so that
// their results are the same to the bit.
class HeadBatches {
 public:
  explicit HeadBatches(std::shared_ptr<const HeadSetup> setup) : setup_(std::move(setup)) {}

  // Adds an item; when that fills a batch, computes it and appends its rows.
  void add(const float* values, const ItemShape& item, Rows& rows);

  // Adds each row of a matrix.
  void add_rows(const TNT::Array2D<essentia::Real>& matrix, Rows& rows);

  // Adds each segment of a tensor [segments, channels, rows, width].
  void add_segments(const EssentiaTensor& tensor, Rows& rows);

  // Computes what is left, while other Python threads run.
  void finish(Rows& rows);

 private:
  std::shared_ptr<const HeadSetup> setup_;
  std::vector<float> values_;
  ItemShape item_;
  std::int64_t count_ = 0;
};

}  // namespace maest::plugin
