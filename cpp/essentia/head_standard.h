// OnnxPredict2D in essentia::standard: a matrix or a tensor in, rows out.
#pragma once

#include <memory>

#include "head_setup.h"

namespace maest::plugin {

class StandardHead : public Configured<essentia::standard::Algorithm, HeadSetup> {
 public:
  StandardHead();
  void compute() override;

 protected:
  void apply(std::shared_ptr<const HeadSetup> setup) override;

 private:
  // Essentia has no port of two types: there are two, and one of them is on show.
  void show_input(bool tensors);

  essentia::standard::Input<TNT::Array2D<essentia::Real>> matrix_;
  essentia::standard::Input<EssentiaTensor> tensor_;
  essentia::standard::Output<Rows> predictions_;
  std::shared_ptr<const HeadSetup> setup_;
};

}  // namespace maest::plugin
