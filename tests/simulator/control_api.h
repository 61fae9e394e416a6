// The control interface: what a test sets and reads, over plain HTTP on loopback. Every request is
// described in README.md. One per process; the I/O thread calls it.
#pragma once

#include <boost/json.hpp>
#include <string>

#include "exchange.h"
#include "world.h"

namespace lumaedit::simulator {

class ControlApi : public Handler {
 public:
  // The world must outlive this.
  explicit ControlApi(World& world) : world_(world) {}

  BodyPlan OnHead(const Request&) override { return {}; }
  Reply OnRequest(const Request& request) override;
  std::string HttpDate() const override { return world_.clock.HttpDate(); }
  void OnConnection() override {}
  void OnDone(const Reply&, const Traffic&) override {}

 private:
  Reply Get(const std::string& what);
  Reply Post(const std::string& what, const boost::json::object& body);

  boost::json::object Ledger();
  boost::json::array Records();
  boost::json::object Requests() const;
  Reply MakeRecord(const boost::json::object& body);
  Reply ForceRecord(const std::string& id, const boost::json::object& body);
  Reply ChangeKey(const boost::json::object& body);
  Reply ChangeScenario(const boost::json::object& body);

  World& world_;
};

}  // namespace lumaedit::simulator
