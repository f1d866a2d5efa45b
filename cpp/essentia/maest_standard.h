// OnnxPredictMAEST in essentia::standard: a whole signal in, one tensor out.
#pragma once

#include <memory>
#include <vector>

#include "maest_setup.h"

namespace maest::plugin {

class StandardMaest : public Configured<essentia::standard::Algorithm, MaestSetup> {
 public:
  StandardMaest();
  void compute() override;

 protected:
  void apply(std::shared_ptr<const MaestSetup> setup) override;

 private:
  essentia::standard::Input<std::vector<essentia::Real>> signal_;
  essentia::standard::Output<EssentiaTensor> predictions_;
  std::shared_ptr<const MaestSetup> setup_;
};

}  // namespace maest::plugin
