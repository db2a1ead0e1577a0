/** The decorator that plays a script of faults over a table, and keeps what happened. */

import { Data, Deferred, Effect, Exit, FiberId, Option } from "effect"
import { check, handle } from "../../../internal/arguments.js"
import type { InvalidOptions } from "../../../internal/options.js"
import type { Made } from "../../../internal/remedy.js"
import {
  type AnyDefinition,
  type CheckedQuery,
  type Id,
  make as makeTable,
  type Query,
  type Read,
  type Source,
  type Table,
  type Write,
  type WriteResult
} from "../../../Table.js"
import { type Call, type Mutable, playing, recorded, withInterruption } from "./calls.js"
import {
  type Interruption,
  match,
  type Running,
  type Script,
  type Scripts,
  Fault as StorageFault,
  type Fault as StorageFaults,
  startScript
} from "./script.js"

/**
 * One thing that goes wrong with a call of a table: what may go wrong with one of a storage, and:
 *
 * - `Hold`: the call waits for `until`, before it does anything or with its answer.
 * - `Answer`: the call is done, and its answer is what `change` makes of it: `{ value, revision }` of a read, the array
 *   of outcomes of writes. A source that does not keep its contract answers so.
 */
export type Fault = Exclude<StorageFaults, { readonly _tag: "Refuse" }> | OwnFault

type OwnFault = Data.TaggedEnum<{
  Hold: {
    readonly until: Effect.Effect<unknown>
    readonly when: "before" | "after"
    readonly interruption: Interruption
  }
  Answer: { readonly change: (answer: unknown) => unknown }
}>

const own = Data.taggedEnum<OwnFault>()

const { refuse: _, ...shared } = StorageFault

/** The makers of faults, with the defaults that a test wants most. */
export const Fault = {
  ...shared,
  /** The call waits for this, such as `Deferred.await(latch)`. */
  hold: (
    until: Effect.Effect<unknown>,
    when: "before" | "after" = "before",
    interruption: Interruption = "heeded"
  ): Fault => own.Hold({ until, when, interruption }),
  /** The call is done, and answers with something else: by default with nothing. */
  answer: (change: (answer: unknown) => unknown = () => undefined): Fault => own.Answer({ change })
} as const

type Kinds = "read" | "write"

const tableScripts: Scripts<Kinds> = {
  of: ["write", "read"],
  faults: ["Fail", "Raise", "Die", "Hang", "Delay", "Hold", "Answer"]
}

/** The rules of a table: the first that fits a call decides. A call that none fits goes through. */
export type TableScript<D extends AnyDefinition> = Script<Write<D>, Fault, Kinds>

/** What a read has asked for. */
export type Asked<D extends AnyDefinition> =
  | { readonly _tag: "list"; readonly query: CheckedQuery }
  | { readonly _tag: "getMany"; readonly ids: ReadonlyArray<Id<D>> }
  | { readonly _tag: "count" }

/** One call that read. */
export interface ReadCall<out D extends AnyDefinition> extends Call<Read<unknown>, Fault> {
  readonly asked: Asked<D>
}

/** One call that wrote: no id is twice in it. */
export interface WriteCall<in out D extends AnyDefinition>
  extends Call<ReadonlyArray<WriteResult<D>>, Fault> {
  readonly writes: ReadonlyArray<Write<D>>
  /** The name of the call of `Table.write` that they are a part of. */
  readonly batch: string
}

/** A table that fails by a script. */
export interface FaultTable<in out D extends AnyDefinition> {
  /** The table for what is under test. */
  readonly table: Table<D>
  /** What has happened until now, in the order in which the calls began. */
  readonly reads: ReadonlyArray<ReadCall<D>>
  readonly writes: ReadonlyArray<WriteCall<D>>
  /** How many calls that write began while another one of them was running. A queue of writes makes none. */
  readonly overlaps: () => number
  /** The next calls that write meet these, one each and before the script; `undefined` lets one through. */
  readonly next: (...faults: ReadonlyArray<Fault | undefined>) => Effect.Effect<void>
  /** The same for the next calls that read. */
  readonly nextReads: (...faults: ReadonlyArray<Fault | undefined>) => Effect.Effect<void>
  /** Replaces the script. Calls are counted on. */
  readonly play: (script: TableScript<D>) => Effect.Effect<void, InvalidOptions>
  /** The nth call that reads, as soon as it has begun. */
  readonly readBegun: (nth: number) => Effect.Effect<ReadCall<D>>
  /** The nth call that writes, as soon as it has begun. */
  readonly writeBegun: (nth: number) => Effect.Effect<WriteCall<D>>
}

/** Calls of one kind, and who waits for one of them. */
interface Calls<C> {
  open: number
  overlaps: number
  readonly made: Array<C>
  readonly next: Array<Fault | undefined>
  readonly awaited: Map<number, Deferred.Deferred<C>>
}

const noCalls = <C>(): Calls<C> => ({
  open: 0,
  overlaps: 0,
  made: [],
  next: [],
  awaited: new Map()
})

const begun =
  <C>({ awaited, made }: Calls<C>) =>
  (nth: number): Effect.Effect<C> =>
    Effect.suspend(() => {
      const call = made[nth - 1]
      if (call !== undefined) return Effect.succeed(call)
      const waiter = awaited.get(nth) ?? Deferred.unsafeMake<C>(FiberId.none)
      awaited.set(nth, waiter)
      return Deferred.await(waiter)
    })

/** The effect of one fault. `commit` does so many of the `length` writes of a call, `whole` is the call itself. */
const faulty = <A>(
  fault: Fault | undefined,
  length: number,
  commit: (count: number) => Effect.Effect<unknown, unknown>,
  whole: Effect.Effect<A, unknown>
): Effect.Effect<A, unknown> => {
  if (fault === undefined) return whole
  switch (fault._tag) {
    case "Hold":
      return withInterruption(fault.interruption)(
        fault.when === "before" ? Effect.andThen(fault.until, whole) : Effect.tap(whole, fault.until)
      )
    case "Answer":
      // A wrong answer is the point: it is of any type.
      return Effect.map(whole, (answer) => fault.change(answer) as A)
    default:
      return playing(fault, length, commit, whole)
  }
}

/** The query whose checked form this is. */
const queryOf = <D extends AnyDefinition>({
  after,
  limit,
  offset,
  orderBy,
  where
}: CheckedQuery): Query<D["columns"]> =>
  // Names and values were checked against the columns.
  ({
    ...(where === undefined ? {} : { where }),
    orderBy,
    ...(limit === undefined ? {} : { limit }),
    ...(offset === 0 || limit === undefined ? {} : { page: offset / limit + 1 }),
    ...(after === undefined
      ? {}
      : { after: Object.fromEntries(orderBy.map(({ column }, at) => [column, after[at]])) })
  }) as unknown as Query<D["columns"]>

interface State<D extends AnyDefinition> {
  readonly reads: Calls<Mutable<ReadCall<D>>>
  readonly writes: Calls<Mutable<WriteCall<D>>>
  running: Running<Write<D>, Fault, Kinds>
}

/** Begins a call of one kind, with the fault that it meets. */
const beginning = <D extends AnyDefinition, C extends Mutable<Call<unknown, Fault>>, A>(
  state: State<D>,
  of: Kinds,
  calls: Calls<C>,
  writes: ReadonlyArray<Write<D>>,
  begin: (nth: number, at: number, fault: Fault | undefined) => C,
  play: (fault: Fault | undefined) => Effect.Effect<A, unknown>
): Effect.Effect<A, unknown> =>
  recorded(calls, (at) => {
    const nth = calls.made.length + 1
    const fault = calls.next.length > 0 ? calls.next.shift() : match(state.running, of, nth, writes)?.fault
    const call = begin(nth, at, fault)
    calls.made.push(call)
    const waiter = calls.awaited.get(nth)
    if (waiter !== undefined) Deferred.unsafeDone(waiter, Exit.succeed(call))
    return [call, play(fault)]
  })

const sourceOf = <D extends AnyDefinition>(below: Table<D>, state: State<D>): Source<D> => {
  const read = <A>(asked: Asked<D>, whole: () => Effect.Effect<Read<A>, unknown>) =>
    beginning(
      state,
      "read",
      state.reads,
      [],
      (nth, at, fault) => ({ nth, at, fault, asked, exit: undefined }),
      (fault) => faulty(fault, 0, () => Effect.void, Effect.suspend(whole))
    )
  return {
    maxBatch: below.maxBatch,
    list: (query) => read({ _tag: "list", query }, () => below.list(queryOf<D>(query))),
    getMany: (ids) =>
      read({ _tag: "getMany", ids }, () =>
        Effect.map(below.getMany(ids), ({ value, ...rest }) => ({
          ...rest,
          value: value.flatMap(Option.toArray)
        }))
      ),
    count: (where) =>
      // The condition was checked against the columns.
      read({ _tag: "count" }, () => below.count(where as Parameters<Table<D>["count"]>[0])),
    write: (writes, batch) =>
      beginning(
        state,
        "write",
        state.writes,
        writes,
        (nth, at, fault) => ({ nth, at, fault, writes, batch, exit: undefined }),
        (fault) =>
          faulty(
            fault,
            writes.length,
            (count) => (count === 0 ? Effect.void : below.write(writes.slice(0, count), batch)),
            Effect.suspend(() => below.write(writes, batch))
          )
      )
  }
}

/**
 * Decorates a table. Each call of its source takes the next fault that was set, else the first rule of the script that
 * fits it, else it goes through. Time passes by the `Clock` alone. Fails with `InvalidOptions` when a rule can fit no
 * call. The table checks what it answers, as every table does: a wrong answer becomes `Malformed`.
 */
export const make = <D extends AnyDefinition>(
  below: Made & Table<D>,
  script: TableScript<D> = []
): Effect.Effect<FaultTable<D>, InvalidOptions> =>
  Effect.gen(function* () {
    yield* check("table", handle("a Table", "definition", "write"), below)
    const state: State<D> = {
      reads: noCalls(),
      writes: noCalls(),
      running: yield* startScript<Write<D>, Fault, Kinds>(tableScripts, script)
    }
    const { reads, writes } = state
    return {
      table: yield* makeTable(below.definition, sourceOf(below, state)),
      reads: reads.made,
      writes: writes.made,
      overlaps: () => writes.overlaps,
      next: (...faults) =>
        Effect.sync(() => {
          writes.next.push(...faults)
        }),
      nextReads: (...faults) =>
        Effect.sync(() => {
          reads.next.push(...faults)
        }),
      play: (script) =>
        Effect.map(startScript<Write<D>, Fault, Kinds>(tableScripts, script), (running) => {
          state.running = running
        }),
      readBegun: begun(reads),
      writeBegun: begun(writes)
    }
  })
