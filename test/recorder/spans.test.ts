/** The spans of bulk saves, and that there are none without a tracer. */
import { describe, expect } from "@effect/vitest"
import { Context, Effect, Exit, Fiber, Option, Schedule, TestClock, Tracer } from "effect"
import * as Recorder from "../../src/Recorder.js"
import { closeAndAccount, numbers } from "../support/recorder/account.js"
import { backend, failingFirst, refusing, stepped, transient } from "../support/recorder/backends.js"
import { scenario, settled, started } from "../support/time/turn.js"
import { keepingTracer, type Seen } from "../support/tracing.js"

const retry = Schedule.spaced("100 millis")

/** A tracer that keeps every span, and what saves are linked with. */
const tracing = () => {
  const { spans, tracer } = keepingTracer()
  const saves = () => spans.filter(({ name }) => name.endsWith(".save"))
  const linked = (span: Seen) => span.links.map((link) => (link.span as Seen).name)
  return { tracer, saves, linked }
}

describe("with a tracer installed", () => {
  scenario("each bulk save is one root span with its name, size and kind", function* () {
    const { saves, tracer } = tracing()
    const storage = backend<number>()
    yield* Effect.withTracer(
      Effect.gen(function* () {
        const recorder = yield* Recorder.make(storage.storage, { name: "audit", maxBatchSize: 40 })
        yield* Effect.sync(() => numbers(100).forEach(recorder.unsafeSave))
        yield* closeAndAccount(recorder, storage, { accepted: numbers(100) })
      }).pipe(Effect.withSpan("app")),
      tracer
    )
    expect(saves().map(({ name, kind, parent }) => [name, kind, parent])).toEqual(
      numbers(3).map(() => ["audit.save", "client", Option.none()])
    )
    expect(saves().map(({ attributes }) => Object.fromEntries(attributes))).toEqual(
      [40, 40, 20].map((size) => ({ "recorder.name": "audit", "recorder.batch.size": size }))
    )
    for (const { exits } of saves()) expect(exits.map(Exit.isSuccess)).toEqual([true])
  })

  scenario(
    "it is linked to the spans of save, saveAll and saveDurable callers, and of no others",
    function* () {
      const { linked, saves, tracer } = tracing()
      const storage = yield* stepped<number>()
      yield* Effect.withTracer(
        Effect.gen(function* () {
          const recorder = yield* Recorder.make(storage.storage)
          yield* Effect.withSpan(
            Effect.sync(() => recorder.unsafeSave(1)),
            "unsafe"
          )
          yield* Effect.withSpan(recorder.save(2), "request 2")
          yield* Effect.withSpan(recorder.saveAll([3, 4]), "request 3")
          const durable = yield* started(Effect.withSpan(recorder.saveDurable(5), "request 5"))
          const first = yield* storage.next
          yield* Effect.withSpan(recorder.save(6), "request 6")
          yield* first.succeed
          yield* Fiber.join(durable)
          yield* Effect.flatMap(storage.next, (call) => call.succeed)
          yield* closeAndAccount(recorder, storage, { accepted: numbers(6) })
        }),
        tracer
      )
      expect(saves().map(linked)).toEqual([["request 2", "request 3", "request 5"], ["request 6"]])
    }
  )

  scenario("it is linked to no caller without a span, nor to one whose record was not queued", function* () {
    const { linked, saves, tracer } = tracing()
    const storage = yield* stepped<number>()
    yield* Effect.withTracer(
      Effect.gen(function* () {
        const recorder = yield* Recorder.make(storage.storage, {
          bound: {
            count: 2,
            overflow: "drop-newest",
            sizeOf: (record) => (record === 9 ? Number.NaN : 1)
          }
        })
        expect(yield* recorder.save(1)).toBe(true)
        const first = yield* storage.next
        yield* Effect.withSpan(recorder.save(2), "request 2")
        expect(yield* Effect.withSpan(recorder.save(3), "dropped")).toBe(true)
        expect(yield* Effect.withSpan(recorder.save(9), "refused")).toBe(false)
        yield* first.succeed
        const second = yield* storage.next
        yield* Effect.withSpan(recorder.save(4), "request 4")
        yield* second.succeed
        yield* Effect.flatMap(storage.next, (call) => call.succeed)
        yield* closeAndAccount(recorder, storage, { accepted: [1, 2, 3, 4], dropped: [3] })
      }),
      tracer
    )
    expect(saves().map(linked)).toEqual([[], ["request 2"], ["request 4"]])
  })

  scenario("it is linked to a caller that has waited for room", function* () {
    const { linked, saves, tracer } = tracing()
    const storage = yield* stepped<number>()
    yield* Effect.withTracer(
      Effect.gen(function* () {
        const recorder = yield* Recorder.make(storage.storage, { bound: { count: 1, overflow: "suspend" } })
        expect(yield* Effect.withSpan(recorder.save(1), "request 1")).toBe(true)
        const first = yield* storage.next
        const waiting = yield* started(Effect.withSpan(recorder.save(2), "request 2"))
        expect(recorder.unsafeStats().accepted).toBe(1)
        yield* first.succeed
        expect(yield* Fiber.join(waiting)).toBe(true)
        yield* Effect.flatMap(storage.next, (call) => call.succeed)
        yield* closeAndAccount(recorder, storage, { accepted: numbers(2) })
      }),
      tracer
    )
    expect(saves().map(linked)).toEqual([["request 1"], ["request 2"]])
  })

  scenario("it has at most 128 links", function* () {
    const { linked, saves, tracer } = tracing()
    const storage = backend<number>()
    yield* Effect.withTracer(
      Effect.gen(function* () {
        const recorder = yield* Recorder.make(storage.storage, { maxBatchSize: 200 })
        for (const record of numbers(250)) yield* Effect.withSpan(recorder.save(record), `request ${record}`)
        yield* closeAndAccount(recorder, storage, { accepted: numbers(250) })
      }),
      tracer
    )
    expect(saves().map((span) => span.attributes.get("recorder.batch.size"))).toEqual([200, 50])
    expect(saves().map(linked)).toEqual([
      numbers(128).map((record) => `request ${record}`),
      numbers(50, 201).map((record) => `request ${record}`)
    ])
  })

  scenario(
    "each attempt has its own, failed ones too, with the same links; halves have theirs",
    function* () {
      const { linked, saves, tracer } = tracing()
      const storage = backend<number>({
        save: (call) =>
          call.nth === 1 ? Effect.fail(transient()) : refusing<number>((record) => record === 4)(call)
      })
      yield* Effect.withTracer(
        Effect.gen(function* () {
          const recorder = yield* Recorder.make(storage.storage, { retry })
          for (const record of numbers(4)) yield* Effect.withSpan(recorder.save(record), `${record}`)
          yield* TestClock.adjust("1 second")
          yield* closeAndAccount(recorder, storage, { accepted: numbers(4) })
        }),
        tracer
      )
      expect(saves().map(linked)).toEqual(storage.batches().map((batch) => batch.map(String)))
      expect(saves().map(({ attributes }) => attributes.get("recorder.batch.size"))).toEqual(
        storage.batches().map(({ length }) => length)
      )
      expect(
        saves()
          .slice(0, 3)
          .map(({ exits }) => exits.map(Exit.isSuccess))
      ).toEqual([[false], [false], [true]])
    }
  )

  scenario("a query runs in the span of its caller", function* () {
    const { tracer } = tracing()
    const seen: Array<string> = []
    const storage = backend<number>({
      load: (found) =>
        Effect.currentSpan.pipe(
          Effect.map(({ name }) => {
            seen.push(name)
            return found
          })
        )
    })
    yield* Effect.withTracer(
      Effect.gen(function* () {
        const recorder = yield* Recorder.make(storage.storage)
        yield* Effect.withSpan(recorder.load(undefined), "report")
        yield* recorder.close
      }).pipe(Effect.withSpan("app")),
      tracer
    )
    expect(seen).toEqual(["report"])
  })
})

describe("without a tracer", () => {
  scenario("there is no span: none is made, and the storage sees none", function* () {
    const parents: Array<unknown> = []
    const storage = backend<number>({
      save: (call) =>
        Effect.flatMap(Effect.context<never>(), (context) => {
          parents.push(Option.getOrUndefined(Context.getOption(context, Tracer.ParentSpan)))
          return call.commit
        })
    })
    const recorder = yield* Recorder.make(storage.storage).pipe(Effect.withSpan("app"))
    yield* Effect.withSpan(recorder.save(1), "request")
    yield* settled
    yield* Effect.withSpan(recorder.saveDurable(2), "request")
    yield* Effect.withSpan(recorder.saveAll([3, 4]), "request")
    yield* closeAndAccount(recorder, storage, { accepted: numbers(4) })
    expect(parents).toEqual([undefined, undefined, undefined])
  })

  scenario("and a tracer that was not there at make sees no save", function* () {
    const { saves, tracer } = tracing()
    const storage = backend<number>({ save: failingFirst() })
    const recorder = yield* Recorder.make(storage.storage)
    yield* Effect.withTracer(Effect.withSpan(recorder.save(1), "request"), tracer)
    yield* closeAndAccount(recorder, storage, { accepted: [1] })
    expect(saves()).toEqual([])
  })
})
