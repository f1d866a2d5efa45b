#include "registration.h"

#include <algorithm>
#include <string>
#include <vector>

#include "essentia_headers.h"
#include "head_description.h"
#include "head_standard.h"
#include "head_streaming.h"
#include "maest_description.h"
#include "maest_standard.h"
#include "maest_streaming.h"

namespace maest::plugin {
namespace {

// What a factory tells of an algorithm.
struct MaestFirst {
  static constexpr const char* name = kMaestName;
  static constexpr const char* category = kMachineLearning;
  static constexpr const char* const& description = kMaestDescription;
};

struct MaestSecond : MaestFirst {
  static constexpr const char* name = kMaestSecondName;
};

struct HeadFirst {
  static constexpr const char* name = kHeadName;
  static constexpr const char* category = kMachineLearning;
  static constexpr const char* const& description = kHeadDescription;
};

struct HeadSecond : HeadFirst {
  static constexpr const char* name = kHeadSecondName;
};

template <typename Factory, typename Algorithm, typename Entry>
void add_unless_taken() {
  const std::vector<std::string> names = Factory::keys();
  if (std::find(names.begin(), names.end(), Entry::name) != names.end()) return;
  const typename Factory::template Registrar<Algorithm, Entry> registrar;
}

template <typename Standard, typename Streaming, typename Entry>
void add_to_both() {
  add_unless_taken<essentia::standard::AlgorithmFactory, Standard, Entry>();
  add_unless_taken<essentia::streaming::AlgorithmFactory, Streaming, Entry>();
}

}  // namespace

void add_algorithms() {
  add_to_both<StandardMaest, StreamingMaest, MaestFirst>();
  add_to_both<StandardMaest, StreamingMaest, MaestSecond>();
  add_to_both<StandardHead, StreamingHead, HeadFirst>();
  add_to_both<StandardHead, StreamingHead, HeadSecond>();
}

}  // namespace maest::plugin
