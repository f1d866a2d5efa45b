#include "maest_standard.h"

#include <utility>

#include "python_host.h"

namespace maest::plugin {

StandardMaest::StandardMaest() {
  declareInput(signal_, "signal", "the input audio signal sampled at 16 kHz");
  declareOutput(predictions_, "predictions",
                "the output of the model named by `output` [patches, 1, rows, values]");
}

void StandardMaest::apply(std::shared_ptr<const MaestSetup> setup) {
  setup_ = std::move(setup);
  if (setup_) setup_->warn_if_untrained(_name);
}

void StandardMaest::compute() {
  if (!setup_) refuse_unconfigured();
  guarded(_name, [&] {
    // All that other threads may change meanwhile, if they share this object.
    const std::shared_ptr<const MaestSetup> setup = setup_;
    const std::vector<essentia::Real>& signal = signal_.get();
    EssentiaTensor& predictions = predictions_.get();

    WatchedPause pause;
    const Outputs outputs =
        extract(setup->extractor, setup->request, signal.data(), signal.size(), pause.watch());
    predictions = setup->to_tensor(outputs.front());
  });
}

}  // namespace maest::plugin
