#include "head.h"

#include <pybind11/stl.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "arguments.h"
#include "arrays.h"
#include "interruptible.h"
#include "register.h"
#include "threads.h"
#include "unlocked.h"

namespace maest::bindings {

namespace py = pybind11;

namespace {

using Values = py::array_t<float, py::array::c_style>;
using Rows = std::vector<std::vector<float>>;

// A head, and which of its inputs and outputs are used.
class BoundHead {
 public:
  BoundHead(const std::string& path, int threads, const std::string& output)
      : head_(path, threads), function_(head_, "", output) {
    input_ = head_.find_input("");
    output_ = head_.find_output(output);
  }

  const Head& head() const { return head_; }
  const HeadFunction& function() const { return function_; }
  const Port& input() const { return input_; }
  const Port& output() const { return output_; }

 private:
  Head head_;
  HeadFunction function_;
  Port input_;
  Port output_;
};

std::unique_ptr<BoundHead> open(const std::string& path, const py::object& threads,
                                const std::string& output) {
  const int count = checked_threads(whole_number(threads, "num_threads"));
  const Unlocked unlocked;
  return std::make_unique<BoundHead>(path, count, output);
}

// `values` is [count, values] or, for a head that takes whole segments, [count, rows, values].
py::array predict(const BoundHead& head, const Values& values) {
  const auto count = static_cast<std::int64_t>(values.shape(0));
  ItemShape item;
  for (py::ssize_t i = 1; i < values.ndim(); ++i) item.push_back(values.shape(i));
  const float* data = values.data();
  Rows rows;
  {
    SignalWatch signals;
    const Unlocked unlocked;
    Stop stop;
    const auto run = [&](std::size_t, const Stops& stops) {
      rows = head.function().run(data, count, item, stops);
    };
    compute_watched(1, 1, run, stop, signals.watch());
  }
  const std::size_t width = rows.empty() ? 0 : rows.front().size();
  std::vector<float> flat;
  flat.reserve(rows.size() * width);
  for (const std::vector<float>& row : rows) flat.insert(flat.end(), row.begin(), row.end());
  return to_array(std::move(flat), {count, static_cast<std::int64_t>(width)});
}

}  // namespace

void register_head(py::module_& module) {
  module.attr("HEAD_LABELS_KEY") = kHeadLabelsKey;
  py::class_<BoundHead>(module, "Head")
      .def(py::init(&open), py::arg("path"), py::arg("threads"), py::arg("output"))
      .def_property_readonly("input_name", [](const BoundHead& self) { return self.input().name; })
      .def_property_readonly("input_shape",
                             [](const BoundHead& self) { return self.input().shape; })
      .def_property_readonly("output_name",
                             [](const BoundHead& self) { return self.output().name; })
      .def_property_readonly("output_shape",
                             [](const BoundHead& self) { return self.output().shape; })
      .def_property_readonly("labels", [](const BoundHead& self) { return self.head().labels(); })
      .def("metadata", [](const BoundHead& self,
                          const std::string& key) { return self.head().session().metadata(key); })
      .def("predict", &predict, py::arg("values"));
}

}  // namespace maest::bindings
