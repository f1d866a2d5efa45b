// OnnxPredictMAEST in essentia::streaming: samples in, a tensor out for each patch that they
// complete.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "maest_setup.h"

namespace maest::plugin {

class StreamingMaest : public Configured<essentia::streaming::Algorithm, MaestSetup> {
 public:
  StreamingMaest();
  essentia::streaming::AlgorithmStatus process() override;
  void reset() override;

 protected:
  void apply(std::shared_ptr<const MaestSetup> setup) override;

 private:
  void start_signal();
  Stream& stream();
  void take_samples(int count);
  void end_signal();
  // Moves results that fill a tensor, or all when the signal has ended, to `ready_`.
  void collect(Outputs outputs);

  essentia::streaming::Sink<essentia::Real> signal_;
  essentia::streaming::Source<EssentiaTensor> predictions_;
  std::shared_ptr<const MaestSetup> setup_;
  // While a signal is under way: Essentia's Python never deletes some algorithms, and what is left
  // of one should be little.
  std::optional<Stream> stream_;
  std::optional<Output> collected_;  // results that do not fill a tensor yet
  std::deque<EssentiaTensor> ready_;
  std::int64_t samples_ = 0;  // taken of the signal
  bool ended_ = false;
};

}  // namespace maest::plugin
