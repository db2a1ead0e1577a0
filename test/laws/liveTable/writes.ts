/** The writes of a schedule. */
import { Effect, Exit, Runtime } from "effect"
import { answerCall, isRead, openCalls } from "./calls.js"
import { acknowledge, invalidated, know } from "./checks.js"
import { idsOf } from "./master.js"
import { fork, reading } from "./reads.js"
import { queries, type Write } from "./rows.js"
import type { Action, WriteKind } from "./schedule.js"
import { confirmedOf } from "./stagedViews.js"
import { isLate, type ShownWrite, type World, type Writer } from "./world.js"

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
  const show = (change: (writes: ReadonlyArray<ShownWrite>) => ReadonlyArray<ShownWrite>) => {
    world.shown.push({ pending: change(world.shown.at(-1)!.pending), confirmed: world.confirmed.length })
  }
  const { number, write } = writer
  const hide = () => show((writes) => writes.filter((other) => other.number !== number))
  // Others may see it before its writer gets the handle.
  const staged = Effect.suspend(() => {
    show((writes) => [...writes, writer])
    return Effect.onError(world.live.stage(write), () => Effect.sync(hide))
  })
  return Effect.flatMap(staged, ({ outcome }) => {
    const ended = Effect.onExit(outcome, (exit) =>
      Effect.sync(() => {
        if (Exit.isSuccess(exit)) world.confirmed.push({ number, write: confirmedOf(write, exit.value.row) })
        hide()
        acknowledge(world, writer, exit)
      })
    )
    // A caller that is interrupted changes nothing of what is shown.
    return Effect.sync(() => world.outcomes.push(Runtime.runFork(world.runtime)(ended)))
  })
}

export const write = (
  world: World,
  action: Action & { readonly kind: WriteKind; readonly id: string }
): void => {
  const given = writeOf(action.kind, action.id, world.writers.length + 1)
  // Past a target, what is written is seen after its lag only.
  if (action.do === "statements" && !isLate(world.setting)) {
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
  if (action.do === "unsafeWrite") {
    if (world.live.unsafeWrite(given)) newWriter(world, given)
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

export const foreign = async (
  world: World,
  action: Action & { readonly kind: WriteKind; readonly id: string }
) => {
  if (!world.setting.foreign) return
  const given = writeOf(action.kind, action.id, world.writers.length + 1)
  newWriter(world, given).outcome = "NotStored"
  world.unordered = true
  if (world.inSteps) await world.time.settle()
  const revision = await world.master.foreign(given)
  if (revision !== undefined) know(world, revision, world.master.now())
}

/** The other live table writes, at once. */
export const otherWrite = async (world: World, kind: WriteKind, id: string): Promise<void> => {
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

/** Lets a write end while reads from before it are under way. */
export const overtake = async (world: World, action: Action & { readonly do: "overtake" }): Promise<void> => {
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
