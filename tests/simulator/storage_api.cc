#include "storage_api.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "digest.h"
#include "fault_answers.h"
#include "json_get.h"
#include "media_bytes.h"

namespace lumaedit::simulator {
namespace {

namespace json = boost::json;

// Virtual seconds; upstream.md section 1.3.
constexpr double kUploadSeconds = 900.0;

constexpr std::pair<const char*, const char*> kUploadTypes[] = {
    {"jpeg", "image/jpeg"}, {"jpg", "image/jpg"},  {"png", "image/png"},
    {"mp4", "video/mp4"},   {"mp3", "audio/mpeg"}, {"wav", "audio/wav"},
};

Reply StorageError(int status, const std::string& code) {
  Reply reply;
  reply.status = status;
  reply.headers.emplace_back("Content-Type", "application/xml; charset=UTF-8");
  reply.body = Body("<?xml version='1.0' encoding='UTF-8'?><Error><Code>" + code +
                    "</Code><Message>" + code + "</Message></Error>");
  return reply;
}

// RFC 9110 section 14: one range of bytes; anything else is answered whole.
void ApplyRange(const std::string& range, std::string& bytes, Reply& reply) {
  const size_t size = bytes.size();
  const size_t dash = range.find('-');
  if (!range.starts_with("bytes=") || dash == std::string::npos ||
      range.find(',') != std::string::npos) {
    return;
  }
  const std::string from = range.substr(6, dash - 6);
  const std::string to = range.substr(dash + 1);
  size_t first = from.empty() ? 0 : std::strtoull(from.c_str(), nullptr, 10);
  size_t last = to.empty() ? size - 1 : std::strtoull(to.c_str(), nullptr, 10);
  if (from.empty()) {
    const size_t count = std::min<size_t>(last, size);
    first = size - count;
    last = size - 1;
  }
  last = std::min(last, size - 1);
  if (first > last) {
    reply = StorageError(416, "InvalidRange");
    reply.headers.emplace_back("Content-Range", "bytes */" + std::to_string(size));
    bytes.clear();
    return;
  }
  reply.status = 206;
  reply.headers.emplace_back(
      "Content-Range",
      "bytes " + std::to_string(first) + "-" + std::to_string(last) + "/" + std::to_string(size));
  bytes = bytes.substr(first, last - first + 1);
}

bool Has(const std::vector<Fault>& faults, const std::string& variant) {
  return std::any_of(faults.begin(), faults.end(), [&](const Fault& fault) {
    return fault.name == "output_fault" && GetWord(fault.args, "variant", "403") == variant;
  });
}

Reply FileReply(const Request& request, const std::vector<Fault>& faults, const std::string& type,
                std::string bytes) {
  if (Has(faults, "changed")) bytes += "changed";
  Reply reply;
  reply.headers.emplace_back("Content-Type", type);
  Sha256 hash;
  hash.Update(bytes);
  const std::string tag = "\"" + hash.Hex().substr(0, 32) + "\"";
  reply.headers.emplace_back("ETag", tag);
  // RFC 9110 section 13.1.5: the range counts only while the file is the same.
  const std::string condition = request.Header("if-range");
  const bool same = condition.empty() || condition == tag;
  if (!Has(faults, "no_range")) {
    reply.headers.emplace_back("Accept-Ranges", "bytes");
    if (same) ApplyRange(request.Header("range"), bytes, reply);
  }
  if (!bytes.empty()) reply.body = Body(std::move(bytes));
  return reply;
}

void ApplyOutputFault(const Fault& fault, Reply& reply) {
  const std::string variant = GetWord(fault.args, "variant", "403");
  if (variant == "no_range" || variant == "changed") {
    // Done as the file was made.
  } else if (variant == "404") {
    reply = StorageError(404, "NoSuchKey");
  } else if (variant == "410") {
    reply = StorageError(410, "Gone");
  } else if (variant == "wrong_type") {
    reply = Reply();
    reply.headers.emplace_back("Content-Type", "text/html");
    reply.body = Body("<html><body>Sign in</body></html>");
  } else if (variant == "short") {
    reply.delivery.missing_bytes = reply.body.size() / 2;
  } else if (variant == "slow") {
    reply.delivery.bytes_per_second =
        static_cast<uint64_t>(GetNumber(fault.args, "bytes_per_second", 1024));
  } else {
    reply = StorageError(403, "AccessDenied");
  }
}

}  // namespace

Reply ServeOutput(World& world, const Request& request) {
  const std::string rest = request.path.substr(sizeof(kOutputPrefix) - 1);
  const size_t slash = rest.find('/');
  const std::string id = rest.substr(0, slash);
  const std::string file = slash == std::string::npos ? "" : rest.substr(slash + 1);
  Record* record = world.records.Find(id);
  const double now = world.clock.Now();
  if (record == nullptr || record->StatusAt(now) != "success") {
    return StorageError(404, "NoSuchKey");
  }
  Situation situation{kOutput, {record->submission.prompt}, "", id, now};
  const std::vector<Fault> faults = world.faults.Take(situation);
  for (const Fault& fault : faults) {
    if (auto refusal = RefuseBy(world, fault, record->submission.model)) {
      Reply refused = refusal->reply(id);
      ApplyDelivery(world, faults, refused);
      return refused;
    }
  }
  Reply reply;
  const double expiry = world.options.output_expiry_seconds;
  if (expiry > 0.0 && now > record->StepAt(now).at + expiry) {
    reply = StorageError(403, "ExpiredToken");
  } else if (file == "output.mp4") {
    reply = FileReply(request, faults, "video/mp4", MakeMp4(record->source_seconds));
  } else if (file == "thumb.jpg") {
    reply = FileReply(request, faults, "image/jpeg", MakeJpeg());
  } else if (file == "output.exr") {
    // The magic number only: nobody reads on.
    reply = FileReply(request, faults, "image/x-exr", std::string("\x76\x2f\x31\x01\x02\0\0\0", 8));
  } else {
    reply = StorageError(404, "NoSuchKey");
  }
  for (const Fault& fault : faults) {
    if (fault.name == "output_fault") ApplyOutputFault(fault, reply);
  }
  ApplyDelivery(world, faults, reply);
  return reply;
}

Reply MakeUploadUrl(World& world, const Request& request) {
  json::error_code code;
  const json::value body = json::parse(*request.body, code);
  const std::string type =
      !code && body.is_object() ? GetString(body.get_object(), "file_type") : "";
  for (const auto& [extension, content_type] : kUploadTypes) {
    if (type != extension) continue;
    const std::string token = world.random.Uuid() + "." + type;
    Upload upload;
    upload.content_type = content_type;
    upload.expires = world.clock.Now() + kUploadSeconds;
    world.uploads[token] = std::move(upload);
    return JsonReply(200, json::object{{"upload_url", world.public_url + kUploadPrefix + token +
                                                          "?X-Expires=900"},
                                       {"public_url", world.public_url + kPublicPrefix + token}});
  }
  return ErrorReply(400, "unsupported file_type");
}

Reply PutUpload(World& world, const Request& request) {
  const auto found = world.uploads.find(request.path.substr(sizeof(kUploadPrefix) - 1));
  if (found == world.uploads.end()) return StorageError(404, "NoSuchKey");
  Upload& upload = found->second;
  if (world.clock.Now() > upload.expires) return StorageError(403, "ExpiredToken");
  // The signature covers the type, so another one does not fit it.
  if (request.Header("content-type") != upload.content_type) {
    return StorageError(403, "SignatureDoesNotMatch");
  }
  upload.stored = true;
  if (world.records.Reserve(request.body->size())) upload.bytes = request.body;
  return Reply();
}

Reply GetUpload(World& world, const Request& request) {
  const auto found = world.uploads.find(request.path.substr(sizeof(kPublicPrefix) - 1));
  if (found == world.uploads.end() || !found->second.stored) return StorageError(404, "NoSuchKey");
  Reply reply;
  reply.headers.emplace_back("Content-Type", found->second.content_type);
  if (found->second.bytes) reply.body.AppendShared(found->second.bytes, *found->second.bytes);
  return reply;
}

}  // namespace lumaedit::simulator
