/** Guards of what a failure is taken for: whose matter it is, and how large a statement may be. */
import type { NamedMutant } from "../named.js"

const rounds = "src/internal/recorder/bisectionRounds.ts"
const bisection = "src/internal/recorder/bisection.ts"
const runner = "src/internal/recorder/batchRunner.ts"
const pg = "src/sql/internal/pg/errors.ts"
const sqlite = "src/sql/internal/sqlite/errors.ts"
const machine = (name: string) => ({ file: "test/recorder/bisectionBlame.test.ts", name })
const errors = (name: string) => ({ file: "test/sql/pg/errors.test.ts", name })

export const blameMutants: ReadonlyArray<NamedMutant> = [
  {
    name: "blame: look for a bad record without an end",
    file: rounds,
    find: "ranges.length === 0 || misses >= maxMisses(maxSize, rounds)",
    replace: "ranges.length === 0",
    test: machine("nothing is set aside, and each round has a bounded number of saves")
  },
  {
    name: "blame: believe a failure of one record while nothing is stored",
    file: rounds,
    find: 'blame === "record" ? bisection.storedSince || isLone(bisection) :',
    replace: 'blame === "record" ? true :',
    test: machine("nothing is set aside, and each round has a bounded number of saves")
  },
  {
    name: "blame: believe a rule at its first word",
    file: rounds,
    find: ": retested && times >= proofsOf(blame)",
    replace: ": true",
    test: machine(
      "whatever the length of the outage, all is stored once it is over, and nothing is set aside"
    )
  },
  {
    name: "blame: forget that another record was stored",
    file: rounds,
    find: "  bisection.followed = bisection.suspects.length\n",
    replace: "",
    test: machine("wait for no retry where the failure blames a record")
  },
  {
    name: "blame: retry a rule before its batch is halved",
    file: rounds,
    find: 'return blame === "size" && outcome === "Unknown" ? lostRetries : 0',
    replace: "return lostRetries",
    test: machine("wait for no retry where the failure blames a record")
  },
  {
    name: "blame: halve at the first lost connection",
    file: rounds,
    find: 'outcome === "Unknown" ? lostRetries : 0',
    replace: 'outcome === "Unknown" ? 0 : 0',
    test: machine("and may have lost its connection by chance is retried as it is, twice")
  },
  {
    name: "blame: stop at what the first records show",
    file: rounds,
    find: "&& !storedEver && isLast",
    replace: "&& !storedEver",
    test: machine("stop nothing by a fatal guess while others behind them were not tried")
  },
  {
    name: "blame: set aside what was never tried",
    file: bisection,
    find: "const untried = bisection.ranges.filter(({ tried }) => !tried)",
    replace: "const untried = bisection.ranges.filter(() => false)",
    test: machine("of retries sets nothing aside that was never tried")
  },
  {
    name: "blame: try a size again that did not pass",
    file: bisection,
    find: "if (top(bisection).to - top(bisection).from > limit)",
    replace: "if (top(bisection).to - top(bisection).from > 2 * limit)",
    test: machine("is cut to what passes, and the rest of it is saved in that size")
  },
  {
    name: "blame: take an outage for a matter of size",
    file: bisection,
    find: "bisection.sizeProven ||= bisection.passed > 0 &&",
    replace: "bisection.sizeProven ||= bisection.passed >= 0 &&",
    test: machine("that was none, but a backend that was away, is soon saved as a whole again")
  },
  {
    name: "blame: ignore what fits",
    file: bisection,
    find: "start + fits > from && start + fits < to",
    replace: "start + fits > from && start + fits < from",
    test: machine("is cut where the storage names what fits, without a failure")
  },
  {
    name: "blame: forget the size that passed",
    file: runner,
    find: "if (!sizeSuspected || passed === 0) return",
    replace: "if (passed < 1000) return",
    test: {
      file: "test/recorder/sizes.test.ts",
      name: "a size that passed is kept to for a minute, and doubled then"
    }
  },
  {
    name: "blame: take a full queue of notifications for bad data",
    file: pg,
    find: 'if (details.file === "async.c") return ["Transient"]',
    replace: "",
    test: errors("is blamed by its details: on the record, the table, the size or the server")
  },
  {
    name: "blame: take another table's column for the record's",
    file: pg,
    find: "save.table.columns.some(({ name }) => name === column)",
    replace: "true",
    test: errors("is blamed by its details: on the record, the table, the size or the server")
  },
  {
    name: "blame: take what a function meets for the record's",
    file: "src/sql/internal/pg/errorDetails.ts",
    find: "where !== undefined && /SQL|PL\\//.test(where)",
    replace: "false && where !== undefined",
    test: errors("is blamed by its details: on the record, the table, the size or the server")
  },
  {
    name: "blame: show what a rule quotes of the row",
    file: "src/sql/internal/maskValues.ts",
    find: "all.includes(word.toLowerCase())",
    replace: "false",
    test: errors("is blamed by its details: on the record, the table, the size or the server")
  },
  {
    name: "blame: stop for good at a table that is away",
    file: sqlite,
    find: 'return [saved ? "Transient" : kind, "either"]',
    replace: 'return [kind, "either"]',
    test: { file: "test/sql/sqlite/errors.test.ts", name: "are blamed by their code and their words" }
  },
  {
    name: "blame: keep a statement that could not be prepared",
    file: "src/sql/internal/client/preparing.ts",
    find: "failures.set(text, (times ?? 0) + 1)",
    replace: "",
    test: {
      file: "test/sql/client/preparing.test.ts",
      name: "a statement that could not be prepared is prepared anew"
    }
  }
]
