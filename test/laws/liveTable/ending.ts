/** How a schedule ends: every caller is answered, and nothing is remembered but entries. */
import { ensure, ensureSame } from "../../support/laws/ensure.js"
import type { Backend } from "./backend.js"
import { advance, answerAll } from "./calls.js"
import { textIn } from "./checks.js"
import { read } from "./reads.js"
import { ids, queries } from "./rows.js"
import { doubt, hardTimeout, targetLag, writeTimeout } from "./schedule.js"
import { isLate, type World } from "./world.js"

/** The longest time from one read of a follow to the next, in milliseconds. */
const longestPause = 30_000

/** Of other caches, the first law only. */
export const ensureWhole = ({ broken, inside }: World): void => {
  const counted = inside === undefined ? broken.filter((law) => law.startsWith("L3")) : broken
  ensure(counted.length === 0, counted.join("; "))
}

/** What is remembered between any two steps. */
export const checkBounds = ({ followers, inside, setting: { maxEntries } }: World): void => {
  const core = inside?.life.reads?.core
  if (core === undefined) return
  const { c, staging } = core
  const pinned =
    staging.pending.staged.length + new Set(followers.map(({ follower }) => follower.begun.name)).size
  ensure(c.cells.map.size <= maxEntries + pinned, "L7: no more entries are kept than `maxEntries`")
}

/** A step in which no read is given up. */
const step = async (world: World): Promise<void> => {
  await advance(world, hardTimeout / 2)
  await answerAll(world)
}

/** The last answer of each follow is what the master has. */
const drainFollows = async (world: World, { changes }: Backend): Promise<void> => {
  const running = world.followers.filter(({ fiber }) => fiber.unsafePoll() === null)
  if (running.length === 0) return
  const last = world.master.history.at(-1)!
  // Without a log and polls, a foreign write shows in no follow.
  const { foreign, refresh } = world.setting
  const isSeen = !foreign || changes !== undefined || refresh > 0
  const isBehind = () => isSeen && running.some(({ follower: { key, text } }) => text !== textIn(last, key))
  for (let waited = 0; waited < longestPause && isBehind(); waited += hardTimeout / 2) await step(world)
  // What has changed last makes them look once more.
  for (let steps = 0; steps < 3; steps++) await step(world)
  if (!isSeen) return
  for (const { follower } of running) {
    const { begun, key, text } = follower
    ensureSame(text, textIn(last, key), `L11: the last answer of a follow of ${begun.name}`)
  }
}

/** Every caller is answered, and what is read then is what the master has. */
export const drain = async (world: World, backend: Backend): Promise<void> => {
  const { fibers, master, outcomes, time } = world
  for (let round = 0; round < 3; round++) {
    await answerAll(world)
    await advance(world, hardTimeout + writeTimeout)
  }
  for (const call of master.calls) if (!call.answered) await master.answer(call, "fail before")
  await time.settle()
  ensureSame(
    [...fibers, ...outcomes].filter((fiber) => fiber.unsafePoll() === null).length,
    0,
    "L5: every caller is answered"
  )
  ensureWhole(world)
  await advance(world, doubt + targetLag)
  backend.changes?.release()
  backend.tierFaults?.mend()
  // What the log names then, when it is followed again, the master may show later.
  if (isLate(world.setting)) await advance(world, 3 * targetLag)
  // Without a log, foreign writes show after the ttl.
  if (world.setting.foreign && backend.changes === undefined)
    await world.time.advance(world.setting.ttl + 1_000)
  await world.time.settle()
  if (world.closed || world.inside === undefined) return
  // Nothing but time wakes them.
  await drainFollows(world, backend)
  for (const id of ids) world.floors.set(id, master.now())
  world.listFloor = master.now()
  world.unordered = false
  for (const id of ids) read(world, { kind: "row", id }, "fresh")
  for (const at of queries.keys()) read(world, { kind: "list", at }, "fresh")
  await answerAll(world)
  ensureWhole(world)
}

/** After everything has ended nothing is remembered but entries. */
export const checkRest = ({ followers, inside, master, requests }: World): void => {
  if (inside === undefined) return
  const core = inside.life.reads?.core
  ensureSame(inside.writing.state.open.size, 0, "L7: no write is open")
  const loaded = master.calls.filter(({ kind }) => kind !== "write" && kind !== "statements")
  const asked = loaded.reduce((sum, { ids: keys }) => sum + keys.length, 0)
  // A follow asks as often as something may have changed.
  if (followers.length === 0) ensure(asked <= requests, `L6: ${requests} requests load ${asked} keys`)
  if (core === undefined) return
  const { c, interests, queries: lists, rows, staging } = core
  for (const { index, loads, queued } of [rows, lists]) {
    ensureSame(index.size + loads.size + queued.size, 0, "L7: no flight is remembered")
  }
  const { lapsed, open } = c.acknowledged
  ensureSame(c.doubts.open.length + open.size + lapsed.size, 0, "L7: nothing is doubted")
  ensureSame(interests.size, 0, "L7: nothing is asked for")
  const { confirmed, staged } = staging.pending
  ensureSame(confirmed.length + staged.length + staging.reading.size, 0, "L7: no staged write is remembered")
}
