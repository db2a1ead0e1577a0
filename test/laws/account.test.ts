/**
 * The account as a property: whatever is done with a recorder, in whatever order, over whatever backend, every record
 * id ends in exactly one place, and the backend holds what the account says.
 *
 * Each of these guards was removed once by hand, and the property failed then:
 *
 * - Book.handBack: what is queued is handed back; so is what is saved again, with its outcome
 * - records.durable: a receipt waits for the outcome, not for the acceptance
 * - saver.leftOf: a save under way has an unknown outcome; bulk.failed: so has every attempt that said so
 * - saver.fails: a stored prefix is counted
 * - Book.isolated, Book.failWaiters, Actor.onDropped: the receipt is settled, and not with success
 * - Book.isolated: a record set aside takes room; Book.runOf: saved again, it keeps its unknown outcome
 * - supervisor.stopCommands: whoever asked is answered; intake.shut: whoever waits for room is, nothing enters later
 * - supervisor.stepInterrupted: an overrun is told; supervisor.forceClose: a storage that hangs is left behind
 * - ask: a load is not passed by saves; mailbox.takeBehind: nor by newcomers; engine.extendCurrent: they are counted
 */
import { describe, it } from "@effect/vitest"
import { Cause, Effect, Either, Exit, type Fiber, Logger, Runtime, Schedule, Scope } from "effect"
import fc from "fast-check"
import * as Recorder from "../../src/Recorder.js"
import { type FailureKind, type Saved, type Storage, StorageError } from "../../src/Storage.js"
import { ensure, ensureSame, lawTimeout } from "../support/ensure.js"
import { runs } from "../support/laws.js"
import { withTurn } from "../support/turn.js"
import { type VirtualTime, virtualTime } from "../support/virtualTime.js"

interface Row {
  readonly id: number
  /** What is wrong with it until it is mended: the storage knows, or has no word for it. */
  readonly bad: "no" | "poison" | "unknown"
}

/** What goes wrong in one save, whatever it holds. */
type Fault =
  | { readonly do: "nothing" }
  | { readonly do: "fail"; readonly commits: Commits; readonly kind: FailureKind; readonly told: boolean }
  | { readonly do: "die"; readonly commits: Commits }
  /** Hangs, or goes on after so many milliseconds; stubborn: it ignores its interruption. */
  | {
      readonly do: "hang"
      readonly commits: Commits
      readonly millis: number | undefined
      readonly stubborn: boolean
    }

/** How much of the batch is committed before the trouble. */
type Commits = "nothing" | "some" | "all"

type Action =
  | { readonly do: "save"; readonly how: "unsafeSave" | "save" | "saveDurable"; readonly bad: Row["bad"] }
  | { readonly do: "saveAll"; readonly bad: ReadonlyArray<Row["bad"]> }
  | { readonly do: "load" | "flush" | "redrive" | "mend" | "settle" | "close" }
  | { readonly do: "interrupt"; readonly which: number }
  | { readonly do: "advance" | "closeWithin"; readonly millis: number }

type LoadFault = "nothing" | "fail" | "die" | "hang"

interface Setting {
  readonly maxBatchSize: number
  readonly maxBatch: number | undefined
  readonly linger: number
  readonly overflow: Recorder.Overflow | undefined
  readonly count: number
  readonly bytes: number | undefined
  readonly onFatal: "stop" | "set-aside"
  readonly sink: "none" | "takes" | "fails" | "hangs"
  readonly retry: keyof typeof schedules
  readonly prepares: boolean
  /** How the storage meets a bad record: it stores what stands before it, and says so, or it stores nothing. */
  readonly partial: boolean
  /** It names the bad records. */
  readonly names: boolean
  readonly start: "at once" | "late" | "after failures" | "fatal" | "never"
  readonly end: "close" | "closeWithin" | "scope"
}

const schedules = {
  spaced: Schedule.spaced(50),
  exponential: Schedule.exponential(20),
  twice: Schedule.intersect(Schedule.spaced(50), Schedule.recurs(2)),
  never: Schedule.stop
}

const sizeOf = ({ id }: Row): number => 1 + (id % 3)

const boundOf = ({ bytes, count, overflow }: Setting): Recorder.Bound<Row> | undefined => {
  if (overflow === undefined) return undefined
  return bytes === undefined ? { overflow, count } : { overflow, count, bytes, sizeOf }
}

interface Sample {
  readonly setting: Setting
  readonly faults: ReadonlyArray<Fault>
  readonly loadFaults: ReadonlyArray<LoadFault>
  readonly actions: ReadonlyArray<Action>
}

const saveTimeout = 200
const loadTimeout = 300
const closeDeadline = 500

/** A backend that ignores the ids that it holds, and fails as it is told. */
class Backend {
  readonly held: Array<number> = []
  readonly handed = new Set<number>()
  readonly faults: Array<Fault>
  readonly loadFaults: Array<LoadFault>
  readonly setting: Setting
  readonly observe: () => void
  mended = false
  running = 0
  overlaps = 0
  /** Handed back while a call still ran: nobody owns it any more. */
  abandoned = false

  constructor(sample: Sample, observe: () => void) {
    this.faults = [...sample.faults]
    this.loadFaults = [...sample.loadFaults]
    this.setting = sample.setting
    this.observe = observe
  }

  private hold(rows: ReadonlyArray<Row>): Saved {
    let duplicates = 0
    for (const { id } of rows) {
      if (this.held.includes(id)) duplicates++
      else this.held.push(id)
    }
    return { duplicates }
  }

  private alone<A, E>(call: () => Effect.Effect<A, E>): Effect.Effect<A, E> {
    return Effect.suspend(() => {
      if (this.running++ > 0 && !this.abandoned) this.overlaps++
      this.observe()
      return call()
    }).pipe(
      Effect.ensuring(
        Effect.sync(() => {
          this.running--
          this.observe()
        })
      )
    )
  }

  /** Commits what can be, and says how that went. */
  private commit(rows: ReadonlyArray<Row>): Effect.Effect<Saved, unknown> {
    return Effect.suspend(() => {
      const first = this.mended ? -1 : rows.findIndex(({ bad }) => bad !== "no")
      if (first < 0) return Effect.succeed(this.hold(rows))
      const { names, partial } = this.setting
      if (partial) this.hold(rows.slice(0, first))
      if (rows[first]?.bad === "unknown") return Effect.die(new Error("no word for it"))
      const bad = rows.flatMap((row, index) => (row.bad === "poison" ? [{ index, cause: "poison" }] : []))
      return Effect.fail(
        new StorageError({
          kind: "Poison",
          outcome: "NotStored",
          message: "poison",
          ...(partial ? { stored: first } : names ? { bad } : {})
        })
      )
    })
  }

  /** Commits a part without a word: the good records before the first bad one, or the first half of them. */
  private commitQuietly(rows: ReadonlyArray<Row>, commits: Commits): number {
    const first = this.mended ? -1 : rows.findIndex(({ bad }) => bad !== "no")
    // One statement with a bad record in it commits nothing.
    if (commits === "nothing" || (first >= 0 && !this.setting.partial)) return 0
    const most = first < 0 ? rows.length : first
    const count = commits === "all" ? most : most >> 1
    this.hold(rows.slice(0, count))
    return count
  }

  private faulty(rows: ReadonlyArray<Row>, fault: Fault): Effect.Effect<Saved, unknown> {
    if (fault.do === "nothing") return this.commit(rows)
    if (fault.do === "hang") {
      const { commits, millis, stubborn } = fault
      const quietly = Effect.sync(() => this.commitQuietly(rows, commits))
      const hangs =
        millis === undefined ? Effect.never : Effect.zipRight(Effect.sleep(millis), this.commit(rows))
      const call = Effect.zipRight(quietly, hangs)
      return stubborn ? Effect.uninterruptible(call) : call
    }
    return Effect.suspend(() => {
      const count = this.commitQuietly(rows, fault.commits)
      if (fault.do === "die") return Effect.die(new Error("died"))
      const known = fault.commits === "nothing" || fault.told
      return Effect.fail(
        new StorageError({
          kind: fault.kind,
          outcome: known ? "NotStored" : "Unknown",
          message: `${fault.kind} failure`,
          ...(known && count > 0 ? { stored: count } : {})
        })
      )
    })
  }

  private save(rows: ReadonlyArray<Row>): Effect.Effect<Saved, unknown> {
    return this.alone(() => {
      for (const { id } of rows) this.handed.add(id)
      return this.faulty(rows.slice(), this.faults.shift() ?? { do: "nothing" })
    })
  }

  readonly load = (): Effect.Effect<ReadonlyArray<number>, unknown> =>
    this.alone(() => {
      const fault = this.loadFaults.shift() ?? "nothing"
      if (fault === "fail") return Effect.fail(new Error("no answer"))
      if (fault === "die") return Effect.die(new Error("died"))
      return fault === "hang" ? Effect.never : Effect.sync(() => this.held.slice())
    })

  storage(): Storage<Row, void, ReadonlyArray<number>> {
    const { maxBatch, prepares } = this.setting
    return {
      save: (rows) => this.save(rows),
      load: this.load,
      ...(maxBatch === undefined ? {} : { maxBatch }),
      ...(prepares ? { prepare: (rows: ReadonlyArray<Row>) => this.save(rows) } : {})
    }
  }
}

/** A record with what is known of it from outside. */
interface Known {
  readonly row: Row
  readonly durable: boolean
  /** Its call came back at once. When it did not, only the end tells whether it was accepted. */
  atOnce: boolean
  /** What its caller was told; an interrupted one hears nothing. */
  told: "accepted" | "refused" | "nothing" | "stored" | Recorder.NotStored["reason"]
  /** When it was accepted, as far as that is known. */
  readonly at: number
}

type Handle = Recorder.Recorder<Row, void, ReadonlyArray<number>>
type Report = Recorder.Closed<Row, void, ReadonlyArray<number>>

class World {
  readonly time: VirtualTime = virtualTime()
  readonly backend: Backend
  readonly sample: Sample
  readonly known: Array<Known> = []
  readonly sunk: Array<Recorder.SetAside<Row>> = []
  readonly loads: Array<{ readonly at: number; readonly seen: ReadonlyArray<number> }> = []
  readonly waiters: Array<Fiber.RuntimeFiber<unknown, unknown>> = []
  readonly reports: Array<Report> = []
  readonly scope: Scope.CloseableScope
  readonly recorder: Handle
  readonly runtime: Runtime.Runtime<never>
  readonly broken: Array<unknown> = []
  now = 0
  redriven = 0
  closing = false

  constructor(sample: Sample) {
    this.sample = sample
    this.backend = new Backend(sample, () => this.balances())
    this.runtime = Effect.runSync(
      Effect.runtime<never>().pipe(
        Effect.withClock(this.time.clock),
        Effect.provide(Logger.remove(Logger.defaultLogger))
      )
    )
    this.scope = Runtime.runSync(this.runtime)(Scope.make())
    this.recorder = Runtime.runSync(this.runtime)(
      Recorder.makeDelayed(this.acquire(), this.options()).pipe(
        Scope.extend(this.scope),
        withTurn(this.time.turn)
      )
    )
  }

  /** A law that breaks inside a fiber of the recorder would be taken for a failure of its storage. */
  private lawful(law: () => void): void {
    try {
      law()
    } catch (error) {
      this.broken.push(error)
    }
  }

  balances(): void {
    if (this.recorder === undefined) return
    this.lawful(() => {
      const { accepted, dropped, gaps, handedBack, pending, pendingBytes, setAside, stored } =
        this.recorder.unsafeStats()
      ensureSame(accepted, stored + setAside + dropped + handedBack + pending, "the account at every instant")
      for (const count of [accepted, stored, setAside, dropped, handedBack, pending]) {
        ensure(Number.isInteger(count) && count >= 0, "a count is a count")
      }
      const { bytes, count: most, overflow } = this.sample.setting
      ensure(overflow === undefined || pending <= most, "what is pending is within the bound")
      ensure(overflow === undefined || pendingBytes <= (bytes ?? 0), "its bytes are too")
      ensureSame(
        gaps.reduce((sum, gap) => sum + gap.count, 0),
        dropped,
        "the gap notes count every drop"
      )
    })
  }

  private acquire(): Effect.Effect<Storage<Row, void, ReadonlyArray<number>>, unknown> {
    const storage = Effect.sync(() => this.backend.storage())
    let failures = 2
    switch (this.sample.setting.start) {
      case "at once":
        return storage
      case "late":
        return Effect.delay(storage, 300)
      case "after failures":
        return Effect.suspend(() => (failures-- > 0 ? Effect.fail(new Error("not yet")) : storage))
      case "fatal":
        return Effect.fail(
          new StorageError({ kind: "Fatal", outcome: "NotStored", message: "no such table" })
        )
      case "never":
        return Effect.never
    }
  }

  private options(): Recorder.Options<Row> {
    const { linger, maxBatchSize, onFatal, retry, sink } = this.sample.setting
    const take = (entry: Recorder.SetAside<Row>) =>
      Effect.sync(() => {
        this.sunk.push(entry)
        this.balances()
      })
    return {
      maxBatchSize,
      linger,
      bound: boundOf(this.sample.setting),
      onFatal,
      retry: schedules[retry],
      saveTimeout,
      loadTimeout,
      closeDeadline,
      deadLetters:
        sink === "none"
          ? undefined
          : (entry) =>
              sink === "takes" ? take(entry) : sink === "fails" ? Effect.fail("no room") : Effect.never,
      onClosed: (report) => Effect.sync(() => this.reports.push(report as Report))
    }
  }

  /** Starts an effect in this very moment. */
  private start<A, E>(effect: Effect.Effect<A, E>, told: (exit: Exit.Exit<A, E>) => void): void {
    const fiber = Runtime.runFork(this.runtime)(effect)
    this.waiters.push(fiber)
    fiber.addObserver((exit) => {
      this.balances()
      this.lawful(() => told(exit))
    })
  }

  private row(bad: Row["bad"], durable = false): Known {
    const known: Known = {
      row: { id: this.known.length, bad },
      durable,
      atOnce: false,
      told: "nothing",
      at: this.now
    }
    this.known.push(known)
    return known
  }

  private saved(known: ReadonlyArray<Known>, save: Effect.Effect<boolean>): void {
    let atOnce = true
    this.start(save, (exit) => {
      ensure(Exit.isSuccess(exit) || Exit.isInterrupted(exit), "a save does not fail")
      for (const one of known) {
        one.atOnce = atOnce
        if (Exit.isSuccess(exit)) one.told = exit.value ? "accepted" : "refused"
      }
    })
    atOnce = false
  }

  private savedDurably(known: Known): void {
    const before = this.recorder.unsafeStats()
    this.start(this.recorder.saveDurable(known.row), (exit) => {
      if (Exit.isSuccess(exit)) {
        known.told = "stored"
        ensure(this.backend.held.includes(known.row.id), "a durable save is held when it is told")
      } else {
        const failure = Cause.failureOrCause(exit.cause)
        if (Either.isLeft(failure)) known.told = failure.left.reason
        else ensure(Exit.isInterrupted(exit), "a durable save fails only with NotStored")
      }
    })
    const after = this.recorder.unsafeStats()
    known.atOnce = after.accepted > before.accepted || after.refused > before.refused
  }

  async play(action: Action): Promise<void> {
    this.now++
    switch (action.do) {
      case "save": {
        const known = this.row(action.bad, action.how === "saveDurable")
        if (action.how === "saveDurable") this.savedDurably(known)
        else if (action.how === "save") this.saved([known], this.recorder.save(known.row))
        else {
          known.told = this.recorder.unsafeSave(known.row) ? "accepted" : "refused"
          known.atOnce = true
          ensure(!this.closing || known.told === "refused", "a closing recorder takes nothing more")
        }
        break
      }
      case "saveAll": {
        const known = action.bad.map((bad) => this.row(bad))
        this.saved(known, this.recorder.saveAll(known.map(({ row }) => row)))
        break
      }
      case "load": {
        const at = this.now
        this.start(this.recorder.load(), (exit) => {
          if (Exit.isSuccess(exit)) this.loads.push({ at, seen: exit.value })
        })
        break
      }
      case "flush": {
        const { accepted } = this.recorder.unsafeStats()
        this.start(this.recorder.flush, (exit) => {
          if (!Exit.isSuccess(exit) || this.closing || this.redriven > 0) return
          const stats = this.recorder.unsafeStats()
          ensure(stats.accepted - stats.pending >= accepted, "a flush covers what was accepted before it")
        })
        break
      }
      case "redrive":
        this.redriven += Runtime.runSync(this.runtime)(this.recorder.redrive)
        break
      case "mend":
        this.backend.mended = true
        break
      case "interrupt": {
        const open = this.waiters.filter((fiber) => fiber.unsafePoll() === null)
        const fiber = open[action.which % Math.max(1, open.length)]
        if (fiber !== undefined) fiber.unsafeInterruptAsFork(fiber.id())
        break
      }
      case "settle":
        await this.time.settle()
        break
      case "advance":
        await this.time.advance(action.millis)
        break
      case "close":
        this.close(this.recorder.close)
        break
      case "closeWithin":
        this.close(this.recorder.closeWithin(action.millis))
        break
    }
    this.balances()
  }

  private close(close: Effect.Effect<Report>): void {
    this.closing = true
    this.start(close, (exit) => {
      if (Exit.isSuccess(exit)) this.reports.push(exit.value)
      this.backend.abandoned = true
    })
  }

  /** Closes it in the chosen way, or by a deadline when a storage never lets it. */
  async end(): Promise<Report> {
    const { end } = this.sample.setting
    const isOver = () => this.recorder.unsafeStats().pending === 0 && this.reports.length > 0
    if (end === "close") {
      this.close(this.recorder.close)
      await this.time.advance(60_000)
    } else if (end === "scope") {
      this.closing = true
      this.start(Scope.close(this.scope, Exit.void), () => undefined)
      await this.time.advance(closeDeadline + 100)
      ensure(isOver(), "the scope ends within its deadline")
    }
    if (!isOver() || end === "closeWithin") {
      this.close(this.recorder.closeWithin(1000))
      await this.time.advance(1100)
      ensure(isOver(), "closeWithin returns within its time and 100 ms")
    }
    const [report] = this.reports
    if (report === undefined) throw new Error("there is no report")
    for (const other of this.reports) ensure(other === report, "all closers share one report")
    return report
  }

  /** The laws that hold of a closed recorder. */
  async checkEnd(): Promise<void> {
    const report = await this.end()
    // A storage that was left behind may still answer: that changes nothing any more.
    await this.time.advance(5000)
    for (const fiber of this.waiters) ensure(fiber.unsafePoll() !== null, "every waiter is answered")
    ensure(!this.recorder.unsafeSave({ id: -1, bad: "no" }), "a closed recorder refuses")
    const stats = this.recorder.unsafeStats()
    const { held, handed, overlaps } = this.backend
    ensureSame(overlaps, 0, "calls of the storage never overlap")
    ensureSame(stats.pending, 0, "nothing is pending after the close")
    for (const key of ["accepted", "stored", "setAside", "dropped", "handedBack", "duplicates"] as const) {
      ensureSame(report.stats[key], stats[key], `the report tells of ${key}`)
    }

    const setAside = [...report.setAside, ...this.sunk]
    const outcomes = new Map<number, "NotStored" | "Unknown">()
    const gone = (row: Row, outcome: "NotStored" | "Unknown") => {
      ensure(!outcomes.has(row.id), `record ${row.id} has one outcome`)
      outcomes.set(row.id, outcome)
    }
    for (const { outcome, record } of setAside) gone(record, outcome)
    for (const { outcome, record } of report.unsaved) gone(record, outcome)
    ensureSame(setAside.length, stats.setAside, "each record set aside is named")
    ensureSame(report.unsaved.length, stats.handedBack, "each record handed back is named")
    for (const { outcome, reason } of report.unsaved) {
      ensure(
        reason !== "Deadline" || this.sample.setting.end !== "close" || outcome !== undefined,
        "a reason"
      )
    }

    const drops = this.sample.setting.overflow?.startsWith("drop") ?? false
    const isAccepted = ({ atOnce, row, told }: Known): boolean => {
      if (told === "refused" || told === "Refused") return false
      // Who heard nothing and was not served at once waited for room: nothing is dropped then, so it left a trace.
      return atOnce || drops || handed.has(row.id) || outcomes.has(row.id)
    }
    const accepted = this.known.filter(isAccepted)
    ensureSame(accepted.length, stats.accepted, "accepted is what the callers were told")
    ensureSame(this.known.length - accepted.length + 1, stats.refused, "all others were refused")
    const refused = this.known.filter((known) => !accepted.includes(known))
    for (const { row } of refused) {
      ensure(!handed.has(row.id) && !outcomes.has(row.id), `record ${row.id}, refused, is nowhere`)
    }

    const rest = accepted.filter(({ row }) => !outcomes.has(row.id)).map(({ row }) => row.id)
    const stored = new Set(rest.filter((id) => held.includes(id)))
    const dropped = rest.filter((id) => !stored.has(id))
    ensureSame(stored.size, stats.stored, "the backend holds every stored record")
    ensureSame(dropped.length, stats.dropped, "what is nowhere was dropped")
    for (const id of dropped)
      ensure(!handed.has(id), `record ${id}, dropped, was never handed to the storage`)
    ensureSame(new Set(held).size, held.length, "the backend holds each record once")
    for (const id of held) {
      ensure(
        stored.has(id) || outcomes.get(id) === "Unknown",
        `record ${id}, held, is stored or of unknown outcome`
      )
    }

    for (const { durable, row, told } of accepted) {
      if (!durable || told === "nothing") continue
      const outcome = outcomes.get(row.id)
      const aside = setAside.some(({ record }) => record === row)
      const holds =
        told === "stored"
          ? stored.has(row.id)
          : told === "Dropped"
            ? dropped.includes(row.id)
            : told === "SetAside"
              ? aside || this.redriven > 0
              : outcome === (told === "OutcomeUnknown" ? "Unknown" : "NotStored") && !aside
      ensure(holds, `the receipt of record ${row.id} (${told}) says what became of it`)
    }
    this.checkLoads(stored)
    this.checkOrder()
    for (const error of this.broken) throw error
  }

  private checkLoads(stored: ReadonlySet<number>): void {
    for (const { at, seen } of this.loads) {
      const present = new Set(seen)
      for (const known of this.known) {
        if (!known.atOnce) continue
        const { at: offered, row } = known
        if (offered > at) ensure(!present.has(row.id), `a load does not see record ${row.id}, saved after it`)
        else if (stored.has(row.id) && this.redriven === 0) {
          ensure(present.has(row.id), `a load sees record ${row.id}, saved before it`)
        }
      }
    }
  }

  /** Where nothing was compared or redriven, the backend holds the records in the order of their saves. */
  private checkOrder(): void {
    const unknown = (fault: Fault) => fault.do === "die" || (fault.do === "fail" && fault.kind === "Unknown")
    const compared = this.sample.faults.some(unknown) || this.known.some(({ row }) => row.bad === "unknown")
    if (compared || this.redriven > 0 || this.sample.setting.overflow === "suspend") return
    const { held } = this.backend
    ensure(
      held.every((id, i) => i === 0 || (held[i - 1] as number) < id),
      "records are stored in the order of their saves"
    )
  }
}

const commits = fc.constantFrom<Commits>("nothing", "some", "all")
const kind = fc.constantFrom<FailureKind>("Transient", "Transient", "Transient", "Poison", "Unknown", "Fatal")

const fault: fc.Arbitrary<Fault> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Fault>({ do: "nothing" }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("fail" as const), commits, kind, told: fc.boolean() })
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("die" as const), commits }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("hang" as const),
      commits,
      millis: fc.option(fc.integer({ min: 1, max: 2500 }), { nil: undefined }),
      stubborn: fc.boolean()
    })
  }
)

const bad = fc.oneof(
  { weight: 12, arbitrary: fc.constant<Row["bad"]>("no") },
  { weight: 2, arbitrary: fc.constant<Row["bad"]>("poison") },
  { weight: 1, arbitrary: fc.constant<Row["bad"]>("unknown") }
)

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 12,
    arbitrary: fc.record({
      do: fc.constant("save" as const),
      how: fc.constantFrom("unsafeSave" as const, "save" as const, "saveDurable" as const),
      bad
    })
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("saveAll" as const), bad: fc.array(bad, { maxLength: 6 }) })
  },
  { weight: 4, arbitrary: fc.constantFrom<Action>({ do: "load" }, { do: "flush" }) },
  { weight: 4, arbitrary: fc.constant<Action>({ do: "settle" }) },
  { weight: 2, arbitrary: fc.constantFrom<Action>({ do: "redrive" }, { do: "redrive" }, { do: "mend" }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("interrupt" as const), which: fc.nat({ max: 20 }) }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant("advance" as const), millis: fc.integer({ min: 0, max: 700 }) })
  }
)

const ending: fc.Arbitrary<ReadonlyArray<Action>> = fc.oneof(
  { weight: 3, arbitrary: fc.constant<ReadonlyArray<Action>>([]) },
  { weight: 1, arbitrary: fc.constant<ReadonlyArray<Action>>([{ do: "close" }]) },
  {
    weight: 1,
    arbitrary: fc
      .record({ do: fc.constant("closeWithin" as const), millis: fc.nat({ max: 900 }) })
      .map((end) => [end])
  }
)

const setting: fc.Arbitrary<Setting> = fc.record({
  maxBatchSize: fc.integer({ min: 1, max: 8 }),
  maxBatch: fc.option(fc.integer({ min: 1, max: 8 }), { nil: undefined }),
  linger: fc.constantFrom(0, 0, 0, 40),
  overflow: fc.constantFrom(undefined, "reject", "suspend", "drop-newest", "drop-oldest"),
  count: fc.integer({ min: 1, max: 12 }),
  bytes: fc.option(fc.integer({ min: 3, max: 20 }), { nil: undefined }),
  onFatal: fc.constantFrom("stop", "set-aside"),
  sink: fc.constantFrom(
    "none" as const,
    "none" as const,
    "takes" as const,
    "fails" as const,
    "hangs" as const
  ),
  retry: fc.constantFrom("spaced", "exponential", "twice", "never"),
  prepares: fc.boolean(),
  partial: fc.boolean(),
  names: fc.boolean(),
  start: fc.oneof(
    { weight: 8, arbitrary: fc.constant("at once" as const) },
    { weight: 3, arbitrary: fc.constantFrom("late" as const, "after failures" as const) },
    { weight: 1, arbitrary: fc.constantFrom("fatal" as const, "never" as const) }
  ),
  end: fc.constantFrom("close" as const, "closeWithin" as const, "scope" as const)
})

const samples: fc.Arbitrary<Sample> = fc.record({
  setting,
  faults: fc.array(fault, { maxLength: 14, size: "max" }),
  loadFaults: fc.array(fc.constantFrom<LoadFault>("nothing", "nothing", "fail", "die", "hang"), {
    maxLength: 6
  }),
  actions: fc
    .tuple(
      fc.array(action, { minLength: 5, maxLength: 45, size: "max" }),
      ending,
      fc.array(action, { maxLength: 8, size: "max" })
    )
    .map(([before, end, after]) => [...before, ...end, ...(end.length === 0 ? [] : after)])
})

const holdsFor = async (sample: Sample): Promise<void> => {
  const world = new World(sample)
  for (const action of sample.actions) await world.play(action)
  await world.checkEnd()
  Runtime.runFork(world.runtime)(Scope.close(world.scope, Exit.void))
  await world.time.settle()
}

describe("the account", () => {
  it(
    "holds under any schedule of calls, faults, interruptions and ends",
    () => fc.assert(fc.asyncProperty(samples, holdsFor), { numRuns: runs(1000) }),
    lawTimeout
  )
})
