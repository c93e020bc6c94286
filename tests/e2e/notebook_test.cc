// The lines of docs/notebook.md, run by the pandas of Debian over the files of a real run.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/e2e/programs.h"

namespace tidemark {
namespace {

// Not that of a user's own PATH: Debian's packages are its.
constexpr char kPython[] = "/usr/bin/python3";

std::string LinesOf(const std::string& page) {
  const std::string begin = "```python\n";
  const std::size_t at = page.find(begin);
  return at == std::string::npos
             ? ""
             : page.substr(at + begin.size(), page.find("```", at + begin.size()) - at - begin.size());
}

// What the lines have made: two figures, of the points and of their seconds; and tables of numbers, but for words.
constexpr char kOutcome[] = R"(
import numpy as np
words = {"run", "started_at", "status", "verdict", "generator", "target"}
assert [c for c in p.columns if c not in words and not np.issubdtype(p[c].dtype, np.number)] == []
assert [c for c in s.columns if c not in words | {"agent"} and not np.issubdtype(s[c].dtype, np.number)] == []
assert str(s.started_at.dtype) == "datetime64[ns, UTC]"
assert list(p.connections) == [2, 4]
assert len(plt.get_fignums()) == 2
errors, seconds = (plt.figure(n).axes[0] for n in plt.get_fignums())
assert list(errors.lines[0].get_xdata()) == list(ok.connections)
assert len(errors.collections) == 1
assert seconds.get_yscale() == "log" and len(seconds.lines) == 2
assert [len(line.get_xdata()) for line in seconds.lines] == [3, 3]
whole = s[s.agent == "all"].groupby("point").requests.sum()
assert (whole <= p.planned).all() and (whole > 0).all()
print(len(ok), "valid")
)";

TEST(NotebookTest, TheLinesOfThePageRunWithoutAWarning) {
  Process has_pandas({kPython, "-c", "import pandas, matplotlib"});
  if (has_pandas.Wait() != 0) GTEST_SKIP() << "there is no pandas or no matplotlib; scripts/setup installs them";
  Mock mock;
  TempDir dir;
  Process run({TIDEMARK_BINARY, "run", "-q", "-c", "2,4", "-d", "3s", "-o", "points=" + (dir / "points.csv"), "-o",
               "series=" + (dir / "series.csv"), mock.Url("/mock/delay=5ms")});
  EXPECT_EQ(run.Wait(), 0) << run.Err();
  const std::string lines = LinesOf(Slurp(TIDEMARK_SOURCE_DIR "/docs/notebook.md"));
  EXPECT_GE(std::count(lines.begin(), lines.end(), '\n'), 6) << lines;
  Spill(dir / "notebook.py", lines + kOutcome);
  // As this machine judged the points now, as if each was valid, and as if none was.
  for (const char* verdict : {"", "VALID", "NOT_STEADY"}) {
    SCOPED_TRACE(verdict);
    if (*verdict != '\0') {
      Process edit({"sed", "-i", "-E",
                    std::string("s/,(VALID|NOT_STEADY|GENERATOR_LIMITED|TARGET_FAILING),/,") + verdict + ",/",
                    dir / "points.csv"});
      EXPECT_EQ(edit.Wait(), 0);
    }
    Process notebook({"sh", "-c", "cd " + (dir / "") + " && MPLBACKEND=Agg exec " + kPython + " -W error notebook.py"});
    EXPECT_EQ(notebook.Wait(), 0) << notebook.Err();
    if (*verdict != '\0') {
      EXPECT_EQ(notebook.Out(), std::string(verdict) == "VALID" ? "2 valid\n" : "0 valid\n");
    }
  }
}

}  // namespace
}  // namespace tidemark
