"""Every word that the README's table "What happens when" uses exists in the program.

A word is what stands in capitals or in code. Each kind has one place where it is true: states,
charges and reasons in the proto, flags in the settings table, events in the sources' log calls,
metrics in their list, subcommands in the programs.
"""

import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
# Words of gRPC and Unix, and of HTTP's methods.
NOT_OURS = {"UNAVAILABLE", "ALREADY_EXISTS", "FAILED_PRECONDITION", "RESOURCE_EXHAUSTED", "OK", "POST",
            "SIGTERM", "SIGKILL", "URL", "URLs", "API", "JOB", "ID"}


def text_of(*patterns):
    return "\n".join(path.read_text() for pattern in patterns for path in sorted(ROOT.glob(pattern)))


def section(name):
    readme = (ROOT / "README.md").read_text()
    found = re.search(rf"^## {re.escape(name)}\n(.*?)^## ", readme, re.M | re.S)
    return found.group(1) if found else ""


def unknown_words(text):
    """The words of `text` that the program does not know."""
    proto = text_of("proto/lumaedit/v1/*.proto")
    sources = text_of("server/**/*.cc", "server/**/*.h")
    flags = set(re.findall(r"^\| `(--[a-z-]+)`", (ROOT / "server/app/README.md").read_text(), re.M)) | {
        f"--{name}" for name in re.findall(r'"--([a-z-]+)"', text_of("client/cli/**/*.cc", "server/app/*_command.cc"))}
    enums = {re.sub(r"^(STATE|RESULT|ERROR_REASON)_", "", word)
             for word in re.findall(r"^\s+([A-Z][A-Z_]+) = \d+;", proto, re.M)}
    fields = set(re.findall(r"^\s+(?:optional |repeated )?[\w.<>, ]+ ([a-z_]+) = \d+;", proto, re.M))
    rpcs = set(re.findall(r"rpc (\w+)\(", proto))
    events = set(re.findall(r'(?:Info|Warning|Error|Debug)\(\s*"([a-z_]+)"', sources))
    metrics = set(re.findall(r'"(lumaedit_[a-z_]+)"', sources))
    programs = {"luma-edit": text_of("client/cli/commands/*.cc"),
                "luma-edit-gateway": text_of("server/app/*_command.cc")}

    def known(code):
        if code.startswith("--"):
            return re.split(r"[= ]", code)[0] in flags
        program, _, rest = code.partition(" ")
        if program in programs:
            words = rest.split()
            return bool(words) and f'"{words[0]}"' in programs[program] and all(
                word in flags for word in words[1:] if word.startswith("--"))
        if code.startswith("lumaedit_"):
            return code in metrics
        word = code.rsplit(".", 1)[-1]
        return (word in events or word in fields or word in rpcs or word.upper() in enums
                or any(code.startswith(f"/{path}") for path in ("healthz", "readyz", "status", "metrics")))

    wrong = [code for code in re.findall(r"`([^`]+)`", text) if not known(code)]
    plain = re.sub(r"`[^`]+`", "", text)
    wrong += [word for word in re.findall(r"\b[A-Z][A-Z_]+\b", plain)
              if word not in enums and word not in NOT_OURS]
    wrong += [word for word in re.findall(r"\b(?:[A-Z][a-z]+){2,}\b", plain) if word not in rpcs]
    return wrong


class ReadmeWords(unittest.TestCase):
    def test_every_word_of_the_table_exists(self):
        table = section("What happens when …")
        self.assertGreater(table.count("\n| "), 30, "the table is there")
        self.assertEqual(unknown_words(table), [])

    def test_a_word_that_does_not_exist_is_seen(self):
        for wrong in ("`--no-such-flag`", "`no_such_event`", "`lumaedit_no_such_metric`", "NO_SUCH_REASON",
                      "NoSuchCall", "`luma-edit-gateway explode`", "`luma-edit resolve --no-such`"):
            self.assertEqual(len(unknown_words(f"some text {wrong} and more")), 1, wrong)


if __name__ == "__main__":
    unittest.main()
