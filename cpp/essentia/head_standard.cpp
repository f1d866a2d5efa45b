#include "head_standard.h"

#include <utility>

#include "error.h"
#include "head_description.h"
#include "maest_description.h"

namespace maest::plugin {

const char* StandardHead::name = kHeadName;
const char* StandardHead::category = kMachineLearning;
const char* StandardHead::description = kHeadDescription;

StandardHead::StandardHead() {
  show_input(false);
  declareOutput(predictions_, kPredictions, kPredictionsDescription);
}

void StandardHead::show_input(bool tensors) {
  _inputs.clear();
  if (tensors) {
    declareInput(tensor_, kFeatures, kFeaturesDescription);
  } else {
    declareInput(matrix_, kFeatures, kFeaturesDescription);
  }
}

void StandardHead::apply(std::shared_ptr<const HeadSetup> setup) {
  setup_ = std::move(setup);
  show_input(setup_ && setup_->takes_tensors);
}

void StandardHead::compute() {
  if (!setup_) refuse_unconfigured();
  guarded(_name, [&] {
    Rows rows = setup_->takes_tensors ? compute_tensor() : compute_matrix();
    if (rows.empty()) throw InvalidArgument("the features are empty (0 rows)");
    predictions_.get() = std::move(rows);
  });
}

Rows StandardHead::compute_matrix() const {
  const TNT::Array2D<essentia::Real>& features = matrix_.get();
  HeadBatches batches(setup_);
  Rows rows;
  for (int row = 0; row < features.dim1(); ++row) {
    batches.add(features[row], {features.dim2()}, rows);
  }
  batches.finish(rows);
  return rows;
}

Rows StandardHead::compute_tensor() const {
  HeadBatches batches(setup_);
  Rows rows;
  batches.add_segments(tensor_.get(), rows);
  batches.finish(rows);
  return rows;
}

}  // namespace maest::plugin
