/** What the master does with its calls, and when. */
import type { Call } from "./master.js"
import { detach, isOpen, mayBeDone, nowOf, type World } from "./world.js"

export const pick = <A>(all: ReadonlyArray<A>, at: number): A | undefined => all[at % Math.max(1, all.length)]

export const openCalls = (world: World): ReadonlyArray<Call> =>
  world.master.calls.filter((call) => isOpen(world, call))

export const answerCall = async (
  world: World,
  call: Call,
  how: "answer" | "fail before" | "fail after" | "die"
) => {
  await world.master.answer(call, how)
  if (call.writes.length > 0) {
    if (how !== "answer") world.anyUnknown = true
    detach(world, call.ids)
  }
  if (world.inSteps) await world.time.settle()
}

export const answerAll = async (world: World): Promise<void> => {
  await world.time.settle()
  for (let open = openCalls(world); open.length > 0; open = openCalls(world)) {
    for (const call of open) await answerCall(world, call, "answer")
    await world.time.settle()
  }
}

export const onCall = async (
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

export const isRead = ({ kind }: Call): boolean => kind !== "write" && kind !== "statements"

/** Lets time pass. What a late master must show by then, it shows. */
export const advance = async (world: World, millis: number): Promise<void> => {
  await world.master.showUntil(nowOf(world.time) + millis)
  await world.time.advance(millis)
}
