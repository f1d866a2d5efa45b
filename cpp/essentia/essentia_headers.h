// Essentia's own headers, in the order that they need. Included as system headers: they are not
// ours to keep free of warnings.
#pragma once

#include <algorithmfactory.h>
#include <streaming/streamingalgorithm.h>
#include <tnt/tnt.h>

static_assert(EIGEN_DEFAULT_ALIGN_BYTES == 16 && EIGEN_MALLOC_ALREADY_ALIGNED == 1,
              "Eigen must allocate by plain malloc, as inside Essentia's wheels");
