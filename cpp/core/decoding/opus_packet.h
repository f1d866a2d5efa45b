// What the first bytes of an Opus packet say (RFC 6716, section 3.1).
#pragma once

#include <string_view>

namespace maest {

inline constexpr int kOpusRate = 48000;

// Samples of each channel at 48 kHz; 0: it is no packet that can be decoded. The first two bytes
// are enough.
int opus_packet_samples(std::string_view packet);

}  // namespace maest
