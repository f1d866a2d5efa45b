// What is asked of a model, and what it comes to: keyword arguments of Python -> Request -> Plan.
#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "arguments.h"
#include "error.h"
#include "extractor.h"
#include "mel_frontend.h"
#include "register.h"

namespace maest::bindings {

namespace py = pybind11;

namespace {

std::vector<Pooling> read_tokens(const py::object& tokens) {
  if (py::isinstance<py::str>(tokens) || !py::isinstance<py::iterable>(tokens)) {
    throw InvalidArgument(
        message("tokens is ", shown(tokens), "; a sequence is wanted, such as ('cls', 'avg')"));
  }
  std::vector<Pooling> read;
  for (const py::handle token : tokens) {
    if (!py::isinstance<py::str>(token)) {
      throw InvalidArgument(
          message("token ", shown(token), " is no name; wanted is 'cls', 'dist' ", "or 'avg'"));
    }
    read.push_back(parse_pooling(token.cast<std::string>()));
  }
  return read;
}

// One number, or several.
void read_block(const py::object& block, Request& request) {
  if (block.is_none()) return;
  if (!py::isinstance<py::tuple>(block) && !py::isinstance<py::list>(block)) {
    request.block = whole_number(block, "block");
    return;
  }
  for (const py::handle one : block) request.blocks.push_back(whole_number(one, "a block"));
  if (request.blocks.empty()) {
    throw InvalidArgument("no block was asked for; wanted is a number, or several in a tuple");
  }
  request.block = request.blocks.front();
  if (request.blocks.size() == 1) request.blocks.clear();
}

// A name as in the paper, or kept rows and the time stride.
Patchout read_patchout(const py::object& patchout) {
  if (py::isinstance<py::str>(patchout)) return parse_patchout(patchout.cast<std::string>());
  if (!py::isinstance<py::tuple>(patchout) || py::len(patchout) != 2 ||
      !py::isinstance<py::iterable>(patchout[py::int_(0)])) {
    throw InvalidArgument(message("patchout is ", shown(patchout), "; wanted is a name such as ",
                                  "'F3T5', or kept rows and a time stride"));
  }
  Patchout read;
  for (const py::handle row : patchout[py::int_(0)]) {
    read.kept_rows.push_back(whole_number(row, "a patch row"));
  }
  if (read.kept_rows.empty()) {
    throw InvalidArgument("patchout keeps no patch row; at least one is wanted");
  }
  read.time_stride = whole_number(patchout[py::int_(1)], "patchout's stride");
  return read;
}

double read_hop(const py::object& hop) {
  if (hop.is_none()) return 0;  // which Request takes as the model's own
  const double seconds = number(hop, "hop");
  if (!(seconds > 0)) {
    throw InvalidArgument(message("hop is ", seconds, " seconds; more than 0 is wanted"));
  }
  return seconds;
}

int read_batch_size(const py::object& batch_size) {
  if (batch_size.is_none()) return 0;  // which Request takes as one per thread
  const int segments = whole_number(batch_size, "batch_size");
  if (segments < 1) {
    throw InvalidArgument(message("batch_size is ", segments, "; 1 or more is wanted"));
  }
  return segments;
}

// What is not given is as Request has it: the engine's defaults are Python's.
Request make_request(const std::vector<OutputKind>& outputs, const py::object& block,
                     const std::optional<py::object>& tokens,
                     const std::optional<py::object>& patchout, const py::object& hop,
                     const std::optional<std::string>& tail, const py::object& batch_size) {
  Request request;
  request.outputs = outputs;
  read_block(block, request);
  if (tokens) request.pooling = read_tokens(*tokens);
  if (patchout) request.patchout = read_patchout(*patchout);
  request.hop_seconds = read_hop(hop);
  if (tail) request.tail = parse_tail(*tail);
  request.batch_size = read_batch_size(batch_size);
  require_possible(request);
  return request;
}

py::tuple token_names(const Request& request) {
  py::tuple names(request.pooling.size());
  for (std::size_t i = 0; i < request.pooling.size(); ++i) {
    names[i] = kPoolingNames[static_cast<std::size_t>(request.pooling[i])];
  }
  return names;
}

py::object patchout_given(const Request& request) {
  const Patchout& patchout = request.patchout;
  if (patchout.kept_rows.empty()) return py::str(patchout_name(patchout));
  return py::make_tuple(py::tuple(py::cast(patchout.kept_rows)), patchout.time_stride);
}

template <typename Value>
py::object unless_zero(Value value) {
  return value == 0 ? py::object(py::none()) : py::cast(value);
}

py::tuple to_shapes(const std::vector<std::vector<std::int64_t>>& shapes) {
  py::tuple tuples(shapes.size());
  for (std::size_t i = 0; i < shapes.size(); ++i) tuples[i] = py::tuple(py::cast(shapes[i]));
  return tuples;
}

// Ascending, without repeats: the rows, or the columns, of the kept patches.
template <typename Coordinate>
py::tuple kept_along(const Plan& plan, const Coordinate& coordinate) {
  std::vector<std::int64_t> found;
  for (const std::int64_t patch : plan.kept) found.push_back(coordinate(patch));
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return py::tuple(py::cast(found));
}

py::array_t<double> start_seconds(const Plan& plan, std::int64_t segments, std::int64_t first) {
  if (segments < 0 || first < 0) {
    throw InvalidArgument(
        message("segments is ", segments, " and first is ", first, "; 0 or more is wanted"));
  }
  py::array_t<double> starts(segments);
  for (std::int64_t i = 0; i < segments; ++i) {
    starts.mutable_at(i) = frames_to_seconds(plan.start_frame(first + i));
  }
  return starts;
}

void register_plan(py::module_& module) {
  py::class_<Plan>(module, "Plan")
      .def_readonly("request", &Plan::request)
      .def_readonly("segment_frames", &Plan::segment_frames)
      .def_property_readonly(
          "segment_seconds",
          [](const Plan& plan) { return frames_to_seconds(plan.segment_frames); })
      .def_readonly("hop_frames", &Plan::hop_frames)
      .def_property_readonly("hop_seconds",
                             [](const Plan& plan) { return frames_to_seconds(plan.hop_frames); })
      .def_readonly("depth", &Plan::depth)
      .def_readonly("batch_size", &Plan::batch_size)
      .def_property_readonly("kept_patches", [](const Plan& plan) { return plan.kept.size(); })
      .def_property_readonly("kept_rows",
                             [](const Plan& plan) {
                               return kept_along(
                                   plan, [&](std::int64_t patch) { return patch / plan.columns; });
                             })
      .def_property_readonly("kept_columns",
                             [](const Plan& plan) {
                               return kept_along(
                                   plan, [&](std::int64_t patch) { return patch % plan.columns; });
                             })
      .def_property_readonly("output_shapes",
                             [](const Plan& plan) { return to_shapes(plan.segment_shapes); })
      .def("start_seconds", &start_seconds, py::arg("segments"), py::arg("first") = 0);
}

}  // namespace

void register_request(py::module_& module) {
  py::class_<Request>(module, "Request")
      .def(py::init(&make_request), py::kw_only(),
           py::arg("outputs") = std::vector<OutputKind>{OutputKind::activations},
           py::arg("block") = py::none(), py::arg("tokens") = py::none(),
           py::arg("patchout") = py::none(), py::arg("hop") = py::none(),
           py::arg("tail") = py::none(), py::arg("batch_size") = py::none())
      .def_property_readonly(
          "outputs", [](const Request& request) { return py::tuple(py::cast(request.outputs)); })
      .def_readonly("block", &Request::block)
      .def_property_readonly(
          "blocks", [](const Request& request) { return py::tuple(py::cast(request.blocks)); })
      .def_property_readonly("tokens", &token_names)
      .def_property_readonly("patchout", &patchout_given)
      .def_property_readonly(
          "hop", [](const Request& request) { return unless_zero(request.hop_seconds); })
      .def_property_readonly(
          "tail",
          [](const Request& request) { return kTailNames[static_cast<std::size_t>(request.tail)]; })
      .def_property_readonly(
          "batch_size", [](const Request& request) { return unless_zero(request.batch_size); });
  register_plan(module);
}

}  // namespace maest::bindings
