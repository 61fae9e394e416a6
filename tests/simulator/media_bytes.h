// Small files made in code, so that the tree carries no binaries: a playable H.264 MP4, a JPEG.
// Pure functions.
#pragma once

#include <string>

namespace lumaedit::simulator {

// 64 x 64 grey picture shown for `seconds`, 24 frames a second (upstream.md section 6.5); index
// first.
std::string MakeMp4(double seconds);
// 8 x 8 grey picture.
std::string MakeJpeg();

}  // namespace lumaedit::simulator
