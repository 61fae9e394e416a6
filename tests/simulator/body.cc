#include "body.h"

#include <utility>

namespace lumaedit::simulator {

void Body::Append(std::string text) {
  auto owner = std::make_shared<const std::string>(std::move(text));
  const std::string_view bytes = *owner;
  AppendShared(std::move(owner), bytes);
}

void Body::Append(const Body& other) {
  for (const Part& part : other.parts_) AppendShared(part.owner, part.bytes);
}

void Body::AppendShared(std::shared_ptr<const std::string> owner, std::string_view bytes) {
  if (bytes.empty()) return;
  size_ += bytes.size();
  parts_.push_back({std::move(owner), bytes});
}

void Body::Prepend(std::string text) {
  Body front(std::move(text));
  front.Append(*this);
  *this = std::move(front);
}

void Body::Truncate(size_t size) {
  if (size >= size_) return;
  size_t left = size;
  size_t keep = 0;
  while (left > 0) {
    Part& part = parts_[keep++];
    part.bytes = part.bytes.substr(0, left);
    left -= part.bytes.size();
  }
  parts_.resize(keep);
  size_ = size;
}

std::string Body::Flatten() const {
  std::string text;
  text.reserve(size_);
  for (const Part& part : parts_) text.append(part.bytes);
  return text;
}

}  // namespace lumaedit::simulator
