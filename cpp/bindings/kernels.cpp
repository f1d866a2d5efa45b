// What computes: the engine's kernels, and ONNX Runtime.
#include "kernels.h"

#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "cpu.h"
#include "ort_library.h"
#include "register.h"

namespace maest::bindings {

namespace py = pybind11;

namespace {

py::dict kernels() {
  const KernelNames names = kernels_for(default_isa());
  py::dict told;
  told["isa"] = names.isa;
  told["mel"] = names.mel;
  told["gelu"] = names.gelu;
  told["attention"] = names.attention;
  told["rows"] = names.rows;
  return told;
}

py::tuple instruction_sets() {
  std::vector<std::string> names;
  for (const Isa isa : runnable_isas()) names.emplace_back(isa_name(isa));
  return py::tuple(py::cast(names));
}

py::str file_name(const std::string& path) {
  return py::reinterpret_steal<py::str>(
      PyUnicode_DecodeFSDefaultAndSize(path.data(), static_cast<Py_ssize_t>(path.size())));
}

}  // namespace

void register_kernels(py::module_& module) {
  module.def("kernels", &kernels);
  module.def("instruction_sets", &instruction_sets);
  module.def("set_ort_library", &set_ort_library);
  module.def("ort_version", [] { return ort_library().version; });
  module.def("ort_library", [] { return file_name(ort_library().path); });
  module.attr("OLDEST_ORT") = "1." + std::to_string(kOldestOrtMinor);
  module.attr("OPERATOR_DOMAIN") = kOperatorDomain;
}

}  // namespace maest::bindings
