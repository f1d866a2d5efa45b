#include "model_info.h"

#include <cmath>
#include <optional>

#include "error.h"
#include "mel_config.h"
#include "text_numbers.h"

namespace maest {
namespace {

constexpr int kLargestSize = 1 << 20;  // of any size in a model file: beyond it the file is damaged

bool is_utf8(const std::string& text) {
  int continuations = 0;  // bytes that the current character still wants
  int lowest = 0x80;      // and what the next of them may be
  int highest = 0xBF;
  for (const char character : text) {
    const int byte = static_cast<unsigned char>(character);
    if (continuations > 0) {
      if (byte < lowest || byte > highest) return false;
      --continuations;
      lowest = 0x80;
      highest = 0xBF;
    } else if (byte >= 0x80) {
      if (byte < 0xC2 || byte > 0xF4) return false;
      continuations = byte < 0xE0 ? 1 : byte < 0xF0 ? 2 : 3;
      // No longer form than needed, no surrogates, nothing past U+10FFFF.
      if (byte == 0xE0) lowest = 0xA0;
      if (byte == 0xED) highest = 0x9F;
      if (byte == 0xF0) lowest = 0x90;
      if (byte == 0xF4) highest = 0x8F;
    }
  }
  return continuations == 0;
}

// Reads `maest.*` entries; a missing or unreadable one is a ModelError naming it.
class Metadata {
 public:
  explicit Metadata(const Session& session) : session_(session) {}

  std::string text(const std::string& key) const {
    const auto value = session_.metadata("maest." + key);
    if (!value) {
      throw ModelError(message("model file '", session_.path(),
                               "' lacks the metadata entry 'maest.", key,
                               "': it is damaged, convert it again with `maest convert`"));
    }
    if (!is_utf8(*value)) {
      throw ModelError(message("model file '", session_.path(), "': the metadata entry 'maest.",
                               key, "' is not UTF-8 text: the file is damaged"));
    }
    return *value;
  }

  double number(const std::string& key) const {
    const std::string value = text(key);
    const std::optional<double> parsed = parse_number(value);
    if (!parsed || !std::isfinite(*parsed)) refuse(key, value, "a finite number");
    return *parsed;
  }

  int size(const std::string& key) const {
    const double value = number(key);
    if (value < 1 || value > kLargestSize || value != std::floor(value)) {
      refuse(key, text(key), message("a whole number from 1 to ", kLargestSize));
    }
    return static_cast<int>(value);
  }

  template <typename Value>
  void require(const std::string& key, const Value& wanted) const {
    const std::string wanted_text = message(wanted);
    if (text(key) != wanted_text) refuse(key, text(key), "'" + wanted_text + "'");
  }

  [[noreturn]] void refuse(const std::string& key, const std::string& found,
                           const std::string& wanted) const {
    throw ModelError(message("model file '", session_.path(), "' says maest.", key, " = '", found,
                             "'; this version of essentia-maest wants ", wanted));
  }

 private:
  const Session& session_;
};

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  if (text.empty()) return lines;
  std::size_t begin = 0;
  for (;;) {
    const std::size_t end = text.find('\n', begin);
    lines.push_back(text.substr(begin, end - begin));
    if (end == std::string::npos) return lines;
    begin = end + 1;
  }
}

// -1 in `wanted` stands for any size.
void require_port(const Session& session, const Port* port, const std::string& role,
                  ElementType type, const std::vector<std::int64_t>& wanted) {
  if (port == nullptr) {
    throw ModelError(message("model file '", session.path(), "' has no ", role));
  }
  bool fits = port->type == type && port->shape.size() == wanted.size();
  for (std::size_t i = 0; fits && i < wanted.size(); ++i) {
    fits = wanted[i] < 0 || port->shape[i] == wanted[i];
  }
  if (!fits) {
    const char* wanted_type = type == ElementType::float32 ? "float32" : "int64";
    const char* found_type = port->type == ElementType::float32 ? "float32"
                             : port->type == ElementType::int64 ? "int64"
                                                                : "another type";
    throw ModelError(message("model file '", session.path(), "': ", role, " is ", found_type, " ",
                             shape_text(port->shape), ", wanted is ", wanted_type, " ",
                             shape_text(wanted)));
  }
}

ModelInfo read_own_format(const Session& session) {
  const Metadata metadata(session);
  metadata.require("format_version", kModelFormat);
  metadata.require("sample_rate", kSampleRate);
  metadata.require("frame_size", kFrameSize);
  metadata.require("hop_size", kHopSize);
  metadata.require("mel_bands", kMelBands);
  metadata.require("compression", kCompression);

  ModelInfo info;
  info.kind = GraphKind::patches;
  info.name = metadata.text("name");
  const std::string trained = metadata.text("trained");
  if (trained != "true" && trained != "false") {
    metadata.refuse("trained", trained, "'true' or 'false'");
  }
  info.trained = trained == "true";
  info.precision = metadata.text("precision");
  info.normalization_mean = static_cast<float>(metadata.number("normalization_mean"));
  info.normalization_divisor = static_cast<float>(metadata.number("normalization_divisor"));
  if (!(info.normalization_divisor > 0)) {
    metadata.refuse("normalization_divisor", metadata.text("normalization_divisor"),
                    "a positive number");
  }
  info.segment_frames = metadata.size("segment_frames");
  info.segment_hop_frames = metadata.size("segment_hop_frames");
  info.grid.patch_size = metadata.size("patch_size");
  info.grid.patch_stride = metadata.size("patch_stride");
  info.grid.rows = metadata.size("grid_rows");
  info.grid.columns = metadata.size("grid_columns");
  const int rows = patches_along(kMelBands, info.grid.patch_size, info.grid.patch_stride);
  const int columns =
      patches_along(info.segment_frames, info.grid.patch_size, info.grid.patch_stride);
  if (info.grid.rows > rows || info.grid.columns > columns) {
    throw ModelError(message("model file '", session.path(), "' says it has ", info.grid.rows,
                             " x ", info.grid.columns, " patches, but ", kMelBands, " bands and ",
                             info.segment_frames, " frames hold ", rows, " x ", columns));
  }
  info.depth = metadata.size("depth");
  info.dim = metadata.size("dim");
  info.labels = split_lines(metadata.text("labels"));
  info.classes = static_cast<int>(info.labels.size());
  info.license = metadata.text("license");
  info.source = metadata.text("source");
  info.source_sha256 = metadata.text("source_sha256");
  info.essentia_metadata = metadata.text("essentia_metadata");
  info.has_logits = info.has_activations = true;

  require_port(session, session.find_input("patches"), "input 'patches'", ElementType::float32,
               {-1, -1, info.grid.patch_values()});
  require_port(session, session.find_input("kept"), "input 'kept'", ElementType::int64, {-1});
  require_port(session, session.find_input("depth"), "input 'depth'", ElementType::int64, {});
  require_port(session, session.find_input("tap"), "input 'tap'", ElementType::int64, {});
  if (session.inputs().size() != 4) {
    throw ModelError(message("model file '", session.path(), "' has ", session.inputs().size(),
                             " inputs, wanted are 4: patches, kept, depth, tap"));
  }
  require_port(session, session.find_output("tokens"), "output 'tokens'", ElementType::float32,
               {-1, -1, info.dim});
  for (const char* name : {"logits", "activations"}) {
    require_port(session, session.find_output(name), message("output '", name, "'"),
                 ElementType::float32, {-1, info.classes});
  }
  return info;
}

// Essentia's official ONNX files carry no constants: those are the same for all of them.
ModelInfo read_official_format(const Session& session) {
  ModelInfo info;
  info.kind = GraphKind::melspectrogram;
  info.name = "essentia-official-onnx";
  info.precision = "fp32";
  info.normalization_mean = static_cast<float>(kNormalizationMean);
  info.normalization_divisor = static_cast<float>(kNormalizationDivisor);
  info.license = "CC BY-NC-SA 4.0";
  const Port* input = session.find_input("melspectrogram");
  require_port(session, input, "input 'melspectrogram'", ElementType::float32, {-1, -1, kMelBands});
  if (input->shape[1] < info.grid.patch_size || input->shape[1] > kLargestSize) {
    throw ModelError(message("model file '", session.path(), "' takes a melspectrogram ",
                             shape_text(input->shape),
                             "; a fixed number of frames is wanted: `maest convert` makes a file "
                             "that says it"));
  }
  info.segment_frames = static_cast<int>(input->shape[1]);
  info.segment_hop_frames = own_hop_frames(info.segment_frames);
  info.grid.rows = patches_along(kMelBands, info.grid.patch_size, info.grid.patch_stride);
  info.grid.columns =
      patches_along(info.segment_frames, info.grid.patch_size, info.grid.patch_stride);

  info.has_logits = session.find_output("logits") != nullptr;
  info.has_activations = session.find_output("activations") != nullptr;
  for (const char* name : {"activations", "logits"}) {
    const Port* port = session.find_output(name);
    if (port == nullptr) continue;
    require_port(session, port, message("output '", name, "'"), ElementType::float32, {-1, -1});
    info.classes = static_cast<int>(port->shape[1]);
  }
  if (info.classes < 1) {
    throw ModelError(message("model file '", session.path(),
                             "' takes a melspectrogram but has neither 'activations' nor 'logits' "
                             "with a fixed number of classes"));
  }
  while (const Port* port = session.find_output(info.tokens_output(info.depth + 1))) {
    require_port(session, port, "output '" + port->name + "'", ElementType::float32, {-1, -1, -1});
    info.dim = static_cast<int>(port->shape[2]);
    ++info.depth;
  }
  return info;
}

}  // namespace

int own_hop_frames(int segment_frames) {
  const std::int64_t seconds = std::int64_t{segment_frames} * kHopSize / kSampleRate;
  if (seconds < 1) return segment_frames;
  return static_cast<int>((seconds * kSampleRate + kHopSize - 1) / kHopSize);
}

std::string ModelInfo::tokens_output(int block) const {
  if (kind == GraphKind::patches) return "tokens";  // of the block that the input `tap` names
  return message("layer_", block - 1, "_tokens");   // their count starts at 0
}

ModelInfo read_model_info(const Session& session) {
  if (session.metadata("maest.format_version")) return read_own_format(session);
  if (session.find_input("melspectrogram") != nullptr && session.inputs().size() == 1) {
    return read_official_format(session);
  }
  std::string inputs;
  for (const Port& port : session.inputs()) {
    inputs += (inputs.empty() ? "'" : ", '") + port.name + "' " + shape_text(port.shape);
  }
  throw ModelError(message("'", session.path(),
                           "' is an ONNX file but not a MAEST model of essentia-maest (no metadata "
                           "entry 'maest.format_version'; inputs: ",
                           inputs, "); make one from a checkpoint with `maest convert`"));
}

}  // namespace maest
