// Numbers out of Python's arguments; what is none is refused in the engine's words.
#pragma once

#include <pybind11/pybind11.h>

#include <string>

namespace maest::bindings {

// As Python shows it, shortened.
std::string shown(pybind11::handle value);

// Throws `InvalidArgument` naming `what`.
int whole_number(pybind11::handle value, const char* what);
double number(pybind11::handle value, const char* what);

}  // namespace maest::bindings
