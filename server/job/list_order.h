// Is a list in the order that is expected, newest first, and was it read past a time? (protocol.md
// section 4: a pass over a list in another order proves nothing.) Pure; one thread.
//
// A list that shows its oldest record first would seem read at once, so the order must be seen:
// some record that is surely older than one before it.
#pragma once

#include "absl/time/time.h"

namespace lumaedit {

class ListOrder {
 public:
  // The next record was made between these two, upstream's time; equal ones are exact, in whole
  // seconds. A record whose time is not known at all is not added.
  void Add(absl::Time earliest, absl::Time latest);

  // Everything made after this was read, if the list is in order; InfiniteFuture: that is not
  // known.
  absl::Time ReadBackTo() const;

 private:
  bool in_order_ = true;
  bool descends_ = false;
  absl::Time newest_ = absl::InfinitePast();    // the latest `earliest` so far
  absl::Time oldest_ = absl::InfiniteFuture();  // the earliest `latest` so far
};

}  // namespace lumaedit
