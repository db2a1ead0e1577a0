/** One record in every turn of the event loop: what waking up for it costs. */
import { Effect, Tracer } from "effect"
import * as Recorder from "../../../src/Recorder.js"
import { memory } from "../../../src/Storage.js"
import { fiberQueue } from "../baselines/array.js"
import { type Case, interleave } from "../support/bench.js"
import { flushed, turn, using } from "../support/recorders.js"

interface Small {
  readonly id: number
  readonly what: string
}

const count = 1000

/** Microseconds per turn, each with one record, until the last record is stored. `end`: what does not wait for that. */
const turns = async (
  save: (record: Small) => unknown,
  drained: () => number,
  end: () => Promise<void> = () => Promise.resolve()
): Promise<number> => {
  const before = drained()
  const start = performance.now()
  await new Promise<void>((resolve) => {
    let id = 0
    const next = () => {
      if (id === count) return resolve()
      save({ id: id++, what: "order.placed" })
      setImmediate(next)
    }
    next()
  })
  await end()
  while (drained() < before + count) await turn()
  return ((performance.now() - start) * 1000) / count
}

/** A tracer that makes spans and exports nothing. */
const tracer = Tracer.make({
  span: (name, parent, context, links, startTime, kind) => {
    const attributes = new Map<string, unknown>()
    let status: Tracer.SpanStatus = { _tag: "Started", startTime }
    return {
      _tag: "Span",
      name,
      parent,
      context,
      links,
      kind,
      attributes,
      spanId: "0000000000000001",
      traceId: "00000000000000000000000000000001",
      sampled: true,
      get status() {
        return status
      },
      attribute: (key, value) => attributes.set(key, value),
      event: () => {},
      addLinks: () => {},
      end: (endTime, exit) => {
        status = { _tag: "Ended", startTime, endTime, exit }
      }
    }
  },
  context: (run) => run()
})

export const tick: Case = {
  name: "tick",
  about: "one record in every turn of the event loop, into memory, to an array and a fiber that it wakes",
  run: async (bench) => {
    let storage = memory<Small>()
    const save = (batch: ReadonlyArray<Small>) => storage.save(batch)
    const made = Recorder.make({ save, load: () => Effect.void })
    const own = fiberQueue("end of turn", save)
    const hasty = fiberQueue("at once", save)
    const fibers = Effect.all([Effect.forkScoped(own.run), Effect.forkScoped(hasty.run)])
    await using(Effect.all([made, Effect.withTracer(made, tracer), fibers]), async ([recorder, traced]) => {
      await Effect.runPromise(Effect.all([recorder.ready, traced.ready]))
      let nothing = 0
      const begin = () => {
        storage = memory()
      }
      const samples = await interleave(
        { rounds: bench.pairs, parts: 15, begin },
        {
          empty: () =>
            turns(
              () => nothing++,
              () => nothing
            ),
          hasty: () => turns(hasty.push, hasty.drained),
          own: () => turns(own.push, own.drained),
          // The last ones may linger for others: a flush waits for no linger.
          recorder: () =>
            turns(
              recorder.unsafeSave,
              () => recorder.unsafeStats().stored,
              () => flushed(recorder)
            ),
          traced: () =>
            turns(
              traced.unsafeSave,
              () => traced.unsafeStats().stored,
              () => flushed(traced)
            )
        }
      )
      bench.note(
        "Into Storage.memory, by its `save`. The own array's fiber wakes at the end of the turn, as the Recorder's."
      )
      bench.figure("a turn that saves nothing", samples.empty, "us/turn")
      bench.figure("own array and Effect.async", samples.own, "us/record")
      bench.figure("the same, woken at once, a batch for each record", samples.hasty, "us/record")
      bench.figure("Recorder, metrics on", samples.recorder, "us/record")
      bench.figure("Recorder, metrics on, a tracer installed", samples.traced, "us/record")
      bench.ratio("Recorder to own array", samples.recorder, samples.own, { atMost: 1.6 })
      bench.ratio("Recorder to own array woken at once", samples.recorder, samples.hasty)
      bench.ratio("Recorder with a tracer to own array", samples.traced, samples.own)
    })
  }
}
