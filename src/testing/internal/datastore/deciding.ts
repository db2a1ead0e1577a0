/** The laws of what a decision sees. */
import { Effect } from "effect"
import { ensure } from "../calls.js"
import { sameData } from "../sameData.js"
import { datastoreLaw, deciding, operation, type Seen, shown, type Write, writes } from "./fixture.js"
import type { DatastoreLaw } from "./subject.js"

const sees = (what: string, seen: unknown, expected: unknown): Effect.Effect<void, string> =>
  ensure(sameData(seen, expected), `${what} is ${shown(seen)} instead of ${shown(expected)}`)

const seconds = 1_000

/** The least and the most bytes that the JSON of values may be counted as: a database may put spaces into it. */
const boundsOf = (texts: ReadonlyArray<string>): readonly [number, number] => {
  const bytes = texts.reduce((sum, text) => sum + text.length + 2, 0)
  return [bytes, bytes * 2 + 8 * texts.length]
}

export const datastoreLawsOfDeciding: ReadonlyArray<DatastoreLaw> = [
  datastoreLaw(
    {
      id: "D7",
      name: "sees-the-locked-store",
      group: "deciding",
      statement: "A decision sees the head, and the values of its keys as they are at that head.",
      advice: "Lock the head first, and read the values after that, in statements of their own"
    },
    (trial) =>
      Effect.gen(function* () {
        const { log } = yield* trial.open("a")
        yield* trial.save([
          trial.step("a", writes([["x", { n: 1 }, { session: "s", ends: 1_700_000_000_123 }]], [["y", [2]]])),
          trial.step("a", writes([["z", 3]]))
        ])
        const backend = yield* trial.another
        yield* backend.open("a")
        yield* backend.save([
          trial.step(
            "a",
            writes([
              ["y", "new"],
              ["z", undefined]
            ])
          )
        ])
        const { head, values } = yield* trial.look("a", { keys: ["y", "none", "x", "z"] })
        yield* sees("the locked head", head, (yield* Effect.orDie(log.head)).head)
        yield* sees("what a decision sees of its keys", values, [
          { key: "y", data: "new", seq: 4 },
          undefined,
          { key: "x", data: { n: 1 }, seq: 1, session: "s", ends: 1_700_000_000_123 },
          undefined
        ])
      })
  ),
  datastoreLaw(
    {
      id: "D8",
      name: "sees-earlier-saves",
      group: "deciding",
      statement:
        "A decision sees what the earlier saves of its batch have changed: head, values, replies, totals.",
      advice: "Apply each decision to what the next one of the store sees, before the batch is written"
    },
    ({ open, save, step }) =>
      Effect.gen(function* () {
        yield* open("a")
        yield* open("b")
        yield* save([step("a", writes([["x", "old"]], [["y", "old"]]))])
        const id = operation("c", 1)
        let seen: Seen | undefined
        yield* save([
          step(
            "a",
            deciding(
              writes(
                [
                  ["x", "new"],
                  ["y", undefined]
                ],
                [["z", 1]]
              ),
              { reply: "r" }
            ),
            {
              id
            }
          ),
          step("b", writes([["x", "of b"]])),
          step(
            "a",
            (locked) => {
              seen = { ...locked, values: ["x", "y", "z"].map(locked.get) }
              return { revisions: [] }
            },
            { id, keys: ["x", "y", "z"] }
          )
        ])
        yield* sees("the seq that a later save of a batch sees", seen?.head.seq, 4)
        yield* sees("what a later save of a batch sees", seen?.values, [
          { key: "x", data: "new", seq: 3 },
          undefined,
          { key: "z", data: 1, seq: 4 }
        ])
        yield* sees("the reply that a later save of a batch sees", seen?.remembered?.reply, "r")
        yield* sees("the window that a later save of a batch sees", seen?.window, { top: 1, floor: 0 })
        yield* sees("the number of values that a later save of a batch sees", seen?.totals.records, 2)
      })
  ),
  datastoreLaw(
    {
      id: "D9",
      name: "counts-what-is-held",
      group: "deciding",
      statement: "The totals are the number of values, and the bytes of their JSON.",
      advice: "Count in the transaction that writes, by what each change replaces"
    },
    ({ look, open, save, step }) =>
      Effect.gen(function* () {
        yield* open("a")
        const held = new Map<string, string>()
        const rounds: ReadonlyArray<ReadonlyArray<Write>> = [
          [
            ["x", "x".repeat(500)],
            ["y", "short"]
          ],
          [["x", "less"]],
          [
            ["z", "z".repeat(300)],
            ["y", undefined],
            ["none", undefined]
          ],
          [["x", undefined]],
          [["z", undefined]]
        ]
        for (const [n, round] of rounds.entries()) {
          yield* save([step("a", writes(round))])
          for (const [key, data] of round) {
            if (data === undefined) held.delete(key)
            else held.set(key, String(data))
          }
          const { totals } = yield* look("a")
          yield* sees(`the number of values after change ${n}`, totals.records, held.size)
          const [least, most] = boundsOf([...held.values()])
          yield* ensure(
            totals.bytes >= least && totals.bytes <= most,
            `after change ${n} the bytes are ${totals.bytes}, and must be ${least} to ${most}`
          )
        }
      })
  ),
  datastoreLaw(
    {
      id: "D10",
      name: "on-one-clock",
      group: "deciding",
      statement: "What decisions, loads and remembered replies have as their time is what `now` shows.",
      advice: "Take every time from the clock of the backend, in milliseconds"
    },
    ({ call, look, open, save, step }) =>
      Effect.gen(function* () {
        const { load } = yield* open("a")
        const now = call("reading the clock", ({ now }) => now)
        const begun = yield* now
        yield* save([step("a", () => ({ revisions: [], reply: 1 }), { id: operation("c", 1) })])
        const locked = yield* look("a", { id: operation("c", 1) })
        const loaded = yield* load
        const ended = yield* now
        yield* ensure(
          Number.isFinite(begun) && ended >= begun,
          `the clock has gone from ${begun} to ${ended}`
        )
        for (const [what, at] of [
          ["the time of a decision", locked.now],
          ["the time of a load", loaded.now],
          ["the time of a reply", locked.remembered?.at ?? Number.NaN]
        ] as const) {
          yield* ensure(
            at >= begun - seconds && at <= ended + seconds,
            `${what} is ${at}, while the clock shows ${begun} to ${ended}`
          )
        }
      })
  )
]
