#include "arguments.h"

#include <limits>

#include "error.h"

namespace maest::bindings {

namespace py = pybind11;

std::string shown(py::handle value) {
  constexpr std::size_t kMost = 200;
  std::string text = py::repr(value).cast<std::string>();
  if (text.size() > kMost) text = text.substr(0, kMost) + "...";
  return text;
}

int whole_number(py::handle value, const char* what) {
  if (!PyIndex_Check(value.ptr())) {
    throw InvalidArgument(message(what, " is ", shown(value), "; a whole number is wanted"));
  }
  const auto exact = py::reinterpret_steal<py::object>(PyNumber_Index(value.ptr()));
  if (!exact) throw py::error_already_set();
  int overflow = 0;
  const long long whole = PyLong_AsLongLongAndOverflow(exact.ptr(), &overflow);
  if (overflow != 0 || whole < std::numeric_limits<int>::min() ||
      whole > std::numeric_limits<int>::max()) {
    throw InvalidArgument(message(what, " is ", shown(value), ", which is out of all range"));
  }
  return static_cast<int>(whole);
}

double number(py::handle value, const char* what) {
  const double read = PyFloat_AsDouble(value.ptr());
  if (read == -1.0 && PyErr_Occurred() != nullptr) {
    PyErr_Clear();
    throw InvalidArgument(message(what, " is ", shown(value), "; a number is wanted"));
  }
  return read;
}

}  // namespace maest::bindings
