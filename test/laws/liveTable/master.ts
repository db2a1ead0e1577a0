/**
 * A master whose calls wait for the schedule: each is done at one moment and answered at another, or fails before or
 * after it was done, or hangs, or is done after it was given up. It keeps the history of its states.
 */
import { Deferred, Effect, Exit, FiberId, Option, Runtime } from "effect"
import type { Revision } from "../../../src/ChangeLog.js"
import { type Query, StorageError } from "../../../src/Storage.js"
import * as Table from "../../../src/Table.js"
import type { VirtualTime } from "../../support/time/virtualTime.js"
import { makeLate } from "./late.js"
import { type Items, items, type State, sorted, type Write } from "./rows.js"
import type { Setting } from "./schedule.js"

type CallKind = "getMany" | "list" | "count" | "write" | "statements"

/** One call that the live table has made. */
export interface Call {
  readonly kind: CallKind
  readonly ids: ReadonlyArray<string>
  readonly writes: ReadonlyArray<Write>
  /** What it does, and returns. */
  readonly act: Effect.Effect<unknown, unknown>
  readonly answer: Deferred.Deferred<unknown, unknown>
  /** Keys that were invalidated since it began. */
  readonly detached: Set<string>
  readonly begunAt: number
  /** It was done, with this result, and left the table in the state of this number. */
  done: { readonly exit: Exit.Exit<unknown, unknown>; readonly at: number } | undefined
  answered: boolean
  /** When it was given up. */
  leftAt: number | undefined
}

export interface Master {
  readonly table: Table.Table<Items>
  readonly calls: Array<Call>
  /** Every state that it had, in order. */
  readonly history: Array<State>
  readonly now: () => number
  /** Shows the next writes of the target. */
  readonly show: (count: number) => Promise<void>
  /** Shows what must be shown at a time, in milliseconds. */
  readonly showUntil: (time: number) => Promise<void>
  /** Does a call, if it was not done. */
  readonly perform: (call: Call) => Promise<void>
  /** Does and answers a call. */
  readonly answer: (call: Call, how: "answer" | "fail before" | "fail after" | "die") => Promise<void>
  /** Notes the state after a write past this master. */
  readonly note: Effect.Effect<unknown, unknown>
  /** Writes past the live table. */
  readonly foreign: (write: Write) => Promise<Revision | undefined>
  /** Statements of a caller's own. */
  readonly statements: (write: Write) => Effect.Effect<unknown, unknown>
}

const down = (outcome: "NotStored" | "Unknown") =>
  new StorageError({ kind: "Transient", outcome, message: "down" })

const withWrites = (kind: CallKind): boolean => kind === "write" || kind === "statements"

/** A table as a source of calls. */
const actsOf = (backend: Table.Table<Items>) => ({
  getMany: (ids: ReadonlyArray<string>) =>
    Effect.map(backend.getMany(ids), ({ revision, value }) => ({
      revision,
      value: value.flatMap((row) => Option.toArray(row))
    })),
  list: ({ limit, orderBy, where }: Table.CheckedQuery) =>
    backend.list({ where, orderBy, limit } as Query<Items["columns"]>),
  count: (where: Table.AnyCondition | undefined) =>
    backend.count(where as Table.Condition<Items["columns"]> | undefined),
  write: (writes: ReadonlyArray<Write>, batch: string) => backend.write(writes, batch)
})

/** Makes a master over a table. `onCall` sees each call when it begins, `onLeft` when it is given up. */
export const makeMaster = async (
  backend: Table.Table<Items>,
  time: VirtualTime,
  runtime: Runtime.Runtime<never>,
  { maxBatch, stubborn, target }: Pick<Setting, "maxBatch" | "stubborn" | "target">,
  onCall: (call: Call) => void,
  onLeft: (call: Call) => void
): Promise<Master> => {
  const calls: Array<Call> = []
  const run = Runtime.runPromise(runtime)
  // The backend may need the host's time.
  const act = <A>(effect: Effect.Effect<A, unknown>): Promise<A> => Effect.runPromise(time.outside(effect))
  const stateNow = async (): Promise<State> => sorted((await act(backend.list())).value)
  const history: Array<State> = [await stateNow()]
  const now = () => history.length - 1
  const late = makeLate(backend, time, history, target)
  const { read, write } = late
  const acts = { ...actsOf(read), write: actsOf(write).write }
  const enter = (
    kind: CallKind,
    ids: ReadonlyArray<string>,
    writes: ReadonlyArray<Write>,
    act: Effect.Effect<unknown, unknown>
  ) =>
    Effect.suspend(() => {
      const call: Call = {
        kind,
        ids,
        writes,
        act,
        answer: Deferred.unsafeMake(FiberId.none),
        detached: new Set(),
        begunAt: time.clock.unsafeCurrentTimeMillis(),
        done: undefined,
        answered: false,
        leftAt: undefined
      }
      calls.push(call)
      onCall(call)
      const left = Effect.sync(() => {
        call.leftAt = time.clock.unsafeCurrentTimeMillis()
        onLeft(call)
      })
      const answer = Effect.onInterrupt(Deferred.await(call.answer), () => left)
      // Every act returns what the source must.
      return (stubborn ? Effect.uninterruptible(answer) : answer) as Effect.Effect<never, unknown>
    })
  const table = await run(
    Table.make(items, {
      list: (query) =>
        enter("list", [JSON.stringify([query.where, query.orderBy, query.limit])], [], acts.list(query)),
      getMany: (ids) => enter("getMany", ids, [], acts.getMany(ids)),
      count: (where) => enter("count", ["count"], [], acts.count(where)),
      write: (writes, batch) => enter("write", idsOf(writes), writes, acts.write(writes, batch)),
      maxBatch
    })
  )
  const perform = async (call: Call): Promise<void> => {
    if (call.done !== undefined) return
    const exit = await act(Effect.exit(call.act))
    if (withWrites(call.kind)) {
      history.push(await stateNow())
      late.noteState()
    }
    call.done = { exit, at: now() }
  }
  const answer: Master["answer"] = async (call, how) => {
    if (call.answered) return
    const done = how === "answer" || how === "fail after"
    if (done) await perform(call)
    call.answered = true
    const isDone = call.done !== undefined
    const exit =
      how === "answer"
        ? call.done!.exit
        : how === "die"
          ? Exit.die(new Error("a defect"))
          : Exit.fail(down(isDone || how === "fail after" ? "Unknown" : "NotStored"))
    Deferred.unsafeDone(call.answer, exit)
  }
  return {
    table,
    calls,
    history,
    now,
    show: (count) => act(late.show(count)),
    showUntil: (time) => act(late.showUntil(time)),
    perform,
    answer,
    note: Effect.map(backend.list(), ({ value }) => history.push(sorted(value))),
    foreign: async (write) => {
      const [outcome] = await act(backend.write([write]))
      history.push(await stateNow())
      return outcome?._tag === "Written" ? Option.getOrUndefined(outcome.revision) : undefined
    },
    statements: (write) => enter("statements", idsOf([write]), [write], backend.write([write]))
  }
}

/** The ids of writes; all of them for one of the whole table. */
export const idsOf = (writes: ReadonlyArray<Write>): ReadonlyArray<string> =>
  writes.flatMap((write) => {
    switch (write._tag) {
      case "DeleteAll":
        return ["a", "b", "c"]
      case "Insert":
      case "Replace":
        return [write.row.id]
      default:
        return [write.id]
    }
  })
