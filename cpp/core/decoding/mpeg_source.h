// MPEG audio decoded by libsndfile's mpg123.
#pragma once

#include <memory>
#include <string>

#include "container.h"
#include "source.h"

namespace maest {

// As open_sndfile(), of containers that are "mpeg".
std::unique_ptr<Source> open_mpeg(const std::string& path, const Container& container);

}  // namespace maest
