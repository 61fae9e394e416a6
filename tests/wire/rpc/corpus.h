// Real videos for the tests of this folder, out of the corpus of tests/media, and those made of
// them.
#pragma once

#include <string>

namespace lumaedit {

// The bytes of a file of the corpus; fails the test when it is not there.
std::string CorpusFile(const std::string& name);

// A video of 121 frames at 24 a second (5.041667 s) with `more_bytes` that mean nothing after it,
// at least 8.
std::string PaddedVideo(std::size_t more_bytes);

}  // namespace lumaedit
