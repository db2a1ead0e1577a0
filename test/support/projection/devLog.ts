import { Effect } from "effect"
import * as ChangeLog from "../../../src/ChangeLog.js"
import type { EventValue } from "../../../src/Projection.js"

type V = EventValue
/** dev only */
export const devLog = Effect.sync((): ChangeLog.ChangeLog<V> => {
  let epoch = "e0"
  let renewals = 0
  let seq = 0
  let floor = 0
  const all: Array<{ generation: number; event: ChangeLog.Event<V>; seq: number }> = []
  const rings = new Set<() => void>()
  const revisionOf = (n: number): ChangeLog.Revision => ({ epoch, seq: n, tag: n * 7 })
  const head = () => revisionOf(seq)
  const changed = () => Effect.fail(new ChangeLog.EpochChanged({ epoch, message: "x" }))
  const ok = (r: ChangeLog.Revision) => r.epoch === epoch && r.seq <= seq && r.tag === r.seq * 7
  const commit = (entries: ReadonlyArray<ChangeLog.Entry<V>>) =>
    Effect.sync(() => {
      const revisions = entries.map((entry) => {
        seq++
        for (const change of entry.changes) {
          const generation = all.filter((e) => e.event.key === change.key).length + 1
          all.push({ generation, seq, event: { ...change, revision: revisionOf(seq) } as ChangeLog.Event<V> })
        }
        return revisionOf(seq)
      })
      for (const ring of rings) ring()
      return { revisions, duplicates: 0 }
    })
  const append = Object.assign(
    (changes: ReadonlyArray<ChangeLog.Change<V>>) =>
      Effect.map(commit([{ changes }]), (r) => r.revisions[0]!),
    {
      now: (changes: ReadonlyArray<ChangeLog.Change<V>>) =>
        Effect.map(commit([{ changes }]), (r) => r.revisions[0]!)
    }
  )
  return {
    append,
    commit,
    read: () => Effect.succeed([]),
    head: Effect.sync(() => ({ head: head(), floor: revisionOf(floor) })),
    revisionAt: (n) => Effect.sync(() => (n < floor || n > seq ? undefined : revisionOf(n))),
    compact: (upTo) =>
      Effect.sync(() => {
        floor = Math.max(floor, Math.min(upTo, seq))
      }),
    renewEpoch: Effect.sync(() => {
      epoch = `e${++renewals}`
      for (const e of all) Object.assign(e.event, { revision: revisionOf(e.seq) })
      return epoch
    }),
    snapshot: () => Effect.die("no"),
    state: "none",
    doorbell: (ring) =>
      Effect.acquireRelease(
        Effect.sync(() => rings.add(ring)),
        () => Effect.sync(() => rings.delete(ring))
      ),
    index: {
      history: (key, { after, kinds, limit, upTo }) =>
        Effect.suspend(
          (): Effect.Effect<ChangeLog.KeyHistory<V>, ChangeLog.EpochChanged | ChangeLog.Compacted> => {
            if (after !== undefined && !ok(after.revision)) return changed()
            if (upTo !== undefined && !ok(upTo)) return changed()
            const to = upTo ?? head()
            const own = all.filter((e) => e.event.key === key && e.seq <= to.seq)
            const from = own.filter((e) => e.generation > (after?.generation ?? 0))
            if (from.some((e) => e.seq <= floor))
              return Effect.fail(new ChangeLog.Compacted({ floor, message: "c" }))
            const wanted = from.filter(
              ({ event }) =>
                kinds === undefined ||
                (event._tag === "Put" &&
                  [...kinds, "$forgotten"].includes((event.value as V | undefined)?.kind ?? ""))
            )
            const last = own.at(-1)
            return Effect.succeed({
              events: wanted.slice(0, limit),
              more: wanted.length > limit,
              last: last && { generation: last.generation, revision: last.event.revision },
              head: to
            })
          }
        ),
      scan: () => Effect.die("no"),
      hold: () => Effect.void,
      release: () => Effect.void
    }
  }
})
