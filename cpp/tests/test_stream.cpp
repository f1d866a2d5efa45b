// The whole engine on an untrained model. The environment names the files: MAEST_TEST_MODEL, and
// ESSENTIA_MAEST_ONNXRUNTIME for the library; tests/python/test_core.py sets both.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "error.h"
#include "ort_library.h"
#include "stream.h"
#include "throws.h"

using maest::Extractor;
using maest::Outputs;
using maest::Request;

namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) throw std::runtime_error(std::string(name) + " is not set");
  return value;
}

std::shared_ptr<const Extractor> open(int threads) {
  maest::set_ort_library(environment("ESSENTIA_MAEST_ONNXRUNTIME"));
  return std::make_shared<Extractor>(environment("MAEST_TEST_MODEL"), threads);
}

std::vector<float> chirp(std::size_t samples) {
  std::vector<float> signal(samples);
  for (std::size_t i = 0; i < samples; ++i) {
    const double seconds = static_cast<double>(i) / maest::kSampleRate;
    signal[i] = static_cast<float>(0.5 * std::sin(400.0 * seconds * (1.0 + seconds)));
  }
  return signal;
}

Request quick_request() {
  Request request;
  request.outputs = {maest::OutputKind::embeddings, maest::OutputKind::activations};
  request.patchout = maest::parse_patchout("F4T10");
  request.tail = maest::Tail::repeat;
  return request;
}

void check_same(const Outputs& found, const Outputs& wanted) {
  EXPECT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    EXPECT_EQ(found[i].segments, wanted[i].segments);
    EXPECT_TRUE(found[i].values == wanted[i].values);
  }
}

}  // namespace

TEST(Stream, chunks_give_what_one_call_gives) {
  const auto extractor = open(1);
  const std::vector<float> signal = chirp(35 * maest::kSampleRate);
  const Request request = quick_request();
  const Outputs whole = maest::extract(extractor, request, signal.data(), signal.size());
  EXPECT_EQ(whole[0].segments, std::int64_t{4});
  for (const std::size_t chunk : {std::size_t{997}, std::size_t{160000}, signal.size()}) {
    maest::Stream stream(extractor, request);
    for (int round = 0; round < 2; ++round) {  // the second after a reset
      Outputs pieces = extractor->empty_outputs(extractor->plan(request));
      const auto take = [&](const Outputs& more) {
        for (std::size_t i = 0; i < pieces.size(); ++i) pieces[i].append(more[i]);
      };
      for (std::size_t begin = 0; begin < signal.size(); begin += chunk) {
        take(stream.push(signal.data() + begin, std::min(chunk, signal.size() - begin)));
      }
      take(stream.finish());
      check_same(pieces, whole);
      EXPECT_THROWS(stream.finish(), maest::InvalidArgument, "reset()");
      stream.reset();
    }
  }
}

TEST(Stream, threads_share_one_model) {
  const auto extractor = open(2);
  const std::vector<float> signal = chirp(12 * maest::kSampleRate);
  const Request request = quick_request();
  const Outputs wanted = maest::extract(extractor, request, signal.data(), signal.size());
  std::vector<Outputs> found(8);
  std::vector<std::thread> threads;
  for (Outputs& outputs : found) {
    threads.emplace_back(
        [&] { outputs = maest::extract(extractor, request, signal.data(), signal.size()); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Outputs& outputs : found) check_same(outputs, wanted);
}

TEST(Stream, a_watched_call_gives_what_any_gives) {
  const auto extractor = open(2);
  const std::vector<float> signal = chirp(35 * maest::kSampleRate);
  const Request request = quick_request();
  const Outputs wanted = maest::extract(extractor, request, signal.data(), signal.size());
  int looks = 0;
  maest::Stop interrupt;
  interrupt.stop();  // again and again: what was interrupted is computed anew
  const auto look = [&] {
    ++looks;
    interrupt.stop();
  };
  check_same(maest::extract(extractor, request, signal.data(), signal.size(), {look, &interrupt}),
             wanted);
  EXPECT_TRUE(looks >= 2);  // segments, and the tail
  looks = 0;
  check_same(maest::extract(extractor, request, signal.data(), signal.size(), {[&] { ++looks; }}),
             wanted);
  EXPECT_TRUE(looks >= 2);
}

TEST(Stream, what_a_look_throws_ends_the_call) {
  const auto extractor = open(1);
  const std::vector<float> signal = chirp(35 * maest::kSampleRate);
  maest::Stream stream(extractor, quick_request());
  const auto interrupt = [] { throw std::runtime_error("Ctrl-C"); };
  EXPECT_THROWS(stream.push(signal.data(), signal.size(), {interrupt}), std::runtime_error,
                "Ctrl-C");
  EXPECT_THROWS(stream.push(signal.data(), signal.size()), maest::Stopped, "reset()");
  EXPECT_THROWS(stream.finish(), maest::Stopped, "reset()");
  stream.reset();
  Outputs found = stream.push(signal.data(), signal.size());
  const Outputs last = stream.finish();
  for (std::size_t i = 0; i < found.size(); ++i) found[i].append(last[i]);
  check_same(found, maest::extract(extractor, quick_request(), signal.data(), signal.size()));
}

TEST(Stream, another_thread_stops_it) {
  const auto extractor = open(2);
  const std::vector<float> signal = chirp(35 * maest::kSampleRate);
  maest::Stream stream(extractor, quick_request());
  std::thread other([&] { stream.stop(); });
  try {
    for (;;) stream.push(signal.data(), signal.size());
  } catch (const maest::Stopped&) {
  }
  other.join();
  stream.reset();
  EXPECT_EQ(stream.push(signal.data(), signal.size())[0].segments, std::int64_t{3});
}

TEST(Stream, side_by_side_segments_change_nothing) {
  const auto extractor = open(1);
  const std::vector<float> signal = chirp(45 * maest::kSampleRate);
  Request request = quick_request();
  request.batch_size = 1;
  const Outputs wanted = maest::extract(extractor, request, signal.data(), signal.size());
  request.batch_size = 3;
  check_same(maest::extract(extractor, request, signal.data(), signal.size()), wanted);
}

TEST(Stream, stream_refuses_bad_audio_and_goes_on) {
  const auto extractor = open(1);
  Request request = quick_request();
  maest::Stream stream(extractor, request);
  std::vector<float> signal = chirp(1000);
  stream.push(signal.data(), signal.size());
  signal[7] = NAN;
  EXPECT_THROWS(stream.push(signal.data(), signal.size()), maest::InvalidArgument, "1007");
  signal[7] = 0.0F;
  stream.push(signal.data(), signal.size());
  EXPECT_EQ(stream.finish()[0].segments, std::int64_t{1});

  request.tail = maest::Tail::discard;
  EXPECT_THROWS(maest::extract(extractor, request, signal.data(), signal.size()),
                maest::InvalidArgument, "too short");
  EXPECT_THROWS(maest::extract(extractor, request, signal.data(), 0), maest::InvalidArgument,
                "empty");
}

TEST(Stream, requests_that_the_model_does_not_have) {
  const auto extractor = open(1);
  Request request;
  request.outputs = {maest::OutputKind::tokens};
  request.block = 13;
  EXPECT_THROWS(extractor->plan(request), maest::InvalidArgument, "blocks 1 to 12");
  request.block = 0;
  EXPECT_THROWS(extractor->plan(request), maest::InvalidArgument, "block is 0");
  request.block = 12;
  request.hop_seconds = -1;
  EXPECT_THROWS(extractor->plan(request), maest::InvalidArgument, "hop is -1");
  request.hop_seconds = NAN;
  EXPECT_THROWS(extractor->plan(request), maest::InvalidArgument, "hop is nan");
  request.hop_seconds = 0;
  request.batch_size = -2;
  EXPECT_THROWS(extractor->plan(request), maest::InvalidArgument, "batch_size is -2");
}

TEST(Stream, files_that_are_no_models) {
  maest::set_ort_library(environment("ESSENTIA_MAEST_ONNXRUNTIME"));
  EXPECT_THROWS(Extractor("no-such-file.onnx", 1), maest::ModelError, "does not exist");
  EXPECT_THROWS(Extractor(".", 1), maest::ModelError, "not a file");
  EXPECT_THROWS(Extractor(__FILE__, 1), maest::ModelError, "cannot be loaded");
  EXPECT_THROWS(Extractor(environment("MAEST_TEST_MODEL"), -1), maest::InvalidArgument, "-1");
  EXPECT_THROWS(maest::set_ort_library("elsewhere.so"), maest::InvalidArgument, "elsewhere.so");
}
