/** How a live table begins: its parts, its actor, and what needs the master. */
import { Cause, Deferred, Effect, ExecutionStrategy, Exit, Option, PubSub, Scope } from "effect"
import * as Actor from "../../Actor.js"
import { prefix } from "../../ChangeLog.js"
import { defaultRetry } from "../../Recorder.js"
import type { Table, TableChange } from "../../Table.js"
import type { Watch } from "../../Watch.js"
import { acquireWith } from "../acquire.js"
import * as Cells from "../cache/cells.js"
import { classify } from "../catalog/acquired.js"
import type { AnyDefinition } from "../columns/writes.js"
import * as Timers from "../lease/timers.js"
import { keyPrefix } from "../log/tableChange.js"
import type { InvalidOptions } from "../options.js"
import { makeRandom, randomName } from "../random.js"
import * as Series from "../series.js"
import { monotonicMillis } from "../time.js"
import { CurrentTurn } from "../turn.js"
import * as Changes from "./changes.js"
import { type CloseReport, reportUnsaved } from "./closeReport.js"
import { endAll, isReading } from "./closing.js"
import { changesMissed, forgetAcknowledged, nextSettling, settleTime } from "./coherence.js"
import * as Core from "./core.js"
import * as Deadlines from "./deadlines.js"
import type { ReadFailed } from "./errors.js"
import { makeApplier, makeOwnCalls, type OwnCalls } from "./events.js"
import * as Follows from "./following.js"
import * as Meter from "./meter.js"
import { checkMaster, checkTarget, type Settings } from "./options.js"
import * as OtherReads from "./otherReads.js"
import {
  beginReads,
  closedError,
  endReads,
  type Failed,
  type LiveActor,
  makeLife,
  masterFailed,
  type Runtime,
  setChanges,
  writeEnd
} from "./runtime.js"
import { comparisonsOf } from "./samples.js"
import type { Reads } from "./slots.js"
import { tracedBy } from "./spans.js"
import { makeCounters, publisher } from "./stats.js"
import type { KnownChanges } from "./tierEntry.js"
import * as Writing from "./writing.js"

/** The last failures of writes that were not waited for are kept for readers that come later. */
const keptFailures = 256

const wakesOf = (
  follows: Follows.Follows,
  deadlines: Deadlines.Deadlines
): Core.Surroundings<AnyDefinition>["wakes"] => ({
  settleAt: (time) => Deadlines.note(deadlines, time),
  wake: (key) => Follows.wake(follows, key),
  wakeQueries: () => Follows.wakeQueries(follows),
  wakeAll: () => Follows.wakeAll(follows)
})

/** The parts that do not need the master. */
const partsOf = <D extends AnyDefinition>(settings: Settings<D>) =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const random = yield* makeRandom
    const counters = makeCounters()
    const { minInterval, refresh } = settings
    const follows = Follows.make(clock, yield* CurrentTurn, yield* Timers.make, minInterval, refresh)
    const deadlines = Deadlines.make(clock)
    const series = yield* Series.open("liveTable", settings.name)
    const publish = publisher(counters, series)
    const traced = tracedBy(yield* Effect.tracer, settings.name)
    const life = randomName(random)
    const own = makeOwnCalls(life)
    const writes = Writing.makeState<D>()
    const surroundings: Core.Surroundings<D> = {
      settings,
      clock,
      counters,
      random,
      life,
      traced,
      isWriting: () => Writing.isWriting({ own, state: writes }),
      wakes: wakesOf(follows, deadlines),
      publish
    }
    const meter = Meter.make(settings.sample, random, clock)
    const up = yield* Deferred.make<Reads<D>, ReadFailed>()
    const ended = yield* Deferred.make<never, ReadFailed>()
    const otherReads = OtherReads.make(ended)
    // The end of the failures is one more.
    const capacity = keptFailures + 1
    const failures = yield* PubSub.sliding<Failed<D> | undefined>({ capacity, replay: capacity })
    return {
      surroundings,
      own,
      writes,
      follows,
      deadlines,
      meter,
      up,
      ended,
      otherReads,
      failures,
      life: makeLife<D>(),
      series
    }
  })

type Parts<D extends AnyDefinition> = Effect.Effect.Success<ReturnType<typeof partsOf<D>>>

const readsOf = <D extends AnyDefinition>(
  { meter, surroundings }: Parts<D>,
  core: Core.Core<D>,
  changes: Changes.Changes | undefined,
  actor: LiveActor<D>,
  inner: Scope.Scope
): Reads<D> => {
  const { clock, counters, settings } = surroundings
  return {
    core,
    reading: {
      cells: core.c.cells,
      clock,
      counters,
      softTimeout: settings.softTimeout,
      graceBackoff: settings.graceBackoff,
      backoff: new Map(),
      onHit: (key) => Meter.onHit(meter, key)
    },
    flushed: Effect.mapError(actor.flush, () => closedError),
    // Without a log only the master can show a revision.
    reached: (revision, wait) =>
      changes === undefined
        ? Effect.succeed(false)
        : Effect.map(changes.awaitRevision(revision, wait), (reached) => reached === "Reached"),
    fork: (effect) => Effect.asVoid(Effect.forkIn(Effect.exit(effect), inner))
  }
}

/** Follows the log of the table, and applies its changes to the memory. */
const followChanges = <D extends AnyDefinition>(
  watch: Watch<TableChange>,
  { c, beliefs, loading, master }: Core.Core<D>,
  own: OwnCalls,
  history: number,
  lateNow: (() => number) | undefined
): Effect.Effect<Changes.Changes, never, Scope.Scope> => {
  const { definition } = master
  const all = keyPrefix(definition.name)
  // What is loaded before the log is reached may miss changes.
  Cells.distrust(c.cells)
  return Changes.follow<TableChange>({
    watch,
    selector: prefix(all),
    history,
    apply: makeApplier(c, own, beliefs, definition, lateNow).apply,
    onGap: () => changesMissed(c, monotonicMillis(loading.clock)),
    // Revisions of another epoch are compared with none.
    onReset: () => undefined,
    onTrust: (isTrusted) => (isTrusted ? Cells.trust(c.cells) : Cells.distrust(c.cells)),
    concernsAll: ({ key }) => key === all,
    traced: loading.traced
  })
}

/** What is known of the changes; nothing before they are followed. */
const knownOf = (life: { readonly changes: Changes.Changes | undefined }): KnownChanges => ({
  isTrusted: () => life.changes?.isTrusted() ?? false,
  position: () => life.changes?.position(),
  knownFrom: () => life.changes?.knownFrom() ?? Number.POSITIVE_INFINITY,
  lastChangeOf: (key) => life.changes?.lastChangeOf(key),
  currentAt: () => life.changes?.currentAt() ?? Number.NEGATIVE_INFINITY
})

/** Begins what needs the master, once it is up. */
const begin = <D extends AnyDefinition>(
  parts: Parts<D>,
  master: Table<D>,
  actor: LiveActor<D>,
  inner: Scope.Scope
): Effect.Effect<Core.Core<D>, InvalidOptions> =>
  Effect.gen(function* () {
    const { deadlines, life, meter, otherReads, own, surroundings, up } = parts
    const { clock, counters, publish, settings } = surroundings
    const { changes: watch, history, target } = settings
    const lateNow = target === undefined ? undefined : () => monotonicMillis(clock)
    yield* checkTarget(master, target)
    const core = yield* Core.make(surroundings, master, watch === undefined ? undefined : knownOf(life))
    const changes = watch === undefined ? undefined : yield* followChanges(watch, core, own, history, lateNow)
    setChanges(life, changes)
    yield* Meter.run(meter, counters, comparisonsOf(core, otherReads), publish)
    yield* Deadlines.run(deadlines, (now) => {
      settleTime(core.c, now)
      forgetAcknowledged(core.c)
      return nextSettling(core.c)
    })
    beginReads(life, up, readsOf(parts, core, changes, actor, inner))
    return core
  }).pipe(Scope.extend(inner))

const reportOf = <D extends AnyDefinition>(
  { failures, otherReads, series, surroundings: { counters, publish, settings } }: Parts<D>,
  writing: Writing.Writing<D>,
  { cause, resource }: Actor.Leftover<Core.Core<D>, Writing.Job<D>>
): CloseReport<D> => {
  const error = Option.isSome(cause) ? masterFailed(Cause.squash(cause.value)) : closedError
  Writing.giveBack(writing, writeEnd(error))
  failures.unsafeOffer(undefined)
  publish()
  series.end()
  return {
    master: Option.map(resource, ({ master }) => master),
    target: Option.fromNullable(settings.target),
    tier: Option.fromNullable(settings.tier),
    masterBusy: writing.state.running > 0 || Option.exists(resource, (core) => isReading(core, otherReads)),
    unsaved: [...writing.state.unsaved],
    stats: { ...counters }
  }
}

const writingOf = <D extends AnyDefinition>({ own, surroundings, writes }: Parts<D>): Writing.Writing<D> => {
  const { clock, counters, publish, settings, traced } = surroundings
  const { writeTimeout } = settings
  return { clock, counters, writeTimeout, own, state: writes, traced, onSettled: publish }
}

/** What the actor of the writes does. `actorOf` returns the actor, once it runs. */
const behaviorOf =
  <D extends AnyDefinition, E, R>(
    parts: Parts<D>,
    writing: Writing.Writing<D>,
    acquire: Effect.Effect<Table<D>, E, R>,
    inner: Scope.CloseableScope,
    actorOf: () => LiveActor<D>
  ) =>
  (
    control: Actor.Control<Writing.Job<D>>
  ): Actor.Options<Core.Core<D>, Writing.Job<D>, CloseReport<D>, R | Scope.Scope> => {
    const { life, surroundings } = parts
    const { settings } = surroundings
    return {
      name: settings.name,
      bound: Writing.bound,
      acquire: acquireWith(acquire, {
        schedule: defaultRetry,
        classify,
        isFatal: (failure) => failure.kind === "Fatal",
        onFailure: (cause, attempt) => control.setOutage({ cause, attempt })
      }).pipe(
        Effect.tap(checkMaster),
        Effect.tap(() => Effect.sync(() => control.setOutage(undefined))),
        Effect.flatMap((master) => begin(parts, master, actorOf(), inner))
      ),
      // Callers wait for their write, and readers for the end of all of them.
      linger: 0,
      onBatch: (core, batch) => Writing.handleBatch(writing, core, batch.items),
      onFailed: (cause) => {
        const error = masterFailed(Cause.squash(cause))
        endReads(life, parts, error)
        Writing.giveBack(writing, writeEnd(error))
      },
      closeDeadline: settings.closeDeadline,
      report: (leftover) => reportOf(parts, writing, leftover),
      onScopeClosed: (report) =>
        Effect.andThen(Scope.close(inner, Exit.void), reportUnsaved(settings.name, report, settings.onClosed))
    }
  }

/** Starts a live table in front of a master that comes later. */
export const start = <D extends AnyDefinition, E, R>(
  acquire: Effect.Effect<Table<D>, E, R>,
  settings: Settings<D>
): Effect.Effect<Runtime<D>, InvalidOptions, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.gen(function* () {
    const parts = yield* partsOf(settings)
    const { ended, failures, follows, life, otherReads, surroundings, up } = parts
    const { clock, counters, publish } = surroundings
    // Forked before the actor is made: it ends after the actor, and before the report is given to `onClosed`.
    const inner = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    const writing = writingOf(parts)
    const actor: LiveActor<D> = yield* Actor.make(behaviorOf(parts, writing, acquire, inner, () => actor))
    const ending = endAll(life, parts, actor, settings.closeDeadline)
    const closed = (report: Effect.Effect<CloseReport<D>>) =>
      Effect.andThen(
        ending,
        Effect.tap(report, () => Scope.close(inner, Exit.void))
      )
    yield* Effect.addFinalizer(() => ending)
    const own = {
      settings,
      clock,
      counters,
      publish,
      actor,
      writing,
      follows,
      failures,
      life,
      up,
      ended,
      otherReads
    }
    const closeWithin: Runtime<D>["closeWithin"] = (duration) => closed(actor.closeWithin(duration))
    return { ...own, close: closed(actor.close), closeWithin }
  })
