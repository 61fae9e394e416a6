/* One job's way to the upstream and back (protocol.md sections 2 to 4): two owners, the upstream, a
 * caller. Every interleaving of crash, expired lease, lost, late and misleading answers, cancel and
 * resolve is visited.
 *
 * Three properties, asserted by these names:
 *   billed_twice        a second POST was accepted
 *   prevented_and_paid  a POST was accepted for a job whose cancel was answered PREVENTED
 *   paid_not_adopted    all is at rest, and a record that the law lets the gateway adopt (a process
 *                       that lives was told of it, or the list shows it with its echo) has no owner
 *   released_and_paid   all is at rest, nothing is charged, and a POST was accepted
 *
 * A macro breaks one rule or one assumption; model_test.py says which property must catch it. */

#define ATTEMPTS 2   /* POSTs a job may seal: two are enough to bill twice */
#define EXPIRIES 2   /* leases that run out while their holder lives */
#define CRASHES 2

mtype:job = { PENDING, SUBMITTING, UNCONFIRMED, HELD, RUNNING, FAILED, CANCELLED };
/* What a POST is answered with. BROKEN: the connection breaks instead. */
mtype:reply = { NOTHING, OK, RATE, ODD_429, WORDS, REFUSED, UNCLEAR, BROKEN };
mtype:seen = { HIDDEN, VISIBLE, ABSENT };

/* --- The store: each access is one transaction ------------------------------------------------ */
mtype:job state = PENDING;
byte epoch;                 /* of the newest lease */
byte attempt;               /* the newest sealed one; 0: none */
bool accepted_fact[ATTEMPTS + 1];
bool not_accepted_fact[ATTEMPTS + 1];
bool words_fact[ATTEMPTS + 1];
bool refused_fact[ATTEMPTS + 1];
bool ended[ATTEMPTS + 1];
bool cancel_asked;
bool abandoned;

/* --- The upstream ----------------------------------------------------------------------------- */
bool on_wire[ATTEMPTS + 1];            /* the last byte was given and nothing came of it yet */
mtype:reply coming[ATTEMPTS + 1];      /* decided, not yet heard */
mtype:reply reply[ATTEMPTS + 1];       /* on the connection, to be read */
mtype:seen record[ATTEMPTS + 1];       /* in the list */
bool has_echo[ATTEMPTS + 1];
byte accepted;

/* --- What the properties need ----------------------------------------------------------------- */
byte held_epoch[2];         /* the lease that each owner believes it has; 0: none, or dead */
bool told[ATTEMPTS + 1];    /* a living process read "accepted" */
bool prevented;
bool billed_twice, prevented_and_paid, paid_not_adopted, released_and_paid;
byte expiries, crashes;

#define FINAL (state == RUNNING || state == FAILED || state == CANCELLED)
#define IN_DOUBT (state == UNCONFIRMED || state == HELD)
/* Decisions are fenced: the holder of the newest lease, and nobody else. */
#define HOLDS (held_epoch[me] != 0 && held_epoch[me] == epoch)
#define NOBODY_HOLDS (held_epoch[0] != epoch && held_epoch[1] != epoch)
#define ANY_ACCEPTED (accepted_fact[1] || accepted_fact[2])
#define FACTS_DECIDE (ANY_ACCEPTED || not_accepted_fact[attempt] || refused_fact[attempt])
/* A record that fits and may be adopted: listed, and its echo tells. */
#define FITS(n) (record[n] == VISIBLE && has_echo[n])
/* The visibility time has passed since the attempt's end: an accepted one would be listed (A3). */
#ifdef RETRY_503_AT_404
#define LATE_ENOUGH(n) true
#else
#ifdef A3_BROKEN
#define LATE_ENOUGH(n) ended[n]
#else
#define LATE_ENOUGH(n) (ended[n] && record[n] != HIDDEN)
#endif
#endif

inline back_to_pending() {
  if
  :: cancel_asked -> state = CANCELLED
  :: else -> state = PENDING
  fi
}

inline accept(n) {
  accepted++;
  billed_twice = accepted > 1;
  prevented_and_paid = prevented;
  assert(!billed_twice);
#ifndef BILLING_ONLY
  assert(!prevented_and_paid);
#endif
  record[n] = HIDDEN;
  if
  :: has_echo[n] = true
  :: has_echo[n] = false
  fi
}

/* A fact is written by whoever learned it, lease or no lease. */
inline write_fact(n, learned) {
  told[n] = told[n] || learned == OK;
#ifdef FENCED_FACT
  if
  :: HOLDS
#endif
  if
  :: learned == OK -> accepted_fact[n] = true
  :: learned == RATE -> not_accepted_fact[n] = true
#ifdef ANY_429_MEANS_NOTHING
  :: learned == ODD_429 -> not_accepted_fact[n] = true
#else
  :: learned == ODD_429 -> words_fact[n] = true
#endif
#ifdef WORDS_MEAN_REFUSED
  :: learned == WORDS -> refused_fact[n] = true
#else
  :: learned == WORDS -> words_fact[n] = true
#endif
  :: learned == REFUSED -> refused_fact[n] = true
  :: else -> skip
  fi;
  ended[n] = true
#ifdef FENCED_FACT
  :: else -> skip
  fi
#endif
}

proctype Owner(byte me) {
  byte x;                   /* the attempt whose connection is open here; 0: none */
  bool checked, given;      /* the lease was looked at once more; the last byte was given */
  mtype:reply learned = NOTHING;
  byte passed;              /* the attempt that a pass was about; 0: no pass in hand */
  bool found;               /* by that pass */

end_owner:
  do
  /* A dead process comes back and takes over; a living one does when the other's lease ran out. */
  :: atomic { held_epoch[me] == 0 && NOBODY_HOLDS -> epoch++; held_epoch[me] = epoch }
  :: atomic { !HOLDS && expiries < EXPIRIES -> expiries++; epoch++; held_epoch[me] = epoch }
  :: atomic {
       crashes < CRASHES && held_epoch[me] != 0 ->
       crashes++; held_epoch[me] = 0; x = 0; checked = false; given = false; learned = NOTHING;
       passed = 0; found = false
     }

  /* Sending: the seal, the last look at the lease, the last byte. */
  :: atomic {
       HOLDS && state == PENDING && !cancel_asked && x == 0 && attempt < ATTEMPTS ->
       attempt++; x = attempt; state = SUBMITTING
     }
  :: atomic { x != 0 && !given && !checked && HOLDS -> checked = true }
  :: atomic { x != 0 && !given && checked -> given = true; on_wire[x] = true }
  :: atomic {
       x != 0 && !given ->  /* not sent: known not to have been accepted */
       write_fact(x, RATE); x = 0; checked = false
     }

  /* The answer becomes a fact, by whoever hears it, however late. */
  :: atomic {
       x != 0 && given && learned == NOTHING && reply[x] != NOTHING ->
       learned = reply[x]; reply[x] = NOTHING
     }
  :: atomic {
       learned != NOTHING ->
       write_fact(x, learned); learned = NOTHING; x = 0; checked = false; given = false
     }

  /* The fact becomes a decision. */
  :: atomic {
       HOLDS && (state == SUBMITTING || IN_DOUBT) && FACTS_DECIDE ->
       if
       :: ANY_ACCEPTED -> state = RUNNING
       :: !ANY_ACCEPTED && not_accepted_fact[attempt] -> back_to_pending()
       :: !ANY_ACCEPTED && !not_accepted_fact[attempt] -> state = FAILED
       fi;
       passed = 0; found = false
     }
  :: atomic { HOLDS && state == SUBMITTING && !FACTS_DECIDE -> state = UNCONFIRMED }

  /* Finding again: one reading of the list, then what it means. */
  :: atomic {
       HOLDS && IN_DOUBT && !FACTS_DECIDE && passed == 0 &&
       (FITS(attempt) || (words_fact[attempt] && LATE_ENOUGH(attempt) && record[attempt] != VISIBLE)
#ifdef BLIND_REPEAT
        || (!words_fact[attempt] && record[attempt] != VISIBLE)
#endif
       ) ->
       passed = attempt; found = FITS(attempt)
     }
  :: atomic {
       passed != 0 ->
       if
       :: HOLDS && IN_DOUBT && passed == attempt && !FACTS_DECIDE ->
          if
          :: found -> state = RUNNING
          :: !found -> back_to_pending()
          fi
       :: else -> skip  /* the compare-and-set fails */
       fi;
       passed = 0; found = false
     }
  :: atomic { HOLDS && state == UNCONFIRMED && !FACTS_DECIDE -> state = HELD }
  od
}

/* What becomes of one POST. */
proctype Upstream(byte n) {
end_upstream:
  do
  :: atomic {
       on_wire[n] -> on_wire[n] = false;
       if
       :: accept(n);
          if
          :: coming[n] = OK
          :: coming[n] = UNCLEAR  /* a 502, a body that nobody can read */
          :: coming[n] = ODD_429
          :: coming[n] = WORDS
#ifdef A2_BROKEN
          :: coming[n] = RATE
#endif
          fi
       :: coming[n] = RATE
       :: coming[n] = ODD_429
       :: coming[n] = WORDS
       :: coming[n] = REFUSED
       :: coming[n] = UNCLEAR
       fi
     }
  :: atomic { coming[n] != NOTHING -> reply[n] = coming[n]; coming[n] = NOTHING }
  :: atomic { coming[n] != NOTHING -> reply[n] = BROKEN; coming[n] = NOTHING }
  :: atomic { record[n] == HIDDEN -> record[n] = VISIBLE }
#ifdef A1_BROKEN
  :: atomic {  /* takes a body whose last byte it never saw */
       n == attempt && state == SUBMITTING && !on_wire[n] && record[n] == ABSENT &&
       coming[n] == NOTHING && reply[n] == NOTHING && !ended[n] -> accept(n)
     }
#endif
  od
}

proctype Caller() {
#ifdef CANCEL_WITHOUT_COMPARE
  bool was_pending;
#endif
  if
  :: skip
#ifdef CANCEL_WITHOUT_COMPARE
  :: atomic { was_pending = state == PENDING };
     atomic { was_pending -> state = CANCELLED; prevented = true }
#else
  :: atomic {
       if
       :: state == PENDING -> state = CANCELLED; prevented = true
       :: state != PENDING && !FINAL -> cancel_asked = true
       :: FINAL -> skip
       fi
     }
#endif
  fi;
  /* A person may decide for a held job: adopt one of its candidates, or abandon it. */
end_caller:
  do
  :: atomic { state == HELD && record[attempt] == VISIBLE && !ANY_ACCEPTED -> state = RUNNING }
  :: atomic { state == HELD && !FITS(attempt) -> state = FAILED; abandoned = true }
  :: break
  od
}

/* All is at rest: nothing more can happen by itself. */
proctype Judge() {
  timeout ->
  atomic {
    released_and_paid = accepted > 0 && !abandoned &&
        (state == PENDING || state == FAILED || state == CANCELLED);
    assert(!released_and_paid);
    paid_not_adopted = state != RUNNING && !abandoned &&
        (told[1] || told[2] || FITS(1) || FITS(2));
    assert(!paid_not_adopted)
  }
}

init {
  atomic {
    byte n;
    for (n : 0 .. ATTEMPTS) {
      coming[n] = NOTHING; reply[n] = NOTHING; record[n] = ABSENT
    }
    run Owner(0); run Owner(1); run Upstream(1); run Upstream(2); run Caller(); run Judge()
  }
}
