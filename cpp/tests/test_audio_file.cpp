// Files as they are heard, on sources made here: pieces, seeking, endings.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "decoding/audio_file.h"
#include "error.h"
#include "mel_config.h"
#include "throws.h"

using maest::AudioFile;
using maest::Block;
using maest::Ending;

namespace {

struct Part {
  std::size_t samples;
  int rate;
};

struct Make {
  explicit Make(std::vector<Part> parts_, std::int64_t promised_ = -1, std::string damage_ = "")
      : parts(std::move(parts_)), promised(promised_), damage(std::move(damage_)) {}
  std::vector<Part> parts;
  std::int64_t promised;
  std::string damage;
  bool seeks = false;
  bool skips = false;
  std::size_t block = 1152;
};

// A chirp, at rates that may change.
class Chirp : public maest::Source {
 public:
  explicit Chirp(Make make) : make_(std::move(make)) {
    facts_ = {"wav", "pcm_s16le",   "chirp", make_.parts.empty() ? 0 : make_.parts[0].rate,
              1,     make_.promised};
  }
  const maest::SourceFacts& facts() const override { return facts_; }
  Block next() override {
    while (part_ < make_.parts.size() && at_ >= make_.parts[part_].samples) {
      at_ = 0;
      ++part_;
    }
    if (part_ == make_.parts.size()) {
      damage_ = make_.damage;
      return {};
    }
    const Part& part = make_.parts[part_];
    const std::size_t count = std::min(make_.block, part.samples - at_);
    samples_.resize(count);
    for (std::size_t i = 0; i < count; ++i, ++at_) {
      const double seconds = static_cast<double>(at_) / part.rate;
      samples_[i] = static_cast<float>(std::sin(300.0 * seconds * (1.0 + seconds)));
    }
    return {samples_.data(), count, part.rate};
  }
  bool seek(std::int64_t sample) override {
    if (!make_.seeks) return false;
    part_ = 0;
    at_ = static_cast<std::size_t>(sample);  // anywhere, also past the end
    return true;
  }
  bool can_skip(maest::Skipping) const override { return make_.skips; }
  std::int64_t skip(std::int64_t samples, maest::Skipping) override {
    if (!make_.skips || part_ == make_.parts.size()) return 0;
    // By whole blocks.
    const auto block = static_cast<std::int64_t>(make_.block);
    const auto left = static_cast<std::int64_t>(make_.parts[part_].samples - at_);
    const std::int64_t some = std::min(samples, left) / block * block;
    at_ += static_cast<std::size_t>(some);
    return some;
  }
  const std::string& damage() const override { return damage_; }

 private:
  Make make_;
  maest::SourceFacts facts_;
  std::vector<float> samples_;
  std::size_t part_ = 0;
  std::size_t at_ = 0;
  std::string damage_;
};

AudioFile open(const Make& make, bool cut = false) {
  return AudioFile([make] { return std::make_unique<Chirp>(make); }, {cut, cut ? 50000 : -1});
}

std::vector<float> read(AudioFile& file, std::size_t count) {
  std::vector<float> samples(count);
  samples.resize(file.read(samples.data(), count));
  return samples;
}

std::vector<float> rest(AudioFile& file, std::size_t piece = 3001) {
  std::vector<float> all;
  for (std::vector<float> some = read(file, piece); !some.empty(); some = read(file, piece)) {
    all.insert(all.end(), some.begin(), some.end());
  }
  return all;
}

std::vector<float> whole(const Make& make) {
  AudioFile file = open(make);
  return rest(file, 1 << 20);
}

std::vector<float> from(const std::vector<float>& samples, std::size_t first) {
  return {samples.begin() + static_cast<std::ptrdiff_t>(std::min(first, samples.size())),
          samples.end()};
}

}  // namespace

TEST(AudioFile, PiecesAreTheWhole) {
  for (const int rate : {8000, 16000, 44100}) {
    const Make make({{static_cast<std::size_t>(3 * rate), rate}});
    const std::vector<float> all = whole(make);
    EXPECT_NEAR(static_cast<double>(all.size()), 3.0 * maest::kSampleRate, 2);
    for (const std::size_t piece : {1, 777, 100000}) {
      AudioFile file = open(make);
      EXPECT_EQ(rest(file, piece), all);
      EXPECT_EQ(file.position(), static_cast<std::int64_t>(all.size()));
      EXPECT_EQ(file.found(), file.position());
    }
  }
}

TEST(AudioFile, SeekingGivesTheRestOfTheWhole) {
  for (const bool seeks : {true, false}) {
    for (const int rate : {8000, 16000, 22050, 44100}) {
      Make make({{static_cast<std::size_t>(2 * rate), rate}});
      make.seeks = seeks;
      make.promised = 2 * rate;
      const std::vector<float> all = whole(make);
      AudioFile file = open(make);
      for (const std::size_t start : {20000, 5, 5, 1000, 31999, 0, 15000}) {
        file.seek(static_cast<std::int64_t>(start));
        EXPECT_EQ(file.position(), static_cast<std::int64_t>(start));
        EXPECT_EQ(read(file, 900),
                  std::vector<float>(all.begin() + start,
                                     all.begin() + std::min(start + 900, all.size())));
      }
      EXPECT_EQ(rest(file), from(all, 15900));
      EXPECT_EQ(file.ending(), Ending::complete);
    }
  }
}

TEST(AudioFile, SeekingPastTheEndFindsTheEnd) {
  for (const bool seeks : {true, false}) {
    Make make({{44100, 44100}});
    make.seeks = seeks;
    make.promised = 10 * 44100;
    AudioFile file = open(make);
    file.seek(50000);
    EXPECT_TRUE(read(file, 10).empty());
    EXPECT_EQ(file.found(), static_cast<std::int64_t>(whole(make).size()));
    EXPECT_EQ(file.position(), file.found());
    EXPECT_EQ(file.ending(), Ending::truncated);
  }
}

TEST(AudioFile, SkippingGivesTheRestOfTheWhole) {
  for (const bool skips : {true, false}) {
    for (const int rate : {8000, 16000, 22050, 44100}) {
      Make make({{static_cast<std::size_t>(2 * rate), rate}}, 2 * rate);
      make.skips = skips;
      const std::vector<float> all = whole(make);
      AudioFile file = open(make);
      EXPECT_EQ(file.promised_exactly(), static_cast<std::int64_t>(all.size()));
      for (const std::size_t start : {0, 1, 5000, 5900, 6801, 20000, 31000}) {
        EXPECT_TRUE(file.skip_to(static_cast<std::int64_t>(start)));
        EXPECT_EQ(file.position(), static_cast<std::int64_t>(start));
        EXPECT_EQ(
            read(file, start == 0 ? 1 : 900),
            std::vector<float>(all.begin() + start,
                               all.begin() + std::min(start + (start == 0 ? 1 : 900), all.size())));
      }
      EXPECT_FALSE(file.skip_to(100));
      EXPECT_FALSE(file.skip_to(100000));
      file.restart();
      EXPECT_EQ(rest(file), all);
    }
  }
}

TEST(AudioFile, EachRateIsResampledAsWhatItIs) {
  const Make first({{22050, 22050}});
  const Make second({{44100, 44100}});
  Make both({{22050, 22050}, {44100, 44100}});
  both.seeks = true;
  std::vector<float> wanted = whole(first);
  const std::vector<float> more = whole(second);
  wanted.insert(wanted.end(), more.begin(), more.end());
  EXPECT_EQ(whole(both), wanted);
  AudioFile file = open(both);
  EXPECT_EQ(rest(file), wanted);
  file.seek(20000);
  EXPECT_EQ(rest(file), from(wanted, 20000));
}

TEST(AudioFile, EndingsAreTold) {
  const std::size_t second = 44100;
  const auto ending_of = [](const Make& make, bool cut = false) {
    AudioFile file = open(make, cut);
    EXPECT_EQ(file.ending(), Ending::unknown);
    rest(file);
    if (!make.damage.empty()) {
      EXPECT_EQ(file.damage(), make.damage);
    }
    return file.ending();
  };
  EXPECT_EQ(ending_of(Make({{second, 44100}})), Ending::complete);
  EXPECT_EQ(ending_of(Make({{second, 44100}}), true), Ending::truncated);
  EXPECT_EQ(ending_of(Make({{second, 44100}}, 44100), true), Ending::truncated);
  EXPECT_EQ(ending_of(Make({{second, 44100}}, 44100)), Ending::complete);
  EXPECT_EQ(ending_of(Make({{second, 44100}}, 44100 + 2000)), Ending::complete);
  EXPECT_EQ(ending_of(Make({{second, 44100}}, 88200)), Ending::truncated);
  EXPECT_EQ(ending_of(Make({{second, 44100}}, 88200, "bad")), Ending::truncated);
  EXPECT_EQ(ending_of(Make({{second, 44100}}, 44100, "bad")), Ending::damaged);
  EXPECT_EQ(ending_of(Make({{second, 44100}, {second, 5}}, 44100)), Ending::damaged);
}

TEST(AudioFile, NothingToHearIsAnError) {
  EXPECT_THROWS(open(Make({})), maest::AudioError, "no audio samples");
}

TEST(AudioFile, CanBeInterrupted) {
  struct Stop {};
  const Make make({{441000, 44100}});
  int calls = 0;
  AudioFile file([make] { return std::make_unique<Chirp>(make); }, maest::FileHeader{},
                 [&] {
                   if (++calls == 3) throw Stop();
                 });
  std::vector<float> samples(100000);
  EXPECT_THROW(file.read(samples.data(), samples.size()), Stop);
  EXPECT_EQ(calls, 3);
}
