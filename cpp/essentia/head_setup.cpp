#include "head_setup.h"

#include <algorithm>
#include <iterator>
#include <string>

#include "error.h"
#include "interruptible.h"
#include "model_cache.h"
#include "model_names.h"
#include "python_host.h"
#include "threads.h"

namespace maest::plugin {
namespace {

ModelCache<Head>& heads() {
  static ModelCache<Head> cache;
  return cache;
}

std::shared_ptr<const Head> open_head(const std::string& path, int threads) {
  const PythonPause pause;
  return heads().get(path, threads);
}

bool decide_type(const std::string& asked, const HeadFunction& function) {
  if (asked == "rows" && function.takes_segments()) {
    throw InvalidArgument(
        "`inputType` is 'rows', but the model takes whole segments; wanted is 'tensor'");
  }
  return asked == "tensor" || function.takes_segments();
}

}  // namespace

const std::vector<ParameterDeclaration>& HeadSetup::parameters() {
  static const std::vector<ParameterDeclaration> declarations = {
      {"graphFilename", "the name of the ONNX file", "", ""},
      {"input", "the name of the input node. Empty for the only one", "", ""},
      {"output",
       "the name of the node from which to retrieve the output. Empty for the only one, or else "
       "for `activations`, `predictions` or `probabilities`",
       "", ""},
      {"batchSize",
       "the number of rows (or of patches of a tensor) to compute at once. Set it to -1 or 0 to "
       "accumulate them and compute once at the end of the stream",
       "[-1,inf)", 1},
      {"inputType",
       "the type of the input `features`: `rows` (a matrix, or a stream of vectors) or `tensor` "
       "(as "
       "OnnxPredictMAEST gives). `auto` is rows for models with an input of rank 2 and tensor for "
       "those of rank 3 or 4",
       "{auto,rows,tensor}", "auto"},
      {"threads", "the number of threads to compute with. 0 for all CPUs this process may use",
       "[0,inf)", 0},
  };
  return declarations;
}

std::shared_ptr<const HeadSetup> HeadSetup::read(const essentia::Configurable& source) {
  const std::string name = source.parameter("graphFilename").toString();
  if (name.empty()) return nullptr;
  std::shared_ptr<const Head> head =
      open_head(find_model(name), checked_threads(source.parameter("threads").toInt()));
  const HeadFunction function(*head, source.parameter("input").toString(),
                              source.parameter("output").toString());
  const bool tensors = decide_type(source.parameter("inputType").toString(), function);
  const int batch_size = std::max(source.parameter("batchSize").toInt(), 0);
  return std::make_shared<const HeadSetup>(
      HeadSetup{std::move(head), function, tensors, batch_size});
}

void HeadBatches::add(const float* values, const ItemShape& item, Rows& rows) {
  setup_->function.require_fits(item);
  if (item != item_) {  // a shorter last patch
    finish(rows);
    item_ = item;
  }
  std::int64_t size = 1;
  for (const std::int64_t length : item) size *= length;
  values_.insert(values_.end(), values, values + size);
  ++count_;
  if (count_ == setup_->batch_size) finish(rows);
}

void HeadBatches::add_rows(const TNT::Array2D<essentia::Real>& matrix, Rows& rows) {
  for (int row = 0; row < matrix.dim1(); ++row) add(matrix[row], {matrix.dim2()}, rows);
}

void HeadBatches::add_segments(const EssentiaTensor& tensor, Rows& rows) {
  const ItemShape item = {tensor.dimension(1), tensor.dimension(2), tensor.dimension(3)};
  const std::int64_t stride = item[0] * item[1] * item[2];
  for (std::int64_t i = 0; i < tensor.dimension(0); ++i)
    add(tensor.data() + i * stride, item, rows);
}

void HeadBatches::finish(Rows& rows) {
  if (count_ == 0) return;
  Rows computed;
  {
    WatchedPause pause;
    Stop stop;
    const auto run = [&](std::size_t, const Stops& stops) {
      computed = setup_->function.run(values_.data(), count_, item_, stops);
    };
    compute_watched(1, 1, run, stop, pause.watch());
  }
  std::move(computed.begin(), computed.end(), std::back_inserter(rows));
  values_.clear();
  count_ = 0;
}

}  // namespace maest::plugin
