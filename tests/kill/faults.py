"""The faults that strike while the gateway is killed, each with its chance."""

# Answers that leave the gateway in doubt, when a POST gets them.
UNCLEAR = {"lost", "server_error", "accepted_then_lost", "bad_json", "slow", "backend_error", "capacity_503"}

POST = [
    ("rate_limit_429", 0.03, {"retry_after_ms": 200, "limit": 20, "interval_seconds": 1}),
    ("capacity_503", 0.02, {}),
    ("capacity_503", 0.01, {"lookup": "404"}),
    ("capacity_503", 0.01, {"lookup": "failed"}),
    ("capacity_503", 0.02, {"lookup": "live"}),
    ("backend_error", 0.01, {"code": 422}),
    ("backend_error", 0.01, {"code": 429}),
    ("backend_error", 0.01, {"code": 500}),
    ("server_error", 0.02, {"status": 502, "body": "html"}),
    ("server_error", 0.02, {"status": 502, "body": "html", "creates_record": True}),
    ("client_error", 0.01, {"status": 402}),
    ("client_error", 0.01, {"status": 403}),
    ("lost", 0.03, {}),
    ("accepted_then_lost", 0.05, {}),
    ("accepted_then_lost", 0.03, {"where": "mid_body", "how": "close"}),
    ("slow", 0.05, {"real_seconds": 0.7}),
    ("slow", 0.05, {"real_seconds": 0.7, "accept": "after"}),
    ("slow", 0.02, {"real_seconds": 3, "accept": "after"}),
    ("slow", 0.01, {"never": True}),
    ("sync_success", 0.03, {}),
    ("sync_failure", 0.01, {"style": "200"}),
    ("sync_failure", 0.01, {"style": "400"}),
    ("failure_shape", 0.02, {"shape": "object"}),
    ("cancelled", 0.01, {"word": "canceled"}),
    ("status_backwards", 0.02, {"seconds": 5}),
    ("bad_json", 0.02, {"variant": "truncated"}),
    ("get_flap", 0.03, {"polls": 3}),
    ("list_delay", 0.10, {"seconds": 8}),
]
READ = [
    ("lost", 0.03, {}),
    ("server_error", 0.03, {"status": 504, "body": "empty"}),
    ("rate_limit_429", 0.02, {"retry_after_ms": 200, "limit": 20, "interval_seconds": 1}),
    ("bad_json", 0.02, {"variant": "truncated"}),
    ("slow", 0.03, {"real_seconds": 0.5}),
]
GET = [("unknown_status", 0.03, {"status": "throttled", "when": "running"})]
LIST = [("list_quirk", 0.03, {"variant": "oldest_first"}), ("list_quirk", 0.03, {"variant": "no_has_more"})]


def rules():
    tables = (("post", POST), ("get", READ + GET), ("list", READ + LIST))
    return [{"fault": fault, "on": on, "probability": chance, "args": args}
            for on, table in tables for fault, chance, args in table]


def unclear_answers(told):
    """How many POSTs a fault left in doubt; `told` are the simulator's words about rules(), in their order."""
    given = rules()
    assert [rule["fault"] for rule in told] == [rule["fault"] for rule in given]
    return sum(rule["struck"] for rule, mine in zip(told, given) if mine["on"] == "post" and mine["fault"] in UNCLEAR)
