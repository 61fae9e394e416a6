#include "tests/fakes/temp_folder.h"

#include <stdlib.h>

#include <filesystem>
#include <system_error>

namespace lumaedit {

TempFolder::TempFolder() {
  path_ = (std::filesystem::temp_directory_path() / "lumaedit-XXXXXX").string();
  if (mkdtemp(path_.data()) == nullptr) std::abort();
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace lumaedit
