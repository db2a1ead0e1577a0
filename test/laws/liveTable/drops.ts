/** What was read, and is dropped or expired while it is somewhere else than in memory too. */
import { Effect, Runtime } from "effect"
import type { Backend } from "./backend.js"
import { answerAll, isRead, openCalls } from "./calls.js"
import { begin, checkAnswer, type Key } from "./checks.js"
import { evict, fork, read, tag } from "./reads.js"
import type { Action } from "./schedule.js"
import { detach, isLate, type World } from "./world.js"
import { foreign } from "./writes.js"

/** Nothing is under way then, and what was put is in the tier. */
const rest = async (world: World, { puts = [], tierFaults }: Backend): Promise<void> => {
  tierFaults?.mend()
  await answerAll(world)
  for (const one of puts.splice(0)) await Effect.runPromise(Effect.ignore(one))
}

/** Drops what was read with a tag, or ends its freshness, after a foreign write that nothing else makes known. */
export const drop = async (
  world: World,
  backend: Backend,
  { by, first, id, kind, target }: Action & { readonly do: "drop" }
): Promise<void> => {
  if (!world.setting.foreign || isLate(world.setting)) return
  const key: Key = { kind: "row", id }
  let isTagged = false
  await foreign(world, { do: "foreign", id, kind: "replace" })
  await rest(world, backend)
  const begun = begin(world, key, "tagged")
  world.requests++
  const tagged = Effect.tap(world.live.get(id, { tags: [tag] }), (answer) =>
    Effect.sync(() => {
      isTagged = answer.freshness._tag === "Fresh"
      checkAnswer(world, begun, answer)
    })
  )
  fork(world, tagged)
  await rest(world, backend)
  if (first === "evict") {
    evict(world)
    await rest(world, backend)
  } else if (first === "list") {
    read(world, { kind: "list", at: 1 }, "plain")
    await world.time.settle()
    for (const call of openCalls(world)) if (isRead(call)) await world.master.perform(call)
  }
  backend.changes?.hold("questions")
  await foreign(world, { do: "foreign", id, kind })
  await Runtime.runPromise(world.runtime)(world.live[by](target === "tag" ? { tag } : { ids: [id] }))
  // Of what is loaded, it is not known here what was asked for with the tag.
  detach(world, [id])
  const dropped = target === "tag" ? world.rowFloors : world.floors
  const floors = by === "invalidate" ? dropped : world.freshFloors
  if (isTagged) floors.set(id, world.master.now())
  read(world, key, "plain")
  await answerAll(world)
  backend.changes?.release()
}
