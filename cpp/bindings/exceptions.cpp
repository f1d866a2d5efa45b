// The engine's exceptions become those of essentia_maest.errors.
#include <exception>

#include "error.h"
#include "register.h"

namespace maest::bindings {

namespace py = pybind11;

namespace {

void raise(const char* type, const Error& error) {
  const py::object python_type = py::module_::import("essentia_maest.errors").attr(type);
  py::set_error(python_type, error.what());
}

}  // namespace

void register_exceptions(py::module_&) {
  py::register_local_exception_translator([](std::exception_ptr pointer) {
    try {
      if (pointer) std::rethrow_exception(pointer);
    } catch (const InvalidArgument& error) {
      raise("InvalidArgumentError", error);
    } catch (const ModelError& error) {
      raise("ModelError", error);
    } catch (const RuntimeUnavailable& error) {
      raise("OnnxRuntimeError", error);
    } catch (const Error& error) {
      raise("MaestError", error);
    }
  });
}

}  // namespace maest::bindings
