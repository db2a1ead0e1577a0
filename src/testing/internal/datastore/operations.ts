/** The laws of remembered operations. */
import { Effect } from "effect"
import type { ClientWindow, OperationId, Remembered } from "../../../internal/catalog/backend.js"
import type { Json } from "../../../internal/columns/jsonData.js"
import { ensure } from "../calls.js"
import { sameData } from "../sameData.js"
import { hardTexts } from "../values.js"
import {
  type BackendFixture,
  type DatastoreTrial,
  datastoreLaw,
  deciding,
  operation,
  shown,
  writes
} from "./fixture.js"
import type { DatastoreLaw } from "./subject.js"

/** Saves an operation that writes its number, and is remembered with a reply. */
const act = (
  { save, step }: DatastoreTrial,
  store: string,
  id: OperationId,
  reply: Json = { n: id.n },
  floor?: number
) =>
  save([
    step(store, deciding(writes([[`k${id.n}`, id.n]]), { reply, floor }), {
      id
    })
  ])

/** Fails unless an operation is remembered with this reply; `undefined`: it is not. */
const remembers = (
  when: string,
  { look }: BackendFixture,
  store: string,
  id: OperationId,
  reply: Json | undefined
): Effect.Effect<void, string> =>
  Effect.flatMap(look(store, { id }), ({ remembered }) => {
    const { at: _, ...seen } = remembered ?? ({} as Partial<Remembered>)
    const expected = reply === undefined ? {} : { ...id, reply }
    return ensure(
      sameData(seen, expected),
      `${when}, operation ${id.n} of ${shown(id.client)} is remembered as ${shown(remembered)}, and must be ${shown(expected)}`
    )
  })

const hasWindow = (
  when: string,
  { look }: BackendFixture,
  client: string,
  window: ClientWindow
): Effect.Effect<void, string> =>
  Effect.flatMap(look("a", { id: operation(client, 1) }), (seen) =>
    ensure(
      sameData(seen.window, window),
      `${when}, the window of ${shown(client)} is ${shown(seen.window)} instead of ${shown(window)}`
    )
  )

const loadRemembers = (
  when: string,
  { open }: BackendFixture,
  expected: ReadonlyArray<number>
): Effect.Effect<void, string> =>
  Effect.scoped(
    Effect.gen(function* () {
      const { load } = yield* open("a")
      const { operations } = yield* load
      const seen = operations.map(({ n }) => n).sort((a, b) => a - b)
      yield* ensure(sameData(seen, expected), `${when}, a load has the replies to ${shown(seen)}`)
    })
  )

export const datastoreLawsOfOperations: ReadonlyArray<DatastoreLaw> = [
  datastoreLaw(
    {
      id: "D25",
      name: "remembers-replies",
      group: "operations",
      statement:
        "The reply to an operation is remembered with its id, for its client, number and store alone.",
      advice: "Key replies by store, client and number, and keep principal and content beside them"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.open("a")
        yield* trial.open("b")
        const id = operation("c", 3, { principal: "one", content: "set" })
        yield* remembers("before it was saved", trial, "a", id, undefined)
        yield* act(trial, "a", id, { ok: [1] })
        yield* remembers("after it was saved", trial, "a", id, { ok: [1] })
        for (const [what, store, other] of [
          ["of another number", "a", operation("c", 2)],
          ["of another client", "a", operation("C", 3)],
          ["of another store", "b", id]
        ] as const) {
          yield* remembers(`${what} than the one that was saved`, trial, store, other, undefined)
        }
        const { remembered } = yield* trial.look("a", { id: operation("c", 3, { content: "other" }) })
        yield* ensure(
          remembered?.content === "set",
          "an operation of other content is not found by its number"
        )
        const none = yield* trial.look("a")
        yield* ensure(
          none.remembered === undefined && none.window.top === 0,
          "a save without an id sees a reply"
        )
      })
  ),
  datastoreLaw(
    {
      id: "D26",
      name: "remembers-refusals",
      group: "operations",
      statement:
        "A reply is remembered when nothing was appended too, and any JSON can be one; without a reply nothing is.",
      advice: "Write the reply whether or not there are revisions, and tell none from null"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.open("a")
        const replies: ReadonlyArray<Json> = [null, false, 0, "", [], { _tag: "Refused", text: "é😀" }]
        for (const [n, reply] of replies.entries()) {
          const id = operation("c", n + 1)
          yield* trial.save([trial.step("a", () => ({ revisions: [], reply }), { id })])
          yield* remembers("after a refusal", trial, "a", id, reply)
        }
        const id = operation("c", 99)
        yield* trial.save([trial.step("a", writes([["k", 1]]), { id })])
        yield* remembers("after a decision without a reply", trial, "a", id, undefined)
        yield* hasWindow("after replies", trial, "c", { top: replies.length, floor: 0 })
      })
  ),
  datastoreLaw(
    {
      id: "D27",
      name: "remembers-after-reopening",
      group: "operations",
      statement:
        "Replies and windows are there for other backends, and after reopening, in decisions and loads.",
      advice: "Write replies in the transaction of their revisions, and read them from there"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.open("a")
        for (const n of [1, 4, 2]) yield* act(trial, "a", operation("c", n))
        yield* act(trial, "a", operation("d", 7))
        for (const _ of [1, 2]) {
          yield* Effect.scoped(
            Effect.gen(function* () {
              const backend = yield* trial.another
              const { load } = yield* backend.open("a")
              yield* remembers("in another backend", backend, "a", operation("c", 4), { n: 4 })
              yield* hasWindow("in another backend", backend, "c", { top: 4, floor: 0 })
              const { operations, windows } = yield* load
              const seen = operations
                .map(({ client, n, reply }) => ({ client, n, reply }))
                .sort((a, b) => a.n - b.n)
              const expected = [1, 2, 4, 7].map((n) => ({ client: n === 7 ? "d" : "c", n, reply: { n } }))
              yield* ensure(sameData(seen, expected), `a load has the replies ${shown(seen)}`)
              yield* ensure(
                sameData(Object.fromEntries(windows), { c: { top: 4, floor: 0 }, d: { top: 7, floor: 0 } }),
                `a load has the windows ${shown([...windows])}`
              )
            })
          )
        }
      })
  ),
  datastoreLaw(
    {
      id: "D28",
      name: "floor-forgets",
      group: "operations",
      statement: "A floor removes the replies to its client's operations up to it, in this store alone.",
      advice: "Delete the replies up to the floor, and keep the floor in the window"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.open("a")
        yield* trial.open("b")
        for (const n of [1, 2, 3]) yield* act(trial, "a", operation("c", n))
        yield* act(trial, "a", operation("d", 1))
        yield* act(trial, "b", operation("c", 1))
        yield* act(trial, "a", operation("c", 4), { n: 4 }, 2)
        const backends = [trial, yield* trial.another]
        for (const backend of backends) {
          for (const n of [1, 2, 3, 4]) {
            const reply = n <= 2 ? undefined : { n }
            yield* remembers("after a floor of 2", backend, "a", operation("c", n), reply)
          }
          yield* remembers("after a floor of another client", backend, "a", operation("d", 1), { n: 1 })
          yield* remembers("after a floor in another store", backend, "b", operation("c", 1), { n: 1 })
          yield* hasWindow("after a floor of 2", backend, "c", { top: 4, floor: 2 })
          yield* loadRemembers("after a floor of 2", backend, [1, 3, 4])
        }
        yield* act(trial, "a", operation("c", 2 ** 53 - 1), "far", 2 ** 53 - 2)
        yield* loadRemembers("after a floor far above", trial, [1, 2 ** 53 - 1])
      })
  ),
  datastoreLaw(
    {
      id: "D29",
      name: "hard-names",
      group: "operations",
      statement:
        "Clients, principals and contents are any text, and those that are alike are different ones.",
      advice: "Store them as text that is compared by code points"
    },
    (trial) =>
      Effect.gen(function* () {
        yield* trial.open("a")
        const names = [...hardTexts.filter((text) => text !== ""), "__proto__", "A", "a", "a  "]
        const idOf = (name: string) => operation(name, 1, { principal: name, content: name })
        yield* trial.save(
          names.map((name) => trial.step("a", () => ({ revisions: [], reply: name }), { id: idOf(name) }))
        )
        for (const name of names) yield* remembers("after hard names", trial, "a", idOf(name), name)
      })
  )
]
