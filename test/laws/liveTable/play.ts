/** Plays a schedule on a live table. */
import { Effect, Exit, Fiber, Runtime, Scope } from "effect"
import type { Answer, ReadOptions } from "../../../src/LiveTable.js"
import { ensure, ensureSame } from "../../support/laws/ensure.js"
import type { Backend } from "./backend.js"
import { acknowledge, begin, checkAnswer, checkOther, invalidated, type Key, know } from "./checks.js"
import { type Call, idsOf } from "./master.js"
import { counted, ids, queries, type Write } from "./rows.js"
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

/** The tag of what is read as `tagged`. */
const tag = "tag"

const readOptions: Record<Exclude<ReadHow, "log">, ReadOptions | undefined> = {
  plain: undefined,
  master: { use: "master" },
  fresh: { stale: "refuse" },
  queued: { atLeast: "queued" },
  pending: { pending: "include" },
  tagged: { tags: [tag] }
}

const fork = (world: World, effect: Effect.Effect<unknown, unknown>): void => {
  world.fibers.push(Runtime.runFork(world.runtime)(effect))
}

const answerOf = (world: World, key: Key, how: ReadHow): Effect.Effect<Answer<unknown>, unknown> => {
  const options = optionsOf(world, how)
  const { live } = world
  switch (key.kind) {
    case "row":
      return live.get(key.id, options)
    case "list":
      return live.list(queries[key.at]!.query, options)
    case "count":
      return live.count(counted, options)
  }
}

const optionsOf = ({ known }: World, how: ReadHow): ReadOptions | undefined => {
  if (how !== "log") return readOptions[how]
  return known === undefined ? undefined : { atLeast: known.revision, wait: 400 }
}

/** Begins a read now. */
const reading = (world: World, key: Key, how: ReadHow): Effect.Effect<unknown, unknown> => {
  const begun = begin(world, key, how)
  world.requests++
  if (how === "master") detach(world, key.kind === "row" ? [key.id] : [])
  return Effect.tap(answerOf(world, key, how), (result) =>
    Effect.sync(() => checkAnswer(world, begun, result))
  )
}

const read = (world: World, key: Key, how: ReadHow): void => fork(world, reading(world, key, how))

const readAll = (world: World, how: ReadHow): void => {
  const begun = ids.map((id) => begin(world, { kind: "row", id }, how))
  world.requests += ids.length
  if (how === "master") detach(world, ids)
  const answers = world.live.getMany(ids, optionsOf(world, how))
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
  // As a handler does: it writes, and reads as soon as it has the reply.
  const readAfter = Effect.suspend(() => reading(world, { kind: "row", id: action.id }, "plain"))
  fork(world, isStaged ? stage(world, writer) : Effect.andThen(outcome, readAfter))
}

const foreign = async (world: World, action: Action & { readonly kind: WriteKind; readonly id: string }) => {
  if (!world.setting.foreign) return
  const given = writeOf(action.kind, action.id, world.writers.length + 1)
  newWriter(world, given).outcome = "NotStored"
  world.unordered = true
  const revision = await world.master.foreign(given)
  if (revision !== undefined) know(world, revision, world.master.now())
}

const otherRead = (world: World, id: string): void => {
  const { other, otherFloors } = world
  if (other === undefined) return
  const floor = otherFloors.get(id) ?? 0
  const checked = Effect.tap(other.get(id), (answer) =>
    Effect.sync(() => checkOther(world, id, floor, answer))
  )
  fork(world, checked)
}

/** The other live table writes, at once. */
const otherWrite = async (world: World, kind: WriteKind, id: string): Promise<void> => {
  const { master, other, otherFloors } = world
  if (other === undefined || !world.setting.foreign) return
  const given = writeOf(kind, id, world.writers.length + 1)
  newWriter(world, given).outcome = "NotStored"
  world.unordered = true
  const outcome = Effect.tap(other.write(given), () =>
    Effect.sync(() => {
      for (const one of idsOf([given])) otherFloors.set(one, master.now())
    })
  )
  fork(world, outcome)
  await world.time.settle()
}

const put = async ({ puts = [] }: Backend, at: number): Promise<void> => {
  const one = pick(puts, at)
  if (one === undefined) return
  puts.splice(puts.indexOf(one), 1)
  await Effect.runPromise(Effect.ignore(one))
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
  const justDone = how === "read"
  const calls = justDone ? world.master.calls.filter((call) => mayBeDone(world, call)) : openCalls(world)
  const call = pick(calls, at)
  if (call === undefined) return
  if (!justDone) return answerCall(world, call, how)
  if (!isOpen(world, call) && call.writes.length > 0) world.unordered = true
  await world.master.perform(call)
}

const isRead = ({ kind }: Call): boolean => kind !== "write" && kind !== "statements"

/** Lets a write end while reads from before it are under way. */
const overtake = async (world: World, action: Action & { readonly do: "overtake" }): Promise<void> => {
  const { by, id, kind } = action
  await world.time.settle()
  for (const call of openCalls(world)) if (isRead(call)) await world.master.perform(call)
  write(world, { do: by === "statements" ? by : "write", id, kind })
  await world.time.settle()
  const open = () => openCalls(world).filter((call) => !isRead(call))
  for (let calls = open(); calls.length > 0; calls = open()) {
    for (const call of calls) await answerCall(world, call, by === "unknown" ? "fail after" : "answer")
    await world.time.settle()
  }
}

/** Lets the log forget what it holds, or begin another epoch. */
const changeLog = async (world: World, { changes }: Backend, how: "compact" | "renew"): Promise<void> => {
  if (changes === undefined) return
  await Effect.runPromise(changes[how])
  // What callers know of the epoch before is of no use to them.
  if (how === "renew") world.known = undefined
}

const apply = async (world: World, backend: Backend, action: Action): Promise<void> => {
  const { live } = world
  switch (action.do) {
    case "get":
      return read(world, { kind: "row", id: action.id }, action.how)
    case "getMany":
      return readAll(world, action.how)
    case "list":
      return read(world, { kind: "list", at: action.at }, action.how)
    case "count":
      return read(world, { kind: "count" }, action.how)
    case "unsafeGet":
      return unsafeRead(world, action.id)
    case "write":
    case "stage":
    case "statements":
      return write(world, action)
    case "overtake":
      return overtake(world, action)
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
    case "other get":
      return otherRead(world, action.id)
    case "other write":
      return otherWrite(world, action.kind, action.id)
    case "put":
      await world.time.settle()
      return put(backend, action.at)
    case "invalidate tagged":
      await Runtime.runPromise(world.runtime)(live.invalidate({ tag }))
      // Of what is loaded, it is not known here what was asked for with the tag.
      return detach(world, ids)
    case "break tier":
      return backend.tierFaults?.break()
    case "mend tier":
      return backend.tierFaults?.mend()
    case "compact":
    case "renew":
      return changeLog(world, backend, action.do)
    case "hold":
    case "release":
      backend.changes?.[action.do]()
      return
    case "close":
      world.closed = true
      return fork(world, live.close)
    default:
      return onCall(world, action.at, action.do)
  }
}

/** Of other caches, the first law only. */
const ensureWhole = ({ broken, inside }: World): void => {
  const counted = inside === undefined ? broken.filter((law) => law.startsWith("L3")) : broken
  ensure(counted.length === 0, counted.join("; "))
}

/** What is remembered between any two steps. */
const checkBounds = ({ inside, setting: { maxEntries } }: World): void => {
  const core = inside?.life.reads?.core
  if (core === undefined) return
  const { c, staging } = core
  const pinned = staging.pending.staged.length
  ensure(c.cells.map.size <= maxEntries + pinned, "L7: no more entries are kept than `maxEntries`")
}

/** Every caller is answered, and what is read then is what the master has. */
const drain = async (world: World, backend: Backend): Promise<void> => {
  const { fibers, master, outcomes, time } = world
  for (let round = 0; round < 3; round++) {
    await answerAll(world)
    await world.time.advance(hardTimeout + writeTimeout)
  }
  for (const call of master.calls) if (!call.answered) await master.answer(call, "fail before")
  await time.settle()
  ensureSame(
    [...fibers, ...outcomes].filter((fiber) => fiber.unsafePoll() === null).length,
    0,
    "L5: every caller is answered"
  )
  ensureWhole(world)
  await world.time.advance(doubt)
  backend.changes?.release()
  // Without a log, foreign writes show after the ttl.
  if (world.setting.foreign && backend.changes === undefined)
    await world.time.advance(world.setting.ttl + 1_000)
  await world.time.settle()
  if (world.closed || world.inside === undefined) return
  for (const id of ids) world.floors.set(id, master.now())
  world.listFloor = master.now()
  world.unordered = false
  for (const id of ids) read(world, { kind: "row", id }, "fresh")
  for (const at of queries.keys()) read(world, { kind: "list", at }, "fresh")
  await answerAll(world)
  ensureWhole(world)
}

/** After everything has ended nothing is remembered but entries. */
const checkRest = ({ inside, master, requests }: World): void => {
  if (inside === undefined) return
  const core = inside.life.reads?.core
  ensureSame(inside.writing.state.open.size, 0, "L7: no write is open")
  const loaded = master.calls.filter(({ kind }) => kind !== "write" && kind !== "statements")
  const asked = loaded.reduce((sum, { ids: keys }) => sum + keys.length, 0)
  ensure(asked <= requests, `L6: ${requests} requests load ${asked} keys`)
  if (core === undefined) return
  const { c, interests, queries: lists, rows, staging } = core
  for (const { index, loads, queued } of [rows, lists]) {
    ensureSame(index.size + loads.size + queued.size, 0, "L7: no flight is remembered")
  }
  ensureSame(c.doubts.open.length + c.acknowledged.size, 0, "L7: nothing is doubted")
  ensureSame(interests.size, 0, "L7: nothing is asked for")
  const { confirmed, staged } = staging.pending
  ensureSame(confirmed.length + staged.length + staging.reading.size, 0, "L7: no staged write is remembered")
}

/** Plays a schedule, and fails with the law that it breaks. */
export const play = async (
  { actions, setting }: Sample,
  backend: Backend
): Promise<ReadonlyArray<string>> => {
  const world = await makeWorld(setting, backend)
  for (const action of actions) {
    await apply(world, backend, action)
    checkBounds(world)
    ensureWhole(world)
  }
  await drain(world, backend)
  checkRest(world)
  Runtime.runFork(world.runtime)(Scope.close(world.scope, Exit.void))
  await world.time.advance(10_000)
  return world.trace
}
