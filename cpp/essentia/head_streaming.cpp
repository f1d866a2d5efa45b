#include "head_streaming.h"

#include <iterator>
#include <utility>

#include "error.h"
#include "head_description.h"

namespace maest::plugin {

using essentia::streaming::AlgorithmStatus;

StreamingHead::StreamingHead() {
  show_input(false);
  declareOutput(predictions_, 1, kPredictions, kPredictionsDescription);
}

void StreamingHead::show_input(bool tensors) {
  _inputs.clear();
  if (tensors) {
    declareInput(tensors_, 1, kFeatures, kFeaturesDescription);
  } else {
    declareInput(vectors_, 1, kFeatures, kFeaturesDescription);
  }
}

bool StreamingHead::shows_tensors() const {
  return static_cast<const essentia::streaming::SinkBase*>(_inputs.front().second) == &tensors_;
}

void StreamingHead::require_unconnected() const {
  const essentia::streaming::SinkBase* shown = _inputs.front().second;
  if (shown->source() == nullptr) return;
  throw InvalidArgument(message("the input is connected and carries ",
                                shows_tensors() ? "tensors" : "vectors",
                                ", which the new model does not take; disconnect it first"));
}

void StreamingHead::apply(std::shared_ptr<const HeadSetup> setup) {
  const bool tensors = setup && setup->takes_tensors;
  if (tensors != shows_tensors()) {
    require_unconnected();
    show_input(tensors);
  }
  setup_ = std::move(setup);
  start_stream();
}

void StreamingHead::start_stream() {
  if (setup_) {
    batches_.emplace(setup_);
  } else {
    batches_.reset();
  }
  ready_.clear();
}

void StreamingHead::reset() {
  Algorithm::reset();
  start_stream();
}

AlgorithmStatus StreamingHead::process() {
  if (!setup_) refuse_unconfigured();
  return guarded(_name, [&] {
    if (!ready_.empty()) {
      if (!predictions_.acquire(1)) return essentia::streaming::NO_OUTPUT;
      predictions_.firstToken() = std::move(ready_.front());
      ready_.pop_front();
      predictions_.release(1);
      return essentia::streaming::OK;
    }
    if (take_features()) return essentia::streaming::OK;
    if (shouldStop()) {
      Rows rows;
      batches_->finish(rows);
      if (!rows.empty()) {
        std::move(rows.begin(), rows.end(), std::back_inserter(ready_));
        return essentia::streaming::OK;
      }
    }
    return essentia::streaming::NO_INPUT;
  });
}

bool StreamingHead::take_features() {
  Rows rows;
  if (setup_->takes_tensors) {
    if (!tensors_.acquire(1)) return false;
    batches_->add_segments(tensors_.firstToken(), rows);
    tensors_.release(1);
  } else {
    if (!vectors_.acquire(1)) return false;
    const std::vector<essentia::Real>& row = vectors_.firstToken();
    batches_->add(row.data(), {static_cast<std::int64_t>(row.size())}, rows);
    vectors_.release(1);
  }
  std::move(rows.begin(), rows.end(), std::back_inserter(ready_));
  return true;
}

}  // namespace maest::plugin
