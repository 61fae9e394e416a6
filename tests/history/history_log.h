// What watchers saw, as it happened: one line a happening, fields between tabs, for the judge.
//
//   L job seq                         the list before anybody watched
//   W watcher kind behaviour          somebody who watches: kind job, jobs or wait
//   O watcher stream after            a stream (or a poll) begins, after this sequence or token
//   T watcher stream job seq state content token   a transition was read; content is a hash of it
//   C watcher stream job seq          caught up, the job standing at seq (0 for kind jobs)
//   E watcher stream code reason      it ended
//   D watcher                         it is done with all it wanted
//   S job seq state content           the store at the end: a transition of a job's history
//   J job seq state                   the store at the end: a job of the list
//
// Thread-safe.
#pragma once

#include <cstdio>
#include <mutex>
#include <string>

#include "lumaedit/v1/transition.pb.h"

namespace lumaedit {

class HistoryLog {
 public:
  // Aborts when the file cannot be made.
  explicit HistoryLog(const std::string& path);
  ~HistoryLog();

  // `line` without its end.
  void Write(const std::string& line);

 private:
  std::mutex mutex_;
  std::FILE* const file_;
};

// A hash of the whole transition, in hex: two tellings of it are the same, or they are not.
std::string ContentOf(const v1::Transition& transition);

}  // namespace lumaedit
