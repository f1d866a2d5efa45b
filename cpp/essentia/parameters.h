// Parameters declared once for both modes of an algorithm, and configuring that fails whole: an
// algorithm keeps its parameters and its state when it refuses new ones.
#pragma once

#include <string>
#include <vector>

#include "errors.h"
#include "essentia_headers.h"

namespace maest::plugin {

struct ParameterDeclaration {
  const char* name;
  const char* description;
  const char* range;
  essentia::Parameter default_value;
};

// `Base` is the standard or the streaming Algorithm; `Setup` is what configuring makes:
//   static const std::vector<ParameterDeclaration>& parameters();
//   static std::shared_ptr<const Setup> read(const essentia::Configurable& source);  // may throw
// A null pointer is an algorithm without a model.
template <typename Base, typename Setup>
class Configured : public Base {
 public:
  void declareParameters() override {
    for (const ParameterDeclaration& each : Setup::parameters()) {
      this->declareParameter(each.name, each.description, each.range, each.default_value);
    }
  }

  using Base::configure;

  void configure(const essentia::ParameterMap& parameters) override {
    const essentia::ParameterMap kept = this->_params;
    try {
      Base::configure(parameters);
    } catch (...) {
      this->_params = kept;
      throw;
    }
  }

  void configure() override {
    guarded(this->_name, [&] { apply(Setup::read(*this)); });
  }

 protected:
  // Takes `setup` over, or throws and changes nothing.
  virtual void apply(std::shared_ptr<const Setup> setup) = 0;

  [[noreturn]] void refuse_unconfigured() const {
    throw essentia::EssentiaException(
        this->_name + ": no model is configured; `graphFilename` must name an .onnx file");
  }
};

}  // namespace maest::plugin
