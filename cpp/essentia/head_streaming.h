// OnnxPredict2D in essentia::streaming: vectors or tensors in, a vector out for each row or patch.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "head_setup.h"

namespace maest::plugin {

class StreamingHead : public Configured<essentia::streaming::Algorithm, HeadSetup> {
 public:
  StreamingHead();
  essentia::streaming::AlgorithmStatus process() override;
  void reset() override;

 protected:
  void apply(std::shared_ptr<const HeadSetup> setup) override;

 private:
  // Essentia has no port of two types: there are two, and one of them is on show.
  void show_input(bool tensors);
  bool shows_tensors() const;
  void require_unconnected() const;
  // False when there is none.
  bool take_features();
  void start_stream();

  essentia::streaming::Sink<std::vector<essentia::Real>> vectors_;
  essentia::streaming::Sink<EssentiaTensor> tensors_;
  essentia::streaming::Source<std::vector<essentia::Real>> predictions_;
  std::shared_ptr<const HeadSetup> setup_;
  std::optional<HeadBatches> batches_;
  std::deque<std::vector<essentia::Real>> ready_;
};

}  // namespace maest::plugin
