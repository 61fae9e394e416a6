"""The thirty faults of the upstream, in groups that one gateway can serve side by side.

The number of a row is that of the fault list in tests/simulator/README.md; 0 stands for the
assumptions of the protocol, broken on purpose."""

from fault_table import (Group, Row, everybody, expires, fails, held, lost, post, read, refused,
                         succeeds)

SHORT = ("--confirm-window", "4s", "--pause-first", "100ms", "--pause-most", "100ms",
         "--doubt-pause-first", "100ms", "--doubt-pause-most", "100ms",
         "--output-wait", "1s", "--poll-rate", "200")
PATIENT = (*SHORT, "--confirm-window", "40s")
UNCONFIRMED = ("UNCONFIRMED",)

# Faults of the answer to the POST that leave no doubt, or a doubt that the list ends at once.
ANSWERS = Group("answers", flags=SHORT, rows=[
    *[refused(4, f"backend error {code}", post("backend_error", code=code)) for code in (400, 403, 422)],
    refused(4, "backend error 422 that leaves a record",
            post("backend_error", code=422, leaves_record=True)),
    held(4, "backend error 500", post("backend_error", code=500)),
    *[held(5, f"{status} {body}", post("server_error", status=status, body=body))
      for status, body in ((500, "json"), (502, "html"), (504, "empty"))],
    succeeds(5, "502 html although accepted",
             post("server_error", status=502, body="html", creates_record=True), must_pass=UNCONFIRMED),
    *[refused(6, f"{status} {shape}", post("client_error", status=status, shape=shape))
      for status, shape in ((400, "error"), (400, "message"), (413, "object"), (422, "detail"))],
    *[succeeds(6, f"{status} to everybody", post("client_error", status=status), attempts=2)
      for status in (401, 402, 404)],
    refused(6, "403 while the key reads", post("client_error", status=403),
            reason="UPSTREAM_NOT_ENTITLED"),
    *[succeeds(7, f"model {text}", post("model_not_found", text=text), attempts=2)
      for text in ("missing", "no_access")],
    *[succeeds(8, f"accepted, lost {where} {how}", lost(where, how), must_pass=UNCONFIRMED)
      for where in ("before_headers", "after_headers", "mid_body") for how in ("reset", "close")],
    *[held(9, f"lost {where} {how}", post("lost", where=where, how=how), candidates=0)
      for where in ("before_headers", "after_headers", "mid_body") for how in ("reset", "close")],
    succeeds(11, "success on the POST", post("sync_success")),
    refused(12, "400 with a request_id", post("sync_failure", style="400")),
    fails(12, "200 with status failed", post("sync_failure", style="200")),
    *[fails(15, f"failed, {shape}", post("failure_shape", shape=shape))
      for shape in ("text", "object", "null", "empty", "reason", "top_error_text",
                    "top_error_object", "message", "failure_reason")],
    fails(15, "failed, moderated", post("failure_shape", shape="luma"), reason="CONTENT_MODERATED"),
    *[Row(16, word, [post("cancelled", word=word)], "CANCELLED", "UNCERTAIN")
      for word in ("cancelled", "canceled")],
    # The body that nobody can read has a record behind it.
    *[succeeds(21, f"POST answer {variant}", post("bad_json", variant=variant), must_pass=UNCONFIRMED)
      for variant in ("truncated", "trailing", "duplicate_keys", "bom", "invalid_utf8",
                      "broken_chunk", "gzip", "not_json")],
    succeeds(21, "POST answer of a wrong type", post("bad_json", variant="wrong_content_type")),
    succeeds(25, "created_at five minutes late", post("clock", offset_seconds=300)),
    # The list's own clock is known by then: such a record was not made by this POST.
    *[held(25, f"lost, created_at {offset:+d} s", lost(), post("clock", offset_seconds=offset), accepted=1)
      for offset in (300, -300)],
    *[succeeds(25, f"lost, created_at {name}", lost(), post("clock", **args), must_pass=UNCONFIRMED)
      for name, args in (("0", {"value": 0}), ("missing", {"missing": True}), ("null", {"value": None}),
                         ("a string", {"as": "string"}),
                         ("a float", {"as": "float"}))],
    refused(26, "source too long at the POST", post("source_limit", at="post"),
            prompt="[sim:fast] [seconds=20]"),
    fails(26, "source too long, late", post("source_limit", at="late"), prompt="[sim:fast] [seconds=20]"),
    succeeds(28, "output refused", everybody({"fault": "output_fault", "on": "output", "always": True,
                                              "args": {"variant": "403"}}), during="output_is_refused"),
    succeeds(29, "listed after 30 s", lost(), post("list_delay", seconds=30), must_pass=UNCONFIRMED),
    # Assumption A3 broken: nobody can find it, nobody sends it again.
    held(0, "A3: never listed", lost(), post("list_delay", never=True), accepted=1, candidates=0),
    succeeds(30, "POST answered with Connection: close", post("connection_close")),
    succeeds(30, "POST connection dies idle", post("idle_close")),
])

# Faults of the polls.
POLLS = Group("polls", flags=SHORT, rows=[
    succeeds(1, "429 on a poll", read("rate_limit_429", 2, retry_after_ms=300)),
    *[succeeds(17, f"status {status!r} for a while", read("unknown_status", 4, status=status))
      for status in ("throttled", "", 7, None, "DISPATCHED")],
    succeeds(17, "status missing for a while", read("unknown_status", 4, missing=True)),
    succeeds(17, "SUCCESS in capitals", read("unknown_status", status="SUCCESS", when="success")),
    succeeds(17, "unknown on the POST", post("unknown_status", status="throttled", when="running")),
    succeeds(18, "backwards", post("status_backwards", seconds=20), prompt="[sim:run=40]"),
    *[Row(19, f"success, {shape}", [post("success_anomaly", shape=shape)], "FAILED", "UNCERTAIN",
          reason="UPSTREAM_OUTPUT_MISSING")
      for shape in ("null", "empty", "media_urls_empty", "media_urls_no_url", "thumbnail_only")],
    *[succeeds(19, f"success, {shape}", post("success_anomaly", shape=shape))
      for shape in ("thumbnail_same", "media_urls_strings", "no_generation_id", "nested_status",
                    "media_urls", "trace_id")],
    succeeds(19, "success without a URL at first", read("success_anomaly", 3, shape="null")),
    succeeds(20, "odd fields", read("extra_fields", depth=8)),
    succeeds(20, "fields too deep for a while", read("extra_fields", 3, depth=40)),
    *[succeeds(21, f"poll {variant}", read("bad_json", 2, variant=variant))
      for variant in ("truncated", "trailing", "duplicate_keys", "bom", "invalid_utf8",
                      "wrong_content_type", "broken_chunk", "gzip", "not_json")],
    succeeds(22, "echo of 8 MB", read("huge_echo", megabytes=8), prompt="[sim:run=20]"),
    *[succeeds(23, f"{status} on the first polls", post("get_flap", polls=3, status=status))
      for status in (404, 429, 502)],
    succeeds(23, "404 by id for ever, listed", post("get_flap", polls=-1, status=404)),
    succeeds(23, "slow polls", read("slow", 2, real_seconds=1)),
    succeeds(30, "connection reset at the next poll", read("idle_close")),
    succeeds(30, "connection closed while idle", read("idle_close", mode="after", seconds=0.02)),
    succeeds(30, "Connection: close on polls", read("connection_close")),
])

# Refused in words: judged when the visibility time and the doubt about clocks are over.
WORDS = Group("words", flags=PATIENT, rows=[
    *[succeeds(1, f"429 {variant}", post("rate_limit_429", variant=variant), attempts=2,
               must_pass=UNCONFIRMED) for variant in ("plain", "with_request_id")],
    succeeds(3, "capacity", post("capacity_503"), attempts=2, must_pass=UNCONFIRMED),
    *[succeeds(3, f"capacity, its id reads {lookup}", post("capacity_503", lookup=lookup), attempts=2,
               must_pass=UNCONFIRMED) for lookup in ("404", "failed")],
    succeeds(3, "capacity, its id is live", post("capacity_503", lookup="live"), must_pass=UNCONFIRMED),
    succeeds(3, "a long outage", {"fault": "capacity_503", "on": "post", "for_seconds": 200, "always": True},
             attempts=2, must_pass=UNCONFIRMED),
    *[succeeds(4, f"backend error 429, {'a' if leaves else 'no'} record",
               post("backend_error", code=429, leaves_record=leaves), attempts=2, must_pass=UNCONFIRMED)
      for leaves in (True, False)],
    # Unclear, and its failed record is the only one: it is what became of the POST.
    Row(4, "backend error 500 that leaves a record", [post("backend_error", code=500, leaves_record=True)],
        "FAILED", "RELEASED", accepted=0, reason="UPSTREAM_FAILED"),
    fails(8, "accepted, lost and failed", lost(), post("failure_shape", shape="text")),
])

WORDS_HOLD = Group("words held", flags=(*SHORT, "--on-capacity-refusal", "hold", "--confirm-window", "16s"),
                   rows=[
    held(3, "capacity, hold", post("capacity_503")),
    held(3, "capacity with an id that is 404, hold", post("capacity_503", lookup="404")),
    succeeds(3, "capacity with a live id, hold", post("capacity_503", lookup="live")),
])

# Waits that hold up everybody.
# The pace that a 429 tells is learned by the gateway, which all rows of a group share.
TOLD = {"limit": 10, "interval_seconds": 1}
WAITS = Group("waits", flags=SHORT, rows=[
    succeeds(1, "429 body", post("rate_limit_429", **TOLD, variant="body", retry_after_ms=1500), attempts=2,
             least_wait=1.5),
    succeeds(1, "429 seconds", post("rate_limit_429", **TOLD, variant="header_seconds", retry_after_ms=1500),
             attempts=2, least_wait=2),
    succeeds(1, "429 date", post("rate_limit_429", **TOLD, variant="header_date", retry_after_ms=1500), attempts=2,
             least_wait=1),
    succeeds(1, "429 conflict", post("rate_limit_429", **TOLD, variant="conflict", retry_after="3"), attempts=2,
             least_wait=3),
    succeeds(1, "429 none", post("rate_limit_429", **TOLD, variant="none"), attempts=2, least_wait=0.5),
    succeeds(1, "429 negative", post("rate_limit_429", **TOLD, variant="negative"), attempts=2, least_wait=0.5),
    # Assumption A2 broken: what was recognised as a refusal was taken, and is sent again.
    succeeds(0, "A2: a 429 that takes it", post("rate_limit_429", **TOLD, creates_record=True), attempts=2,
             accepted=2),
])
ABSURD = Group("absurd wait", flags=SHORT, rows=[
    refused(1, "429 absurd", post("rate_limit_429", **TOLD, variant="absurd"), reason="START_WITHIN_EXCEEDED",
            submit=("--start-within", "15s"), during="waits_two_minutes"),
])
LIMITER = Group("limiter", flags=SHORT, rows=[
    succeeds(2, f"limiter {n}", everybody({"fault": "limiter", "on": "post", "always": True,
                                           "args": {"limit": 2, "interval_seconds": 2}})
             if n == 0 else None, attempts=None) for n in range(5)])

SLOW = Group("slow", flags=(*SHORT, "--answer-wait", "1s"), rows=[
    succeeds(10, "slow, in time", post("slow", real_seconds=0.5)),
    succeeds(10, "slow, accepted before", post("slow", real_seconds=3), must_pass=UNCONFIRMED),
    succeeds(10, "slow, accepted after", post("slow", real_seconds=3, accept="after"), must_pass=UNCONFIRMED),
    # Held by then; the late answer ends it by itself.
    succeeds(10, "slow, accepted after it was held", post("slow", real_seconds=14, accept="after"),
             must_pass=("UNCONFIRMED", "HELD")),
    succeeds(10, "never answered, accepted", post("slow", never=True), must_pass=UNCONFIRMED),
    held(10, "never answered, not accepted", post("slow", never=True, accept="after"), candidates=0),
])

DEADLINE = Group("deadline", flags=(*SHORT, "--job-deadline", "4s"), rows=[
    *[expires(13, f"stuck in {status}", post("stuck", status=status), prompt="")
      for status in ("queued", "processing")],
    expires(17, "'completed' is no success", read("unknown_status", status="completed", when="success")),
    expires(20, "fields always too deep", read("extra_fields", depth=40)),
    expires(23, "502 for ever", post("get_flap", polls=-1, status=502)),
])
LATE = Group("late", flags=SHORT, time_factor=300, rows=[
    fails(14, "failed after ten minutes", post("late_failure", seconds=600), prompt=""),
])

AUTH = Group("auth", flags=SHORT, rows=[
    succeeds(24, "key revoked in mid-job", post("auth_change", after_polls=2), prompt="[sim:run=20]",
             during="key_comes_back"),
])
AUTH_ONCE = Group("auth once", flags=SHORT, rows=[
    succeeds(24, f"{status} once on a poll", post("auth_change", after_polls=1, revoke=False, status=status),
             prompt="[sim:run=20]") for status in (401, 403)])

LISTS = Group("lists", flags=(*SHORT, "--confirm-window", "9s"), together=1, filler=30, rows=[
    *[succeeds(29, f"list {variant}", lost(), everybody(read("list_quirk", on="list", variant=variant)),
               must_pass=UNCONFIRMED) for variant in ("no_has_more", "no_total", "shift", "oldest_first")],
    succeeds(5, "list answers 502 at first", lost(), everybody(read("server_error", 1, on="list", status=502)),
             must_pass=UNCONFIRMED),
    succeeds(21, "list cut short at first", lost(),
             everybody(read("bad_json", 1, on="list", variant="truncated")), must_pass=UNCONFIRMED),
])

UPLOADS = Group("uploads", flags=SHORT, together=1, rows=[
    refused(27, "413 in mid-body", everybody(post("body_limit", bytes=65536, how="413")),
            inline_bytes=2500000, attempts=None),
    succeeds(27, "reset in mid-body", everybody(post("body_limit", bytes=65536, how="reset")),
             inline_bytes=2500000),
    # Assumption A1 broken: taken before the last byte; sealed first, so nothing is sent twice.
    succeeds(0, "A1: a short body is taken", everybody(post("accept_short_body", missing=1))),
])

# A record without an echo fits everybody's attempt, so each of these is alone with its gateway.
ECHOES = [Group(f"echo {mode}", flags=SHORT, rows=[
    held(22, f"echo {mode}", lost(), post("huge_echo", mode=mode), accepted=1, candidates=1)])
    for mode in ("empty", "missing")]

CLOCKS = [Group(f"clock {offset:+d} s", flags=SHORT, simulator=("--clock-offset-seconds", str(offset)), rows=[
    succeeds(25, f"lost, the upstream's clock {offset:+d} s", lost(), must_pass=UNCONFIRMED)])
    for offset in (300, -300)]

GROUPS = [AUTH, AUTH_ONCE, WORDS, WORDS_HOLD, LISTS, ANSWERS, POLLS, WAITS, ABSURD, SLOW, DEADLINE, LIMITER,
          LATE, UPLOADS, *ECHOES, *CLOCKS]
for _row in LIMITER.rows:
    _row.rules = [rule for rule in _row.rules if rule]
