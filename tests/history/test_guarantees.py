"""Each validator finds the fault that it is there for, and nothing else finds fault with a good history."""

import copy
import tempfile
import unittest

import guarantees
import recorded
from guarantees import Heard, Stream, Telling

STEPS = [(1, "PENDING", "a"), (2, "SUBMITTING", "b"), (3, "QUEUED", "c"), (4, "SUCCEEDED", "d")]


def good():
    return Heard(
        tellings=[Telling("ada", "job", list(STEPS), whole=True), Telling("bo", "job", STEPS[:2], whole=False)],
        streams=[Stream("ada", "job", 0, [1, 2], "14", told_final=False),
                 Stream("ada", "job", 2, [3, 4], "OK", told_final=True),
                 Stream("bo", "", 0, [], "1", told_final=True)],
        store={"job": list(STEPS)})


class GuaranteesTest(unittest.TestCase):
    def found_by(self, spoil):
        heard = copy.deepcopy(good())
        spoil(heard)
        return {validator.__name__ for validator in guarantees.ALL if list(validator(heard))}

    def test_a_good_history_has_no_violation(self):
        self.assertEqual(self.found_by(lambda heard: None), set())

    def test_a_repeat(self):
        self.assertEqual(self.found_by(lambda h: h.tellings[0].steps.insert(2, STEPS[1])), {"unique"})

    def test_a_gap_and_a_last_one_that_never_came(self):
        self.assertEqual(self.found_by(lambda h: h.tellings[0].steps.pop(1)), {"gap_free"})
        self.assertEqual(self.found_by(lambda h: h.tellings[0].steps.pop()), {"gap_free"})
        self.assertEqual(self.found_by(lambda h: h.tellings[0].steps.clear()), {"gap_free"})

    def test_a_beginning_that_never_came(self):
        self.assertEqual(self.found_by(lambda h: h.tellings[1].steps.pop(0)), {"gap_free"})

    def test_the_wrong_order(self):
        self.assertEqual(self.found_by(lambda h: h.tellings[1].steps.reverse()), {"ordered"})

    def test_what_the_store_does_not_have(self):
        def invent(heard):
            heard.tellings[1].steps[1] = (2, "QUEUED", "x")
        self.assertEqual(self.found_by(invent), {"durable"})

        def lose(heard):
            heard.store["job"].pop()
        self.assertEqual(self.found_by(lose), {"durable"})

    def test_more_after_the_end(self):
        def go_on(heard):
            for steps in (heard.tellings[0].steps, heard.store["job"]):
                steps.append((5, "QUEUED", "e"))
        self.assertEqual(self.found_by(go_on), {"ends_after_the_final", "numbered_without_a_gap"})

    def test_a_stream_that_goes_on_at_the_wrong_place(self):
        def skip(heard):
            heard.streams[1].sequences = [4]
        self.assertEqual(self.found_by(skip), {"resumable"})

    def test_an_ok_without_the_final_one(self):
        def end(heard):
            heard.streams[0].ended = "OK"
        self.assertEqual(self.found_by(end), {"ends_after_the_final"})

        def end_all(heard):
            heard.streams[2].ended = "OK"
        self.assertEqual(self.found_by(end_all), {"ends_after_the_final"})

    def test_a_final_one_without_an_ok(self):
        def rotate(heard):
            heard.streams[1].ended = "14"
        self.assertEqual(self.found_by(rotate), {"ends_after_the_final"})

        def lose_the_connection(heard):
            rotate(heard)
            heard.streams[1].broken = True
        self.assertEqual(self.found_by(lose_the_connection), set())


class RecordedTest(unittest.TestCase):
    """What the recorder wrote of a job that ended at once, watched by one watcher of each way."""

    def violations(self, behaviour, code, reason):
        lines = ["J\tjob\t1\t7", f"W\t1\tjob\t{behaviour}", "O\t1\t1\t0", "T\t1\t1\tjob\t1\t7\tx\t-",
                 f"E\t1\t1\t{code}\t{reason}", "D\t1", "S\tjob\t1\t7\tx"]
        with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
            file.write("\n".join(lines) + "\n")
            file.flush()
            heard = recorded.Recorded(file.name).heard()
        return [violation for validator in guarantees.ALL for violation in validator(heard)]

    def test_only_who_leaves_or_loses_the_connection_may_miss_the_ok(self):
        self.assertEqual(self.violations("steady", "0", "-"), [])
        self.assertEqual(self.violations("steady", "14", "-"), [])
        self.assertEqual(self.violations("leaving", "1", "-"), [])
        for behaviour, code, reason in (("steady", "1", "-"), ("steady", "14", "DRAINING"),
                                        ("leaving", "14", "STREAM_ROTATED"), ("slow", "13", "-")):
            self.assertEqual(len(self.violations(behaviour, code, reason)), 1, (behaviour, code, reason))


if __name__ == "__main__":
    unittest.main()
