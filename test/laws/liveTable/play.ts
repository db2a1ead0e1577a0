/** Plays a schedule on a live table. */
import { Effect, Exit, Fiber, Runtime, Scope } from "effect"
import type { Answer, ReadOptions } from "../../../src/LiveTable.js"
import type * as Table from "../../../src/Table.js"
import { ensure, ensureSame } from "../../support/laws/ensure.js"
import { acknowledge, begin, checkAnswer, invalidated, type Key } from "./checks.js"
import { type Call, idsOf } from "./master.js"
import { counted, type Items, ids, queries, type Write } from "./rows.js"
import {
  type Action,
  doubt,
  hardTimeout,
  type ReadHow,
  type Sample,
  type WriteKind,
  writeTimeout
} from "./schedule.js"
import { detach, isOpen, makeWorld, mayBeDone, type World, type Writer } from "./world.js"

const readOptions: Record<ReadHow, ReadOptions | undefined> = {
  plain: undefined,
  master: { use: "master" },
  fresh: { stale: "refuse" },
  queued: { atLeast: "queued" },
  pending: { pending: "include" }
}

const fork = (world: World, effect: Effect.Effect<unknown, unknown>): void => {
  world.fibers.push(Runtime.runFork(world.runtime)(effect))
}

const read = (
  world: World,
  key: Key,
  how: ReadHow,
  answer: Effect.Effect<Answer<unknown>, unknown>
): void => {
  const begun = begin(world, key, how)
  world.requests++
  if (how === "master") detach(world, key.kind === "row" ? [key.id] : [])
  fork(
    world,
    Effect.tap(answer, (result) => Effect.sync(() => checkAnswer(world, begun, result)))
  )
}

const readAll = (world: World, how: ReadHow): void => {
  const begun = ids.map((id) => begin(world, { kind: "row", id }, how))
  world.requests += ids.length
  if (how === "master") detach(world, ids)
  const answers = world.live.getMany(ids, readOptions[how])
  fork(
    world,
    Effect.tap(answers, (results) =>
      Effect.sync(() => {
        for (const [at, result] of results.entries()) checkAnswer(world, begun[at]!, result)
      })
    )
  )
}

const unsafeRead = (world: World, id: string): void => {
  const answer = world.live.unsafeGet(id)
  if (answer !== undefined) checkAnswer(world, begin(world, { kind: "row", id }, "plain"), answer)
}

const writeOf = (kind: WriteKind, id: string, n: number): Write => {
  const row = { id, g: n % 2 === 0 ? "x" : "y", n }
  switch (kind) {
    case "insert":
      return { _tag: "Insert", row }
    case "replace":
      return { _tag: "Replace", row }
    case "patch":
      return { _tag: "Patch", id, fields: { n } }
    case "patch if x":
      return { _tag: "Patch", id, fields: { n }, when: queries[0].query.where }
    case "move":
      return { _tag: "Patch", id, fields: { g: row.g, n } }
    case "delete":
      return { _tag: "Delete", id }
    case "delete all":
      return { _tag: "DeleteAll" }
  }
}

const newWriter = (world: World, write: Write): Writer => {
  const writer: Writer = { number: world.writers.length, write, call: undefined, outcome: undefined }
  world.writers.push(writer)
  world.queue.push(writer)
  return writer
}

const stage = (world: World, writer: Writer): Effect.Effect<unknown, unknown> => {
  const show = (change: (writes: ReadonlyArray<Write>) => ReadonlyArray<Write>) => {
    world.shown.push(change(world.shown.at(-1)!))
  }
  const { write } = writer
  return Effect.flatMap(world.live.stage(write), ({ outcome }) => {
    show((writes) => [...writes, write])
    const ended = Effect.onExit(outcome, (exit) =>
      Effect.sync(() => {
        show((writes) => writes.filter((other) => other !== write))
        acknowledge(world, writer, exit)
      })
    )
    // A caller that is interrupted changes nothing of what is shown.
    return Effect.sync(() => world.outcomes.push(Runtime.runFork(world.runtime)(ended)))
  })
}

const write = (world: World, action: Action & { readonly kind: WriteKind; readonly id: string }): void => {
  const given = writeOf(action.kind, action.id, world.writers.length + 1)
  if (action.do === "statements") {
    world.unordered = true
    const statements = world.master.statements(given)
    const concerned = idsOf([given])
    const target = given._tag === "DeleteAll" ? ("all" as const) : { ids: concerned }
    newWriter(world, given).outcome = "NotStored"
    fork(
      world,
      Effect.onExit(world.live.invalidateAfter(target, statements), (exit) =>
        Effect.sync(() => {
          if (Exit.isFailure(exit)) world.anyUnknown = true
          invalidated(world, concerned)
        })
      )
    )
    return
  }
  const writer = newWriter(world, given)
  const isStaged = action.do === "stage" && given._tag !== "DeleteAll"
  const outcome = Effect.onExit(world.live.write(given), (exit) =>
    Effect.sync(() => acknowledge(world, writer, exit))
  )
  fork(world, isStaged ? stage(world, writer) : outcome)
}

const foreign = async (world: World, action: Action & { readonly kind: WriteKind; readonly id: string }) => {
  if (!world.setting.foreign) return
  const given = writeOf(action.kind, action.id, world.writers.length + 1)
  newWriter(world, given).outcome = "NotStored"
  world.unordered = true
  await world.master.foreign(given)
}

const pick = <A>(all: ReadonlyArray<A>, at: number): A | undefined => all[at % Math.max(1, all.length)]

const openCalls = (world: World): ReadonlyArray<Call> =>
  world.master.calls.filter((call) => isOpen(world, call))

const answerCall = async (world: World, call: Call, how: "answer" | "fail before" | "fail after" | "die") => {
  await world.master.answer(call, how)
  if (call.writes.length === 0) return
  if (how !== "answer") world.anyUnknown = true
  detach(world, call.ids)
}

const answerAll = async (world: World): Promise<void> => {
  await world.time.settle()
  for (let open = openCalls(world); open.length > 0; open = openCalls(world)) {
    for (const call of open) await answerCall(world, call, "answer")
    await world.time.settle()
  }
}

const onCall = async (
  world: World,
  at: number,
  how: "read" | "answer" | "fail before" | "fail after" | "die"
) => {
  await world.time.settle()
  const isRead = how === "read"
  const calls = isRead ? world.master.calls.filter((call) => mayBeDone(world, call)) : openCalls(world)
  const call = pick(calls, at)
  if (call === undefined) return
  if (!isRead) return answerCall(world, call, how)
  if (!isOpen(world, call) && call.writes.length > 0) world.unordered = true
  await world.master.perform(call)
}

const apply = async (world: World, action: Action): Promise<void> => {
  const { live } = world
  switch (action.do) {
    case "get":
      return read(
        world,
        { kind: "row", id: action.id },
        action.how,
        live.get(action.id, readOptions[action.how])
      )
    case "getMany":
      return readAll(world, action.how)
    case "list":
      return read(
        world,
        { kind: "list", at: action.at },
        action.how,
        live.list(queries[action.at]!.query, readOptions[action.how])
      )
    case "count":
      return read(world, { kind: "count" }, action.how, live.count(counted, readOptions[action.how]))
    case "unsafeGet":
      return unsafeRead(world, action.id)
    case "write":
    case "stage":
    case "statements":
      return write(world, action)
    case "foreign":
      return foreign(world, action)
    case "invalidate":
    case "expire": {
      const target = action.id === "all" ? "all" : { ids: [action.id] }
      await Runtime.runPromise(world.runtime)(live[action.do](target))
      if (action.do === "invalidate") invalidated(world, action.id === "all" ? ids : [action.id])
      return
    }
    case "interrupt": {
      await world.time.settle()
      const running = world.fibers.filter((fiber) => fiber.unsafePoll() === null)
      const fiber = pick(running, action.at)
      if (fiber !== undefined) Runtime.runFork(world.runtime)(Fiber.interrupt(fiber))
      return world.time.settle()
    }
    case "time":
      return world.time.advance(action.millis)
    case "answer all":
      return answerAll(world)
    case "settle":
      return world.time.settle()
    case "close":
      world.closed = true
      return fork(world, live.close)
    default:
      return onCall(world, action.at, action.do)
  }
}

const ensureWhole = ({ broken }: World): void => ensure(broken.length === 0, broken.join("; "))

/** What is remembered between any two steps. */
const checkBounds = ({ inside, setting: { maxEntries } }: World): void => {
  const core = inside.life.reads?.core
  if (core === undefined) return
  const { c, staging } = core
  const pinned = staging.pending.staged.length
  ensure(c.cells.map.size <= maxEntries + pinned, "bounded: no more entries are kept than `maxEntries`")
}

/** Every caller is answered, and what is read then is what the master has. */
const drain = async (world: World): Promise<void> => {
  const { fibers, live, master, outcomes, time } = world
  for (let round = 0; round < 3; round++) {
    await answerAll(world)
    await world.time.advance(hardTimeout + writeTimeout)
  }
  for (const call of master.calls) if (!call.answered) await master.answer(call, "fail before")
  await time.settle()
  ensureSame(
    [...fibers, ...outcomes].filter((fiber) => fiber.unsafePoll() === null).length,
    0,
    "account: every caller is answered"
  )
  ensureWhole(world)
  await world.time.advance(doubt)
  if (world.setting.foreign) await world.time.advance(world.setting.ttl + 1_000)
  if (world.closed) return
  for (const id of ids) world.floors.set(id, master.now())
  world.listFloor = master.now()
  world.unordered = false
  for (const id of ids) read(world, { kind: "row", id }, "fresh", live.get(id, { stale: "refuse" }))
  for (const [at, { query }] of queries.entries()) {
    read(world, { kind: "list", at }, "fresh", live.list(query, { stale: "refuse" }))
  }
  await answerAll(world)
  ensureWhole(world)
}

/** After everything has ended nothing is remembered but entries. */
const checkRest = ({ inside, master, requests }: World): void => {
  const { core } = inside.life.reads ?? {}
  ensureSame(inside.writing.state.open.size, 0, "bounded: no write is open")
  const loaded = master.calls.filter(({ kind }) => kind !== "write" && kind !== "statements")
  const asked = loaded.reduce((sum, { ids: keys }) => sum + keys.length, 0)
  ensure(asked <= requests, `single: ${requests} requests load ${asked} keys`)
  if (core === undefined) return
  const { c, interests, queries: lists, rows, staging } = core
  for (const { index, loads, queued } of [rows, lists]) {
    ensureSame(index.size + loads.size + queued.size, 0, "bounded: no flight is remembered")
  }
  ensureSame(c.doubts.open.length + c.acknowledged.size, 0, "bounded: nothing is doubted")
  ensureSame(interests.size, 0, "bounded: nothing is asked for")
  const { confirmed, staged } = staging.pending
  ensureSame(
    confirmed.length + staged.length + staging.reading.size,
    0,
    "bounded: no staged write is remembered"
  )
}

export const play = async ({ actions, setting }: Sample, backend: Table.Table<Items>): Promise<void> => {
  const world = await makeWorld(setting, backend)
  for (const action of actions) {
    await apply(world, action)
    checkBounds(world)
    ensureWhole(world)
  }
  await drain(world)
  checkRest(world)
  Runtime.runFork(world.runtime)(Scope.close(world.scope, Exit.void))
  await world.time.advance(10_000)
}
