// What OnnxPredictMAEST does once configured, the same in both modes.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "essentia_headers.h"
#include "parameters.h"
#include "stream.h"

namespace maest::plugin {

using EssentiaTensor = essentia::Tensor<essentia::Real>;

// Immutable.
struct MaestSetup {
  std::shared_ptr<const Extractor> extractor;
  Request request;
  int segments_per_tensor = 1;  // in streaming; 0 is all of them

  static const std::vector<ParameterDeclaration>& parameters();

  // Opens the model. Null when `graphFilename` is empty. Throws `Error`.
  static std::shared_ptr<const MaestSetup> read(const essentia::Configurable& source);

  // Says so through Essentia's log when the weights are random.
  void warn_if_untrained(const std::string& algorithm) const;

  Stream start() const;

  // [segments, 1, rows, dim]
  EssentiaTensor to_tensor(const Output& output) const;
};

}  // namespace maest::plugin
