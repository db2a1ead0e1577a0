/** Plays a schedule on a live table. */
import { Effect, Exit, Fiber, Runtime, Scope } from "effect"
import type { Backend } from "./backend.js"
import { advance, answerAll, onCall, pick } from "./calls.js"
import { invalidated } from "./checks.js"
import { drop } from "./drops.js"
import { checkBounds, checkRest, drain, ensureWhole } from "./ending.js"
import { evict, follow, fork, otherRead, read, readAll, stream, tag, unsafeRead } from "./reads.js"
import { ids, queries } from "./rows.js"
import type { Action, Sample } from "./schedule.js"
import { detach, makeWorld, type World } from "./world.js"
import { foreign, otherWrite, overtake, write } from "./writes.js"

const put = async ({ puts = [] }: Backend, at: number): Promise<void> => {
  const one = pick(puts, at)
  if (one === undefined) return
  puts.splice(puts.indexOf(one), 1)
  await Effect.runPromise(Effect.ignore(one))
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
    case "follow":
      return follow(world, action.of, action.how)
    case "stream":
      return stream(world, action.at)
    case "evict":
      return evict(world)
    case "show":
      return world.master.show(1 + (action.at % 2))
    case "write":
    case "unsafeWrite":
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
      const all = [...world.fibers, ...world.followers.map(({ fiber }) => fiber)]
      const running = all.filter((fiber) => fiber.unsafePoll() === null)
      const fiber = pick(running, action.at)
      if (fiber !== undefined) Runtime.runFork(world.runtime)(Fiber.interrupt(fiber))
      return world.time.settle()
    }
    case "time":
      return advance(world, action.millis)
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
    case "invalidate list":
    case "expire list": {
      const { query } = queries[action.at]!
      await Runtime.runPromise(world.runtime)(
        live[action.do === "expire list" ? "expire" : "invalidate"]({ query })
      )
      return detach(world, ids)
    }
    case "expire tagged":
      return Runtime.runPromise(world.runtime)(live.expire({ tag }))
    case "invalidate tagged":
      await Runtime.runPromise(world.runtime)(live.invalidate({ tag }))
      // Of what is loaded, it is not known here what was asked for with the tag.
      return detach(world, ids)
    case "drop":
      return drop(world, backend, action)
    case "break tier":
      return backend.tierFaults?.break()
    case "slow tier":
      return backend.tierFaults?.slow()
    case "mend tier":
      return backend.tierFaults?.mend()
    case "compact":
    case "renew":
      return changeLog(world, backend, action.do)
    case "hold":
      return backend.changes?.hold("questions")
    case "hold answers":
      return backend.changes?.hold("answers")
    case "release one":
      return backend.changes?.releaseOne()
    case "release":
      return backend.changes?.release()
    case "close":
      world.closed = true
      return fork(world, live.close)
    case "close within":
      world.closed = true
      return fork(world, live.closeWithin(action.millis))
    default:
      return onCall(world, action.at, action.do)
  }
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
