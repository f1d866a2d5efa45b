#include "maest_setup.h"

#include <algorithm>
#include <string>

#include "error.h"
#include "mel_config.h"
#include "model_cache.h"
#include "model_names.h"
#include "output_names.h"
#include "python_host.h"

namespace maest::plugin {
namespace {

constexpr int kModelsOwn = -1;  // of patchSize and patchHopSize

ModelCache<Extractor>& extractors() {
  static ModelCache<Extractor> cache;
  return cache;
}

std::shared_ptr<const Extractor> open_extractor(const std::string& path, int threads) {
  const PythonPause pause;
  return extractors().get(path, threads);
}

void require_segment_frames(int asked, const ModelInfo& info) {
  if (asked == kModelsOwn || asked == info.segment_frames) return;
  throw InvalidArgument(message("`patchSize` is ", asked, ", but model '", info.name,
                                "' takes segments of ", info.segment_frames,
                                " frames; leave the parameter out"));
}

double hop_seconds(int frames, const ModelInfo& info) {
  if (frames == kModelsOwn) return 0;  // which Request takes as the model's own
  if (frames == 0) frames = info.segment_frames;
  return static_cast<double>(frames) * kHopSize / kSampleRate;
}

}  // namespace

const std::vector<ParameterDeclaration>& MaestSetup::parameters() {
  static const std::vector<ParameterDeclaration> declarations = {
      {"graphFilename",
       "the name of the model file: an .onnx file made by `maest convert`, or one of Essentia's "
       "official ONNX files. In Python also the name of a model that the package essentia_maest "
       "has, such as `default`",
       "", ""},
      {"input",
       "the name of the input node, kept so that scripts run unchanged: a model has a single input",
       "{melspectrogram,serving_default_melspectrogram}", "melspectrogram"},
      {"output",
       "what to retrieve: `activations` (probabilities of the classes), `logits`, `embeddings` "
       "(`tokens` of `block`), or the name of a node as in Essentia's files: "
       "`PartitionedCall/Identity` (logits), `PartitionedCall/Identity_1` to `_12` (all tokens of "
       "a block), `PartitionedCall/Identity_13` (activations), `StatefulPartitionedCall:n`, "
       "`layer_0_tokens` to `layer_11_tokens`",
       "", "activations"},
      {"patchHopSize",
       "the number of frames between the beginnings of adjacent patches. 0 to avoid overlap, -1 "
       "for "
       "the model's own",
       "[-1,inf)", kModelsOwn},
      {"patchSize",
       "the number of frames of a patch. It is the model's: any other number is refused. -1 to "
       "leave it to the model",
       "[-1,inf)", kModelsOwn},
      {"lastPatchMode",
       "what to do with the last frames: `repeat` them to fill the last patch, `discard` them, or "
       "`pad`: compute a shorter patch of what there is",
       "{discard,repeat,pad}", "discard"},
      {"batchSize",
       "the number of patches in each tensor that leaves in streaming mode. Set it to -1 or 0 for "
       "a single tensor at the end of the stream. It never changes a value; in standard mode there "
       "is always one tensor",
       "[-1,inf)", 1},
      {"patchout",
       "parts of a patch that are not given to the model, for speed (section 4.5 of [1]): F3 drops "
       "the first and the last two frequency rows, F4 the first and the last two pairs, Tk keeps "
       "one of every k time columns; F0 and T0 keep all",
       "", "F0T0"},
      {"block", "the transformer block whose tokens `output=embeddings` gives, from 1", "[1,inf)",
       7},
      {"tokens",
       "the rows of `output=embeddings`, in this order: the class token `cls`, the distillation "
       "token `dist`, the average of the signal tokens `avg`",
       "", std::vector<std::string>{"cls", "dist", "avg"}},
      {"threads", "the number of threads to compute with. 0 for all CPUs this process may use",
       "[0,inf)", 0},
  };
  return declarations;
}

std::shared_ptr<const MaestSetup> MaestSetup::read(const essentia::Configurable& source) {
  const std::string name = source.parameter("graphFilename").toString();
  if (name.empty()) return nullptr;

  auto setup = std::make_shared<MaestSetup>();
  setup->extractor = open_extractor(find_model(name), source.parameter("threads").toInt());
  const ModelInfo& info = setup->extractor->info();

  require_segment_frames(source.parameter("patchSize").toInt(), info);
  const NamedOutput output = parse_output(source.parameter("output").toString(), info);
  Request& request = setup->request;
  request.outputs = {output.kind};
  request.block = output.block > 0 ? output.block : source.parameter("block").toInt();
  request.pooling.clear();
  for (const std::string& token : source.parameter("tokens").toVectorString()) {
    request.pooling.push_back(parse_pooling(token));
  }
  request.patchout = parse_patchout(source.parameter("patchout").toString());
  request.hop_seconds = hop_seconds(source.parameter("patchHopSize").toInt(), info);
  request.tail = parse_tail(source.parameter("lastPatchMode").toString());
  request.any_tail = true;
  setup->segments_per_tensor = std::max(source.parameter("batchSize").toInt(), 0);
  setup->extractor->plan(request);  // refuses what does not fit the model, now rather than later
  return setup;
}

void MaestSetup::warn_if_untrained(const std::string& algorithm) const {
  if (extractor->info().trained) return;
  using namespace essentia;  // which the macro needs
  E_WARNING(algorithm << ": model '" << extractor->info().name
                      << "' has random weights: its output says nothing about the music");
}

Stream MaestSetup::start() const { return Stream(extractor, request); }

EssentiaTensor MaestSetup::to_tensor(const Output& output) const {
  const std::int64_t dim =
      output.kind == OutputKind::embeddings ? extractor->info().dim : output.segment_shape.back();
  std::int64_t values = 1;
  for (const std::int64_t size : output.segment_shape) values *= size;
  EssentiaTensor tensor(output.segments, 1, values / dim, dim);
  std::copy(output.values.begin(), output.values.end(), tensor.data());
  return tensor;
}

}  // namespace maest::plugin
