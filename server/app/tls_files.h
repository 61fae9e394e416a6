// Are the files of a TLS setting usable? Asked at start, since gRPC itself says only "failed".
// Synchronous file reads; no state.
#pragma once

#include <string>

namespace lumaedit {

// Answers what is wrong; empty: the chain and the key are PEM and belong together.
std::string WhyNotAServerPair(const std::string& cert_file, const std::string& key_file);

// Answers what is wrong; empty: the file holds at least one PEM certificate and nothing unreadable.
std::string WhyNotACaFile(const std::string& ca_file);

}  // namespace lumaedit
