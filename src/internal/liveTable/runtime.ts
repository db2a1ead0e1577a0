/** A running live table: its parts, how they begin, and how they end. */
import {
  Cause,
  type Clock,
  Deferred,
  Effect,
  ExecutionStrategy,
  Exit,
  MetricLabel,
  Option,
  PubSub,
  Scope
} from "effect"
import * as Actor from "../../Actor.js"
import { prefix } from "../../ChangeLog.js"
import { defaultRetry } from "../../Recorder.js"
import { StorageError } from "../../Storage.js"
import type { Table, TableChange } from "../../Table.js"
import type { Watch } from "../../Watch.js"
import { acquireWith } from "../acquire.js"
import * as Cells from "../cache/cells.js"
import type { AnyDefinition, Write } from "../columns/writes.js"
import { keyPrefix } from "../log/tableChange.js"
import { InvalidOptions } from "../options.js"
import { makeRandom, randomName } from "../random.js"
import type { Reads } from "./calls.js"
import * as Changes from "./changes.js"
import { type CloseReport, reportUnsaved } from "./closeReport.js"
import { type Key, queryMark } from "./coherence.js"
import * as Core from "./core.js"
import { ReadFailed, WriteFailed } from "./errors.js"
import { makeApplier, makeOwnCalls, type OwnCalls } from "./events.js"
import * as Follows from "./following.js"
import * as Meter from "./meter.js"
import type { Settings } from "./options.js"
import type { Outcome } from "./outcomes.js"
import { comparisonsOf } from "./samples.js"
import { tracedBy } from "./spans.js"
import { type Counters, makeCounters, publisher } from "./stats.js"
import type { KnownChanges } from "./tierEntry.js"
import * as Writing from "./writing.js"

/** What a write that was not waited for has failed with. */
export interface Failed<D extends AnyDefinition> {
  readonly write: Write<D>
  readonly error: Exclude<Outcome<D>, { readonly _tag: "Written" }>
}

type LiveActor<D extends AnyDefinition> = Actor.Actor<Core.Core<D>, Writing.Job<D>, CloseReport<D>>

/** What comes and goes in the life of a live table. Only this file writes it. */
interface Life<D extends AnyDefinition> {
  /** While the master is up, and until the live table ends. */
  reads: Reads<D> | undefined
  /** The changes that are followed, once the master is up. */
  changes: Changes.Changes | undefined
  /** Why it has ended. */
  end: ReadFailed | undefined
}

export interface Runtime<D extends AnyDefinition> {
  readonly settings: Settings<D>
  readonly clock: Clock.Clock
  readonly counters: Counters
  readonly publish: () => void
  readonly actor: LiveActor<D>
  readonly writing: Writing.Writing<D>
  readonly follows: Follows.Follows
  readonly failures: PubSub.PubSub<Failed<D>>
  readonly life: Readonly<Life<D>>
  /** Completes when the master is up. */
  readonly up: Deferred.Deferred<Reads<D>, ReadFailed>
  /** Fails when the live table has ended. */
  readonly ended: Deferred.Deferred<never, ReadFailed>
  readonly close: Effect.Effect<CloseReport<D>>
  readonly closeWithin: LiveActor<D>["closeWithin"]
}

const closedError = new ReadFailed({
  reason: "Closed",
  message: "the live table is closed: make another one"
})

const masterFailed = (cause: unknown): ReadFailed =>
  new ReadFailed({
    reason: "Failed",
    message: "the master never came up: look at the cause, and make another live table",
    cause
  })

/** Ends reads and follows. */
const endReads = <D extends AnyDefinition>(
  life: Life<D>,
  { ended, up }: Pick<Runtime<D>, "ended" | "up">,
  error: ReadFailed
): void => {
  if (life.end !== undefined) return
  life.end = error
  life.reads = undefined
  const failed = Exit.fail(error)
  Deferred.unsafeDone(up, failed)
  Deferred.unsafeDone(ended, failed)
}

/** What a failed acquisition is taken for. */
const classify = (cause: Cause.Cause<unknown>): StorageError => {
  const error = Cause.squash(cause)
  if (error instanceof StorageError) return error
  const kind = error instanceof InvalidOptions ? "Fatal" : "Unknown"
  const message = error instanceof Error ? error.message : String(error)
  return new StorageError({ kind, outcome: "NotStored", message, cause: error })
}

/** The failure of a write that was not sent, because of how the live table has ended. */
export const writeEnd = ({ cause, message, reason }: ReadFailed): WriteFailed =>
  new WriteFailed({
    reason: reason === "Failed" ? "Failed" : "Closed",
    outcome: "NotStored",
    message: reason === "Failed" ? message : "the live table was closed before the write was sent",
    ...(cause === undefined ? {} : { cause })
  })

/** Why writes are not accepted any more. */
export const stoppedWrite = <D extends AnyDefinition>({ life }: Pick<Runtime<D>, "life">): WriteFailed =>
  writeEnd(life.end ?? closedError)

/** The last failures of writes that were not waited for are kept for readers that come later. */
const keptFailures = 256

const isQueryKey = (key: Key): boolean => typeof key === "string" && key.startsWith(queryMark)

const wakesOf = (follows: Follows.Follows): Core.Surroundings<AnyDefinition>["wakes"] => ({
  wake: (key) => Follows.wake(follows, key),
  wakeQueries: () => Follows.wakeAll(follows, isQueryKey),
  wakeAll: () => Follows.wakeAll(follows)
})

/** The parts that do not need the master. */
const partsOf = <D extends AnyDefinition>(settings: Settings<D>) =>
  Effect.gen(function* () {
    const clock = yield* Effect.clock
    const random = yield* makeRandom
    const counters = makeCounters()
    const follows = Follows.make(clock, settings.minInterval, settings.refresh)
    const publish = publisher(counters, [MetricLabel.make("liveTable", settings.name)])
    const traced = tracedBy(yield* Effect.tracer, settings.name)
    const surroundings: Core.Surroundings<D> = {
      settings,
      clock,
      counters,
      random,
      life: randomName(random),
      traced,
      wakes: wakesOf(follows),
      publish
    }
    const meter = Meter.make(settings.sample, random, clock)
    const up = yield* Deferred.make<Reads<D>, ReadFailed>()
    const ended = yield* Deferred.make<never, ReadFailed>()
    const failures = yield* PubSub.sliding<Failed<D>>({ capacity: keptFailures, replay: keptFailures })
    const life: Life<D> = { reads: undefined, changes: undefined, end: undefined }
    return { surroundings, follows, meter, up, ended, failures, life }
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
  { c, beliefs, master }: Core.Core<D>,
  own: OwnCalls,
  history: number
): Effect.Effect<Changes.Changes, never, Scope.Scope> => {
  const { definition } = master
  const all = keyPrefix(definition.name)
  // What is loaded before the log is reached may miss changes.
  Cells.distrust(c.cells)
  return Changes.follow<TableChange>({
    watch,
    selector: prefix(all),
    history,
    apply: makeApplier(c, own, beliefs, definition).apply,
    onGap: () => {
      Cells.suspectAll(c.cells)
      c.effects.wakeAll()
    },
    // Revisions of another epoch are compared with none.
    onReset: () => undefined,
    onTrust: (isTrusted) => (isTrusted ? Cells.trust(c.cells) : Cells.distrust(c.cells)),
    concernsAll: ({ key }) => key === all
  })
}

/** What is known of the changes; nothing before they are followed. */
const knownOf = (life: { readonly changes: Changes.Changes | undefined }): KnownChanges => ({
  isTrusted: () => life.changes?.isTrusted() ?? false,
  position: () => life.changes?.position(),
  knownFrom: () => life.changes?.knownFrom() ?? Number.POSITIVE_INFINITY,
  lastChangeOf: (key) => life.changes?.lastChangeOf(key)
})

/** Begins what needs the master, once it is up. */
const begin = <D extends AnyDefinition>(
  parts: Parts<D>,
  master: Table<D>,
  own: OwnCalls,
  actor: LiveActor<D>,
  inner: Scope.Scope
): Effect.Effect<Core.Core<D>, InvalidOptions> =>
  Effect.gen(function* () {
    const { life, meter, surroundings, up } = parts
    const { counters, publish, settings } = surroundings
    const { changes: watch, history } = settings
    const core = yield* Core.make(surroundings, master, watch === undefined ? undefined : knownOf(life))
    const changes = watch === undefined ? undefined : yield* followChanges(watch, core, own, history)
    life.changes = changes
    yield* Meter.run(meter, counters, comparisonsOf(core), publish)
    const reads = readsOf(parts, core, changes, actor, inner)
    if (life.end === undefined) {
      life.reads = reads
      Deferred.unsafeDone(up, Exit.succeed(reads))
    }
    return core
  }).pipe(Scope.extend(inner))

const reportOf = <D extends AnyDefinition>(
  { surroundings: { counters, publish, settings } }: Parts<D>,
  writing: Writing.Writing<D>,
  { cause, resource }: Actor.Leftover<Core.Core<D>, Writing.Job<D>>
): CloseReport<D> => {
  const error = Option.isSome(cause) ? masterFailed(Cause.squash(cause.value)) : closedError
  Writing.giveBack(writing, writeEnd(error))
  publish()
  return {
    master: Option.map(resource, ({ master }) => master),
    target: Option.fromNullable(settings.target),
    tier: Option.fromNullable(settings.tier),
    masterBusy: writing.state.running > 0,
    unsaved: [...writing.state.unsaved],
    stats: { ...counters }
  }
}

/** Starts a live table in front of a master that comes later. */
export const start = <D extends AnyDefinition, E, R>(
  acquire: Effect.Effect<Table<D>, E, R>,
  settings: Settings<D>
): Effect.Effect<Runtime<D>, InvalidOptions, Exclude<R, Scope.Scope> | Scope.Scope> =>
  Effect.gen(function* () {
    const parts = yield* partsOf(settings)
    const { ended, failures, follows, life, surroundings, up } = parts
    const { clock, counters, publish, traced } = surroundings
    // Forked before the actor is made: it ends after the actor.
    const inner = yield* Scope.fork(yield* Effect.scope, ExecutionStrategy.sequential)
    const writing: Writing.Writing<D> = {
      clock,
      counters,
      writeTimeout: settings.writeTimeout,
      own: makeOwnCalls(surroundings.life),
      state: Writing.makeState(),
      traced,
      onSettled: publish
    }
    const actor: LiveActor<D> = yield* Actor.make((control: Actor.Control<Writing.Job<D>>) => ({
      name: settings.name,
      bound: Writing.bound,
      acquire: acquireWith(acquire, {
        schedule: defaultRetry,
        classify,
        isFatal: (failure) => failure.kind === "Fatal",
        onFailure: (cause, attempt) => control.setOutage({ cause, attempt })
      }).pipe(
        Effect.tap(() => Effect.sync(() => control.setOutage(undefined))),
        Effect.flatMap((master) => begin(parts, master, writing.own, actor, inner))
      ),
      onBatch: (core: Core.Core<D>, batch: Actor.Batch<Writing.Job<D>>) =>
        Writing.handleBatch(writing, core, batch.items),
      onFailed: (cause: Cause.Cause<unknown>) => {
        const error = masterFailed(Cause.squash(cause))
        endReads(life, { up, ended }, error)
        Writing.giveBack(writing, writeEnd(error))
      },
      closeDeadline: settings.closeDeadline,
      report: (leftover: Actor.Leftover<Core.Core<D>, Writing.Job<D>>) => reportOf(parts, writing, leftover),
      onScopeClosed: (report: CloseReport<D>) => reportUnsaved(settings.name, report, settings.onClosed)
    }))
    const ending = Effect.sync(() => endReads(life, { up, ended }, closedError))
    const closed = (report: Effect.Effect<CloseReport<D>>) =>
      Effect.andThen(
        ending,
        Effect.tap(report, () => Scope.close(inner, Exit.void))
      )
    yield* Effect.addFinalizer(() => ending)
    return {
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
      close: closed(actor.close),
      closeWithin: (duration) => closed(actor.closeWithin(duration))
    }
  })
