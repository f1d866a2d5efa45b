#include "arrays.h"

#include <memory>
#include <utility>

namespace maest::bindings {

namespace py = pybind11;

py::array to_array(std::vector<float> values, std::vector<std::int64_t> shape) {
  auto owned = std::make_unique<std::vector<float>>(std::move(values));
  const float* data = owned->data();
  const py::capsule owner(owned.get(),
                          [](void* vector) { delete static_cast<std::vector<float>*>(vector); });
  owned.release();  // now the capsule's
  return py::array_t<float>(std::move(shape), data, owner);
}

py::tuple to_arrays(Outputs outputs) {
  py::tuple arrays(outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    std::vector<std::int64_t> shape = outputs[i].segment_shape;
    shape.insert(shape.begin(), outputs[i].segments);
    arrays[i] = to_array(std::move(outputs[i].values), std::move(shape));
  }
  return arrays;
}

}  // namespace maest::bindings
