// What a `graphFilename` stands for: a file, or a name that the host program knows a model by.
#pragma once

#include <string>

#include "plugin.h"

namespace maest::plugin {

// Null: names stand for nothing.
void set_model_finder(EssentiaMaestFindModel find);

// The path of the model file. Throws `ModelError`.
std::string find_model(const std::string& name);

}  // namespace maest::plugin
