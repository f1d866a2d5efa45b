#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "error.h"
#include "segmenter.h"
#include "throws.h"

using maest::InvalidArgument;
using maest::Segment;
using maest::Segmenter;
using maest::Tail;

namespace {

// Segments as text, "first:frame,frame,...", of a signal whose frame i holds the value i.
std::vector<std::string> segments_of(int frames, int chunk, int size, int hop, Tail tail) {
  Segmenter segmenter(size, hop, 1);
  std::vector<std::string> found;
  const auto describe = [&](const Segment& segment) {
    std::string text = std::to_string(segment.first_frame) + ":";
    for (int i = 0; i < segment.frames; ++i) {
      text += (i > 0 ? "," : "") + std::to_string(static_cast<int>(segment.data[i]));
    }
    found.push_back(text);
  };
  for (int begin = 0; begin < frames; begin += chunk) {
    for (int i = begin; i < std::min(frames, begin + chunk); ++i) {
      segmenter.frames().push_back(static_cast<float>(i));
    }
    const std::int64_t ready = segmenter.ready();
    for (std::int64_t i = 0; i < ready; ++i) describe(segmenter.segment(i));
    segmenter.release(ready);
  }
  const Segment last = segmenter.tail(tail);
  if (last.frames > 0) describe(last);
  EXPECT_EQ(segmenter.frames_seen() >= frames, true);
  return found;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST(Segmenter, segments_follow_the_hop) {
  EXPECT_TRUE(segments_of(8, 8, 3, 2, Tail::discard) == (Texts{"0:0,1,2", "2:2,3,4", "4:4,5,6"}));
  EXPECT_TRUE(segments_of(6, 6, 3, 3, Tail::discard) == (Texts{"0:0,1,2", "3:3,4,5"}));
  EXPECT_TRUE(segments_of(9, 9, 2, 4, Tail::discard) == (Texts{"0:0,1", "4:4,5"}));
  EXPECT_TRUE(segments_of(2, 2, 3, 3, Tail::discard).empty());
}

TEST(Segmenter, a_tail_repeats_its_frames) {
  EXPECT_TRUE(segments_of(5, 5, 3, 3, Tail::repeat) == (Texts{"0:0,1,2", "3:3,4,3"}));
  EXPECT_TRUE(segments_of(1, 1, 3, 3, Tail::repeat) == (Texts{"0:0,0,0"}));
  // As in Essentia the frames after the last hop are a tail, seen or not.
  EXPECT_TRUE(segments_of(3, 3, 3, 2, Tail::repeat) == (Texts{"0:0,1,2", "2:2,2,2"}));
  EXPECT_TRUE(segments_of(3, 3, 3, 3, Tail::repeat) == (Texts{"0:0,1,2"}));
  EXPECT_TRUE(segments_of(0, 1, 3, 3, Tail::repeat).empty());
}

TEST(Segmenter, a_tail_can_stay_short) {
  EXPECT_TRUE(segments_of(5, 5, 3, 3, Tail::pad) == (Texts{"0:0,1,2", "3:3,4"}));
  EXPECT_TRUE(segments_of(2, 2, 3, 3, Tail::pad) == (Texts{"0:0,1"}));
}

TEST(Segmenter, segments_do_not_depend_on_chunks) {
  for (const Tail tail : {Tail::discard, Tail::repeat, Tail::pad}) {
    for (const int hop : {1, 3, 5, 7, 11}) {
      for (int frames = 0; frames < 40; ++frames) {
        const Texts whole = segments_of(frames, 1000, 7, hop, tail);
        for (const int chunk : {1, 2, 5, 13}) {
          EXPECT_TRUE(segments_of(frames, chunk, 7, hop, tail) == whole);
        }
      }
    }
  }
}

TEST(Segmenter, only_frames_still_needed_are_held) {
  Segmenter segmenter(10, 4, 2);
  std::size_t most = 0;
  for (int i = 0; i < 10000; ++i) {
    segmenter.frames().insert(segmenter.frames().end(), {1.0F, 2.0F});
    most = std::max(most, segmenter.frames().size());
    segmenter.release(segmenter.ready());
  }
  EXPECT_EQ(most, std::size_t{20});
  EXPECT_EQ(segmenter.frames_seen(), std::int64_t{10000});
}

TEST(Segmenter, a_hop_longer_than_a_segment_holds_nothing_in_between) {
  Segmenter segmenter(2, 1000, 1);
  for (int i = 0; i < 900; ++i) {
    segmenter.frames().push_back(0.0F);
    segmenter.release(segmenter.ready());
    EXPECT_TRUE(segmenter.frames().size() <= 2);
  }
}

TEST(Segmenter, segmenter_reset_starts_anew) {
  Segmenter segmenter(2, 2, 1);
  segmenter.frames() = {1.0F, 2.0F, 3.0F};
  segmenter.release(segmenter.ready());
  segmenter.reset();
  EXPECT_EQ(segmenter.frames_seen(), std::int64_t{0});
  EXPECT_EQ(segmenter.ready(), std::int64_t{0});
}

TEST(Segmenter, segmenter_refuses_what_cannot_be) {
  EXPECT_THROWS(Segmenter(0, 1, 1), InvalidArgument, "0 frames");
  EXPECT_THROWS(Segmenter(1, 0, 1), InvalidArgument, "every 0");
  EXPECT_THROWS(maest::parse_tail("keep"), InvalidArgument, "'keep'");
}
