"""One validator a guarantee. Each takes the evidence of a run and answers with what violates it. What watchers are
promised is in tests/history."""

from judge import FINAL, charge_of, state_of

# A failed record is adopted when the attempt it fits is over for certain: 330 s, the visibility time
# and the doubt about clocks after its seal (protocol.md section 4), and one look later.
CLOCK_DOUBT = 10
FAILED_RECORD_WAIT = 330 + 1 + CLOCK_DOUBT + 5
MOST_POSTS_IN_FLIGHT = 8


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


def is_adoptable(run, job):
    """The ledger shows exactly one record that section 4 of the protocol lets this job adopt."""
    prompt = job["edit"]["prompt"]
    unowned = run.unowned(prompt)
    in_doubt = [other for other in run.jobs_by_prompt[prompt] if state_of(other) not in FINAL
                and "upstreamId" not in other]
    if len(unowned) != 1 or len(in_doubt) > 1:
        return False
    # Made before the attempt's window began: left by an earlier attempt, whose refusal was understood.
    if unowned[0]["created_at"] <= run.sealed_at(job) - CLOCK_DOUBT:
        return False
    failed = unowned[0]["status"] == "failed"
    return not failed or run.end_time - run.sealed_at(job) > FAILED_RECORD_WAIT


def held_only_where_allowed(run):
    held = [job for job in run.jobs.values() if state_of(job) == "HELD"]
    for job in held:
        if is_adoptable(run, job):
            yield f"job {job['id']} is HELD, and {run.unowned(job['edit']['prompt'])[0]['request_id']} is its record"
    doubts = run.struck + MOST_POSTS_IN_FLIGHT * len(run.events("killed"))
    if len(held) > doubts:
        yield f"{len(held)} jobs are held after {doubts} unclear answers"


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
       charges_agree, a_prevented_cancel_costs_nothing, held_only_where_allowed, everything_is_at_rest,
       jobs_stand_where_their_history_ends]
