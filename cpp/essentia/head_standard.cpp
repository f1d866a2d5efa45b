#include "head_standard.h"

#include <utility>

#include "error.h"
#include "head_description.h"

namespace maest::plugin {

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
    // All that other threads may change meanwhile, if they share this object.
    HeadBatches batches(setup_);
    const TNT::Array2D<essentia::Real>* matrix = setup_->takes_tensors ? nullptr : &matrix_.get();
    const EssentiaTensor* tensor = setup_->takes_tensors ? &tensor_.get() : nullptr;
    Rows& predictions = predictions_.get();

    Rows rows;
    if (tensor != nullptr) {
      batches.add_segments(*tensor, rows);
    } else {
      batches.add_rows(*matrix, rows);
    }
    batches.finish(rows);
    if (rows.empty()) throw InvalidArgument("the features are empty (0 rows)");
    predictions = std::move(rows);
  });
}

}  // namespace maest::plugin
