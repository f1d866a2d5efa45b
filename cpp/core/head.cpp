#include "head.h"

#include <algorithm>

#include "error.h"

namespace maest {
namespace {

std::string type_text(const Port& port) {
  switch (port.type) {
    case ElementType::float32:
      return "float32 " + shape_text(port.shape);
    case ElementType::int64:
      return "int64 " + shape_text(port.shape);
    case ElementType::float64:
      return "float64 " + shape_text(port.shape);
    case ElementType::text:
      return "text " + shape_text(port.shape);
    case ElementType::none:
      return "which is no tensor but a sequence or a map";
    default:
      return "of another type " + shape_text(port.shape);
  }
}

std::string list(const std::vector<Port>& ports) {
  std::string text;
  for (const Port& port : ports) {
    text += (text.empty() ? "'" : ", '") + port.name + "' " + type_text(port);
  }
  return text;
}

bool has_type(const std::vector<Port>& ports, ElementType type) {
  return std::any_of(ports.begin(), ports.end(),
                     [type](const Port& port) { return port.type == type; });
}

// What to do where no output is float32: skl2onnx writes such files unless it is told otherwise.
std::string output_advice(const std::vector<Port>& ports) {
  if (has_type(ports, ElementType::none)) {
    return "; skl2onnx gives a tensor with options={'zipmap': False}, for one classifier of all "
           "classes";
  }
  if (has_type(ports, ElementType::float64)) {
    return "; skl2onnx gives float32 for inputs declared as FloatTensorType([None, values])";
  }
  return "";
}

// Where ONNX Runtime is older than what wrote the file.
std::string load_advice(std::string reason, const std::string& path) {
  if (const std::size_t named = reason.find(path); named != std::string::npos) {
    reason.erase(named, path.size());
  }
  if (reason.find("opset") == std::string::npos && reason.find("IR version") == std::string::npos) {
    return "";
  }
  return "; write the file for an earlier version (skl2onnx: target_opset={'': 17, "
         "'ai.onnx.ml': 3}; torch.onnx.export: opset_version=17), or install a newer onnxruntime";
}

std::int64_t product(const ItemShape& shape) {
  std::int64_t values = 1;
  for (const std::int64_t size : shape) values *= size;
  return values;
}

}  // namespace

Head::Head(const std::string& path, int threads) try : session_(path, threads) {
} catch (const ModelError& error) {
  const std::string reason = error.what();
  throw ModelError(reason + load_advice(reason, path));
}

const Port& Head::find_input(const std::string& name) const {
  const std::vector<Port>& ports = session_.inputs();
  const std::string inputs = message("'", session_.path(), "' has the inputs ", list(ports));
  if (!name.empty() && session_.find_input(name) == nullptr) {
    throw InvalidArgument(message("`input` is '", name, "', but ", inputs));
  }
  if (ports.size() != 1) throw InvalidArgument(message(inputs, "; a model with one is wanted"));
  const Port& port = ports.front();
  const std::size_t rank = port.shape.size();
  if (port.type != ElementType::float32 || rank < 2 || rank > 4) {
    throw InvalidArgument(message(
        inputs, "; wanted is float32 [any, values], [any, rows, values] or [any, 1, rows, values]",
        port.type == ElementType::float64
            ? "; skl2onnx gives that for inputs declared as FloatTensorType([None, values])"
            : ""));
  }
  if (port.shape[0] > 1) {
    throw InvalidArgument(message(inputs, ": its first dimension, the batch, is fixed at ",
                                  port.shape[0], "; wanted is any, or 1"));
  }
  return port;
}

const Port& Head::find_output(const std::string& name) const {
  const std::vector<Port>& ports = session_.outputs();
  const std::string outputs = message("'", session_.path(), "' has the outputs ", list(ports));
  if (!name.empty()) {
    const Port* port = session_.find_output(name);
    if (port == nullptr) throw InvalidArgument(message("`output` is '", name, "', but ", outputs));
    if (port->type != ElementType::float32) {
      throw InvalidArgument(message("`output` '", name, "' is not float32: ", outputs));
    }
    return *port;
  }
  const Port* only = nullptr;
  int count = 0;
  for (const Port& port : ports) {
    if (port.type != ElementType::float32) continue;
    only = &port;
    ++count;
  }
  if (count == 1) return *only;
  for (const char* usual : {"activations", "predictions", "probabilities"}) {
    const Port* port = session_.find_output(usual);
    if (port != nullptr && port->type == ElementType::float32) return *port;
  }
  throw InvalidArgument(message(outputs, "; `output` must name one that is float32",
                                count == 0 ? output_advice(ports) : ""));
}

std::vector<std::string> Head::labels() const {
  std::vector<std::string> labels;
  const std::string text = session_.metadata(kHeadLabelsKey).value_or("");
  for (std::size_t begin = 0; !text.empty() && begin <= text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    labels.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return labels;
}

HeadFunction::HeadFunction(const Head& head, const std::string& input, const std::string& output)
    : head_(head), input_(head.find_input(input)), output_(head.find_output(output)) {}

std::vector<std::int64_t> HeadFunction::input_shape(std::int64_t count,
                                                    const ItemShape& item) const {
  const std::int64_t values = product(item);
  const std::int64_t width = item.back();
  switch (input_.shape.size()) {
    case 2:
      return {count, values};
    case 3:
      return {count, width == 0 ? 0 : values / width, width};
    default:
      return {count, item.size() == 3 ? item[0] : 1, item[item.size() - 2], width};
  }
}

void HeadFunction::require_fits(const ItemShape& item) const {
  std::vector<std::int64_t> shape = input_shape(1, item);
  bool fits = product(item) > 0;
  for (std::size_t i = 1; fits && i < shape.size(); ++i) {
    fits = input_.shape[i] < 0 || input_.shape[i] == shape[i];
  }
  if (fits) return;
  shape[0] = -1;
  throw InvalidArgument(message("input '", input_.name, "' of '", head_.session().path(),
                                "' takes ", shape_text(input_.shape), ", but the features are ",
                                shape_text(shape)));
}

std::vector<std::vector<float>> HeadFunction::run(const float* values, std::int64_t count,
                                                  const ItemShape& item, const Stops& stops) const {
  require_fits(item);
  std::vector<std::vector<float>> rows;
  rows.reserve(static_cast<std::size_t>(count));
  const std::int64_t batch = input_.shape[0] == 1 ? 1 : count;
  for (std::int64_t begin = 0; begin < count; begin += batch) {
    run_batch(values + begin * product(item), batch, item, stops, rows);
  }
  return rows;
}

void HeadFunction::run_batch(const float* values, std::int64_t count, const ItemShape& item,
                             const Stops& stops, std::vector<std::vector<float>>& rows) const {
  const std::vector<Tensor> outputs = head_.session().run(
      {{input_.name.c_str(), ElementType::float32, values, input_shape(count, item)}},
      {output_.name}, stops);
  const std::vector<std::int64_t>& shape = outputs.front().shape();
  if (shape.empty() || shape[0] != count) {
    throw ModelError(message("output '", output_.name, "' of '", head_.session().path(), "' is ",
                             shape_text(shape), " for ", count,
                             " rows; its first dimension must be their number"));
  }
  const std::int64_t width = product(shape) / count;
  const float* data = outputs.front().data();
  for (std::int64_t i = 0; i < count; ++i) {
    rows.emplace_back(data + i * width, data + (i + 1) * width);
  }
}

}  // namespace maest
