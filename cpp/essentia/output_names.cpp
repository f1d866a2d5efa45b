#include "output_names.h"

#include <optional>

#include "error.h"

namespace maest::plugin {
namespace {

constexpr int kPublishedDepth = 12;

// Takes `prefix` off the front of `text`.
bool take_prefix(std::string& text, const std::string& prefix) {
  if (text.compare(0, prefix.size(), prefix) != 0) return false;
  text.erase(0, prefix.size());
  return true;
}

bool take_suffix(std::string& text, const std::string& suffix) {
  if (text.size() < suffix.size()) return false;
  if (text.compare(text.size() - suffix.size(), suffix.size(), suffix) != 0) return false;
  text.erase(text.size() - suffix.size());
  return true;
}

// A number of at most four digits and nothing else; -1 for any other text.
int whole_number(const std::string& text) {
  if (text.empty() || text.size() > 4) return -1;
  int number = 0;
  for (const char digit : text) {
    if (digit < '0' || digit > '9') return -1;
    number = number * 10 + (digit - '0');
  }
  return number;
}

// The number after `separator`, 0 for an empty text, -1 for any other.
int index_after(const std::string& separator, std::string text) {
  if (text.empty()) return 0;
  return take_prefix(text, separator) ? whole_number(text) : -1;
}

// The outputs of a TensorFlow graph are numbered: a head's at each end, the blocks between.
std::optional<NamedOutput> numbered(int index, int depth, OutputKind first, OutputKind last) {
  if (index == 0) return NamedOutput{first, 0};
  if (index >= 1 && index <= depth) return NamedOutput{OutputKind::tokens, index};
  if (index == depth + 1) return NamedOutput{last, 0};
  return std::nullopt;
}

std::optional<NamedOutput> read(std::string name, int depth) {
  if (name == "activations") return NamedOutput{OutputKind::activations, 0};
  if (name == "logits") return NamedOutput{OutputKind::logits, 0};
  if (name == "embeddings") return NamedOutput{OutputKind::embeddings, 0};

  if (take_prefix(name, "StatefulPartitionedCall")) {
    return numbered(index_after(":", name), depth, OutputKind::activations, OutputKind::logits);
  }
  if (take_prefix(name, "PartitionedCall/Identity") || take_prefix(name, "Identity")) {
    take_suffix(name, ":0");
    return numbered(index_after("_", name), depth, OutputKind::logits, OutputKind::activations);
  }
  if (take_prefix(name, "layer_") && take_suffix(name, "_tokens")) {
    const int layer = whole_number(name);
    if (layer >= 0 && layer < depth) return NamedOutput{OutputKind::tokens, layer + 1};
  }
  return std::nullopt;
}

// The names that the model has, for a message.
std::string names(const ModelInfo& info, int depth) {
  std::string text;
  const auto add = [&text](const std::string& name) { text += (text.empty() ? "" : ", ") + name; };
  if (info.has_activations) {
    add(message("'activations' (or 'PartitionedCall/Identity_", depth + 1,
                "', 'StatefulPartitionedCall:0')"));
  }
  if (info.has_logits) {
    add(message("'logits' (or 'PartitionedCall/Identity', 'StatefulPartitionedCall:", depth + 1,
                "')"));
  }
  if (info.depth > 0) {
    add(message("'embeddings', or the tokens of a block: 'PartitionedCall/Identity_1' to '_", depth,
                "', 'StatefulPartitionedCall:1' to ':", depth, "', 'layer_0_tokens' to 'layer_",
                depth - 1, "_tokens'"));
  }
  return text;
}

}  // namespace

NamedOutput parse_output(const std::string& name, const ModelInfo& info) {
  const int depth = info.depth > 0 ? info.depth : kPublishedDepth;
  if (const auto found = read(name, depth)) return *found;
  throw InvalidArgument(message("output '", name, "' does not exist; wanted is ",
                                names(info, depth), ", which model '", info.name, "' has"));
}

}  // namespace maest::plugin
