"""One validator a guarantee. Each takes the evidence of a run and answers with what violates it. What watchers are
promised is in tests/history."""

from harness import CRASH_POINTS
from judge import FINAL, charge_of, seconds, state_of

# The settings of the run (kill_test.py).
ANSWER_WAIT = 2
VISIBILITY = 1
CLOCK_DOUBT = 10
# An attempt whose answer and break nobody saw ends so long after its seal (protocol.md section 2).
LONGEST_ATTEMPT = 330
# A gateway that has just started learns the upstream's time with its first look, and looks again.
TWO_LOOKS = 10
# In so many rounds every crash point is aimed at often enough to be struck.
MANY_KILLS = 200


def acknowledged_jobs_are_there(run):
    for event in run.events("acknowledged"):
        job = run.jobs.get(event["job"])
        if job is None:
            yield f"job {event['job']} was acknowledged to {event['caller']} and is gone"
        elif (job["requestId"], job["edit"]["prompt"]) != (event["request_id"], event["prompt"]):
            yield f"job {event['job']} is not what {event['caller']} submitted"
        elif job["caller"] != event["caller"]:
            yield f"job {event['job']} of {event['caller']} shows to {job['caller']}"


def one_job_a_request(run):
    seen = {}
    for job in run.jobs.values():
        other = seen.setdefault((job["caller"], job["requestId"]), job["id"])
        if other != job["id"]:
            yield f"request {job['requestId']} has the jobs {other} and {job['id']}"
    for event in run.events("acknowledged"):
        if seen.get((event["caller"], event["request_id"])) != event["job"]:
            yield f"request {event['request_id']} was answered with {event['job']}"
    for event in run.events("refused"):
        yield f"a good submission was refused: {event}"


def accepted_at_most_once(run):
    for prompt, records in run.records_by_prompt.items():
        accepted, jobs = run.accepted(prompt), run.jobs_by_prompt[prompt]
        if len(accepted) > len(jobs):
            yield (f"'{prompt}': {len(accepted)} accepted POSTs for {len(jobs)} jobs: "
                   f"{[r['request_id'] for r in records]}, {[j['id'] for j in jobs]}")


def upstream_ids_are_their_own(run):
    owners = {}
    for job in run.jobs.values():
        upstream_id = job.get("upstreamId")
        if upstream_id is None:
            continue
        record = run.records.get(upstream_id)
        if record is None or record["prompt"] != job["edit"]["prompt"]:
            yield f"job {job['id']} shows {upstream_id}, which is another edit's"
        if owners.setdefault(upstream_id, job["id"]) != job["id"]:
            yield f"{upstream_id} is shown by {owners[upstream_id]} and {job['id']}"


def charges_agree(run):
    for prompt, jobs in run.jobs_by_prompt.items():
        accepted = run.accepted(prompt)
        billed = [record for record in accepted if not record["refunded"]]
        states = [charge_of(job) for job in jobs]
        if len(billed) > states.count("INCURRED") + states.count("UNCERTAIN"):
            yield f"'{prompt}': {len(billed)} billed, the jobs say {states}"
        for job in jobs:
            record = run.records.get(job.get("upstreamId"))
            is_billed = record is not None and record["accepted"] and not record["refunded"]
            if charge_of(job) == "INCURRED" and not is_billed:
                yield f"job {job['id']} is incurred, and the ledger bills nothing"
            if charge_of(job) == "RELEASED" and is_billed:
                yield f"job {job['id']} is released, and {record['request_id']} is billed"
            if charge_of(job) == "RESERVED":
                yield f"job {job['id']} is at rest with a reservation"
    sums = {state: [0, 0] for state in ("INCURRED", "UNCERTAIN", "RELEASED", "RESERVED")}
    for job in run.jobs.values():
        amount = job["charge"].get("amount", {})
        sums[charge_of(job)][0] += int(amount.get("minUsdMicros", 0))
        sums[charge_of(job)][1] += int(amount.get("maxUsdMicros", 0))
    net = sum(r["charged_usd_micros"] for r in run.records.values() if r["accepted"] and not r["refunded"])
    if not sums["INCURRED"][0] <= net <= sums["INCURRED"][1] + sums["UNCERTAIN"][1]:
        yield f"the ledger bills {net} micro-dollars, the jobs say {sums}"


def a_prevented_cancel_costs_nothing(run):
    for event in run.events("cancel"):
        if not event["result"].endswith("PREVENTED"):
            continue
        job = run.jobs[event["job"]]
        if state_of(job) != "CANCELLED" or charge_of(job) != "RELEASED":
            yield f"job {event['job']}: PREVENTED, and it is {job['state']} {charge_of(job)}"
        prompt = job["edit"]["prompt"]
        if len(run.jobs_by_prompt[prompt]) == 1 and run.accepted(prompt):
            yield f"job {event['job']}: PREVENTED, and a POST was accepted"


def is_left_in_doubt_by_a_kill(run, job):
    """Its last answer, if there was one, came to a gateway that was dead."""
    sealed, left = run.last_attempt(job)
    late = left - sealed >= ANSWER_WAIT  # UNCONFIRMED by time: the answer was still read for
    return run.killed_between(sealed, sealed + LONGEST_ATTEMPT if late else left)


def end_of_attempt(run, job):
    """The end of the last attempt: what left the job in doubt, where the gateway has seen that happen."""
    sealed, left = run.last_attempt(job)
    was_seen = left - sealed < ANSWER_WAIT and not run.killed_between(sealed, left)
    return left if was_seen else sealed + LONGEST_ATTEMPT


def is_adoptable(run, job):
    """The ledger shows exactly one record that section 4 of the protocol lets this job adopt."""
    prompt = job["edit"]["prompt"]
    unowned = run.unowned(prompt)
    in_doubt = [other for other in run.jobs_by_prompt[prompt] if state_of(other) not in FINAL
                and "upstreamId" not in other]
    if len(unowned) != 1 or len(in_doubt) > 1:
        return False
    # Made before the attempt's window began: left by an earlier attempt, whose refusal was understood.
    if unowned[0]["created_at"] <= run.last_attempt(job)[0] - CLOCK_DOUBT:
        return False
    # Made after it: another job's. Of the second in which it ends either may be true.
    window_end = end_of_attempt(run, job) + VISIBILITY + CLOCK_DOUBT
    if unowned[0]["created_at"] >= window_end - 1:
        return False
    return unowned[0]["status"] != "failed" or run.end_time > window_end + TWO_LOOKS


def held_only_where_allowed(run):
    held = [job for job in run.jobs.values() if state_of(job) == "HELD"]
    for job in held:
        if is_adoptable(run, job):
            yield f"job {job['id']} is HELD, and {run.unowned(job['edit']['prompt'])[0]['request_id']} is its record"
    unkilled = [job["id"] for job in held if not is_left_in_doubt_by_a_kill(run, job)]
    if len(unkilled) > run.struck:
        yield f"{len(unkilled)} jobs are held after {run.struck} unclear answers: {unkilled}"


def budgets_are_the_sums_of_the_charges(run):
    """The counters that limits go by are what the jobs' own charges add up to."""
    for caller, budget in run.budgets.items():
        begin, end = seconds(budget["windowStartTime"]), seconds(budget["windowEndTime"])
        jobs = [job for job in run.jobs.values() if job["caller"] == caller
                and begin <= seconds(job["createTime"]) < end]
        for state in ("reserved", "incurred", "uncertain"):
            told = int(budget.get(f"{state}UsdMicros", 0))
            owed = sum(int(job["charge"].get("amount", {}).get("maxUsdMicros", 0)) for job in jobs
                       if charge_of(job) == state.upper())
            if told != owed:
                yield f"{caller}'s budget says {told} micro-dollars {state}, the jobs {owed}"


def every_crash_point_was_struck(run):
    kills = run.events("killed")
    if len(kills) < MANY_KILLS:
        return
    for point in CRASH_POINTS:
        if all(event["point"] != point for event in kills):
            yield f"no kill at {point} in {len(kills)}"


def most_kills_meet_a_gateway_that_serves(run):
    kills = run.events("killed")
    early = [event for event in kills if not event["served"]]
    if len(early) > len(kills) / 2:
        yield f"{len(early)} of {len(kills)} kills came before the gateway served"


def everything_is_at_rest(run):
    for job in run.jobs.values():
        if state_of(job) not in FINAL and state_of(job) != "HELD":
            yield f"job {job['id']} is still {job['state']}"


def jobs_stand_where_their_history_ends(run):
    for job_id, job in run.jobs.items():
        last = run.replayed[job_id][-1] if run.replayed[job_id] else {"sequence": 0, "state": "none"}
        if (last["sequence"], last["state"]) != (job["sequence"], job["state"]):
            yield f"job {job_id} is {job['state']} at {job['sequence']}, its history ends at {last}"


ALL = [acknowledged_jobs_are_there, one_job_a_request, accepted_at_most_once, upstream_ids_are_their_own,
       charges_agree, budgets_are_the_sums_of_the_charges, a_prevented_cancel_costs_nothing, held_only_where_allowed,
       everything_is_at_rest, jobs_stand_where_their_history_ends, every_crash_point_was_struck,
       most_kills_meet_a_gateway_that_serves]
