// Reads the list from its head to find out where running jobs stand whose place is not known: all
// of them after a restart. Fast while its pages find some, else a page now and then, to its end;
// then not again for a while.
//
// Says which stretch to read next; the poller reads it and tells what came. Pure; one thread.
// Durations are of uptime.
#pragma once

#include <deque>
#include <optional>

#include "absl/time/time.h"

namespace lumaedit {

class ListWalk {
 public:
  struct Stretch {
    int offset = 0;
    int limit = 0;
    int round = 0;  // of the walk it belongs to
  };

  // When the next stretch is due, with `unplaced` jobs to be found; InfiniteDuration: not before
  // something else happens.
  absl::Duration Due(absl::Duration now, std::size_t unplaced) const;
  // Call when it is due.
  Stretch Next(absl::Duration now, std::size_t unplaced, int limit);

  // `read` records came, and `found` of the unplaced were among them. Fewer than asked for: the
  // rest is read again, unless they were the list's last.
  struct Seen {
    int read = 0;
    bool at_end = false;
    int found = 0;
  };
  void Read(const Stretch& stretch, const Seen& seen, std::size_t unplaced, absl::Duration now);
  // It could not be read, for no reason of its own; it is due again.
  void NotRead(const Stretch& stretch);
  // It fails; its halves are due. True: it was a single record, which is passed over.
  bool Failed(const Stretch& stretch, std::size_t unplaced, absl::Duration now);
  // Another list: all over again.
  void Reset();

  // Until when so many are found that those which wait for it are better not asked by themselves:
  // put off by each page. -InfiniteDuration: not at all.
  absl::Duration SeeksUntil() const;

 private:
  static constexpr double kPays = 2;

  bool is_fast() const { return walking_ && found_a_page_ >= kPays; }
  bool HasMore() const;
  // It waits for nothing but jobs that were lost long after its last page: begun anew.
  bool IsStale(absl::Duration now) const;
  void EndIfOver(std::size_t unplaced, absl::Duration now);
  int Ahead(std::size_t unplaced) const;

  bool walking_ = false;
  int round_ = 0;
  int frontier_ = 0;           // nothing at or after it was asked for
  std::deque<Stretch> again_;  // what a page did not get to
  bool at_end_ = false;
  int in_flight_ = 0;
  int passed_over_ = 0;  // in a row
  int pages_ = 0;
  double found_a_page_ = 0;  // a mean of the last pages
  absl::Duration last_page_ = -absl::InfiniteDuration();
  absl::Duration ended_ = -absl::InfiniteDuration();
  std::size_t left_unplaced_ = 0;  // by the last walk
};

}  // namespace lumaedit
