/** The reads of a schedule: each is checked by what its caller was promised when it began. */
import { Effect, Option, Runtime, Stream } from "effect"
import type { Answer, ReadOptions } from "../../../src/LiveTable.js"
import { begin, checkAnswer, checkOther, type Key, textOf } from "./checks.js"
import { counted, ids, queries, strangers } from "./rows.js"
import { type FollowHow, type ReadHow, targetLag } from "./schedule.js"
import { detach, type Follower, isLate, type World } from "./world.js"

/** The tag of what is read as `tagged`. */
export const tag = "tag"

const readOptions: Record<Exclude<ReadHow, "log">, ReadOptions | undefined> = {
  plain: undefined,
  master: { use: "master" },
  fresh: { stale: "refuse" },
  queued: { atLeast: "queued" },
  pending: { pending: "include" },
  "queued pending": { pending: "include", atLeast: "queued" },
  tagged: { tags: [tag] }
}

const freshAnswer = (value: unknown): Answer<unknown> => ({
  value,
  revision: Option.none(),
  freshness: { _tag: "Fresh" }
})

export const fork = (world: World, effect: Effect.Effect<unknown, unknown>): void => {
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

/** So often is the master asked for one read: every 100 ms until it shows a revision, where that is late. */
const loadsOf = ({ setting }: World, how: ReadHow): number =>
  how === "log" && isLate(setting) ? targetLag / 100 + 2 : 1

/** Begins a read now. */
export const reading = (world: World, key: Key, how: ReadHow): Effect.Effect<unknown, unknown> => {
  const begun = begin(world, key, how)
  world.requests += loadsOf(world, how)
  if (how === "master") detach(world, key.kind === "row" ? [key.id] : [])
  return Effect.tap(answerOf(world, key, how), (result) =>
    Effect.sync(() => checkAnswer(world, begun, result))
  )
}

export const read = (world: World, key: Key, how: ReadHow): void => fork(world, reading(world, key, how))

export const readAll = (world: World, how: ReadHow): void => {
  const begun = ids.map((id) => begin(world, { kind: "row", id }, how))
  world.requests += ids.length * loadsOf(world, how)
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

/** Reads the rows of a list from the master, past the memory. */
export const stream = (world: World, at: number): void => {
  const key: Key = { kind: "list", at }
  const begun = begin(world, key, "plain", `stream ${at}`)
  world.anyStream = true
  world.requests++
  const rows = Stream.runCollect(world.live.stream(queries[at]!.query))
  const streamed = Effect.tap(rows, (rows) =>
    Effect.sync(() => checkAnswer(world, begun, freshAnswer([...rows])))
  )
  fork(world, streamed)
}

export const unsafeRead = (world: World, id: string): void => {
  const answer = world.live.unsafeGet(id)
  if (answer !== undefined) checkAnswer(world, begin(world, { kind: "row", id }, "plain"), answer)
}

export const otherRead = (world: World, id: string): void => {
  const { other, otherFloors } = world
  if (other === undefined) return
  const floor = otherFloors.get(id) ?? 0
  const checked = Effect.tap(other.get(id), (answer) =>
    Effect.sync(() => checkOther(world, id, floor, answer))
  )
  fork(world, checked)
}

/** Reads rows that are never there, until all others are out of a small memory. */
export const evict = (world: World): void => {
  for (const id of strangers) read(world, { kind: "row", id }, "plain")
}

/** Begins to follow: each answer is a read that begins when the one before was taken, and another one than that. */
export const follow = (world: World, of: string | number, how: FollowHow): void => {
  const key: Key = typeof of === "number" ? { kind: "list", at: of } : { kind: "row", id: of }
  const follower: Follower = { key, begun: begin(world, key, how), text: undefined }
  const onAnswer = (answer: Answer<unknown>): void => {
    checkAnswer(world, follower.begun, answer)
    const text = textOf(answer.value)
    if (text === follower.text)
      world.broken.push(`L11: a follow of ${follower.begun.name} gives "${text}" twice`)
    follower.text = text
    follower.begun = begin(world, key, how)
  }
  const options = readOptions[how]
  const { live } = world
  const answers: Stream.Stream<Answer<unknown>, unknown> = typeof of === "number"
    ? live.follow(queries[of]!.query, options)
    : live.follow(of, options)
  const followed = Stream.runForEach(answers, (answer) => Effect.sync(() => onAnswer(answer)))
  world.followers.push({ follower, fiber: Runtime.runFork(world.runtime)(followed) })
}
