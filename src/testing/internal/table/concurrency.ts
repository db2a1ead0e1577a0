/** The laws of calls at the same time, of other handles, and of interruption. */
import { Effect, Fiber, Ref } from "effect"
import { Query, Write } from "../../../Table.js"
import { ensure, interruptedAfter, moments, pauseFor, unless } from "../calls.js"
import { sameData } from "../sameData.js"
import { brief, numbers, rowOf, type TableFixture, type Things, tableLaw, thing, uuid } from "./fixture.js"
import type { TableLaw } from "./subject.js"

const atOnce = 8

/** Runs writers to their end, and a reader again and again meanwhile. */
export const meanwhile = <A>(
  writer: Effect.Effect<A, string>,
  reader: Effect.Effect<unknown, string>
): Effect.Effect<A, string> =>
  Effect.gen(function* () {
    const over = yield* Ref.make(false)
    const reading = yield* Effect.fork(
      Effect.repeat(Effect.andThen(reader, Effect.yieldNow()), { until: () => Ref.get(over) })
    )
    const written = yield* writer
    yield* Ref.set(over, true)
    yield* Fiber.join(reading)
    return written
  })

/** Patches a thing to 1, 2, 3 and so on, one after the other. */
export const countUp = ({ done }: TableFixture<Things>, upTo: number) =>
  Effect.forEach(
    numbers(upTo),
    (n) => Effect.andThen(done(Write.patch(uuid(1), { n: n + 1, note: String(n + 1) })), Effect.yieldNow()),
    { discard: true }
  )

const together: ReadonlyArray<TableLaw> = [
  tableLaw(
    {
      id: "B34",
      name: "one-patch-wins",
      group: "concurrency",
      statement: "Of patches at the same time whose condition the first one ends, one is done.",
      advice: "Judge the condition under the row's lock, in the statement that changes the row"
    },
    ({ get, insert, write }) =>
      Effect.gen(function* () {
        yield* insert(thing(1, { n: 0 }))
        for (const round of numbers(5)) {
          const results = yield* Effect.forEach(
            numbers(atOnce),
            (n) => write([Write.patch(uuid(1), { n: round + 1, note: `${n}` }, Query.eq("n", round))]),
            { concurrency: "unbounded" }
          )
          const seen = results.map(([result]) => brief(result))
          const winners = seen.filter((outcome) => outcome === "Changed").length
          yield* ensure(
            winners === 1,
            `${winners} of ${atOnce} conditional patches at the same time were done`
          )
          yield* ensure(
            seen.every((outcome) => outcome === "Changed" || outcome === "WriteRefused Conflict"),
            `conditional patches at the same time end with ${seen.join(", ")}`
          )
          const row = yield* get(uuid(1))
          const winner = seen.indexOf("Changed")
          yield* ensure(row?.note === `${winner}`, "the row is not the one of the patch that was done")
        }
      })
  ),
  tableLaw(
    {
      id: "B35",
      name: "one-insert-wins",
      group: "concurrency",
      statement: "Of inserts of one id at the same time, one is done, and all return its row.",
      advice: "Let the unique constraint of the id decide, and return the row that is there"
    },
    ({ holds, write }) =>
      Effect.gen(function* () {
        const results = yield* Effect.forEach(
          numbers(atOnce),
          (n) => write([Write.insert(thing(1, { n }))]),
          { concurrency: "unbounded" }
        )
        const winner = results.findIndex(([result]) => brief(result) === "Changed")
        const seen = results.map(([result]) => brief(result)).sort()
        yield* ensure(
          seen.join(" ") === ["Changed", ...numbers(atOnce - 1).map(() => "Unchanged")].join(" "),
          `inserts of one id at the same time end with ${seen.join(", ")}`
        )
        const rows = results.map(([result]) => rowOf(result)?.n)
        yield* ensure(
          rows.every((n) => n === winner),
          `inserts of one id at the same time return the rows ${rows.join(" ")}`
        )
        yield* holds([thing(1, { n: winner })], "after inserts of one id at the same time")
      })
  ),
  tableLaw(
    {
      id: "B36",
      name: "nothing-is-lost",
      group: "concurrency",
      statement: "Patches of different columns and rows at the same time are all in the rows.",
      advice: "Set only the columns of the patch; do not write back a row that was read before"
    },
    ({ holds, insert, write }) =>
      Effect.gen(function* () {
        yield* insert(...numbers(atOnce).map((n) => thing(n)))
        const patches = numbers(atOnce).flatMap((n) => [
          [Write.patch(uuid(n), { n: 100 + n })],
          [Write.patch(uuid(n), { note: `note ${n}` })]
        ])
        yield* Effect.forEach(patches, (writes) => write(writes), { concurrency: "unbounded" })
        const expected = numbers(atOnce).map((n) => thing(n, { n: 100 + n, note: `note ${n}` }))
        yield* holds(expected, "after patches at the same time")
      })
  ),
  tableLaw(
    {
      id: "B37",
      name: "rows-are-whole",
      group: "concurrency",
      statement: "A read shows a row as one write left it, and never an older one than a read before.",
      advice: "Change all columns of a row at once, and read from where writes are acknowledged"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.insert(thing(1, { n: 0, note: "0" }))
        const last = yield* Ref.make(0)
        const check = (row: { readonly n: number; readonly note: string | null } | undefined) =>
          Effect.gen(function* () {
            yield* ensure(row !== undefined, "a row is away while it is patched")
            const { n = 0, note = "" } = row ?? {}
            yield* ensure(note === String(n), `a read shows n of the patch ${n} with the note of ${note}`)
            const before = yield* Ref.getAndSet(last, n)
            yield* ensure(n >= before, `a read shows ${n} after a read that showed ${before}`)
          })
        const reader = Effect.gen(function* () {
          yield* check(yield* trial.get(uuid(1)))
          yield* check((yield* trial.list())[0])
        })
        yield* meanwhile(countUp(trial, 20), reader)
        yield* check(yield* trial.get(uuid(1)))
        yield* ensure((yield* Ref.get(last)) === 20, "the last of the patches is not there")
      })
  ),
  tableLaw(
    {
      id: "B38",
      name: "refused-is-never-seen",
      group: "concurrency",
      statement: "No read shows a write that is not committed, and no read shows one that is refused.",
      advice: "Read committed rows only, and judge a write before any of it is visible"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.insert(thing(1, { n: 0 }), thing(2))
        const doomed = Effect.forEach(
          numbers(10),
          (n) =>
            Effect.andThen(
              trial.write([
                Write.patch(uuid(1), { n: -1 }, Query.gt("n", 5)),
                Write.patch(uuid(2), { n }),
                Write.delete(uuid(1), Query.gt("n", 5))
              ]),
              Effect.yieldNow()
            ),
          { discard: true }
        )
        const reader = Effect.gen(function* () {
          const row = yield* trial.get(uuid(1))
          yield* ensure(
            row?.n === 0,
            `a read shows ${row === undefined ? "the end" : row.n} of refused writes`
          )
          const bad = yield* trial.count(Query.lt("n", 0))
          yield* ensure(bad === 0, "a count shows a refused write")
        })
        yield* meanwhile(doomed, reader)
      })
  ),
  tableLaw(
    {
      id: "B39",
      name: "handles-see-each-other",
      group: "concurrency",
      statement: "What one handle has acknowledged is read by another one, and judged by its writes.",
      needs: ["handles together"],
      advice: "Read and judge what is in the place, not what this handle remembers"
    },
    (trial) =>
      Effect.gen(function* () {
        const other = yield* trial.open
        yield* trial.insert(thing(1))
        yield* other.holds([thing(1)], "after an insert by another handle")
        yield* other.done(Write.patch(uuid(1), { n: 2 }))
        const [refused] = yield* trial.write([Write.patch(uuid(1), { n: 3 }, Query.eq("n", 1))])
        yield* unless(
          brief(refused) === "WriteRefused Conflict"
            ? undefined
            : `a patch whose condition another handle has ended, ended with ${brief(refused)}`
        )
        yield* trial.holds([thing(1, { n: 2 })], "after a patch by another handle")
      })
  )
]

/** Writes of four things from one on, so that a part of them could be done. */
const four = (n: number, first = 0) =>
  numbers(4).map((i) => Write.patch(uuid(first + i), { n, note: String(n) }))

const interruption: ReadonlyArray<TableLaw> = [
  tableLaw(
    {
      id: "B40",
      name: "nothing-after-interruption",
      group: "interruption",
      statement: "When an interrupted call has ended, nothing of it is done later, and each row is whole.",
      advice: "Await the end of the statement in the interruption (cancel it, or end its connection)"
    },
    (trial) =>
      Effect.gen(function* () {
        // Each call has rows of its own, so that what goes on is seen whenever it ends.
        const rows = 4 * (moments.length + 1)
        yield* trial.insert(...numbers(rows).map((n) => thing(n, { n: 0, note: "0" })))
        const pause = yield* pauseFor(trial.done(...four(1, 4 * moments.length)))
        const read = (at: number) => trial.getMany(numbers(4).map((i) => uuid(4 * at + i)))
        const seen = yield* Effect.forEach(moments, (turns, at) =>
          Effect.andThen(
            interruptedAfter(
              trial,
              turns,
              "four patches",
              Effect.suspend(() => trial.table.write(four(1, 4 * at)))
            ),
            () => read(at)
          )
        )
        yield* ensure(
          seen.flat().every((row) => row !== undefined && row.note === String(row.n)),
          "an interrupted call left a row that no write has made"
        )
        yield* pause
        for (const [at, then] of seen.entries()) {
          yield* ensure(
            sameData(yield* read(at), then),
            "rows change after the end of the interrupted call that changed them"
          )
        }
      })
  ),
  tableLaw(
    {
      id: "B41",
      name: "free-after-interruption",
      group: "interruption",
      statement: "After interrupted reads and writes, reads and writes go on.",
      advice: "Give locks and connections back when a call is interrupted (Effect.acquireUseRelease)"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.insert(...numbers(4).map((n) => thing(n)))
        for (const turns of moments) {
          const { table } = trial
          for (const [what, call] of [
            ["a list", () => table.list()],
            ["a get", () => table.get(uuid(1))],
            ["four patches", () => table.write(four(5))]
          ] as const) {
            yield* interruptedAfter(trial, turns, what, Effect.suspend<unknown, unknown, never>(call))
          }
        }
        yield* trial.done(...four(7))
        const expected = numbers(4).map((n) => thing(n, { n: 7, note: "7" }))
        yield* trial.holds(expected, "after interrupted calls and four patches")
      })
  )
]

export const lawsOfConcurrency: ReadonlyArray<TableLaw> = [...together, ...interruption]
