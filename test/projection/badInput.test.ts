/** What cannot be projected, and how it is named. */
import { describe, expect } from "@effect/vitest"
import { Effect, Either, Exit, Schema } from "effect"
import * as ChangeLog from "../../src/ChangeLog.js"
import * as Projection from "../../src/Projection.js"
import {
  accountEvents,
  accounts,
  balanceOf,
  indexedLog,
  logOf,
  opened,
  paid,
  scripted
} from "../support/projection/accounts.js"
import { tier } from "../support/projection/tiers.js"
import { scenario } from "../support/time/turn.js"

const event = (value: unknown) => ChangeLog.put("a", value as Projection.EventValue)
const all = { ...accounts, kinds: undefined }

describe("an event", () => {
  for (const [name, bad, words] of [
    ["of an unknown kind", event({ kind: "Moved", data: 1 }), ['its kind "Moved" is not known']],
    [
      "that its Schema refuses",
      event({ kind: "Paid", data: { amount: "5" } }),
      ['of its kind "Paid" refuses']
    ],
    ["without a kind", event({ data: 5 }), ["it has no kind"]],
    ["that is no object", event("text"), ["it has no kind"]],
    ["that removes the key", ChangeLog.remove("a"), ["it removes the key"]]
  ] as const) {
    scenario(`${name} fails as Malformed, is never skipped, and is named`, function* () {
      const log = yield* logOf(opened("a"), bad, paid("a", 5))
      for (const slots of [0, 10]) {
        const projection = yield* Projection.make(all, log, { slots })
        for (let n = 0; n < 2; n++) {
          const error = yield* Effect.flip(projection.project("a"))
          expect(error).toMatchObject({ reason: "Malformed", projection: "accounts", key: "a" })
          for (const word of [...words, "the event 2 of the key, at revision 2"]) {
            expect(error.message).toContain(word)
          }
        }
        expect(projection.unsafeStats()).toMatchObject({ slots: 0, failures: 2 })
      }
    })
  }

  scenario("whose Schema throws is Malformed, and a state whose Schema throws is not cached", function* () {
    const cause = new Error("no")
    const Throwing = Schema.transform(Schema.String, Schema.String, {
      decode: () => {
        throw cause
      },
      encode: () => {
        throw cause
      }
    })
    const log = yield* logOf(event({ kind: "Paid", data: "5" }))
    const definition = Projection.define({
      name: "throwing",
      events: Projection.events({ Paid: Throwing }),
      state: Schema.Number,
      initial: 0,
      apply: (count) => count + 1
    })
    const projection = yield* Projection.make(definition, log)
    expect(yield* Effect.flip(projection.project("a"))).toMatchObject({ reason: "Malformed", cause })
    const states = Projection.define({
      name: "states",
      events: Projection.events({ Paid: Schema.String }),
      state: Schema.Union(Schema.Null, Schema.String.pipe(Schema.compose(Throwing))),
      initial: null,
      apply: () => "state"
    })
    const other = yield* Projection.make(states, log)
    const outcome = yield* other.projectOutcome("a")
    expect([outcome.stored, outcome.state]).toMatchObject(["NotEncodable", { value: "state" }])
  })

  scenario("that comes later fails too, and ends no state that is cached", function* () {
    const log = yield* logOf(opened("a"), paid("a", 5))
    const projection = yield* Projection.make(all, log)
    yield* projection.project("a")
    yield* log.append([event({ kind: "Moved" })])
    expect((yield* Effect.flip(projection.project("a"))).reason).toBe("Malformed")
    expect(balanceOf(yield* projection.project("a", Projection.maybeStale(1)))).toBe("5")
  })

  scenario("is made by change, which refuses data and kinds that are none of the set", function* () {
    expect(Either.getOrThrow(accountEvents.change("a", "Paid", { amount: 5 }))).toEqual(
      ChangeLog.put("a", { kind: "Paid", data: { amount: 5 } })
    )
    expect(Either.isLeft(accountEvents.change("a", "Paid", { amount: 0.5 }))).toBe(true)
    expect(Either.isLeft(accountEvents.change("a", "Moved" as "Paid", { amount: 5 }))).toBe(true)
    yield* Effect.void
  })
})

describe("a fold", () => {
  scenario("that throws fails as Fold, and names the event", function* () {
    const cause = new Error("no")
    const log = yield* logOf(opened("a"), paid("a", 5))
    const throwing = Projection.define({
      ...accounts,
      apply: () => {
        throw cause
      }
    })
    const projection = yield* Projection.make(throwing, log)
    const error = yield* Effect.flip(projection.project("a"))
    expect(error).toMatchObject({ reason: "Fold", key: "a", cause })
    expect(error.message).toContain('the event 1 of the key, at revision 1, of kind "Opened"')
  })

  scenario("whose state is too large fails as TooLarge, in every lane, and is not cached", function* () {
    const log = yield* logOf(opened("a"), paid("a", 5))
    const { calls, tier: cache } = yield* tier
    const maxStateBytes = new TextEncoder().encode('{"owner":"a","balance":5,"payments":[5]}').length
    const projection = yield* Projection.make(accounts, log, { tier: cache, maxStateBytes })
    expect(balanceOf(yield* projection.project("a"))).toBe("5")
    yield* log.append([paid("a", 1)])
    const puts = calls().length
    expect(yield* Effect.flip(projection.project("a"))).toMatchObject({
      reason: "TooLarge",
      message: expect.stringContaining("raise it")
    })
    expect(calls().length).toBe(puts)
    const direct = yield* Projection.make(accounts, log, { slots: 0, maxStateBytes })
    expect((yield* Effect.flip(direct.project("a"))).reason).toBe("TooLarge")
  })
})

describe("Projection.make refuses", () => {
  const refused = (definition: object, option: string, words: string) =>
    Effect.gen(function* () {
      const log = yield* indexedLog
      const made = Projection.make({ ...accounts, ...definition } as typeof accounts, log)
      const error = yield* Effect.flip(Effect.scoped(made))
      expect(error.option).toBe(option)
      expect(error.message).toContain(words)
    })
  const schemas = { Paid: Schema.Null }
  for (const [name, definition, option, words] of [
    ["no name", { name: "" }, "definition.name", "not empty"],
    ["a name that is too long", { name: "n".repeat(200) }, "definition.name", "200 bytes"],
    ["a version that is none", { version: -1 }, "definition.version", "from 0"],
    ["events of no set", { events: {} }, "definition.events", "Projection.events"],
    [
      "no event",
      { events: Projection.events({}), kinds: undefined },
      "definition.events",
      "at least one kind"
    ],
    [
      "a kind of the library's own",
      { events: Projection.events({ $own: Schema.Null } as never), kinds: undefined },
      "definition.events",
      "begin with $"
    ],
    [
      "an old name that is a kind",
      { events: Projection.events(schemas, { renamed: { Paid: "Paid" } }), kinds: undefined },
      "definition.events",
      "which has a Schema"
    ],
    [
      "an old name of an unknown kind",
      { events: Projection.events(schemas, { renamed: { Old: "New" as "Paid" } }), kinds: undefined },
      "definition.events",
      'a Schema for "New"'
    ],
    ["kinds that are none", { kinds: ["Moved"] }, "definition.kinds", "kinds of `events`"],
    ["an old name in kinds", { kinds: ["Deposited"] }, "definition.kinds", "the names that they have now"],
    ["no kinds", { kinds: [] }, "definition.kinds", "at least one kind"],
    ["no Schema", { state: 5 }, "definition.state", "a Schema"],
    ["an initial state of another type", { initial: 5 }, "definition.initial", "its Schema"],
    ["a fold that is no function", { apply: 5 }, "definition.apply", "a function"],
    ["incremental as a boolean", { incremental: true }, "definition.incremental", '"on" or "off"']
  ] as const) {
    scenario(name, function* () {
      yield* refused(definition, option, words)
    })
  }

  scenario("a log without an index, and names how to make one", function* () {
    const log = yield* ChangeLog.make<Projection.EventValue>()
    const exit = yield* Effect.exit(Projection.make(accounts, log))
    expect(Exit.isFailure(exit) && exit.cause).toMatchObject({
      error: { option: "log", message: expect.stringContaining('keys: "indexed"') }
    })
  })
})

/** What is no revision. */
const noRevisions = [
  undefined,
  null,
  5,
  "1",
  {},
  { epoch: "e", seq: 1 },
  ...[-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 1n, "1", null].map((seq) => ({
    epoch: "e",
    seq,
    tag: 0
  }))
] as ReadonlyArray<ChangeLog.Revision>

/** What is no duration. */
const noDurations = [
  undefined,
  null,
  {},
  "soon",
  "-1 seconds",
  -1,
  -0.5,
  Number.NaN,
  -1n
] as ReadonlyArray<number>

describe("an option of a read", () => {
  scenario("that is none is Refused before the log is read, and named", function* () {
    const { log, reads } = scripted(yield* logOf(opened("a"), paid("a", 5)))
    const projection = yield* Projection.make(accounts, log)
    yield* projection.project("a")
    const before = reads()
    const { head } = yield* log.head
    const freshness: ReadonlyArray<unknown> = [
      null,
      5,
      "Consistent",
      {},
      { _tag: "Fresh" },
      ...noRevisions.map((revision) => Projection.atLeast(revision, 0)),
      ...noDurations.map((timeout) => Projection.atLeast(head, timeout)),
      { ...Projection.atLeast(head, 0), wait: 5 }
    ]
    for (const given of freshness) {
      const wrong = given as Projection.Freshness
      for (const read of [
        projection.project("a", wrong),
        projection.projectOutcome("a", { freshness: wrong })
      ]) {
        const error = yield* Effect.flip(read as Effect.Effect<unknown, Projection.ProjectionError>)
        expect(error).toMatchObject({ reason: "Refused", projection: "accounts", key: "a" })
        expect(error.message).toContain("freshness")
      }
    }
    const options: ReadonlyArray<readonly [string, unknown]> = [
      ["options", null],
      ["options", "on"],
      ["options", []],
      ["times", { times: "ON" }],
      ["times", { times: true }],
      ["times", { times: null }],
      ["fresh", { fresh: Projection.consistent }]
    ]
    for (const [name, given] of options) {
      const error = yield* Effect.flip(projection.projectOutcome("a", given as Projection.OutcomeOptions))
      expect(error).toMatchObject({ reason: "Refused" })
      expect(error.message.startsWith(`${name}: `)).toBe(true)
    }
    expect(reads()).toBe(before)
    expect(projection.unsafeStats().failures).toBe(freshness.length * 2 + options.length)
  })

  scenario("of a wait for a revision that is none is Refused at once", function* () {
    const log = yield* logOf(opened("a"))
    const projection = yield* Projection.make(accounts, log)
    const frontier = yield* Projection.frontier(log)
    const { head } = yield* log.head
    for (const { awaitApplied } of [projection, frontier]) {
      for (const [name, wait] of [
        ...noRevisions.map((revision) => ["revision", awaitApplied(revision, 0)] as const),
        ...noDurations.map((timeout) => ["timeout", awaitApplied(head, timeout)] as const)
      ] as const) {
        const error = yield* Effect.flip(wait)
        expect(error).toMatchObject({ _tag: "NotApplied", reason: "Refused", heldBackBy: [] })
        expect(error.message.startsWith(`${name}: `)).toBe(true)
      }
    }
  })
})
