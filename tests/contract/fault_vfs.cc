#include "tests/contract/fault_vfs.h"

#include <sqlite3.h>

#include <atomic>
#include <condition_variable>
#include <mutex>

namespace lumaedit {
namespace {

constexpr char kName[] = "lumaedit-fault";

std::atomic<int> changes{0};
std::atomic<int> first_failure{0};  // 0: none
std::atomic<int> last_failure{0};
std::atomic<FaultVfs::Kind> kind{FaultVfs::Kind::kBroken};

sqlite3_vfs* Platform() { return sqlite3_vfs_find(nullptr); }

// A file of this layer; the platform's own follows it in memory.
struct FaultFile {
  sqlite3_file base;
  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

sqlite3_file* Real(sqlite3_file* file) { return reinterpret_cast<FaultFile*>(file)->real(); }

std::mutex hold_mutex;
std::condition_variable hold_changed;
bool held = false;

bool Fails() {
  {
    std::unique_lock lock(hold_mutex);
    hold_changed.wait(lock, [] { return !held; });
  }
  const int number = ++changes;
  return number >= first_failure && number <= last_failure && first_failure != 0;
}

int Failure(int broken) {
  return kind == FaultVfs::Kind::kFull ? static_cast<int>(SQLITE_FULL) : broken;
}

int Close(sqlite3_file* f) { return Real(f)->pMethods->xClose(Real(f)); }
int Read(sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
  return Real(f)->pMethods->xRead(Real(f), to, n, at);
}
int Write(sqlite3_file* f, const void* from, int n, sqlite3_int64 at) {
  if (Fails()) return Failure(SQLITE_IOERR_WRITE);
  return Real(f)->pMethods->xWrite(Real(f), from, n, at);
}
int Truncate(sqlite3_file* f, sqlite3_int64 size) {
  if (Fails()) return Failure(SQLITE_IOERR_TRUNCATE);
  return Real(f)->pMethods->xTruncate(Real(f), size);
}
int Sync(sqlite3_file* f, int flags) {
  if (Fails()) return Failure(SQLITE_IOERR_FSYNC);
  return Real(f)->pMethods->xSync(Real(f), flags);
}
int FileSize(sqlite3_file* f, sqlite3_int64* size) {
  return Real(f)->pMethods->xFileSize(Real(f), size);
}
int Lock(sqlite3_file* f, int level) { return Real(f)->pMethods->xLock(Real(f), level); }
int Unlock(sqlite3_file* f, int level) { return Real(f)->pMethods->xUnlock(Real(f), level); }
int CheckReservedLock(sqlite3_file* f, int* out) {
  return Real(f)->pMethods->xCheckReservedLock(Real(f), out);
}
int FileControl(sqlite3_file* f, int op, void* arg) {
  return Real(f)->pMethods->xFileControl(Real(f), op, arg);
}
int SectorSize(sqlite3_file* f) { return Real(f)->pMethods->xSectorSize(Real(f)); }
int DeviceCharacteristics(sqlite3_file* f) {
  return Real(f)->pMethods->xDeviceCharacteristics(Real(f));
}
int ShmMap(sqlite3_file* f, int page, int size, int extend, void volatile** out) {
  return Real(f)->pMethods->xShmMap(Real(f), page, size, extend, out);
}
int ShmLock(sqlite3_file* f, int offset, int n, int flags) {
  return Real(f)->pMethods->xShmLock(Real(f), offset, n, flags);
}
void ShmBarrier(sqlite3_file* f) { Real(f)->pMethods->xShmBarrier(Real(f)); }
int ShmUnmap(sqlite3_file* f, int remove) { return Real(f)->pMethods->xShmUnmap(Real(f), remove); }

const sqlite3_io_methods kMethods = {2,
                                     Close,
                                     Read,
                                     Write,
                                     Truncate,
                                     Sync,
                                     FileSize,
                                     Lock,
                                     Unlock,
                                     CheckReservedLock,
                                     FileControl,
                                     SectorSize,
                                     DeviceCharacteristics,
                                     ShmMap,
                                     ShmLock,
                                     ShmBarrier,
                                     ShmUnmap,
                                     nullptr,
                                     nullptr};

int Open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* fault = reinterpret_cast<FaultFile*>(file);
  fault->base.pMethods = nullptr;
  const int code = Platform()->xOpen(Platform(), name, fault->real(), flags, out_flags);
  if (code == SQLITE_OK) fault->base.pMethods = &kMethods;
  return code;
}

sqlite3_vfs MakeVfs() {
  // Everything that is not about one open file is the platform's; those functions do not look at
  // the layer they are called through.
  sqlite3_vfs vfs = *Platform();
  vfs.pNext = nullptr;
  vfs.zName = kName;
  vfs.szOsFile += static_cast<int>(sizeof(FaultFile));
  vfs.xOpen = Open;
  return vfs;
}

}  // namespace

const char* FaultVfs::Name() {
  static sqlite3_vfs vfs = MakeVfs();
  static const int registered = sqlite3_vfs_register(&vfs, 0);
  return registered == SQLITE_OK ? kName : "";
}

void FaultVfs::FailAt(int first, int more, Kind failure) {
  kind = failure;
  last_failure = first + more;
  first_failure = first;
  changes = 0;
}

void FaultVfs::Heal() {
  first_failure = 0;
  changes = 0;
}

void FaultVfs::Hold() {
  const std::lock_guard lock(hold_mutex);
  held = true;
}

void FaultVfs::Release() {
  {
    const std::lock_guard lock(hold_mutex);
    held = false;
  }
  hold_changed.notify_all();
}

int FaultVfs::Changes() { return changes; }

}  // namespace lumaedit
