// One libFuzzer program: the target that LUMAEDIT_FUZZ_TARGET names.
#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  lumaedit::fuzz::LUMAEDIT_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}
