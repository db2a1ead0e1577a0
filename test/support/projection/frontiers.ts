/** A frontier against a model: plain sets of revisions, without a watch, a buffer or a waiter. */
import { Effect, Exit, Fiber, Option, Scope } from "effect"
import fc from "fast-check"
import * as Projection from "../../../src/Projection.js"
import { ensure } from "../laws/ensure.js"
import { holdsEffect } from "../laws/laws.js"
import { microtasks, settled, started, withTurn } from "../time/turn.js"
import { accounts, indexedLog, noted, opened, paid } from "./accounts.js"
import { counts, notes } from "./several.js"

const keys = ["a", "b", "c"] as const
const names = ["accounts", "notes", "counts"] as const
type Name = (typeof names)[number]
type Kind = "Opened" | "Paid" | "Noted"

const reads: Readonly<Record<Name, ReadonlyArray<Kind>>> = {
  accounts: ["Opened", "Paid"],
  notes: ["Noted"],
  counts: ["Opened", "Paid", "Noted"]
}

type Step =
  | { readonly act: "append"; readonly key: string; readonly kind: Kind }
  | { readonly act: "project"; readonly name: Name; readonly key: string }
  | { readonly act: "register"; readonly name: Name }
  | { readonly act: "unregister"; readonly name: Name }
  | { readonly act: "await" }

const key = fc.constantFrom(...keys)
const name = fc.constantFrom(...names)
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      act: fc.constant("append" as const),
      key,
      kind: fc.constantFrom("Opened" as const, "Paid" as const, "Noted" as const)
    })
  },
  { weight: 6, arbitrary: fc.record({ act: fc.constant("project" as const), name, key }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("register" as const), name }) },
  { weight: 1, arbitrary: fc.record({ act: fc.constant("unregister" as const), name }) },
  { weight: 2, arbitrary: fc.record({ act: fc.constant("await" as const) }) }
)

const changeOf = (kind: Kind, key: string) =>
  kind === "Opened" ? opened(key) : kind === "Paid" ? paid(key, 1) : noted(key)

interface Model {
  head: number
  /** The numbers of the relevant events, by projection and key. */
  readonly relevant: Map<string, Array<number>>
  /** Where a key's state was last proven, by projection and key. */
  readonly proven: Map<string, number>
  readonly registered: Set<Name>
}

const idOf = (name: Name, key: string): string => `${name} ${key}`

/** The number of the first event that a key's state lacks. */
const firstMissing = ({ proven, relevant }: Model, id: string): number | undefined =>
  (relevant.get(id) ?? []).find((seq) => seq > (proven.get(id) ?? Number.POSITIVE_INFINITY))

const isBehind = (model: Model, id: string): boolean => firstMissing(model, id) !== undefined

const idsOf = ({ proven }: Model, name: Name): ReadonlyArray<string> =>
  keys.map((key) => idOf(name, key)).filter((id) => proven.has(id))

/** `undefined`: it was never used. */
const appliedOf = (model: Model, name: Name): number | undefined => {
  const ids = idsOf(model, name)
  if (ids.length === 0) return undefined
  return Math.min(...ids.map((id) => (firstMissing(model, id) ?? model.head + 1) - 1))
}

const frontierOf = (model: Model): number | undefined => {
  const applied = [...model.registered].map((name) => appliedOf(model, name))
  return applied.length === 0 || applied.includes(undefined)
    ? undefined
    : Math.min(...applied.map((seq) => seq ?? 0))
}

/** What projecting a key proves: nothing for a key without an event that concerns the projection. */
const prove = (model: Model, name: Name, key: string): void => {
  const id = idOf(name, key)
  if ((model.relevant.get(id) ?? []).length > 0) model.proven.set(id, model.head)
}

const noteAppend = (model: Model, kind: Kind, key: string): void => {
  model.head++
  for (const name of names) {
    if (!reads[name].includes(kind)) continue
    const id = idOf(name, key)
    model.relevant.set(id, [...(model.relevant.get(id) ?? []), model.head])
  }
}

const history = (steps: ReadonlyArray<Step>) =>
  Effect.gen(function* () {
    const log = yield* indexedLog
    const projections = {
      accounts: yield* Projection.make(accounts, log),
      notes: yield* Projection.make(notes, log),
      counts: yield* Projection.make(counts, log)
    }
    const frontier = yield* Projection.frontier(log)
    const scopes = new Map<Name, Scope.CloseableScope>()
    const model: Model = { head: 0, relevant: new Map(), proven: new Map(), registered: new Set() }
    // Each is observed from the beginning, so that it is known which keys have events since.
    for (const projection of Object.values(projections)) {
      yield* Effect.exit(projection.awaitApplied((yield* log.head).head, 0))
    }
    yield* settled
    // Each was used, and is registered: steps take that back, and what they find is seldom nothing.
    const begins: ReadonlyArray<Step> = [
      ...keys.flatMap((key) => [
        { act: "append" as const, key, kind: "Paid" as const },
        { act: "append" as const, key, kind: "Noted" as const }
      ]),
      ...names.flatMap((name) => [
        { act: "register" as const, name },
        { act: "project" as const, name, key: "a" }
      ])
    ]
    const take = (step: Step) =>
      Effect.gen(function* () {
        switch (step.act) {
          case "append":
            yield* log.append([changeOf(step.kind, step.key)])
            return noteAppend(model, step.kind, step.key)
          case "project":
            yield* projections[step.name].project(step.key)
            return prove(model, step.name, step.key)
          case "register": {
            const scope = yield* Scope.make()
            const exit = yield* Effect.exit(Scope.extend(frontier.register(projections[step.name]), scope))
            ensure(Exit.isSuccess(exit) !== model.registered.has(step.name), "a name is registered once")
            if (Exit.isSuccess(exit)) scopes.set(step.name, scope)
            model.registered.add(step.name)
            return
          }
          case "unregister": {
            const scope = scopes.get(step.name)
            if (scope !== undefined) yield* Scope.close(scope, Exit.void)
            scopes.delete(step.name)
            model.registered.delete(step.name)
            return
          }
          default: {
            const waiting = yield* started(frontier.awaitApplied((yield* log.head).head, "1 hour"))
            for (const name of model.registered) {
              for (const key of keys) if (isBehind(model, idOf(name, key))) prove(model, name, key)
            }
            const isDone = Option.isSome(yield* waiting.poll)
            ensure(isDone === (frontierOf(model) !== undefined), "a wait ends if each was used")
            yield* Fiber.interrupt(waiting)
          }
        }
      })
    for (const step of [...begins, ...steps]) {
      yield* take(step)
      yield* settled
      const applied = Option.getOrUndefined(yield* frontier.applied)?.seq
      const expected = frontierOf(model)
      ensure(applied === expected, `the frontier is at ${expected}, not ${applied}, after ${step.act}`)
    }
  }).pipe(Effect.scoped, withTurn(microtasks))

export const frontierIsItsModel = (count: number) =>
  holdsEffect(fc.array(step, { minLength: 8, maxLength: 30 }), count, history)
