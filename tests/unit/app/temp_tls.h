// Throw-away PEM files for tests. No state.
#pragma once

#include <string>

namespace lumaedit {

// Writes a self-signed certificate and its key.
void WriteSelfSigned(const std::string& cert_file, const std::string& key_file);

}  // namespace lumaedit
