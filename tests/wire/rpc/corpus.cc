#include "tests/wire/rpc/corpus.h"

#include <gtest/gtest.h>

#include <boost/endian/conversion.hpp>
#include <fstream>
#include <iterator>

namespace lumaedit {

std::string CorpusFile(const std::string& name) {
  std::ifstream file(LUMAEDIT_CORPUS_DIR "/" + name, std::ios::binary);
  EXPECT_TRUE(file.good()) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string PaddedVideo(std::size_t more_bytes) {
  // A box "free" (ISO/IEC 14496-12 section 8.1.2). Its bytes differ from piece to piece.
  std::string box(more_bytes, '\0');
  for (std::size_t i = 8; i < box.size(); ++i) box[i] = static_cast<char>(i * 31 + i / 4099);
  boost::endian::store_big_u32(reinterpret_cast<unsigned char*>(box.data()),
                               static_cast<std::uint32_t>(more_bytes));
  box.replace(4, 4, "free");
  return CorpusFile("moov-front.mp4") + box;
}

}  // namespace lumaedit
