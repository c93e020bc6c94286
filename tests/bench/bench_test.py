"""What scripts/bench makes of what others print, and when it calls speed unchanged."""

import contextlib
import io
import pathlib
import stat
import tempfile
import unittest

import bench


class Printed:
    code = 0
    cpu = 1.0
    error = ""

    def __init__(self, text):
        self.text = text


class Absent(bench.Client):
    name = "absent"

    def is_there(self):
        return False


class Babbler(bench.Client):
    """Starts, and prints nothing that can be read."""

    name = "babbler"

    def is_there(self):
        return True

    def argv(self, url, connections, seconds):
        return ["echo", "no figures here"]

    def requests(self, used):
        return int(used.text.split()[0])


class Sound(Babbler):
    name = "sound"

    def argv(self, url, connections, seconds):
        return ["sh", "-c", "echo 100 requests"]


class BenchTest(unittest.TestCase):
    def test_oha_is_asked_for_json_as_its_version_wants(self):
        self.assertEqual(bench.Oha.json_flags("  --output-format <FORMAT>  text, json, csv"), ["--output-format", "json"])
        self.assertEqual(bench.Oha.json_flags("  -j, --json  Print results as JSON"), ["--json"])
        self.assertEqual(bench.Oha.json_flags("  -j  Print results as JSON"), ["-j"])

    def test_what_peers_print_is_read(self):
        rows = [(bench.Oha(), '{"statusCodeDistribution":{"200":7}}'),
                (bench.Wrk(), "  123 requests in 1.00s, 1MB read"),
                (bench.SslTime(), "9 connections in 0.01s; 900.00 connections/user sec, bytes read 0\n"
                                  "8 connections in 2 real seconds, 100 bytes read per connection\n")]
        self.assertEqual([client.requests(Printed(text)) for client, text in rows], [7, 123, 8])

    def test_a_peer_that_is_absent_or_unreadable_is_left_out_with_a_word(self):
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            results = bench.compare("title", [Sound(), Absent(), Babbler()], "http://127.0.0.1:1/", 0, 2, 1, base="absent")
        self.assertEqual(list(results), ["sound"])
        self.assertIn("left out: absent: not installed", said.getvalue())
        self.assertIn("left out: babbler: no count of requests to be read", said.getvalue())
        self.assertEqual(bench.ratio(results, "sound", "absent"), "-")
        self.assertEqual(bench.ratio(results, "sound", "sound", 1), "1.000 (1.000 to 1.000)")

    def test_unchanged_is_a_matter_of_cpu_and_of_instructions(self):
        self.assertEqual(bench.judge(1.02, 102.0, 100.0, True), (True, ""))
        self.assertFalse(bench.judge(1.021, 100.0, 100.0, True)[0])
        self.assertFalse(bench.judge(0.9, 102.1, 100.0, True)[0])
        self.assertFalse(bench.judge(0.9, None, 100.0, True)[0])
        self.assertTrue(bench.judge(1.0, None, None, False)[0])

    def test_a_build_is_found_and_anything_else_is_one_line(self):
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaises(SystemExit) as raised:
                bench.build_of(folder)
            self.assertIn("neither a checkout", str(raised.exception))
            program = pathlib.Path(folder, "coordinator/tidemark")
            program.parent.mkdir()
            program.write_text("")
            program.chmod(program.stat().st_mode | stat.S_IXUSR)
            self.assertEqual(bench.build_of(folder), str(program.resolve()))


if __name__ == "__main__":
    unittest.main()
