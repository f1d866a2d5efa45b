// The engine's exceptions become those of essentia_maest.errors.
#include <exception>
#include <string>

#include "error.h"
#include "register.h"

namespace maest::bindings {

namespace py = pybind11;

namespace {

void raise(const char* type, const Error& error) {
  const py::object python_type = py::module_::import("essentia_maest.errors").attr(type);
  // A message can quote what a damaged file holds: text or not.
  const std::string words = error.what();
  const auto text = py::reinterpret_steal<py::object>(
      PyUnicode_DecodeUTF8(words.data(), static_cast<Py_ssize_t>(words.size()), "replace"));
  PyErr_SetObject(python_type.ptr(), text.ptr());
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
    } catch (const AudioError& error) {
      raise("AudioFileError", error);
    } catch (const Stopped& error) {
      raise("StreamStoppedError", error);
    } catch (const Error& error) {
      raise("MaestError", error);
    }
  });
}

}  // namespace maest::bindings
