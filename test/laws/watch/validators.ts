/**
 * What etcd's robustness tests check of a watch, as pure functions over what watchers were told and what was
 * committed (etcd, tests/robustness/validate). Each gives the breaks that it finds, in words.
 */
import { Option } from "effect"
import type { Event, Selector } from "../../../src/ChangeLog.js"
import { compareKeys, matches } from "../../../src/ChangeLog.js"
import type { Frame, Policy, WatchEnded } from "../../../src/Watch.js"
import { watchLaws } from "../laws.js"

export type Value = number

export interface Change {
  readonly key: string
  /** None: it was removed. */
  readonly value: Option.Option<Value>
  readonly previous: Option.Option<Value>
}

/** What was committed in one life of a log: `revisions[seq - 1]`. */
export interface Epoch {
  /** What was there when it began. */
  readonly base: ReadonlyMap<string, Value>
  readonly revisions: ReadonlyArray<ReadonlyArray<Change>>
}

export type Truth = ReadonlyMap<string, Epoch>

/** One follow, as its reader saw it. */
export interface Observed {
  readonly selector: Selector
  readonly where: ((change: Pick<Event<Value>, "key" | "_tag">) => boolean) | undefined
  readonly policy: Policy
  readonly previous: boolean
  /** Everything up to it was known before. */
  readonly start: { readonly epoch: string; readonly seq: number }
  readonly frames: ReadonlyArray<Frame<Value>>
  readonly ended: WatchEnded | undefined
  /** It has read everything, and the watch had nothing to do any more. */
  readonly drained: boolean
  /** How it stood each time that a revision had been published, when it blocks. */
  readonly published: ReadonlyArray<Published>
}

/** How a watcher stood when somebody had published a revision, and waited no longer. */
export interface Published {
  readonly revision: { readonly epoch: string; readonly seq: number }
  /** Everything up to it had been dispatched, as the watch said. */
  readonly position: { readonly epoch: string; readonly seq: number }
  /** How many frames its reader had taken. */
  readonly taken: number
  /** How many revisions waited for its reader. */
  readonly buffered: number
}

export type Validator = (truth: Truth, observed: Observed) => ReadonlyArray<string>

const changesOf = (truth: Truth, epoch: string, seq: number): ReadonlyArray<Change> =>
  truth.get(epoch)?.revisions[seq - 1] ?? []

const takes = ({ selector, where }: Observed, change: Change): boolean =>
  matches(selector, change.key) &&
  (where === undefined || where({ key: change.key, _tag: Option.isSome(change.value) ? "Put" : "Delete" }))

/** An entry of a snapshot as the change that it would be. */
const putOf = (key: string): Change => ({ key, value: Option.some(0), previous: Option.none() })

const expected = (truth: Truth, observed: Observed, epoch: string, seq: number): ReadonlyArray<Change> =>
  changesOf(truth, epoch, seq).filter((change) => takes(observed, change))

const told = (event: Event<Value>): string =>
  event._tag === "Delete" ? `-${event.key}` : `${event.key}=${event.value}`

const wanted = ({ key, value }: Change): string =>
  Option.isNone(value) ? `-${key}` : `${key}=${value.value}`

const head = (truth: Truth, epoch: string): number => truth.get(epoch)?.revisions.length ?? 0

/** Walks through the frames; `covered` is the revision up to which nothing is missing before each of them. */
const walk = (
  observed: Observed,
  visit: (frame: Frame<Value>, covered: { readonly epoch: string; readonly seq: number }) => void
): { readonly epoch: string; readonly seq: number } => {
  let covered = observed.start
  for (const frame of observed.frames) {
    visit(frame, covered)
    if (frame._tag !== "Gap") covered = frame.revision
    else if (frame.reason === "Overflow") covered = { ...covered, seq: frame.to }
  }
  return covered
}

const problems = (find: (report: (problem: string) => void) => void): ReadonlyArray<string> => {
  const found: Array<string> = []
  find((problem) => found.push(problem))
  return found
}

/** Revisions come in the order of the log. */
export const ordered: Validator = (_, observed) =>
  problems((report) => {
    walk(observed, (frame, covered) => {
      if (frame._tag === "Snapshot" || frame._tag === "Gap") return
      const { epoch, seq } = frame.revision
      if (epoch !== covered.epoch) report(`${frame._tag} of another epoch without a snapshot`)
      else if (seq < covered.seq) report(`${frame._tag} ${seq} after ${covered.seq}`)
    })
  })

/** No revision is told twice, and none that was known at the start. */
export const unique: Validator = (_, observed) =>
  problems((report) => {
    const seen = new Set<string>()
    walk(observed, (frame, covered) => {
      if (frame._tag !== "Events") return
      const { epoch, seq } = frame.revision
      const id = `${epoch}:${seq}`
      if (seen.has(id)) report(`revision ${seq} was told twice`)
      if (epoch === covered.epoch && seq <= covered.seq && !seen.has(id)) report(`revision ${seq} was known`)
      seen.add(id)
    })
  })

/** All events of a revision that match come in one frame, in their order. */
export const atomic: Validator = (truth, observed) =>
  problems((report) => {
    for (const frame of observed.frames) {
      if (frame._tag !== "Events") continue
      const { epoch, seq } = frame.revision
      const want = expected(truth, observed, epoch, seq).map(wanted).join(", ")
      const got = frame.events.map(told).join(", ")
      if (want !== got) report(`revision ${seq} was told as [${got}] instead of [${want}]`)
    }
  })

/** Nothing that matches is left out, outside of announced gaps; and a reader who has read everything is not stalled. */
export const reliable: Validator = (truth, observed) =>
  problems((report) => {
    const missing = (epoch: string, from: number, to: number): void => {
      for (let seq = from; seq <= to; seq++) {
        if (expected(truth, observed, epoch, seq).length > 0) report(`revision ${seq} was not told`)
      }
    }
    const end = walk(observed, (frame, covered) => {
      if (frame._tag === "Snapshot") return
      if (frame._tag === "Gap") {
        if (frame.reason === "Overflow") missing(covered.epoch, covered.seq + 1, frame.from - 1)
        return
      }
      if (frame.revision.epoch !== covered.epoch) return
      const { seq } = frame.revision
      missing(covered.epoch, covered.seq + 1, frame._tag === "Events" ? seq - 1 : seq)
    })
    if (observed.drained && observed.ended === undefined)
      missing(end.epoch, end.seq + 1, head(truth, end.epoch))
  })

/** The cursor of an ended follow is where its reader stands: to resume after it leaves nothing out. */
export const resumable: Validator = (truth, observed) =>
  problems((report) => {
    if (observed.ended === undefined) return
    const end = walk(observed, () => {})
    const { cursor } = observed.ended
    if (cursor.epoch !== end.epoch) report(`the cursor is of ${cursor.epoch}, and ${end.epoch} was told`)
    for (let seq = end.seq + 1; seq <= cursor.seq; seq++) {
      if (expected(truth, observed, cursor.epoch, seq).length > 0)
        report(`the cursor is ${cursor.seq}, and ${seq} was not told`)
    }
    const last = observed.frames.filter((frame) => frame._tag === "Events").at(-1)
    if (last?._tag === "Events" && last.revision.epoch === cursor.epoch && last.revision.seq > cursor.seq) {
      report(`the cursor is ${cursor.seq}, and ${last.revision.seq} was told`)
    }
  })

/** Progress and Synced are true: nothing at or before them is told afterwards, and nothing before them is open. */
export const bookmarkable: Validator = (truth, observed) =>
  problems((report) => {
    let mark: { readonly epoch: string; readonly seq: number } | undefined
    const last = new Map<string, number>()
    const conflates = observed.policy === "conflate"
    walk(observed, (frame, covered) => {
      if (frame._tag === "Snapshot") mark = frame.revision
      if (frame._tag === "Events") {
        const { epoch, seq } = frame.revision
        if (mark !== undefined && mark.epoch === epoch && seq <= mark.seq)
          report(`${seq} came behind mark ${mark.seq}`)
        for (const { key } of frame.events) last.set(key, seq)
      }
      if (frame._tag !== "Synced" && frame._tag !== "Progress") return
      const { epoch, seq } = frame.revision
      if (seq > head(truth, epoch)) report(`${frame._tag} ${seq} is beyond the log`)
      mark = frame.revision
      if (epoch !== covered.epoch) return
      for (let open = covered.seq + 1; open <= seq; open++) {
        for (const { key } of expected(truth, observed, epoch, open)) {
          if (!conflates || (last.get(key) ?? 0) < open)
            report(`${frame._tag} ${seq} before ${open} was told`)
        }
      }
    })
  })

/** Only what matches is told. */
export const filtered: Validator = (_, observed) =>
  problems((report) => {
    for (const frame of observed.frames) {
      if (frame._tag === "Snapshot") {
        for (const { key } of frame.entries) if (!takes(observed, putOf(key))) report(`${key} does not match`)
      }
      if (frame._tag !== "Events") continue
      for (const event of frame.events) {
        const takes = observed.where === undefined || observed.where(event)
        if (!matches(observed.selector, event.key) || !takes) report(`${told(event)} does not match`)
      }
    }
  })

/** The value before is the one that was there; it is told when it was asked for, and only then. */
export const previousIsTrue: Validator = (truth, observed) =>
  problems((report) => {
    for (const frame of observed.frames) {
      if (frame._tag !== "Events") continue
      const { epoch, seq } = frame.revision
      const changes = [...changesOf(truth, epoch, seq)]
      // From the last one on: what is conflated is told by the last event of its key.
      for (const event of [...frame.events].reverse()) {
        const at = changes.map(wanted).lastIndexOf(told(event))
        const [change] = changes.splice(Math.max(0, at), at < 0 ? 0 : 1)
        const want = observed.previous ? change?.previous : undefined
        const same =
          want === undefined ? event.previous === undefined : String(want) === String(event.previous)
        if (!same)
          report(`${told(event)} of ${seq}: before it was ${String(want)}, told ${String(event.previous)}`)
      }
    }
  })

const stateAt = (truth: Truth, epoch: string, seq: number): Map<string, Value> => {
  const state = new Map(truth.get(epoch)?.base)
  for (let i = 1; i <= seq; i++) {
    for (const { key, value } of changesOf(truth, epoch, i)) {
      if (Option.isSome(value)) state.set(key, value.value)
      else state.delete(key)
    }
  }
  return state
}

const shown = (entries: Iterable<readonly [string, Value]>): string =>
  [...entries]
    .sort(([a], [b]) => compareKeys(a, b))
    .map(([key, value]) => `${key}=${value}`)
    .join(", ")

/** A snapshot is what was there at its revision, and says which delivered keys are gone. */
export const snapshotIsTrue: Validator = (truth, observed) =>
  problems((report) => {
    const holds = new Set<string>()
    for (const frame of observed.frames) {
      if (frame._tag === "Events") {
        for (const event of frame.events) {
          if (event._tag === "Put") holds.add(event.key)
          else holds.delete(event.key)
        }
      }
      if (frame._tag !== "Snapshot") continue
      const { epoch, seq } = frame.revision
      const state = [...stateAt(truth, epoch, seq)].filter(([key]) => takes(observed, putOf(key)))
      const want = shown(state)
      const got = frame.entries.map(({ key, value }) => `${key}=${value}`).join(", ")
      if (want !== got) report(`the snapshot at ${seq} is [${got}] instead of [${want}]`)
      const present = new Set(state.map(([key]) => key))
      const gone = [...holds].filter((key) => !present.has(key)).sort()
      if ([...frame.deleted].sort().join() !== gone.join())
        report(`gone are [${gone}], told [${frame.deleted}]`)
      holds.clear()
      for (const key of present) holds.add(key)
    }
  })

/** A Gap has a first and a last revision; what is not told by an overflow, a Snapshot of the last one stands for. */
export const announced: Validator = (_, observed) =>
  problems((report) => {
    for (const [i, frame] of observed.frames.entries()) {
      if (frame._tag !== "Gap") continue
      const { from, reason, to } = frame
      if (from > to) report(`a gap is from ${from} to ${to}`)
      const next = observed.frames[i + 1]
      if (reason === "Overflow" || next === undefined) continue
      if (next._tag !== "Snapshot" || next.revision.seq !== to) report(`no snapshot of ${to} follows its gap`)
    }
  })

/** A reader who has read everything knows the last event of each key that matches. */
export const lastIsTrue: Validator = (truth, observed) =>
  problems((report) => {
    if (!observed.drained || observed.ended !== undefined) return
    const last = new Map<string, string>()
    let since = observed.start
    for (const frame of observed.frames) {
      if (frame._tag === "Snapshot") {
        since = frame.revision
        last.clear()
      }
      if (frame._tag === "Events") for (const event of frame.events) last.set(event.key, told(event))
    }
    const want = new Map<string, string>()
    for (let seq = since.seq + 1; seq <= head(truth, since.epoch); seq++) {
      for (const change of expected(truth, observed, since.epoch, seq)) want.set(change.key, wanted(change))
    }
    for (const [key, value] of want) {
      if (last.get(key) !== value) report(`the last of ${key} is ${value}, told ${last.get(key)}`)
    }
  })

/** Whoever publishes waits until a watcher that blocks has been told; so it is behind by its buffer at most. */
export const waitsForIt: Validator = (truth, observed) =>
  problems((report) => {
    const epochs = [...truth.keys()]
    for (const { buffered, position, revision, taken } of observed.published) {
      const { epoch, seq } = revision
      const behind = epochs.indexOf(position.epoch) - epochs.indexOf(epoch)
      if (behind < 0 || (behind === 0 && position.seq < seq)) {
        report(`when ${seq} was published, ${position.seq} was dispatched`)
      }
      let covered = walk({ ...observed, frames: observed.frames.slice(0, taken) }, () => {})
      // A snapshot stands for what was lost, perhaps for this one too.
      for (const frame of observed.frames.slice(taken))
        if (frame._tag === "Snapshot") covered = frame.revision
      if (covered.epoch !== epoch) continue
      let open = 0
      for (let at = covered.seq + 1; at <= seq; at++) {
        if (expected(truth, observed, epoch, at).length > 0) open++
      }
      if (open > buffered)
        report(`when ${seq} was published, ${open} were not read, and ${buffered} buffered`)
    }
  })

/** A reader who has read everything has heard of the last epoch, or has ended. */
export const current: Validator = (truth, observed) =>
  problems((report) => {
    if (!observed.drained || observed.ended !== undefined) return
    const end = walk(observed, () => {})
    if (end.epoch !== [...truth.keys()].at(-1)) report(`it has not heard of the epoch after ${end.epoch}`)
  })

export const validators = {
  ordered,
  unique,
  atomic,
  reliable,
  resumable,
  bookmarkable,
  filtered,
  "previous-is-true": previousIsTrue,
  "snapshot-is-true": snapshotIsTrue,
  announced,
  "last-is-true": lastIsTrue,
  "waits-for-it": waitsForIt,
  current
}

export type Law = keyof typeof validators

/** A law by its number and its name. */
export const citationOf = (law: Law): string => `${watchLaws.find(({ name }) => name === law)?.id} ${law}`

const always: ReadonlyArray<Law> = [
  "ordered",
  "unique",
  "resumable",
  "bookmarkable",
  "filtered",
  "previous-is-true",
  "snapshot-is-true",
  "announced",
  "current"
]

/** What each policy promises. `reliable` allows for announced gaps, and `cancel` ends before there would be one. */
export const promises: { readonly [P in Policy]: ReadonlyArray<Law> } = {
  resync: [...always, "atomic", "reliable", "last-is-true"],
  block: [...always, "atomic", "reliable", "last-is-true", "waits-for-it"],
  conflate: [...always, "last-is-true"],
  "drop-oldest": [...always, "atomic", "reliable"],
  cancel: [...always, "atomic", "reliable"]
}

/** Every break of what the follow's policy promises. No predicate throws here and no log fails: nobody ends as Failed. */
export const validate = (truth: Truth, observed: Observed): ReadonlyArray<string> => [
  ...(observed.ended?.reason === "Failed" ? [`failed: ${String(observed.ended.cause)}`] : []),
  ...promises[observed.policy].flatMap((law) =>
    validators[law](truth, observed).map((problem) => `${citationOf(law)}: ${problem}`)
  )
]
