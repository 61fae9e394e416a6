// A counting allocator: operator new with a header that says how large a block is and for whom.
// Ours is what was not called from inside a gRPC or protobuf library; what their templates ask for
// in our own program counts as ours.
#include "tests/bench/watch/own_bytes.h"

#include <link.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

namespace lumaedit::bench {
namespace {

struct Range {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
};
constexpr int kMostRanges = 64;
Range ranges[kMostRanges];
std::atomic<int> range_count = 0;
std::atomic<std::int64_t> own_live = 0;

struct alignas(alignof(std::max_align_t)) Header {
  std::size_t size;
  bool own;
};

int AddLibrary(dl_phdr_info* info, std::size_t, void*) {
  const char* name = info->dlpi_name;
  bool theirs = false;
  for (const char* part : {"libgrpc", "libgpr", "libupb", "libprotobuf", "libaddress_sorting"}) {
    theirs = theirs || std::strstr(name, part) != nullptr;
  }
  for (int at = 0; theirs && at < info->dlpi_phnum; ++at) {
    const auto& header = info->dlpi_phdr[at];
    if (header.p_type != PT_LOAD || (header.p_flags & PF_X) == 0 || range_count == kMostRanges) {
      continue;
    }
    const std::uintptr_t begin = info->dlpi_addr + header.p_vaddr;
    ranges[range_count] = {begin, begin + header.p_memsz};
    ++range_count;
  }
  return 0;
}

[[maybe_unused]] const int looked = [] {
  dl_iterate_phdr(&AddLibrary, nullptr);
  return 0;
}();

bool IsOwn(const void* caller) {
  const auto at = reinterpret_cast<std::uintptr_t>(caller);
  for (int n = 0; n < range_count; ++n) {
    if (at >= ranges[n].begin && at < ranges[n].end) return false;
  }
  return true;
}

}  // namespace

std::int64_t OwnLiveBytes() { return own_live; }

void* Allocate(std::size_t size, const void* caller) {
  auto* header = static_cast<Header*>(std::malloc(sizeof(Header) + size));
  if (header == nullptr) std::abort();
  header->size = size;
  header->own = IsOwn(caller);
  if (header->own) own_live += static_cast<std::int64_t>(size);
  return header + 1;
}

void Free(void* block) {
  if (block == nullptr) return;
  Header* header = static_cast<Header*>(block) - 1;
  if (header->own) own_live -= static_cast<std::int64_t>(header->size);
  std::free(header);
}

}  // namespace lumaedit::bench

void* operator new(std::size_t size) {
  return lumaedit::bench::Allocate(size, __builtin_return_address(0));
}
void* operator new[](std::size_t size) {
  return lumaedit::bench::Allocate(size, __builtin_return_address(0));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return lumaedit::bench::Allocate(size, __builtin_return_address(0));
}
void operator delete(void* block) noexcept { lumaedit::bench::Free(block); }
void operator delete[](void* block) noexcept { lumaedit::bench::Free(block); }
void operator delete(void* block, std::size_t) noexcept { lumaedit::bench::Free(block); }
void operator delete[](void* block, std::size_t) noexcept { lumaedit::bench::Free(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { lumaedit::bench::Free(block); }
