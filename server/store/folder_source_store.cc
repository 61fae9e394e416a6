#include "server/store/folder_source_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/base/hash.h"
#include "server/base/mutex.h"
#include "server/store/errno_status.h"
#include "server/store/source_files.h"
#include "server/store/source_place.h"
#include "server/store/source_quota.h"
#include "server/store/sqlite_files.h"
#include "server/store/status_macros.h"
#include "server/store/value_json.h"

namespace lumaedit {
namespace {

constexpr std::int64_t kHashPieceBytes = 256 << 10;
constexpr std::int64_t kMostMetadataBytes = 64 << 10;

// Resumed bytes may be wrong after a loss of power, and the right ones must have a way in.
bool MayBeginAnew(const SourceInfo& info) {
  return info.state == SourceInfo::State::kRejected &&
         info.rejection == ErrorReason::kChecksumMismatch;
}

class FolderSourceStore final : public SourceStore {
 public:
  explicit FolderSourceStore(const FolderSourceOptions& options)
      : root_(absl::StrCat(options.data_dir, "/sources")),
        clock_(options.clock),
        log_(options.log),
        quota_(options.quota_bytes_per_caller, options.most_sources_per_caller) {}

  const std::string& root() const { return root_; }

  absl::StatusOr<SourceInfo> Open(const SourceInfo& info) override;
  absl::Status Append(const std::string& caller, const std::string& id, std::int64_t offset,
                      std::string_view bytes) override;
  absl::StatusOr<SourceInfo> Finish(const std::string& caller, const std::string& id,
                                    absl::Duration duration) override;
  absl::StatusOr<SourceInfo> Reject(const std::string& caller, const std::string& id,
                                    ErrorReason reason) override;
  absl::StatusOr<SourceInfo> Get(const std::string& caller, const std::string& id) override;
  absl::StatusOr<std::unique_ptr<SourceReader>> Read(const std::string& caller,
                                                     const std::string& id) override;
  absl::Status KeepUntil(const std::string& caller, const std::string& id,
                         absl::Time expire_time) override;
  absl::StatusOr<int> RemoveExpired(absl::Time now) override;

 private:
  // NOT_FOUND for what is no id.
  absl::StatusOr<SourcePlace> Find(const std::string& caller, const std::string& id) const {
    return FindSourcePlace(root_, caller, id);
  }
  Mutex& LockOf(const SourcePlace& place);

  // All below: with the lock of the place held.
  absl::StatusOr<SourceInfo> Load(const SourcePlace& place) const;      // expired or not
  absl::StatusOr<SourceInfo> LoadLive(const SourcePlace& place) const;  // NOT_FOUND when expired
  absl::Status Save(const SourcePlace& place, const SourceInfo& info, Durability durability) const;
  absl::Status MakeCallerFolder(const SourcePlace& place) const;
  absl::StatusOr<SourceInfo> RejectAt(const SourcePlace& place, SourceInfo info,
                                      ErrorReason reason);
  void Remove(const SourcePlace& place);

  absl::StatusOr<SourceQuota::Uses> LoadUses(const std::string& folder) const;
  bool RemoveIfExpired(const SourcePlace& place, absl::Time now);

  const std::string root_;
  Clock& clock_;
  Log& log_;
  SourceQuota quota_;
  std::array<Mutex, 256> locks_;  // by hash of the place: uploads do not wait for one another
};

Mutex& FolderSourceStore::LockOf(const SourcePlace& place) {
  return locks_[std::hash<std::string>()(place.metadata_path) % locks_.size()];
}

absl::StatusOr<SourceInfo> FolderSourceStore::Load(const SourcePlace& place) const {
  const absl::StatusOr<OpenFile> file = OpenFile::Open(place.metadata_path, O_RDONLY);
  if (absl::IsNotFound(file.status())) return SourceNotFound();
  if (!file.ok()) return file.status();
  ASSIGN_OR_RETURN(const std::string text, file->ReadAt(0, kMostMetadataBytes));
  ASSIGN_OR_RETURN(SourceInfo info, SourceInfoFromJson(text));
  switch (info.state) {
    case SourceInfo::State::kReady:
      info.received_bytes = info.size_bytes;
      break;
    case SourceInfo::State::kRejected:
      info.received_bytes = 0;
      break;
    case SourceInfo::State::kUploading: {
      // What is truly there, whatever was going on when the process was killed.
      const absl::StatusOr<OpenFile> bytes = OpenFile::Open(place.bytes_path, O_RDONLY);
      if (absl::IsNotFound(bytes.status())) break;
      if (!bytes.ok()) return bytes.status();
      ASSIGN_OR_RETURN(info.received_bytes, bytes->Size());
      break;
    }
  }
  return info;
}

absl::StatusOr<SourceInfo> FolderSourceStore::LoadLive(const SourcePlace& place) const {
  ASSIGN_OR_RETURN(SourceInfo info, Load(place));
  if (info.expire_time <= clock_.Now()) return SourceNotFound();
  return info;
}

absl::Status FolderSourceStore::Save(const SourcePlace& place, const SourceInfo& info,
                                     Durability durability) const {
  RETURN_IF_ERROR(ReplaceFile(place.metadata_path, SourceInfoToJson(info), durability));
  if (durability == Durability::kSurvivesKill) return absl::OkStatus();
  return SyncDirectory(absl::StrCat(root_, "/", place.folder));
}

absl::Status FolderSourceStore::MakeCallerFolder(const SourcePlace& place) const {
  if (mkdir(absl::StrCat(root_, "/", place.folder).c_str(), 0700) == 0) return SyncDirectory(root_);
  return errno == EEXIST ? absl::OkStatus() : ErrnoError(errno, "cannot make a caller's folder");
}

void FolderSourceStore::Remove(const SourcePlace& place) {
  // The metadata first: bytes without it are nobody's, and are found and removed later.
  unlink(place.metadata_path.c_str());
  unlink(place.bytes_path.c_str());
  quota_.Forget(place.folder, place.id);
}

absl::StatusOr<SourceInfo> FolderSourceStore::Open(const SourceInfo& info) {
  if (!SafeSourceId(info.id) || info.caller.empty() || info.size_bytes < 0) {
    return InvalidFields({{"open.source_id", "must be a UUID"}});
  }
  ASSIGN_OR_RETURN(const SourcePlace place, Find(info.caller, info.id));
  MutexLock lock(LockOf(place));
  absl::StatusOr<SourceInfo> known = Load(place);
  if (known.ok() && known->expire_time > clock_.Now() && !MayBeginAnew(*known)) return known;
  const bool replaceable =
      known.ok() || absl::IsNotFound(known.status()) || absl::IsDataLoss(known.status());
  if (!replaceable) return known.status();
  // Expired, the wrong bytes, torn by a loss of power before it was durable, or bytes that nothing
  // describes.
  Remove(place);

  SourceInfo fresh = info;
  fresh.id = place.id;
  fresh.state = SourceInfo::State::kUploading;
  fresh.received_bytes = 0;
  fresh.duration = absl::ZeroDuration();
  fresh.rejection = ErrorReason::kUnspecified;
  RETURN_IF_ERROR(MakeCallerFolder(place));
  RETURN_IF_ERROR(quota_.Reserve(place.folder, place.id, {fresh.size_bytes, fresh.expire_time},
                                 clock_.Now(), [&] { return LoadUses(place.folder); }));
  if (absl::Status status = Save(place, fresh, Durability::kSurvivesKill); !status.ok()) {
    Remove(place);
    return status;
  }
  return Load(place);
}

absl::Status FolderSourceStore::Append(const std::string& caller, const std::string& id,
                                       std::int64_t offset, std::string_view bytes) {
  ASSIGN_OR_RETURN(const SourcePlace place, Find(caller, id));
  MutexLock lock(LockOf(place));
  ASSIGN_OR_RETURN(const SourceInfo info, LoadLive(place));
  if (info.state != SourceInfo::State::kUploading || offset != info.received_bytes) {
    return NotAtTheOffset(info.received_bytes);
  }
  if (static_cast<std::int64_t>(bytes.size()) > info.size_bytes - offset) {
    return InvalidFields({{"chunk", "goes beyond the announced size_bytes"}});
  }
  ASSIGN_OR_RETURN(const OpenFile file, OpenFile::Open(place.bytes_path, O_WRONLY | O_CREAT));
  absl::Status status = file.WriteAt(offset, bytes);
  if (status.ok()) return status;
  // Half a chunk would be a valid offset to go on at, but "nothing was appended" is simpler to
  // trust.
  if (const absl::Status undone = file.Truncate(offset); !undone.ok()) {
    log_.Warning("source_not_shortened", {{"error", std::string(undone.message())}});
  }
  return status;
}

absl::StatusOr<SourceInfo> FolderSourceStore::Finish(const std::string& caller,
                                                     const std::string& id,
                                                     absl::Duration duration) {
  ASSIGN_OR_RETURN(const SourcePlace place, Find(caller, id));
  MutexLock lock(LockOf(place));
  ASSIGN_OR_RETURN(SourceInfo info, LoadLive(place));
  if (info.state == SourceInfo::State::kReady) {
    // Only what is READY can be read, so the length becomes known after a first Finish.
    if (duration == absl::ZeroDuration() || duration == info.duration) return info;
    info.duration = duration;
    RETURN_IF_ERROR(Save(place, info, Durability::kSurvivesPowerLoss));
    return info;
  }
  if (info.state == SourceInfo::State::kRejected) {
    return MakeError(absl::StatusCode::kInvalidArgument, info.rejection, "the source was rejected");
  }
  // A connection that broke looks like an end at first, so this must not end the upload for good.
  if (info.received_bytes != info.size_bytes) return BytesMissing(info);
  // An upload of no bytes has no file yet.
  ASSIGN_OR_RETURN(const OpenFile file, OpenFile::Open(place.bytes_path, O_RDWR | O_CREAT));
  Sha256Stream hash;
  for (std::int64_t offset = 0; offset < info.size_bytes;) {
    ASSIGN_OR_RETURN(const std::string piece, file.ReadAt(offset, kHashPieceBytes));
    if (piece.empty()) return absl::DataLossError("a source became shorter while it was read");
    hash.Update(piece);
    offset += static_cast<std::int64_t>(piece.size());
  }
  if (hash.FinishHex() != info.sha256) {
    RETURN_IF_ERROR(RejectAt(place, info, ErrorReason::kChecksumMismatch).status());
    return MakeError(absl::StatusCode::kInvalidArgument, ErrorReason::kChecksumMismatch,
                     "the bytes do not have the announced sha256");
  }
  RETURN_IF_ERROR(file.Sync());
  info.state = SourceInfo::State::kReady;
  info.duration = duration;
  RETURN_IF_ERROR(Save(place, info, Durability::kSurvivesPowerLoss));
  return Load(place);
}

absl::StatusOr<SourceInfo> FolderSourceStore::RejectAt(const SourcePlace& place, SourceInfo info,
                                                       ErrorReason reason) {
  info.state = SourceInfo::State::kRejected;
  info.rejection = reason;
  RETURN_IF_ERROR(Save(place, info, Durability::kSurvivesPowerLoss));
  unlink(place.bytes_path.c_str());
  quota_.DropBytes(place.folder, place.id);
  return Load(place);
}

absl::StatusOr<SourceInfo> FolderSourceStore::Reject(const std::string& caller,
                                                     const std::string& id, ErrorReason reason) {
  ASSIGN_OR_RETURN(const SourcePlace place, Find(caller, id));
  MutexLock lock(LockOf(place));
  ASSIGN_OR_RETURN(SourceInfo info, LoadLive(place));
  if (info.state == SourceInfo::State::kRejected) return info;  // the first reason stays
  return RejectAt(place, std::move(info), reason);
}

absl::StatusOr<SourceInfo> FolderSourceStore::Get(const std::string& caller,
                                                  const std::string& id) {
  ASSIGN_OR_RETURN(const SourcePlace place, Find(caller, id));
  MutexLock lock(LockOf(place));
  return LoadLive(place);
}

absl::StatusOr<std::unique_ptr<SourceReader>> FolderSourceStore::Read(const std::string& caller,
                                                                      const std::string& id) {
  ASSIGN_OR_RETURN(const SourcePlace place, Find(caller, id));
  MutexLock lock(LockOf(place));
  ASSIGN_OR_RETURN(const SourceInfo info, LoadLive(place));
  if (info.state != SourceInfo::State::kReady) {
    return MakeError(absl::StatusCode::kFailedPrecondition, ErrorReason::kSourceNotReady,
                     "the source is not READY");
  }
  absl::StatusOr<OpenFile> file = OpenFile::Open(place.bytes_path, O_RDONLY);
  if (absl::IsNotFound(file.status())) return absl::DataLossError("the bytes of a source are gone");
  if (!file.ok()) return file.status();
  ASSIGN_OR_RETURN(const std::int64_t size, file->Size());
  if (size != info.size_bytes) return absl::DataLossError("the bytes of a source are damaged");
  return MakeFileReader(*std::move(file), size);
}

absl::Status FolderSourceStore::KeepUntil(const std::string& caller, const std::string& id,
                                          absl::Time expire_time) {
  ASSIGN_OR_RETURN(const SourcePlace place, Find(caller, id));
  MutexLock lock(LockOf(place));
  // Also what has expired but was not removed yet: a job may need it after a long time out of
  // service.
  ASSIGN_OR_RETURN(SourceInfo info, Load(place));
  if (expire_time <= info.expire_time) return absl::OkStatus();
  info.expire_time = expire_time;
  RETURN_IF_ERROR(Save(place, info, Durability::kSurvivesPowerLoss));
  quota_.Extend(place.folder, place.id, expire_time);
  return absl::OkStatus();
}

absl::StatusOr<SourceQuota::Uses> FolderSourceStore::LoadUses(const std::string& folder) const {
  SourceQuota::Uses uses;
  std::error_code error;
  std::filesystem::directory_iterator entry(absl::StrCat(root_, "/", folder), error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    const std::filesystem::path name = entry->path().filename();
    const std::optional<std::string> id = SafeSourceId(name.stem().string());
    if (!id || name.extension() != ".json") continue;
    // Files are replaced in one step, so reading one needs no lock.
    const absl::StatusOr<SourceInfo> info = Load(SourcePlaceIn(root_, folder, *id));
    if (!info.ok()) continue;
    const bool has_bytes = info->state != SourceInfo::State::kRejected;
    uses[*id] = {has_bytes ? info->size_bytes : 0, info->expire_time};
  }
  if (error) return ErrnoError(error.value(), "cannot read a caller's folder");
  return uses;
}

bool FolderSourceStore::RemoveIfExpired(const SourcePlace& place, absl::Time now) {
  MutexLock lock(LockOf(place));
  // A draft that is there while nobody writes is what a kill has left.
  unlink(absl::StrCat(place.metadata_path, ".tmp").c_str());
  const absl::StatusOr<SourceInfo> info = Load(place);
  if (info.ok() && info->expire_time <= now) {
    Remove(place);
    return true;
  }
  if (absl::IsNotFound(info.status())) {
    unlink(place.bytes_path.c_str());
  } else if (!info.ok()) {
    log_.Warning("source_unreadable", {{"source_id", place.id}});
  }
  return false;
}

absl::StatusOr<int> FolderSourceStore::RemoveExpired(absl::Time now) {
  int removed = 0;
  std::error_code error;
  std::filesystem::recursive_directory_iterator entry(root_, error);
  for (; !error && entry != std::filesystem::recursive_directory_iterator();
       entry.increment(error)) {
    if (entry.depth() != 1) continue;
    const std::string name = entry->path().filename().string();
    const std::optional<std::string> id = SafeSourceId(name.substr(0, name.find('.')));
    if (!id) continue;
    const std::string folder = entry->path().parent_path().filename().string();
    if (RemoveIfExpired(SourcePlaceIn(root_, folder, *id), now)) ++removed;
  }
  if (error) return ErrnoError(error.value(), "cannot read the folder of sources");
  return removed;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SourceStore>> OpenFolderSourceStore(
    const FolderSourceOptions& options) {
  auto store = std::make_unique<FolderSourceStore>(options);
  RETURN_IF_ERROR(MakePrivateFolder(options.data_dir));
  RETURN_IF_ERROR(MakePrivateFolder(store->root()));
  return store;
}

}  // namespace lumaedit
