// The request queue itself: routes, authentication, submit, read, list (upstream.md sections 1 to
// 5). One per process; the I/O thread calls it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "exchange.h"
#include "fault_answers.h"
#include "world.h"

namespace lumaedit::simulator {

class QueueApi : public Handler {
 public:
  // The world must outlive this.
  explicit QueueApi(World& world) : world_(world) {}

  BodyPlan OnHead(const Request& request) override;
  Reply OnRequest(const Request& request) override;
  std::string HttpDate() const override { return world_.clock.HttpDate(); }
  void OnConnection() override { ++world_.connections; }
  void OnDone(const Reply& reply, const Traffic& traffic) override;

 private:
  Reply Route(const Request& request);
  Reply RouteWithKey(const Request& request, const std::string& path, ApiKey& key);
  Reply Post(const Request& request, ApiKey& key);
  // What a whole POST leads to, faults included.
  Reply Decide(ApiKey& key, const std::optional<Submission>& submission, const std::string& error,
               const std::vector<Fault>& faults);
  Reply Accept(ApiKey& key, const Submission& submission, const std::vector<Fault>& faults);
  Reply Refuse(ApiKey& key, const std::optional<Submission>& submission,
               const std::vector<Fault>& faults, const Refusal& refusal);
  Reply Get(ApiKey& key, const std::string& id);
  Reply List(const Request& request, ApiKey& key);
  Reply Models(const std::string& path, ApiKey* key);
  // Faults that refuse reads alike; nullopt when none does.
  std::optional<Reply> RefuseRead(ApiKey& key, const std::vector<Fault>& faults,
                                  const std::string& model, const std::string& id);
  // A stand-in record, so that pages shift under a reader.
  void AddForeignRecord(const ApiKey& key);

  World& world_;
};

}  // namespace lumaedit::simulator
