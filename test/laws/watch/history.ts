/** Random histories: what is written, compacted, renewed, followed, read and resumed, in any order. */
import { Effect, Either, Exit, Option, Scope } from "effect"
import fc from "fast-check"
import * as ChangeLog from "../../../src/ChangeLog.js"
import * as Watch from "../../../src/Watch.js"
import type { VirtualTime } from "../../support/virtualTime.js"
import type { Change, Observed, Value } from "./validators.js"

const keys = ["a", "b", "dir/a", "dir/b", "dir/sub/a", "dirextra", "z"]

export type Action =
  | {
      readonly do: "append"
      readonly entries: ReadonlyArray<ReadonlyArray<readonly [string, Value | undefined]>>
    }
  | { readonly do: "compact"; readonly keep: number }
  | { readonly do: "renew" | "settle" | "heartbeat" | "restart" }
  | { readonly do: "open"; readonly follow: Follow }
  /** Reads some frames of one follower, as far as there are any. */
  | { readonly do: "read"; readonly which: number; readonly count: number }
  /** One goes away, and comes again where it stands. */
  | { readonly do: "resume"; readonly which: number; readonly policy: Watch.Policy }

export interface Follow {
  readonly selector: ChangeLog.Selector
  readonly filters: boolean
  readonly policy: Watch.Policy
  readonly buffer: number
  readonly previous: boolean
  readonly autoResnapshot: boolean
  readonly start: "now" | "snapshot" | "beginning"
}

export interface Sample {
  readonly maxRevisions: number
  readonly actions: ReadonlyArray<Action>
}

const part = fc.oneof(
  fc.constantFrom(...keys).map(ChangeLog.key),
  fc.constantFrom("", "dir/", "dir/sub/").map(ChangeLog.prefix),
  fc.constantFrom(ChangeLog.range("a", "c"), ChangeLog.range("dir/", "dir/c"), ChangeLog.range("b", "zz"))
)

const selector: fc.Arbitrary<ChangeLog.Selector> = fc.oneof(
  { weight: 3, arbitrary: part },
  {
    weight: 1,
    arbitrary: fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => ChangeLog.many(...parts))
  }
)

// What waits for room must not hold up the only one who makes room: the writer is that one here, so nobody blocks.
const policy = fc.constantFrom<Watch.Policy>("resync", "conflate", "cancel", "drop-oldest")

const follow: fc.Arbitrary<Follow> = fc.record({
  selector,
  filters: fc.boolean(),
  policy,
  buffer: fc.integer({ min: 1, max: 4 }),
  previous: fc.boolean(),
  autoResnapshot: fc.boolean(),
  start: fc.constantFrom("now", "snapshot", "beginning")
})

const change = fc.tuple(fc.constantFrom(...keys), fc.option(fc.nat(99), { nil: undefined, freq: 4 }))

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      do: fc.constant("append" as const),
      entries: fc.array(fc.array(change, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 })
    })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("compact" as const), keep: fc.nat(4) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constantFrom(
        "renew" as const,
        "settle" as const,
        "settle" as const,
        "heartbeat" as const,
        "restart" as const
      )
    })
  },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("open" as const), follow }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant("read" as const),
      which: fc.nat(20),
      count: fc.integer({ min: 1, max: 6 })
    })
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("resume" as const), which: fc.nat(20), policy }) }
)

export const sample: fc.Arbitrary<Sample> = fc.record({
  maxRevisions: fc.constantFrom(3, 8, 1000),
  actions: fc.array(action, { minLength: 10, maxLength: 40 })
})

interface Life {
  readonly base: Map<string, Value>
  readonly revisions: Array<ReadonlyArray<Change>>
}

interface Reader {
  readonly scope: Scope.CloseableScope
  readonly follower: Watch.Follower<Value>
  readonly observed: Omit<Observed, "ended" | "drained">
  readonly follow: Follow
  readonly frames: Array<Watch.Frame<Value>>
}

const where = (event: { readonly key: string; readonly _tag: string }): boolean => event.key !== "dir/a"

/** Runs a sample; what was committed, and what every follower was told. */
export const run = ({ actions, maxRevisions }: Sample, time: VirtualTime) =>
  Effect.gen(function* () {
    const settled = Effect.promise(time.settle)
    const heartbeat = Effect.promise(() => time.advance(11_000))
    const log = yield* ChangeLog.make<Value>({ state: "latest", maxRevisions })
    const truth = new Map<string, Life>()
    const state = new Map<string, Value>()
    let life: Life = { base: new Map(), revisions: [] }
    truth.set((yield* log.head).head.epoch, life)
    const watching = Effect.gen(function* () {
      const scope = yield* Scope.make()
      return { scope, watch: yield* Scope.extend(Watch.make(log, { heartbeat: "10 seconds" }), scope) }
    })
    let { scope, watch } = yield* watching
    const readers: Array<Reader> = []
    const done: Array<Observed> = []

    const note = (entry: ReadonlyArray<readonly [string, Value | undefined]>): void => {
      const changes = entry.map(([key, value]): Change => {
        const previous = Option.fromNullable(state.get(key))
        if (value === undefined) state.delete(key)
        else state.set(key, value)
        return { key, value: Option.fromNullable(value), previous }
      })
      life.revisions.push(changes)
    }

    const read = (reader: Reader, count: number): void => {
      for (let i = 0; i < count; i++) {
        const frame = reader.follower.unsafePoll()
        if (frame === undefined) return
        reader.frames.push(frame)
      }
    }

    const open = (follow: Follow, after: ChangeLog.Revision | undefined) =>
      Effect.gen(function* () {
        const { head } = yield* log.head
        const from = after ?? (follow.start === "beginning" ? ChangeLog.start(head.epoch) : undefined)
        const own = yield* Scope.make()
        const opened = yield* Effect.either(
          Scope.extend(
            watch.open(follow.selector, {
              ...(from === undefined
                ? { snapshot: follow.start === "snapshot" ? "first" : "none" }
                : { after: from }),
              where: follow.filters ? where : undefined,
              policy: follow.policy,
              buffer: follow.buffer,
              previous: follow.previous ? "include" : "omit",
              autoResnapshot: follow.autoResnapshot ? "on" : "off"
            }),
            own
          )
        )
        // The log may no longer hold what it would resume with: then nothing is registered.
        if (Either.isLeft(opened)) return
        const frames: Array<Watch.Frame<Value>> = []
        readers.push({
          scope: own,
          follower: opened.right,
          follow,
          frames,
          observed: {
            selector: follow.selector,
            where: follow.filters ? where : undefined,
            policy: follow.policy,
            previous: follow.previous,
            start: from ?? head,
            frames
          }
        })
      })

    /** Reads what is left, and asks for the end. */
    const finish = (reader: Reader, drained: boolean) =>
      Effect.gen(function* () {
        const { observed } = reader
        const ended = yield* reader.follower.take.pipe(
          Effect.map((frame) => reader.frames.push(frame)),
          Effect.forever,
          Effect.flip,
          Effect.raceFirst(Effect.as(settled, undefined))
        )
        done.push({ ...observed, ended, drained })
        yield* Scope.close(reader.scope, Exit.void)
      })

    const gone = (reader: Reader) =>
      Effect.gen(function* () {
        readers.splice(readers.indexOf(reader), 1)
        yield* Scope.close(reader.scope, Exit.void)
        yield* finish(reader, false)
        return done[done.length - 1]?.ended?.cursor
      })

    const restart = Effect.gen(function* () {
      const left = readers.splice(0)
      yield* Scope.close(scope, Exit.void)
      ;({ scope, watch } = yield* watching)
      for (const reader of left) {
        yield* finish(reader, false)
        yield* open(reader.follow, done[done.length - 1]?.ended?.cursor)
      }
    })

    for (const action of actions) {
      switch (action.do) {
        case "append":
          for (const entry of action.entries) note(entry)
          yield* log.commit(
            action.entries.map((entry) => ({
              changes: entry.map(([key, value]) =>
                value === undefined ? ChangeLog.remove(key) : ChangeLog.put(key, value)
              )
            }))
          )
          break
        case "compact":
          yield* log.compact((yield* log.head).head.seq - action.keep)
          break
        case "renew":
          life = { base: new Map(state), revisions: [] }
          truth.set(yield* log.renewEpoch, life)
          break
        case "settle":
          yield* settled
          break
        case "heartbeat":
          yield* Effect.zipRight(settled, heartbeat)
          break
        case "restart":
          yield* restart
          break
        case "open":
          yield* open(action.follow, undefined)
          break
        case "read":
          if (readers.length > 0) read(readers[action.which % readers.length]!, action.count)
          break
        case "resume": {
          const reader = readers[action.which % Math.max(1, readers.length)]
          if (reader === undefined) break
          const cursor = yield* gone(reader)
          yield* open({ ...reader.follow, policy: action.policy }, cursor)
        }
      }
    }
    for (let quiet = false; !quiet; ) {
      yield* settled
      const before = readers.map(({ frames }) => frames.length).join()
      for (const reader of readers) read(reader, Number.POSITIVE_INFINITY)
      quiet = before === readers.map(({ frames }) => frames.length).join()
    }
    for (const reader of readers) yield* finish(reader, true)
    yield* Scope.close(scope, Exit.void)
    return { truth, observed: done }
  })
